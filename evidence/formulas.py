"""The loss strategies' weights, computed anew from their definitions for one step at a time.

Independent of mtlrun/loss/: numpy, one step, few tasks, so that problems with bounds are solved by trying every set of
bounds that may hold. L: losses `[T]`; G: the gradients' products `[T, T]`; all return weights `[T]`.
"""

import itertools
from collections.abc import Iterator

import numpy as np

Array = np.ndarray


def softmax(z: Array) -> Array:
    e = np.exp(z - z.max())
    return np.asarray(e / e.sum())


def closed_form(L: Array) -> Array:
    """Uncertainty at its optimum for Gaussian likelihoods: ½/L."""
    return np.asarray(0.5 / L)


def gls(L: Array) -> Array:
    """The gradient of (Π L)^(1/T)."""
    return np.asarray(np.exp(np.log(L).mean()) / (len(L) * L))


def inverse(L: Array) -> Array:
    return np.asarray(1 / L)


def shares(L: Array) -> Array:
    """FAMO while ξ stands at 0: 1/L, summing to 1."""
    return np.asarray(1 / L / (1 / L).sum())


def bounded_least(G: Array, lower: Array) -> Array:
    """argmin vᵀGv with v ≥ lower: the best of the solutions for every set of bounds that hold with equality."""
    best, tasks = lower, len(G)
    for free in itertools.product([True, False], repeat=tasks):
        f = np.array(free)
        v = lower.astype(float)
        if f.any():
            v[f] = np.linalg.solve(G[np.ix_(f, f)], -G[np.ix_(f, ~f)] @ lower[~f])
        if (v >= lower - 1e-12).all() and v @ G @ v < best @ G @ best:
            best = v
    return best


def dualproj(G: Array) -> Array:
    return bounded_least(G, np.full(len(G), 1 / len(G)))


def upgrad(G: Array) -> Array:
    rows = [bounded_least(G, unit / len(G)) for unit in np.eye(len(G))]
    return np.asarray(np.sum(rows, 0))


def mgda(G: Array) -> Array:
    """argmin wᵀGw over the simplex: the best of the points with equal products on a set of tasks, 0 elsewhere."""
    candidates = []
    for size in range(1, len(G) + 1):
        for some in itertools.combinations(range(len(G)), size):
            w = np.zeros(len(G))
            w[list(some)] = np.linalg.solve(G[np.ix_(some, some)], np.ones(size))
            w /= w.sum()
            if (w >= 0).all():
                candidates.append(w)
    return min(candidates, key=lambda w: float(w @ G @ w))


def impartial(G: Array) -> Array:
    """IMTL-G: G⁻¹d / |1ᵀG⁻¹d|, d the gradients' lengths."""
    w = np.linalg.solve(G, np.sqrt(G.diagonal()))
    return np.asarray(w / abs(w.sum()))


def conflict_free(G: Array) -> Array:
    """ConFIG: the direction u with the same cosine to every gradient, times Σ⟨g, u⟩."""
    w = np.linalg.solve(G, np.sqrt(G.diagonal()))
    return np.asarray(w * (G @ w).sum() / (w @ G @ w))


def aligned(G: Array) -> Array:
    values, vectors = np.linalg.eigh(G)
    return np.asarray(np.sqrt(values[0]) * vectors @ (vectors.sum(0) / np.sqrt(values)) / len(G))


def pcgrad(G: Array) -> Iterator[Array]:
    """The weights for every order in which each task may meet the others."""
    tasks = range(len(G))
    orders = [list(itertools.permutations([t for t in tasks if t != i])) for i in tasks]
    for chosen in itertools.product(*orders):
        W = np.eye(len(G))
        for i in tasks:
            for j in chosen[i]:
                W[i, j] -= min(0.0, G[j] @ W[i]) / G[j, j]
        yield W.sum(0)


def cagrad_gap(G: Array, weights: Array, c: float) -> float:
    """How far weights are from CAGrad's: they are 1/T + c‖g₀‖ w/‖g_w‖ with w on the simplex, and w minimises
    g_w·g₀ + c‖g₀‖‖g_w‖, whose slopes are then alike where w > 0 and no smaller elsewhere. Relative."""
    mean = np.full(len(G), 1 / len(G))
    w = weights - mean
    w = w / w.sum()
    length = np.sqrt(mean @ G @ mean)
    of_w = np.sqrt(w @ G @ w)
    slopes = G @ mean + c * length * (G @ w) / of_w
    level = slopes @ w
    on = w > 1e-6
    apart = max(np.abs(slopes[on] - level).max(), (level - slopes).max()) / np.abs(slopes).max()
    return float(max(apart, -w.min(), np.abs(mean + c * length * w / of_w - weights).max() / np.abs(weights).max()))
