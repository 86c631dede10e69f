"""The setting that a search has found as an experiment in ./conf, which anybody can run."""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from mtlrun.compose.overrides import OPTION_GROUPS, parse
from mtlrun.storage.files import create
from mtlrun.tune.setting_runs import Base
from mtlrun.tune.tried import Tried
from mtlrun.util.errors import counted
from mtlrun.util.terminal import printable

EXPERIMENTS = Path("conf/experiment")


def write_experiment(base: Base, best: Tried, command: str) -> Path | None:
    """Writes the tuned setting as ./conf/experiment/NAME_tuned.yaml, with a number if that exists. Returns its path.

    command: that of the search. The same file is not written twice. None if the user's words remove keys, which a
    file cannot do.
    """
    lines = [parse(line) for line in base.arguments(best.values)]
    if any(override.is_delete() for override in lines):
        return None
    groups = [o for o in lines if o.key_or_group in OPTION_GROUPS and isinstance(o.value(), str)]
    tree: dict[str, Any] = {}
    for override in lines:
        if override not in groups:
            _put(tree, override.key_or_group.split("."), override.value())
    name = _name(base)
    text = (
        "# @package _global_\n"
        f"# The best setting of a search, {-best.mean:.1f} % ahead of the default on val of "
        f"{counted(len(best.drops), 'split')}: {printable(command)}\n"
        f"# mtlrun experiment={name}\n"
    )
    defaults: list[Any] = [*({f"override /{o.key_or_group}": o.value()} for o in groups), "_self_"]
    text += yaml.safe_dump({"defaults": defaults, **tree}, sort_keys=False, allow_unicode=True)
    return _new_file(name, text)


def _name(base: Base) -> str:
    """`houses_tuned`, after the data option or the file of the table."""
    option = str(base.request.cfg.hydra.runtime.choices.get("data"))
    path = base.config.data.path
    stem = Path(path).stem if option == "table" and path else option
    return f"{re.sub(r'[^A-Za-z0-9_]+', '_', stem).strip('_') or 'data'}_tuned"


def _put(tree: dict[str, Any], keys: Sequence[str], value: Any) -> None:
    for key in keys[:-1]:
        tree = tree.setdefault(key, {})
    tree[keys[-1]] = _plain(value)


def _plain(value: Any) -> Any:
    """A value of Hydra's parser as plain YAML."""
    if isinstance(value, Mapping):
        return {str(key): _plain(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [_plain(inner) for inner in value]
    return value if isinstance(value, (int, float, bool)) or value is None else str(value)


def _new_file(name: str, text: str) -> Path:
    """Writes a file that does not exist, or finds one that holds the same settings."""
    number = 1
    while True:
        called = name if number == 1 else f"{name}_{number}"
        path, own = EXPERIMENTS / f"{called}.yaml", text.replace(f"experiment={name}\n", f"experiment={called}\n")
        try:
            create(path, own)
            return path
        except FileExistsError:
            if path.read_text(encoding="utf-8") == own:
                return path
            number += 1
