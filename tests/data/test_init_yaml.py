"""`mtlrun init`: what it writes loads again, whatever the columns are called."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st
from omegaconf import OmegaConf

from mtlrun.config.check import check
from mtlrun.config.task_names import LEGAL, task_name
from mtlrun.data.dataset import load_dataset
from mtlrun.data.init_yaml import write_yaml
from mtlrun.data.notation.declared_cells import yaml_flow
from mtlrun.data.yaml_words import key, scalar
from mtlrun.util.errors import RequestError

N = 80
NAMES = {"sharing": "hard", "graph": "none", "loss": "sum", "lr": "single"}
REST: dict[str, Any] = {
    "model": {"name": "mlp", "hidden": [4], "head_hidden": [4]},
    "optimizer": {"name": "adam"},
    **{g: {"name": n} for g, n in NAMES.items()},
}


def table(folder: Path) -> Path:
    random = np.random.default_rng(0)
    frame = pd.DataFrame(
        {
            "row": np.arange(N),
            "area": random.normal(size=N),
            "no": random.normal(size=N),
            'say "hi": [*] # ${x}\\': random.normal(size=N),
            "nothing": None,
            "price in €": random.normal(size=N),
            "trunk": random.integers(0, 2, N),
            "kind": random.choice(["a", "b", "c"], N),
        }
    )
    frame.to_csv(folder / "houses 2024.csv.gz", index=False)
    return folder / "houses 2024.csv.gz"


def test_what_it_writes_loads(tmp_path: Path) -> None:
    file = write_yaml(table(tmp_path), ["kind", "price in €", "trunk"], tmp_path).path
    assert file == tmp_path / "conf" / "data" / "houses_2024.yaml"
    text = file.read_text(encoding="utf-8")
    assert text.startswith("# @package _global_\n")
    assert "    # - row  # like an identifier" in text and "    # - nothing  # empty" in text
    assert "80 different values, 0 of 80 missing" in text
    plain = yaml.safe_load(text)
    assert plain["tasks"] == {
        "kind": {"type": "categorical"},
        "price_in": {"type": "regression", "target": "price in €"},
        "trunk_task": {"type": "binary", "target": "trunk", "positive": 1},
    }
    resolved = OmegaConf.to_container(OmegaConf.create(text), resolve=True)
    assert isinstance(resolved, dict)
    config = check({"seed": 0, **resolved, **REST})
    assert config.data.inputs == ["area", "no", 'say "hi": [*] # ${x}\\']
    assert len(load_dataset(config).spec.columns) == 3


def test_never_overwrites(tmp_path: Path) -> None:
    file = write_yaml(table(tmp_path), ["kind"], tmp_path).path
    file.write_text("mine")
    with pytest.raises(RequestError, match="exists already"):
        write_yaml(table(tmp_path), ["kind"], tmp_path)
    assert file.read_text() == "mine"


def test_wrong_requests(tmp_path: Path) -> None:
    with pytest.raises(RequestError, match="--targets: no column is named 'kid'; did you mean kind"):
        write_yaml(table(tmp_path), ["kid"], tmp_path)
    with pytest.raises(RequestError, match="init: no target is given"):
        write_yaml(table(tmp_path), [], tmp_path)
    with pytest.raises(RequestError, match="init: there is no file"):
        write_yaml(tmp_path / "none.csv", ["a"], tmp_path)
    assert not (tmp_path / "conf").exists()


@pytest.mark.parametrize(
    ("column", "task"),
    [
        ("price", "price"),
        ("a b", "a_b"),
        ("2nd", "task_2nd"),
        ("default", "default_task"),
        ("skill", "skill_task"),
        ("last", "last_task"),
        ("on", "on_task"),
        ("null", "null_task"),
        ("*", "task"),
        ("taken", "taken_2"),
    ],
)
def test_task_name(column: str, task: str) -> None:
    assert task_name(column, {"taken"}) == task
    assert LEGAL.match(task)


@settings(max_examples=200, deadline=None)
@given(st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1, max_size=20))
def test_any_name_survives_yaml_and_interpolation(name: str) -> None:
    text = f"list:\n  - {scalar(name)}\n{key(name)}: {yaml_flow({name: [name]})}\n"
    assert OmegaConf.to_container(OmegaConf.create(text), resolve=True) == {"list": [name]} | {name: {name: [name]}}


def test_comments_beside_what_looks_wrong(tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    numbers = [f"{v:.3f}" for v in random.normal(size=N)]
    frame = pd.DataFrame(
        {
            "size": ["n.a.?", *numbers[1:]],
            "day": pd.date_range("2020-01-01", periods=N).strftime("%Y-%m-%d"),
            "name": [f"row {i}" for i in range(N)],
            "price": [" ", *numbers[1:]],
            "cost": [f"CHF {v}" for v in numbers],
            "sold": ["nein ", *["ja", "nein", "nein"] * 26, "ja"],
        }
    )
    frame.to_csv(tmp_path / "t.csv", index=False)
    text = write_yaml(tmp_path / "t.csv", ["price", "cost", "sold"], tmp_path).path.read_text(encoding="utf-8")
    assert yaml.safe_load(text)["data"]["inputs"] == ["size", "day"]
    assert yaml.safe_load(text)["data"]["columns"] == {"cost": {"number": {"unit": "CHF"}}}
    lines = text.splitlines()
    assert any(line.startswith('    # size: {number: {}, missing: ["n.a.?"]}  # numbers such as \'') for line in lines)
    assert "    - size  # read as text: see columns" in lines
    assert "    # - name  # like an identifier: nearly every value is different" in lines
    tasks = lines[lines.index("tasks:  # type: regression, binary, categorical or count") + 1 :]
    assert tasks[0].startswith("  price: {type: regression}") and tasks[1].startswith("  cost: {type: regression}")
    assert [line for line in tasks if line.startswith("  #")] == [
        "  # values that differ only in blanks or upper and lower case: 'nein', 'nein '; if they are one, "
        "write them alike in the table",
    ]


@pytest.mark.parametrize(
    ("values", "inferred", "counts"),
    [
        ([0, 1, 2, 5], "categorical", True),
        (range(30), "regression", True),
        ([1.0, 2.0, 4.0, None], "categorical", True),
        ([0, 1], "binary", False),  # hardly a count
        ([-1, 0, 1, 2], "categorical", False),
        ([0.5, 1.0, 2.0], "regression", False),
        (range(1000), "regression", False),
        (["0", "1", "x"], "categorical", False),
    ],
)
def test_a_target_that_may_be_a_count_has_that_type_as_a_comment(
    values: Any, inferred: str, counts: bool, tmp_path: Path
) -> None:
    rows = [value for _ in range(max(1, N // len(values))) for value in values]
    frame = pd.DataFrame({"area": np.random.default_rng(0).normal(size=len(rows)), "n of x": rows})
    frame.to_csv(tmp_path / "visits.csv", index=False)
    text = write_yaml(tmp_path / "visits.csv", ["n of x"], tmp_path).path.read_text()
    assert f"  n_of_x: {{type: {inferred}, target: " in text
    instead = '  # n_of_x: {type: count, target: "n of x"}  # instead, if it counts something: whole numbers from 0\n'
    assert (instead in text) == counts and "count}" not in text.replace(instead, "")
    with_count = text.replace("  n_of_x: {", "  # was: {").replace("  # n_of_x: {", "  n_of_x: {")
    assert not counts or yaml.safe_load(with_count)["tasks"] == {"n_of_x": {"type": "count", "target": "n of x"}}


@pytest.mark.parametrize("separator", [";", "\t", "|"])
def test_init_writes_the_separator_of_a_table_with_decimal_commas(tmp_path: Path, separator: str) -> None:
    rows = [["city", "area", "rent"], *(["Köln", f"{i},5", f"{2 * i},25"] for i in range(1, N))]
    (tmp_path / "flats.csv").write_text("\n".join(map(separator.join, rows)), encoding="utf-8")
    settings = yaml.safe_load(write_yaml(tmp_path / "flats.csv", ["rent"], tmp_path).path.read_text(encoding="utf-8"))
    assert settings["data"]["separator"] == {"\t": "tab"}.get(separator, separator)
    settings["data"] |= {"name": "table", "path": str(tmp_path / "flats.csv")}
    dataset = load_dataset(check({"seed": 0, **settings, **REST}))
    assert dataset.targets["rent"].values[:2].tolist() == [2.25, 4.25]
