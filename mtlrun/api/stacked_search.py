"""A grid search whose candidates train on all folds as stacks."""

import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Self

import numpy as np
import pandas as pd
from sklearn.base import clone
from sklearn.metrics import check_scoring
from sklearn.model_selection import GridSearchCV, ParameterGrid, check_cv
from sklearn.utils import _safe_indexing

from mtlrun.api.estimator import MultiTaskEstimator
from mtlrun.api.parameters import values_of
from mtlrun.api.training_table import TrainingTable, training_table
from mtlrun.api.workplace import DEFAULTS, workplace
from mtlrun.compose import compose
from mtlrun.storage.summary import read
from mtlrun.tune.setting_runs import Base, Setting, train
from mtlrun.util.errors import TrainingError

FOLD = "__fold_"
SPLIT = ("data.split.train", "data.split.val", "data.split.test")


class StackedSearchCV(GridSearchCV):
    """scikit-learn's GridSearchCV for a MultiTaskEstimator: all candidates train on all folds as few stacks.

    estimator, param_grid, scoring, refit, cv: as in GridSearchCV, with one scorer. scoring None is
    the estimator's `score`. The rows of val are drawn from the training rows of each fold, by the estimator's shares.
    Candidates that differ in rates, weights, losses and other numbers form one stack; shapes make another.

    Differs from GridSearchCV with the same estimator: val rows are others, and vocabularies of categories come from all
    rows, as they do in a sweep. `mean_fit_time` is a run's share of its stack.
    """

    def __init__(
        self,
        estimator: MultiTaskEstimator,
        param_grid: Mapping[str, Sequence[Any]] | Sequence[Mapping[str, Sequence[Any]]],
        *,
        scoring: Any = None,
        refit: bool = True,
        cv: Any = None,
        verbose: int = 0,
    ) -> None:
        super().__init__(estimator, param_grid, scoring=scoring, refit=refit, cv=cv, verbose=verbose)

    def fit(self, X: Any, y: Any = None, **params: Any) -> Self:
        """Trains every candidate on every fold, then the best on all rows. params: of the split, such as `groups`.

        Raises ValueError if the data or a candidate is wrong, and TrainingError if a candidate fails.
        """
        if not isinstance(self.estimator, MultiTaskEstimator):
            raise TypeError("StackedSearchCV takes a MultiTaskEstimator; for a Pipeline use GridSearchCV")
        table = training_table(X, y, self.estimator.targets)
        splitter = check_cv(self.cv, y, classifier=False)
        folds = [(np.asarray(train), np.asarray(test)) for train, test in splitter.split(X, y, **params)]
        candidates = list(ParameterGrid(self.param_grid))
        began = time.monotonic()
        with workplace(_with_folds(table, folds, self.estimator), bool(self.verbose)) as (folder, words):
            words += _common(self.estimator)
            runs = _train(words, folder / "search", candidates, len(folds), self.estimator.seed)
            self._score(table, runs, folds, candidates, X, y)
        self.search_time_ = time.monotonic() - began
        if self.refit:
            self.best_estimator_ = clone(self.estimator).set_params(**self.best_params_)
            began = time.monotonic()
            self.best_estimator_.fit(X, y)
            self.refit_time_ = time.monotonic() - began
        return self

    def _score(
        self,
        table: TrainingTable,
        runs: Sequence[Sequence[Path]],
        folds: Sequence[tuple[np.ndarray, np.ndarray]],
        candidates: Sequence[Mapping[str, Any]],
        X: Any,
        y: Any,
    ) -> None:
        """Sets `cv_results_` and the best candidate. runs: by candidate and fold."""
        self.scorer_ = check_scoring(self.estimator, self.scoring)
        self.multimetric_, self.n_splits_ = False, len(folds)
        scores, fit_times = np.empty((len(candidates), len(folds))), np.empty((len(candidates), len(folds)))
        for i, own in enumerate(runs):
            for k, (run, (_, test)) in enumerate(zip(own, folds, strict=True)):
                summary = read(run) or {}
                fit_times[i, k] = summary["seconds"]
                if self.scoring is None and (known := _score_of(summary)) is not None:
                    scores[i, k] = known
                    continue
                fitted = clone(self.estimator).set_params(**candidates[i])
                fitted._take(table, run)
                held = _safe_indexing(X, test), None if y is None else _safe_indexing(y, test)
                scores[i, k] = self.scorer_(fitted, *held)
        self.cv_results_ = _results(candidates, scores, fit_times)
        self.best_index_ = int(self.cv_results_["rank_test_score"].argmin())
        self.best_params_ = dict(candidates[self.best_index_])
        self.best_score_ = float(self.cv_results_["mean_test_score"][self.best_index_])


def _score_of(summary: Mapping[str, Any]) -> float | None:
    """The estimator's `score` from the summary of a run: the mean over the main tasks of r² or accuracy on test.

    None if a task has neither, as a count has not.
    """
    figures = summary["figures"]
    main = [task for task, own in summary["settings"]["tasks"].items() if own["role"] == "main"]
    found = [figures.get(f"test/{task}/accuracy", figures.get(f"test/{task}/r2")) for task in main]
    return None if None in found else float(np.mean(found))


def _common(estimator: MultiTaskEstimator) -> list[str]:
    """The words of all candidates: those of the estimator, without its shares of the split."""
    kept = [word for word in estimator.words() if word.partition("=")[0] not in SPLIT]
    return [*kept, f"data.future=['{FOLD}*']"]


def _with_folds(
    table: TrainingTable, folds: Sequence[tuple[np.ndarray, np.ndarray]], estimator: MultiTaskEstimator
) -> TrainingTable:
    """The table with a column per fold that says train, val or test of each row; empty rows are in no part."""
    shares = dict(word.split("=", 1) for word in (*DEFAULTS, *estimator.words()) if word.startswith("data.split."))
    train, val = float(shares.get(SPLIT[0], 0.85)), float(shares.get(SPLIT[1], 0.15))
    random = np.random.default_rng(estimator.seed)
    columns = {}
    for k, (rows, test) in enumerate(folds):
        part = np.full(len(table.frame), "train", dtype=object)
        part[test] = "test"
        held = random.permutation(rows)[: max(1, round(len(rows) * val / (train + val)))]
        part[held] = "val"
        outside = np.setdiff1d(np.arange(len(part)), np.concatenate([rows, test]))
        if len(outside):
            raise ValueError("cv: some rows are in neither part of a fold; use a splitter that divides all rows")
        columns[f"{FOLD}{k}"] = part
    frame = pd.concat([table.frame, pd.DataFrame(columns)], axis=1)
    return TrainingTable(**{**vars(table), "frame": frame})


def _train(
    words: Sequence[str], folder: Path, candidates: Sequence[Mapping[str, Any]], folds: int, seed: int
) -> list[list[Path]]:
    """Trains all candidates on all folds. Returns the folders of the runs, by candidate and fold."""
    base = Base(compose(words, multirun=True))
    settings = [
        Setting("", {**values_of(candidate), "data.split.column": f"{FOLD}{k}"})
        for candidate in candidates
        for k in range(folds)
    ]
    planned = base.runs(settings, [seed], {})
    train(base, folder, planned, "StackedSearchCV")
    runs = [folder / run.run for run in planned]
    for run in runs:
        if not (run / "checkpoints" / "best.pt").is_file():
            raise TrainingError(f"a candidate failed: {(run / 'run.log').read_text(encoding='utf-8')[-500:]}")
    return [runs[i * folds : (i + 1) * folds] for i in range(len(candidates))]


def _results(candidates: Sequence[Mapping[str, Any]], scores: np.ndarray, fit_times: np.ndarray) -> dict[str, Any]:
    """`cv_results_`, with the keys of scikit-learn."""
    results: dict[str, Any] = {"mean_fit_time": fit_times.mean(1), "std_fit_time": fit_times.std(1)}
    for name in dict.fromkeys(name for candidate in candidates for name in candidate):
        values = [candidate.get(name) for candidate in candidates]
        column = np.ma.MaskedArray(np.empty(len(values), dtype=object), [name not in c for c in candidates])
        column[:] = values
        results[f"param_{name}"] = column
    results["params"] = [dict(candidate) for candidate in candidates]
    for k in range(scores.shape[1]):
        results[f"split{k}_test_score"] = scores[:, k]
    mean = scores.mean(1)
    ranks = pd.Series(-mean).rank(method="min").astype(np.int32).to_numpy()
    return results | {"mean_test_score": mean, "std_test_score": scores.std(1), "rank_test_score": ranks}
