"""A grid search with cross-validation: StackedSearchCV beside scikit-learn's GridSearchCV of its own MLPRegressor.

    python benchmarks/grid_search.py --repeats 3             # 27 candidates x 5 folds, 1,000 rows, two targets

Both train the same grid (rate, weight decay, momentum of Adam), layers (64, 64), batches (64 rows), optimiser (Adam),
as many steps, without early stopping, on all cores, in turn. MLPRegressor has one net for both targets, too. Ours
also evaluates val every epoch, selects by it, and writes the files of a sweep into a temporary folder.
"""

import argparse
import os
import statistics
import time
import warnings

os.environ["OMP_NUM_THREADS"] = "1"  # before torch loads

import numpy as np
from sklearn.exceptions import ConvergenceWarning
from sklearn.model_selection import GridSearchCV
from sklearn.neural_network import MLPRegressor

from mtlrun import MultiTaskEstimator, StackedSearchCV

RATES, DECAYS, BETAS = [3e-4, 1e-3, 3e-3], [1e-4, 1e-3, 1e-2], [0.8, 0.9, 0.95]
BATCH, FOLDS = 64, 5


def data(rows: int) -> tuple[np.ndarray, np.ndarray]:
    """Inputs [N, 10] and two related targets [N, 2]."""
    luck = np.random.default_rng(0)
    X = luck.normal(size=(rows, 10))
    shared = np.sin(2 * X[:, 0]) + X[:, 1] * X[:, 2]
    return X, np.stack([shared + X[:, 3], shared - X[:, 4]], 1) + 0.3 * luck.normal(size=(rows, 2))


def ours(X: np.ndarray, Y: np.ndarray, epochs: int) -> float:
    """Seconds of the search by stacks."""
    plain = {"model": "mlp", "model.hidden": [64, 64], "model.head_hidden": [], "optimizer": "adam"}
    length = {"trainer.epochs": epochs, "trainer.batch_size": BATCH, "trainer.patience": None}
    schedule = {"lr.schedule": "constant", "trainer.evaluate_every": None}
    grid = {"lr.base": RATES, "optimizer.weight_decay": DECAYS, "optimizer.betas": [[beta, 0.999] for beta in BETAS]}
    search = StackedSearchCV(MultiTaskEstimator(**plain, **length, **schedule), grid, cv=FOLDS, refit=False)
    began = time.perf_counter()
    search.fit(X, Y)
    print(f"  mtlrun: best r2 {search.best_score_:.3f} with {search.best_params_}", flush=True)
    return time.perf_counter() - began


def theirs(X: np.ndarray, Y: np.ndarray, epochs: int) -> float:
    """Seconds of scikit-learn's search."""
    net = MLPRegressor(
        hidden_layer_sizes=(64, 64),
        batch_size=BATCH,
        max_iter=epochs,
        n_iter_no_change=epochs + 1,
        tol=0.0,
        random_state=0,
    )
    grid = {"learning_rate_init": RATES, "alpha": DECAYS, "beta_1": BETAS}
    search = GridSearchCV(net, grid, cv=FOLDS, refit=False, n_jobs=-1, scoring="r2")
    began = time.perf_counter()
    search.fit(X, Y)
    print(f"  scikit-learn: best r2 {search.best_score_:.3f} with {search.best_params_}", flush=True)
    return time.perf_counter() - began


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--rows", type=int, default=1000)
    parser.add_argument("--epochs", type=int, default=50)
    parser.add_argument("--repeats", type=int, default=3)
    args = parser.parse_args()
    warnings.simplefilter("ignore", ConvergenceWarning)
    X, Y = data(args.rows)
    pairs = [(ours(X, Y, args.epochs), theirs(X, Y, args.epochs)) for _ in range(args.repeats)]
    for a, b in pairs:
        print(f"mtlrun {a:.1f} s, scikit-learn {b:.1f} s: {b / a:.2f} x")
    print(f"median {statistics.median(b / a for a, b in pairs):.2f} x")


if __name__ == "__main__":
    main()
