"""Turns the settings of the group `graph` into the `Graph` that the network runs."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from mtlrun.config.graph import NOTHING, PASS, WHAT, Gradient, Graph, TaskEdge, TrunkEdge
from mtlrun.config.schema.edges import GraphConfig
from mtlrun.config.schema.tasks import TaskConfig
from mtlrun.config.values import number, require_task
from mtlrun.util.errors import RequestError, listing, nearest


def parse_graph(
    config: GraphConfig, tasks: Mapping[str, TaskConfig], active: Mapping[str, TaskConfig], depth: int
) -> Graph:
    """The graph of the active tasks, for a trunk of `depth` layers.

    Raises RequestError with the key for an unknown task, an edge from a task to itself, a cycle, an unknown layer, or
    unknown settings of an edge.
    """
    return _Parser(config, tasks, active, depth).graph()


@dataclass(frozen=True)
class _Parser:
    """Parses one graph. `tasks`: all tasks; `active`: the trained ones. `notes` collects lines to print."""

    config: GraphConfig
    tasks: Mapping[str, TaskConfig]
    active: Mapping[str, TaskConfig]
    depth: int
    notes: list[str] = field(default_factory=list)

    def graph(self) -> Graph:
        self.gradient(self.config.gradient, "graph.gradient")
        receives = self.received()
        trunk: dict[str, TrunkEdge] = {}
        edges: list[TaskEdge] = []
        for task in self.active:
            sources = receives.get(task, {})
            trunk[task] = self.default_trunk_edge(task)
            for source, edge in sources.items():
                if edge is None:
                    continue
                if source == "trunk":
                    trunk[task] = self.trunk_edge(task, sources)
                else:
                    edges.append(self.task_edge(source, task, edge))
        levels = _levels(list(self.active), edges)
        constants = self.constants()
        for task in constants:
            self.check_effect(task, constants, edges)
        return Graph(tuple(self.active), self.depth, trunk, tuple(edges), levels, constants, tuple(self.notes))

    # ------------------------------------------------------------ edges

    def received(self) -> dict[str, dict[str, Any]]:
        """Active receiver -> source -> edge as written: the edges of the option, updated by `receives`."""
        found = self.config.default_edges(list(self.active))
        for receiver, sources in self.config.receives.items():
            key = f"graph.receives.{receiver}"
            require_task(receiver, self.tasks, key)
            if sources is None:
                continue
            self.require_sources(receiver, sources, key)
            absent = [n for n in {receiver: 0, **sources} if n not in self.active and n != "trunk"]
            if absent:
                self.notes.append(f"{key}: edges left out, as `only` leaves out {listing(absent)}")
            if receiver in self.active:
                found.setdefault(receiver, {}).update({s: e for s, e in sources.items() if s not in absent})
        return found

    def require_sources(self, receiver: str, sources: Any, key: str) -> None:
        """Raises RequestError unless `sources` is a mapping whose keys are other tasks or `trunk`."""
        if not isinstance(sources, Mapping):
            example = next((t for t in self.tasks if t != receiver), "trunk")
            raise RequestError(
                f"{key}: found {sources!r}\n"
                f"allowed: a mapping from sources (tasks or trunk) to edges: {{{example}: stop}}"
            )
        for source in sources:
            if source != "trunk":
                require_task(source, self.tasks, f"{key}.{source}")
            if source == receiver:
                raise RequestError(f"{key}.{source}: an edge from a task to itself\nremove it: '~{key}.{source}'")

    def default_trunk_edge(self, task: str) -> TrunkEdge:
        """The edge from the last layer of the trunk. For an adversarial task it reverses the gradient."""
        if self.active[task].adversarial:
            return TrunkEdge(task, self.depth, self.gradient("reverse", f"tasks.{task}.role"), explicit=True)
        return TrunkEdge(task, self.depth)

    def trunk_edge(self, task: str, sources: Mapping[str, Any]) -> TrunkEdge:
        """The edge from the trunk that `sources`, the sources of the task, describe."""
        key, edge = f"graph.receives.{task}.trunk", sources["trunk"]
        if edge == "none":
            if not any(s != "trunk" and e is not None for s, e in sources.items()):
                raise RequestError(
                    f"{key}: none, and {task} receives nothing else\nname a source: graph.receives.{task}.OTHER=stop"
                )
            return TrunkEdge(task, NOTHING, explicit=True)
        settings = _settings(edge, ("gradient", "at"), key)
        # {at: 1} changes the layer only: the edge of an adversarial task stays reversed
        gradient = self.default_trunk_edge(task).gradient
        if "gradient" in settings:
            gradient = self.gradient(settings["gradient"], key)
        return TrunkEdge(task, self.layer(settings.get("at", self.depth), key), gradient, explicit=True)

    def task_edge(self, source: str, task: str, edge: Any) -> TaskEdge:
        key = f"graph.receives.{task}.{source}"
        settings = _settings(edge, ("gradient", "what"), key)
        what = settings.get("what", self.config.what)
        if what not in WHAT:
            raise RequestError(f"{key}.what: found {what!r}{nearest(what, WHAT)}\nallowed: {listing(WHAT)}")
        if what == "label" and self.tasks[source].reads_inputs:
            raise RequestError(
                f"{key}.what: label, and the labels of {source} are the inputs\nallowed: prediction, logits, embedding"
            )
        return TaskEdge(source, task, self.gradient(settings.get("gradient", self.config.gradient), key), what)

    def gradient(self, value: Any, key: str) -> Gradient:
        """The gradient factor for a word or a number."""
        reverse = self.config.reverse
        ramped = reverse.schedule == "ramp"
        reversed_ = f"reverse {reverse.strength:g}{' ramped' if ramped else ''}"
        words = {
            "stop": Gradient(0.0, word="stop"),
            "pass": PASS,
            "reverse": Gradient(-reverse.strength, ramped, reversed_),
        }
        if isinstance(value, str) and value in words:
            return words[value]
        scale = number(value)
        if scale is None or not abs(scale) < float("inf"):
            raise RequestError(
                f"{key}: gradient {value!r}{nearest(value, words)}\nallowed: stop, pass, reverse or a number"
            )
        return PASS if scale == 1 else Gradient(scale, word="stop" if scale == 0 else f"{scale:g}")

    def layer(self, at: Any, key: str) -> int:
        """The number of a trunk layer, given as a number or a name."""
        names = {f"layer{i}": i for i in range(1, self.depth + 1)}
        found = names.get(at) if isinstance(at, str) else at
        if isinstance(found, bool) or not isinstance(found, int) or found not in {*names.values(), self.depth}:
            raise RequestError(
                f"{key}.at: the trunk has no layer {at!r}\nallowed: 1 to {self.depth}, or {listing(names)}"
            )
        return found

    # ------------------------------------------------------------ constants

    def constants(self) -> dict[str, tuple[str, ...]]:
        """Active task -> the constants of its loss. Raises RequestError for an unknown name."""
        found = {}
        for task, names in self.config.constants.items():
            key = f"graph.constants.{task}"
            require_task(task, self.tasks, key)
            if names is None:
                continue
            self.require_constants(task, names, key)
            absent = [
                n for n in names if (owner := n.removeprefix("heads.")) in self.tasks and owner not in self.active
            ]
            if absent or task not in self.active:
                self.notes.append(f"{key}: left out, as `only` leaves out {listing(absent or [task])}")
            # a task that uses the head of another task has no head parameters
            heads = {f"heads.{t}": self.head(t) for t in self.active}
            kept = tuple(dict.fromkeys(heads.get(n, str(n)) for n in names if n not in absent))
            if kept and task in self.active:
                found[task] = kept
        return found

    def require_constants(self, task: str, names: Any, key: str) -> None:
        """Raises RequestError unless `names` is a list of layers, other tasks, heads or the trunk."""
        layers = [f"layer{i}" for i in range(1, self.depth + 1)]
        known = [*layers, "trunk", *(t for t in self.tasks if t != task), *(f"heads.{t}" for t in self.tasks)]
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

    def check_effect(self, task: str, constants: Mapping[str, Sequence[str]], edges: Sequence[TaskEdge]) -> None:
        """Adds a note on a constant of `task` that has no effect, or on a head that no loss trains any more.

        Raises RequestError for a constant without effect if all tasks are trained: `only` is then not the reason.
        """
        key, names = f"graph.constants.{task}", constants[task]
        lost = [n for n in names if n in self.active and n not in _reaching(task, edges)]
        if lost and len(self.active) == len(self.tasks):
            raise RequestError(
                f"{key}: {lost[0]}'s estimate does not reach {task}\n"
                f"give it an edge: graph.receives.{task}.{lost[0]}=pass, or remove it here"
            )
        if lost:
            self.notes.append(
                f"{key}: without effect, as the estimate of {listing(lost)} does not reach "
                f"{task} among the tasks of `only`"
            )
        head = self.head(task)
        if head in names and not self.moved_by_others(head, task, constants, edges):
            self.notes.append(
                f"{key}: {head} is the head of {task} itself, and no other loss moves it: it stays as it begins"
            )

    def moved_by_others(
        self, head: str, task: str, constants: Mapping[str, Sequence[str]], edges: Sequence[TaskEdge]
    ) -> bool:
        """Whether the loss of a task other than `task` trains the head.

        It does if that task uses the head, or if it receives the estimate of a task that does, with a gradient.
        """
        passing = [e for e in edges if e.gradient.scale != 0]
        others = [t for t in self.active if t != task and head not in constants.get(t, ())]
        return any(head in {self.head(t) for t in {other, *_reaching(other, passing)}} for other in others)

    def head(self, task: str) -> str:
        """The name (as in constants) of the head that computes the outputs of a task."""
        owner = self.active[task].head
        return f"heads.{owner if owner in self.active else task}"


def _settings(edge: Any, allowed: tuple[str, ...], key: str) -> Mapping[str, Any]:
    """An edge as a mapping. A single value is the gradient of the edge."""
    if not isinstance(edge, Mapping):
        return {"gradient": edge}
    for name in edge:
        if name not in allowed:
            raise RequestError(
                f"{key}.{name}: an edge has no such key{nearest(name, allowed)}\nallowed: {listing(allowed)}"
            )
    return edge


def _reaching(task: str, edges: Iterable[TaskEdge]) -> set[str]:
    """The tasks whose estimates reach `task`, directly or through other tasks."""
    found, new = set[str](), {task}
    while new:
        new = {e.source for e in edges if e.task in new} - found
        found |= new
    return found


def _levels(tasks: list[str], edges: list[TaskEdge]) -> tuple[tuple[str, ...], ...]:
    """Tasks in levels: each level receives only from earlier levels. Raises RequestError that names a cycle."""
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
    """A cycle among `rest`, in the direction of the edges."""
    path = [rest[0]]
    while path.count(path[-1]) == 1:
        path.append(next(s for s in sorted(sources[path[-1]]) if s in rest))
    return path[path.index(path[-1]) :][::-1]
