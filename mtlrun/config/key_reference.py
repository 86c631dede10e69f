"""Every key of the configuration with its default, the values that it allows, and its meaning.

The schema gives types and bounds, the YAML of an option its defaults. The meaning of a key is the comment behind it in
conf/, or a line `#   key: meaning` there. A class whose keys stand in no YAML has such lines in its docstring.
"""

import dataclasses
import inspect
import re
import typing
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from itertools import groupby, takewhile
from types import MappingProxyType, UnionType
from typing import Any

import yaml

from mtlrun.config.schema import GROUPS, ColumnConfig, Config, NumberConfig, SmoothConfig, TaskConfig, conf_dir
from mtlrun.config.values import described, limits

FILES = {"data": ["table"], "trainer": ["default"]}  # where the options of the schema are not the names of the YAMLs


@dataclass(frozen=True)
class Setting:
    """A key of one option. `option` is "" where there are no options.

    default: as in YAML; "" means that the key must be set.
    allowed: words as in YAML, and kinds of values with their bounds; none where only `meaning` says it.
    """

    key: str
    option: str
    default: str
    allowed: tuple[str, ...]
    meaning: str


@dataclass(frozen=True)
class Entry:
    """What one or several options say alike of a key.

    options: their names; empty if all options of the group say it, or if there are none
    defaults: default -> the options that have it
    """

    options: tuple[str, ...]
    defaults: dict[str, list[str]]
    allowed: tuple[str, ...]
    meaning: str


@dataclass(frozen=True)
class OptionFile:
    """A YAML of conf/. Keys have dots: `split.train`.

    about: the comment at its top, without commands.
    listed: the meanings of keys that only lines `#   key: meaning` name.
    """

    about: str = ""
    defaults: dict[str, Any] = field(default_factory=dict)
    meanings: dict[str, str] = field(default_factory=dict)
    listed: dict[str, str] = field(default_factory=dict)


def entries(settings: Iterable[Setting], options: Collection[str] = ()) -> dict[str, list[Entry]]:
    """The entries of each key. options: all options of the group."""
    alike: dict[str, dict[tuple[str, tuple[str, ...]], list[Setting]]] = {}
    for each in settings:
        alike.setdefault(each.key, {}).setdefault((each.meaning, each.allowed), []).append(each)
    return {key: [_entry(same, options) for same in meanings.values()] for key, meanings in alike.items()}


def _entry(same: Sequence[Setting], options: Collection[str]) -> Entry:
    names = tuple(each.option for each in same if each.option)
    defaults: dict[str, list[str]] = {}
    for each in same:
        defaults.setdefault(each.default, []).append(each.option)
    return Entry(() if set(names) == set(options) else names, defaults, same[0].allowed, same[0].meaning)


@cache
def every_entry() -> dict[str, list[Entry]]:
    """The entries of every key of a configuration."""
    groups = {group: entries(group_settings(group), option_names(group)) for group in GROUPS}
    found = entries([*top_settings(), *task_settings(), *column_settings()])
    return found | {key: own for group in groups.values() for key, own in group.items()}


def option_names(group: str) -> list[str]:
    """The options of a group that mtlrun itself has."""
    return FILES.get(group) or [name for name in GROUPS[group] if (conf_dir() / group / f"{name}.yaml").is_file()]


def group_settings(group: str) -> list[Setting]:
    """The settings of every option of a group."""
    return [setting for name in option_names(group) for setting in _option_settings(group, name)]


def task_settings() -> list[Setting]:
    """The settings of a task."""
    file = OptionFile(meanings=option_file("data", "table").listed)
    return [*settings_of(TaskConfig, "tasks.TASK", file), *settings_of(SmoothConfig, "tasks.TASK.smooth")]


def column_settings() -> list[Setting]:
    """The settings that say how the cells of a column are read."""
    return [*settings_of(ColumnConfig, "data.columns.COLUMN"), *settings_of(NumberConfig, "data.columns.COLUMN.number")]


def top_settings() -> list[Setting]:
    """The settings that belong to no group."""
    file = parsed((conf_dir() / "config.yaml").read_text(encoding="utf-8"))
    hints = typing.get_type_hints(Config)
    keys = [key for key in file.defaults if "." not in key and key not in ("defaults", "hydra")]
    return [
        Setting(key, "", written(file.defaults[key]), allowed(hints.get(key, Any)), file.meanings.get(key, ""))
        for key in keys
    ]


def settings_of(cls: type, prefix: str, file: OptionFile | None = None, option: str = "") -> list[Setting]:
    """The settings of a dataclass, with keys that begin with `prefix`. Fields that are dataclasses give their own keys.

    file: defaults and meanings that come before those of the class.
    """
    return list(_settings(cls, prefix, "", file or OptionFile(), option))


def _option_settings(group: str, name: str) -> list[Setting]:
    cls = GROUPS[group].get(name) or next(iter(GROUPS[group].values()))
    return settings_of(cls, group, option_file(group, name), name)


def _settings(cls: type, prefix: str, path: str, file: OptionFile, option: str) -> Iterator[Setting]:
    hints, documented = typing.get_type_hints(cls), _documented(cls)
    for each in dataclasses.fields(cls):
        key = f"{path}{each.name}"
        if key == "name" or each.name.startswith("_"):  # the option's name, and what Hydra needs
            continue
        if dataclasses.is_dataclass(hints[each.name]):
            yield from _settings(typing.cast(type, hints[each.name]), prefix, f"{key}.", file, option)
            continue
        default = written(file.defaults[key]) if key in file.defaults else _default(each)
        meaning = file.meanings.get(key) or documented.get(each.name, "")
        yield Setting(f"{prefix}.{key}", option, default, allowed(hints[each.name], each.metadata), meaning)


def _default(each: "dataclasses.Field[Any]") -> str:
    """The default of a field as YAML; "" if it has none."""
    if each.default_factory is not dataclasses.MISSING:
        return written(each.default_factory())
    return "" if each.default is dataclasses.MISSING else written(each.default)


def allowed(hint: Any, metadata: Mapping[str, Any] = MappingProxyType({})) -> tuple[str, ...]:
    """What a field allows: words as in YAML, kinds of values such as "a number above 0"; empty for any value."""
    if "one_of" in metadata:
        return (*metadata["one_of"](), "null")
    if hint is Any:
        return ()
    if hint is type(None):
        return ("null",)
    if typing.get_origin(hint) is typing.Literal:
        return tuple(written(word) for word in typing.get_args(hint))
    if typing.get_origin(hint) in (typing.Union, UnionType):
        return tuple(words for part in typing.get_args(hint) for words in allowed(part, metadata))
    bounds = limits(metadata)
    return (re.sub(r"\bnumbers?\b", rf"\g<0> {bounds}" if bounds else r"\g<0>", described(hint, "")),)


def written(value: Any) -> str:
    """A value as YAML writes it on one line."""
    text: str = yaml.safe_dump(value, default_flow_style=True, width=1000, allow_unicode=True)
    return text.removesuffix("\n").removesuffix("\n...")


# ---------------------------------------------------------------- reading what stands beside a key


@cache
def option_file(group: str, name: str) -> OptionFile:
    """The YAML of an option of mtlrun."""
    file = parsed((conf_dir() / group / f"{name}.yaml").read_text(encoding="utf-8"))
    if group != "data":
        return file
    inside = {key.removeprefix("data."): value for key, value in file.defaults.items() if key.startswith("data.")}
    comments = {key.removeprefix("data."): text for key, text in file.meanings.items()}
    return OptionFile(file.about, inside, comments, file.listed)


def parsed(text: str) -> OptionFile:
    """The YAML of an option, with its comments."""
    found = OptionFile(about(text), listed=dict(re.findall(r"^#   (\w+): (.+)$", text, re.M)))
    node = yaml.compose(text, yaml.SafeLoader)
    if isinstance(node, yaml.MappingNode):
        _read(node, yaml.safe_load(text), "", text.splitlines(), found)
    return found


def about(text: str) -> str:
    """What an option is for: the comment at the top of its YAML, without the commands and what follows them."""
    head = (line.lstrip("# ").strip() for line in takewhile(lambda line: line.startswith("#"), text.splitlines()))
    groups = groupby((line for line in head if line and line[0] != "@"), key=lambda line: line.startswith("mtlrun "))
    return next((" ".join(lines) for is_command, lines in groups if not is_command), "")


def _read(node: yaml.MappingNode, values: Mapping[Any, Any], path: str, lines: list[str], found: OptionFile) -> None:
    for key, value in node.value:
        name = f"{path}{key.value}"
        found.defaults[name] = values[key.value]
        end = value.end_mark if value.end_mark.line == key.end_mark.line else key.end_mark
        _, mark, comment = lines[key.end_mark.line][end.column :].partition("# ")
        if mark:
            found.meanings[name] = comment.strip().rstrip(":")
        if isinstance(value, yaml.MappingNode) and value.value:
            _read(value, values[key.value], f"{name}.", lines, found)


def _documented(cls: type) -> dict[str, str]:
    """The meanings that the docstring of a class and of its bases give: lines `key: meaning`, continued if indented."""
    found: dict[str, str] = {}
    for base in reversed(cls.__mro__):
        text = re.sub(r"\n {2,}(?=\S)", " ", inspect.cleandoc(base.__doc__ or ""))
        found |= dict(re.findall(r"^(\w+): (.+)$", text, re.M))
    return found
