"""A trunk whose members share weights: against separate trunks, and its gradients against autograd."""

import pytest
import torch
from support import make_config
from torch import Tensor

from mtlrun.config.schema import TabmConfig
from mtlrun.model.layers import dropout_mask
from mtlrun.model.trunks import Factors, Trunk, make_trunk
from mtlrun.model.trunks.mlp import MlpTrunk
from mtlrun.model.trunks.tabm import TabmTrunk

MEMBERS, ROWS, INPUTS = 3, 7, 4


def config(hidden: list[int], **settings: object) -> TabmConfig:
    net = make_config(model={"name": "tabm", "members": MEMBERS, "hidden": hidden} | settings).net
    assert isinstance(net, TabmConfig)
    return net


def trunk(hidden: list[int], seeds: tuple[int, ...] = (1, 2), **settings: object) -> TabmTrunk:
    """A trunk whose scales are as training leaves them: different for each member and unit, some of them 0."""
    made = make_trunk([config(hidden, **settings)] * len(seeds), seeds, INPUTS)
    assert isinstance(made, TabmTrunk)
    draw = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for scale in made.scales[1:]:
            scale.copy_(torch.randn(scale.shape, generator=draw))
            scale[..., 0] = 0
    return made


def noise(name: str, shape: object) -> Tensor:
    return dropout_mask([1, 2], 0, name, shape, 0.25)


def test_each_member_is_a_perceptron_on_its_own_scales() -> None:
    made, x = trunk([6, 5], activation="tanh"), torch.randn(2, ROWS, INPUTS)
    features = made(x)
    assert [h.shape for h in features] == [(2, MEMBERS * ROWS, width) for width in (INPUTS, 6, 5)]
    for m in range(MEMBERS):
        rows = slice(m * ROWS, (m + 1) * ROWS)
        h = x * made.scales[0][:, m]
        torch.testing.assert_close(features[0][:, rows], h)
        for i, layer in enumerate(made.linear, 1):
            h = torch.tanh(h @ layer.weight + layer.bias) * made.scales[i][:, m]
            torch.testing.assert_close(features[i][:, rows], h)


def test_members_start_with_random_signs_and_the_weights_of_the_plain_trunk() -> None:
    settings, seeds = config([6, 5]), [1, 2, 1]
    made, plain = make_trunk([settings] * 3, seeds, 50), MlpTrunk([settings] * 3, seeds, 50)
    assert isinstance(made, TabmTrunk)
    for own, theirs in zip(made.linear, plain.linear, strict=True):
        assert torch.equal(own.weight, theirs.weight) and torch.equal(own.bias, theirs.bias)
    signs, *others = made.scales
    assert signs.shape == (3, MEMBERS, 1, 50) and torch.equal(signs.abs(), torch.ones_like(signs))
    assert torch.equal(signs[0], signs[2])
    apart = torch.cat([signs[0], signs[1]]).flatten(1)  # of all members of two runs
    assert bool((apart @ apart.mT - 50 * torch.eye(2 * MEMBERS)).abs().max() < 35)
    assert all(bool((scale == 1).all()) for scale in others)
    alone = make_trunk([settings], [2], 50)
    assert all(torch.equal(a[0], b[1]) for a, b in zip(alone.parameters(), made.parameters(), strict=True))


@pytest.mark.parametrize("layers", [[2], [1, 2], [0, 1], [0], [0, 1, 2]], ids=str)
@pytest.mark.parametrize("dropout", [0.0, 0.25])
@pytest.mark.parametrize("activation", ["relu", "gelu"])
def test_gradients_of_tasks_are_those_of_autograd(layers: list[int], dropout: float, activation: str) -> None:
    made, x = trunk([6, 5], dropout=dropout, activation=activation), torch.randn(2, ROWS, INPUTS)
    upstream = {layer: torch.randn(2, 3, MEMBERS * ROWS, made.widths[layer]) for layer in layers}
    size = sum(p[0].numel() for p in made.parameters())
    found = []
    for kind in (TabmTrunk, Trunk):  # Trunk: one backward pass of autograd for each task
        tape: list[object] = []
        out = torch.full((2, 3, size), torch.nan)
        with torch.no_grad():
            kind.forward(made, x, noise if dropout else None, tape)
        kind.pull_back(made, tape, {layer: own.clone() for layer, own in upstream.items()}, out)
        found.append(out)
    assert bool(found[1].abs().amax(2).min() > 0.1)
    torch.testing.assert_close(found[0], found[1], rtol=1e-4, atol=1e-5)


@torch.no_grad()
def test_gradients_from_factors_are_the_same() -> None:
    made, x = trunk([64, 90]), torch.randn(2, ROWS, INPUTS)
    upstream = {2: torch.randn(2, 3, MEMBERS * ROWS, 90)}
    size = sum(p[0].numel() for p in made.parameters())
    whole, parts, factors = torch.empty(2, 3, size), torch.empty(2, 3, size), list[Factors]()
    for out, into in ((whole, None), (parts, factors)):
        tape: list[object] = []
        made(x, None, tape)
        made.pull_back(tape, upstream, out, into)
    assert len(factors) == 1
    own = factors[0].columns
    torch.testing.assert_close(factors[0].gramian().float(), whole[..., own] @ whole[..., own].mT, rtol=1e-4, atol=1e-3)
    weights, direction = torch.randn(2, 3), torch.empty(2, size)
    factors[0].combined(weights, direction)
    torch.testing.assert_close(
        direction[:, own], torch.bmm(weights.unsqueeze(1), whole[..., own])[:, 0], rtol=1e-4, atol=1e-4
    )
    rest = torch.ones(size, dtype=torch.bool)
    rest[own] = False
    assert torch.equal(parts[..., rest], whole[..., rest])
