"""A trunk for each task: shapes, and initial parameters that are those of one trunk. See also test_reductions.py."""

import torch
from support import make_config

from mtlrun.model.trunks.mlp import MlpTrunk
from mtlrun.sharing import SHARING, Hard, Plan
from mtlrun.sharing.none import NoSharing


def test_features_and_initial_parameters_are_those_of_a_trunk_of_its_own() -> None:
    config = make_config(sharing={"name": "none"})
    plan = Plan([config.sharing] * 2, config.net, list("abc"), [3, 4], 5, lambda: MlpTrunk([config.net], [3, 4], 5))
    own, hard = NoSharing(plan), Hard(plan)
    assert SHARING["none"] is NoSharing and own.widths == hard.widths == [5, 8, 6]
    x = torch.randn(2, 7, 5)
    first, *layers = own(x)
    assert torch.equal(first, x) and [tuple(h.shape) for h in layers] == [(2, 3, 7, 8), (2, 3, 7, 6)]
    for ours, one in zip(layers, hard(x)[1:], strict=True):
        for task in range(3):
            torch.testing.assert_close(ours[:, task], one)
    assert set(own.task_axes()) == {name for name, _ in own.named_parameters()}
    assert not own.penalised and own.penalty_figures([]) == {}


def test_a_task_s_loss_reaches_its_trunk_alone() -> None:
    config = make_config()
    own = NoSharing(Plan([config.sharing], config.net, list("abc"), [0], 5))
    own(torch.randn(1, 4, 5))[-1][:, 1].sum().backward()
    for parameter in own.parameters():
        assert parameter.grad is not None and parameter.grad[:, [0, 2]].eq(0).all()
    assert own.trunks.weights[0].grad[:, 1].ne(0).any()
