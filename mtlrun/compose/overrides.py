"""The words of the command line, looked at before Hydra sees them, so that the answers are ours."""

import dataclasses
import functools
import re
from collections.abc import Callable
from typing import Any

from hydra.core.config_loader import ConfigLoader
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override, Quote, QuotedString, Sweep, ValueType
from hydra.errors import HydraException

from mtlrun.config.extensions import unusable
from mtlrun.config.schema import DEFAULT_OPTION, GROUPS, TOP_LEVEL
from mtlrun.config.values import mapping_like
from mtlrun.util.errors import RequestError, listing, nearest

OPTION_GROUPS = (*GROUPS, "experiment")
SWEEP_KEYS = ("arms", "trials", "focus")  # they are about a sweep, and no run has them
ARMS = """a list of mappings: 'arms=[{loss: sum},{loss: fixed, loss.weights.price: "0.1,1"}]', or a plan's name"""
TRIALS = "a whole number of at least 1, such as trials=16"

STACK_KEYS = ("over", "options", "processes", "max_runs")  # of hydra.launcher, where that is the stack

# What is probably meant by a value where a group's option belongs: lr=0.01.
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
_PARSER = OverridesParser.create()


@functools.lru_cache(maxsize=100_000)  # the runs of a sweep share their lines
def parse(line: str) -> Override:
    return _PARSER.parse_override(line)


def full_key(override: Override) -> str:
    """The full key without `+`; what is removed keeps its `~`."""
    return f"~{override.key_or_group}" if override.is_delete() else override.key_or_group


def typed_value(override: Override) -> str:
    """The value as it was typed, without quotes around it."""
    value = None if override.is_sweep_override() else override.value()
    return value if isinstance(value, str) else (override.input_line or "").partition("=")[2]


def hydra_line(override: Override) -> str:
    # Our groups are open and merge, so that `+` and `++` change nothing - except that Hydra refuses
    # `+` for a key that is there already.
    line = override.input_line or ""
    return line if override.is_hydra_override() else line.lstrip("+")


def is_choice(override: Override) -> bool:
    """Whether it chooses a group's option (rather than setting values)."""
    return override.key_or_group in OPTION_GROUPS and not override.is_delete() and isinstance(override.value(), str)


def checked_override(line: str, loader: ConfigLoader, stacked: bool = True) -> Override:
    """The override, parsed; RequestError if it cannot mean anything. `stacked`: the launcher is that of stacks."""
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
        _check_hydra_override(override, loader, stacked)
    elif key.partition(".")[0] in SWEEP_KEYS:
        _check_sweep_key(override)
    elif override.value_type == ValueType.GLOB_CHOICE_SWEEP:
        glob: Any = override.value()
        options = glob.filter(loader.get_group_options(key)) if key in OPTION_GROUPS else []
        if not options:
            raise RequestError(
                f"{key}: found {typed_value(override)}, which fits no option\n"
                f"allowed: GROUP=glob(...) with GROUP one of {listing(OPTION_GROUPS)}"
            )
        quoted = [QuotedString(option, Quote.single).with_quotes() for option in options]
        return parse(f"{key}=choice({','.join(quoted)})")  # what Hydra makes of it depends on its search path
    elif key in OPTION_GROUPS:
        _check_choice(override, loader)
    else:
        _check_key(override)
    return override if override.is_hydra_override() else parse(line.lstrip("+"))


def require_mapping(key: str, value: Any) -> None:
    """Raises RequestError for a list where a mapping belongs: to merge the two is what Hydra and OmegaConf cannot."""
    example = mapping_like(key)
    if example is not None and isinstance(value, list):
        raise RequestError(f"{key}: found [{', '.join(map(str, value))}]\nallowed: a mapping: {example}")


def _why_not(line: str, reason: str) -> str:
    """What is wrong with a line that is no override, in words for whoever typed it."""
    if line.endswith(","):
        return "ends with a comma\nno space after a comma: lr.base=0.001,0.01"
    if "==" in line.split('"')[0].split("'")[0]:
        return "holds ==\nallowed: KEY=VALUE"
    if line.startswith("=") or line.endswith("="):
        return "a key or a value is missing\nno spaces around =: KEY=VALUE"
    function = re.search(r"while evaluating '(.*)': (.*)", reason)
    if function is not None:
        return f"{function[2]}\nfunctions: {listing(FUNCTIONS, 20)}; as text: '{function[1]}' in quotes of its own"
    hint = "a value with spaces or special signs needs quotes of its own: 'tasks.a.where=\"b == 1\"'"
    if line.startswith("arms="):
        hint = """a sweep inside an arm needs quotes: 'arms=[{loss: fixed, loss.weights.price: "0.1,1"}]'"""
    if "mismatched input" in reason or "extraneous input" in reason or "no viable" in reason:
        return f"brackets or quotes do not match, or a sign is not allowed there\n{hint}"
    if "token recognition error" in reason:
        return f"{reason.partition('at: ')[2] or 'a sign'} needs quotes\n{hint}"
    return f"{reason[:160]}\n{hint}"


def _check_key(override: Override) -> None:
    key = override.key_or_group
    top = key.partition(".")[0]
    known = [*OPTION_GROUPS, *TOP_LEVEL]
    if key == "tasks" and not override.is_delete() and not isinstance(override.value(), dict):
        allowed = "a mapping, 'tasks={price: {type: regression}}'; to train some of them: only=[price]"
        raise RequestError(f"tasks: found {typed_value(override)}\nallowed: {allowed}")
    if not override.is_delete():
        lists = override.is_discrete_sweep() and not override.is_range_sweep()
        for value in override.sweep_iterator() if lists else [override.value()]:
            require_mapping(key, value)
    if top in GROUPS and top not in DEFAULT_OPTION and key == f"{top}.name":
        word = str(typed_value(override)).strip("'\"")
        raise RequestError(
            f"{key}: belongs to the option, which has settings of its own\nchoose the option: {top}={word}"
        )
    if override.is_delete() and key in TOP_LEVEL:
        raise RequestError(f"~{key}: cannot be removed\nset it: {key}=VALUE")
    if top in known and top != "experiment":
        return
    if top == "experiment" or "/" in key:
        raise RequestError(f"{key}: no such key\nallowed: GROUP=OPTION with GROUP one of {listing(OPTION_GROUPS)}")
    # Whoever types epochs=3 means trainer.epochs.
    paths = {
        f.name: f"{group}.{f.name}"
        for group, options in GROUPS.items()
        for cls in options.values()
        for f in dataclasses.fields(cls)
        if f.name != "name"
    }
    if key in paths:
        hint = f"; did you mean {paths[key]}?"
    else:
        rest = key[len(top) :]
        hint = nearest(top, known) or nearest(top, paths)
        close = re.search(r"did you mean (\w+)", hint)
        if close:
            hint = f"; did you mean {paths.get(close[1], close[1])}{rest}?"
    raise RequestError(f"{key}: no such key{hint}\nallowed: {listing([*known, 'hydra'], 20)}")


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
    """Where a list or mapping holds what Hydra's parser has made of range(...) and the like; None: nowhere."""
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
    """Whether a value that is no option looks like a setting of that group."""
    if group == "data":
        return isinstance(value, str) and bool(re.search(r"\.(csv|csv\.gz|parquet|gz)$", value))
    if group == "graph":
        return isinstance(value, (int, float)) or value in ("stop", "pass", "reverse")
    return isinstance(value, (int, float, list)) and not isinstance(value, bool)


def _check_hydra_override(override: Override, loader: ConfigLoader, stacked: bool) -> None:
    """What is typed about Hydra is the user's own affair, except where mtlrun would not follow it."""
    key = override.key_or_group
    if override.is_sweep_override():
        raise RequestError(f"{key}: found {typed_value(override)}\nHydra's own settings cannot be swept over")
    if key == "hydra/sweeper" and override.value() != "basic":
        raise RequestError(f"hydra/sweeper: found {typed_value(override)}\nallowed: basic")
    if key == "hydra/launcher":
        options = loader.get_group_options("hydra/launcher")
        if override.value() not in options:
            found = typed_value(override)
            raise RequestError(
                f"hydra/launcher: found {found}{nearest(found, options)}\n"
                f"installed: {listing(options)}; joblib: pip install 'mtlrun[joblib]'"
            )
    name = key.removeprefix("hydra.launcher.").partition(".")[0]
    if key.startswith("hydra.launcher.") and stacked and name not in STACK_KEYS:
        raise RequestError(
            f"{key}: hydra/launcher=stack has no such key{nearest(name, STACK_KEYS)}\n"
            f"allowed: hydra.launcher.KEY with KEY one of {listing(STACK_KEYS)}"
        )
    _check_hydra_value(override)
    if key == "hydra.sweep.subdir":
        raise RequestError("hydra.sweep.subdir: run folders are named by mtlrun\nallowed: hydra.sweep.dir=DIR")
    if key.startswith("hydra.searchpath"):
        raise RequestError("hydra.searchpath: not used by mtlrun\nallowed: --config-dir DIR")


def _name(value: Any) -> bool:
    return isinstance(value, (str, int)) and re.fullmatch(r"[\w.-]+", str(value)) is not None


def _loggers(value: Any) -> bool:
    return isinstance(value, (bool, str)) or (isinstance(value, list) and all(isinstance(x, str) for x in value))


_TEXT = (lambda v: isinstance(v, (int, float)) or (isinstance(v, str) and bool(v.strip()) and v != "???"), "a text")
_MAPPING = (lambda v: isinstance(v, dict), "a mapping")
# Of Hydra's settings those that mean something to mtlrun, by their beginning: what a value has to be, and in words.
# Values deeper in them are Hydra's, or Python's logging's, to judge.
HYDRA_KEYS: dict[str, tuple[Callable[[Any], bool], str]] = {
    "hydra.run.dir": _TEXT,
    "hydra.sweep.dir": _TEXT,
    "hydra.mode": (lambda v: v in ("RUN", "MULTIRUN"), "RUN, MULTIRUN"),
    "hydra.verbose": (_loggers, "true, false, a logger's name, a list of them"),
    "hydra.output_subdir": (lambda v: v is None or _name(v), "the name of a folder, null"),
    "hydra.job.chdir": (lambda v: v is None or isinstance(v, bool), "true, false, null"),
    "hydra.job.name": (_name, "letters, digits, _ - ."),
    "hydra.job.env_set": _MAPPING,
    "hydra.job.env_copy": (lambda v: isinstance(v, list), "a list of names"),
    "hydra.job_logging": _MAPPING,
    "hydra.hydra_logging": _MAPPING,
    "hydra.callbacks": _MAPPING,
    "hydra.launcher": (lambda v: False, "keys of a launcher; the launcher itself is hydra/launcher=NAME"),
    "hydra/launcher": (lambda v: isinstance(v, str), "the name of a launcher"),
    "hydra/sweeper": (lambda v: isinstance(v, str), "basic"),
    "hydra/job_logging": (lambda v: isinstance(v, str), "the name of an option"),
    "hydra/hydra_logging": (lambda v: isinstance(v, str), "the name of an option"),
}


def _check_hydra_value(override: Override) -> None:
    """Raises RequestError for a setting of Hydra's that means nothing to mtlrun, or with a value of another kind."""
    key = override.key_or_group
    known = next((known for known in HYDRA_KEYS if key == known or key.startswith(f"{known}.")), None)
    if known is None:
        raise RequestError(
            f"{key}: nothing that mtlrun follows{nearest(key, HYDRA_KEYS)}\nallowed: {listing(HYDRA_KEYS, 20)}"
        )
    sound, words = HYDRA_KEYS[known]
    if known == "hydra.callbacks" and key.count(".") == 2 and not override.is_delete():
        value = override.value()
        if not isinstance(value, dict) or "_target_" not in map(str, value):
            raise RequestError(f"{key}: found {typed_value(override)}\nallowed: {{_target_: CLASS, ...}}")
    if key == known and not override.is_delete() and not sound(override.value()):
        raise RequestError(f"{key}: found {typed_value(override)}\nallowed: {words}")
