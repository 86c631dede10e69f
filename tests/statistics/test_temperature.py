"""Temperature scaling against a search on a grid."""

import numpy as np
import pytest
from scipy.optimize import minimize_scalar
from scipy.special import log_softmax

from mtlrun.statistics import fit_temperature


def made(rows: int, classes: int, scale: float, seed: int = 0) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Logits [N, K] that are `scale` times those by which the labels [N] are drawn, and weights [N]."""
    rng = np.random.default_rng(seed)
    logits = 2 * rng.normal(size=(rows, classes))
    labels = (logits + rng.gumbel(size=logits.shape)).argmax(1)
    return logits * scale, labels, rng.uniform(0.5, 2, rows)


def log_loss(logits: np.ndarray, labels: np.ndarray, weights: np.ndarray, temperature: float) -> float:
    losses = -log_softmax(logits / temperature, axis=1)[np.arange(len(labels)), labels]
    return float(np.average(losses, weights=weights))


@pytest.mark.parametrize("classes", [2, 7])
@pytest.mark.parametrize("scale", [0.2, 1.0, 3.0, 20.0])
def test_logits_times_3_are_calibrated_back(classes: int, scale: float) -> None:
    logits, labels, weights = made(20_000, classes, scale)
    found = fit_temperature(logits, labels, weights)
    assert found == pytest.approx(scale, rel=0.03)
    best = minimize_scalar(lambda t: log_loss(logits, labels, weights, t), bounds=(0.05, 90), method="bounded")
    assert log_loss(logits, labels, weights, found) == pytest.approx(best.fun, abs=1e-7)
    assert fit_temperature(3 * logits, labels, weights) == pytest.approx(3 * found, rel=1e-3)


@pytest.mark.parametrize("seed", range(40))
def test_the_log_loss_never_gets_worse(seed: int) -> None:
    rng = np.random.default_rng(seed)
    rows, classes = int(rng.integers(1, 30)), int(rng.integers(2, 6))
    logits, labels, weights = made(rows, classes, 10 ** rng.uniform(-2, 2), seed)
    if seed % 4 == 0:
        labels = rng.integers(0, classes, rows)  # of chance
    if seed % 4 == 1:
        labels = logits.argmax(1)  # all right
    if seed % 4 == 2:
        labels = logits.argmin(1)  # all wrong
    weights[rng.random(rows) < 0.2] = 0
    found = fit_temperature(logits, labels, weights)
    assert 0.0099 < found < 100.1
    if (weights > 0).any():
        assert log_loss(logits, labels, weights, found) <= log_loss(logits, labels, weights, 1.0) + 1e-12


def test_rows_that_are_all_right_do_not_make_the_network_certain() -> None:
    """The log loss would be least at T = 0: then a single error in test costs an infinite loss."""
    logits = np.array([[0.0, 2.0], [0.0, -2.0]] * 20)
    labels = logits.argmax(1)
    found = fit_temperature(logits, labels, np.ones(40))
    odds = np.exp(2 / found)
    assert odds / (1 + odds) == pytest.approx(1 - 0.5 / 41, abs=1e-6)  # as if one more row had both classes alike


def test_without_anything_to_learn_from_it_is_1() -> None:
    assert fit_temperature(np.zeros((5, 3)), np.arange(5) % 3, np.ones(5)) == 1.0
    assert fit_temperature(np.ones((5, 3)), np.zeros(5), np.zeros(5)) == 1.0
    shown = np.array([[1.0, 0.0, -1.0], [0.0, 2.0, 1.0], [3.0, 0.0, 0.0]])
    labels, weights = np.array([0, 2, 1]), np.ones(3)
    hidden = np.concatenate([shown, np.full((2, 3), np.nan)]), np.append(labels, [0, 0]), np.array([1.0, 1, 1, 0, 0])
    assert fit_temperature(*hidden) == fit_temperature(shown, labels, weights)
