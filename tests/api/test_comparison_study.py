"""`compare` and `tune` of the estimator: what the command line says, as text, table and pictures."""

import re
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from mtlrun import MultiTaskEstimator
from mtlrun.api.comparison_study import is_better

SHORT = {"trainer__max_steps": 30, "trainer__threads": 1, "model__hidden": [8]}


@pytest.fixture
def frame() -> pd.DataFrame:
    luck = np.random.default_rng(0)
    table = pd.DataFrame(luck.normal(size=(150, 3)), columns=["u", "v", "w"])
    return table.assign(a=table["u"] + table["v"], b=np.where(table["v"] > 0, "yes", "no"))


def test_compare_of_named_settings(frame: pd.DataFrame, tmp_path: Path) -> None:
    estimator = MultiTaskEstimator(["a", "b"], **SHORT)
    named = {"slow": {"lr.base": 1e-5}, "fast": {"lr__base": 0.05, "loss": "uncertainty"}}
    study = estimator.compare(frame.drop(columns=["a", "b"]), frame[["a", "b"]], named, seeds=3)
    table = study.table.set_index("label")
    assert set(table.index) == {"slow", "fast", "trivial"} and table["seeds"]["slow"] == "0 1 2"
    assert table["a/rmse"]["fast"] < table["a/rmse"]["slow"]
    assert "nets" in str(study) and "/tmp" not in study.text
    assert repr(study) == study.text, "a notebook stores it beside the HTML"
    page = study._repr_html_()
    assert page.startswith("<p>") and "<table" in page
    assert re.findall("<th>(.*?)</th>", page) == ["label", "a/rmse", "b/auroc", "delta_m", "verdict"]
    study.save(tmp_path / "kept")
    assert {"report.html", "comparison.csv", "delta_m.png"} <= {path.name for path in (tmp_path / "kept").iterdir()}
    assert not hasattr(estimator, "run_"), "it compares, and fits nothing"


def test_tune_fits_what_is_shown_to_be_better_and_names_what_it_found(
    frame: pd.DataFrame, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    estimator = MultiTaskEstimator(["a", "b"], **SHORT)
    fixed = ["sharing", "graph", "loss", "optimizer", "model"]
    study = estimator.tune(frame, runs=4, seeds=2, space={"lr.base": [1e-5, 0.03]}, fixed=fixed)
    assert study.found["lr.base"] == 0.03, "30 times the rate is better after 30 steps"
    assert study.best == {} and "lr.base" not in estimator.get_params(), "two seeds show nothing"
    assert "tuned" in set(study.table["label"]) and list(tmp_path.iterdir()) == [] and estimator.scores(frame)["a"] < 1
    shown = study.table.assign(verdict=["better" if label == "tuned" else None for label in study.table["label"]])
    assert is_better(shown, "tuned") and not is_better(study.table, "tuned") and not is_better(shown, "none")
    assert max(map(len, repr(study).split("\n"))) <= 80


@pytest.mark.parametrize(
    ("arguments", "error", "words"),
    [
        ({"seeds": 0}, ValueError, "seeds: found 0"),
        ({"seeds": [0, 1]}, ValueError, "seeds: found"),
        ({"settings": ["loss=sum"]}, TypeError, "settings: a mapping"),
        ({"settings": {"mine": {"los": "sum"}}}, ValueError, "did you mean loss"),
    ],
)
def test_wrong_words_of_a_comparison(frame: pd.DataFrame, arguments: Any, error: type, words: str) -> None:
    with pytest.raises(error, match=words):
        MultiTaskEstimator(["a", "b"], **SHORT).compare(frame, **arguments)


def test_the_page_on_python_runs_as_it_stands(
    frame: pd.DataFrame, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    houses = frame.rename(columns={"a": "price"}).assign(sold=frame["b"] == "yes").drop(columns="b")
    houses.to_csv("houses.csv", index=False)
    houses.drop(columns=["price", "sold"]).to_csv("new.csv", index=False)
    Path("outputs/runs").mkdir(parents=True)
    code = (Path(__file__).parents[2] / "docs" / "python.md").read_text(encoding="utf-8").split("```")[1]
    code = code.removeprefix("python\n").replace("minutes=5", "runs=2, seeds=2").replace("seeds=8", "seeds=2")
    code = code.replace('loss="uncertainty"', 'loss="uncertainty", trainer__max_steps=20, model__hidden=[8]')
    known: dict[str, Any] = {}
    exec(code.replace('results("outputs/runs")', 'results("houses_model")'), known)
    assert set(known["study"].table["label"]) >= {"default", "plain sum", "alone", "boosting", "trivial"}
    assert {path.name for path in tmp_path.iterdir()} >= {"houses_model", "houses_study"}
