"""A problem for deep nets."""

import numpy as np


def xor() -> dict[str, np.ndarray]:
    """The exclusive or of two signs, `y`, from two numbers; 20,000 rows.

        x uniform on {−1, 1}² + 0.1 ε, ε ~ N(0, 1)²         y = [x₀x₁ > 0]

    Simple for any net with a hidden layer whose gradient arrives. Through twelve layers of sigmoids, each of which
    makes it smaller, it does not (Hochreiter 1991; Lee et al. 2015, Deeply-Supervised Nets). 2,000 rows are trained
    on, so that shuffled labels are nearly balanced at the four points: those of 400 tell a little.
    """
    random = np.random.default_rng(0)
    signs = 2.0 * random.integers(0, 2, size=(20_000, 2)) - 1
    x = signs + 0.1 * random.normal(size=signs.shape)
    return {"x0": x[:, 0], "x1": x[:, 1], "y": (signs.prod(1) > 0).astype(float)}
