"""Checks YAML files from outside mtlrun, before Hydra uses them. Some keys of Hydra execute code; they are refused."""

import os
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import yaml
from hydra.core.config_loader import ConfigLoader
from hydra.core.config_search_path import ConfigSearchPath
from hydra.core.default_element import ResultDefault
from hydra.plugins.config_source import ConfigSource
from hydra.plugins.search_path_plugin import SearchPathPlugin
from omegaconf import OmegaConf

from mtlrun.compose.overrides import OPTION_GROUPS
from mtlrun.config.schema import GROUPS, TOP_LEVEL
from mtlrun.util.errors import RequestError, listing, nearest

ROOT = "config"  # conf/config.yaml
MOST_VALUES = 100_000  # values in a YAML with references
MOST_BYTES = 2_000_000  # of a YAML file; enough for 100,000 names of columns
MOST_CHARACTERS = 20_000  # of one value; OmegaConf needs seconds for a million
OUTSIDE = "outside"  # the name ("provider") that folders from outside have in Hydra


folders: list[str] = []  # a global, because Hydra creates `OutsideFolders` without arguments


class OutsideFolders(SearchPathPlugin):
    """Appends the folders of installed packages, ./conf and that of --config-dir to Hydra's search path."""

    def manipulate_search_path(self, search_path: ConfigSearchPath) -> None:
        for folder in folders:
            search_path.append(provider=OUTSIDE, path=f"file://{folder}")


def search(found: Iterable[str]) -> None:
    """Makes Hydra search these folders too.

    Raises RequestError if a folder would replace Hydra's own configuration, or if `_require_small` refuses a file.
    """
    folders[:] = dict.fromkeys(found)
    for folder in folders:
        file = Path(folder, "hydra", "config.yaml")
        if file.exists():
            raise RequestError(
                f"{os.path.relpath(file)}: refused, as hydra is no group of mtlrun\nallowed: {listing(OPTION_GROUPS)}"
            )
        for group in OPTION_GROUPS:
            for file in sorted(Path(folder, group).glob("*.yaml")):
                if file.is_file():
                    _require_small(file)


def _require_small(file: Path) -> None:
    """Raises RequestError for a YAML that takes long to compose: a large file, a long value, many values.

    With references (*x to &x), a few lines can stand for any number of values, and composing copies each of them.
    """
    try:
        size = file.stat().st_size
        if size > MOST_BYTES:
            raise RequestError(
                f"{os.path.relpath(file)}: {size:,} bytes\n"
                f'allowed: at most {MOST_BYTES:,}; a pattern names many columns: inputs: ["x*"]'
            )
        text = file.read_text(encoding="utf-8")
        if size > MOST_CHARACTERS:
            _require_short_values(file, text)
        if "&" not in text or "*" not in text:
            return
        count = _values(yaml.compose(text, getattr(yaml, "CSafeLoader", yaml.SafeLoader)), {})
    except UnicodeDecodeError:
        raise RequestError(f"{os.path.relpath(file)}: is not UTF-8\nconvert it") from None
    except (OSError, ValueError, yaml.YAMLError):
        return  # the error is reported when the file is used
    except RecursionError:
        count = MOST_VALUES + 1
    if count > MOST_VALUES:
        raise RequestError(
            f"{os.path.relpath(file)}: its references stand for more than {MOST_VALUES:,} values\nwrite them out"
        )


def _require_short_values(file: Path, text: str) -> None:
    """Raises RequestError if a value of a YAML has more than `MOST_CHARACTERS`."""
    for token in yaml.scan(text, getattr(yaml, "CSafeLoader", yaml.SafeLoader)):
        if isinstance(token, yaml.ScalarToken) and len(token.value) > MOST_CHARACTERS:
            raise RequestError(
                f"{os.path.relpath(file)}, line {token.start_mark.line + 1}: "
                f"a value of {len(token.value):,} characters\nallowed: at most {MOST_CHARACTERS:,}"
            )


def _values(node: Any, counted: dict[int, int]) -> int:
    """The number of values that a node of YAML stands for; above `MOST_VALUES` if the node contains itself."""
    if id(node) not in counted:
        counted[id(node)] = MOST_VALUES + 1  # if this is read before it is replaced, the node contains itself
        inner = [] if isinstance(node, yaml.ScalarNode) or node is None else node.value
        parts = [part for entry in inner for part in (entry if isinstance(entry, tuple) else (entry,))]
        counted[id(node)] = 1 + sum(_values(part, counted) for part in parts)
    return counted[id(node)]


def check_files(loader: ConfigLoader, defaults: Iterable[ResultDefault]) -> list[str]:
    """Checks every file of a composition before Hydra uses it. `defaults`: the defaults list of the composition.

    Raises RequestError if a file from outside sets a key that it may not set, because some keys of Hydra execute code.
    Returns a line for each file from outside that is not used, because a file earlier in the search has the same name.
    """
    if not folders:
        return []
    notes = []
    for default in defaults:
        path = default.config_path or ""
        found = [source for source in loader.get_sources() if path and source.is_config(path)]
        if found and found[0].provider == OUTSIDE:
            content = OmegaConf.to_container(found[0].load_config(path).config, resolve=False)
            _check_file(_shown(found[0], path), path, default.package or "", content)
        for other in (source for source in found[1:] if source.provider == OUTSIDE):
            owner = str(Path(_shown(found[0], path)).parents[1]) if found[0].provider == OUTSIDE else "mtlrun"
            notes.append(f"{_shown(other, path)} is not used: {owner} has an option of that name; give yours another")
    return notes


def _shown(source: ConfigSource, path: str) -> str:
    return os.path.relpath(Path(source.path.removeprefix("file://"), f"{path}.yaml"))


def _check_file(file: str, path: str, package: str, content: Any) -> None:
    group = path.partition("/")[0]
    if "/" not in path or group not in OPTION_GROUPS:
        raise RequestError(f"{file}: refused, as {group} is no group of mtlrun\nallowed: {listing(OPTION_GROUPS)}")
    if not isinstance(content, Mapping):
        raise RequestError(f"{file}: holds no mapping\nallowed: KEY: VALUE lines")
    if package not in ("", "_global_", group) or (group == "experiment" and package == group):
        need = "the first line must be # @package _global_" if group == "experiment" else f"allowed: _global_, {group}"
        raise RequestError(f"{file}: its settings would go to {package}\n{need}")
    check_references(file, "", content)
    _check_defaults(file, group, content.get("defaults") or [])
    if package == group:
        return
    allowed = [*GROUPS, *TOP_LEVEL, "hydra"] if group == "experiment" else [group, "tasks"]
    for key in content:
        if key not in (*allowed, "defaults"):
            why = "a YAML from outside may set its own group and tasks" if group != "experiment" else "no such key"
            raise RequestError(f"{file}: {key}: {why}{nearest(str(key), allowed)}\nallowed: {listing(allowed, 20)}")
    if "hydra" in content:
        _check_hydra_node(file, content["hydra"])


def _check_hydra_node(file: str, node: Any) -> None:
    if not isinstance(node, Mapping):
        raise RequestError(f"{file}: hydra: found {node!r}\nallowed: hydra.mode and hydra.sweeper.params")
    for key, value in node.items():
        inner = value if key == "sweeper" and isinstance(value, Mapping) else None
        wrong = [k for k in inner if k != "params"] if inner is not None else []
        if (key != "mode" and inner is None) or wrong:
            full = ".".join(["hydra", str(key), *map(str, wrong[:1])])
            raise RequestError(
                f"{file}: {full} is refused: a YAML from outside may not change how Hydra runs\n"
                "allowed: hydra.mode, hydra.sweeper.params; anything on the command line"
            )
    params = node.get("sweeper", {}).get("params") if "sweeper" in node else None
    if params is not None and not isinstance(params, Mapping):
        raise RequestError(f"{file}: hydra.sweeper.params: found {params!r}\nallowed: {{KEY: 'a,b'}}")
    for key in params or {}:
        if re.match(r"\W*hydra\b", str(key)):
            raise RequestError(f"{file}: hydra.sweeper.params: {key} is refused\nallowed: keys of mtlrun")


def _check_defaults(file: str, group: str, defaults: Any) -> None:
    """Raises RequestError for a default that a file from outside may not have.

    Allowed are names of files in the same group, and in an experiment `override /GROUP: OPTION` for groups of mtlrun.
    """
    for entry in defaults if isinstance(defaults, list) else [defaults]:
        if isinstance(entry, str) and re.fullmatch(r"[\w.-]+", entry):
            continue
        match = None
        if isinstance(entry, Mapping) and len(entry) == 1:
            key, option = next(iter(entry.items()))
            match = re.fullmatch(r"override /(\w+)", str(key)) if isinstance(option, str) else None
        if group != "experiment" or match is None or match[1] not in GROUPS:
            also = " and 'override /GROUP: OPTION' of mtlrun's groups" if group == "experiment" else ""
            text = entry if isinstance(entry, str) else str(entry).strip("{}").replace("'", "")
            raise RequestError(f"{file}: defaults: {text} is refused\nallowed: _self_, names of files beside it{also}")


def check_references(file: str, key: str, value: Any) -> None:
    """Raises RequestError for resolvers such as ${oc.env:X}. Allows references such as ${seed}."""
    if isinstance(value, Mapping):
        for name, inner in value.items():
            check_references(file, f"{key}.{name}".lstrip("."), inner)
    elif isinstance(value, list):
        for number, inner in enumerate(value):
            check_references(file, f"{key}[{number}]", inner)
    elif isinstance(value, str):
        # after an odd number of backslashes, ${ is plain text, such as in the name of a column
        rest, before = re.sub(r"(?<!\\)(?:\\\\)*\\\$\{", "", value), ""
        while rest != before:  # from the inside out: ${a.${b}}
            before, rest = rest, re.sub(r"\$\{[\w.\[\]-]*\}", "", rest)
        if "${" in rest:
            raise RequestError(f"{file}: {key}: found {value}\nallowed: references to keys, such as ${{seed}}")
