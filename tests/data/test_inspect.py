"""The warnings of `mtlrun check`: each fires on what it means, none on the shipped data."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from simulated import BASE, RANDOM, VALUE, N, X, config, save

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
        (["?"] * 5 + [str(v) for v in X[5:]], "new: read as text, though it holds numbers such as "),
        (["n.a.?", *(str(v) for v in X[1:])], "to read them: 'data.columns={new: {number: {}, missing: [\"n.a.?\"]}}'"),
    ],
)
def test_warns(tmp_path: Path, column: Any, said: str) -> None:
    found = warnings(tmp_path, BASE.assign(new=column))
    assert any(said in line for line in found), found
    assert all(line.startswith("new: ") for line in found)


def test_a_target_among_the_inputs(tmp_path: Path) -> None:
    found = warnings(tmp_path, BASE, inputs=["x", "value"])
    assert len(found) == 1 and found[0].startswith("value is a target and also among the inputs: the model may copy it")


def test_a_class_that_train_lacks_is_among_the_warnings(tmp_path: Path) -> None:
    rest = np.tile(["a", "b"], N)[:N]
    rest[-5:] = "c"
    part = np.repeat(["train", "val", "test"], [N - 40, 20, 20])
    frame = BASE.assign(kind=rest, part=part)
    tasks = {"kind": {"type": "categorical"}}
    found = warnings(tmp_path, frame, tasks=tasks, split={"column": "part"})
    assert any(line.startswith("kind: train has no label of c, so the model cannot learn it: ") for line in found), (
        found
    )


def test_notes_on_targets_and_inputs_are_among_the_warnings(tmp_path: Path) -> None:
    frame = BASE.assign(grade=[f"CHF {v:.3f}" for v in VALUE], w=1 + RANDOM.random(N))
    tasks = {"grade": {"type": "categorical"}}
    checked = config(save(frame, tmp_path), tasks, inputs=["x", "w"], weight="w")
    dataset = load_dataset(checked)
    found = inspect(checked, dataset)
    assert found[0] == "w: left out of the inputs, as it holds the row weights"
    assert "grade: 572 classes that are numbers such as 'CHF -0.001'" in found[1]
    assert set(found) <= set(dataset.notes)


@pytest.mark.parametrize("days", [3, 200, 10_000])
def test_dates_written_as_text(tmp_path: Path, days: int) -> None:
    dates = pd.Timestamp("2000-01-01") + pd.to_timedelta(RANDOM.integers(0, days, N), unit="D")
    found = warnings(tmp_path, BASE.assign(**{"Order Date": dates.strftime("%d.%m.%Y")}))
    assert [line.split(" such as")[0] for line in found] == ["Order Date: read as text, though it holds dates"]
    # Parquet says that they are text
    (said,) = warnings(tmp_path, BASE.assign(**{"Order Date": dates.strftime("%Y-%m-%d")}))
    assert said.endswith("to read them: 'data.columns={Order Date: {date: ISO8601}}'")
