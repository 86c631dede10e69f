"""How a sweep divides into stacks: runs that train side by side, in one process.

Runs share a stack if they differ only in settings that the schema declares `per_run` (config/schema/;
config/graph.py for edges), and take equal steps: as many rows per batch and steps per epoch. Such a group of runs is
cut further

- so that every process has work: into one part per process where each part keeps 8 runs or more, else into
  parts no larger than the process's share of the whole sweep;
- so that a stack fits into memory: half of the machine's, shared by the processes, at `engine.memory.run_bytes` a run;
- by `hydra.launcher.max_runs`, where that is given;
- into single runs with `trainer.debug`: torch, which traces gradients then, ends all of a stack where one is nan;
  and with model=boosting, which has nothing to share.

Parts of a group differ by one run at most and keep the sweep's order. All of it follows from sizes and from the
number of processes, never from a timing or from free memory.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from mtlrun.engine.memory import machine_bytes
from mtlrun.runs.size import Size
from mtlrun.util.errors import listing

WELL_FILLED = 8  # runs from which on a larger stack gains less per run than a process without work loses
MEMORY_SHARE = 0.5  # of the machine's memory, for all processes together


@dataclass(frozen=True)
class Limits:
    """What cuts groups of runs: processes at work, the largest number of runs (None: any), bytes for all stacks."""

    processes: int
    max_runs: int | None = None
    memory: int = field(default_factory=lambda: int(MEMORY_SHARE * machine_bytes()))


@dataclass(frozen=True)
class Division:
    """`stacks`: the numbers of the runs in each. `group[i]`: the group that stack i is cut from; `settings`: what each
    group's runs share and other groups' have otherwise, by full key."""

    stacks: list[list[int]]
    group: list[int]
    settings: list[dict[str, str]]
    cut: list[str]  # why each group was cut, "" where it was not

    def describe(self) -> str:
        """The division in words: a line for each stack, and why they are apart."""
        lines = []
        for number, (runs, group) in enumerate(zip(self.stacks, self.group, strict=True)):
            why = "; ".join(f"{key}: {_short(value)}" for key, value in self.settings[group].items())
            lines.append(f"stack {number}: {len(runs)} run{'s'[: len(runs) > 1]}  {why}".rstrip())
        keys = list(dict.fromkeys(key for settings in self.settings for key in settings))
        if keys:
            lines.append(f"apart, as the runs of a stack have the same: {listing(keys, 12)}")
        return "\n".join([*lines, *(why for why in dict.fromkeys(self.cut) if why)])

    def of_each(self) -> list[int]:
        """The stack of every run, in the sweep's order."""
        stack_of = {run: number for number, runs in enumerate(self.stacks) for run in runs}
        return [stack_of[run] for run in range(len(stack_of))]


def _short(value: str) -> str:
    return value if len(value) <= 60 else f"{value[:57]}..."


def divide(sizes: Sequence[Size], limits: Limits) -> Division:
    """The stacks of a sweep, whose runs are given in order."""
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
    """Of each group, the settings that are not the same in all of them; a graph as a whole."""
    keys = list(dict.fromkeys(key for group in groups for key in group if not key.startswith("graph.")))
    apart = [key for key in keys if len({group.get(key) for group in groups}) > 1]
    return [{key: group[key] for key in apart if key in group} for group in groups]
