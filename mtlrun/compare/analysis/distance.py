"""How far apart the trunks of two single-task nets end that began at the same place. torch is imported only here."""

from collections.abc import Sequence
from itertools import combinations
from typing import TYPE_CHECKING

from mtlrun.compare.analysis.inference import Inference
from mtlrun.compare.collect.settings import Setting
from mtlrun.compare.records import Estimate, Finding
from mtlrun.util.errors import RequestError

if TYPE_CHECKING:
    from pathlib import Path

    from torch import Tensor

MOST_FILES = 200  # checkpoints that are read: of many seeds the first


def distances(
    alone: Setting, tasks: Sequence[str], inference: Inference, findings: list[Finding]
) -> dict[tuple[str, str], Estimate]:
    """Of two tasks ‖θ_a − θ_b‖ / ½(‖θ_a − θ₀‖ + ‖θ_b − θ₀‖) by seed, θ all weights and biases of the trunk.

    0: the two trainings moved the trunk alike; √2: at right angles; 2: in opposite directions. It is defined for nets
    of one seed and one width alone, which share their initial parameters θ₀: others differ by permutations of units,
    which change no function. It grows with training steps and rates that differ, so it compares pairs of one sweep.
    """
    moved: dict[tuple[str, int], tuple[Tensor, Tensor]] = {}
    most = max(1, MOST_FILES // max(1, len(tasks)))
    unread = []
    for task in tasks:
        for seed, run in [*alone.of(task).items()][:most]:
            try:
                moved[task, seed] = _trunk(run.folder)
            except RequestError as error:
                unread.append(str(error).splitlines()[0])
    if unread:
        text = f"no distances of parameters for {len(unread)} of {len(unread) + len(moved)} nets: {unread[0]}"
        findings.append(Finding("warning", "no checkpoint", text))
    found: dict[tuple[str, str], Estimate] = {}
    for a, b in combinations(tasks, 2):
        values = {}
        for seed in (s for t, s in moved if t == a and (b, s) in moved):
            (start, one), (same, two) = moved[a, seed], moved[b, seed]
            if start.shape != same.shape or not start.equal(same):
                continue
            scale = float(((one - start).norm() + (two - start).norm()) / 2)
            if scale > 0:
                values[seed] = float((one - two).norm()) / scale
        if (estimate := inference.estimate(values)) is not None:
            found[a, b] = found[b, a] = estimate
    return found


def _trunk(folder: "Path") -> "tuple[Tensor, Tensor]":
    """All parameters of a run's trunk in a row, float64: initial ones and those of its selected checkpoint."""
    import torch

    from mtlrun.config.check import check
    from mtlrun.data.columns import InputSpec
    from mtlrun.engine import checkpoint
    from mtlrun.network.network import TaskSpec
    from mtlrun.runs.build import build_network

    tree = checkpoint.load(folder / "checkpoints" / "best.pt")
    with checkpoint.read_from(folder / "checkpoints" / "best.pt"):
        network = build_network(
            [check(tree["config"])],
            InputSpec.from_plain(tree["inputs"]),
            [TaskSpec.from_plain(spec) for spec in tree["specs"]],
        )
        initial = {f"sharing.{name}": value for name, value in network.sharing.named_parameters()}
        pair = [
            torch.cat([values[name].detach().double().flatten() for name in initial])
            for values in (initial, tree["network"])
        ]
        return pair[0], pair[1]
