"""Checks the overrides of the command line before Hydra does, to give better error messages."""

import dataclasses
import re
from typing import Any

from hydra.core.config_loader import ConfigLoader
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override, Quote, QuotedString, Sweep, ValueType
from hydra.errors import HydraException

from mtlrun.compose.hydra_settings import check_hydra_override
from mtlrun.compose.overrides import ARMS, OPTION_GROUPS, SWEEP_KEYS, TRIALS, parse, typed_value
from mtlrun.config.schema import DEFAULT_OPTION, GROUPS, TOP_LEVEL
from mtlrun.config.task_names import no_name_in
from mtlrun.config.values import mapping_like
from mtlrun.util.errors import RequestError, listing, nearest
from mtlrun.util.registry import unusable

# What the user probably means by a value in place of an option, as in lr=0.01.
MEANT = {
    "data": "data=table data.path={value}",
    "model": "model.hidden={value}",
    "graph": "graph.gradient={value}",
    "loss": "loss=fixed loss.weights.TASK={value}",
    "lr": "lr.base={value}",
    "optimizer": "lr.base={value}",
    "trainer": "trainer.epochs={value}",
}


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
        quoted = [QuotedString(option, Quote.single).with_quotes() for option in options]
        return parse(f"{key}=choice({','.join(quoted)})")  # because Hydra expands a glob by its search path
    elif key in OPTION_GROUPS:
        _check_choice(override, loader)
    else:
        _check_key(override)
    return override if override.is_hydra_override() else parse(line.lstrip("+"))


def require_mapping(key: str, value: Any) -> None:
    """Raises RequestError for a list in place of a mapping. Hydra and OmegaConf cannot merge a list into a mapping."""
    example = mapping_like(key)
    if example is not None and isinstance(value, list):
        raise RequestError(f"{key}: found [{', '.join(map(str, value))}]\nallowed: a mapping: {example}")


def _why_not(line: str, reason: str) -> str:
    """Explains to the user why a line is no override."""
    if line.endswith(","):
        return "ends with a comma\nno space after a comma: lr.base=0.001,0.01"
    if "==" in line.split('"')[0].split("'")[0]:
        return "holds ==\nallowed: KEY=VALUE"
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
        return (
            f"a blank in a key\nwrite it in braces: '{parent}={{{key.removeprefix(f'{parent}.')}: {value or 'VALUE'}}}'"
        )
    hint = "a value with spaces or special characters needs another pair of quotes: 'tasks.a.where=\"b == 1\"'"
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
    if override.is_delete() and key in TOP_LEVEL:
        raise RequestError(f"~{key}: cannot be removed\nset it: {key}=VALUE")
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
    known = [*OPTION_GROUPS, *TOP_LEVEL]
    return RequestError(f"{key}: no such key{_meant_key(key, known)}\nallowed: {listing([*known, 'hydra'], 20)}")


def _meant_key(key: str, known: list[str]) -> str:
    """A hint at the key that the user probably means: epochs=3 means trainer.epochs=3. "" if there is none."""
    paths = {
        f.name: f"{group}.{f.name}"
        for group, options in GROUPS.items()
        for cls in options.values()
        for f in dataclasses.fields(cls)
        if f.name != "name"
    }
    if key in paths:
        return f"; did you mean {paths[key]}?"
    top, dot, rest = key.partition(".")
    close = re.search(r"did you mean (\w+)", nearest(top, known) or nearest(top, paths))
    return f"; did you mean {paths.get(close[1], close[1])}{dot}{rest}?" if close else ""


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
        elif group in MEANT and _is_setting(group, value):
            hint = f"; did you mean {MEANT[group].format(value=typed)}?\noptions of {group}: {listing(options, 40)}"
        else:
            close = nearest(str(shown).lower(), options)
            hint = f"{close}\noptions of {group}: {listing(options, 40)}{unusable()}"
        raise RequestError(f"{group}: found {shown}, which is no option of this group{hint}")


def _is_setting(group: str, value: Any) -> bool:
    """Whether a value that is no option of a group looks like a setting of that group."""
    if group == "data":
        return isinstance(value, str) and bool(re.search(r"\.(csv|csv\.gz|parquet|gz)$", value))
    if group == "graph":
        return isinstance(value, (int, float)) or value in ("stop", "pass", "reverse")
    return isinstance(value, (int, float, list)) and not isinstance(value, bool)
