"""The warnings of `mtlrun check`: each fires on what it means, none on the shipped data."""

import shlex
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hydra.core.override_parser.overrides_parser import OverridesParser
from simulated import BASE, LABEL, RANDOM, VALUE, N, X, config, save

from mtlrun.data.dataset import load_dataset
from mtlrun.data.inspect import inspect


def warnings(tmp_path: Path, frame: pd.DataFrame, **data: Any) -> list[str]:
    checked = config(save(frame, tmp_path), **data)
    return inspect(checked, load_dataset(checked))


def test_nothing_to_say(tmp_path: Path) -> None:
    assert warnings(tmp_path, BASE) == []


def test_no_false_alarm_on_diamonds() -> None:
    tasks: dict[str, Any] = {t: {} for t in ("price", "cut", "color", "clarity")}
    for data in ({}, {"inputs": ["carat", "depth", "table", "x", "y", "z"]}):
        checked = config("package:diamonds.csv.gz", tasks, **data)
        assert inspect(checked, load_dataset(checked)) == []


@pytest.mark.parametrize(
    ("column", "said"),
    [
        (np.full(N, 3.0), "new: every value is 3"),
        (np.full(N, np.nan), "new: every value is missing"),
        (X, "new: the same values as x"),
        ([f"row {i}" for i in range(N)], "new: nearly every value is different"),
        (np.arange(N), "new: nearly every value is different"),
        (["?"] * 5 + [str(v) for v in X[5:]], "new: read as text, though nearly all values are numbers; not '?'"),
        (["n.a.?", *(str(v) for v in X[1:])], "new: read as text, though nearly all values are numbers; not 'n.a.?'"),
        ([f"patient {i}" for i in RANDOM.integers(0, 120, N)], "a random split tears them apart: data.split.by=new"),
        (RANDOM.permutation(np.arange(N) // 4), "a random split tears them apart: data.split.by=new"),
        (3 - 2 * VALUE, "new: orders the rows as the target of value does"),
        (np.exp(VALUE), "new: orders the rows as the target of value does"),
        (np.where(RANDOM.random(N) < 0.3, np.nan, VALUE), "new: orders the rows as the target of value does"),
        (LABEL * 7.0, "new: determines the target of label: every value goes with one class"),
        (pd.Series(LABEL).map({0: "n", 1: "y"}), "new: determines the target of label"),
        (LABEL * 40 + RANDOM.integers(0, 40, N), "new: determines the target of label"),
        (BASE["grade"].map({"a": 2, "b": 0, "c": 1}), "new: determines the target of grade"),
        (LABEL + 0.9 * RANDOM.random(N), "new: separates the classes of label without a single exception"),
    ],
)
def test_warns(tmp_path: Path, column: Any, said: str) -> None:
    found = warnings(tmp_path, BASE.assign(new=column))
    assert any(said in line for line in found), found
    assert all(line.startswith("new: ") for line in found)


def test_a_value_that_determines_a_number(tmp_path: Path) -> None:
    flat = RANDOM.integers(0, 200, N)
    frame = BASE.assign(value=RANDOM.normal(size=200)[flat], flat=RANDOM.permutation(200)[flat].astype(str))
    assert any("flat: determines the target of value: equal values" in w for w in warnings(tmp_path, frame))


def test_a_target_among_the_inputs(tmp_path: Path) -> None:
    found = warnings(tmp_path, BASE, inputs=["x", "value"])
    assert found == ["value is a target and also among the inputs"]


def test_groups_matter_to_random_splits_only(tmp_path: Path) -> None:
    frame = BASE.assign(patient_id=RANDOM.integers(0, 120, N))
    assert any("data.split.by=patient_id" in w for w in warnings(tmp_path, frame))
    assert warnings(tmp_path, frame, split={"by": "patient_id"}) == []


def test_chance_gives_no_warning(tmp_path: Path) -> None:
    rare = np.zeros(N, dtype=int)
    rare[:6] = 1
    frame = BASE.assign(label=RANDOM.permutation(rare), pair=RANDOM.permutation(np.arange(N) // 2) * 1.5)
    assert warnings(tmp_path, frame) == []


def test_notes_on_targets_and_inputs_are_among_the_warnings(tmp_path: Path) -> None:
    frame = BASE.assign(grade=[f"CHF {v:.3f}" for v in VALUE], w=1 + RANDOM.random(N))
    tasks = {"grade": {"type": "categorical"}}
    checked = config(save(frame, tmp_path), tasks, inputs=["x", "w"], weight="w")
    dataset = load_dataset(checked)
    found = inspect(checked, dataset)
    assert found[0] == "w: left out of the inputs, as it holds the row weights"
    assert "classes in 600 labels: is it a number in a notation of its own, or an identifier?" in found[1]
    assert set(found) <= set(dataset.notes)


@pytest.mark.parametrize("days", [3, 200, 10_000])
def test_dates_written_as_text(tmp_path: Path, days: int) -> None:
    dates = pd.Timestamp("2000-01-01") + pd.to_timedelta(RANDOM.integers(0, days, N), unit="D")
    found = warnings(tmp_path, BASE.assign(**{"Order Date": dates.strftime("%Y-%m-%d")}))
    assert found == [
        "Order Date: dates written as text, read as categories; leave the column out of data.inputs, "
        "or store it as dates in Parquet"
    ]


@pytest.mark.parametrize(
    ("name", "typed"),
    [
        ("site", "data.split.by=site"),
        ("Order ID", "'data.split.by=Order ID'"),
        ("a,b", """'data.split.by='"'"'a,b'"'"''"""),
    ],
)
def test_the_suggested_override_can_be_pasted(tmp_path: Path, name: str, typed: str) -> None:
    (found,) = warnings(tmp_path, BASE.assign(**{name: [f"p{i}" for i in RANDOM.integers(0, 120, N)]}))
    assert found.endswith(f"tears them apart: {typed}")
    override = OverridesParser.create().parse_override(shlex.split(typed)[0])
    assert (override.key_or_group, override.value()) == ("data.split.by", name)


def test_copied_rows(tmp_path: Path) -> None:
    part = np.repeat(["train", "val", "test"], [400, 100, 100])
    frame = BASE.assign(part=part)
    columns = ["x", "age", "label", "value", "grade"]
    frame.loc[500:529, columns] = frame.loc[:29, columns].to_numpy()
    split = {"split": {"column": "part"}}
    said = "rows are exact copies of training rows (inputs and targets), which flatters the figures"
    (found,) = warnings(tmp_path, frame.astype(BASE.dtypes), **split)
    assert found.startswith(f"test: 30 of 100 {said}")
    frame.loc[509:529, "x"] += 0.001  # nine rows are too few, and these are no copies any more
    assert warnings(tmp_path, frame.astype(BASE.dtypes), **split) == []


@pytest.mark.parametrize("numbered", [False, True])
def test_in_a_table_of_doubled_rows_no_column_is_called_a_copy_of_the_target(tmp_path: Path, numbered: bool) -> None:
    doubled = pd.concat([BASE, BASE], ignore_index=True)
    if numbered:
        doubled["row"] = np.arange(len(doubled))
    *others, val, test = warnings(tmp_path, doubled)
    assert [w.split(",")[0] for w in others] == ["row: nearly every value is different"] * numbered
    assert val.startswith("val: ") and test.startswith("test: ")
    assert int(test.split()[1]) / 180 == pytest.approx(0.7, abs=0.1)


def test_rows_that_are_alike_by_chance_are_no_copies(tmp_path: Path) -> None:
    # Most people here are children of whom the table says no more than the age; few values in the rest.
    child = RANDOM.random(4000) < 0.6
    frame = pd.DataFrame({"age": np.where(child, RANDOM.integers(0, 15, 4000), RANDOM.integers(15, 90, 4000))})
    for name in ("a", "b", "c", "d", "e", "f"):
        frame[name] = np.where(child, 0, RANDOM.integers(0, 4, 4000))
    frame["label"] = np.where(child, 0, RANDOM.integers(0, 2, 4000))
    checked = config(save(frame, tmp_path), {"label": {}})
    dataset = load_dataset(checked)
    columns = ["age", *"abcdef", "label"]
    train = set(map(tuple, frame[columns].to_numpy()[dataset.split.train]))
    alike = np.mean([tuple(row) in train for row in frame[columns].to_numpy()[dataset.split.test]])
    assert alike > 0.5 and inspect(checked, dataset) == []
    few = pd.DataFrame({name: RANDOM.integers(0, 3, 4000) for name in "ab"} | {"label": RANDOM.integers(0, 2, 4000)})
    checked = config(save(few, tmp_path), {"label": {}})
    assert inspect(checked, load_dataset(checked)) == []
