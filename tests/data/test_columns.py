"""Which columns are inputs, and how cells become numbers and codes."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from houses import ROWS, TASKS, config, houses, refused, save

from mtlrun.data.columns import MISSING, InputSpec
from mtlrun.data.dataset import load_dataset
from mtlrun.data.table import read_table
from mtlrun.runs.preview import report
from mtlrun.util.errors import RequestError
from mtlrun.util.printed_sections import as_text


@pytest.fixture
def path(tmp_path: Path) -> str:
    return save(houses(), tmp_path)


def test_spec_is_plain_and_transforms_new_rows(path: str) -> None:
    spec = load_dataset(config(TASKS, path=path)).spec
    again = InputSpec.from_plain(spec.to_plain())
    assert again == spec
    new = houses().iloc[[5, 6]].assign(city=["Rom", None], area=[79.5, None])
    numbers, codes = again.transform(new)
    assert codes.tolist() == [[-1], [-2]]
    assert numbers[0, 0] == 79.5 and np.isnan(numbers[1, 0])
    with pytest.raises(RequestError) as error:
        again.transform(new.drop(columns=["area", "site"]).assign(aera=1))
    assert "lacks 2 of 8 input columns: 'area'; did you mean aera?, 'site'; did" in str(error.value)
    with pytest.raises(RequestError, match="column 'area' holds text, such as 'big' in data row 1"):
        again.transform(new.assign(area=["big", "1"]))
    with pytest.raises(RequestError, match="column 'area' holds 1 infinite values, the first in data row 2"):
        again.transform(new.assign(area=[1, np.inf]))
    with pytest.raises(RequestError, match="column 'area' holds values as large as 2e\\+31"):
        again.transform(new.assign(area=[1, -2e31]))


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
    assert [note.partition(":")[0] for note in data.notes] == (
        ["sold is a target and also among the inputs"] if "sold" in names else []
    )


def test_default_inputs_leave_out_what_has_another_role(path: str) -> None:
    data = load_dataset(config(TASKS, path=path, weight="w", split={"by": "site"}))
    assert [c.name for c in data.spec.columns] == ["area", "when", "city", "room_a", "room_b", "listed"]
    only = load_dataset(config(TASKS, only=["kind"], path=path, inputs=["area", "sold"]))
    assert only.notes == []  # sold is no target of this run


@pytest.mark.parametrize(
    ("data", "said"),
    [
        ({"inputs": ["roof_*"]}, "data.inputs[0]: 'roof_*' matches no column; did you mean room_"),
        ({"inputs": ["s?ld"]}, "data.inputs[0]: 's?ld' matches only targets"),
        ({"inputs": []}, "data.inputs: the list is empty"),
        ({"inputs": ["bad"]}, "data.inputs: column 'bad' holds 1 infinite values, the first in data row 4"),
    ],
)
def test_wrong_requests(tmp_path: Path, data: dict[str, Any], said: str) -> None:
    assert said in refused(tmp_path, {"sold": {}}, data)


def test_weight_and_split_columns_are_never_inputs(tmp_path: Path) -> None:
    frame = houses().assign(part=np.repeat(["train", "val", "test"], ROWS // 3))
    named = {"inputs": ["area", "w", "site", "part"], "weight": "w", "path": save(frame, tmp_path)}
    data = load_dataset(config(TASKS, **named, split={"by": "site"}))
    assert [c.name for c in data.spec.columns] == ["area", "part"]
    assert data.notes == [
        "w: left out of the inputs, as it holds the row weights",
        "site: left out of the inputs, as it holds the groups of the split",
    ]
    data = load_dataset(config(TASKS, **named, split={"column": "part"}))
    assert [c.name for c in data.spec.columns] == ["area", "site"]
    assert data.notes[1] == "part: left out of the inputs, as it says which part of the split a row is in"
    with pytest.raises(RequestError, match=r"data\.inputs: only split, group and weight columns are named"):
        load_dataset(config(TASKS, path=named["path"], inputs=["w"], weight="w"))


def test_columns_of_the_future_are_never_inputs(path: str) -> None:
    tasks = TASKS | {"later": {"target": "room_a", "type": "regression"}, "both": {"expression": "room_b + when > 2e9"}}
    data = load_dataset(config({n: tasks[n] for n in ("price", "later")}, path=path, future=["room_*", "when"]))
    assert [c.name for c in data.spec.columns] == ["area", "city", "kind", "sold", "listed", "w", "site"]
    known = load_dataset(config({"price": {}}, path=path, inputs=["area", "s*"], future=["room_*"]))
    assert [c.name for c in known.spec.columns] == ["area", "sold", "site"]
    shown = as_text(report(config({"price": {}}, path=path, inputs=["area"], future=["when", "room_*"])))
    assert "not known when predicting, and never inputs: when, room_a, room_b" in shown


def test_check_counts_the_missing_cells_of_inputs(tmp_path: Path) -> None:
    frame = houses()
    gaps = {name: int(frame[name].isna().sum()) for name in frame}
    frame.loc[:1, "city"] = None
    said = as_text(report(config({"price": {}}, path=save(frame, tmp_path), inputs=["area", "city", "room_*"])))
    assert f"  missing cells in 2 inputs: room_a {gaps['room_a']}, city 2\n" in said
    whole = as_text(report(config({"price": {}}, path=save(frame, tmp_path), inputs=["area"])))
    assert "missing cells" not in whole


@pytest.mark.parametrize(
    ("inputs", "future", "left", "noted"),
    [
        (["area", "when"], ["when"], ["area"], ["when"]),
        (["area", "when", "room_a"], ["room_*", "when"], ["area"], ["when", "room_a"]),
        (["area", "room_*"], ["room_a"], ["area", "room_b"], []),
        (["area", "price"], ["price"], ["area"], ["price"]),
    ],
)
def test_the_future_leaves_columns_out_of_named_inputs(
    path: str, inputs: list[str], future: list[str], left: list[str], noted: list[str]
) -> None:
    """The remedy of a leak works with a YAML of `init`, which names every input."""
    data = load_dataset(config({"price": {}}, path=path, inputs=inputs, future=future))
    assert [c.name for c in data.spec.columns] == left
    why = ": left out of the inputs, as it is not known when predicting (data.future)"
    assert [n.removesuffix(why) for n in data.notes if n.endswith(why)] == noted


@pytest.mark.parametrize(
    ("data", "said"),
    [
        ({"inputs": ["when"], "future": ["when"]}, "data.inputs: data.future names every column that is left"),
        ({"inputs": ["room_*"], "future": ["*"]}, "data.inputs: data.future names every column that is left"),
        ({"inputs": ["price"], "future": ["price"]}, "data.inputs: data.future names every column that is left"),
        ({"future": ["wehn"]}, "data.future[0]: 'wehn' matches no column; did you mean when?"),
        ({"future": "when"}, "data.future: found 'when'\nallowed: a list of texts: [..., ...] or null"),
    ],
)
def test_wrong_futures(tmp_path: Path, data: dict[str, Any], said: str) -> None:
    assert said in refused(tmp_path, {"price": {}}, data)


HIDING: dict[str, Any] = {"price": {}, "rooms": {"type": "reconstruction", "columns": ["room_*", "city"]}}


def test_columns_to_reconstruct_are_encoded_and_no_inputs(path: str) -> None:
    data = load_dataset(config(HIDING, path=path, inputs=["area", "city", "room_b", "site"], future=["room_a"]))
    assert [c.name for c in data.spec.inputs] == ["area", "site"]
    assert [c.name for c in data.spec.hidden] == ["city", "room_a", "room_b"] and data.spec.width == 2
    assert data.notes == [f"{c}: left out of the inputs, as it is for rooms to reconstruct" for c in ("city", "room_b")]
    assert data.classes()["rooms"] == 2 + 2 + 1  # two cities; a number and its gaps; a number
    alone = load_dataset(config(HIDING, path=path, inputs=["area", "city", "room_b", "site"], only=["price"]))
    # an arm without the task, and a first stage with it, have the same trunk and the same encoder
    assert alone.spec == data.spec and alone.reconstructed == {}
    new = houses().iloc[:3][["site", "area"]]
    numbers, codes = InputSpec.from_plain(data.spec.to_plain()).transform(new)
    np.testing.assert_array_equal(numbers[:, :2], new[["area", "site"]])
    assert np.isnan(numbers[:, 2:]).all() and (codes == MISSING).all()


@pytest.mark.parametrize(
    ("task", "data", "said"),
    [
        ({"columns": []}, {}, "tasks.t.columns: the list is empty"),
        ({"columns": ["roof"]}, {}, "tasks.t.columns[0]: 'roof' matches no column; did you mean room"),
        ({"columns": ["w"]}, {"weight": "w"}, "tasks.t.columns: w holds the row weights"),
        ({"columns": ["p*"]}, {}, "tasks.t.columns: price is the target of price"),
        ({"columns": ["area"]}, {"inputs": ["area"]}, "data.inputs: every column that is named is hidden"),
    ],
)
def test_wrong_columns_to_reconstruct(tmp_path: Path, task: Any, data: Any, said: str) -> None:
    assert said in refused(tmp_path, {"price": {}, "t": {"type": "reconstruction"} | task}, data)


def dated() -> pd.DataFrame:
    days = pd.Series(pd.date_range("2020-01-01", periods=ROWS - 1))
    return houses().assign(day=pd.concat([days, pd.Series([pd.Timestamp("9999-12-31")])], ignore_index=True))


def test_dates_may_be_text_at_prediction(tmp_path: Path) -> None:
    frame = dated()
    frame.to_parquet(tmp_path / "t.parquet")
    spec = load_dataset(config(TASKS, path=str(tmp_path / "t.parquet"), inputs=["area", "day"])).spec
    assert [c.date for c in spec.columns] == [False, True]
    frame.to_csv(tmp_path / "t.csv", index=False)
    text = read_table(tmp_path / "t.csv").assign(day=frame["day"].astype("str"))
    assert text["day"].iloc[0] == "2020-01-01" and text["day"].iloc[-1] == "9999-12-31"
    np.testing.assert_array_equal(spec.transform(text)[0], spec.transform(frame)[0])
    written = ["1970-01-02", "1970-01-01T12:00:00", "1970-01-01 12:00:00+12:00", None]
    numbers = spec.transform(pd.DataFrame({"area": 1.0, "day": written}))[0][:, 1]
    np.testing.assert_array_equal(numbers, [1, 0.5, 0, np.nan])
    for odd in ("22.09.2020", 20200922):
        new = pd.DataFrame({"area": [1.0, 2.0], "day": [None, odd]})
        with pytest.raises(RequestError) as error:
            spec.transform(new)
        assert "data.inputs: column 'day' holds dates in training, but" in str(error.value)
        assert "in data row 2 (header not counted)\nallowed: dates such as 2020-09-22" in str(error.value)
    assert np.isnan(spec.transform(pd.DataFrame({"area": [1.0], "day": [None]}))[0][0, 1])


def test_columns_stored_before_there_were_dates_are_read(tmp_path: Path) -> None:
    dated().to_parquet(tmp_path / "t.parquet")
    spec = load_dataset(config(TASKS, path=str(tmp_path / "t.parquet"))).spec
    plain = spec.to_plain()
    for column in plain["columns"]:
        del column["date"], column["cycles"]
    old = InputSpec.from_plain(plain)
    assert not any(c.date for c in old.columns)
    days = [place.start for place in spec.places]
    np.testing.assert_array_equal(old.transform(dated())[0], spec.transform(dated())[0][:, days])
