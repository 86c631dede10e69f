"""predict and export of a sweep: the mean over the runs of one setting; and the columns that predict keeps."""

import shutil
from pathlib import Path

import numpy as np
import onnxruntime
import pandas as pd
import pytest
from commands import refused

import mtlrun
from mtlrun.cli.main import main
from mtlrun.runs.ensemble import Ensemble

TASKS = "tasks={price: {unit: dollars}, year: {loss: l1}, kind: {}, sold: {}, rooms: {type: count}}"
SMALL = [
    "data=table",
    "data.path=homes.csv",
    "data.inputs=[size,town]",
    TASKS,
    "trainer.epochs=3",
    "trainer.batch_size=32",
    "trainer.threads=1",
    "trainer.tensorboard=false",
]
NETS = ["model.hidden=[6]", "model.head_hidden=[4]"]
ARMS = (
    "arms=[{label: trees, model: boosting, model.iterations: 4}, {label: apart, only: '[price],[kind]'}, {label: both}]"
)


def homes(rows: int = 160) -> pd.DataFrame:
    rng = np.random.default_rng(0)
    size, town = rng.normal(100, 30, rows), rng.choice(["Bonn", "Ulm"], rows)
    signal = (size - 100) / 30 + (town == "Bonn")
    return pd.DataFrame(
        {
            "id": [f"{i:05d}" for i in range(rows)],
            "remark": ["NA", " 1.50", 'a "b", c', ""] * (rows // 4),
            "size": size,
            "town": town,
            "price": 2e5 + 5e4 * signal,
            "year": 2000 + 3 * signal,
            "kind": np.select([signal > 1, signal > 0], ["villa", "flat"], "hut"),
            "sold": signal + rng.normal(size=rows) > 0,
            "rooms": rng.poisson(np.exp(signal / 2)),
        }
    )


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the table and three sweeps: seeds of two settings, restarts, and arms with boosting."""
    folder = tmp_path_factory.mktemp("ensembles")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        homes().to_csv("homes.csv", index=False)
        sweeps = {"seeds": [*NETS, "loss=sum,uncertainty", "seed=0,1,2"]}
        sweeps["restarts"] = [*NETS, "model.restart=0,1", "seed=0,1"]
        sweeps["arms"] = [ARMS, "seed=0,1"]
        for name, words in sweeps.items():
            assert main(["-m", *SMALL, *words, f"hydra.sweep.dir={name}"]) == 0
    return folder


@pytest.fixture
def sweeps(trained: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A copy of the trained sweeps in the working directory."""
    shutil.copytree(trained, tmp_path, dirs_exist_ok=True)
    monkeypatch.chdir(tmp_path)


@pytest.mark.parametrize(
    ("words", "pattern", "count"),
    [
        (["seeds", "loss=uncertainty"], "seeds/*loss=uncertainty*", 3),
        (["seeds", "loss=sum", "lr=single"], "seeds/*loss=sum*", 3),
        (["restarts"], "restarts/*seed*", 4),
        (["arms", "both"], "arms/*both*", 2),
        (["arms", "trees"], "arms/*trees*", 2),
    ],
)
def test_an_ensemble_predicts_the_mean_of_its_members(
    words: list[str], pattern: str, count: int, sweeps: None, capsys: pytest.CaptureFixture[str]
) -> None:
    sweep, *setting = words
    assert main(["predict", sweep, "homes.csv", *setting, "-o", "out.csv"]) == 0
    assert f"mean of {count} runs\n" in capsys.readouterr().out
    found = pd.read_csv("out.csv")
    members = [mtlrun.load(folder).predict("homes.csv") for folder in sorted(Path().glob(pattern))]
    assert len(members) == count
    for name, column in members[0].items():
        values = [member[name] for member in members]
        if column.dtype.kind == "f":
            np.testing.assert_allclose(found[name], np.mean(values, 0), rtol=1e-9)
            if "[" not in str(name):
                np.testing.assert_allclose(found[f"{name}[std]"], np.std(values, 0, ddof=1), rtol=1e-6, atol=1e-8)
        else:  # the most probable class, by the mean probabilities
            of_classes = found[[c for c in found if c.startswith(f"{name}[")]]
            assert (of_classes.columns[of_classes.to_numpy().argmax(1)] == [f"{name}[{c}]" for c in found[name]]).all()
    numbers = [name for name, column in members[0].items() if column.dtype.kind == "f" and "[" not in str(name)]
    assert [name for name in found if name.endswith("[std]")] == [f"{name}[std]" for name in numbers]


def test_single_task_nets_form_an_ensemble_with_several_members_for_each_task(sweeps: None) -> None:
    whole = mtlrun.load("arms", setting="apart")
    found = whole.predict("homes.csv")
    prices = [mtlrun.load(run).predict("homes.csv").price for run in Path("arms").glob("*apart,only=price*")]
    assert len(prices) == 2 and whole.tasks == ["price", "kind"]
    np.testing.assert_allclose(found.price, np.mean(prices, 0), rtol=1e-9)
    assert mtlrun.load("arms", ["kind"], "apart").tasks == ["kind"]


@pytest.mark.parametrize(("sweep", "setting"), [("seeds", "loss=sum"), ("restarts", ""), ("arms", "apart")])
def test_an_ensemble_is_exported_as_one_model(
    sweep: str, setting: str, sweeps: None, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["export", sweep, *setting.split(), "-o", "model.onnx"]) == 0
    assert "mean of" in (said := capsys.readouterr().out) and "parity with predict" in said
    model = mtlrun.load(sweep, setting=setting)
    frame = homes()[:20]
    session = onnxruntime.InferenceSession("model.onnx")
    raw = {"size": frame[["size"]].to_numpy(), "town": frame[["town"]].to_numpy(dtype=object)}
    found = dict(zip([o.name for o in session.get_outputs()], session.run(None, raw), strict=True))
    expected = model.predict(frame)
    for task, classes in model.classes.items():
        if classes:
            probabilities = expected[[f"{task}[{c}]" for c in classes]]
            np.testing.assert_allclose(found[f"{task} probabilities"], probabilities, atol=1e-5)
            assert list(found[task]) == list(expected[task])
        else:
            np.testing.assert_allclose(found[task], expected[task], rtol=1e-5)


def test_what_fits_no_or_several_settings_is_answered_with_them(
    sweeps: None, capsys: pytest.CaptureFixture[str]
) -> None:
    def answer(*words: str) -> str:
        return refused(["predict", *words, "-o", "out.csv"], capsys)

    both = "loss=sum, loss=uncertainty\n"
    assert answer("seeds", "homes.csv") == (f"seeds: holds 2 settings\nname one of them after the other words: {both}")
    assert answer("seeds", "homes.csv", "loss=gls") == f"loss=gls: fits no setting of seeds\nallowed: {both}"
    assert answer("seeds", "homes.csv", "lr=single") == f"lr=single: fits 2 settings of seeds\nallowed: {both}"
    run = next(Path("seeds").glob("000*"))
    assert "is no sweep" in answer(str(run), "homes.csv", "loss=sum")
    assert "no member predicts it; did you mean price?" in answer("seeds", "homes.csv", "loss=sum", "--tasks", "prize")
    assert "only networks are exported" in refused(["export", "arms", "trees", "-o", "m.onnx"], capsys)
    assert not Path("out.csv").exists() and not Path("m.onnx").exists()


def test_runs_that_are_not_completed_are_left_out_and_said(sweeps: None, capsys: pytest.CaptureFixture[str]) -> None:
    first, second, third = sorted(Path("seeds").glob("*loss=sum*"))
    for folder, status in ((first, "failed"), (second, "interrupted")):
        text = (folder / "summary.json").read_text()
        (folder / "summary.json").write_text(text.replace('"status": "completed"', f'"status": "{status}"'))
    assert main(["predict", "seeds", "homes.csv", "loss=sum", "-o", "out.csv"]) == 0
    assert "loss=sum: mean of 1 run; left out: 1 failed, 1 not finished" in capsys.readouterr().out
    assert not any(name.endswith("[std]") for name in pd.read_csv("out.csv"))  # the spread of one is not defined
    (first / "summary.json").write_text("{")
    assert main(["predict", "seeds", "homes.csv", "loss=sum", "-o", "again.csv"]) == 0
    said = capsys.readouterr().out
    assert f"left out: {first.name}: summary.json cannot be read" in said and "mean of 1 run; left out: 2 not" in said
    text = (third / "summary.json").read_text()
    (third / "summary.json").write_text(text.replace('"status": "completed"', '"status": "failed"'))
    answer = refused(["predict", "seeds", "homes.csv", "loss=sum", "-o", "none.csv"], capsys)
    assert answer == (
        "seeds: no run of loss=sum is completed (1 failed, 2 not finished)\ngo on with: mtlrun resume seeds\n"
    )


def test_members_that_disagree_are_refused(sweeps: None) -> None:
    models = [mtlrun.load(folder) for folder in sorted(Path("seeds").glob("*loss=sum*"))]
    models[1].classes = {**models[1].classes, "kind": ["hut", "villa", "flat"]}
    with pytest.raises(mtlrun.util.errors.RequestError, match="differ in the classes of kind: flat, hut, villa in a"):
        Ensemble(models[:2], ["a", "b"])


def test_kept_columns_come_first_and_unchanged(sweeps: None, capsys: pytest.CaptureFixture[str]) -> None:
    run = str(next(Path("seeds").glob("000*")))
    assert main(["predict", run, "homes.csv", "-o", "out.csv", "--keep", "remark,id"]) == 0
    found, table = (pd.read_csv(name, dtype=str, keep_default_na=False) for name in ("out.csv", "homes.csv"))
    assert list(found)[:3] == ["remark", "id", "price"]
    assert found.remark.equals(table.remark) and found.id.equals(table.id)
    table.to_parquet("homes.parquet")
    frame = homes().rename(columns={"remark": "sold[True]"})
    frame.to_csv("clash.csv", index=False)
    for given, answer in {
        ("homes.csv", "remark,Id"): "--keep: homes.csv has no column 'Id'; did you mean id?\ncolumns: id, remark, size",
        ("homes.csv", "id,id"): "--keep: id is given twice\n",
        ("homes.csv", "id,price"): "--keep: price is the name of a prediction too\n",
        ("clash.csv", "sold[True]"): "--keep: sold[True] is the name of a prediction too\n",
    }.items():
        table_name, keep = given
        assert refused(["predict", run, table_name, "-o", "no.csv", "--keep", keep], capsys).startswith(answer)
    assert not Path("no.csv").exists()
    homes().assign(at=pd.Timestamp("2021-02-03")).to_parquet("homes.parquet")
    assert main(["predict", run, "homes.parquet", "-o", "of_parquet.csv", "--keep", "id,at"]) == 0
    assert Path("of_parquet.csv").read_text().splitlines()[1].startswith("00000,2021-02-03,")
