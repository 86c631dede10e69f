"""Related tasks: linear ones that share a mean, a subspace or their inputs, and nonlinear ones that are close.

A row has a label of one task. A group of rows (column `group`) has one row for each task, so a split by groups
(`data.split.by`) gives every task the same number of labels. `true_weights` returns the weights behind the labels.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np


def related() -> dict[str, np.ndarray]:
    """20 regressions `t00`..`t19` on 10 inputs `x000`..`x009` whose weights are close to each other; 600 groups.

        y_t = w_t·x + ε, w_t = w₀ + 0.3 v_t          w₀, v_t, x ~ N(0, 1) in each element, ε ~ N(0, 1)

    For mean-regularised learning (Evgeniou & Pontil 2004).
    """
    return _table("related")


def low_rank() -> dict[str, np.ndarray]:
    """50 regressions `t00`..`t49` on 30 inputs `x000`..`x029` whose weights span a plane; 400 groups.

        y_t = w_t·x + 0.5 ε, (w_1 … w_50) = A B      A [30, 2], B [2, 50], x, ε ~ N(0, 1) in each element

    For the trace norm (Argyriou et al. 2007).
    """
    return _table("low_rank")


def joint_inputs() -> dict[str, np.ndarray]:
    """20 regressions `t00`..`t19` on 100 inputs `x000`..`x099` of which 5 matter, to all; 400 groups.

        y_t = w_t·x + 0.5 ε                          w_t ~ N(0, 1) in 5 elements, the same for all tasks, else 0

    For the L2,1 norm (Liu et al. 2009).
    """
    return _table("joint_inputs")


def own_inputs() -> dict[str, np.ndarray]:
    """As `joint_inputs`, but a different random set of 5 inputs matters for each task.

    For the L1 norm: the tasks have nothing to share.
    """
    return _table("own_inputs")


def close_nets() -> dict[str, np.ndarray]:
    """8 regressions `t00`..`t07` on 10 inputs `x000`..`x009`, nonlinear and close to each other; 800 groups.

        y_t = Σ_k a_k tanh((u_k + 0.5 v_tk)·x) + 0.3 ε     k = 1..6; a_k, x, ε ~ N(0, 1), u_k, v_tk ~ N(0, 1/10)

    in each element. For soft sharing: a common trunk fits no task, and a separate trunk per task has few rows.
    """
    random = np.random.default_rng(0)
    groups, tasks, inputs, units = 800, 8, 10, 6
    u, v = (random.normal(size=(n, units, inputs)) / np.sqrt(inputs) for n in (1, tasks))
    a = random.normal(size=units)
    x = random.normal(size=(groups, tasks, inputs))
    signal = np.tanh(np.einsum("gti,tki->gtk", x, u + 0.5 * v)) @ a
    return _rows(x, signal + 0.3 * random.normal(size=signal.shape))


def _shared_mean(random: np.random.Generator) -> np.ndarray:
    return random.normal(size=10) + 0.3 * random.normal(size=(20, 10))


def _plane(random: np.random.Generator) -> np.ndarray:
    return (random.normal(size=(30, 2)) @ random.normal(size=(2, 50))).T


def _same_inputs(random: np.random.Generator) -> np.ndarray:
    w = np.zeros((20, 100))
    w[:, random.permutation(100)[:5]] = random.normal(size=(20, 5))
    return w


def _own_inputs(random: np.random.Generator) -> np.ndarray:
    w = np.zeros((20, 100))
    for task in w:
        task[random.permutation(100)[:5]] = random.normal(size=5)
    return w


@dataclass(frozen=True)
class Linear:
    """A linear problem: the function that draws its weights `[T, D]`, its seed, number of groups, σ of the noise."""

    weights: Callable[[np.random.Generator], np.ndarray]
    seed: int
    groups: int
    noise: float


LINEAR = {
    "related": Linear(_shared_mean, 1, 600, 1.0),
    "low_rank": Linear(_plane, 2, 400, 0.5),
    "joint_inputs": Linear(_same_inputs, 3, 400, 0.5),
    "own_inputs": Linear(_own_inputs, 4, 400, 0.5),
}


def true_weights(name: str) -> np.ndarray:
    """The weights of a linear problem `[T, D]`, with tasks and inputs in the order of the columns."""
    problem = LINEAR[name]
    return problem.weights(np.random.default_rng(problem.seed))


def _table(name: str) -> dict[str, np.ndarray]:
    problem, w = LINEAR[name], true_weights(name)
    random = np.random.default_rng([problem.seed, 1])
    x = random.normal(size=(problem.groups, *w.shape))
    return _rows(x, (x * w).sum(2) + problem.noise * random.normal(size=x.shape[:2]))


def _rows(x: np.ndarray, y: np.ndarray) -> dict[str, np.ndarray]:
    """The table of G · T rows from inputs `[G, T, D]` and labels `[G, T]`. Each row has one label."""
    groups, tasks, inputs = x.shape
    table = {f"x{j:03d}": x[..., j].ravel() for j in range(inputs)}
    for t in range(tasks):
        table[f"t{t:02d}"] = np.where(np.arange(tasks) == t, y, np.nan).ravel()
    return table | {"group": np.repeat(np.arange(float(groups)), tasks)}
