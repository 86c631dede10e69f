"""Hard parameter sharing."""

from collections.abc import Mapping, Sequence
from typing import Any

from torch import Tensor

from mtlrun.model.trunks import Factors, Noise
from mtlrun.sharing.base import Plan, PulledBack


class Hard(PulledBack):
    """One trunk for all tasks (Caruana 1993)."""

    def __init__(self, plan: Plan) -> None:
        super().__init__()
        assert plan.trunk is not None, "build.py gives one"
        self.trunk = plan.trunk()
        self.widths, self.members = self.trunk.widths, self.trunk.members

    def forward(self, x: Tensor, noise: Noise | None = None, tape: list[Any] | None = None) -> list[Tensor]:
        """Inputs `[R, B, D]` → the features after every layer, the same for all tasks; `tape` as in `Trunk.forward`."""
        features: list[Tensor] = self.trunk(x, noise, tape)
        return features

    def pull_back(
        self,
        tape: Sequence[Any],
        tasks: Sequence[str],
        gradients: Mapping[int, Tensor],
        out: Tensor,
        factors: list[Factors] | None = None,
    ) -> None:
        self.trunk.pull_back(tape, gradients, out, factors)

    def figures(self) -> dict[str, Tensor]:
        """Returns the trunk's metrics `[R]` to log at an evaluation."""
        return self.trunk.figures()
