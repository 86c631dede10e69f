"""Checks the overrides of the command line before Hydra does, to give better error messages."""

import dataclasses
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from hydra.core.config_loader import ConfigLoader
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override, Quote, QuotedString, Sweep, ValueType
from hydra.errors import HydraException

from mtlrun.compose.decimal_point import require_points
from mtlrun.compose.hydra_settings import STACK_KEYS, check_hydra_override
from mtlrun.compose.overrides import ARMS, OPTION_GROUPS, SWEEP_KEYS, TRIALS, full_key, parse, typed_value
from mtlrun.config.data_options import option_of
from mtlrun.config.decimal_comma import INSIDE
from mtlrun.config.extensions import SUFFIXES
from mtlrun.config.schema import DEFAULT_OPTION, GROUPS, TOP_LEVEL, TaskConfig
from mtlrun.config.task_names import no_name_in, task_name
from mtlrun.config.values import mapping_like
from mtlrun.util.errors import RequestError, listing, nearest
from mtlrun.util.registry import unusable
from mtlrun.util.shell import quoted

# What the user probably means by a value in place of an option, as in lr=0.01.
MEANT = {
    "data": "data=table {path}",
    "model": "model.hidden={value}",
    "graph": "graph.gradient={value}",
    "loss": "loss=fixed loss.weights.TASK={value}",
    "lr": "lr.base={value}",
    "optimizer": "lr.base={value}",
    "trainer": "trainer.epochs={value}",
}


OPEN = ("loss.weights.", "lr.heads.", "graph.receives.", "graph.constants.")  # keys below them may be removed
QUOTES = "a value with spaces or special characters needs another pair of quotes: 'tasks.a.where=\"b == 1\"'"
POINT = "a number has a decimal point, not a comma: {train: 0.7, val: 0.15, test: 0.15}"

PATHS = re.compile(r"\+*(data\.path|data\.split\.files\.\w+|model\.init_from|hydra\.(run|sweep)\.dir)")

# Usual names of other programs for our keys.
OTHER_WORDS = {"learning_rate": "lr.base", "steps": "trainer.max_steps", "layers": "model.hidden"}

FUNCTIONS = (
    "range",
    "choice",
    "interval",
    "tag",
    "glob",
    "sort",
    "shuffle",
    "int",
    "float",
    "str",
    "bool",
    "json_str",
    "extend_list",
)


def checked_override(line: str, loader: ConfigLoader, stacked: bool = True) -> Override:
    """Parses and checks an override. Raises RequestError if it is wrong. `stacked`: the launcher is `stack`."""
    try:
        override = OverridesParser.create(loader).parse_override(line)
    except (HydraException, ValueError, RecursionError) as error:  # ValueError: a number of thousands of digits
        reason = next(iter(str(error).splitlines()), "").removeprefix("Error parsing override ")
        if "=" not in line and not line.startswith("~"):
            raise RequestError(f"{line}: no override\nallowed: KEY=VALUE; a sub-command is the first word") from error
        raise RequestError(f"{line}: {_why_not(line, reason)}") from error
    key = override.key_or_group
    if override.package is not None or "@" in line.partition("=")[0]:
        raise RequestError(f"{line}: @ is not allowed in a key\nallowed: GROUP=OPTION or KEY=VALUE")
    if override.is_hydra_override():
        if override.is_sweep_override():
            raise RequestError(
                f"{key}: found {typed_value(override)}\n"
                f"Hydra's own settings cannot be swept over{name_with_comma(override)}"
            )
        check_hydra_override(override, loader, stacked)
    elif key.partition(".")[0] in SWEEP_KEYS:
        _check_sweep_key(override)
    elif override.value_type == ValueType.GLOB_CHOICE_SWEEP:
        glob: Any = override.value()
        options = glob.filter(loader.get_group_options(key)) if key in OPTION_GROUPS else []
        if not options:
            raise RequestError(
                f"{key}: found {typed_value(override)}, which matches no option\n"
                f"allowed: GROUP=glob(...) with GROUP one of {listing(OPTION_GROUPS)}"
            )
        names = [QuotedString(option, Quote.single).with_quotes() for option in options]
        return parse(f"{key}=choice({','.join(names)})")  # Hydra's own glob would use its search path
    elif key in OPTION_GROUPS:
        _check_choice(override, loader)
    else:
        _check_key(override)
        require_points(override)
    return override if override.is_hydra_override() else parse(line.lstrip("+"))


def require_each_once(overrides: Sequence[Override]) -> None:
    """Raises RequestError for a key to which a command line gives two values, as only the last one would count."""
    first: dict[str, Override] = {}
    for override in overrides:
        key = override.key_or_group
        other = first.setdefault(full_key(override), override)
        if other.input_line == override.input_line:
            continue
        sweep = ""
        if not any(o.is_hydra_override() or o.is_sweep_override() or "{" in typed_value(o) for o in (other, override)):
            both = quoted(f"{key}={typed_value(other)},{typed_value(override)}")
            sweep = f", or train both: mtlrun -m {both}"
        raise RequestError(f"{key}: given twice, {other.input_line} and {override.input_line}\nleave one out{sweep}")


def require_mapping(key: str, value: Any) -> None:
    """Raises RequestError for a list in place of a mapping. Hydra and OmegaConf cannot merge a list into a mapping."""
    example = mapping_like(key)
    if example is not None and isinstance(value, list):
        raise RequestError(f"{key}: found [{', '.join(map(str, value))}]\nallowed: a mapping: {example}")


def name_with_comma(override: Override) -> str:
    """A hint that a path with a comma needs quotes; "" for other keys."""
    line = override.input_line or ""
    typed = _in_quotes(line) if PATHS.fullmatch(line.partition("=")[0]) else None
    return f"; a name with a comma needs quotes: {typed}" if typed is not None else ""


def _in_quotes(line: str) -> str | None:
    """The line with its value in quotes, as typed in a shell; None if quotes do not mend it."""
    key, _, value = line.partition("=")
    if not value.strip() or value.startswith("=") or (value.lstrip()[0] in "[{('\"" and not PATHS.fullmatch(key)):
        return None
    typed = f"{key}={QuotedString(value, Quote.double).with_quotes()}"
    try:
        return quoted(typed) if parse(typed).value() == value else None
    except HydraException:
        return None


def _why_not(line: str, reason: str) -> str:
    """Explains to the user why a line is no override."""
    if line.endswith(","):
        return "ends with a comma\nno space after a comma: lr.base=0.001,0.01"
    if line.startswith("=") or line.endswith("="):
        return "a key or a value is missing\nno spaces around =: KEY=VALUE"
    function = re.search(r"while evaluating '(.*)': (.*)", reason)
    if function is not None:
        return f"{function[2]}\nfunctions: {listing(FUNCTIONS, 20)}; text '{function[1]}' needs another pair of quotes"
    key, _, value = line.partition("=")
    if (named := no_name_in(key, value)) is not None:
        return named
    if " " in key.strip():
        parent = key[: key.index(" ")].rpartition(".")[0]
        name = key.removeprefix(f"{parent}.")
        if f"{parent}." in OPEN:
            named = f"{parent}.{task_name(name)}={value or 'VALUE'}"
            return f"a blank in a key\nname the task, not its column; init has named it so: {named}"
        inside = f"{name}: {value or 'VALUE'}"
        return f"a blank in a key\nwrite it in braces: '{parent}={{{inside}}}'"
    typed = _in_quotes(line)
    hint = f"in quotes: {typed}" if typed is not None else POINT if INSIDE.search(value) else QUOTES
    if "==" in line.split('"')[0].split("'")[0]:
        return f"holds ==\nallowed: KEY=VALUE; {hint}"
    if line.startswith("arms="):
        hint = """a sweep inside an arm needs quotes: 'arms=[{loss: fixed, loss.weights.price: "0.1,1"}]'"""
    if "mismatched input" in reason or "extraneous input" in reason or "no viable" in reason:
        return f"brackets or quotes do not match, or a character is not allowed there\n{hint}"
    if "token recognition error" in reason:
        return f"{reason.partition('at: ')[2] or 'a sign'} needs quotes\n{hint}"
    return f"{reason[:160]}\n{hint}"


def _check_key(override: Override) -> None:
    key = override.key_or_group
    top = key.partition(".")[0]
    if not override.is_delete():
        _check_mappings(override)
    if top in GROUPS and top not in DEFAULT_OPTION and key == f"{top}.name":
        word = str(typed_value(override)).strip("'\"")
        raise RequestError(f"{key}: the option sets it\nchoose the option: {top}={word}")
    if override.is_delete() and (key in TOP_LEVEL or (top in GROUPS and not key.startswith(OPEN))):
        raise RequestError(f"~{key}: a setting cannot be removed\nset it: {key}=VALUE")
    if top == "experiment" or top not in (*GROUPS, *TOP_LEVEL):
        raise _unknown(key)


def _check_mappings(override: Override) -> None:
    """Raises RequestError for another value in place of a mapping."""
    key = override.key_or_group
    if key == "tasks" and not isinstance(override.value(), dict):
        allowed = "a mapping, 'tasks={price: {type: regression}}'; to train some of them: only=[price]"
        raise RequestError(f"tasks: found {typed_value(override)}\nallowed: {allowed}")
    lists = override.is_discrete_sweep() and not override.is_range_sweep()
    for value in override.sweep_iterator() if lists else [override.value()]:
        require_mapping(key, value)


def _unknown(key: str) -> RequestError:
    """The error for a key that is neither in a group nor at the top level."""
    if key.partition(".")[0] == "experiment" or "/" in key:
        return RequestError(f"{key}: no such key\nallowed: GROUP=OPTION with GROUP one of {listing(OPTION_GROUPS)}")
    if key.startswith("tune."):
        return RequestError(f"{key}: no key of a run\nallowed: with the command of a search, mtlrun tune")
    known = [*OPTION_GROUPS, *TOP_LEVEL]
    return RequestError(f"{key}: no such key{_meant_key(key, known)}\nallowed: {listing([*known, 'hydra'], 20)}")


def _meant_key(key: str, known: list[str]) -> str:
    """A hint at the key that the user probably means: epochs=3 means trainer.epochs=3. "" if there is none."""
    paths = {name: f"hydra.launcher.{name}" for name in STACK_KEYS}
    paths |= {f.name: f"tasks.TASK.{f.name}" for f in dataclasses.fields(TaskConfig)}
    for lacking in (True, False):  # of keys of the same name, those that the default options have
        for group in reversed(GROUPS):
            paths |= {name: f"{group}.{name}" for name in _having(group) if bool(_only_with(group, name)) == lacking}
    paths |= OTHER_WORDS
    top, dot, rest = key.partition(".")
    meant = paths.get(top)
    if meant is None:
        close = re.search(r"did you mean (\w+)", nearest(top, known) or nearest(top, paths))
        meant = (close[1] if close[1] in known else paths[close[1]]) if close else None
    group, _, name = (meant or "").partition(".")
    return f"; did you mean {meant}{dot}{rest}{_only_with(group, name)}?" if meant else ""


def _having(group: str) -> dict[str, list[str]]:
    """The keys of a group, each with the options that have it."""
    having: dict[str, list[str]] = {}
    for option, settings in GROUPS[group].items():
        for f in dataclasses.fields(settings):
            if f.name != "name":
                having.setdefault(f.name, []).append(option)
    return having


def _only_with(group: str, name: str) -> str:
    """The options of a group that have a key which the default option lacks, in words; "" if it has the key."""
    options = _having(group).get(name, []) if group in GROUPS else []
    lacking = options and next(iter(GROUPS[group])) not in options
    return f", with {group}={' or '.join(options)}" if lacking else ""


def _check_sweep_key(override: Override) -> None:
    key = override.key_or_group
    allowed = {"arms": ARMS, "trials": TRIALS, "focus": "a main task, such as focus=price"}
    if key not in SWEEP_KEYS:
        top = key.partition(".")[0]
        raise RequestError(f"{key}: no such key\nset {top} as a whole: {allowed[top]}")
    if override.is_delete():
        raise RequestError(f"~{key}: cannot be removed\nwithout {key}: {key}=null")
    if override.is_sweep_override():
        itself = "" if key == "focus" else " itself"
        raise RequestError(f"{key}: found {typed_value(override)}, which is a sweep{itself}\nallowed: {allowed[key]}")
    inner = _sweep_inside(override.value(), key)
    if inner is not None:
        raise RequestError(f'{inner}: found a sweep without quotes\nput it in quotes: {{seed: "range(3)"}}')


def _sweep_inside(value: Any, key: str) -> str | None:
    """The key at which a value contains a sweep, such as range(3); None if it contains none."""
    if isinstance(value, Sweep):
        return key
    items: list[tuple[str, Any]] = []
    if isinstance(value, list):
        items = [(f"{key}[{number}]", inner) for number, inner in enumerate(value)]
    if isinstance(value, dict):
        items = [(f"{key}.{name}", inner) for name, inner in value.items()]
    return next((found for name, inner in items if (found := _sweep_inside(inner, name)) is not None), None)


def _check_choice(override: Override, loader: ConfigLoader) -> None:
    group = override.key_or_group
    options = loader.get_group_options(group)
    if override.is_delete():
        raise RequestError(f"~{group}: a group cannot be left out\nallowed: {group}={listing(options)}")
    if override.is_sweep_override() and (not override.is_discrete_sweep() or override.is_range_sweep()):
        raise RequestError(f"{group}: found {typed_value(override)}\nallowed: {listing(options)}")
    values = list(override.sweep_iterator()) if override.is_sweep_override() else [override.value()]
    for value in values:
        if isinstance(value, dict) or (isinstance(value, str) and str(value) in options):
            continue
        typed = typed_value(override)
        shown = value if isinstance(value, str) else typed
        if isinstance(value, list) and group != "model":
            hint = f"\nto sweep over options: mtlrun -m {group}={typed.strip('[]')}"
        elif group == "data" and (own := option_of(str(shown))) in options:
            hint = f"; did you mean data={own}?\noptions of data: {listing(options, 40)}"
        elif group in MEANT and _is_setting(group, value):
            meant = MEANT[group].format(
                value=f"[{typed}]" if group == "model" and not isinstance(value, list) else typed,
                path=quoted(f"data.path={typed}"),
            )
            hint = f"; did you mean {meant}?\noptions of {group}: {listing(options, 40)}"
        else:
            close = nearest(str(shown).lower(), options)
            mend = f"; {_table_to_describe(str(shown))}" if group == "data" and not close else ""
            hint = f"{close}\noptions of {group}: {listing(options, 40)}{mend}{unusable()}"
        raise RequestError(f"{group}: found {shown}, which is no option of this group{hint}")


def _table_to_describe(name: str) -> str:
    """The `mtlrun init` command for a table called `name`.csv or similar, if the working directory holds one."""
    file = next((name + suffix for suffix in SUFFIXES if Path(name + suffix).is_file()), "FILE")
    return f"for a table of your own: {quoted('mtlrun', 'init', file)} --targets a,b"


def _is_setting(group: str, value: Any) -> bool:
    """Whether a value that is no option of a group looks like a setting of that group."""
    if group == "data":
        return isinstance(value, str) and bool(re.search(r"\.(csv|csv\.gz|parquet|gz)$", value))
    if group == "graph":
        return isinstance(value, (int, float)) or value in ("stop", "pass", "reverse")
    return isinstance(value, (int, float, list)) and not isinstance(value, bool)
