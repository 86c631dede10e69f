"""The distance between the trained trunks of two single-task nets with the same initial parameters. Imports torch."""

from collections.abc import Iterable, Mapping, Sequence
from itertools import combinations
from pathlib import Path

import torch
from torch import Tensor

from mtlrun.compare.analysis.inference import Inference
from mtlrun.compare.collect.settings import Setting
from mtlrun.compare.records import Estimate, Finding
from mtlrun.config.check import check
from mtlrun.data.columns import InputSpec
from mtlrun.engine import checkpoint
from mtlrun.network.network import TaskSpec
from mtlrun.runs.build import build_network
from mtlrun.storage.names import BEST
from mtlrun.util.errors import RequestError

MOST_FILES = 200  # largest number of checkpoints that are read, first seeds first


def distances(
    alone: Setting, tasks: Sequence[str], inference: Inference, findings: list[Finding]
) -> dict[tuple[str, str], Estimate]:
    """Pair of tasks -> distance of their trunks by seed: ‖θ_a − θ_b‖ / ½(‖θ_a − θ₀‖ + ‖θ_b − θ₀‖).

    θ are all weights and biases of the trunk.

    0: training moved both trunks in the same way; √2: at right angles; 2: in opposite directions. The distance is
    defined only for nets of the same seed and width, which share the initial parameters θ₀. Other nets may differ by
    permutations of units, which do not change the function. Different numbers of steps or rates increase the distance,
    so only pairs of one sweep should be compared.
    """
    moved: dict[tuple[str, int], tuple[Tensor, Tensor]] = {}  # task, seed -> initial and last parameters
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
        shared_seeds = [seed for task, seed in moved if task == a and (b, seed) in moved]
        values = {seed: _distance(moved[a, seed], moved[b, seed]) for seed in shared_seeds}
        estimate = inference.estimate({seed: value for seed, value in values.items() if value is not None})
        if estimate is not None:
            found[a, b] = found[b, a] = estimate
    return found


def _distance(one: tuple[Tensor, Tensor], other: tuple[Tensor, Tensor]) -> float | None:
    """The distance between two trunks, divided by how far they moved on average.

    one, other: initial and last parameters. None if the initial parameters differ or neither trunk moved.
    """
    (start, one_end), (other_start, other_end) = one, other
    if start.shape != other_start.shape or not start.equal(other_start):
        return None
    scale = float(((one_end - start).norm() + (other_end - start).norm()) / 2)
    return float((one_end - other_end).norm()) / scale if scale > 0 else None


def _trunk(folder: Path) -> tuple[Tensor, Tensor]:
    """The parameters of a run's trunk as float64 vectors: the initial ones and those of the selected checkpoint."""
    path = folder / BEST
    tree = checkpoint.load(path)
    with checkpoint.read_from(path):
        network = build_network(
            [check(tree["config"])],
            InputSpec.from_plain(tree["inputs"]),
            [TaskSpec.from_plain(spec) for spec in tree["specs"]],
        )
        initial = {f"sharing.{name}": value for name, value in network.sharing.named_parameters()}
        return _in_a_row(initial, initial), _in_a_row(tree["network"], initial)


def _in_a_row(values: Mapping[str, Tensor], names: Iterable[str]) -> Tensor:
    return torch.cat([values[name].detach().double().flatten() for name in names])
