"""Which tasks should share a trunk: estimated from the gradients of one short joint run."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from mtlrun.config.schema import Config, GraphConfig, ModelConfig
from mtlrun.config.schema.loss import SumLossConfig
from mtlrun.config.schema.sharing import HardConfig, written
from mtlrun.engine.memory import parameters

if TYPE_CHECKING:
    from torch import Tensor

    from mtlrun.data.dataset import Dataset
    from mtlrun.engine.batches import Batch
    from mtlrun.engine.stack import Stack

STEPS, EVERY = 500, 5  # of the joint run, and between two measurements
RUNS = 8  # that are averaged, unless their gradients do not fit into MOST_BYTES
MOST = 3  # proposals
HELD_OUT = 256  # rows of val in a measurement
MOST_BYTES = 2**30  # of the tasks' gradients, which are there three times
Division = list[list[str]]


@dataclass(frozen=True)
class Grouping:
    """The estimate and what follows from it.

    affinity: `[T, T]`; affinity[a, b]: how much steps for task b help task a, a cosine from −1 to 1
    spread: `[T, T]`, standard errors over the runs, nan with one run
    proposals: see `divisions`
    """

    tasks: tuple[str, ...]
    affinity: np.ndarray
    spread: np.ndarray
    proposals: Sequence[Division]

    def values(self) -> list[str]:
        """The proposals in the words of the command line, as values of `sharing.groups`."""
        return [written(division) for division in self.proposals]


def can_be_grouped(config: Config) -> bool:
    """Whether there is a choice of groups: three tasks or more, and a trunk that learns from all of them.

    An adversarial task has no group by affinity: it is to disturb the trunk that it reads.
    """
    net, tasks = config.model, config.active.values()
    if len(tasks) < 3 or not isinstance(net, ModelConfig) or not net.hidden:
        return False
    given = net.freeze or net.init_from is not None or net.pretrain is not None
    return not given and all(task.role != "adversarial" for task in tasks)


def propose(configs: Sequence[Config], datasets: Sequence["Dataset"], most: int = MOST) -> Grouping:
    """Trains short joint runs as one stack and proposes up to `most` divisions of the tasks.

    configs, datasets: a setting on several splits. Each is trained with several initial values, so that there are
    `RUNS`; those that cannot share a stack with the first are left out. `can_be_grouped` must hold.
    """
    tasks = tuple(datasets[0].targets)
    runs = affinities(configs, datasets)  # [R, T, T]
    spread = runs.std(0, ddof=1) / np.sqrt(len(runs)) if len(runs) > 1 else np.full(runs.shape[1:], np.nan)
    return Grouping(tasks, runs.mean(0), spread, divisions(tasks, runs, most))


def affinities(configs: Sequence[Config], datasets: Sequence["Dataset"], steps: int = STEPS) -> np.ndarray:
    r"""How much steps for task b help task a in a joint run: `[R, T, T]`, in the order of the data set's targets.

    .. math:: A_{ab} = \operatorname{mean}_s \cos(\nabla L_a^{val}(\theta_s), \nabla L_b^{train}(\theta_s))

    with gradients in the trunk, :math:`\theta_s` the parameters in every fifth step s, and batches of train and val. To
    first order, a step for b lowers a's loss by the rate times the product of the two gradients (TAG; Fifty et al.,
    NeurIPS 2021). The cosine in place of the product does not depend on the scales of the losses. Rows of
    val for a: on the same rows, two tasks that overfit together would look related. Steps without labels of both tasks
    are left out; 0 without any.

    The run has hard sharing, no edges between tasks and the sum of the losses; other settings are those of `configs`.
    """
    from mtlrun.runs.build import build_stack
    from mtlrun.runs.size import size

    every = [(_joint(c, r), d) for r in range(RUNS) for c, d in zip(configs, datasets, strict=True)]
    shared = size(*every[0]).shared
    runs = [run for run in every if size(*run).shared == shared][: _fitting(configs[0], datasets[0])]
    stack = build_stack([config for config, _ in runs], [dataset for _, dataset in runs])
    order = [stack.network.tasks.index(task) for task in datasets[0].targets]
    held_out, found = _held_out(stack), []
    for step, batch in enumerate(_batches(stack, steps)):
        if step % EVERY == 0:
            found.append(_cosines(stack, next(held_out), batch, step).cpu().numpy())
        stack.step(batch, step)
    cosines = np.stack(found)[:, :, order][..., order]  # [S, R, T, T]
    known = np.isfinite(cosines)
    means: np.ndarray = np.where(known, cosines, 0).sum(0) / known.sum(0).clip(1)
    return means


def _joint(config: Config, restart: int) -> Config:
    """The configuration with hard sharing, no edges and the sum of the losses, and other initial values."""
    model = replace(config.net, restart=config.net.restart + restart)
    return replace(config, model=model, sharing=HardConfig(), graph=GraphConfig(), loss=SumLossConfig(), notes=())


def _fitting(config: Config, dataset: "Dataset") -> int:
    """The number of runs whose gradients fit into `MOST_BYTES`: from 1 to `RUNS`."""
    numbers = len(config.active) * parameters(config, dataset.spec.width_in(config.net), 0)
    return max(1, min(RUNS, MOST_BYTES // (3 * 4 * numbers)))


def _batches(stack: "Stack", steps: int) -> Iterator["Batch"]:
    """So many training batches, from the first epoch on."""
    left, epoch = steps, 0
    while left > 0:
        epoch += 1
        for batch in stack.train.epoch(epoch):
            if left > 0:
                yield batch
            left -= 1


def _held_out(stack: "Stack") -> Iterator["Batch"]:
    """Batches of val without end."""
    from mtlrun.engine.batches import TrainBatches

    swapped = [replace(d, split=replace(d.split, train=d.split.val)) for d in stack.datasets]
    rows = min(int(d.trainable().sum()) for d in swapped)
    length = replace(stack.length, rows=rows, batch_size=min(rows, HELD_OUT))
    batches, epoch = TrainBatches(stack.train.rows, swapped, stack.configs, length), 0
    while True:
        epoch += 1
        yield from batches.epoch(epoch)


def _cosines(stack: "Stack", held_out: "Batch", batch: "Batch", step: int) -> "Tensor":
    """Cosines `[R, T, T]` of the tasks' gradients on held-out rows with those on a training batch; nan without one."""
    import torch

    unit = []
    for rows in (held_out, batch):
        gradients = stack.step.task_gradients(rows, step)  # [R, T, S]
        unit.append(gradients / torch.linalg.vector_norm(gradients, dim=2, keepdim=True))
    return unit[0] @ unit[1].mT


def divisions(tasks: Sequence[str], runs: np.ndarray, most: int = MOST) -> list[Division]:
    """Up to `most` divisions of three tasks or more into groups, likeliest first. runs: affinities `[R, T, T]`.

    Average linkage (Sokal & Michener 1958): joins, again and again, the two groups with the highest mean affinity of
    their pairs, both directions counted. The first division is that into at most T/2 groups after which the affinity
    of the joins falls by the largest factor; below one standard error over the runs it counts as that error. Then comes
    the one into k groups before the first join that is not above one standard error, those into k/2, k/4, … groups, and
    into k − 1, k + 1, …. One group of all and only single tasks are left out: they are sharing=hard and none.
    """
    joins = {len(join.groups): join for join in _joins(runs)}  # by the number of groups before it
    count = len(tasks)
    falls = {k: joins[k + 1].affinity / joins[k].floor for k in range(2, max(3, count // 2 + 1))}
    clear = next((k for k, join in joins.items() if join.affinity < join.error), 1)
    halves = [clear >> power for power in range(clear.bit_length())]
    near = [k for distance in range(1, count) for k in (clear - distance, clear + distance)]
    sizes = [k for k in dict.fromkeys([max(falls, key=lambda k: falls[k]), *halves, *near]) if 1 < k < count]
    return [_named(tasks, joins[k].groups) for k in sizes[:most]]


@dataclass(frozen=True)
class _Join:
    """A join of two groups.

    groups: places along T of the groups before it; affinity: mean affinity of the two; error: its standard error over
    the runs, with one run the mean size of all affinities
    """

    groups: list[list[int]]
    affinity: float
    error: float

    @property
    def floor(self) -> float:
        """The affinity, or its error if that is larger. Above 0."""
        return max(self.affinity, self.error, float(np.finfo(float).tiny))


def _joins(runs: np.ndarray) -> Iterator[_Join]:
    """Yields the joins of average linkage, from T groups to one. runs: affinities `[R, T, T]`."""
    sums = runs + runs.transpose(0, 2, 1)  # [R, G, G], over the pairs of two groups
    groups = [[place] for place in range(runs.shape[1])]
    while len(groups) > 1:
        sizes = np.array([len(group) for group in groups])
        means = sums / (2 * np.outer(sizes, sizes))
        best = np.where(np.tri(len(groups), dtype=bool), -np.inf, means.mean(0))
        a, b = np.unravel_index(int(best.argmax()), best.shape)
        error = means[:, a, b].std(ddof=1) / np.sqrt(len(runs)) if len(runs) > 1 else np.abs(runs).mean()
        yield _Join([list(group) for group in groups], float(best[a, b]), float(error))
        groups[a] = [*groups[a], *groups.pop(b)]
        sums[:, a] += sums[:, b]
        sums[:, :, a] += sums[:, :, b]
        sums = np.delete(np.delete(sums, b, 1), b, 2)


def _named(tasks: Sequence[str], groups: Sequence[Sequence[int]]) -> Division:
    """The groups with the names of their tasks, both in the order of the tasks."""
    return [[tasks[place] for place in group] for group in sorted(map(sorted, groups))]
