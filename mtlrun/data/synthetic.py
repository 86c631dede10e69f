"""Tables that are generated: `data.path=synthetic:NAME`.

A problem is a function of no arguments whose table is the same wherever it is made: random numbers come from a
generator with a fixed seed, and values are rounded, so that another processor's last digit does not show. To add one,
write it (formula and sizes in its docstring) and name it in PROBLEMS.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import pandas as pd

DECIMALS = 6


def extra_data() -> dict[str, np.ndarray]:
    """Two regressions, `a` and `b`, on 30 inputs `x00`..`x29`; 100,000 rows.

        z ~ N(0, 1)³                      what lies behind a row
        x = tanh(W z) + 0.2 ε             W [30, 3] ~ N(0, 1/3)
        h = whitened tanh(2 U z + c)      U [8, 3] ~ N(0, 1/3), c ~ N(0, 1): features of unit variance, uncorrelated
        a = u·h + 0.2 ε                   u ⟂ v of length 1
        b = (0.8 u + 0.6 v)·h + 0.5 ε

    Made to tell apart what an auxiliary task brings by its labels, by its rows, and by sharing as such
    (conf/data/extra_data.yaml: 600 training rows, of which 60 have a label of `a`):

    - `b` is made of the same nonlinear features as `a`, so a trunk that has learnt b from 600 rows serves a;
    - b is another direction in them, with noise of its own, so that on the 60 rows of a it adds next to nothing;
    - 30 inputs are noisy views of three numbers, so that a trunk that reconstructs them has found the three;
    - 60 labels are too few for 30 inputs, so that all 600 would help a most of all.

    The table is a pool from which every seed draws 600 rows to train on, 600 to select by and 2,000 to test on, so
    that seeds share few rows and are close to independent.

    RMSE of `a` on test, `mtlrun experiment=extra_data data=extra_data 'seed=range(30)'` (200 steps), with the paired
    t-test against the first, corrected for shared rows: alone .463; with b on the rows of a .467 (p = .10); with b .453
    (p = 2e-4); with b shuffled .463 (p = .65); with the inputs reconstructed .458 (p = .006); alone with all labels
    .383 (p = 2e-18). The sizes were chosen so that the arms differ like that; numbers come from generator seed 0.
    """
    random = np.random.default_rng(0)
    rows, inputs, hidden, features = 100_000, 30, 3, 8
    z = random.normal(size=(rows, hidden))
    x = np.tanh(z @ random.normal(size=(hidden, inputs)) / np.sqrt(hidden)) + 0.2 * random.normal(size=(rows, inputs))
    h = np.tanh(2 * z @ random.normal(size=(hidden, features)) / np.sqrt(hidden) + random.normal(size=features))
    h = (h - h.mean(0)) @ np.linalg.cholesky(np.linalg.inv(np.cov(h.T)))
    u, v = np.linalg.qr(random.normal(size=(features, 2)))[0].T
    table = {f"x{j:02d}": x[:, j] for j in range(inputs)}
    table["a"] = h @ u + 0.2 * random.normal(size=rows)
    table["b"] = h @ (0.8 * u + 0.6 * v) + 0.5 * random.normal(size=rows)
    return table


def gradnorm() -> dict[str, np.ndarray]:
    """Ten regressions `t00`..`t09` on 250 inputs `x000`..`x249`, that differ in scale by up to 100; 16,000 rows.

        y_i = σ_i tanh((b + e_i)·x)      b ~ N(0, 10), e_i ~ N(0, 3.5), x ~ N(0, 1/250), in each of 250 elements
        σ_i = 100^(i/9)                  1, 1.7, 2.8, 4.6, 7.7, 12.9, 21.5, 35.9, 59.9, 100

    The synthetic problem of GradNorm (Chen et al., ICML 2018, section 4). Each task shares b with the others and has a
    direction e_i of its own; a squared error is up to 10⁴ times another. N(0, 10) is read as a variance of 10.

    Changed from the paper: one output per task in place of 100; the paper shows its ten σ in a figure only, so that
    here they are equally far apart on a logarithmic scale; and it does not say how x is distributed: with a variance
    of 1/250 the argument of tanh has one of 13.5, which bends it well but leaves more of it than a sign.
    """
    random = np.random.default_rng(0)
    rows, inputs, tasks = 16_000, 250, 10
    x = random.normal(size=(rows, inputs)) / np.sqrt(inputs)
    b = np.sqrt(10) * random.normal(size=inputs)
    e = np.sqrt(3.5) * random.normal(size=(inputs, tasks))
    y = 100 ** (np.arange(tasks) / (tasks - 1)) * np.tanh(x @ (b[:, None] + e))
    return {f"x{j:03d}": x[:, j] for j in range(inputs)} | {f"t{i:02d}": y[:, i] for i in range(tasks)}


def point() -> dict[str, np.ndarray]:
    """1,000 rows of one column, 0 and 1 by turns: what model=point, which reads no row, takes its batches from."""
    return {"x": np.arange(1000.0) % 2}


PROBLEMS: dict[str, Callable[[], dict[str, np.ndarray]]] = {
    "extra_data": extra_data,
    "gradnorm": gradnorm,
    "point": point,
}


def synthetic_table(name: str) -> "pd.DataFrame":
    """The table of a problem, all numbers float64, with 6 decimals."""
    import pandas as pd

    columns = PROBLEMS[name]()
    return pd.DataFrame({column: np.round(values, DECIMALS) + 0.0 for column, values in columns.items()})  # no -0.0
