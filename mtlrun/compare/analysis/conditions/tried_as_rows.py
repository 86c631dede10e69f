"""Conditions: tried values are not separate rows, because the best row would then be chosen on test."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from mtlrun.compare.analysis.conditions.context import RATES, Context
from mtlrun.compare.analysis.conditions.tried_values import end_of, numbers
from mtlrun.compare.analysis.questions import WEIGHTS, is_fixed
from mtlrun.compare.collect.settings import Setting, in_order, number
from mtlrun.compare.records import Finding
from mtlrun.compose.plans import tune_of
from mtlrun.util.errors import listing


def weights_as_rows(context: Context) -> Iterator[Finding]:
    """A grid of weights is one row whose weights are chosen on val, not several rows."""
    grids: dict[tuple[str | None, str], list[Setting]] = {}  # arm, keys of the grid -> its settings
    for setting in (result.setting for result in context.results):
        keys = _grid_keys(setting)
        varied = [key for key in setting.values if key.startswith(keys)] if keys else []
        if varied and not any(context.is_tuned(key) for key in varied):
            grids.setdefault((setting.arm, ",".join(keys)), []).append(setting)
    for (arm, named), members in grids.items():
        if len(members) < 2:
            continue
        text = (
            f"{arm or 'loss=fixed'} is a grid of one setting and stands here as {len(members)}: choose "
            f"{named} on val, which leaves fewer rows to be told apart"
        )
        yield Finding("warning", "a grid as rows", text, context.tune_too([named]))
        leader = next(filter(context.leads, members), None)
        if leader is not None:
            text = f"unequal trials: {leader.label} leads as one of {len(members)}, which test chose"
            yield Finding("missing", "equal trials", text, context.tune_too([named]))


def _grid_keys(setting: Setting) -> tuple[str, ...]:
    """The beginnings of the keys for which the arm of a setting, or loss=fixed, lists values to choose from."""
    of_arm = tune_of([setting.arm]).get(setting.arm, ()) if setting.arm is not None else ()
    return of_arm or ((WEIGHTS.rstrip("."),) if is_fixed(setting) else ())


@dataclass(frozen=True)
class Rates:
    """Learning rates that are separate rows.

    keys: the keys of the rates
    methods: for each method, its rows, which differ only in these keys
    command: chooses the rates on val instead
    """

    keys: Sequence[str]
    methods: Sequence[Sequence[Setting]]
    command: str

    @property
    def grids(self) -> list[Sequence[Setting]]:
        """The methods with several rates."""
        return [rows for rows in self.methods if any(len({s.words.get(k) for s in rows}) > 1 for k in self.keys)]


def rates_as_rows(context: Context) -> Iterator[Finding]:
    """No method has several rates as separate rows, because the best of them would then be chosen on test."""
    rates = _rates(context)
    if not rates.grids:
        return
    findings = [*_unequal_numbers(rates), *_leader_at_the_edge(context, rates)]
    if not findings:
        text = f"values of {listing(rates.keys)} stand as rows of their own, of which test would choose"
        findings.append(Finding("missing", "rates as rows", text, rates.command))
    yield from findings


def _rates(context: Context) -> Rates:
    """The rates that distinguish rows and that --tune does not choose."""
    keys = [k for s in context.nets for k, v in s.values.items() if k.startswith(RATES) and number(v) is not None]
    keys = in_order(dict.fromkeys(key for key in keys if not context.is_tuned(key)))
    methods: dict[Any, list[Setting]] = {}
    for setting in context.nets:
        rest = tuple(sorted((k, v) for k, v in setting.words.items() if k not in keys))
        methods.setdefault((setting.kind, rest), []).append(setting)
    return Rates(keys, [*methods.values()], context.tune_too(keys))


def _unequal_numbers(rates: Rates) -> Iterator[Finding]:
    """Every method has the same number of rates."""
    most, fewest = max(rates.grids, key=len), min(rates.methods, key=len)
    if len(fewest) < len(most):
        text = (
            f"unequal trials: {len(most)} rows differ from {most[0].label} in {listing(rates.keys)} alone, and "
            f"{'none' if len(fewest) == 1 else len(fewest)} from {fewest[0].label}"
        )
        yield Finding("missing", "equal trials", text, rates.command)


def _leader_at_the_edge(context: Context, rates: Rates) -> Iterator[Finding]:
    """The leader does not have the lowest or highest rate of its method."""
    grid = next((grid for grid in rates.grids if any(map(context.leads, grid))), None)
    if grid is None or context.leader is None:
        return
    leader = context.leader.setting
    for key in rates.keys:
        tried = numbers([s.words.get(key, "") for s in grid])
        end = end_of(number(leader.words.get(key, "")), tried)
        if end is not None:
            text = f"{leader.label} leads with the {end} {key} that stands here, which test chose"
            yield Finding("missing", "rate at the edge", text, rates.command)
