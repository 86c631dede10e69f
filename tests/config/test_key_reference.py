"""The reference: every key of the schema with its default, what it allows, and a meaning."""

import dataclasses
import re

import pytest

from mtlrun.config import key_reference
from mtlrun.config.schema import GROUPS, ColumnConfig, Config, NumberConfig, SmoothConfig, TaskConfig
from mtlrun.hydra_plugin.launcher import StackLauncherConf

GROUP = {f"{group}={name}": (group, name) for group in GROUPS for name in key_reference.option_names(group)}
PARTS = {
    "tasks.TASK": TaskConfig,
    "tasks.TASK.smooth": SmoothConfig,
    "data.columns.COLUMN": ColumnConfig,
    "data.columns.COLUMN.number": NumberConfig,
}
SETTINGS = [
    *(setting for group in GROUPS for setting in key_reference.group_settings(group)),
    *key_reference.task_settings(),
    *key_reference.column_settings(),
    *key_reference.top_settings(),
    *key_reference.settings_of(StackLauncherConf, "hydra.launcher"),
]


def fields(cls, prefix):
    """The keys of a dataclass, with those of the dataclasses in it."""
    for field in dataclasses.fields(cls):
        if dataclasses.is_dataclass(field.default_factory):
            yield from fields(field.default_factory, f"{prefix}.{field.name}")
        elif field.name != "name":
            yield f"{prefix}.{field.name}"


def test_every_key_has_a_meaning():
    """One that says more than the words that are allowed."""
    without = []
    for setting in SETTINGS:
        words = sorted(setting.allowed, key=len, reverse=True)
        if not re.search(r"[a-z]{3}", re.sub("|".join(map(re.escape, words)) or "$", "", setting.meaning)):
            without.append(f"{setting.key} {setting.option}")
    assert not without, "say it behind the key in conf/, or in the docstring of its class"


@pytest.mark.parametrize("group, name", GROUP.values(), ids=GROUP)
def test_every_key_of_an_option_is_in_the_reference_and_in_its_yaml(group, name):
    cls = GROUPS[group].get(name) or GROUPS[group][group]
    found = [s.key for s in key_reference.group_settings(group) if s.option == name]
    assert found == list(fields(cls, group))
    missing = {key.removeprefix(f"{group}.") for key in found} - set(key_reference.option_file(group, name).defaults)
    assert not missing, f"conf/{group}/{name}.yaml"


def test_every_key_of_a_task_and_of_a_column_is_in_the_reference():
    keys = [s.key for s in [*key_reference.task_settings(), *key_reference.column_settings()]]
    assert keys == [key for prefix, cls in PARTS.items() for key in fields(cls, prefix)]


def test_every_key_of_a_whole_run_is_in_the_reference():
    keys = {s.key for s in key_reference.top_settings()}
    assert keys >= {f.name for f in dataclasses.fields(Config)} - {*GROUPS, "tasks", "notes"}


@pytest.mark.parametrize(
    "key, option, default, allowed",
    [
        ("trainer.patience", "default", "auto", ("a whole number at least 1", "auto", "null")),
        ("model.hidden", "tabular", "[128, 128]", ("a list of whole numbers at least 1: [..., ...]",)),
        ("model.hidden", "mlp", "[64, 64]", ("a list of whole numbers at least 1: [..., ...]",)),
        ("lr.decay", "single", "0.1", ("a number above 0 and at most 1",)),
        ("loss.heads", "pcgrad", "own", ("weighted", "own")),
        ("data.separator", "table", "','", ("','", ";", "tab", "'|'")),
        ("tasks.TASK.smooth.over", "", "", ("text",)),
        ("graph.reverse.strength", "chain", "1.0", ("a number at least 0",)),
        ("loss.init", "imtl_l", "first_batch", ("a number", "first_batch")),
    ],
)
def test_defaults_are_those_of_the_yaml_and_bounds_those_of_the_schema(key, option, default, allowed):
    found = next(s for s in SETTINGS if (s.key, s.option) == (key, option))
    assert (found.default, found.allowed) == (default, allowed)


def test_a_comment_behind_a_value_with_a_hash_is_found():
    file = key_reference.parsed(
        '# An option.\n# mtlrun a=b\n# More.\nkey: "a # b"  # its meaning:\nlist: [1, 2] # two\nin:\n  a: 1 # c\n'
    )
    assert file.about == "An option."
    assert file.meanings == {"key": "its meaning", "list": "two", "in.a": "c"}
    assert file.defaults == {"key": "a # b", "list": [1, 2], "in": {"a": 1}, "in.a": 1}
