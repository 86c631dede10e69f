"""What a search tries: for each key the values or the range, declared beside the field of the schema (`SEARCH`).

Options of groups, and keys of mappings, have no such field; they stand here. A key that the user sets is not searched,
unless `tune.space.KEY` gives it values. Each value is drawn as Hydra's text, as after the = of an override.
"""

import dataclasses
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from hydra.core.override_parser.types import Override
from hydra.errors import HydraException

from mtlrun.compose.override_lines import lines_of, parsed
from mtlrun.compose.overrides import parse, typed_value
from mtlrun.compose.trials import bounds_of, check_range
from mtlrun.config.fields import SEARCH
from mtlrun.config.schema import GROUPS, Config
from mtlrun.tune.tune_words import PREFIX, SPACE, TuneSettings
from mtlrun.util.errors import RequestError, listing, nearest

SEVERAL_TASKS = {
    "loss": "sum,uncertainty,fixed",
    "lr": "single,per_head",
    "sharing": "hard,none",
    "graph": "none,chain",
}
MOST_WEIGHTS = 6  # main tasks up to which fixed weights are searched: beyond, the space is too wide
# key -> (values, the group and option that have the key)
OF_OPTIONS = {
    "lr.heads.default": ("0.3x,1x,3x,10x", ("lr", "per_head")),
    "graph.gradient": ("stop,pass", ("graph", "chain")),
}
WEIGHTS, FIXED = "tag(log,interval(0.1,10))", ("loss", "fixed")
LONGEST = 80  # characters of a value where the space is printed
SEARCHED_GROUPS = ("model", "lr", "optimizer")  # groups whose fields are searched


@dataclass(frozen=True)
class Dimension:
    """A key of the search.

    values: its values as texts; () for a range from `low` to `high`, of whole numbers if `whole`, drawn on a log scale
        if `log`
    default: the text of the value without a search; None if it is not in the space
    shape: runs that differ in it cannot share a stack
    when: the group and option that have the key; None: always there
    """

    key: str
    values: tuple[str, ...] = ()
    low: float = 0.0
    high: float = 0.0
    log: bool = False
    whole: bool = False
    default: str | None = None
    shape: bool = False
    when: tuple[str, str] | None = None

    def in_words(self) -> str:
        """`lr.base  from 0.0005 to 0.01, log scale`."""
        if self.values:
            words = ", ".join(v if len(v) <= LONGEST else f"{v[: LONGEST - 1]}…" for v in self.values)
        else:
            words = f"from {self.low:g} to {self.high:g}{', log scale' if self.log else ''}"
        return f"{words}  (with {'='.join(self.when)})" if self.when else words


def space_of(
    config: Config, given: Iterable[str], settings: TuneSettings, groups: Sequence[str] = ()
) -> list[Dimension]:
    """The dimensions of a search, those of group options first.

    config: the checked configuration without a search; given: the keys that the user sets; groups: values of
    `sharing.groups` to try. Raises RequestError for a key of `tune.space` or `tune.fixed` that no run has, and for
    values that cannot be drawn.
    """
    every = list(_defaults(config, groups))
    for name in settings.fixed:
        keys = [d.key for d in every]
        if name not in GROUPS and name not in keys:
            allowed = [*keys, *(group for group in GROUPS if any(key.startswith(f"{group}.") for key in keys))]
            raise RequestError(f"{PREFIX}fixed: found {name}{nearest(name, allowed)}\nallowed: {listing(allowed)}")
    given = [*given]
    known = [d for d in every if not _is_set(d, given) and not _is_fixed(d, settings.fixed)]
    changed = {key: _declared(key, text, config, f"{SPACE}{key}") for key, text in settings.space.items()}
    kept = [d for d in known if d.key not in changed]
    options = {d.key: d.values for d in (*kept, *changed.values())}
    kept = [d for d in kept if d.when is None or d.when[1] in options.get(d.when[0], ())]
    return sorted([*kept, *changed.values()], key=lambda d: d.key not in GROUPS)


def _is_set(dimension: Dimension, given: Sequence[str]) -> bool:
    """Whether the user sets a key: also settings of an option, or the option that a setting belongs to."""
    key, group = dimension.key, dimension.key.partition(".")[0]
    if key in GROUPS:
        return any(name == key or name.startswith(f"{key}.") for name in given)
    return key in given or (dimension.when is not None and group in given)


def _is_fixed(dimension: Dimension, fixed: Sequence[str]) -> bool:
    """Whether `tune.fixed` names a key or its group."""
    return dimension.key in fixed or dimension.key.partition(".")[0] in fixed


def _defaults(config: Config, groups: Sequence[str]) -> Iterator[Dimension]:
    """The dimensions that fit the tasks and the options of the configuration."""
    main = [name for name, task in config.active.items() if task.main]
    if len(config.active) > 1 and not config.boosting:
        for group, text in SEVERAL_TASKS.items():
            values = [v for v in text.split(",") if _fits(group, v, config)]
            if group == "sharing" and groups:
                values.append("groups")
                yield Dimension("sharing.groups", tuple(groups), shape=True, when=("sharing", "groups"))
            own = str(getattr(getattr(config, group), "name", None) or _option(config, group))
            yield _with_default(Dimension(group, tuple(values), shape=group in ("sharing", "graph")), own)
        for key, (text, when) in OF_OPTIONS.items():
            yield dataclasses.replace(_declared(key, text, config, key), when=when, shape=False)
        if 1 < len(main) <= MOST_WEIGHTS:
            for name in main:
                yield dataclasses.replace(
                    _declared(f"loss.weights.{name}", WEIGHTS, config, "loss.weights"), when=FIXED
                )
    for group in SEARCHED_GROUPS:
        own = getattr(config, group)
        for f in dataclasses.fields(own):
            if SEARCH in f.metadata:
                key = f"{group}.{f.name}"
                yield _declared(key, f.metadata[SEARCH], config, key)


def _fits(group: str, option: str, config: Config) -> bool:
    """Whether an option can be tried on any data: no edges where a user has drawn some."""
    return option != "chain" or not config.graph.receives


def _option(config: Config, group: str) -> str:
    return "none" if group == "graph" and not config.graph.receives else "chain"


def _declared(key: str, text: str, config: Config, where: str) -> Dimension:
    """A dimension from its values in the words of a sweep. Raises RequestError."""
    try:
        override = parse(f"{key}={text}")
    except HydraException:
        raise RequestError(f"{where}: found {text}\nallowed: values such as 1,2, or interval(1e-4,1e-1)") from None
    found = _of_override(key, override, where)
    return _with_default(dataclasses.replace(found, shape=_is_shape(key, config)), _current(key, config))


def _of_override(key: str, override: Override, where: str) -> Dimension:
    if override.is_interval_sweep():
        check_range(override)
        low, high, tags = bounds_of(override)
        return Dimension(key, (), low, high, "log" in tags, isinstance(low, int))
    values = tuple(typed_value(parsed(line)) for line in lines_of(override)) if override.is_sweep_override() else ()
    if len(values) < 2:
        raise RequestError(
            f"{where}: found {typed_value(override)}\n"
            f"allowed: at least two values, as in {where}=1,2, or a range, as in {where}=interval(1,2)"
        )
    return Dimension(key, values)


def _with_default(dimension: Dimension, current: str | None) -> Dimension:
    """The dimension with the value that the run has without a search, which is added to its values."""
    if current is None:
        return dimension
    if dimension.values:
        values = dimension.values if current in dimension.values else (current, *dimension.values)
        return dataclasses.replace(dimension, values=values, default=current)
    inside = dimension.low <= float(current) <= dimension.high
    return dataclasses.replace(dimension, default=current if inside else None)


def _current(key: str, config: Config) -> str | None:
    """The value of a key in the configuration as text; None if it has none."""
    value: Any = config
    for part in key.split("."):
        value = value.get(part) if isinstance(value, Mapping) else getattr(value, part, None)
    if value is None or dataclasses.is_dataclass(value) or isinstance(value, Mapping):
        return "1" if key.startswith("loss.weights.") else None
    return str(value).replace(" ", "").replace("'", "")


def _is_shape(key: str, config: Config) -> bool:
    """Whether runs that differ in a key cannot share a stack."""
    group, _, name = key.partition(".")
    if group in ("loss", "lr"):
        return False
    own = getattr(config, group, None)
    fields = dataclasses.fields(own) if dataclasses.is_dataclass(own) else ()
    return not any(f.name == name.partition(".")[0] and f.metadata.get("per_run") for f in fields)
