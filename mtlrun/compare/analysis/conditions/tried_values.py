"""Conditions: --tune gave every row the same number of trials and the same values, and chose none at an edge."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from mtlrun.compare.analysis.conditions.context import RATES, Context
from mtlrun.compare.analysis.questions import WEIGHTS, is_fixed
from mtlrun.compare.collect.choice import Trial
from mtlrun.compare.collect.settings import Setting, number
from mtlrun.compare.collect.shell_commands import with_values
from mtlrun.compare.records import Finding
from mtlrun.util.errors import listing

End = Literal["lowest", "highest"]


def rates_tuned(context: Context) -> Iterator[Finding]:
    """Learning rates were tuned, or rows have different rates."""
    if any(key.split(".")[0] == "lr" for key in context.tuned):
        return
    rates = {setting.words.get("lr.base") for setting in context.nets}
    rate = number(rates.pop() or "") if len(rates) == 1 else None
    if rate:
        values = ",".join(f"{rate * factor:.3g}" for factor in (0.3, 1, 3))
        text = (
            "one learning rate for all settings: at rates of their own they may stand in another order; "
            f"afterwards compare with --tune {','.join([*context.tuned, 'lr.base'])}"
        )
        yield Finding("warning", "rates not tuned", text, with_values(context.largest_sweep, {"lr.base": values}))


def equal_trials(context: Context) -> Iterator[Finding]:
    """Every row had the same number of trials and the same values of each key. Weights of loss=fixed do not count."""
    nets = context.nets
    if not context.tuned:
        return
    counts = {setting.label: _trials_besides_weights(setting) for setting in nets}
    if len(set(counts.values())) > 1:
        few, many = min(counts, key=lambda label: counts[label]), max(counts, key=lambda label: counts[label])
        text = f"unequal trials: {counts[many]} of {many}, {counts[few]} of {few}"
        yield Finding("missing", "equal trials", text, _whole_grid(context))
        return
    for key in _tried_keys(nets):
        grids = {setting.label: values for setting in nets if (values := setting.tried_values(key))}
        if len(set(map(tuple, grids.values()))) > 1:
            shown = "; ".join(f"{label}: {listing(values)}" for label, values in [*grids.items()][:3])
            yield Finding("missing", "equal grids", f"unequal grids of {key}: {shown}", _whole_grid(context))


def trials_of_weights(context: Context) -> Iterator[Finding]:
    """A sweep of fixed weights, which is a baseline, has more trials than others only if it does not lead."""
    if not context.tuned:
        return
    others = [setting for setting in context.nets if not is_fixed(setting)]
    have = "1 other row has" if len(others) == 1 else f"{len(others)} other rows have"
    for setting in context.nets:
        count = len(setting.tries)
        if count <= _trials_besides_weights(setting):
            continue
        text = f"{setting.label} is the best of {count} tried weightings; {have} no weights to try"
        if context.leads(setting) and any(len(other.tries) < count for other in others):
            command = _more_rates(context, others, count)
            yield Finding("missing", "equal trials", f"{text}, and it leads", command)
        else:
            yield Finding("warning", "trials", text)


def _trials_besides_weights(setting: Setting) -> int:
    """The number of trials, ignoring the weights of loss=fixed."""

    def without_weights(trial: Trial) -> Trial:
        return tuple(value for value in trial if not (is_fixed(setting) and value[0].startswith(WEIGHTS)))

    return len(set(map(without_weights, setting.tries)))


def _tried_keys(nets: Sequence[Setting]) -> list[str]:
    """The keys for which some row tried values."""
    return list(dict.fromkeys(key for setting in nets for trial in setting.tries for key, _ in trial))


def _whole_grid(context: Context) -> str | None:
    """The command of the sweep with every value that any row tried."""
    nets = context.nets
    shared = [key for key in _tried_keys(nets) if all(setting.tried_values(key) for setting in nets)]
    values = {key: ",".join(dict.fromkeys(v for s in nets for v in s.tried_values(key))) for key in shared}
    return with_values(context.largest_sweep, values) if values else None


def _more_rates(context: Context, others: Sequence[Setting], count: int) -> str | None:
    """The command of the sweep of the other strategies at `count` rates each, from 0.1 to 10 times their rate."""
    losses = [s.words["loss"] for s in others if s.multi_task and "loss" in s.words]
    rate = next((x for s in others if (x := number(s.words.get("lr.base", "")))), None)
    if not losses or rate is None:
        return None
    rates = ",".join(f"{rate * 10 ** (2 * i / (count - 1) - 1):.3g}" for i in range(count))
    seeds = sorted({seed for s in others for seed in s.seeds})
    options = {"loss": ",".join(dict.fromkeys(losses))}
    return with_values(context.largest_sweep, {"lr.base": rates}, options, seeds)


# ---------------------------------------------------------------- edges of a grid


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
