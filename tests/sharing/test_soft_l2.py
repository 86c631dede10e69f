"""Distances to the mean: the proximal step against a minimiser, and what it leaves alone."""

import numpy as np
import torch
from linear import linear_config, problem, scheme, trained, weights
from scipy.optimize import minimize
from support import make_config, make_stack, train_steps

from mtlrun.network.penalties import scheme_figures


def test_the_step_minimises_what_it_should() -> None:
    sharing = scheme("soft_l2", [{"strength": 0.7}, {"strength": 3.0}])
    before = [p.detach().double().numpy().copy() for p in sharing.parameters()]
    rates = torch.tensor([0.2, 0.05])
    sharing.shrink(rates, [])
    for parameter, old in zip(sharing.parameters(), before, strict=True):  # weights and biases of both layers
        for r, amount in enumerate((0.2 * 0.7, 0.05 * 3.0)):

            def objective(flat: np.ndarray, old: np.ndarray = old[r], amount: float = amount) -> float:
                z = flat.reshape(old.shape)
                return float(0.5 * ((z - old) ** 2).sum() + amount * ((z - z.mean(0)) ** 2).sum())

            found = minimize(objective, old[r].ravel(), method="L-BFGS-B", options={"ftol": 1e-15, "gtol": 1e-9})
            np.testing.assert_allclose(parameter[r].detach().numpy(), found.x.reshape(old[r].shape), atol=2e-4)


def test_the_first_layer_alone_and_exact_ties() -> None:
    sharing = scheme("soft_l2", [{"strength": 1e12, "layers": "first"}])
    before = [p.detach().clone() for p in sharing.parameters()]
    sharing.shrink(torch.tensor([0.01]), [])
    first, second = sharing.trunks.layers
    for parameter in first:
        assert torch.equal(parameter, parameter[:, :1].expand_as(parameter))  # the same bits for every task
    assert [torch.equal(p, q) for p, q in zip(second, (before[1], before[3]), strict=True)] == [True, True]


def test_the_distance_that_is_logged() -> None:
    sharing = scheme("soft_l2", [{"strength": 0.001}, {"strength": 1e12}])
    sharing.shrink(torch.tensor([0.0, 1.0]), [])
    apart, whole = 0.0, 0.0
    for weight in sharing.trunks.weights:
        w = weight[0].detach().numpy()
        apart, whole = apart + ((w - w.mean(0)) ** 2).sum(), whole + (w**2).sum()
    found = sharing.penalty_figures([])["distance"]
    np.testing.assert_allclose(found, [np.sqrt(apart / whole), 0], atol=1e-6)


def test_a_fixed_point_of_linear_nets_is_the_minimum() -> None:
    stack = trained([linear_config("soft_l2", strength=0.3)])
    x, y = problem(stack)
    w, n = weights(stack), len(x)
    x, y = x - x.mean(0), y - y.mean(0)
    gradient = 2 / n * x.T @ (x @ w - y) + 2 * 0.3 * (w - w.mean(1, keepdims=True))
    assert np.abs(gradient).max() < 1e-5 < np.abs(w - w.mean(1, keepdims=True)).max()


def test_heads_of_one_type_are_tied_whatever_block_they_are_in() -> None:
    """Linear nets: other losses and edges make blocks of their own, and the penalty is about all regressions."""
    tasks = {
        "a": {"type": "regression"},
        "b": {"type": "regression", "loss": "l1"},
        "c": {"type": "regression"},
        "d": {"type": "binary"},
    }
    config = make_config(
        tasks,
        sharing={"name": "soft_l2", "strength": 1e12},
        model={"hidden": [], "head_hidden": []},
        graph={"receives": {"c": {"a": "stop"}}},
        optimizer={"name": "sgd"},
    )
    stack = make_stack([config])
    train_steps(stack, 5)
    weights = {t: stack.network.task_parameters(t)[0][:, :4] for t in tasks}
    for task in "bc":
        torch.testing.assert_close(weights[task], weights["a"], rtol=1e-5, atol=1e-6)
    assert not torch.allclose(weights["d"], weights["a"])
    assert float(scheme_figures(stack.network)["distance"]) < 1e-5
