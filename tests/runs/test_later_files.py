"""Every command reads a cell as the training did: predict, resume, init_from, export and boosting."""

import json
import os
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
import yaml
from commands import main
from mixed_cells import MIXED, mixed_rows, write

import mtlrun
from mtlrun.data.reading import Reading
from mtlrun.runs.export.parity import feeds

SMALL = ["data=table", "model.hidden=[8]", "model.head_hidden=[]", "trainer.batch_size=16", "trainer.tensorboard=false"]
NEWER_SETTINGS = ("columns", "missing", "reading", "separator")  # of data, in no run of mtlrun 0.1
TASKS = "tasks={y: {type: regression}, long: {type: categorical}, codes: {}}"


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def some(rows: list[int], path: str) -> Path:
    return write({name: [cells[i] for i in rows] for name, cells in mixed_rows().items()}, Path(path))


def train(folder: str, *words: str) -> dict[str, object]:
    assert main([*SMALL, TASKS, "trainer.epochs=3", f"hydra.run.dir={folder}", *words]) == 0
    return json.loads(Path(folder, "summary.json").read_text())


def predicted(run: str, table: Path) -> pd.DataFrame:
    Path("p.csv").unlink(missing_ok=True)
    assert main(["predict", run, str(table), "-o", "p.csv"]) == 0
    return pd.read_csv("p.csv", dtype={"codes": str, "long": str})


@pytest.mark.parametrize("boosting", [False, True])
def test_predictions_of_some_rows_are_those_among_all_rows(boosting: bool) -> None:
    path = write(mixed_rows(), Path("t.csv"))
    words = ["data=table", "model=boosting", "trainer.tensorboard=false", TASKS, "hydra.run.dir=run"]
    if boosting:
        assert main([*words, f"data.path={path}"]) == 0
    else:
        train("run", f"data.path={path}")
    model = mtlrun.load("run")
    every = model.predict(model.read("t.csv"))
    assert set(every["codes"]) <= set(MIXED["codes"]) and set(every["long"]) <= {int(n) for n in MIXED["long"] if n}
    for ending in (".csv", ".csv.gz", ".parquet"):
        for rows in ([0], [3, 0], [1, 4, 2], [40, 16, 28], list(range(0, 60, 12))):
            found = model.predict(model.read(str(some(rows, f"some{ending}"))))
            expected = every.iloc[rows].reset_index(drop=True)
            pd.testing.assert_frame_equal(found, expected, check_exact=boosting, rtol=1e-5)


def test_a_resumed_run_reads_as_it_has_begun() -> None:
    files = f"data.split.files={{test: {some([1, 4], 'test.csv')}}}"
    words = [f"data.path={write(mixed_rows(), Path('t.csv'))}", files]
    whole = train("whole", *words)
    assert [whole["reading"][c]["kind"] for c in ("codes", "long", "y")] == ["text", "whole", "number"]
    shutil.copytree("whole", "parts")
    shutil.rmtree("parts/checkpoints")
    Path("parts/summary.json").write_text(json.dumps(whole | {"status": "running"}))
    assert main(["resume", "parts"]) == 0
    assert Path("whole/metrics.csv").read_text() == Path("parts/metrics.csv").read_text()
    assert predicted("parts", Path("t.csv")).equals(predicted("whole", Path("t.csv")))


def test_a_trunk_of_another_run_keeps_the_reading_of_its_inputs() -> None:
    """The new table holds the same cells in a CSV file, which does not say that the codes are text."""
    frame = pd.DataFrame({"day": pd.date_range("2020-01-01", periods=40), "bit": [True, False] * 20, "y": range(40)})
    frame.assign(code=["1", "2"] * 20).to_parquet("first.parquet")
    frame.assign(code=["1", "2"] * 20, z=range(40)).to_csv("second.csv", index=False)
    small = [*SMALL, "trainer.epochs=2", "data.inputs=[day,bit,code]"]
    words = ["data.path=first.parquet", "tasks={y: {type: regression}}", "hydra.run.dir=first"]
    assert main([*small, *words]) == 0
    words = ["data.path=second.csv", "tasks={z: {type: regression}}"]
    assert main([*small, *words, "model.init_from=first", "hydra.run.dir=second"]) == 0
    read = json.loads(Path("second/summary.json").read_text())["reading"]
    assert [read[c]["kind"] for c in ("day", "bit", "code", "z")] == ["date", "bool", "text", "number"]
    assert main([*small, *words, "hydra.run.dir=alone"]) == 0  # by itself, the CSV file says otherwise
    read = json.loads(Path("alone/summary.json").read_text())["reading"]
    assert [read[c]["kind"] for c in ("day", "bit", "code", "z")] == ["date", "bool", "number", "number"]


def test_an_exported_model_takes_the_cells_of_the_table() -> None:
    runtime = pytest.importorskip("onnxruntime")
    train("run", f"data.path={write(mixed_rows(), Path('t.csv'))}")
    assert main(["export", "run", "-o", "m.onnx"]) == 0
    model = mtlrun.load("run")
    every = model.predict(model.read("t.csv"))
    session = runtime.InferenceSession("m.onnx", providers=["CPUExecutionProvider"])
    for rows in ([0, 1], [3, 4]):
        frame = model.read(str(some(rows, "some.csv")))
        outputs = dict(
            zip([o.name for o in session.get_outputs()], session.run(None, feeds(model.spec, frame)), strict=True)
        )
        np.testing.assert_allclose(outputs["y"], every["y"].iloc[rows], rtol=1e-4)
        assert outputs["codes"].tolist() == every["codes"].iloc[rows].tolist()
        assert outputs["long"].tolist() == every["long"].iloc[rows].tolist()


def test_a_run_that_has_stored_no_reading_keeps_its_categories_apart() -> None:
    train(
        "run", f"data.path={write(mixed_rows(), Path('t.csv'))}", "data.inputs=[decimals,truths,cased,blanks,numbers]"
    )
    every = predicted("run", Path("t.csv"))
    best = Path("run/checkpoints/best.pt")
    tree = torch.load(best, weights_only=False)
    del tree["reading"]
    torch.save(tree, best)
    found = predicted("run", some([0, 1, 3], "some.csv"))
    pd.testing.assert_frame_equal(found, every.iloc[[0, 1, 3]].reset_index(drop=True), check_exact=False, rtol=1e-5)


def test_a_run_of_mtlrun_01_reads_its_table_as_it_did() -> None:
    """It took dates in CSV files for text, and NA for missing in text too; it knew no data.columns."""
    cells = {
        "day": [f"2020-01-{d:02}" for d in range(1, 21)] * 2,
        "region": ["NA", "EU"] * 20,
        "bit": ["1", "TRUE"] * 20,
    }
    path = write(cells | {"y": list(map(str, range(40)))}, Path("t.csv"))
    words = ["data=table", f"data.path={path}", "tasks={y: {type: regression}}", "trainer.tensorboard=false"]
    assert main([*words, "data.reading='0.1'", "model=boosting", "hydra.run.dir=run"]) == 0
    read = json.loads(Path("run/summary.json").read_text())["reading"]
    assert [read[c]["kind"] for c in ("day", "region", "bit", "y")] == ["text", "text", "text", "number"]
    assert "NA" in Reading.from_plain(read).columns["region"].missing
    best = Path("run/checkpoints/best.pt")
    tree = torch.load(best, weights_only=False)
    del tree["config"]["data"]["columns"], tree["config"]["data"]["reading"]
    torch.save(tree, best)
    assert main(["predict", "run", "t.csv", "-o", "p.csv"]) == 0  # fitted anew with the same losses
    assert main([*words, "model=boosting", "hydra.run.dir=new"]) == 0
    read = json.loads(Path("new/summary.json").read_text())["reading"]
    assert [read[c]["kind"] for c in ("day", "region", "bit", "y")] == ["date", "text", "number", "number"]


def as_stored_by_01(folder: Path, status: str) -> None:
    """Removes from a run, or the runs of a sweep, what mtlrun 0.1 did not store."""

    def older(config: dict[str, Any]) -> dict[str, Any]:
        return config | {"data": {k: v for k, v in config["data"].items() if k not in NEWER_SETTINGS}}

    if (folder / "sweep.json").exists():
        plan = json.loads((folder / "sweep.json").read_text())
        (folder / "sweep.json").write_text(json.dumps([job | {"config": older(job["config"])} for job in plan]))
        for job in plan:
            as_stored_by_01(folder / job["run"], status)
        return
    summary = json.loads((folder / "summary.json").read_text())
    del summary["reading"]
    summary |= {"settings": older(summary["settings"]), "status": status}
    (folder / "summary.json").write_text(json.dumps(summary))
    config = folder / ".hydra/config.yaml"
    config.write_text(yaml.safe_dump(older(yaml.safe_load(config.read_text()))))
    if status != "completed":
        shutil.rmtree(folder / "checkpoints")
        return
    tree = torch.load(folder / "checkpoints/best.pt", weights_only=False)
    tree["config"] = older(tree["config"])
    tree.pop("reading", None)
    for column in tree.get("inputs", {"columns": []})["columns"]:
        del column["cycles"], column["time"]
    torch.save(tree, folder / "checkpoints/best.pt")


@pytest.mark.parametrize("model", ["mlp", "boosting"])
def test_dates_of_parquet_in_a_run_of_mtlrun_01_stay_single_numbers(model: str) -> None:
    """In predict, resume and compare --confirm, also if trees are fitted again; today they have cycles too."""
    days = pd.date_range("2020-01-01", periods=80, freq="11D")
    pd.DataFrame({"day": days, "x": range(80), "y": np.sin(np.arange(80.0))}).to_parquet("t.parquet")
    small = SMALL if model == "mlp" else ["data=table", "trainer.tensorboard=false", "model=boosting"]
    words = [*small, "data.path=t.parquet", "tasks={y: {type: regression}}", "data.reading='0.1'"]
    assert main([*words, "hydra.run.dir=run"]) == 0
    shutil.copytree("run", "parts")
    expected = predicted("run", Path("t.parquet"))
    as_stored_by_01(Path("run"), "completed")
    assert predicted("run", Path("t.parquet")).equals(expected)
    as_stored_by_01(Path("parts"), "interrupted")
    assert main(["resume", "parts"]) == 0
    assert Path("parts/metrics.csv").read_text() == Path("run/metrics.csv").read_text()
    assert predicted("parts", Path("t.parquet")).equals(expected)
    assert main([*words, "-m", "seed=0,1", "hydra.launcher.processes=1", "hydra.sweep.dir=s"]) == 0
    before = Path("s/000_seed=0/metrics.csv").read_text()
    as_stored_by_01(Path("s"), "interrupted")
    assert main(["resume", "s"]) == 0
    assert Path("s/000_seed=0/metrics.csv").read_text() == before
    as_stored_by_01(Path("s"), "completed")
    assert main(["compare", "s", "--confirm"]) == 0
    fresh = [json.loads(path.read_text()) for path in Path("s-confirm").glob("*/summary.json")]
    assert fresh and {summary["settings"]["data"]["reading"] for summary in fresh} == {"0.1"}


def test_classes_of_a_file_without_letters_are_those_of_the_others(capsys: pytest.CaptureFixture[str]) -> None:
    grades = ["01", "02", "A1"]
    pd.DataFrame({"x": [0, 1, 2] * 13, "grade": grades * 13}).to_csv("train.csv", index=False)
    pd.DataFrame({"x": [0, 1] * 10, "grade": grades[:2] * 10}).to_csv("test.csv", index=False)
    words = [
        *SMALL,
        "data.path=train.csv",
        "data.split.files={test: test.csv}",
        "tasks={grade: {}}",
        "trainer.epochs=150",
    ]
    assert main(["check", *words]) == 0
    assert "3 classes: 01 " in capsys.readouterr().out
    assert main([*words, "trainer.epochs=150", "lr.base=0.02", "hydra.run.dir=run"]) == 0
    assert json.loads(Path("run/summary.json").read_text())["figures"]["test/grade/accuracy"] == 1


def test_names_with_blanks_around_them() -> None:
    """Also the YAML that an earlier version wrote for them, and conditions."""
    rows = "".join(f"{i % 11}, {2 * i},{'ab'[i % 2]}\n" for i in range(40))
    Path("t.csv").write_text(f"\ufeff x , y,\xa0k\n{rows}")
    assert main(["init", "t.csv", "--targets", "y,k"]) == 0
    old = [
        "data.inputs=[' x ']",
        "tasks={y: {type: regression, target: ' y', where: '` x ` > 3'}}",
        "data.split.by=' k'",
    ]
    assert main([*SMALL, "data.path=t.csv", *old, "trainer.epochs=1", "hydra.run.dir=run", "data.split.by=null"]) == 0
    assert main(["predict", "run", "t.csv", "-o", "p.csv"]) == 0


def test_names_that_differ_in_blanks_alone(capsys: pytest.CaptureFixture[str]) -> None:
    Path("t.csv").write_text("x, x,y\n1,2,3\n")
    assert main(["init", "t.csv", "--targets", "y"]) == 2
    assert "several columns named 'x'" in (said := capsys.readouterr().err) and "blanks around a name" in said


def test_a_column_and_a_folder_that_look_like_references() -> None:
    Path("${oc.env:HOME}").mkdir()
    os.chdir("${oc.env:HOME}")
    rows = "".join(f"{i},{2 * i},{i % 5}\n" for i in range(40))
    Path("t.csv").write_text(f"${{oc.env:HOME}},y,\\${{seed}}\n{rows}")
    assert main(["init", "t.csv", "--targets", "${oc.env:HOME},y"]) == 0
    words = ["data=t", *SMALL[1:], "trainer.epochs=1"]
    assert main(["check", *words]) == 0
    assert main([*words, "hydra.run.dir=run"]) == 0
    assert Path("run/run.log").stat().st_size
    assert main(["predict", "run", "t.csv", "-o", "p.csv"]) == 0
    assert main(["-m", *words, "hydra.sweep.dir=sweep", "seed=0,1", "hydra/launcher=basic"]) == 0
    assert main(["-m", *words, "hydra.sweep.dir=stacks", "seed=0,1"]) == 0
