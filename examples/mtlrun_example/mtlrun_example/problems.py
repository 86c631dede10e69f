"""A generated problem, and what labels of the type count must be. No torch."""

import numpy as np


def visits() -> dict[str, np.ndarray]:
    """A count `events` and a regression `amount` on 6 inputs `x0`..`x5`; 2,000 rows.

    x ~ N(0, 1)⁶        h = tanh(U x)                U [2, 6] ~ N(0, 1/4)
    events ~ Poisson(exp(0.5 + h₁ + h₂))
    amount = h₁ − h₂ + 0.3 ε
    """
    random = np.random.default_rng(0)
    x = random.normal(size=(2_000, 6))
    h = np.tanh(x @ random.normal(size=(6, 2)) / 2)
    table = {f"x{j}": x[:, j] for j in range(6)}
    table["events"] = random.poisson(np.exp(0.5 + h.sum(1))).astype(float)
    table["amount"] = h[:, 0] - h[:, 1] + 0.3 * random.normal(size=len(x))
    return table


def no_counts(labels: np.ndarray) -> str | None:
    """What is wrong with labels [n] that should be counts, None where nothing is."""
    wrong = labels[(labels < 0) | (labels != np.floor(labels))]
    return f"{wrong[0]:g} is no count" if len(wrong) else None
