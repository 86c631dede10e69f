"""A problem for deep nets."""

import numpy as np


def xor() -> dict[str, np.ndarray]:
    """`y` is the exclusive or of the signs of two numbers; 20,000 rows.

        x uniform on {−1, 1}² + 0.1 ε, ε ~ N(0, 1)²         y = [x₀x₁ > 0]

    Easy for any net with a hidden layer that the gradient reaches. Twelve sigmoid layers make the gradient so small
    that it does not reach the first ones (Hochreiter 1991; Lee et al. 2015, Deeply-Supervised Nets). Runs train on
    2,000 rows, so that shuffled labels are nearly balanced at the four points; with 400 they are slightly informative.
    """
    random = np.random.default_rng(0)
    signs = 2.0 * random.integers(0, 2, size=(20_000, 2)) - 1
    x = signs + 0.1 * random.normal(size=signs.shape)
    return {"x0": x[:, 0], "x1": x[:, 1], "y": (signs.prod(1) > 0).astype(float)}
