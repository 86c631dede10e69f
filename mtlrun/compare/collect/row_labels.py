"""The labels of rows."""

import functools
from collections import Counter
from collections.abc import Sequence

import yaml

from mtlrun.compare.collect.settings import Setting, Words, in_order, text
from mtlrun.config.extensions import yaml_of
from mtlrun.config.schema import GROUPS
from mtlrun.storage.summary import flatten


def label(settings: Sequence[Setting]) -> None:
    """Sets the label of each row: its arm, `alone`, `pre-trained`, `boosting`, or the values that distinguish it."""
    peers = Counter((setting.kind, setting.arm) for setting in settings)
    taken: Counter[str] = Counter()
    for setting in settings:
        setting.label = _label(setting, _telling(setting, settings), peers[setting.kind, setting.arm] > 1)
        taken[setting.label] += 1
        if taken[setting.label] > 1:
            setting.label += f" ({taken[setting.label]})"


def _label(setting: Setting, telling: str, has_peers: bool) -> str:
    """The label of a row. telling: the values that distinguish it from its peers, the rows of its kind and arm."""
    if setting.arm is not None:
        name = setting.arm
    elif setting.multi_task:
        loss = setting.words.get("loss")  # absent if the loss itself was chosen on val
        return telling or (f"loss={loss}" if loss is not None else "tuned")
    else:
        name = setting.kind
    return f"{name} {telling}" if has_peers and telling and telling != name else name


def _telling(setting: Setting, settings: Sequence[Setting]) -> str:
    """The values that distinguish a row from others, except those that follow from an option."""
    keys = [key for key in in_order(setting.values) if not _follows_from_option(key, setting, settings)]
    return " ".join(f"{key}={setting.values[key]}" for key in keys)


def _follows_from_option(key: str, setting: Setting, settings: Sequence[Setting]) -> bool:
    """Whether a value follows from the option of its group, which is in the label.

    It does if all rows with this option have the default value of the option.
    """
    group = key.split(".")[0]
    option = setting.values.get(group)
    if option is None or key == group:
        return False
    default = _defaults(group, option).get(key)
    return all(other.words.get(key) == default for other in settings if other.words.get(group) == option)


@functools.cache
def _defaults(group: str, option: str) -> Words:
    """The settings in the YAML of a group's option; {} if there is no such file."""
    path = yaml_of(group, option)
    if option not in GROUPS.get(group, {}) or path is None:
        return {}
    return {key: text(v) for key, v in flatten({group: yaml.safe_load(path.read_text(encoding="utf-8"))}).items()}
