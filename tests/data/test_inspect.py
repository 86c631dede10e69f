"""The warnings of `mtlrun check`: each fires on what it means, none on the shipped data."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from mtlrun.check import check
from mtlrun.config import Config
from mtlrun.data.dataset import load_dataset
from mtlrun.data.inspect import describe, inspect, is_identifier

NAMES = {"sharing": "hard", "graph": "none", "loss": "sum", "lr": "single"}
N = 600
RANDOM = np.random.default_rng(0)
X = RANDOM.normal(size=N)
LABEL = (X + RANDOM.normal(size=N) > 0).astype(int)
VALUE = X + RANDOM.normal(size=N)
BASE = pd.DataFrame({"x": X, "age": RANDOM.integers(18, 90, N), "label": LABEL, "value": VALUE})
BASE["grade"] = np.array(["a", "b", "c"])[RANDOM.integers(0, 3, N)]


def config(path: Path | str, tasks: dict[str, Any] | None = None, **data: Any) -> Config:
    model = {"name": "mlp", "hidden": [4], "head_hidden": [4]}
    names = {g: {"name": n} for g, n in NAMES.items()}
    tasks = tasks or {"label": {"type": "binary"}, "value": {"type": "regression"}, "grade": {}}
    return check(
        {"tasks": tasks, "data": {"path": str(path), **data}, "model": model, "optimizer": {"name": "adam"}, **names}
    )


def warnings(tmp_path: Path, frame: pd.DataFrame, **data: Any) -> list[str]:
    frame.to_parquet(tmp_path / "t.parquet")
    checked = config(tmp_path / "t.parquet", **data)
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


def test_identifiers() -> None:
    assert is_identifier(pd.Series(RANDOM.permutation(N)), "n")
    assert is_identifier(pd.Series(RANDOM.choice(10**9, N, replace=False)), "customer_id")
    assert not is_identifier(pd.Series(RANDOM.choice(10**9, N, replace=False)), "income")
    assert not is_identifier(pd.Series(X), "id")


def test_describe(tmp_path: Path) -> None:
    frame = BASE.assign(w=np.where(np.arange(N) < 300, 1.0, 0.0), part="train")
    frame.loc[500:549, "part"], frame.loc[550:, "part"] = "val", "test"
    frame["w"] = np.where(frame.part == "train", frame.w, 1.0)
    frame.loc[:99, "value"] = np.nan
    frame.to_parquet(tmp_path / "t.parquet")
    checked = config(tmp_path / "t.parquet", weight="w", split={"column": "part"})
    label, value, grade = describe(checked, load_dataset(checked))
    assert label["classes"] == {"0": pytest.approx((LABEL[:500] == 0).mean()), "1": pytest.approx(LABEL[:500].mean())}
    assert [label[p] for p in ("train", "val", "test")] == [500, 50, 50]
    assert label["effective"] == pytest.approx(300) and value["effective"] == pytest.approx(200)
    assert value["mean"] == pytest.approx(VALUE[100:500].mean(), abs=1e-5)
    assert value["std"] == pytest.approx(VALUE[100:500].std(), abs=1e-5)
    assert (value["type"], value["train"], value["loss"]) == ("regression", 400, "mse")
    assert list(grade["classes"]) == ["a", "b", "c"] and grade["primary"] == "accuracy"
