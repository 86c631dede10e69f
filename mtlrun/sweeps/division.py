"""Divides a sweep into stacks. The runs of a stack train together in one process.

Runs may share a stack if they differ only in settings that the schema declares `per_run` (config/schema/;
config/graph.py for edges) and have equal rows per batch and steps per epoch. Such a group of runs is cut further:

- So that every process has work. A group is cut into one part per process if each part then has 8 runs or more.
  Otherwise no part is larger than the share of one process, which is all runs of the sweep over the processes.
- So that a stack fits into memory. The processes share half of the machine's memory equally; a run needs
  `engine.memory.run_bytes`.
- So that no part has more than `hydra.launcher.max_runs` runs, if that is set.
- Into single runs with `trainer.debug`, because torch then checks gradients and would stop a whole stack for one nan.
  Also with model=boosting, because trees have nothing to share.

The parts of a group differ by at most one run and keep the order of the sweep. The division depends only on sizes and
on the number of processes, never on timings or on free memory.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from mtlrun.engine.memory import machine_bytes
from mtlrun.runs.size import Size
from mtlrun.util.errors import counted, listing

WELL_FILLED = 8  # runs; from this size on, a larger stack saves less time than an idle process loses
MEMORY_SHARE = 0.5  # share of the machine's memory that all processes together may use


@dataclass(frozen=True)
class Limits:
    """The limits of stacks.

    processes: the number of parallel processes
    max_runs: the largest number of runs in a stack; None: no limit
    memory: bytes for the stacks of all processes together
    """

    processes: int
    max_runs: int | None = None
    memory: int = field(default_factory=lambda: int(MEMORY_SHARE * machine_bytes()))


@dataclass(frozen=True)
class Division:
    """The stacks of a sweep, and why they are separate.

    stacks: for each stack the numbers of its runs
    group: for each stack the number of the group that it is cut from
    settings: for each group the settings in which it differs from other groups, by full key
    """

    stacks: list[list[int]]
    group: list[int]
    settings: list[dict[str, str]]
    cut: list[str]  # for each group why it was cut; "" if it was not

    def describe(self) -> str:
        """The division in words: a line for each stack, and why the stacks are separate."""
        lines = []
        for number, (runs, group) in enumerate(zip(self.stacks, self.group, strict=True)):
            why = "; ".join(f"{key}: {_short(value)}" for key, value in self.settings[group].items())
            lines.append(f"stack {number}: {counted(len(runs), 'run')}  {why}".rstrip())
        keys = list(dict.fromkeys(key for settings in self.settings for key in settings))
        if keys:
            lines.append(f"apart, as the runs of a stack have the same: {listing(keys, 12)}")
        return "\n".join([*lines, *(why for why in dict.fromkeys(self.cut) if why)])

    def of_each(self) -> list[int]:
        """The number of the stack of every run, in the order of the sweep."""
        stack_of = {run: number for number, runs in enumerate(self.stacks) for run in runs}
        return [stack_of[run] for run in range(len(stack_of))]


def _short(value: str) -> str:
    return value if len(value) <= 60 else f"{value[:57]}..."


def divide(sizes: Sequence[Size], limits: Limits) -> Division:
    """Divides a sweep into stacks. `sizes`: those of its runs, in order."""
    groups: dict[tuple[tuple[str, str], ...], list[int]] = {}
    for number, run in enumerate(sizes):
        groups.setdefault(tuple(run.shared.items()), []).append(number)
    different = _different([dict(key) for key in groups])
    stacks, origin, cut = [], [], []
    share = -(-len(sizes) // limits.processes)
    for group, runs in enumerate(groups.values()):
        largest = max(sizes[n].bytes for n in runs)
        fits = max(1, limits.memory // limits.processes // largest)
        by_process = limits.processes if len(runs) >= WELL_FILLED * limits.processes else -(-len(runs) // share)
        by_size = -(-len(runs) // min(fits, limits.max_runs or fits))
        alone = sizes[runs[0]].alone
        parts = len(runs) if alone else max(by_process, by_size)
        for part in range(parts):
            stacks.append(runs[part * len(runs) // parts : (part + 1) * len(runs) // parts])
            origin.append(group)
        cut.append(f"one run a stack, as {alone}" if alone else _why_cut(parts, by_process, fits, limits))
    return Division(stacks, origin, different, cut)


def _why_cut(parts: int, by_process: int, fits: int, limits: Limits) -> str:
    if parts == 1:
        return ""
    if parts == by_process:
        return "cut so that every process has work (hydra.launcher.processes)"
    if limits.max_runs is not None and limits.max_runs <= fits:
        return f"cut into stacks of at most {limits.max_runs} runs (hydra.launcher.max_runs)"
    share = limits.memory / limits.processes / 2**30
    return f"cut into stacks of at most {fits} runs, for which {share:.1f} GiB of memory are set aside"


def _different(groups: Sequence[Mapping[str, str]]) -> list[dict[str, str]]:
    """For each group the settings that are not equal in all groups. A graph counts as one setting."""
    keys = list(dict.fromkeys(key for group in groups for key in group if not key.startswith("graph.")))
    apart = [key for key in keys if len({group.get(key) for group in groups}) > 1]
    return [{key: group[key] for key in apart if key in group} for group in groups]
