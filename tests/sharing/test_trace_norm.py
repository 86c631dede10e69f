"""Singular values: the step against an SVD, the fixed point by the conditions of a minimum, ranks that drop."""

import numpy as np
import pytest
import torch
from linear import linear_config, problem, scheme, trained, weights

from mtlrun.network.penalties import scheme_figures


@pytest.mark.parametrize("hidden", [(5, 4), (1,)])  # matrices with fewer rows than columns, and with more
def test_the_step_thresholds_singular_values(hidden: tuple[int, ...]) -> None:
    sharing = scheme("trace_norm", [{"strength": 2.0}, {"strength": 0.0}], hidden, inputs=6 if len(hidden) > 1 else 3)
    before = [w.detach().clone() for w in sharing.trunks.weights]
    sharing.shrink(torch.tensor([0.7, 0.7]), [])
    for weight, old in zip(sharing.trunks.weights, before, strict=True):
        u, s, v = np.linalg.svd(old[0].flatten(1).double().numpy(), full_matrices=False)
        expected = u * np.maximum(s - 1.4, 0) @ v
        np.testing.assert_allclose(weight[0].detach().flatten(1).numpy(), expected, atol=1e-5)
        assert (s < 1.4).any() or len(hidden) == 2
        assert torch.equal(weight[1], old[1])  # a strength of 0 changes no bit


def test_the_fixed_point_is_a_minimum_of_lower_rank() -> None:
    """−∇L is `strength` times a subgradient: U Vᵀ along the singular vectors, no longer than 1 beyond them."""
    strength = 0.8
    stack = trained([linear_config("trace_norm", strength=strength), linear_config("trace_norm", strength=0.0)])
    x, y = problem(stack)
    w = weights(stack)
    x, y = x - x.mean(0), y - y.mean(0)
    gradient = 2 / len(x) * x.T @ (x @ w - y)
    u, s, vt = np.linalg.svd(w, full_matrices=False)
    kept = s > 1e-5
    assert 0 < kept.sum() < 3 and s[~kept].max() < 1e-6
    u, vt = u[:, kept], vt[kept]
    np.testing.assert_allclose(u.T @ gradient, -strength * vt, atol=1e-4)
    np.testing.assert_allclose(gradient @ vt.T, -strength * u, atol=1e-4)
    beyond = (np.eye(len(u)) - u @ u.T) @ gradient @ (np.eye(3) - vt.T @ vt)
    assert np.linalg.norm(beyond, 2) <= strength + 1e-4
    ranks = scheme_figures(stack.network)["rank_head1"].tolist()
    assert ranks[0] == kept.sum() < ranks[1]


def test_a_run_that_diverged_takes_no_other_with_it() -> None:
    sharing, alone = scheme("trace_norm", [{"strength": 1.0}] * 2), scheme("trace_norm", [{"strength": 1.0}] * 2)
    sharing.trunks.weights[0].data[0, 0, 0, 0] = torch.nan
    for each in (sharing, alone):
        each.shrink(torch.tensor([0.5, 0.5]), [])
    assert torch.equal(sharing.trunks.weights[0][1], alone.trunks.weights[0][1])
    assert not sharing.trunks.weights[0][0].isfinite().all()
