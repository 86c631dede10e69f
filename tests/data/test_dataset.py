"""From configuration and table to the arrays of a run: splits, weights, notes."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from houses import ROWS, TASKS, config, houses, refused, save

from mtlrun.data.dataset import load_dataset, load_table


@pytest.fixture
def path(tmp_path: Path) -> str:
    return save(houses(), tmp_path)


def test_arrays(path: str) -> None:
    data = load_dataset(config(TASKS, path=path, weight="w"))
    assert [c.name for c in data.spec.columns] == ["area", "when", "city", "room_a", "room_b", "listed", "site"]
    assert data.numeric.shape == (ROWS, 6) and data.numeric.dtype == np.float64
    frame = houses()
    for j, name in enumerate(["area", "when", "room_a", "room_b", "listed", "site"]):
        np.testing.assert_array_equal(data.numeric[:, j], frame[name])
    assert [c.missing for c in data.spec.columns] == [False, False, False, True, False, False, False]
    assert np.isnan(data.numeric[:, 2]).sum() == 9
    assert data.spec.columns[2].categories == ["Bonn", "Ulm"]
    assert data.codes[:4].tolist() == [[1], [0], [0], [1]] and data.codes.dtype == np.int32
    assert data.weight is not None and data.weight[:2].tolist() == [0.5, 1.5]
    assert len(data.hash) == 16 and data.notes == []


def test_the_split_ignores_tasks_and_arrays_are_shared(path: str) -> None:
    one = load_dataset(config(TASKS, path=path))
    only = load_dataset(config(TASKS, path=path, only=["kind"]))
    other = load_dataset(config(TASKS, seed=1, path=path))
    assert list(only.targets) == ["kind"]
    assert [c.name for c in only.spec.columns] == [c.name for c in one.spec.columns]
    assert np.array_equal(only.split.test, one.split.test) and not np.array_equal(other.split.test, one.split.test)
    assert other.numeric is one.numeric and other.codes is one.codes
    assert other.targets["price"].values is one.targets["price"].values


def test_rare_categories_and_notes(tmp_path: Path) -> None:
    frame = houses()
    frame["city"] = ["a"] * 20 + ["b"] * 20 + ["c"] * 10 + [f"rare{i}" for i in range(10)]
    frame["part"] = ["train"] * 19 + ["val"] * 11 + ["test"] * 30
    frame.loc[frame.index[:5], ["price", "kind"]] = None
    frame.loc[frame.part == "val", "price"] = None
    tasks = {"price": {}, "kind": {}}
    data = load_dataset(config(tasks, path=save(frame, tmp_path), split={"column": "part"}, max_categories=3))
    city = next(c for c in data.spec.columns if c.name == "city")
    assert city.categories == ["a", "b", "c"]
    assert (data.codes[50:, 0] == -1).all()
    assert data.notes == [
        "city: 10 rare values pooled as unknown (data.max_categories=3)",
        "5 of 19 train rows have no label of any task",
        "price has no label in val",
        "val and test rows whose value no train row has, treated as unknown: city 10 and 20",
    ]


def test_split_by_files(tmp_path: Path) -> None:
    frame = houses()
    frame[:40].to_csv(tmp_path / "a.csv", index=False)
    frame[40:].to_parquet(tmp_path / "b.parquet")
    files = {"test": str(tmp_path / "b.parquet")}
    data = load_dataset(config(TASKS, path=str(tmp_path / "a.csv"), split={"files": files, "val": 0.25}))
    assert [len(p) for p in data.split.parts().values()] == [30, 10, 20]
    assert data.split.test.tolist() == list(range(40, 60))
    table, part = load_table(config(TASKS, path=str(tmp_path / "a.csv")))
    assert part is None and len(table.frame) == 40


@pytest.mark.parametrize(
    ("data", "said"),
    [
        ({"weight": "ww"}, "data.weight: no column is named 'ww'"),
        ({"weight": "room_a"}, "data.weight: column 'room_a' holds nan in data row 1"),
        ({"weight": "minus"}, "data.weight: column 'minus' holds -1.0 in data row 6"),
        ({"weight": "city"}, "data.weight: column 'city' holds text, such as 'Ulm' in data row 1"),
    ],
)
def test_wrong_requests(tmp_path: Path, data: dict[str, Any], said: str) -> None:
    assert said in refused(tmp_path, {"sold": {}}, data)


def test_a_class_that_train_lacks_is_named_with_its_blanks(tmp_path: Path) -> None:
    frame = houses().assign(part=np.repeat(["train", "val", "test"], ROWS // 3))
    frame.loc[50, "kind"] = " flat"
    notes = load_dataset(config({"kind": {}}, path=save(frame, tmp_path), split={"column": "part"})).notes
    assert any(note.startswith("kind: train has no label of ' flat', so the model cannot learn it: ") for note in notes)
