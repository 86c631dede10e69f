"""The task graph: which trunk layer each task reads, and from which tasks it receives estimates.

An edge passes a value forward unchanged and multiplies the gradient that flows back by a scale: 0 for stop, 1 for pass,
-strength for reverse (gradient reversal, Ganin & Lempitsky 2015), or any number. A graph also lists constants for the
loss of a task. A constant tensor stops the gradient of this loss; a constant parameter gets no gradient from it.
`schema/edge_parser.py` builds a graph from the settings, `network/network.py` runs it.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from mtlrun.config.fields import PER_RUN, per_run
from mtlrun.util.errors import listing

WHAT = ("prediction", "logits", "embedding", "label")
NOTHING = -1  # `at` of a task that does not read the trunk


@dataclass(frozen=True)
class Gradient:
    """The factor on the gradient that flows back along an edge. If `ramped`, it grows from 0 to `scale` in the run."""

    scale: float
    ramped: bool = False
    word: str = "pass"


PASS = Gradient(1.0)


@dataclass(frozen=True)
class TrunkEdge:
    """`task` reads the trunk after layer `at` (1 to the depth), or does not read it if `at` is NOTHING."""

    task: str
    at: int
    gradient: Gradient = per_run(PASS)
    explicit: bool = False


@dataclass(frozen=True)
class TaskEdge:
    """`task` receives `what` of `source` in addition to the features of the trunk."""

    source: str
    task: str
    gradient: Gradient = field(metadata=PER_RUN)
    what: str


@dataclass(frozen=True)
class Graph:
    """The edges of the active tasks.

    levels: groups of tasks that can be computed together; sources come before receivers.
    constants: task -> what its loss holds constant. `layer1`, … and the name of a task (its estimate) are tensors;
        they stop the gradient of this loss. `heads.TASK` and `trunk` are parameters.
    """

    tasks: tuple[str, ...]
    depth: int
    trunk: Mapping[str, TrunkEdge]
    edges: tuple[TaskEdge, ...]
    levels: tuple[tuple[str, ...], ...]
    constants: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    notes: tuple[str, ...] = per_run(())

    def into(self, task: str) -> tuple[TaskEdge, ...]:
        """The task edges that end in `task`."""
        return tuple(e for e in self.edges if e.task == task)

    def needed_by(self, tasks: Iterable[str]) -> "Graph":
        """The part of the graph with `tasks` and all tasks whose estimates reach them.

        Constants are left out, because they matter only for training.
        """
        kept = set(tasks)
        for level in reversed(self.levels):
            kept |= {e.source for task in level if task in kept for e in self.into(task)}
        levels = tuple(tuple(t for t in level if t in kept) for level in self.levels)
        return Graph(
            tuple(t for t in self.tasks if t in kept),
            self.depth,
            {t: e for t, e in self.trunk.items() if t in kept},
            tuple(e for e in self.edges if e.task in kept),
            tuple(filter(None, levels)),
            notes=self.notes,
        )

    def draw(self, most: int = 12) -> str:
        """The graph as lines of text: the trunk, what reads its layers, the task edges and the constants.

        A line names at most `most` tasks.
        """
        lines = ["inputs -> " + " -> ".join(f"layer{i}" for i in range(1, self.depth + 1)) if self.depth else "inputs"]
        for at in range(self.depth, -1, -1):
            for word in dict.fromkeys(e.gradient.word for e in self.trunk.values()):
                readers = [t for t, e in self.trunk.items() if e.at == at and e.gradient.word == word]
                if readers:
                    arrow = "->" if word == "pass" else f"={word}=>"
                    lines.append(f"{f'layer{at}' if at else 'inputs'} {arrow} {listing(readers, most)}")
        lines += [f"no layer -> {t}" for t, e in self.trunk.items() if e.at == NOTHING]
        lines += [f"{e.source} ={e.gradient.word}=> {e.task}  ({e.what})" for e in self.edges]
        lines += [f"the loss of {task} holds constant: {', '.join(names)}" for task, names in self.constants.items()]
        return "\n".join(lines)
