"""Proposes groups of tasks, each trained in one net, from the gains of tasks in pairs."""

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import combinations

Group = tuple[str, ...]
EXHAUSTIVE = 9  # tasks; their 21,147 divisions take about a second


def propose(tasks: Sequence[str], gains: Mapping[tuple[str, str], float]) -> tuple[Group, ...]:
    """The division of the tasks with the largest predicted gain, summed over the tasks.

    gains[a, b]: gain of a trained with b. Pass only gains that are significant.

    The gain of a task in a group is predicted as the mean of its gains by the other members (Standley et al., ICML
    2020); without any it is 0. A group in which a task is predicted to lose is not proposed. Of divisions with the same
    prediction, the one with more gain inside its groups, then the one with smaller groups. Up to 9 tasks all divisions
    are tried. With more
    tasks, only the divisions that arise by repeatedly joining the two groups whose union is best.
    """

    def worth(groups: Sequence[Group]) -> tuple[float, float, int]:
        """Predicted gain, gain inside the groups, number of groups. Rounded, as sums in another order differ."""
        inside = [[gains[a, b] for b in group if (a, b) in gains] for group in groups for a in group]  # by task
        predicted = [sum(known) / len(known) for known in inside if known]
        total = -math.inf if any(gain < 0 for gain in predicted) else round(sum(predicted), 9)
        return total, round(sum(map(sum, inside)), 9), len(groups)

    divisions = _divisions(tasks) if len(tasks) <= EXHAUSTIVE else _joined(tasks, worth)
    best = max(divisions, key=worth)
    return tuple(sorted(best, key=lambda group: tasks.index(group[0])))


def _divisions(tasks: Sequence[str]) -> Iterator[list[Group]]:
    """All divisions of the tasks into groups. Groups keep the order of the tasks."""
    if not tasks:
        yield []
        return
    for rest in _divisions(tasks[1:]):
        yield [(tasks[0],), *rest]
        for place, group in enumerate(rest):
            yield [*rest[:place], (tasks[0], *group), *rest[place + 1 :]]


def _joined(tasks: Sequence[str], worth: Callable[[list[Group]], tuple[float, float, int]]) -> Iterator[list[Group]]:
    """Yields the division into single tasks, then one after each join of the two groups whose union is best."""
    groups: list[Group] = [(task,) for task in tasks]
    yield groups
    while len(groups) > 1:
        unions = (
            [*(group for group in groups if group not in (a, b)), tuple(sorted(a + b, key=tasks.index))]
            for a, b in combinations(groups, 2)
        )
        groups = max(unions, key=worth)
        yield groups
