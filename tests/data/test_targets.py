"""Labels of each task type, classes and their weights, and what is no target."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from houses import ROWS, TASKS, config, houses, refused, save

from mtlrun.config.schema import Config
from mtlrun.data.dataset import load_dataset
from mtlrun.data.facts import task_facts
from mtlrun.data.inspect import inspect
from mtlrun.runs.preview import report
from mtlrun.util.errors import RequestError
from mtlrun.util.printed_sections import as_text


def test_targets(tmp_path: Path) -> None:
    data = load_dataset(config(TASKS, path=save(houses(), tmp_path)))
    price, kind, sold = data.targets.values()
    assert [t.type for t in data.targets.values()] == ["regression", "categorical", "binary"]
    assert [t.loss for t in data.targets.values()] == ["mse", "cross_entropy", "cross_entropy"]
    assert [t.primary for t in data.targets.values()] == ["rmse", "accuracy", "auroc"]
    np.testing.assert_array_equal(price.labels(np.arange(3)), [1e5, 2e5, 3e5])
    assert kind.classes == ["flat", "house", "villa"] and kind.values[:4].tolist() == [0, 1, 2, 0]
    assert sold.classes == [0, 1] and sold.observed.sum() == 40 and (sold.values[40:] == 0).all()


def test_positive_and_class_weights(tmp_path: Path) -> None:
    frame = houses().assign(ok=np.where(np.arange(ROWS) % 4 == 0, "no", "yes"), flag=np.arange(ROWS) % 2 == 0)
    tasks: dict[str, Any] = {
        "ok": {"positive": "no", "class_weights": {"no": 3}},
        "flag": {"positive": False, "class_weights": {True: 2}},
        "sold": {"positive": "0", "class_weights": "balanced"},
        "kind": {"class_weights": {"villa": 2.5, "flat": 0}},
    }
    targets = load_dataset(config(tasks, path=save(frame, tmp_path))).targets
    assert targets["ok"].classes == ["yes", "no"] and targets["ok"].values[:2].tolist() == [1, 0]
    assert targets["ok"].class_weights == [1.0, 3.0]
    assert targets["flag"].classes == [True, False] and targets["flag"].class_weights == [2.0, 1.0]
    assert targets["sold"].classes == [1, 0] and targets["sold"].class_weights == "balanced"
    assert targets["kind"].class_weights == [0.0, 1.0, 2.5]


@pytest.mark.parametrize(
    ("tasks", "data", "said"),
    [
        ({"prise": {}}, {}, "tasks.prise.target: no column is named 'prise'; did you mean price?"),
        ({"a": {"target": "sould"}}, {}, "tasks.a.target: no column is named 'sould'; did you mean sold?"),
        (
            {"kind": {"type": "regression"}},
            {},
            "tasks.kind: the target of a regression, column 'kind', holds text, such",
        ),
        ({"kind": {"type": "binary"}}, {}, "tasks.kind: column 'kind' has 3 different values (flat, house, villa)"),
        ({"bad": {"type": "regression"}}, {}, "tasks.bad: the target of a regression, column 'bad', holds 1 infinite"),
        ({"none": {}}, {}, "tasks.none: has no label at all, 'none' is empty"),
        ({"sold": {"where": "area < 0"}}, {}, "no row with a label fulfils 'area < 0'"),
        ({"sold": {"where": "lsited == 1"}}, {}, "tasks.sold.where: no column is named 'lsited'; did you mean listed?"),
        ({"sold": {"where": "listed"}}, {}, "tasks.sold.where: 'listed' gives no true or false"),
        ({"room_b": {}}, {}, "tasks.room_b: every label in 'room_b' is 1"),
        ({"late": {}}, {"split": {"column": "part"}}, "tasks.late: no row of train has a label in 'late', in all 20"),
        ({"same": {}}, {"split": {"column": "part"}}, "tasks.same: all 20 labels of train are 0"),
        ({"price": {"loss": "cross_entropy"}}, {}, "tasks.price.loss: cross_entropy does not fit regression"),
        ({"kind": {"loss": "mse"}}, {}, "tasks.kind.loss: mse does not fit categorical"),
        ({"kind": {"primary": "auroc"}}, {}, "tasks.kind.primary: auroc is no metric of categorical"),
        ({"sold": {"primary": "auroo"}}, {}, "auroo is no metric of binary; did you mean auroc?"),
        ({"sold": {"positive": "yes"}}, {}, "tasks.sold.positive: no class is 'yes'"),
        ({"price": {"positive": 1}}, {}, "tasks.price.positive: the task is a regression"),
        (
            {"kind": {"class_weights": {"vila": 2}}},
            {},
            "tasks.kind.class_weights.vila: no class is 'vila'; did you mean",
        ),
        ({"kind": {"class_weights": {"villa": -1}}}, {}, "tasks.kind.class_weights.villa: found -1"),
        ({"kind": {"class_weights": 3}}, {}, "tasks.kind.class_weights: found 3"),
        ({"price": {"class_weights": "balanced"}}, {}, "tasks.price.class_weights: the task is a regression"),
    ],
)
def test_wrong_requests(tmp_path: Path, tasks: dict[str, Any], data: dict[str, Any], said: str) -> None:
    assert said in refused(tmp_path, tasks, data)


def test_labels_without_weight_and_constant_numbers_are_no_target(tmp_path: Path) -> None:
    frame = houses().assign(part="train", w=1.0, five=5.0)
    frame.loc[20:39, "part"], frame.loc[40:, "part"] = "val", "test"
    frame.loc[:19, "w"] = 0.0
    frame.loc[0, "w"] = 1.0
    frame.loc[0, "price"] = np.nan
    frame.loc[40:, "five"] = 6.0
    data = {"path": save(frame, tmp_path), "split": {"column": "part"}}
    with pytest.raises(RequestError, match=r"tasks.price: no row of train has a label and a weight above 0"):
        load_dataset(config({"price": {}}, **data, weight="w"))
    with pytest.raises(RequestError, match=r"tasks.five: all 20 labels of train are 5"):
        load_dataset(config({"five": {"type": "regression"}}, **data))


RANDOM = np.random.default_rng(0)
NUMBERS = [f"{v:.2f}" for v in RANDOM.normal(100, 20, ROWS)]
NO_NUMBER = "60 classes in 60 labels: is it a number in a notation of its own, or an identifier?"


@pytest.mark.parametrize(
    ("labels", "doubt", "mend"),
    [
        (
            [" ", "n/a?", *NUMBERS[2:]],
            "60 classes that are numbers such as '100.83' beside 'n/a?'",
            "'data.columns={y: {number: {}, missing: [\"n/a?\"]}}'",
        ),
        (
            [*["1", "2", "3"] * 19, "?", "?", "?"],
            "4 classes that are numbers such as '1' beside '?'",
            "'data.columns={y: {number: {}, missing: [\"?\"]}}'",
        ),
        (
            [f"CHF {v}" for v in NUMBERS],
            "60 classes that are numbers such as 'CHF 100.83'",
            "'data.columns={y: {number: {unit: CHF}}}'",
        ),
        ([f"no {v}/{v}" for v in NUMBERS], NO_NUMBER, "mend the column"),
    ],
)
def test_text_that_is_hardly_classes(tmp_path: Path, labels: list[str], doubt: str, mend: str) -> None:
    path = save(houses().assign(y=labels), tmp_path)
    with pytest.raises(RequestError) as error:
        load_dataset(config({"y": {}}, path=path))
    assert str(error.value) == (
        f"tasks.y.type: none is given for 'y', {doubt}\nset it: tasks.y.type=categorical, or {mend}"
    )
    given = load_dataset(config({"y": {"type": "categorical"}}, path=path))
    assert given.targets["y"].type == "categorical" and given.notes[0] == f"y: {doubt}"


def test_numbers_that_are_hardly_classes(tmp_path: Path) -> None:
    path = save(houses().assign(y=np.arange(ROWS) // 2 + 0.5, z=np.arange(ROWS) * 2 // 3), tmp_path)
    notes = load_dataset(config({"y": {"type": "categorical"}, "z": {"type": "categorical"}}, path=path)).notes
    assert not any(n.startswith("y: 30 classes") for n in notes)  # half as many classes as labels
    assert "z: 40 classes in 60 labels: is it a regression, or an identifier?" in notes


def test_one_class_spelt_in_two_ways(tmp_path: Path) -> None:
    frame = houses().assign(y=["nein ", "NEIN", *["ja", "nein"] * 29], z=["Ja", "ja"] * 30)
    data = load_dataset(config({"y": {}, "z": {}}, path=save(frame, tmp_path)))
    spelt, mend = (
        "values that differ only in blanks or upper and lower case",
        "if they are one, write them alike in the table",
    )
    assert data.notes[:2] == [f"y: {spelt}: 'NEIN', 'nein', 'nein '; {mend}", f"z: {spelt}: 'Ja', 'ja'; {mend}"]
    with pytest.raises(RequestError) as error:
        load_dataset(config({"y": {"type": "binary"}}, path=save(frame, tmp_path)))
    assert "has 4 different values (NEIN, ja, nein, 'nein ')" in str(error.value)


# ---------------------------------------------------------------- labels from an expression


def declared(tmp_path: Path, frame: pd.DataFrame | None = None, data: Any = None, **tasks: Any) -> Config:
    """The houses with a main task `price` and these others, all auxiliary."""
    auxiliary = {name: {"role": "auxiliary"} | settings for name, settings in tasks.items()}
    table = save(houses() if frame is None else frame, tmp_path)
    return config({"price": {"type": "regression"}} | auxiliary, path=table, **(data or {}))


def test_labels_from_arithmetic_are_a_regression(tmp_path: Path) -> None:
    frame = houses()
    data = load_dataset(declared(tmp_path, hint={"expression": "area * room_a - 2"}, few={"expression": "sold + sold"}))
    expected = (frame["area"] * frame["room_a"] - 2).to_numpy()
    hint = data.targets["hint"]
    assert (hint.type, hint.loss, hint.column, hint.classes) == ("regression", "mse", None, [])
    np.testing.assert_array_equal(hint.observed, ~np.isnan(expected))
    np.testing.assert_array_equal(hint.values, np.nan_to_num(expected))
    assert data.targets["few"].type == "regression"  # two values only, but computed
    assert {"area", "room_a", "sold"} <= {c.name for c in data.spec.columns}  # a hint may be about inputs


@pytest.mark.parametrize(
    ("settings", "kind", "classes", "expected"),
    [
        ({"expression": "area > 70 and sold == 1"}, "binary", [False, True], lambda f: (f.area > 70) & (f.sold == 1)),
        ({"expression": "room_a > 2"}, "binary", [False, True], lambda f: (f.room_a > 2).where(f.room_a.notna())),
        ({"expression": "room_a == null"}, "binary", [False, True], lambda f: f.room_a.isna()),
        ({"expression": "kind"}, "categorical", ["flat", "house", "villa"], lambda f: f.kind.factorize(sort=True)[0]),
        ({"expression": "`sold`"}, "binary", [0, 1], lambda f: f.sold),
        ({"expression": "2 * sold - 1", "type": "binary"}, "binary", [-1, 1], lambda f: f.sold),
        ({"expression": "site % 3", "type": "categorical"}, "categorical", [0, 1, 2], lambda f: f.site % 3),
        ({"expression": "area > 70", "positive": False}, "binary", [True, False], lambda f: f.area <= 70),
        ({"expression": "price > 5e5"}, "binary", [False, True], lambda f: f.price > 5e5),
    ],
)
def test_types_of_expressions(tmp_path: Path, settings: Any, kind: str, classes: list[Any], expected: Any) -> None:
    target = load_dataset(declared(tmp_path, hint=settings)).targets["hint"]
    assert (target.type, target.classes) == (kind, classes)
    values = pd.Series(expected(houses())).astype(float).to_numpy()
    np.testing.assert_array_equal(target.observed, ~np.isnan(values))
    np.testing.assert_array_equal(target.values[target.observed], values[~np.isnan(values)])


def test_where_and_controls_go_with_an_expression(tmp_path: Path) -> None:
    settings = {"expression": "area * 2", "where": "listed == 1", "train_labels": 20, "shuffle": True}
    data = load_dataset(declared(tmp_path, hint=settings))
    target, train = data.targets["hint"], data.split.train
    kept = train[target.observed[train]]
    assert len(kept) == 20 and (kept < 40).all() and not target.observed[40:].any()
    assert not np.array_equal(target.values[kept], 2 * (50 + kept))
    assert set(target.values[kept]) == set(2.0 * (50 + kept))


def test_a_main_task_that_an_input_gives_away_is_warned_of_and_a_hint_is_not(tmp_path: Path) -> None:
    frame = pd.concat([houses()] * 3, ignore_index=True).assign(x=np.random.default_rng(0).normal(size=180))
    for role, warned in (("main", True), ("auxiliary", False)):
        checked = declared(tmp_path, frame, own={"expression": "3 * x", "role": role}, data={"inputs": ["x", "area"]})
        found = [line for line in inspect(checked, load_dataset(checked)) if line.startswith("x: alone tells")]
        assert bool(found) == warned


def test_check_shows_expressions_and_bins(tmp_path: Path) -> None:
    tasks = {"hint": {"expression": "area * room_a"}, "grade": {"target": "area", "bins": [60, 90.5]}}
    text = as_text(report(declared(tmp_path, **tasks, data={"inputs": ["area", "city"]})))
    lines = {line.strip() for line in text.splitlines()}
    assert {
        "hint: expression 'area * room_a'",
        "grade: class 1 below 60, the next from there on; inner edges 60, 90.5",
        "grade: loss cross_entropy, primary metric accuracy",
        "hint, grade: auxiliary",
        "columns: grade 'area'",
    } <= lines


# ---------------------------------------------------------------- quantised labels


def test_bins_have_nearly_equally_many_labels(tmp_path: Path) -> None:
    values = np.random.default_rng(1).permutation(np.exp(np.linspace(0, 5, ROWS)))
    frame = houses().assign(y=values)
    frame.loc[:4, "y"] = np.nan
    checked = declared(tmp_path, frame, grade={"target": "y", "bins": 5})
    target = load_dataset(checked).targets["grade"]
    assert (target.type, target.classes) == ("categorical", [1, 2, 3, 4, 5])
    np.testing.assert_array_equal(target.observed, frame["y"].notna())
    assert np.bincount(target.values[5:].astype(int)).tolist() == [11] * 5
    order = frame["y"][5:].rank().to_numpy()
    np.testing.assert_array_equal(target.values[5:], (order - 1) // 11)
    row = task_facts(checked, load_dataset(checked))[1]
    ranked = np.sort(frame["y"][5:])
    assert all(ranked[11 * k - 1] < edge <= ranked[11 * k] for k, edge in enumerate(row["bins"], start=1))
    for seed in (1, 2):  # classes do not depend on the split
        again = load_dataset(
            declared(tmp_path, frame, grade={"target": "y", "bins": 5}, data={"split": {"seed": seed}})
        )
        np.testing.assert_array_equal(again.targets["grade"].values, target.values)


def test_bins_by_their_inner_edges(tmp_path: Path) -> None:
    tasks = {
        "four": {"target": "area", "bins": [60, 70.0, 100]},
        "two": {"target": "area", "bins": [80]},
        "made": {"expression": "area / 10", "bins": 2},
    }
    targets = load_dataset(declared(tmp_path, **tasks)).targets
    assert targets["four"].classes == [1, 2, 3, 4]
    np.testing.assert_array_equal(targets["four"].values, np.repeat([0, 1, 2, 3], [10, 10, 30, 10]))  # 60 is in bin 2
    assert (targets["two"].type, targets["two"].classes) == ("binary", [1, 2])
    np.testing.assert_array_equal(targets["two"].values, np.repeat([0, 1], 30))
    np.testing.assert_array_equal(targets["made"].values, np.repeat([0, 1], 30))


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"bins": 1}, "tasks.t.bins: found 1\nallowed: a whole number from 2"),
        ({"bins": []}, "tasks.t.bins: found []\nallowed: inner edges that increase"),
        ({"bins": [3, 3]}, "tasks.t.bins: found [3.0, 3.0]\nallowed: inner edges that increase"),
        ({"bins": "many"}, "tasks.t.bins: found 'many'\nallowed: a whole number or a list of numbers"),
        ({"bins": 3, "target": "kind"}, "tasks.t.bins: 'kind' holds text, such as 'flat' in data row 1"),
        ({"bins": 6, "target": "room_a"}, "tasks.t.bins: found 6, and "),
        (
            {"bins": 3, "target": "room_b"},
            "tasks.t.bins: found 3, and 1, 1 leave a bin empty, as 60 of 60 labels are 1",
        ),
        ({"bins": 3, "type": "binary"}, "tasks.t: 3 bins are 3 classes\nallowed for binary: two"),
        ({"bins": 3, "type": "regression"}, "tasks.t.bins: makes classes, and tasks.t.type is regression"),
        ({"bins": 3, "smooth": {"over": "when"}}, "tasks.t.bins: makes classes, and tasks.t.smooth gives numbers"),
        ({"bins": 3, "unit": "m"}, "tasks.t.unit: found 'm', and the task is categorical"),
        ({"expression": "area * 2", "target": "area"}, "tasks.t.expression: found 'area * 2', and tasks.t.target is"),
        ({"expression": "aera * 2"}, "tasks.t.expression: no column is named 'aera'; did you mean area?"),
        ({"expression": "exp(area)"}, "tasks.t.expression: a call is not allowed"),
        ({"expression": "city * 2"}, "tasks.t.expression: `*` needs numbers, found text"),
        ({"expression": "area / 0"}, "tasks.t: the target of a regression, expression 'area / 0', holds 60 infinite"),
        ({"expression": "3"}, "tasks.t: all 42 labels of train are 3"),
        ({"expression": "area * none"}, "tasks.t: has no label at all, 'area * none' is empty"),
        ({"smooth": {"over": "when", "window": 4}}, "tasks.t.smooth.window: found 4\nallowed: an odd number"),
        ({"smooth": {"over": "wen"}}, "tasks.t.smooth.over: no column is named 'wen'; did you mean when?"),
        ({"smooth": {"over": "city"}}, "tasks.t.smooth.over: column 'city' holds text"),
        ({"smooth": {"over": "room_a"}}, "tasks.t.smooth.over: column 'room_a' is missing in 9 rows with a label of t"),
        ({"smooth": {"window": 3}}, "tasks.t.smooth.over: missing"),
        ({"smooth": 5}, "tasks.t.smooth: found 5\nallowed: a mapping"),
        ({"smooth": {"over": "when"}, "target": "sold"}, "tasks.t.smooth: means of numbers, and the task is binary"),
        (
            {"smooth": {"over": "when"}, "type": "binary"},
            "tasks.t.smooth: means of numbers, and tasks.t.type is binary",
        ),
        ({"columns": ["area"]}, "tasks.t.columns: says what a reconstruction is about, and tasks.t.type is None"),
    ],
)
def test_wrong_declarations(tmp_path: Path, settings: Any, said: str) -> None:
    task = settings if "expression" in settings or "target" in settings else {"target": "area"} | settings
    with pytest.raises(RequestError) as error:
        load_dataset(declared(tmp_path, houses().assign(none=None), t=task))
    assert said in str(error.value) and str(error.value).count("\n") == 1
