"""Ridge and mean: the step against a minimiser, fixed points against the closed form."""

import numpy as np
import pytest
import torch
from linear import linear_config, problem, scheme, trained, weights
from scipy.optimize import minimize


def test_the_step_minimises_what_it_should() -> None:
    sharing = scheme("mean_regularized", [{"strength": 0.7, "ridge": 0.4}], hidden=(3,))
    (old,) = sharing.trunks.weights[0].detach().double().numpy().copy()
    bias = sharing.trunks.biases[0].detach().clone()
    sharing.shrink(torch.tensor([0.2]), [])

    def objective(flat: np.ndarray) -> float:
        z = flat.reshape(old.shape)
        penalty = 0.4 * (z**2).sum() + 0.7 * ((z - z.mean(0)) ** 2).sum()
        return float(0.5 * ((z - old) ** 2).sum() + 0.2 * penalty)

    found = minimize(objective, old.ravel(), method="L-BFGS-B", options={"ftol": 1e-15, "gtol": 1e-9})
    np.testing.assert_allclose(sharing.trunks.weights[0][0].detach(), found.x.reshape(old.shape), atol=2e-4)
    assert torch.equal(sharing.trunks.biases[0], bias)


@pytest.mark.parametrize("momentum, rate", [(0.0, 0.1), (0.9, 0.02)])
def test_fixed_points_are_ridge_regressions(momentum: float, rate: float) -> None:
    """In closed form: of the tasks' mean with `ridge`, of what tasks differ by with `ridge` + `strength`."""
    settings = [{"strength": 0.5, "ridge": 0.1}, {"strength": 0.0, "ridge": 0.2}, {"strength": 1e12, "ridge": 0.05}]
    stack = trained([linear_config("mean_regularized", rate, momentum, **s) for s in settings])
    for r, own in enumerate(settings):
        x, y = problem(stack, r)
        x, y, n = x - x.mean(0), y - y.mean(0), len(x)
        mean = y.mean(1, keepdims=True)
        square, unit = x.T @ x / n, np.eye(x.shape[1])
        shared = np.linalg.solve(square + own["ridge"] * unit, x.T @ mean / n)
        apart = np.linalg.solve(square + (own["ridge"] + own["strength"]) * unit, x.T @ (y - mean) / n)
        np.testing.assert_allclose(weights(stack, r), shared + apart, atol=1e-4)
