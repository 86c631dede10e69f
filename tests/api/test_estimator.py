"""The estimator: figures of the command line, scikit-learn's conventions, the user's own kinds of data."""

import json
import pickle
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
import torch
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning
from sklearn.model_selection import cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.estimator_checks import check_estimator

import mtlrun
from mtlrun import MultiTaskEstimator
from tests.commands import main

SHORT = {"trainer__max_steps": 20, "trainer__threads": 1}
# What scikit-learn checks and does not hold here -> why
EXCEPTIONS = {
    "check_sample_weight_equivalence_on_dense_data": "a row that is repeated, or has weight 0, changes the split",
}


def frame(rows: int = 120) -> pd.DataFrame:
    """Inputs of every kind, with gaps, and targets of three kinds, one of them with gaps."""
    luck = np.random.default_rng(0)
    table = pd.DataFrame({"area": luck.normal(size=rows), "rooms": luck.integers(1, 6, rows)})
    table["city"] = pd.Series(luck.choice(["Bern", "Genf"], rows)).where(luck.random(rows) > 0.1)
    table["built"] = pd.Timestamp("2020-01-01") + pd.to_timedelta(luck.integers(0, 900, rows), unit="D")
    table["my price"] = 3 * table["area"] + table["rooms"]
    table["sold"] = (table["area"] > 0).astype(object).where(luck.random(rows) > 0.2)
    table["kind"] = np.where(table["city"] == "Bern", "flat", np.where(table["rooms"] > 3, "villa", "hut"))
    return table


TARGETS = ["my price", "sold", "kind"]
OF_FIVE: dict[str, tuple[Any, dict[str, Any]]] = {
    "several kinds": (TARGETS, {}),
    "one number": (["my price"], {"model": "mlp", "lr__base": 0.01}),
    "settings": ({"my price": {"type": "regression", "loss": "huber"}, "kind": "categorical"}, {"lr": "per_head"}),
    "uncertainty": (TARGETS, {"loss": "uncertainty", "graph": "chain", "seed": 3}),
    "boosting": (["rooms", "sold"], {"model": "boosting", "model.iterations": 5}),
}


@pytest.mark.parametrize(("targets", "overrides"), OF_FIVE.values(), ids=OF_FIVE)
def test_figures_are_those_of_the_command_line_bit_for_bit(
    targets: Any, overrides: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    table, short = frame(), {} if overrides.get("model") == "boosting" else SHORT
    fitted = MultiTaskEstimator(targets, **overrides, **short).fit(table)
    table.to_parquet("t.parquet")
    tasks = {("my_price" if name == "my price" else name): name for name in targets}
    own = {name: targets[name] if isinstance(targets, dict) else {} for name in tasks.values()}
    settings = {
        task: {"target": name, **({"type": own[name]} if isinstance(own[name], str) else own[name])}
        for task, name in tasks.items()
    }
    words = ["data=table", "data.path=t.parquet", f"tasks={json.dumps(settings).replace(chr(34), '')}"]
    words += ["data.split.train=0.85", "data.split.test=0", "hydra.run.dir=run"]
    assert main([*words, *(f"{key.replace('__', '.')}={value}" for key, value in {**overrides, **short}.items())]) == 0
    assert fitted.figures_ == json.loads(Path("run/summary.json").read_text())["figures"]
    predicted = mtlrun.load("run").predict("t.parquet")
    for task, name in tasks.items():
        assert fitted.predict(table)[name].tolist() == predicted[task].tolist()
    pd.testing.assert_frame_equal(fitted.curves_, pd.read_csv("run/metrics.csv"))


def test_scikit_learns_own_checks_pass_but_for_the_listed() -> None:
    found = check_estimator(MultiTaskEstimator(**SHORT), on_fail=None, expected_failed_checks=EXCEPTIONS)
    failed = {check["check_name"]: check["exception"] for check in found if check["status"] == "failed"}
    assert not failed
    assert {check["check_name"] for check in found if check["status"] == "xfail"} == set(EXCEPTIONS)
    assert sum(check["status"] == "passed" for check in found) > 40


def test_it_leaves_nothing_behind(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    threads, table = torch.get_num_threads(), frame()
    before = table.copy()
    MultiTaskEstimator(TARGETS, **SHORT).fit(table).predict(table)
    with pytest.raises(ValueError, match=r"lr\.base"):
        MultiTaskEstimator(TARGETS, lr__base=-1.0).fit(table)
    assert list(tmp_path.iterdir()) == [] and capfd.readouterr() == ("", "")
    assert torch.get_num_threads() == threads
    pd.testing.assert_frame_equal(table, before)
    MultiTaskEstimator(TARGETS, verbose=True, **SHORT).fit(table)
    assert "checkpoint of epoch" in capfd.readouterr().err


def test_it_warns_of_a_leak_and_of_a_short_training() -> None:
    table = frame().assign(copy=lambda t: 2 * t["my price"])
    with pytest.warns(UserWarning, match="copy: alone tells my_price") as warned:
        MultiTaskEstimator(["my price"], **SHORT).fit(table)
    assert any("train longer" in str(w.message) and w.category is ConvergenceWarning for w in warned)
    assert all(w.filename == __file__ for w in warned)


def test_threads_share_stdout_and_may_fit_at_once(capsys: pytest.CaptureFixture[str]) -> None:
    table, out = frame(60), sys.stdout
    estimators = [MultiTaskEstimator(["my price"], seed=seed, **SHORT) for seed in range(4)]
    with ThreadPoolExecutor(4) as threads:
        fitted = [*threads.map(lambda estimator: estimator.fit(table), estimators)]
    assert sys.stdout is out and not out.closed
    alone = MultiTaskEstimator(["my price"], seed=3, **SHORT).fit(table)
    assert fitted[3].figures_ == alone.figures_ and alone.types_ == {"my price": "regression"}
    MultiTaskEstimator(["my price"], verbose=True, **SHORT).fit(table)
    assert "checkpoint of epoch" in capsys.readouterr().err


def test_scorers_that_need_probabilities() -> None:
    X = np.random.default_rng(0).normal(size=(120, 3))
    one = MultiTaskEstimator(**SHORT)
    assert np.isfinite(cross_val_score(one, X, X[:, 0] > 0, cv=2, scoring="roc_auc")).all()
    assert np.isfinite(cross_val_score(one, X, X[:, 0], cv=2, scoring="neg_mean_absolute_error")).all()


def test_parameters_are_those_of_scikit_learn() -> None:
    estimator = MultiTaskEstimator(["a"], loss="uncertainty", lr__base=0.01, **{"model.dropout": 0.1})
    assert estimator.get_params() == {
        "targets": ["a"],
        "seed": 0,
        "verbose": False,
        "loss": "uncertainty",
        "lr__base": 0.01,
        "model.dropout": 0.1,
    }
    copy = clone(estimator).set_params(**{"lr.base": 0.1, "seed": 2})
    assert copy.get_params()["lr__base"] == 0.1 and estimator.get_params()["lr__base"] == 0.01
    assert copy.words()[-4:] == ["seed=2", "loss=uncertainty", "lr.base=0.1", "model.dropout=0.1"]
    assert "lr__base=0.01" in repr(estimator)
    assert MultiTaskEstimator(model__hidden=(np.int64(3),)).words()[-1] == "model.hidden=[3]"


@pytest.mark.parametrize("model", [{}, {"model": "boosting", "model.iterations": 3}], ids=["net", "boosting"])
def test_it_is_pickled_and_saved(model: dict[str, Any], tmp_path: Path) -> None:
    table = frame()
    fitted = MultiTaskEstimator(TARGETS, **(model or SHORT)).fit(table)
    again = pickle.loads(pickle.dumps(fitted))
    pd.testing.assert_frame_equal(again.predict(table), fitted.predict(table))
    if model:
        with pytest.raises(ValueError, match="boosting"):
            fitted.save(tmp_path / "kept")
        return
    assert fitted.save(tmp_path / "kept") == tmp_path / "kept"
    loaded = mtlrun.load(tmp_path / "kept").predict(table)
    assert loaded["my_price"].tolist() == fitted.predict(table)["my price"].tolist()
    assert mtlrun.results(tmp_path / "kept").runs["status"].tolist() == ["completed"]
    with pytest.raises(FileExistsError):
        fitted.save(tmp_path / "kept")


def _pandas(table: pd.DataFrame) -> Any:
    return table


def _arrow(table: pd.DataFrame) -> Any:
    return pa.Table.from_pandas(table)


def _polars(table: pd.DataFrame) -> Any:
    return pytest.importorskip("polars", reason="polars is not installed").from_pandas(table)


@pytest.mark.parametrize("kind", [_pandas, _arrow, _polars])
def test_a_frame_of_any_kind_comes_back_as_its_kind(kind: Any) -> None:
    table = frame()
    given, inputs = kind(table), kind(table.drop(columns=TARGETS))
    fitted = MultiTaskEstimator(TARGETS, **SHORT).fit(given)
    predicted = fitted.predict(inputs)
    assert type(predicted) is type(given) and type(fitted.predict_interval(inputs, 0.5)) is type(given)
    reference = MultiTaskEstimator(TARGETS, **SHORT).fit(table)
    same = predicted if isinstance(predicted, pd.DataFrame) else predicted.to_pandas()
    assert same["my price"].tolist() == reference.predict(table)["my price"].tolist()
    assert fitted.predict_proba(inputs)["kind"].shape == (120, 3)
    assert fitted.classes_["kind"].tolist() == ["flat", "hut", "villa"] and "my price" not in fitted.classes_
    assert fitted.score(given) == reference.score(table.drop(columns=TARGETS), table[TARGETS])


def test_arrays_of_one_and_of_several_targets() -> None:
    luck = np.random.default_rng(0)
    X = luck.normal(size=(90, 3))
    Y = np.stack([X[:, 0], X[:, 1] + X[:, 2]], 1)
    Y[::7, 1] = np.nan  # a missing label
    several = MultiTaskEstimator(**SHORT).fit(X, Y)
    assert several.predict(X).shape == (90, 2) and several.n_features_in_ == 3 and not hasattr(several, "classes_")
    assert several.predict_interval(X, 0.5).shape == (90, 4)
    one = MultiTaskEstimator(**SHORT).fit(X, np.where(X[:, 0] > 0, "yes", "no"), sample_weight=luck.random(90))
    assert one.classes_.tolist() == ["no", "yes"] and one.predict(X).shape == (90,)
    np.testing.assert_allclose(one.predict_proba(X).sum(1), 1, atol=1e-6)
    assert one.score(X, one.predict(X)) == 1.0
    with pytest.raises(AttributeError):
        several.predict_proba(X)
    interval = MultiTaskEstimator(**SHORT).fit(X, Y[:, 0]).predict_interval(X, 0.5)
    assert interval.shape == (90, 2) and (interval[:, 0] < interval[:, 1]).all()


def test_it_works_in_a_pipeline_and_in_cross_validation() -> None:
    X = np.random.default_rng(0).normal(size=(90, 3))
    model = make_pipeline(StandardScaler(), MultiTaskEstimator(**SHORT))
    model.set_params(**{"multitaskestimator__lr__base": 0.02})
    assert cross_val_score(model, X, X[:, :2] ** 2, cv=3).shape == (3,)


@pytest.mark.parametrize(
    ("targets", "call", "words"),
    [
        (None, lambda e, t: e.fit(t), "targets is not given"),
        (["nowhere"], lambda e, t: e.fit(t), "no column is named 'nowhere'"),
        (["a", "b"], lambda e, t: e.fit(t[["area"]].to_numpy(), t[["rooms"]].to_numpy()), "targets names 2"),
        (["kind"], lambda e, t: e.fit(t, t[["kind"]]), "is a column of X too"),
        (["kind"], lambda e, t: e.fit(t[["area"]], t[["kind"]][:5]), "inconsistent"),
        (["kind"], lambda e, t: e.fit(t).predict(t[["area"]]), "columns are missing: rooms"),
        (["kind"], lambda e, t: e.fit(t.assign(mixed=[1, "b", (2,)] * 40)), "cannot be written as Parquet"),
        (["kind"], lambda e, t: e.fit(t).predict_interval(t), "none of these tasks has numbers"),
        (["kind"], lambda e, t: e.fit(t).predict_interval(t, 90), "level: found 90"),
        (["kind"], lambda e, t: e.fit(t, sample_weight=-np.ones(120)), "negative or missing weights"),
        ("kind", lambda e, t: e.fit(pd.concat([t, t[["area"]]], axis=1)), "occurs twice"),
        (["kind"], lambda e, t: e.set_params(loss="none").fit(t), "loss: found none"),
    ],
)
def test_wrong_requests_are_value_errors(targets: Any, call: Any, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        call(MultiTaskEstimator(targets, **SHORT), frame())


def test_the_command_line_in_the_same_process_finds_its_options_afterwards(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    MultiTaskEstimator(["my price"], **SHORT).fit(frame())
    option = Path("conf/data/mine.yaml")

    frame()[["area", "rooms"]].to_csv("mine.csv", index=False)
    assert main(["init", "mine.csv", "--targets", "rooms"]) == 0 and option.exists()
    assert main(["check", "data=mine"]) == 0
