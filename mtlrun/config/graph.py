"""The graph: which trunk layer each task reads, and whose estimates it receives.

An edge carries a value forward unchanged and a gradient backward times a scale: stop 0, pass 1,
reverse -strength (gradient reversal, Ganin & Lempitsky 2015), or any number. A graph also says what a task's loss
holds constant: tensors, behind which it moves nothing, and parameters, which it does not move itself.
`schema/edge_parser.py` reads a graph from the settings, `network/network.py` runs it.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from mtlrun.config.fields import PER_RUN, per_run

WHAT = ("prediction", "logits", "embedding", "label")
NOTHING = -1  # the layer that a task reads which reads none


@dataclass(frozen=True)
class Gradient:
    """The factor on the gradient that flows back along an edge; `ramped` grows from 0 to it over the run."""

    scale: float
    ramped: bool = False
    word: str = "pass"


PASS = Gradient(1.0)


@dataclass(frozen=True)
class TrunkEdge:
    """`task` reads the trunk after layer `at` (1 the first; the depth of the trunk the last), or NOTHING of it."""

    task: str
    at: int
    gradient: Gradient = per_run(PASS)
    explicit: bool = False


@dataclass(frozen=True)
class TaskEdge:
    """`task` receives `what` of `source` beside the trunk's features."""

    source: str
    task: str
    gradient: Gradient = field(metadata=PER_RUN)
    what: str


@dataclass(frozen=True)
class Graph:
    """Edges of the active tasks. `levels`: tasks that can be computed together, sources before receivers.

    `constants`: by task what its loss holds constant: `layer1`, … and a task's name for its estimate are tensors,
    behind which this loss moves nothing; `heads.TASK` and `trunk` are parameters.
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
        """The part of the graph that ends in `tasks`: those, and the tasks whose estimates reach them. Constants, which
        are about training, are left out."""
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

    def draw(self) -> str:
        """The graph as lines of text, one for each trunk layer that is read and one for each task edge."""
        lines = ["inputs -> " + " -> ".join(f"layer{i}" for i in range(1, self.depth + 1)) if self.depth else "inputs"]
        for at in range(self.depth, -1, -1):
            for word in dict.fromkeys(e.gradient.word for e in self.trunk.values()):
                readers = [t for t, e in self.trunk.items() if e.at == at and e.gradient.word == word]
                if readers:
                    arrow = "->" if word == "pass" else f"={word}=>"
                    lines.append(f"{f'layer{at}' if at else 'inputs'} {arrow} {', '.join(readers)}")
        lines += [f"no layer -> {t}" for t, e in self.trunk.items() if e.at == NOTHING]
        lines += [f"{e.source} ={e.gradient.word}=> {e.task}  ({e.what})" for e in self.edges]
        lines += [f"the loss of {task} holds constant: {', '.join(names)}" for task, names in self.constants.items()]
        return "\n".join(lines)
