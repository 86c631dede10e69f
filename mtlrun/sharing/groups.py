"""Hard sharing within groups of tasks."""

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from mtlrun.config.schema.sharing import GroupsConfig
from mtlrun.model.trunks import Factors, Noise
from mtlrun.sharing.base import Plan, PulledBack


class Groups(PulledBack):
    """A trunk for each group of tasks, which the tasks of the group share (Standley et al., ICML 2020).

        features of t = h_g(x)    g: the group of t

    With one group it is hard sharing. With a group for each task it is single-task networks: all trunks start with the
    same parameters and have the same dropout masks. The gradient of a task is 0 in the trunks of other groups. Gradient
    strategies act on all trunks together, so tasks of different groups have a cosine of 0.
    """

    def __init__(self, plan: Plan) -> None:
        super().__init__()
        config = plan.configs[0]
        assert isinstance(config, GroupsConfig) and plan.trunk is not None, "build.py gives one"
        self.tasks, self.groups = list(plan.tasks), config.division(plan.tasks)
        self.place = {task: g for g, group in enumerate(self.groups) for task in group}
        self.list = [plan.trunk() for _ in self.groups]
        self.trunks = nn.ModuleList(self.list)
        self.widths, self.members = self.list[0].widths, self.list[0].members

    @property
    def parts(self) -> Mapping[str, int]:
        return self.place

    def forward(self, x: Tensor, noise: Noise | None = None, tape: list[Any] | None = None) -> list[Tensor]:
        """Inputs `[R, B, D]` → the features of G groups after every layer, `[R, G, B, H]`; `tape` of `pull_back`.

        Layer 0 is `[R, B, D]` if the trunks leave the inputs as they are.
        """
        noise = None if noise is None else _drawn_once(noise)
        features = []
        for trunk in self.list:
            own: list[Any] | None = None if tape is None else []
            features.append(trunk(x, noise, own))
            if tape is not None:
                tape.append(own)
        return [x if parts[0] is x else torch.stack(parts, 1) for parts in zip(*features, strict=True)]

    @torch.no_grad()
    def pull_back(
        self,
        tape: Sequence[Any],
        tasks: Sequence[str],
        gradients: Mapping[int, Tensor],
        out: Tensor,
        factors: list[Factors] | None = None,
    ) -> None:
        """As `PulledBack.pull_back`, trunk by trunk. It adds no factors."""
        end = 0
        for group, trunk, own_tape in zip(self.groups, self.list, tape, strict=True):
            members = [i for i, task in enumerate(tasks) if task in group]
            start, end = end, end + sum(p[0].numel() for p in trunk.parameters())
            own = out.new_empty(out.shape[0], len(members), end - start)
            trunk.pull_back(own_tape, {layer: h[:, members] for layer, h in gradients.items()}, own)
            out[..., start:end] = 0
            out[:, members, start:end] = own

    def describe(self) -> str:
        each = sum(p[0].numel() for p in self.list[0].parameters())
        return f"{len(self.groups)} trunks of {each:,} parameters: {' | '.join(', '.join(g) for g in self.groups)}"

    def figures(self) -> dict[str, Tensor]:
        """Returns the metrics `[R]` of each trunk to log at an evaluation, as `NAME_group1`, …."""
        every = [(g, trunk.figures()) for g, trunk in enumerate(self.list, 1)]
        return {f"{name}_group{g}": value for g, figures in every for name, value in figures.items()}


def _drawn_once(noise: Noise) -> Noise:
    """Returns masks that are drawn at the first request for a layer."""
    masks: dict[str, Tensor] = {}

    def drawn(name: str, shape: Sequence[int]) -> Tensor:
        if name not in masks:
            masks[name] = noise(name, shape)
        return masks[name]

    return drawn
