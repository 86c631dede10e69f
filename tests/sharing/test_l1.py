"""The L1 norm: the step, exact zeros, fixed points against scikit-learn."""

import numpy as np
import torch
from linear import linear_config, problem, scheme, trained, weights
from sklearn.linear_model import Lasso


def test_the_step_thresholds_weights_and_leaves_biases() -> None:
    sharing = scheme("l1", [{"strength": 1.0}, {"strength": 0.0}])
    old = {name: p.detach().clone() for name, p in sharing.named_parameters()}
    sharing.shrink(torch.tensor([0.5, 0.5]), [])
    for name, parameter in sharing.named_parameters():
        expected = torch.nn.functional.softshrink(old[name][0], 0.5) if "weights" in name else old[name][0]
        assert torch.equal(parameter[0], expected) and torch.equal(parameter[1], old[name][1])
    share = torch.cat([w[0].flatten() for w in sharing.trunks.weights])
    assert sharing.penalty_figures([])["zeros"].tolist() == [float((share == 0).float().mean()), 0.0]


def test_fixed_points_are_those_of_scikit_learn() -> None:
    stack = trained([linear_config("l1", strength=0.25)])
    x, y = problem(stack)
    for t in range(3):
        theirs = Lasso(alpha=0.125, tol=1e-10, max_iter=10_000).fit(x, y[:, t]).coef_
        np.testing.assert_allclose(weights(stack)[:, t], theirs, atol=1e-4)
        np.testing.assert_array_equal(weights(stack)[:, t] == 0, theirs == 0)
    assert (weights(stack) == 0).any()
