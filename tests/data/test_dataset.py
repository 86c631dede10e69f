"""From configuration and table to arrays: inputs, targets, weights, notes, and every wrong request."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from mtlrun.check import check
from mtlrun.config import Config, DataConfig
from mtlrun.data.columns import InputSpec
from mtlrun.data.dataset import load_dataset, load_table
from mtlrun.data.targets import infer_type, task_rows
from mtlrun.errors import RequestError

NAMES = {"sharing": "hard", "graph": "none", "loss": "sum", "lr": "single"}
ROWS = 60


def config(tasks: dict[str, Any], seed: int = 0, only: list[str] | None = None, **data: Any) -> Config:
    model = {"name": "mlp", "hidden": [4], "head_hidden": [4]}
    names = {g: {"name": n} for g, n in NAMES.items()}
    tree = {"seed": seed, "tasks": tasks, "only": only, "data": data, "model": model, "optimizer": {"name": "adam"}}
    return check({**tree, **names})


def houses() -> pd.DataFrame:
    n = np.arange(ROWS)
    return pd.DataFrame(
        {
            "area": 50.0 + n,
            "when": 1.7e9 + n,
            "city": np.where(n % 3 == 0, "Ulm", "Bonn"),
            "room_a": np.where(n % 7 == 0, np.nan, n % 5),
            "room_b": 1,
            "price": 1e5 * (1 + n % 13),
            "kind": np.array(["flat", "house", "villa"])[n % 3],
            "sold": n % 2,
            "listed": (n < 40).astype(int),
            "w": 0.5 + n % 2,
            "site": n // 5,
        }
    )


@pytest.fixture
def path(tmp_path: Path) -> str:
    return save(houses(), tmp_path)


def save(frame: pd.DataFrame, folder: Path) -> str:
    frame.to_csv(folder / "t.csv", index=False)
    return str(folder / "t.csv")


TASKS: dict[str, Any] = {"price": {}, "kind": {}, "sold": {"where": "listed == 1"}}


def test_arrays(path: str) -> None:
    data = load_dataset(config(TASKS, path=path, weight="w"))
    assert [c.name for c in data.spec.columns] == ["area", "when", "city", "room_a", "room_b", "listed", "site"]
    assert data.numeric.shape == (ROWS, 6) and data.numeric.dtype == np.float32
    frame = houses()
    for j, name in enumerate(["area", "when", "room_a", "room_b", "listed", "site"]):
        column = next(c for c in data.spec.columns if c.name == name)
        raw = data.numeric[:, j].astype(np.float64) * column.scale + column.center
        np.testing.assert_allclose(raw, frame[name], rtol=1e-9, atol=1e-5)
    area, room_b = data.spec.columns[0], data.spec.columns[4]
    assert (area.center, area.scale) == (79.5, pytest.approx(np.arange(60).std()))
    assert (room_b.center, room_b.scale) == (1.0, 1.0)
    assert [c.missing for c in data.spec.columns] == [False, False, False, True, False, False, False]
    assert np.isnan(data.numeric[:, 2]).sum() == 9
    assert data.spec.columns[2].categories == ["Bonn", "Ulm"]
    assert data.codes[:4].tolist() == [[1], [0], [0], [1]] and data.codes.dtype == np.int32
    assert data.weight is not None and data.weight[:2].tolist() == [0.5, 1.5]
    assert len(data.hash) == 16 and data.notes == []


def test_targets(path: str) -> None:
    data = load_dataset(config(TASKS, path=path))
    price, kind, sold = data.targets.values()
    assert [t.type for t in data.targets.values()] == ["regression", "categorical", "binary"]
    assert [t.loss for t in data.targets.values()] == ["mse", "cross_entropy", "cross_entropy"]
    assert [t.primary for t in data.targets.values()] == ["rmse", "accuracy", "auroc"]
    np.testing.assert_allclose(price.values.mean(), 0, atol=1e-6)
    np.testing.assert_allclose(price.values.std(), 1, atol=1e-6)
    np.testing.assert_allclose(task_rows(price, np.arange(3)), [1e5, 2e5, 3e5], rtol=1e-6)
    assert kind.classes == ["flat", "house", "villa"] and kind.values[:4].tolist() == [0, 1, 2, 0]
    assert sold.classes == [0, 1] and sold.observed.sum() == 40 and (sold.values[40:] == 0).all()


def test_the_split_ignores_tasks_and_arrays_are_shared(path: str) -> None:
    one = load_dataset(config(TASKS, path=path))
    only = load_dataset(config(TASKS, path=path, only=["kind"]))
    other = load_dataset(config(TASKS, seed=1, path=path))
    assert list(only.targets) == ["kind"]
    assert [c.name for c in only.spec.columns] == [c.name for c in one.spec.columns]
    assert np.array_equal(only.split.test, one.split.test) and not np.array_equal(other.split.test, one.split.test)
    assert other.numeric is one.numeric and other.codes is one.codes
    assert other.targets["price"].values is one.targets["price"].values


def test_spec_is_plain_and_transforms_new_rows(path: str) -> None:
    spec = load_dataset(config(TASKS, path=path)).spec
    again = InputSpec.from_plain(spec.to_plain())
    assert again == spec
    new = houses().iloc[[5, 6]].assign(city=["Rom", None], area=[79.5, None])
    numbers, codes = again.transform(new)
    assert codes.tolist() == [[-1], [-2]]
    assert numbers[0, 0] == 0 and np.isnan(numbers[1, 0])
    with pytest.raises(RequestError) as error:
        again.transform(new.drop(columns=["area", "site"]).assign(aera=1))
    assert "lacks 2 of 8 input columns: 'area'; did you mean aera?, 'site'; did" in str(error.value)
    with pytest.raises(RequestError, match="column 'area' holds text, such as 'big' in row 1"):
        again.transform(new.assign(area=["big", "1"]))
    with pytest.raises(RequestError, match="column 'area' holds 1 infinite values, the first in row 2"):
        again.transform(new.assign(area=[1, np.inf]))


def test_a_category_is_the_same_as_number_or_text(tmp_path: Path) -> None:
    frame = houses().assign(code=np.where(np.arange(ROWS) == 0, "x", "7"))
    spec = load_dataset(config(TASKS, path=save(frame, tmp_path), inputs=["code"])).spec
    for sevens in ([7, 7], [7.0, np.nan], ["7", "7"]):
        assert spec.transform(pd.DataFrame({"code": sevens}))[1][0, 0] == 0


@pytest.mark.parametrize(
    ("inputs", "names"),
    [
        (["room_*"], ["room_a", "room_b"]),
        (["site", "area"], ["area", "site"]),
        (["*"], ["area", "when", "city", "room_a", "room_b", "listed", "site"]),
        (["sold", "a*"], ["area", "sold"]),
    ],
)
def test_inputs(path: str, inputs: list[str], names: list[str]) -> None:
    data = load_dataset(config(TASKS, path=path, inputs=inputs, weight="w"))
    assert [c.name for c in data.spec.columns] == names
    assert data.notes == (["sold is a target and also among the inputs"] if "sold" in names else [])


def test_default_inputs_leave_out_what_has_another_role(path: str) -> None:
    data = load_dataset(config(TASKS, path=path, weight="w", split={"by": "site"}))
    assert [c.name for c in data.spec.columns] == ["area", "when", "city", "room_a", "room_b", "listed"]
    only = load_dataset(config(TASKS, only=["kind"], path=path, inputs=["area", "sold"]))
    assert only.notes == []  # sold is no target of this run


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
        "city: 10 val and 20 test rows hold values that train has not: treated as unknown",
    ]


def test_split_by_files(tmp_path: Path) -> None:
    frame = houses()
    frame[:40].to_csv(tmp_path / "a.csv", index=False)
    frame[40:].to_parquet(tmp_path / "b.parquet")
    files = {"test": str(tmp_path / "b.parquet")}
    data = load_dataset(config(TASKS, path=str(tmp_path / "a.csv"), split={"files": files, "val": 0.25}))
    assert [len(p) for p in data.split.parts().values()] == [30, 10, 20]
    assert data.split.test.tolist() == list(range(40, 60))
    table, part = load_table(DataConfig(path=str(tmp_path / "a.csv")))
    assert part is None and len(table.frame) == 40


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
        ({"sold": {}}, {"inputs": ["roof_*"]}, "data.inputs[0]: 'roof_*' matches no column; did you mean room_"),
        ({"sold": {}}, {"inputs": ["s?ld"]}, "data.inputs[0]: 's?ld' matches only targets"),
        ({"sold": {}}, {"inputs": []}, "data.inputs: the list is empty"),
        ({"sold": {}}, {"inputs": ["bad"]}, "data.inputs: column 'bad' holds 1 infinite values, the first in row 4"),
        ({"sold": {}}, {"weight": "ww"}, "data.weight: no column is named 'ww'"),
        ({"sold": {}}, {"weight": "room_a"}, "data.weight: column 'room_a' holds nan in row 1"),
        ({"sold": {}}, {"weight": "minus"}, "data.weight: column 'minus' holds -1.0 in row 6"),
        ({"sold": {}}, {"weight": "city"}, "data.weight: column 'city' holds text, such as 'Ulm' in row 1"),
    ],
)
def test_wrong_requests(tmp_path: Path, tasks: dict[str, Any], data: dict[str, Any], said: str) -> None:
    frame = houses().assign(bad=1.5, none=None, minus=0.5, late=None, same=0, part="train")
    frame.loc[3, "bad"], frame.loc[5, "minus"] = np.inf, -1
    frame.loc[20:39, "part"], frame.loc[40:, "part"] = "val", "test"
    frame["late"] = [None] * 40 + [0.0, 1.0] * 10
    frame.loc[40:, "same"] = 1
    with pytest.raises(RequestError) as error:
        load_dataset(config(tasks, path=save(frame, tmp_path), **({"inputs": ["area"]} | data)))
    assert said in str(error.value)
    assert str(error.value).count("\n") == 1


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
