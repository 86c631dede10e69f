"""The L2,1 norm: the step, exact zeros, fixed points against scikit-learn."""

import dataclasses

import numpy as np
import pytest
import torch
from linear import linear_config, problem, scheme, trained, weights
from sklearn.linear_model import MultiTaskLasso

from mtlrun.config.schema import AdamConfig


def test_the_step_shrinks_inputs_as_wholes() -> None:
    sharing = scheme("joint_features", [{"strength": 4.0}, {"strength": 0.0}])
    old = [w.detach().clone() for w in sharing.trunks.weights]
    old[0][1, :, 2] = sharing.trunks.weights[0].data[1, :, 2] = 0  # 0 / 0
    sharing.shrink(torch.tensor([1.0, 1.0]), [])
    weight, norms = sharing.trunks.weights[0].detach(), old[0].norm(dim=(1, 3))
    for j in range(6):
        expected = old[0][0, :, j] * max(0.0, 1 - 4 / norms[0, j].item())
        torch.testing.assert_close(weight[0, :, j], expected)
        assert bool((weight[0, :, j] == 0).all()) == (norms[0, j].item() <= 4)
    assert torch.equal(weight[1], old[0][1]) and torch.equal(sharing.trunks.weights[1], old[1])  # the first alone
    assert 0 < sharing.penalty_figures([])["zeros"][0] == (norms[0] <= 4).float().mean()


@pytest.mark.parametrize("momentum, rate", [(0.0, 0.1), (0.9, 0.02)])
def test_fixed_points_are_those_of_scikit_learn(momentum: float, rate: float) -> None:
    """Whose objective is half of ours: a squared error over 2 N, and alpha = strength / 2."""
    strengths = [0.1, 1.1]
    stack = trained([linear_config("joint_features", rate, momentum, strength=s) for s in strengths])
    for r, strength in enumerate(strengths):
        x, y = problem(stack, r)
        theirs = MultiTaskLasso(alpha=strength / 2, tol=1e-10, max_iter=10_000).fit(x, y).coef_.T
        np.testing.assert_allclose(weights(stack, r), theirs, atol=1e-4)
        np.testing.assert_array_equal(weights(stack, r) == 0, theirs == 0)
    assert (weights(stack, 1) == 0).any() and not (weights(stack, 1) == 0).all()


def test_zeros_are_exact_under_adam() -> None:
    config = linear_config("joint_features", 0.01, strength=1.5)
    adam = dataclasses.replace(config, optimizer=AdamConfig())
    assert set((weights(trained([adam])) == 0).all(1)) == {True, False}
