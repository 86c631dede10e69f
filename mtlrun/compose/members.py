"""The runs of a sweep as lists of overrides: products, unions of them (`arms`), and draws from ranges (`trials`)."""

import contextlib
import dataclasses
import itertools
import math
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from hydra._internal.core_plugins.basic_sweeper import BasicSweeper
from hydra.core.config_loader import ConfigLoader
from hydra.core.override_parser.types import (
    ChoiceSweep,
    Override,
    OverrideType,
    Quote,
    QuotedString,
    RangeSweep,
    ValueType,
)
from hydra.errors import HydraException
from omegaconf import DictConfig, OmegaConf

from mtlrun.compose.outside import check_references
from mtlrun.compose.overrides import ARMS, SWEEP_KEYS, TRIALS, checked_override, full_key, parse, typed_value
from mtlrun.compose.plans import PlanRequest, planned, require_plan
from mtlrun.compose.trials import check_range, drawn
from mtlrun.config.schema import GROUPS, Config
from mtlrun.util.errors import RequestError, listing

PARAMS = "hydra.sweeper.params"
NOT_INSIDE = ("hydra", "experiment", *SWEEP_KEYS)  # of an arm, or of the params


LABEL = "label"  # a key of an arm that is no override
SEEDS = ("seed", "data.split.seed")  # no plan depends on them
MOST_RUNS = 20_000  # of a sweep; more is a slip of the pen, and to compose them takes a minute


@dataclass(frozen=True)
class Arm:
    """One part of a union: its own overrides by key, and the common ones whose keys it does not set itself.

    name: `arms[1]`, or "" where there are no arms; label: what it is called, or ""; named: those of its own keys that
    stand in the names of its runs' folders
    """

    name: str
    label: str
    own: dict[str, Override]
    rest: dict[str, Override]
    named: frozenset[str]


@dataclass(frozen=True)
class Job:
    """One run of a sweep.

    arm: `arms[1]`, or "" where there are no arms; label: what the arm is called, or ""
    arguments: its overrides as Hydra gets them, what is common to all arms first
    overrides: the same by key, those of its arm first
    swept: those that tell it from other runs
    drawn: keys whose values are those of a trial
    """

    arm: str
    label: str
    arguments: list[str]
    overrides: dict[str, str]
    swept: dict[str, str]
    drawn: tuple[str, ...] = ()


def jobs(
    cfg: DictConfig,
    lines: Sequence[str],
    loader: ConfigLoader,
    config_of: Callable[[Sequence[str]], Config],
    notes: list[str],
) -> list[Job]:
    """The runs of a sweep, in job order, from a composed request and its override lines.

    `config_of` makes the checked configuration of one run from its overrides; `notes` gets lines to print.

    Arms in order; within one, its own sweeps vary slowest, then the trials, then what is common to all
    arms. Raises RequestError for arms, trials and ranges that cannot be followed.
    """
    typed = [parse(line) for line in lines]
    listed = _overrides(_plain(cfg.hydra, "sweeper").get("params") or {}, PARAMS, loader, from_file=True)
    listed += [o for o in typed if not o.is_hydra_override() and o.key_or_group not in SWEEP_KEYS]
    common = {full_key(o): o for o in listed}  # the command line has the last word
    from_file = "arms" not in [o.key_or_group for o in typed]
    written, focus, trials = _plain(cfg, "arms"), _plain(cfg, "focus"), _trials(_plain(cfg, "trials"))
    if isinstance(written, str):
        require_plan(written)
        _require_few(_count(_arm("", [], common), 1))
        arms = _planned(written, focus, common, loader, config_of, notes)
    elif focus is not None:
        raise RequestError(f"focus: found {focus!r}, and no plan asks about a task\nadd one: arms=shuffled")
    else:
        arms = [_arm(name, own, common, label) for name, label, own in _arms(written, loader, from_file)]
    _check_ranges(arms, trials)
    _require_few(sum(_count(arm, trials or 1) for arm in arms))
    return [job for arm in arms for job in _product(arm, trials or 1)]


def _arm(
    name: str, own: Sequence[Override], common: Mapping[str, Override], label: str = "", pinned: Sequence[str] = ()
) -> Arm:
    """An arm in full. A label stands for the values of its own keys in the names of folders, but not for those that
    it sweeps over, nor for `pinned`."""
    replaced = {o.key_or_group for o in own}
    rest = {key: o for key, o in common.items() if o.key_or_group not in replaced}
    named = {full_key(o) for o in own if not label or o.is_sweep_override() or full_key(o) in pinned}
    return Arm(name, label, {full_key(o): o for o in own}, rest, frozenset(named))


def _planned(
    name: str,
    focus: Any,
    common: Mapping[str, Override],
    loader: ConfigLoader,
    config_of: Callable[[Sequence[str]], Config],
    notes: list[str],
) -> list[Arm]:
    """The arms of a plan, made for every combination of what is common to all arms; where that makes no difference,
    each arm once."""
    seeds = {key: o for key, o in common.items() if key in SEEDS}
    others = {key: o for key, o in common.items() if key not in SEEDS}
    ranges = {key: drawn(o, 0) for key, o in others.items() if o.is_interval_sweep()}
    found = []
    for lines in _combined(others):
        told: list[str] = []
        with _in(f"arms={name}"):
            all_ = [lines | ranges | seed for seed in _combined(seeds)]
            configs = [config_of([line[key] for key in common if key in line]) for line in all_]
            found.append((lines, planned(name, PlanRequest(name, configs, focus, told))))
        notes.extend(note for note in told if note not in notes)
    alike = all(arms == found[0][1] for _, arms in found)
    arms = []
    for lines, chosen in found[:1] if alike else found:
        swept = [] if alike else [key for key in lines if common[key].is_sweep_override()]
        for arm in chosen:
            arm, label = dict(arm), arm["label"]
            del arm["label"]
            own = _overrides(arm, f"arms={name}", loader, from_file=False)
            replaced = {o.key_or_group for o in own}
            pinned = [
                parse(lines[key]) for key in swept if common[key].key_or_group not in replaced and _fits(key, arm)
            ]
            fitting = {key: o for key, o in common.items() if _fits(key, arm)}
            arms.append(_arm(f"arms={name}: {label}", [*own, *pinned], fitting, label, swept))
    return arms


def _fits(key: str, arm: Mapping[str, Any]) -> bool:
    """Whether a common setting means something to the options that a plan's arm chooses: model.hidden means nothing to
    model=boosting, while the other arms follow it."""
    group, _, name = key.lstrip("~").partition(".")
    option = GROUPS.get(group, {}).get(str(arm.get(group)))
    return option is None or name.partition(".")[0] in {f.name for f in dataclasses.fields(option)}


def _require_few(count: int) -> None:
    if count > MOST_RUNS:
        words = "fewer values, or draws: trials=100 'lr.base=tag(log,interval(1e-4,1e-1))'"
        raise RequestError(f"this sweep has {count:,} runs\nallowed: at most {MOST_RUNS:,}; {words}")


def _plain(cfg: DictConfig, key: str) -> Any:
    """A value of a composition as it was written, with references in it left alone."""
    found = OmegaConf.to_container(OmegaConf.masked_copy(cfg, key), resolve=False)
    assert isinstance(found, dict)
    return found[key]


def _count(arm: Arm, trials: int) -> int:
    """How many runs an arm has, counted without making a list of any values."""
    overrides = [*arm.own.values(), *arm.rest.values()]
    return math.prod(map(_length, overrides)) * (trials if any(o.is_interval_sweep() for o in overrides) else 1)


def _length(override: Override) -> int:
    value = override.value()
    if isinstance(value, ChoiceSweep):
        return len(value.list)
    if isinstance(value, RangeSweep) and value.step and math.isfinite((value.stop or 0) - (value.start or 0)):
        return max(0, math.ceil(((value.stop or 0) - (value.start or 0)) / value.step))
    return 1


def _product(arm: Arm, trials: int) -> Iterable[Job]:
    ranges = [o for o in (*arm.own.values(), *arm.rest.values()) if o.is_interval_sweep()]
    draws = [{full_key(o): drawn(o, trial) for o in ranges} for trial in range(trials if ranges else 1)]
    swept = {key for key, o in arm.rest.items() if o.is_sweep_override()} | arm.named
    for parts in itertools.product(_combined(arm.own), draws, _combined(arm.rest)):
        line = parts[0] | parts[1] | parts[2]
        overrides = {key: typed_value(_parsed(line[key])) for key in (*arm.own, *arm.rest)}
        yield Job(
            arm=arm.name,
            label=arm.label,
            arguments=[line[key] for key in (*arm.rest, *arm.own)],
            overrides=overrides,
            swept={key: value for key, value in overrides.items() if key in swept},
            drawn=tuple(full_key(o) for o in ranges),
        )


def _parsed(line: str) -> Override:
    """A line that Hydra's sweeper has written, which drops some quotes. Raises RequestError where it is none."""
    try:
        return parse(line)
    except HydraException as error:
        raise RequestError(
            f"{line}: needs quotes that a sweep drops\nput the value into an arm: 'arms=[{{...}}]', or into a YAML"
        ) from error


def _combined(overrides: Mapping[str, Override]) -> list[dict[str, str]]:
    """Every choice of one line for each key that is not drawn from a range, the last key varying fastest."""
    lines = {key: _lines(o) for key, o in overrides.items() if not o.is_interval_sweep()}
    return [dict(zip(lines, chosen, strict=True)) for chosen in itertools.product(*lines.values())]


def _lines(override: Override) -> list[str]:
    """One line for each value of an override, as Hydra's sweeper writes them."""
    found, value = f"{override.key_or_group}: found {typed_value(override)}", override.value()
    if isinstance(value, RangeSweep):
        bounds = [value.start or 0, value.stop or 0, value.step]
        if not all(math.isfinite(bound) for bound in bounds) or value.step == 0:
            raise RequestError(f"{found}, which has no end\nallowed: range(STOP) or range(START,STOP,STEP)")
    lines = [job[0] for job in BasicSweeper.split_arguments([override], max_batch_size=None)[0]]
    if not lines:
        raise RequestError(f"{found}, which holds no value\nallowed: one value at least, such as range(3)")
    return lines


# ---------------------------------------------------------------- what arms and trials may be


def _arms(value: Any, loader: ConfigLoader, from_file: bool) -> Iterator[tuple[str, str, list[Override]]]:
    """Each arm's name, `arms[0]`, its label or "", and its own overrides; one without any where there are no arms."""
    if value is None:
        yield "", "", []
        return
    if not isinstance(value, list) or not value:
        raise RequestError(f"arms: found {value!r}\nallowed: {ARMS}")
    for number, arm in enumerate(value):
        name = f"arms[{number}]"
        if not isinstance(arm, dict) or not arm:
            raise RequestError(f"{name}: found {arm!r}\nallowed: {ARMS}")
        label = arm.get(LABEL, "")
        if not isinstance(label, str) or not label.isprintable() or (LABEL in arm and not label.strip()):
            raise RequestError(f"{name}.{LABEL}: found {label!r}\nallowed: what the arm is called, in a line of text")
        own = {key: inner for key, inner in arm.items() if key != LABEL}
        yield name, label, _overrides(own, name, loader, from_file)


def _trials(value: Any) -> int | None:
    if value is None:
        return None
    if not isinstance(value, int) or isinstance(value, bool) or value < 1:
        raise RequestError(f"trials: found {value!r}\nallowed: {TRIALS}")
    return value


def _check_ranges(arms: Sequence[Arm], trials: int | None) -> None:
    found = [(arm.name if key in arm.own else "", o) for arm in arms for key, o in (arm.rest | arm.own).items()]
    ranges = [(where, o) for where, o in found if o.is_interval_sweep()]
    if trials is not None and not ranges:
        raise RequestError(
            f"trials: found {trials}, and no range to draw from\n"
            "add one, such as 'lr.base=tag(log,interval(1e-4,1e-1))', or trials=null"
        )
    for where, override in ranges:
        with _in(where):
            if trials is None:
                raise RequestError(
                    f"{override.key_or_group}: found {typed_value(override)}, a range without end\n"
                    "add trials=16 to draw from it, or list values with commas between"
                )
            check_range(override)


def _overrides(settings: Mapping[Any, Any], where: str, loader: ConfigLoader, from_file: bool) -> list[Override]:
    """The entries of an arm or of hydra.sweeper.params, checked like the words of the command line.

    With `from_file` their values may refer to other keys, and to nothing else, however it is written.
    """
    found = []
    for name, value in settings.items():
        with _in(where):
            line = _line(str(name), value)
            key = parse(line).key_or_group
            if re.split(r"[./]", key)[0] in NOT_INSIDE:
                raise RequestError(f"{key}: not allowed here\nallowed: keys of a run, not {listing(NOT_INSIDE)}")
            override = checked_override(line, loader)
        _require_few(_length(override))
        if from_file and not override.is_interval_sweep() and not override.is_range_sweep():
            for single in _lines(override):
                check_references(where, key, parse(single).value())
        found.append(override)
    return found


def _line(key: str, value: Any) -> str:
    """KEY=VALUE. Text is what would stand behind the = of an override, so that it may be a sweep."""
    if not isinstance(value, str):  # as Hydra writes it
        value = Override(OverrideType.CHANGE, key, ValueType.ELEMENT, _quoted(value, key)).get_value_element_as_str()
    line = f"{key}={value}"
    if len(line.splitlines()) > 1:
        raise RequestError(f"{line!r}: a line break is not allowed here")
    for text, why in [
        (f"{key}=0", f"{key}: no key\nallowed: GROUP or GROUP.KEY"),
        (
            line,
            f"{key}: found {value}, which cannot stand behind the = of an override\n"
            f"text with spaces or special signs needs quotes of its own: {key}: \"'a == 1'\"",
        ),
    ]:
        try:
            parse(text)
        except HydraException as error:
            raise RequestError(why) from error
    return line


@contextlib.contextmanager
def _in(where: str) -> Iterator[None]:
    """Says in which arm an override is wrong."""
    try:
        yield
    except RequestError as error:
        raise RequestError(f"{error} (in {where})" if where else str(error)) from error


def _quoted(value: Any, key: str) -> Any:
    """The value with its text in quotes, so that '1' and 'null' stay text."""
    if isinstance(value, str):
        return QuotedString(value, Quote.single)
    if isinstance(value, list):
        return [_quoted(inner, key) for inner in value]
    if isinstance(value, dict):
        return {str(name): _quoted(inner, key) for name, inner in value.items()}
    if value is None or isinstance(value, (bool, int, float)):
        return value
    raise RequestError(f"{key}: found {value!r}\nallowed: text, numbers, true, false, null, lists and mappings")
