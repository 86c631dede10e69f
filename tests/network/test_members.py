"""A network whose trunk is an ensemble: each member has its own loss, and predictions are averaged."""

from typing import Any

import pytest
import torch
from support import make_config, make_stack, train_steps

from mtlrun.engine.stack import Stack
from mtlrun.network.supervision import Targets

MEMBERS = 3
TASKS: dict[str, Any] = {
    "a": {"type": "regression"},
    "b": {"type": "binary"},
    "c": {"type": "categorical"},
    "n": {"type": "count"},
    "x": {"type": "reconstruction"},
}


def trained(**groups: Any) -> Stack:
    """Two runs after some steps: their members differ."""
    groups["model"] = {"name": "tabm", "members": MEMBERS} | groups.get("model", {})
    stack = make_stack([make_config(TASKS, seed=s, **groups) for s in (0, 1)], missing=0.3)
    train_steps(stack, 12)
    return stack


GRAPHS: dict[str, dict[str, Any]] = {
    "no edges": {},
    "estimates": {"name": "chain", "gradient": "pass"},
    "labels": {"name": "chain", "what": "label"},
    "embeddings": {"name": "chain", "what": "embedding"},
    "an inner layer": {"receives": {"b": {"trunk": {"at": 1}}}},
}


@pytest.mark.parametrize("graph", GRAPHS)
def test_a_loss_is_the_mean_of_the_members_losses(graph: str) -> None:
    """Those of each member alone: the same network with the scales of one member in the place of all."""
    stack = trained(graph=GRAPHS[graph])
    batch = next(iter(stack.train.epoch(2)))
    assert batch.targets.observed is not None and not bool(batch.targets.observed.all())
    network, scales = stack.network, list(stack.network.sharing.trunk.scales)
    before = [scale.clone() for scale in scales]
    together = network.losses(batch.x, batch.targets)
    outputs = network(batch.x, batch.targets)
    alone = []
    for m in range(MEMBERS):
        for scale, own in zip(scales, before, strict=True):
            scale.data.copy_(own[:, m : m + 1].expand_as(own))
        alone.append(network.losses(batch.x, batch.targets))
        for mine, out in zip(network(batch.x, batch.targets), outputs, strict=True):
            rows = slice(m * batch.x.shape[1], (m + 1) * batch.x.shape[1])
            torch.testing.assert_close(mine[:, rows], out[:, rows], rtol=1e-4, atol=1e-5)
    losses = torch.stack(alone)
    assert bool(losses.std(0).min() > 1e-5)
    torch.testing.assert_close(losses.mean(0), together, rtol=1e-5, atol=1e-6)


def test_predictions_are_means_over_members_and_not_those_of_the_mean_output() -> None:
    stack = trained(graph={"name": "chain", "what": "label"})
    network, x = stack.network, stack.train.rows.batch(stack.val.index[None])[0][0]
    with torch.no_grad():
        pooled = network(x)
        members = network.outputs([b.read(network.sharing(network.encoder.shown(x))) for b in network.blocks])
    for block, out, apart in zip(network.blocks, pooled, members, strict=True):
        apart = apart.view(2, MEMBERS, -1, *apart.shape[2:])
        classes = 0 if block.kind.reads_inputs else block.kind.classes[0]
        for r in range(2):
            found = block.kind.predicted(out[r, :, 0].double().numpy(), classes)
            each = [block.kind.predicted(apart[r, m, :, 0].double().numpy(), classes) for m in range(MEMBERS)]
            assert found.shape == each[0].shape
            torch.testing.assert_close(torch.tensor(found), torch.tensor(sum(each) / MEMBERS), rtol=1e-4, atol=1e-5)


def test_rows_of_an_evaluation_do_not_depend_on_their_number_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    stack = trained()
    whole = stack.val.outputs()
    monkeypatch.setattr("mtlrun.engine.evaluate.ROWS_AT_ONCE", 2 * MEMBERS * 5)
    for one, parts in zip(whole, stack.val.outputs(), strict=True):
        torch.testing.assert_close(one, parts, rtol=1e-5, atol=1e-6)


def test_targets_of_members_weigh_as_before() -> None:
    labels, weights = torch.randn(2, 5, 3), torch.rand(2, 5, 3)
    targets = Targets(labels, weights / weights.sum(1, keepdim=True), weights > 0.5, torch.ones(2, 3, dtype=torch.bool))
    own = targets.of_members(MEMBERS)
    assert own.weights is not None and own.observed is not None
    torch.testing.assert_close(own.weights.sum(1), torch.ones(2, 3))
    for m in range(MEMBERS):
        assert torch.equal(own.labels[:, m * 5 : m * 5 + 5], labels)
        assert torch.equal(own.observed[:, m * 5 : m * 5 + 5], weights > 0.5)
    assert targets.of_members(1) is targets
