"""The graph: which trunk layer each task reads, and whose estimates it receives.

An edge carries a value forward unchanged and a gradient backward times a scale: stop 0, pass 1,
reverse -strength (gradient reversal, Ganin & Lempitsky 2015), or any number. And what a task's loss holds
constant: tensors, behind which it moves nothing, and parameters, which it does not move itself. This module
parses and orders edges and draws them as text; `model/network.py` runs them.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from mtlrun.config.fields import PER_RUN, per_run
from mtlrun.config.schema import GraphConfig, TaskConfig
from mtlrun.config.values import NO, convert, require_task
from mtlrun.util.errors import RequestError, listing, nearest

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


def parse_graph(
    config: GraphConfig, tasks: Mapping[str, TaskConfig], active: Mapping[str, TaskConfig], depth: int
) -> Graph:
    """Edges from the configuration, for a trunk of `depth` layers.

    Raises RequestError that names the key for an unknown task, an edge of a task to itself, a cycle,
    a layer that is not there, or settings that an edge does not have.
    """
    _gradient(config.gradient, config, "graph.gradient")
    notes = []
    receives: dict[str, dict[str, Any]] = {}
    if config.name == "chain":
        order = list(active)
        receives = {task: dict.fromkeys(order[:i], config.gradient) for i, task in enumerate(order)}
    for receiver, sources in config.receives.items():
        key = f"graph.receives.{receiver}"
        require_task(receiver, tasks, key)
        if sources is None:
            continue
        if not isinstance(sources, Mapping):
            raise RequestError(
                f"{key}: found {sources!r}\nallowed: a mapping from sources (tasks or trunk) to edges: "
                f"{{{next(iter(t for t in tasks if t != receiver), 'trunk')}: stop}}"
            )
        for source in sources:
            if source != "trunk":
                require_task(source, tasks, f"{key}.{source}")
            if source == receiver:
                raise RequestError(f"{key}.{source}: an edge from a task to itself\nremove it: '~{key}.{source}'")
        absent = [n for n in {receiver: 0, **sources} if n not in active and n != "trunk"]
        if absent:
            notes.append(f"{key}: edges left out, as `only` leaves out {listing(absent)}")
        if receiver in active:
            receives.setdefault(receiver, {}).update({s: e for s, e in sources.items() if s not in absent})

    trunk: dict[str, TrunkEdge] = {}
    edges: list[TaskEdge] = []
    for task, settings in active.items():
        default = TrunkEdge(task, depth)
        if settings.role == "adversarial":
            default = TrunkEdge(task, depth, _gradient("reverse", config, f"tasks.{task}.role"), explicit=True)
        trunk[task] = default
        for source, edge in receives.get(task, {}).items():
            key = f"graph.receives.{task}.{source}"
            if edge is None:
                continue
            if source == "trunk" and edge == "none":
                if not any(s != "trunk" and e is not None for s, e in receives[task].items()):
                    raise RequestError(
                        f"{key}: none, and {task} receives nothing else\n"
                        f"name a source: graph.receives.{task}.OTHER=stop"
                    )
                trunk[task] = TrunkEdge(task, NOTHING, explicit=True)
            elif source == "trunk":
                settings_ = _edge(edge, ("gradient", "at"), key)
                # {at: 1} alone moves the edge; that of an adversarial task stays reversed
                gradient = default.gradient
                if "gradient" in settings_:
                    gradient = _gradient(settings_["gradient"], config, key)
                trunk[task] = TrunkEdge(task, _layer(settings_.get("at", depth), depth, key), gradient, explicit=True)
            else:
                settings_ = _edge(edge, ("gradient", "what"), key)
                what = settings_.get("what", config.what)
                if what not in WHAT:
                    raise RequestError(f"{key}.what: found {what!r}{nearest(what, WHAT)}\nallowed: {listing(WHAT)}")
                if what == "label" and tasks[source].reads_inputs:
                    raise RequestError(
                        f"{key}.what: label, and the labels of {source} are the inputs\n"
                        "allowed: prediction, logits, embedding"
                    )
                edges.append(
                    TaskEdge(source, task, _gradient(settings_.get("gradient", config.gradient), config, key), what)
                )
    levels = _levels(list(active), edges)
    constants = _constants(config, tasks, active, depth, notes)
    for task, names in constants.items():
        lost = [n for n in names if n in active and n not in _reaching(task, edges)]
        if lost and len(active) == len(tasks):
            raise RequestError(
                f"graph.constants.{task}: {lost[0]}'s estimate does not reach {task}\n"
                f"give it an edge: graph.receives.{task}.{lost[0]}=pass, or remove it here"
            )
        if lost:
            notes.append(
                f"graph.constants.{task}: without effect, as the estimate of {listing(lost)} does not reach "
                f"{task} among the tasks of `only`"
            )
        own = _head(task, active)
        others = [t for t in active if t != task and own not in constants.get(t, ())]
        moved = [e for e in edges if e.gradient.scale != 0]
        if own in names and not any(
            own in {_head(t, active) for t in {other, *_reaching(other, moved)}} for other in others
        ):
            notes.append(
                f"graph.constants.{task}: {own} is the head of {task} itself, and no other loss moves it: it "
                "stays as it begins"
            )
    return Graph(tuple(active), depth, trunk, tuple(edges), levels, constants, tuple(notes))


def _head(task: str, active: Mapping[str, TaskConfig]) -> str:
    """The name, among constants, of the head that a task's outputs come from."""
    owner = active[task].head
    return f"heads.{owner if owner in active else task}"


def _reaching(task: str, edges: Iterable[TaskEdge]) -> set[str]:
    """The tasks whose estimates reach `task`, also through others."""
    found, new = set[str](), {task}
    while new:
        new = {e.source for e in edges if e.task in new} - found
        found |= new
    return found


def _constants(
    config: GraphConfig, tasks: Mapping[str, TaskConfig], active: Mapping[str, TaskConfig], depth: int, notes: list[str]
) -> dict[str, tuple[str, ...]]:
    """What the losses of the active tasks hold constant. Raises RequestError for a name that nothing has."""
    layers = [f"layer{i}" for i in range(1, depth + 1)]
    found = {}
    for task, names in config.constants.items():
        key = f"graph.constants.{task}"
        require_task(task, tasks, key)
        if names is None:
            continue
        known = [*layers, "trunk", *(t for t in tasks if t != task), *(f"heads.{t}" for t in tasks)]
        if not isinstance(names, (list, tuple)):
            raise RequestError(f"{key}: found {names!r}\nallowed: a list of {listing(known)}")
        for name in names:
            if name == task:
                raise RequestError(
                    f"{key}: {name} itself, and then the loss moves nothing\n"
                    f"allowed: {listing(known)}; or loss.weights.{task}=0"
                )
            if name not in known:
                raise RequestError(
                    f"{key}: nothing is named {name!r}{nearest(str(name), known)}\nallowed: {listing(known)}"
                )
        absent = [n for n in names if n.removeprefix("heads.") in tasks and n.removeprefix("heads.") not in active]
        if absent or task not in active:
            notes.append(f"{key}: left out, as `only` leaves out {listing(absent or [task])}")
        # a task that has another's head has no parameters of its own there
        owners = {f"heads.{t}": _head(t, active) for t in active}
        kept = tuple(dict.fromkeys(owners.get(n, str(n)) for n in names if n not in absent))
        if kept and task in active:
            found[task] = kept
    return found


def _edge(edge: Any, allowed: tuple[str, ...], key: str) -> Mapping[str, Any]:
    """An edge as a mapping; a lone value is its gradient."""
    if not isinstance(edge, Mapping):
        return {"gradient": edge}
    for name in edge:
        if name not in allowed:
            raise RequestError(
                f"{key}.{name}: an edge has no such key{nearest(name, allowed)}\nallowed: {listing(allowed)}"
            )
    return edge


def _gradient(value: Any, config: GraphConfig, key: str) -> Gradient:
    words = ("stop", "pass", "reverse")
    if value == "stop":
        return Gradient(0.0, word="stop")
    if value == "pass":
        return PASS
    if value == "reverse":
        ramped = config.reverse.schedule == "ramp"
        return Gradient(
            -config.reverse.strength, ramped, f"reverse {config.reverse.strength:g}{' ramped' if ramped else ''}"
        )
    number = convert(value, float, key, {})
    if number is NO or not abs(number) < float("inf"):
        raise RequestError(
            f"{key}: gradient {value!r}{nearest(value, words)}\nallowed: stop, pass, reverse or a number"
        )
    return PASS if number == 1 else Gradient(number, word="stop" if number == 0 else f"{number:g}")


def _layer(at: Any, depth: int, key: str) -> int:
    names = {f"layer{i}": i for i in range(1, depth + 1)}
    number = names.get(at, at) if isinstance(at, str) else at
    if isinstance(number, bool) or not isinstance(number, int) or not (1 <= number <= depth or number == depth):
        raise RequestError(f"{key}.at: the trunk has no layer {at!r}\nallowed: 1 to {depth}, or {listing(names)}")
    return number


def _levels(tasks: list[str], edges: list[TaskEdge]) -> tuple[tuple[str, ...], ...]:
    """Tasks in levels: each level receives from earlier ones only. Raises RequestError that names a cycle."""
    sources = {t: {e.source for e in edges if e.task == t} for t in tasks}
    done: list[str] = []
    levels = []
    while len(done) < len(tasks):
        level = [t for t in tasks if t not in done and sources[t] <= set(done)]
        if not level:
            cycle = _cycle(sources, [t for t in tasks if t not in done])
            raise RequestError(
                f"graph.receives: a cycle: {' -> '.join(cycle)}\n"
                f"remove one of its edges, for example '~graph.receives.TASK.SOURCE'"
            )
        levels.append(tuple(level))
        done += level
    return tuple(levels)


def _cycle(sources: Mapping[str, set[str]], rest: list[str]) -> list[str]:
    """One cycle among `rest`, in the direction of the edges."""
    path = [rest[0]]
    while path.count(path[-1]) == 1:
        path.append(next(s for s in sorted(sources[path[-1]]) if s in rest))
    return path[path.index(path[-1]) :][::-1]
