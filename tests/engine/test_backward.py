"""Gradients by task, and what becomes of them: against autograd on the whole graph, one task after the other."""

from typing import Any

import pytest
import torch
from support import make_config, make_stack
from torch import Tensor

from mtlrun.engine.backward import CutBackward, PerTaskBackward
from mtlrun.engine.batches import Batch
from mtlrun.engine.stack import Stack
from mtlrun.model.layers import ACTIVATIONS
from mtlrun.model.trunks import Factors

TASKS = {"a": {"type": "regression"}, "b": {"type": "binary"}, "c": {"type": "regression"}, "d": {"type": "regression"}}
GRAPHS: dict[str, list[dict[str, Any]]] = {
    "no edges": [{}, {}],
    "stop": [{"name": "chain", "gradient": "stop"}] * 2,
    "pass": [{"name": "chain", "gradient": "pass"}] * 2,
    "pass in one run, stop in the other": [{"receives": {"b": {"a": "pass"}}}, {"receives": {"b": {"a": "stop"}}}],
    "embedding by half": [{"receives": {"d": {"c": {"gradient": 0.5, "what": "embedding"}}}}] * 2,
    "other layers, reversed": [{"receives": {"a": {"trunk": {"at": 1}}, "c": {"trunk": "reverse"}}}] * 2,
    "an estimate, reversed": [{"receives": {"b": {"a": "reverse"}}}] * 2,
    "all read the first layer": [{"receives": {t: {"trunk": {"at": 1}} for t in TASKS}}] * 2,
}


def make(
    graphs: list[dict[str, Any]],
    missing: float = 0.3,
    model: dict[str, Any] | None = None,
    loss: dict[str, Any] | None = None,
    **sharing: Any,
) -> tuple[Stack, Batch]:
    """Two runs on one batch of each."""
    shape = {"hidden": [6, 5], "head_hidden": [3], "dropout": 0.25} | (model or {})
    configs = [
        make_config(TASKS, seed=s, graph=g, model=shape, loss=loss or {"name": "sum"}, **sharing)
        for s, g in enumerate(graphs)
    ]
    stack = make_stack(configs, missing=missing)
    return stack, next(iter(stack.train.epoch(1)))


def by_autograd(stack: Stack, batch: Batch) -> Tensor:
    """Gradients `[R, T, P]` of every task's loss in all parameters of the network."""
    step = stack.step
    losses = stack.network.losses(batch.x, batch.targets, step.dropout_masks(0))
    return torch.stack(
        [
            torch.cat(
                [
                    g.flatten(1)
                    for g in torch.autograd.grad(
                        losses[:, t].sum(),
                        step.flat.network_parameters,
                        retain_graph=True,
                        allow_unused=True,
                        materialize_grads=True,
                    )
                ],
                1,
            )
            for t in range(losses.shape[1])
        ],
        1,
    )


def sources(graph: dict[str, Any]) -> set[str]:
    """The tasks through whose heads others learn, in the graphs above."""
    if graph.get("name") == "chain":
        return set(list(TASKS)[:-1]) if graph["gradient"] == "pass" else set()
    found = set()
    for edges in graph.get("receives", {}).values():
        for source, edge in edges.items():
            gradient = edge.get("gradient", 1) if isinstance(edge, dict) else edge
            if source != "trunk" and gradient != "stop":
                found.add(source)
    return found


def shared_columns(stack: Stack, graphs: list[dict[str, Any]]) -> Tensor:
    """Which parameters several tasks share, `[R, P]`."""
    step, network = stack.step, stack.network
    rows = []
    for r, graph in enumerate(graphs):
        marks = []
        for name, parameter in zip(step.flat.names, step.flat.network_parameters, strict=False):
            mark = torch.zeros_like(parameter[r : r + 1])
            tasks, axis = network.head_axes().get(name.removeprefix("network."), ([], 0))
            for i, task in enumerate(tasks):
                if task in sources(graph):
                    mark.select(axis, i).fill_(1.0)
            marks.append((mark if tasks else torch.ones_like(mark)).flatten())
        rows.append(torch.cat(marks))
    return torch.stack(rows) > 0


ENSEMBLE = {"name": "tabm", "members": 3}


@pytest.mark.parametrize("own", [True, False], ids=["own", "weighted"])
@pytest.mark.parametrize("at", ["parameters", "representation"])
@pytest.mark.parametrize("name", GRAPHS)
@pytest.mark.parametrize("model", [{}, ENSEMBLE], ids=["mlp", "tabm"])
def test_gradients_are_those_of_the_whole_graph(model: dict[str, Any], name: str, at: Any, own: bool) -> None:
    stack, batch = make(GRAPHS[name], model=model)
    flat = stack.step.flat
    split = CutBackward(stack.network, flat, at)
    losses, matrix = split.forward(batch.x, batch.targets, stack.step.dropout_masks(0))
    expected = by_autograd(stack, batch)  # [R, T, P]
    shared = shared_columns(stack, GRAPHS[name])  # [R, P]
    torch.testing.assert_close(
        losses, stack.network.losses(batch.x, batch.targets, stack.step.dropout_masks(0)).detach()
    )
    if at == "parameters":
        known = (expected * shared.unsqueeze(1))[..., : matrix.shape[2]]
        torch.testing.assert_close(matrix, known, rtol=1e-5, atol=1e-7)
        assert (expected * shared.unsqueeze(1)).count_nonzero() == known.count_nonzero()  # nothing shared is left out
    weights = torch.rand(2, 4, generator=torch.Generator().manual_seed(3)) * 3 - 1
    found = split.gradients(weights, None if own else weights, stack.step.strategy.direction)
    weighted = (expected * weights.unsqueeze(2)).sum(1)
    rest = expected.sum(1) if own else weighted
    torch.testing.assert_close(
        torch.cat([g.flatten(1) for g in found], 1), torch.where(shared, weighted, rest), rtol=1e-4, atol=1e-6
    )


@pytest.mark.parametrize(
    "model",
    [{"activation": a} for a in ACTIVATIONS]
    + [{"head_hidden": []}, {"dropout": 0.0}, {"hidden": [7]}, {"head_hidden": [9, 8]}]
    + [ENSEMBLE],
    ids=str,
)
def test_every_trunk_is_carried_back(model: dict[str, Any]) -> None:
    stack, batch = make(GRAPHS["no edges"], model=model)
    gradients = stack.step.task_gradients(batch, 0)
    expected = by_autograd(stack, batch)[..., : stack.step.flat.shared_size]
    assert expected.abs().amax(2).median() > 0.001
    torch.testing.assert_close(gradients, expected, rtol=1e-5, atol=1e-6)


WIDE = [name for name, graphs in GRAPHS.items() if not any(sources(graph) for graph in graphs)]


@pytest.mark.parametrize("own", [True, False], ids=["own", "weighted"])
@pytest.mark.parametrize(
    "model",
    [
        *({"hidden": hidden} for hidden in ([64, 70, 50], [64, 50, 6], [5, 64, 60])),
        ENSEMBLE | {"hidden": [8, 150, 150]},
    ],
    ids=str,
)
@pytest.mark.parametrize("name", WIDE)
def test_the_gramian_may_take_the_gradients_place(name: str, model: dict[str, Any], own: bool) -> None:
    """Layers that read 64 features or more, with batches of 16, are factors: two, the second or the third."""
    stack, batch = make(GRAPHS[name], model=model)
    flat = stack.step.flat
    split = CutBackward(stack.network, flat, "parameters", gramian_only=True)
    _, matrix = split.forward(batch.x, batch.targets, stack.step.dropout_masks(0))
    expected = by_autograd(stack, batch)  # [R, T, P]
    shared = expected[..., : flat.shared_size].double()
    if name == "all read the first layer":
        assert split.gramian is None and matrix is not None, "what nobody reads has no factors"
        gramian = (matrix @ matrix.mT).double()
    else:
        assert split.gramian is not None and matrix is None
        gramian = split.gramian
    torch.testing.assert_close(gramian, shared @ shared.mT, rtol=1e-5, atol=1e-8)
    weights = torch.rand(2, 4, generator=torch.Generator().manual_seed(3)) * 3 - 1
    found = split.gradients(weights, None if own else weights, stack.step.strategy.direction)
    weighted = (expected * weights.unsqueeze(2)).sum(1)
    weighted[:, flat.shared_size :] = (expected.sum(1) if own else weighted)[:, flat.shared_size :]
    torch.testing.assert_close(torch.cat([g.flatten(1) for g in found], 1), weighted, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("groups", [[["a", "c"], ["b", "d"]], [["c", "a", "b"]], [["a", "b", "c", "d"]]], ids=str)
@pytest.mark.parametrize("name", GRAPHS)
@pytest.mark.parametrize("model", [{}, ENSEMBLE], ids=["mlp", "tabm"])
def test_trunks_of_groups_are_carried_back(model: dict[str, Any], name: str, groups: list[list[str]]) -> None:
    """By one pass, or task by task where a task learns through another's head."""
    sharing = {"name": "groups", "groups": groups}
    stack, batch = make(GRAPHS[name], model=model, loss={"name": "pcgrad"}, sharing=sharing)
    assert isinstance(stack.step.backward, PerTaskBackward if any(map(sources, GRAPHS[name])) else CutBackward)
    _, found = stack.step.backward.forward(batch.x, batch.targets, stack.step.dropout_masks(0))
    expected, shared = by_autograd(stack, batch), shared_columns(stack, GRAPHS[name])
    known = (expected * shared.unsqueeze(1))[..., : found.shape[2]]
    torch.testing.assert_close(found, known, rtol=1e-5, atol=1e-7)
    by_group = found[..., : stack.step.flat.shared_size].unflatten(2, (len(stack.network.sharing.trunks), -1))
    for t, task in enumerate(stack.network.tasks):
        reached = by_group[0, t].abs().amax(1) > 0
        assert bool(reached[stack.network.sharing.parts[task]])
        assert int(reached.sum()) == 1 or any(map(sources, GRAPHS[name]))


@pytest.mark.parametrize("name", [name for name in GRAPHS if name not in WIDE])
def test_where_tasks_share_heads_the_gradients_stay(name: str) -> None:
    stack, batch = make(GRAPHS[name], model={"hidden": [64, 70]})
    split = CutBackward(stack.network, stack.step.flat, "parameters", gramian_only=True)
    _, matrix = split.forward(batch.x, batch.targets, stack.step.dropout_masks(0))
    assert split.gramian is None and matrix is not None and matrix.shape[2] == stack.step.flat.network_size


@pytest.mark.parametrize("common", [0.0, 1.0, 100.0])
def test_inner_products_from_factors_are_as_exact_as_from_gradients(common: float) -> None:
    """Also of a batch whose gradients nearly sum to 0, as at the end of training on all rows at once, of inputs that
    are alike, and of rows that are there twice: the eigenvalues of their kernel are nearly 0, or just 0."""
    draw = torch.Generator().manual_seed(0)
    read, delta = torch.rand(2, 8, 40, generator=draw) + common, torch.randn(2, 3, 8, 6, generator=draw)
    delta = delta - delta.mean(2, keepdim=True) + 1e-5
    read[1, 4:], delta[1, 2] = read[1, :4], 0.0
    exact = torch.cat([(read.double().mT.unsqueeze(1) @ delta.double()).flatten(2), delta.double().sum(2)], 2)
    rounded = torch.cat([(read.mT.unsqueeze(1) @ delta).flatten(2), delta.sum(2)], 2)
    lengths = exact.norm(dim=2)
    scale = lengths.unsqueeze(1) * lengths.unsqueeze(2)  # [R, T, T]
    found = Factors(slice(0, 246), read, delta).gramian()
    error, usual = (
        ((gramian - exact @ exact.mT).abs() / scale.where(scale > 0, 1.0)).amax()
        for gramian in (found, (rounded @ rounded.mT).double())
    )
    assert error < 4 * usual and usual < 1e-3
    assert not found[1, 2].any()  # a task without a label has no part


def test_inner_products_from_factors_that_are_not_finite_say_so() -> None:
    read, delta = torch.ones(2, 4, 9), torch.ones(2, 3, 4, 5)
    read[0, 2, 3] = torch.inf
    found = Factors(slice(0, 50), read, delta).gramian()
    assert not found[0].isfinite().any() and found[1].isfinite().all()


def test_gradients_in_the_representation_are_those_of_the_features() -> None:
    """Two layers are read: the Gramian is that of both together."""
    stack, batch = make(GRAPHS["other layers, reversed"])
    split = CutBackward(stack.network, stack.step.flat, "representation")
    _, matrix = split.forward(batch.x, batch.targets, stack.step.dropout_masks(0))
    features = stack.network.sharing(batch.x, stack.step.dropout_masks(0))
    leaves = [f.detach().requires_grad_() for f in features]
    outputs = stack.network.outputs([leaves[b.layer] for b in stack.network.blocks], batch.targets)
    losses = stack.network.losses_of(outputs, batch.x, batch.targets)
    expected = torch.stack(
        [
            torch.cat(
                [
                    g.flatten(1)
                    for g in torch.autograd.grad(
                        losses[:, t].sum(), leaves[1:], retain_graph=True, allow_unused=True, materialize_grads=True
                    )
                ],
                1,
            )
            for t in range(4)
        ],
        1,
    )
    torch.testing.assert_close(matrix, expected, rtol=1e-5, atol=1e-7)


@pytest.mark.parametrize("hidden", [[6, 5], [64, 70, 5]], ids=["gradients", "factors"])
@pytest.mark.parametrize("at", ["parameters", "representation"])
def test_the_step_descends_along_what_its_weights_say(at: str, hidden: list[int]) -> None:
    """Through the whole step: the trunk's gradient is Σ w g with the weights returned, a head's that of its loss."""
    stack, batch = make(GRAPHS["no edges"], loss={"name": "pcgrad", "at": at}, model={"hidden": hidden})
    expected = by_autograd(stack, batch)
    _, weights = stack.step(batch, 0)
    size, network = stack.step.flat.shared_size, stack.step.flat.network_size
    found = stack.step.flat.gradients[:, :network]
    torch.testing.assert_close(
        found[:, :size], (expected * weights.unsqueeze(2)).sum(1)[:, :size], rtol=1e-4, atol=1e-6
    )
    torch.testing.assert_close(found[:, size:], expected.sum(1)[:, size:], rtol=1e-4, atol=1e-6)


def test_clipping_bounds_the_combined_gradient() -> None:
    configs = [make_config(TASKS, seed=s, loss={"name": "pcgrad"}, trainer={"clip": 1e-3}) for s in range(2)]
    stack = make_stack(configs)
    stack.step(next(iter(stack.train.epoch(1))), 0)
    norms = stack.step.flat.gradients[:, : stack.step.flat.network_size].norm(dim=1)
    torch.testing.assert_close(norms, torch.full((2,), 1e-3), rtol=1e-3, atol=0)
    assert bool((stack.step.gradient_norms() > 1e-2).all())  # as it was before


def test_own_heads_with_weights_from_losses_alone() -> None:
    """Weights act on the trunk, and heads learn as if there were none."""
    weights = {"a": 0.0, "b": 3.0, "c": 0.5, "d": 1.0}
    stack, batch = make(GRAPHS["no edges"], loss={"name": "fixed", "weights": weights, "heads": "own"})
    expected = by_autograd(stack, batch)
    stack.step(batch, 0)
    size, network = stack.step.flat.shared_size, stack.step.flat.network_size
    scale = torch.tensor([weights[t] for t in stack.network.tasks]).view(1, 4, 1)
    found = stack.step.flat.gradients[:, :network]
    torch.testing.assert_close(found[:, :size], (expected * scale).sum(1)[:, :size], rtol=1e-4, atol=1e-6)
    torch.testing.assert_close(found[:, size:], expected.sum(1)[:, size:], rtol=1e-4, atol=1e-6)


def apart(sharing: str, graphs: list[dict[str, Any]]) -> tuple[Stack, Batch]:
    """Two runs in which tasks share in another way than by one trunk."""
    configs = [
        make_config(
            TASKS,
            seed=s,
            graph=g,
            model={"hidden": [6, 5], "head_hidden": [3], "dropout": 0.25},
            sharing={"name": sharing},
        )
        for s, g in enumerate(graphs)
    ]
    stack = make_stack(configs, missing=0.3)
    return stack, next(iter(stack.train.epoch(1)))


@pytest.mark.parametrize("own", [True, False], ids=["own", "weighted"])
@pytest.mark.parametrize("name", GRAPHS)
@pytest.mark.parametrize("sharing", ["hard", "none", "mmoe", "ple", "cross_stitch"])
def test_any_way_of_sharing_goes_back_task_by_task(sharing: str, name: str, own: bool) -> None:
    stack, batch = apart(sharing, GRAPHS[name])
    back = PerTaskBackward(stack.network, stack.step.flat)
    losses, matrix = back.forward(batch.x, batch.targets, stack.step.dropout_masks(0))
    expected = by_autograd(stack, batch)  # [R, T, P]
    torch.testing.assert_close(
        losses, stack.network.losses(batch.x, batch.targets, stack.step.dropout_masks(0)).detach()
    )
    shared = shared_columns(stack, GRAPHS[name]) if sharing == "hard" else back.shared
    assert shared.logical_or((expected != 0).sum(1) <= 1).all()  # what two losses reach is shared
    torch.testing.assert_close(matrix, expected * shared.unsqueeze(1), rtol=1e-5, atol=1e-7)
    weights = torch.rand(2, 4, generator=torch.Generator().manual_seed(3)) * 3 - 1
    found = back.gradients(weights, None if own else weights, stack.step.strategy.direction)
    weighted = (expected * weights.unsqueeze(2)).sum(1)
    rest = expected.sum(1) if own else weighted
    torch.testing.assert_close(
        torch.cat([g.flatten(1) for g in found], 1), torch.where(shared, weighted, rest), rtol=1e-4, atol=1e-6
    )
    assert not own or shared.all() or not torch.allclose(weighted, rest)
