"""A run whose columns are declared: predictions from files in the notation, from frames, and of the exported model."""

from pathlib import Path

import numpy as np
import onnxruntime
import pandas as pd
import pytest

import mtlrun
from mtlrun.cli.main import main

NUMBER = '{number: {decimal: ",", unit: "%"}, missing: ["-"]}'
COLUMNS = f'data.columns={{z: {NUMBER}, day: {{date: "%d.%m.%Y"}}, at: {{time: "%H:%M"}}}}'
WORDS = [
    "data.path=t.csv",
    "data=table",
    "tasks={y: {type: regression}}",
    COLUMNS,
    "trainer.epochs=3",
    "model.hidden=[8]",
    "model.head_hidden=[4]",
    "trainer.tensorboard=false",
    "trainer.threads=1",
]


def table() -> pd.DataFrame:
    n = np.arange(400)
    days = pd.Timestamp("2019-05-04") + pd.to_timedelta(n * 3, unit="D")
    values = (n * 37 % 60) / 4
    return pd.DataFrame(
        {
            "z": [("-" if v == 3 else f"{v} %".replace(".", ",")) for v in values],
            "day": days.strftime("%d.%m.%Y"),
            "at": [f"{i * 7 % 24}:{i * 13 % 60:02}" for i in n],
            "city": np.array(["NA", "EU", "US"])[n % 3],
            "y": values + np.sin(2 * np.pi * n * 3 / 365),
        }
    )


@pytest.mark.parametrize("model", ["mlp", "boosting"])
def test_predictions_do_not_depend_on_how_a_file_is_cut(
    model: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    frame = table()
    frame.to_csv("t.csv", index=False)
    more = ["model=boosting", "model.iterations=5"] if model == "boosting" else []
    words = [w for w in WORDS if not (more and w.startswith(("model.", "trainer.epochs")))]
    assert main([*words, *more, "hydra.run.dir=run"]) == 0
    assert "values, as their column is text: city 'NA' in 134 cells" in capsys.readouterr().out
    assert main(["predict", "run", "t.csv", "-o", "all.csv"]) == 0
    expected = pd.read_csv("all.csv")["y"].to_numpy()
    frame.drop(columns="y").iloc[[12, 5]].to_csv("some.csv", index=False)
    assert main(["predict", "run", "some.csv", "-o", "few.csv"]) == 0
    np.testing.assert_allclose(pd.read_csv("few.csv")["y"], expected[[12, 5]], rtol=1e-6)
    predictor = mtlrun.load("run")
    np.testing.assert_allclose(predictor.predict(frame.iloc[[12, 5]])["y"], expected[[12, 5]], rtol=1e-6)
    # the numbers, dates and times themselves are read too
    plain = frame.assign(
        z=pd.to_numeric(frame.z.str.removesuffix(" %").str.replace(",", "."), errors="coerce"),
        day=pd.to_datetime(frame.day, format="%d.%m.%Y"),
        at=pd.to_datetime(frame["at"], format="%H:%M").dt.time,
    )
    plain.to_parquet("plain.parquet")
    assert main(["predict", "run", "plain.parquet", "-o", "plain_out.csv"]) == 0
    np.testing.assert_allclose(pd.read_csv("plain_out.csv")["y"], expected, rtol=1e-6)
    frame.assign(z="3.x").to_csv("bad.csv", index=False)
    capsys.readouterr()
    assert main(["predict", "run", "bad.csv", "-o", "bad_out.csv"]) == 2
    assert (
        "data.columns.z: '3.x' in data row 1 (header not counted) is no number written as {number: "
        in capsys.readouterr().err
    )
    assert not Path("bad_out.csv").exists()
    if model == "mlp":
        assert main(["export", "run", "-o", "model.onnx"]) == 0
        session = onnxruntime.InferenceSession("model.onnx", providers=["CPUExecutionProvider"])
        days = (plain.day - pd.Timestamp(0)) / pd.Timedelta(days=1)
        hours = [t.hour + t.minute / 60 for t in plain["at"]]
        feed = {"z": plain.z, "day": days, "at": hours, "city": frame.city.astype(object)}
        (found,) = session.run(None, {k: np.asarray(v).reshape(-1, 1) for k, v in feed.items()})
        np.testing.assert_allclose(found.ravel(), expected, rtol=1e-4, atol=1e-4)


def test_a_wrong_cell_of_new_rows_is_to_be_corrected_as_predict_takes_no_setting(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    pd.DataFrame({"age": range(60), "y": range(60)}).to_csv("t.csv", index=False)
    assert main([word for word in WORDS if not word.startswith("data.columns")] + ["hydra.run.dir=run"]) == 0
    pd.DataFrame({"age": [*map(str, range(40)), "abc"]}).to_csv("new.csv", index=False)
    capsys.readouterr()
    assert main(["predict", "run", "new.csv", "-o", "none.csv"]) == 2
    said = capsys.readouterr().err
    assert "'age' holds text, such as 'abc'" in said and "correct the cell" in said and "data.columns" not in said
