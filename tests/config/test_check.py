"""The YAML files of conf/ against the typed schema: they are its documentation and must say the same."""

import dataclasses
import re
from typing import Any

import pytest
import yaml

from mtlrun.config.check import check
from mtlrun.config.schema import GROUPS, SplitConfig, TrainerConfig, as_mapping, conf_dir, config_hash
from mtlrun.config.schema.sharing import SHARINGS
from mtlrun.util.errors import RequestError
from mtlrun.util.registry import REFERENCES

CONF = conf_dir()
# (group, option, key): where an option's YAML differs from the schema's default on purpose.
ON_PURPOSE = {
    ("optimizer", "adamw", "name"),
    ("optimizer", "adamw", "weight_decay"),
    *(("model", "tabular", key) for key in ("name", "activation", "dropout", "scaling", "embedding")),
    *(("model", "tabm", key) for key in ("activation", "dropout", "scaling", "embedding")),
    ("lr", "per_head", "trunk"),
    ("lr", "per_head", "heads"),
    ("trainer", "debug", "epochs"),
    ("trainer", "debug", "max_steps"),
    ("trainer", "debug", "deterministic"),
    ("trainer", "debug", "debug"),
}


def options() -> list[tuple[str, str]]:
    groups = [g for g in GROUPS if g != "data"]
    return [(group, file.stem) for group in groups for file in sorted((CONF / group).glob("*.yaml"))]


def read(group: str, option: str) -> dict[str, Any]:
    return yaml.safe_load((CONF / group / f"{option}.yaml").read_text())


def schema(group: str, option: str) -> type:
    return TrainerConfig if group == "trainer" else GROUPS[group][option]


def defaults(cls: type) -> dict[str, Any]:
    found = {}
    for field in dataclasses.fields(cls):
        if field.default_factory is not dataclasses.MISSING:
            value = field.default_factory()
            found[field.name] = dataclasses.asdict(value) if dataclasses.is_dataclass(value) else value
        else:
            found[field.name] = field.default
    return found


def test_every_option_of_the_schema_has_its_yaml() -> None:
    for group, known in GROUPS.items():
        if group not in ("data", "trainer"):
            ours = set(known) - set(REFERENCES.get(group, {}))  # those of installed packages have YAMLs there
            assert ours == {file.stem for file in (CONF / group).glob("*.yaml")}, group
    assert {file.stem for file in (CONF / "trainer").glob("*.yaml")} == {"default", "debug"}


@pytest.mark.parametrize(("group", "option"), options())
def test_yaml_has_the_keys_and_the_defaults_of_its_dataclass(group: str, option: str) -> None:
    tree, expected = read(group, option), defaults(schema(group, option))
    assert next(iter(tree)) == "name" or group == "trainer"
    assert set(tree) == set(expected)
    for key, value in expected.items():
        if value is not dataclasses.MISSING and (group, option, key) not in ON_PURPOSE:
            assert tree[key] == value and type(tree[key]) is type(value), f"{group}/{option}.yaml: {key}"


@pytest.mark.parametrize(("group", "option"), options())
def test_yaml_begins_with_what_it_is_and_an_exact_command(group: str, option: str) -> None:
    lines = (CONF / group / f"{option}.yaml").read_text().splitlines()
    lines = lines[1:] if lines[0].startswith("# @package") else lines
    assert lines[0].startswith("# ") and not lines[0].startswith("# mtlrun ")
    assert re.fullmatch(rf"# mtlrun .*\b{group}\b.*", lines[1])


def test_the_defaults_of_the_contract() -> None:
    assert read("model", "mlp")["hidden"] == [64, 64] and read("model", "tabular")["hidden"] == [128, 128]
    assert read("lr", "single")["base"] == 0.002
    trainer = read("trainer", "default")
    by_rule = ("epochs", "batch_size", "evaluate_every", "patience")
    assert [trainer[key] for key in by_rule] == ["auto"] * 4 and trainer["select"] == "skill"
    entries = yaml.safe_load((CONF / "config.yaml").read_text())["defaults"]
    chosen = {k: v for entry in entries if isinstance(entry, dict) for k, v in entry.items()}
    assert chosen == {
        "data": "diamonds",
        "model": "tabular",
        "sharing": "hard",
        "graph": "none",
        "loss": "sum",
        "lr": "single",
        "optimizer": "adamw",
        "trainer": "default",
        "experiment": None,
        "override hydra/launcher": "stack",
    }


def test_data_table_yaml_names_every_key_of_the_schema() -> None:
    tree = read("data", "table")
    expected = defaults(GROUPS["data"]["table"])
    assert {*tree["data"], "name"} == {*expected}
    assert set(tree["data"]["split"]) == {f.name for f in dataclasses.fields(SplitConfig)}
    assert not tree.get("tasks")


# ---------------------------------------------------------------- check


def tree(**changes: Any) -> dict[str, Any]:
    chosen = {
        "model": "mlp",
        "sharing": "hard",
        "graph": "none",
        "loss": "sum",
        "lr": "single",
        "optimizer": "adam",
        "trainer": "default",
    }
    base = {group: read(group, option) for group, option in chosen.items()}
    base |= {"data": {"path": "a.csv"}, "tasks": {"a": {"type": "regression"}, "b": {"type": "binary"}}}
    for key, value in changes.items():
        group, _, name = key.partition("__")
        if name:
            base[group] = {**base[group], name: value}
        else:
            base[group] = value
    return base


def test_check_and_plain_are_inverse() -> None:
    config = check(tree(seed=3, only="a"))
    assert check(as_mapping(config)) == config
    assert config.only == ["a"] and list(config.active) == ["a"]
    assert config.data.split.seed == 3


@pytest.mark.parametrize("scheme", ["soft_l2", "mean_regularized", "trace_norm", "joint_features", "l1"])
def test_the_default_strength_of_a_penalty_is_that_measured_for_the_optimiser(scheme: str) -> None:
    """A number stays, also 0. What is filled in is part of the settings that a run stores."""

    def strength(optimizer: str, **settings: Any) -> float:
        config = check(tree(sharing={"name": scheme, **settings}, optimizer={"name": optimizer}))
        assert check(as_mapping(config)) == config
        found = as_mapping(config)["sharing"]["strength"]
        assert isinstance(found, float)
        return found

    adaptive, plain = SHARINGS[scheme].measured
    assert [strength(name) for name in ("adam", "adamw", "rmsprop", "sgd")] == [adaptive] * 3 + [plain]
    assert strength("adam", strength=None) == adaptive and strength("sgd", strength=None) == plain
    assert strength("sgd", strength=0.0) == 0 and strength("adam", strength=0.25) == 0.25


def test_hash_changes_with_a_setting_and_not_with_the_name() -> None:
    first = config_hash(check(tree()))
    assert first == config_hash(check(tree(name="other")))
    assert first != config_hash(check(tree(lr__base=0.005)))
    assert len(first) == 16


def test_rates_and_graph_follow_from_the_settings_and_are_none_of_them() -> None:
    lr = {"name": "per_head", "base": 0.01, "trunk": "0.5x", "heads": {"default": "3x", "b": 0.5}}
    graph = {"name": "none", "receives": {"b": {"a": "stop"}}}
    config = check(tree(lr=lr, graph=graph))
    assert config.rates == {"trunk": 0.005, "a": 0.03, "b": 0.5}
    assert [(e.source, e.task) for e in config.task_graph.edges] == [("a", "b")]
    assert check(as_mapping(config)) == config and {"rates", "task_graph"}.isdisjoint(as_mapping(config))
    assert config_hash(config) == config_hash(check(tree(lr=lr, graph=graph)))
    alone = dataclasses.replace(config, only=["a"])
    assert alone.rates == {"trunk": 0.005, "a": 0.03} and alone.task_graph.edges == ()
    assert check(tree(lr=lr, model__freeze=True)).rates == {"trunk": 0.0, "a": 0.03, "b": 0.5}


WRONG = [
    ({"lr__base": -1}, "lr.base: found -1", "at least 0"),
    ({"lr__bas": 1}, "lr.bas: lr=single has no such key; did you mean base?", "allowed: base"),
    ({"model__hidden": [64, 0]}, "model.hidden[1]: found 0", "at least 1"),
    ({"model__hidden": [64, 1.5]}, "model.hidden[1]: found 1.5", "whole number"),
    ({"trainer__batch_size": "big"}, "trainer.batch_size: found 'big'", "whole number"),
    ({"trainer__deterministic": 1}, "trainer.deterministic: found 1", "true or false"),
    ({"trainer__epochs": 0}, "trainer.epochs: found 0", "at least 1"),
    ({"trainer__select": "c"}, "trainer.select", "tasks: a, b"),
    ({"optimizer__betas": [0.9]}, "optimizer.betas: found [0.9]", "two numbers"),
    ({"seed": -1}, "seed: found -1", "at least 0"),
    ({"only": ["a", "c"]}, "only: no task is named 'c'", "tasks: a, b"),
    ({"tasks": {}}, "tasks: none are given", "mtlrun init"),
    ({"tasks": {"trunk": {}}}, "tasks.trunk: no name for a task", "trunk, default"),
    ({"tasks": {"a": {"tpe": "binary"}}}, "tasks.a.tpe: tasks.a has no such key; did you mean type?", "allowed"),
    ({"tasks": {"a": {"type": "binry"}}}, "tasks.a.type: found 'binry'; did you mean binary?", "regression"),
    ({"arms": [1]}, "arms: only for a sweep, and this is one run", "mtlrun -m"),
    ({"losss": 1}, "losss: no such key; did you mean loss?", "allowed"),
    (
        {"data": {"split": {"train": 0.9, "val": 0.2}}},
        "data.split: train 0.9, val 0.2, test 0.15 add up to 1.25",
        "at most 1",
    ),
]


@pytest.mark.parametrize(("changes", "first", "second"), WRONG)
def test_a_wrong_value_is_answered_in_two_lines(changes: dict[str, Any], first: str, second: str) -> None:
    with pytest.raises(RequestError) as caught:
        check(tree(**changes))
    lines = str(caught.value).splitlines()
    assert len(lines) <= 2
    assert lines[0].startswith(first) and second in lines[-1]
