"""Condition: no chosen value is the lowest or highest of the tried values."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from mtlrun.compare.analysis.conditions.context import RATES, Context
from mtlrun.compare.analysis.questions import WEIGHTS
from mtlrun.compare.collect.settings import Setting, number
from mtlrun.compare.collect.shell_commands import with_values
from mtlrun.compare.records import Finding
from mtlrun.util.errors import listing

End = Literal["lowest", "highest"]


def end_of(value: float | None, tried: Sequence[float]) -> End | None:
    """Whether a value is the lowest or highest of several tried values, given in order of size; else None."""
    if len(tried) < 2 or value not in (tried[0], tried[-1]):
        return None
    return "lowest" if value == tried[0] else "highest"


def numbers(values: Sequence[str]) -> list[float]:
    """The distinct numbers among the values, in order of size."""
    return sorted({x for value in values if (x := number(value)) is not None})


@dataclass(frozen=True)
class Edge:
    """A choice at the edge of its grid. command: extends the grid beyond the edge; None if unknown."""

    key: str
    text: str
    command: str | None


def values_at_the_edge(context: Context) -> Iterator[Finding]:
    """No value that --tune chose is at an edge of its grid. For a rate, the word best depends on it."""
    edges: dict[Edge, list[str]] = {}  # edge -> labels of the rows that chose it
    for setting in context.nets:
        for name, value in setting.chosen.items():
            key, _, task = name.partition(" (")  # KEY (TASK) if single-task nets choose separately
            if (edge := _edge(context, setting, key, value)) is not None:
                edges.setdefault(edge, []).append(setting.label + (f" ({task}" if task else ""))
    for edge, labels in edges.items():
        text = f"{listing(labels, 4)}: {edge.text}"
        if edge.key.startswith(RATES):
            yield Finding("missing", "rate at the edge", text, edge.command)
        else:
            yield Finding("warning", "value at the edge", text, edge.command)


def _edge(context: Context, setting: Setting, key: str, value: str) -> Edge | None:
    tried = numbers(setting.tried_values(key))
    if key.startswith(WEIGHTS) and any(s.plain_sum for s in context.nets):
        tried = sorted({*tried, 1.0})  # the plain sum
    end = end_of(number(value), tried)
    if end is None:
        return None
    text = f"{key}={value} is the {end} that was tried"
    beyond = _beyond(tried, end)
    if not beyond or key.startswith(WEIGHTS):  # a grid of weights must be extended in all its arms
        return Edge(key, text, None)
    group = key.split(".")[0]  # name the loss, because other losses may not have the key
    option = {group: setting.words[group]} if group == "loss" and group in setting.words else {}
    command = with_values(context.largest_sweep, {key: f"{beyond:.3g}"}, option, setting.seeds)
    return Edge(key, text, command)


def _beyond(tried: Sequence[float], end: End) -> float | None:
    """The next value beyond an end of a geometric grid of positive numbers; None for other grids."""
    if tried[0] <= 0:
        return None
    if end == "lowest":
        return tried[0] / (tried[1] / tried[0])
    return tried[-1] * (tried[-1] / tried[-2])
