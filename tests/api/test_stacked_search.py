"""The search by stacks: scores of its runs, and the interface of scikit-learn's GridSearchCV."""

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import r2_score
from sklearn.model_selection import KFold, ShuffleSplit
from sklearn.pipeline import make_pipeline

from mtlrun import MultiTaskEstimator, StackedSearchCV

GRID = {"lr.base": [0.001, 0.02], "loss": ["sum", "uncertainty"]}
SHORT = {"trainer__max_steps": 40, "trainer__threads": 1}


@pytest.fixture(scope="module")
def data() -> tuple[np.ndarray, np.ndarray]:
    X = np.random.default_rng(0).normal(size=(150, 3))
    return X, np.stack([X[:, 0] + X[:, 1], X[:, 1] * 2], 1)


def test_each_score_is_that_of_a_run_alone_on_the_fold(data: tuple[np.ndarray, np.ndarray]) -> None:
    X, Y = data
    search = StackedSearchCV(MultiTaskEstimator(**SHORT), GRID, cv=KFold(3)).fit(X, Y)
    found = search.cv_results_
    assert len(found["params"]) == 4 and found["params"][1] == {"loss": "sum", "lr.base": 0.02}
    assert search.best_params_["lr.base"] == 0.02, "20 times the rate learns more in 40 steps"
    assert search.best_score_ == found["mean_test_score"].max() == found["mean_test_score"][search.best_index_]
    assert found["rank_test_score"][search.best_index_] == 1
    # the same split by a column that the user writes
    train, test = next(KFold(3).split(X))
    part = np.full(len(X), "train", dtype=object)
    part[test] = "test"
    part[np.random.default_rng(0).permutation(train)[:15]] = "val"
    table = pd.DataFrame({"x0": X[:, 0], "x1": X[:, 1], "x2": X[:, 2], "y0": Y[:, 0], "y1": Y[:, 1], "part": part})
    alone = MultiTaskEstimator(["y0", "y1"], **SHORT, **found["params"][1], data__split__column="part").fit(table)
    expected = np.mean([r2_score(Y[test, i], alone.predict(table).iloc[test, i]) for i in range(2)])
    assert found["split0_test_score"][1] == pytest.approx(expected, abs=1e-5)
    assert search.predict(X).shape == (150, 2) and search.score(X, Y) > 0.5


def test_other_scores_and_splitters(data: tuple[np.ndarray, np.ndarray]) -> None:
    X, Y = data
    scoring = "neg_mean_absolute_error"
    search = StackedSearchCV(MultiTaskEstimator(**SHORT), {"seed": [0, 1]}, scoring=scoring, cv=3, refit=False)
    assert (search.fit(X, Y).cv_results_["mean_test_score"] < 0).all() and not hasattr(search, "best_estimator_")
    with pytest.raises(TypeError, match="takes a MultiTaskEstimator"):
        StackedSearchCV(make_pipeline(MultiTaskEstimator(**SHORT)), GRID).fit(X, Y)
    with pytest.raises(ValueError, match="neither part of a fold"):
        StackedSearchCV(MultiTaskEstimator(**SHORT), GRID, cv=ShuffleSplit(2, test_size=0.2, train_size=0.5)).fit(X, Y)
    with pytest.raises(ValueError, match=r"lr\.base"):
        StackedSearchCV(MultiTaskEstimator(**SHORT), {"lr.base": [-1.0]}, cv=3).fit(X, Y)
