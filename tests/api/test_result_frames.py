"""`mtlrun.storage`: the files of a sweep as frames."""

from pathlib import Path

import pandas as pd
import pytest

import mtlrun
from mtlrun.util.errors import RequestError
from tests.commands import main


def test_a_sweep_as_tidy_frames(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    frame = pd.DataFrame({"x": range(40), "a": range(40), "b": [0, 1] * 20})
    frame.to_csv("t.csv", index=False)
    words = ["data=table", "data.path=t.csv", "tasks={a: {type: regression}, b: {type: binary}}"]
    sizes = ["trainer.epochs=2", "model.hidden=[4]", "trainer.tensorboard=false"]
    assert main(["-m", *words, *sizes, "loss=sum,uncertainty", "seed=0,1", "hydra.sweep.dir=s"]) == 0
    found = mtlrun.results("s")
    table = pd.read_csv("s/results.csv")
    assert found.runs["run"].tolist() == table["run"].tolist()
    assert found.runs[["loss", "seed"]].values.tolist() == table[["loss", "seed"]].values.tolist()
    assert set(found.runs["status"]) == {"completed"} and "lr.base" not in found.runs
    one = found.figures.query("split == 'test' and task == 'a' and metric == 'rmse'")
    assert one["value"].tolist() == pytest.approx(table["test/a/rmse"].tolist(), rel=1e-12)
    run = found.runs["run"][2]
    curves = found.curves[found.curves["run"] == run].drop(columns="run").reset_index(drop=True)
    stored = pd.read_csv(f"s/{run}/metrics.csv", keep_default_na=False)
    pd.testing.assert_frame_equal(curves, stored.astype({"value": float}))
    assert mtlrun.results(f"s/{run}").runs["run"].tolist() == [run]
    with pytest.raises(RequestError, match="no folder"):
        mtlrun.results("nowhere")
