"""Controls on the labels of training rows: which are kept, and in what order."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from houses import config, houses, save

from mtlrun.config.check import check
from mtlrun.config.schema import as_mapping
from mtlrun.data.dataset import Dataset, load_dataset
from mtlrun.data.labels import controls, without_controls
from mtlrun.util.errors import RequestError

ROWS = 400


def table() -> pd.DataFrame:
    """Targets whose values are different in every row; b has no label in every third."""
    n = np.arange(ROWS)
    return pd.DataFrame(
        {
            "x": n % 7,
            "a": n + 0.5,
            "b": np.where(n % 3 == 0, np.nan, 1000.0 + n),
            "k": n % 4,
            "w": np.where(n % 5 == 0, 0.0, 1.0),
            "site": n // 8,
        }
    )


@pytest.fixture
def file(tmp_path: Path) -> str:
    return save(table(), tmp_path)


def load(file: str, tasks: dict[str, Any], seed: int = 0, only: list[str] | None = None, **data: Any) -> Dataset:
    kinds = {"a": "regression", "b": "regression", "k": "categorical"}
    full = {name: {"type": kind} | tasks.get(name, {}) for name, kind in kinds.items()}
    return load_dataset(config(full, seed=seed, only=only, path=file, inputs=["x"], **data))


def kept(data: Dataset, task: str) -> set[int]:
    """The training rows that have a label."""
    train = data.split.train
    return set(train[data.targets[task].observed[train]].tolist())


def assert_held_out_labels_are_true(data: Dataset) -> None:
    frame = table()
    for rows in (data.split.val, data.split.test):
        for task, target in data.targets.items():
            true = frame[task].to_numpy()[rows]
            np.testing.assert_array_equal(target.observed[rows], ~np.isnan(true))
            np.testing.assert_array_equal(target.values[rows], np.nan_to_num(true))


def test_a_shuffle_permutes_the_labels_among_the_training_rows_that_have_one(file: str) -> None:
    plain_, data = load(file, {}), load(file, {"b": {"shuffle": True}})
    train = data.split.train
    before, after = plain_.targets["b"], data.targets["b"]
    np.testing.assert_array_equal(after.observed, before.observed)
    np.testing.assert_array_equal(np.sort(after.values[train]), np.sort(before.values[train]))
    moved = (after.values != before.values)[train][before.observed[train]]
    assert moved.mean() > 0.95  # of n labels one stays, on average
    rows = train[before.observed[train]]
    assert abs(np.corrcoef(rows, after.values[rows])[0, 1]) < 0.25  # 1 before
    assert_held_out_labels_are_true(data)
    assert data.targets["a"].values is plain_.targets["a"].values  # nothing is copied for the others


def test_a_shuffle_depends_on_the_seed_and_the_task(file: str) -> None:
    split = {"seed": 7}
    both = {"a": {"shuffle": True}, "b": {"shuffle": True, "target": "a"}}
    one, again, other = (load(file, both, seed=s, split=split) for s in (1, 1, 2))
    first = {t: one.targets[t].values for t in "ab"}
    np.testing.assert_array_equal(first["a"], again.targets["a"].values)
    assert (first["a"] != other.targets["a"].values).any() and (first["a"] != first["b"]).any()
    alone = load(file, {"a": {"shuffle": True}}, seed=1, only=["a"], split=split)
    np.testing.assert_array_equal(first["a"], alone.targets["a"].values)


def test_a_shuffle_keeps_labels_within_their_groups(file: str) -> None:
    data = load(file, {"b": {"shuffle": True}}, split={"by": "site"})
    target, rows = data.targets["b"], np.array(sorted(kept(data, "b")))
    true = table()["b"].to_numpy()
    sites = table()["site"].to_numpy()[rows]
    for site in np.unique(sites):
        own = rows[sites == site]
        assert sorted(target.values[own]) == sorted(true[own])
    assert (target.values[rows] != true[rows]).mean() > 0.6  # of about 5 labels one stays, on average


def test_a_shuffle_leaves_labels_that_count_for_nothing_where_they_are(file: str) -> None:
    data = load(file, {"a": {"shuffle": True}}, weight="w")
    true, weight = table()["a"].to_numpy(), table()["w"].to_numpy()
    train = data.split.train
    idle, counted = train[weight[train] == 0], train[weight[train] > 0]
    np.testing.assert_array_equal(data.targets["a"].values[idle], true[idle])
    np.testing.assert_array_equal(np.sort(data.targets["a"].values[counted]), true[counted])
    assert (data.targets["a"].values[counted] != true[counted]).mean() > 0.9


def test_fewer_training_labels_are_a_subset_of_more(file: str) -> None:
    chosen = {n: load(file, {"b": {"train_labels": n}}) for n in (20, 60, 100)}
    sets = {n: kept(data, "b") for n, data in chosen.items()}
    assert {n: len(rows) for n, rows in sets.items()} == {20: 20, 60: 60, 100: 100}
    assert sets[20] < sets[60] < sets[100] < kept(load(file, {}), "b")
    assert kept(load(file, {"b": {"train_labels": 20}}, seed=1), "b") != sets[20]
    true = table()["b"].to_numpy()
    rows = sorted(sets[20])
    np.testing.assert_array_equal(chosen[20].targets["b"].values[rows], true[rows])
    assert len(kept(chosen[20], "a")) == 280 and chosen[20].trainable().all()
    assert_held_out_labels_are_true(chosen[20])
    alone = load(file, {"b": {"train_labels": 20}}, only=["b"])
    assert kept(alone, "b") == sets[20] and alone.trainable().sum() == 20


def test_the_labels_that_are_kept_belong_to_the_split_and_not_to_the_run(file: str) -> None:
    """So that runs from several initial values can learn from the same rows, as with data.train_rows."""
    one, two = (load(file, {"b": {"train_labels": 20}}, seed=s, split={"seed": 7}) for s in (1, 2))
    assert kept(one, "b") == kept(two, "b")


def test_labels_in_the_rows_of_another_task(file: str) -> None:
    tasks = {"a": {"train_labels": 90}, "b": {"train_rows_of": "a"}, "k": {"train_rows_of": "b", "train_labels": 25}}
    data = load(file, tasks)
    assert kept(data, "b") == {r for r in kept(data, "a") if r % 3} and len(kept(data, "a")) == 90
    assert kept(data, "k") < kept(data, "b") and len(kept(data, "k")) == 25
    assert_held_out_labels_are_true(data)
    without = load(file, tasks, only=["k"])  # the other tasks are not trained
    assert kept(without, "k") == kept(data, "k")
    counted = load(file, {"b": {"train_rows_of": "a"}}, weight="w")
    assert kept(counted, "b") == {r for r in counted.split.train.tolist() if r % 3 and r % 5}


def test_labels_are_cut_before_they_are_shuffled(file: str) -> None:
    data = load(file, {"b": {"train_labels": 50, "shuffle": True}})
    rows = sorted(kept(data, "b"))
    assert set(rows) == kept(load(file, {"b": {"train_labels": 50}}), "b")
    assert sorted(data.targets["b"].values[rows] - 1000) == rows
    assert (data.targets["b"].values[rows] - 1000 != rows).mean() > 0.8


def means(data: Dataset, order: np.ndarray, window: int, labels: np.ndarray) -> np.ndarray:
    """Smoothed labels written out: row by row, of what is around it in its own part."""
    found = np.zeros(len(labels))
    for part in data.split.parts().values():
        rows = sorted((r for r in part.tolist() if not np.isnan(labels[r])), key=lambda r: (order[r], r))
        for place, row in enumerate(rows):
            around = rows[max(0, place - window // 2) : place + window // 2 + 1]
            found[row] = sum(labels[r] for r in around) / len(around)
    return found


@pytest.mark.parametrize("window", [1, 5, 31])
def test_smoothed_labels_are_means_within_their_part(file: str, window: int) -> None:
    frame = table()
    data = load(file, {"b": {"smooth": {"over": "x", "window": window}}})
    expected = means(data, frame["x"].to_numpy(), window, frame["b"].to_numpy())
    np.testing.assert_allclose(data.targets["b"].values, expected, rtol=1e-12)
    np.testing.assert_array_equal(data.targets["b"].observed, frame["b"].notna())
    assert data.targets["a"].values is load(file, {}).targets["a"].values
    if window == 1:
        assert_held_out_labels_are_true(data)


def test_no_label_of_another_part_comes_into_a_smoothed_one(tmp_path: Path) -> None:
    """Other labels in val and test leave those of train as they are, bit for bit."""
    frame = table()
    tasks = {"a": {"smooth": {"over": "b", "window": 9}, "where": "b != null"}}
    one = load(save(frame, tmp_path), tasks)
    held_out = np.concatenate([one.split.val, one.split.test])
    other = tmp_path / "other"
    other.mkdir()
    changed = frame.assign(a=np.where(np.isin(frame.index, held_out), -1e6, frame["a"]))
    two = load(save(changed, other), tasks)
    train = one.split.train
    np.testing.assert_array_equal(one.targets["a"].values[train], two.targets["a"].values[train])
    assert (one.targets["a"].values[held_out] != two.targets["a"].values[held_out]).mean() > 0.5


def test_labels_are_cut_then_smoothed_then_shuffled(file: str) -> None:
    frame, smooth = table(), {"smooth": {"over": "k", "window": 5}}
    cut = load(file, {"b": {"train_labels": 50} | smooth}, weight="w")
    rows = np.array(sorted(kept(cut, "b")))
    labels = np.where(cut.targets["b"].observed & (frame["w"] > 0), frame["b"], np.nan)
    expected = means(cut, frame["k"].to_numpy(), 5, labels)
    np.testing.assert_allclose(cut.targets["b"].values[rows], expected[rows], rtol=1e-12)
    shuffled = load(file, {"b": {"train_labels": 50, "shuffle": True} | smooth}, weight="w")
    assert set(kept(shuffled, "b")) == set(rows)
    np.testing.assert_allclose(np.sort(shuffled.targets["b"].values[rows]), np.sort(expected[rows]), rtol=1e-12)
    assert (shuffled.targets["b"].values[rows] != expected[rows]).mean() > 0.8


def test_what_was_cut_in_words(file: str) -> None:
    smooth = {"over": "when", "window": 3}
    tasks = {
        "price": {},
        "sold": {"train_rows_of": "price", "train_labels": 1200, "shuffle": True},
        "area": {"smooth": smooth},
    }
    found = config(tasks, path=file, split={"by": "site"})
    assert controls(found, "price") == []
    assert controls(found, "area") == ["means of 3 labels in the order of when, within train, val and test"]
    assert controls(found, "sold") == [
        "only labels of train in rows with one of price",
        "1,200 labels of train kept at random",
        "labels of train shuffled within the groups of site",
    ]
    assert without_controls(found) == config({"price": {}, "sold": {}, "area": {}}, path=file, split={"by": "site"})
    assert check(as_mapping(found)) == found


@pytest.mark.parametrize(
    ("tasks", "said"),
    [
        ({"b": {"train_rows_of": "aa"}}, "tasks.b.train_rows_of: no task is named 'aa'"),
        (
            {"b": {"train_rows_of": "b"}},
            "tasks.b.train_rows_of: goes in a circle, b -> b\nallowed: another task, or null",
        ),
        (
            {"a": {"train_rows_of": "k"}, "k": {"train_rows_of": "b"}, "b": {"train_rows_of": "k"}},
            "tasks.b.train_rows_of: goes in a circle, b -> k -> b",
        ),
        ({"a": {"train_labels": 0}}, "tasks.a.train_labels: found 0\nallowed: a number at least 1"),
        ({"a": {"train_labels": 281}}, "tasks.a.train_labels: found 281\nallowed: at most 280, the labels of train"),
        (
            {"a": {"where": "x < 1"}, "k": {"where": "x > 1", "train_rows_of": "a"}},
            "tasks.k.train_rows_of: no row of train has a label of k and of a\n"
            "leave it out (tasks.k.train_rows_of=null)",
        ),
        ({"a": {"train_labels": 1}}, "tasks.a: all 1 labels of train are"),
        ({"k": {"unit": "cm"}}, "tasks.k.unit: found 'cm', and the task is categorical\nallowed: null"),
    ],
)
def test_wrong_requests(file: str, tasks: dict[str, Any], said: str) -> None:
    with pytest.raises(RequestError) as error:
        load(file, tasks)
    assert str(error.value).startswith(said) and str(error.value).count("\n") == 1


def test_a_shuffle_that_can_move_nothing_is_refused(tmp_path: Path) -> None:
    file = save(houses().assign(own=np.arange(60)), tmp_path)
    with pytest.raises(RequestError, match=r"tasks.price.shuffle: no group of own has two labels in train"):
        load_dataset(config({"price": {"shuffle": True}}, path=file, inputs=["area"], split={"by": "own"}))
