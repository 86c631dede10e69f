"""What predict does with rows that are unlike the training rows, and what it says of them."""

from pathlib import Path

import numpy as np
import onnxruntime
import pandas as pd
import pytest

import mtlrun
from mtlrun.cli.main import main
from mtlrun.runs.export.parity import feeds

ROWS = 60
IGNORED = "in training, so the model ignores it"


def training() -> pd.DataFrame:
    """x and day vary, and so does word; of the other inputs one half of the table, which is val and test, varies."""
    stream = np.random.default_rng(0)
    frame = pd.DataFrame({"x": stream.uniform(-1, 1, ROWS), "const": 5.0, "empty": np.nan, "gap": 2.0, "one": "a"})
    frame["blank"], frame["word"] = None, stream.choice(["u", "v"], ROWS)
    frame["day"] = pd.date_range("2020-01-01", periods=ROWS).strftime("%Y-%m-%d")
    frame["y"], frame["part"] = 3 * frame.x, ["train", "val", "train", "test"] * (ROWS // 4)
    other = frame.part != "train"
    frame.loc[other, ["const", "empty"]], frame.loc[other, ["one", "blank"]] = 7.0, "b"
    frame.loc[frame.part == "test", "gap"] = np.nan
    return frame


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    here = tmp_path_factory.mktemp("runs")
    training().to_csv(here / "t.csv", index=False)
    words = ["data=table", f"data.path={here / 't.csv'}", "tasks={y: {type: regression}}", "data.split.column=part"]
    words += ["trainer.tensorboard=false", "trainer.epochs=2", "data.inputs=[x,const,empty,gap,one,blank,word,day]"]
    small = ["model.hidden=[8]", "model.head_hidden=[]", "optimizer=adam", "lr.base=0.05"]
    assert main([*words, *small, f"hydra.run.dir={here / 'network'}"]) == 0
    assert main([*words, "model=boosting", f"hydra.run.dir={here / 'trees'}"]) == 0
    assert main(["export", str(here / "network"), "-o", str(here / "m.onnx")]) == 0
    return here


def rows(**cells: object) -> pd.DataFrame:
    """Four training rows, with these cells in their last two."""
    frame = training().query("part == 'train'").drop(columns=["y", "part"]).head(4).astype(object)
    for column, value in cells.items():
        frame.loc[frame.index[2:], column] = value
    return frame.reset_index(drop=True)


@pytest.mark.parametrize("kind", ["network", "trees", "onnx"])
@pytest.mark.parametrize(
    ("column", "value", "note"),
    [
        ("const", 9, f"const: always 5 {IGNORED}; 2 rows with another value"),
        ("const", 1e30, f"const: always 5 {IGNORED}; 2 rows with another value"),
        ("const", np.nan, None),
        ("empty", 3, f"empty: without a value {IGNORED}; 2 rows with a value"),
        ("one", "b", f"one: always 'a' {IGNORED}; 2 rows with another value"),
        ("one", "new", f"one: always 'a' {IGNORED}; 2 rows with another value"),
        ("one", None, f"one: always 'a' {IGNORED}; 2 rows with another value"),
        ("blank", "b", f"blank: without a value {IGNORED}; 2 rows with a value"),
    ],
)
def test_a_column_without_spread_in_training_changes_no_prediction(
    runs: Path, kind: str, column: str, value: object, note: str | None
) -> None:
    before, after = rows(), rows(**{column: value})
    model = mtlrun.load(runs / ("network" if kind == "onnx" else kind))
    if kind == "onnx":
        session = onnxruntime.InferenceSession(str(runs / "m.onnx"))
        found = [session.run(["y"], feeds(model.spec, model.reading.cells(frame)))[0] for frame in (before, after)]
        assert found[1].tolist() == found[0].tolist()
        return
    assert model.predict(after).equals(model.predict(before))
    assert model.notes(before) == [] and model.notes(after) == ([] if note is None else [note])


@pytest.mark.parametrize("kind", ["network", "trees"])
def test_rows_far_outside_the_range_of_training_are_counted(runs: Path, kind: str) -> None:
    model = mtlrun.load(runs / kind)
    low, high = training().query("part == 'train'").x.agg(["min", "max"])
    width = high - low
    assert model.notes(rows(x=high + 0.4 * width)) == [] == model.notes(rows(x=np.nan))
    outside = "far outside the range seen in training, where predictions are guesses"
    both = rows(x=low - width)
    both.loc[0, "day"] = "2199-03-01"
    days = "day is 2199-03-01, trained on 2020-01-01 to 2020-02-28"
    assert model.notes(both) == [f"3 rows {outside}: {days}; also x"]
    assert model.notes(rows(x=1000)) == [f"2 rows {outside}: x is 1000, trained on {low:g} to {high:g}"]


def test_predict_says_so(runs: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rows(x=1000, const=9).to_csv(runs / "new.csv", index=False)
    assert main(["predict", str(runs / "network"), str(runs / "new.csv"), "-o", str(runs / "p.csv")]) == 0
    assert [line.partition(":")[0] for line in capsys.readouterr().out.splitlines()] == [
        "const",
        "2 rows far outside the range seen in training, where predictions are guesses",
        "4 rows",
    ]
