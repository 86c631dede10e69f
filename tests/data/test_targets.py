"""Labels of each task type, classes and their weights, and what is no target."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from houses import ROWS, TASKS, config, houses, refused, save

from mtlrun.data.dataset import load_dataset
from mtlrun.data.targets import infer_type, task_rows
from mtlrun.errors import RequestError


def test_targets(tmp_path: Path) -> None:
    data = load_dataset(config(TASKS, path=save(houses(), tmp_path)))
    price, kind, sold = data.targets.values()
    assert [t.type for t in data.targets.values()] == ["regression", "categorical", "binary"]
    assert [t.loss for t in data.targets.values()] == ["mse", "cross_entropy", "cross_entropy"]
    assert [t.primary for t in data.targets.values()] == ["rmse", "accuracy", "auroc"]
    np.testing.assert_array_equal(task_rows(price, np.arange(3)), [1e5, 2e5, 3e5])
    assert kind.classes == ["flat", "house", "villa"] and kind.values[:4].tolist() == [0, 1, 2, 0]
    assert sold.classes == [0, 1] and sold.observed.sum() == 40 and (sold.values[40:] == 0).all()


@pytest.mark.parametrize(
    ("values", "kind"),
    [
        ([True, False, None], "binary"),
        (["yes", "no", "no"], "binary"),
        ([1.5, 2.5, 1.5], "binary"),
        (["a", "b", "c"], "categorical"),
        ([1, 2, 3, 3], "categorical"),
        ([1.0, None, 2.0, 3.0], "categorical"),
        (list(range(11)), "regression"),
        ([0.5, 1.0, 2.0], "regression"),
    ],
)
def test_infer_type(values: list[Any], kind: str) -> None:
    assert infer_type(pd.Series(values)) == kind


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
    ("labels", "doubt"),
    [
        (
            [" ", "n/a?", *NUMBERS[2:]],
            "read as 60 classes, though nearly all labels are numbers; not ' ', 'n/a?'",
        ),
        ([*["1", "2", "3"] * 19, "?", "?", "?"], "read as 4 classes, though nearly all labels are numbers; not '?'"),
        ([f"CHF {v}" for v in NUMBERS], NO_NUMBER),
        ([v.replace(".", ",") for v in NUMBERS], NO_NUMBER),
    ],
)
def test_text_that_is_hardly_classes(tmp_path: Path, labels: list[str], doubt: str) -> None:
    path = save(houses().assign(y=labels), tmp_path)
    with pytest.raises(RequestError) as error:
        load_dataset(config({"y": {}}, path=path))
    assert str(error.value) == (
        f"tasks.y.type: none is given for 'y', {doubt}\nset it: tasks.y.type=categorical, or mend the column"
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
    spelt = "classes that differ only in blanks or upper and lower case"
    assert data.notes[:2] == [f"y: {spelt}: 'NEIN', 'nein', 'nein '", f"z: {spelt}: 'Ja', 'ja'"]
    with pytest.raises(RequestError) as error:
        load_dataset(config({"y": {"type": "binary"}}, path=save(frame, tmp_path)))
    assert "has 4 different values (NEIN, ja, nein, 'nein ')" in str(error.value)
