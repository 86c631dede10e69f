"""A generated problem, and what labels of the type duration must be. No torch."""

import numpy as np


def visits() -> dict[str, np.ndarray]:
    """A duration `minutes` and a regression `amount` on 6 inputs `x0`..`x5`; 2,000 rows.

    x ~ N(0, 1)⁶        h = tanh(U x)                U [2, 6] ~ N(0, 1/4)
    minutes = exp(0.5 + h₁ + h₂ + 0.3 ε)
    amount = h₁ − h₂ + 0.3 ε
    """
    random = np.random.default_rng(0)
    x = random.normal(size=(2_000, 6))
    h = np.tanh(x @ random.normal(size=(6, 2)) / 2)
    table = {f"x{j}": x[:, j] for j in range(6)}
    table["minutes"] = np.exp(0.5 + h.sum(1) + 0.3 * random.normal(size=len(x)))
    table["amount"] = h[:, 0] - h[:, 1] + 0.3 * random.normal(size=len(x))
    return table


def above_0(labels: np.ndarray) -> np.ndarray:
    """Which of the labels [N] may be durations, as a mask [N]."""
    return labels > 0
