"""How a sweep divides into stacks: runs that train side by side, in one process.

Runs share a stack if they differ only in settings that the schema declares `per_run` (config/schema/;
config/graph.py for edges), and take equal steps: as many rows per batch and steps per epoch. Such a group of runs is
cut further

- so that every process has work: into one part per process where each part keeps 8 runs or more, else into
  parts no larger than the process's share of the whole sweep;
- so that a stack fits into memory: half of the machine's, shared by the processes, at `memory.run_bytes` a run;
- by `hydra.launcher.max_runs`, where that is given;
- into single runs with `trainer.debug`: torch, which traces gradients then, ends all of a stack where one is nan;
  and with model=boosting, which has nothing to share.

Parts of a group differ by one run at most and keep the sweep's order. All of it follows from sizes and from the
number of processes, never from a timing or from free memory.
"""

import dataclasses
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from mtlrun.config.graph import NOTHING, Graph
from mtlrun.config.schema import Config
from mtlrun.config.stages import first_stage
from mtlrun.engine.memory import machine_bytes, run_bytes
from mtlrun.util.errors import listing

if TYPE_CHECKING:
    from mtlrun.data.dataset import Dataset

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
        found = {run: number for number, runs in enumerate(self.stacks) for run in runs}
        return [found[run] for run in range(len(found))]


@dataclass(frozen=True)
class Size:
    """What the division needs to know of a run: `shared` by the runs of a stack, by full key; bytes; steps at most;
    why it must be `alone` in its stack, "" where it need not."""

    shared: dict[str, str]
    bytes: int
    steps: int
    alone: str = ""


def size(config: Config, dataset: "Dataset", first: "Dataset | None" = None) -> Size:
    """Every setting of a run that is not `per_run`, its rows per batch and steps per epoch, and what it takes; with
    those of a first stage (`model.pretrain`) from the data of that, `first`."""
    graph = config.task_graph
    found = dict(_shared(config, "", skip="graph")) | dict(_shared(graph, "graph"))
    rows = int(dataset.trainable().sum())
    batch = min(config.trainer.batch_size, rows)
    found |= {"graph": _edges(graph), "rows per batch": str(batch), "steps per epoch": str(rows // batch)}
    steps = min(config.trainer.epochs * (rows // batch), config.trainer.max_steps or math.inf)
    alone = "trainer.debug asks for" if config.trainer.debug else ""
    if config.boosting:
        steps, alone = config.boosting.iterations, "model=boosting trains"
    own = Size(found, run_bytes(config, dataset), int(steps), alone)
    stage = first_stage(config)
    if stage is None or first is None:
        return own
    before = size(stage, first)
    found |= {f"first stage: {key}": before.shared[key] for key in ("rows per batch", "steps per epoch")}
    return dataclasses.replace(own, bytes=max(own.bytes, before.bytes), steps=own.steps + before.steps)


def _short(value: str) -> str:
    return value if len(value) <= 60 else f"{value[:57]}..."


def _edges(graph: Graph) -> str:
    """The edges of a graph in words, without their gradients, which may differ."""
    own = [
        f"{f'layer{edge.at}' if edge.at != NOTHING else 'no layer'}->{task}"
        for task, edge in graph.trunk.items()
        if edge.explicit
    ]
    edges = [*own, *(f"{e.source}=>{e.task} ({e.what})" for e in graph.edges)]
    edges += [f"{task} holds {'+'.join(names)}" for task, names in graph.constants.items()]
    return f"{len(edges)} edges, {', '.join(edges)}" if edges else "no edges"


def _shared(value: Any, key: str, skip: str = "") -> Iterator[tuple[str, str]]:
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        for f in dataclasses.fields(value):
            if not f.metadata.get("per_run") and f.name != skip:
                yield from _shared(getattr(value, f.name), f"{key}.{f.name}".lstrip("."))
    elif isinstance(value, Mapping):
        yield key, ", ".join(map(str, value))  # their order is that of the network's parameters
        for name, item in value.items():
            yield from _shared(item, f"{key}.{name}")
    elif isinstance(value, (list, tuple)) and any(dataclasses.is_dataclass(item) for item in value):
        yield f"{key} (number)", str(len(value))
        for i, item in enumerate(value):
            yield from _shared(item, f"{key}[{i}]")
    else:
        yield key, str(value)


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
