"""`mtlrun compare --ensemble` on runs that were really trained."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import accuracy_score, mean_squared_error

import mtlrun
from mtlrun.cli.main import main
from mtlrun.compare.analyse import analyse
from mtlrun.compare.analysis.options import Options
from mtlrun.compare.collect.folders import collect
from mtlrun.compare.records import Comparison, Row
from mtlrun.data.dataset import load_dataset

WORDS = [
    "-m",
    "data=table",
    "data.inputs=[u,v]",
    "tasks={y: {}, k: {}, n: {type: count, role: auxiliary}}",
    "trainer.epochs=25",
    "trainer.batch_size=60",
    "trainer.select=last",
    "lr.base=0.01",
    "trainer.tensorboard=false",
    "model.hidden=[8]",
    "model.head_hidden=[]",
]
SWEEPS = {
    "restarts": ["loss=sum,uncertainty", "model.restart=0,1,2", "seed=0,1,2"],
    "seeds": ["data.split.seed=0", "seed=0,1,2,3", "arms=[{label: both}, {label: apart, only: '[y],[k]'}]"],
    "splits": ["seed=0,1"],
}


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Sweeps with restarts of each seed, with seeds on one split, and with a split for each seed."""
    root = tmp_path_factory.mktemp("ensembles")
    luck = np.random.default_rng(0)
    frame = pd.DataFrame(luck.normal(size=(400, 2)), columns=["u", "v"])
    frame["y"] = 40 + 10 * frame.u + 3 * luck.normal(size=400)
    frame["k"] = np.array(["a", "b", "c"])[np.digitize(frame.v + 0.5 * luck.normal(size=400), [-0.5, 0.5])]
    frame["n"] = luck.poisson(np.exp(frame.u / 2))
    frame.loc[::11, "y"] = np.nan
    frame.to_csv(root / "t.csv", index=False)
    for name, words in SWEEPS.items():
        assert main([*WORDS, *words, f"data.path={root / 't.csv'}", f"hydra.sweep.dir={root / name}"]) == 0
    return root


def compared(folder: Path, **options: object) -> Comparison:
    return analyse(collect([folder]), Options(**options))


def rows(comparison: Comparison) -> dict[str, Row]:
    return {row.label: row for row in comparison.rows}


def of_test(trained: Path, runs: list[Path]) -> tuple[pd.DataFrame, pd.DataFrame]:
    """The test rows that runs share, and the mean of their predictions, through another door."""
    models = [mtlrun.load(run, None) for run in runs]
    frame = pd.read_csv(trained / "t.csv").iloc[load_dataset(models[0].config).split.test]
    predictions = [model.predict(frame) for model in models]
    numbers = predictions[0].select_dtypes("number").columns
    return frame, pd.DataFrame({name: np.mean([p[name] for p in predictions], 0) for name in numbers}, frame.index)


def test_restarts_of_each_seed_are_an_ensemble_that_is_paired_with_the_reference(trained: Path) -> None:
    before, after = compared(trained / "restarts"), compared(trained / "restarts", ensemble=True)
    found = rows(after)
    assert [label for label in found if "ensemble" in label] != []
    for loss in ("loss=sum", "loss=uncertainty"):
        row = found[f"{loss}, ensemble of 3"]
        assert row.seeds == (0, 1, 2) and row.ensemble == 3 and row.against is not None and row.rank is None
        assert row.delta_m is not None and row.delta_m.values.keys() == {0, 1, 2}
        for seed in range(3):
            runs = sorted((trained / "restarts").glob(f"*{loss},*seed={seed}"))
            frame, mean = of_test(trained, runs)
            known = frame.y.notna()
            rmse = mean_squared_error(frame.y[known], mean.y[known]) ** 0.5
            classes = np.array(["a", "b", "c"])[mean[["k[a]", "k[b]", "k[c]"]].to_numpy().argmax(1)]
            assert len(runs) == 3 and row.figures["y"].values[seed] == pytest.approx(rmse, rel=1e-5)
            assert row.figures["k"].values[seed] == pytest.approx(accuracy_score(frame.k, classes))
        single = found[loss]
        assert single.restarts == 3 and len(single.runs) == 9 and single.seeds == (0, 1, 2)
        assert row.figures["y"].mean < single.figures["y"].mean  # the error of a mean is below the mean of the errors
    each = rows(compared(trained / "restarts", by=("loss", "model.restart")))
    for seed in range(3):
        figures = [each[f"loss=sum model.restart={i}"].figures["y"].values[seed] for i in range(3)]
        assert found["loss=sum"].figures["y"].values[seed] == pytest.approx(np.mean(figures))
    plain = {label: row for label, row in found.items() if not row.ensemble}
    assert plain == rows(before) and after.leader == before.leader and not after.findings[len(before.findings) :]


def test_seeds_on_one_split_are_one_ensemble_without_an_interval(trained: Path) -> None:
    comparison = compared(trained / "seeds", ensemble=True)
    found = rows(comparison)
    for label in ("both", "apart"):
        row = found[f"{label}, ensemble of 4"]
        assert row.seeds == () and row.against is None and row.figures["y"].low is None
        assert row.delta_m is not None and row.delta_m.low is None
        order = [row.label for row in comparison.rows]
        assert order.index(row.label) == order.index(label) + 1
    runs = [Path(run) for run in found["apart"].runs if load_only(Path(run)) == ["y"]]
    frame, mean = of_test(trained, runs)
    known = frame.y.notna()
    rmse = mean_squared_error(frame.y[known], mean.y[known]) ** 0.5
    assert len(runs) == 4 and found["apart, ensemble of 4"].figures["y"].mean == pytest.approx(rmse, rel=1e-5)


def load_only(run: Path) -> list[str]:
    return list(mtlrun.load(run, None).config.active)


def test_runs_with_different_test_rows_have_none_and_the_text_says_how(trained: Path) -> None:
    comparison = compared(trained / "splits", ensemble=True)
    assert not any(row.ensemble for row in comparison.rows)
    finding = next(finding for finding in comparison.findings if finding.condition == "ensembles")
    assert "no ensemble, its runs have different test rows; several restarts" in finding.text
    assert str(finding.command).endswith("model.restart=0,1,2,3")


def test_a_checkpoint_that_does_not_give_the_recorded_figures_is_not_averaged(
    trained: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mtlrun.compare.analysis.scores.reproduced", lambda metric, value, recorded: False)
    comparison = compared(trained / "seeds", ensemble=True)
    assert not any(row.ensemble for row in comparison.rows)
    texts = [finding.text for finding in comparison.findings if finding.condition == "ensembles"]
    assert texts and all("its checkpoint gives" in text for text in texts)


def test_the_command_shows_the_rows_and_the_notes(trained: Path, capsys: pytest.CaptureFixture[str]) -> None:
    capsys.readouterr()
    assert main(["compare", str(trained / "restarts"), "--ensemble", "-o", str(trained / "out")]) == 0
    text = capsys.readouterr().out
    assert "loss=sum, ensemble of 3" in text and "Ensemble: the mean prediction of so many runs" in text
    assert "One ensemble of all seeds" not in text
    assert "loss=sum, ensemble of 3" in (trained / "out/comparison.csv").read_text(encoding="utf-8")
