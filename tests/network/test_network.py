"""The stacked network against a plain one in loops over runs and tasks, and what edges do to gradients."""

import math
from collections.abc import Mapping
from typing import Any

import pytest
import torch
from support import make_config, make_dataset, make_stack, train_steps
from torch import Tensor
from torch.nn import functional as F

from mtlrun.config.graph import WHAT
from mtlrun.config.schema import Config
from mtlrun.engine.stack import Stack
from mtlrun.network.prune import pruned
from mtlrun.network.supervision import Targets
from mtlrun.runs.build import build_stack

TASKS = {
    "price": {"type": "regression"},
    "kind": {"type": "categorical"},
    "sold": {"type": "binary"},
    "size": {"type": "regression", "loss": "huber", "huber_delta": 0.5},
    "site": {"type": "categorical"},
}
CLASSES = {"kind": 5, "site": 3}


# ---------------------------------------------------------------- an independent forward pass


def estimate(config: Config, task: str, out: Tensor, moments: tuple[float, float]) -> Tensor:
    kind = config.tasks[task].type
    if kind == "regression":
        return (out - moments[0]) / moments[1]
    return torch.sigmoid(out) if kind == "binary" else out.softmax(-1)


def message(
    config: Config,
    source: str,
    what: str,
    out: Tensor,
    hidden: Tensor | None,
    moments: tuple[float, float],
    labels: Tensor | None,
    observed: Tensor | None,
) -> Tensor:
    """What flows along an edge `[B, E]`, in one run."""
    if what == "embedding":
        assert hidden is not None
        return hidden
    if what == "logits" and config.tasks[source].type != "regression":
        return out
    prediction = estimate(config, source, out, moments)
    if what != "label" or labels is None:
        return prediction
    rows = []
    for b in range(len(out)):
        if observed is not None and not observed[b]:
            rows.append(prediction[b])
        elif config.tasks[source].type == "categorical":
            rows.append(torch.eye(CLASSES[source], dtype=out.dtype)[int(labels[b])])
        elif config.tasks[source].type == "binary":
            rows.append(labels[b : b + 1])
        else:
            rows.append((labels[b : b + 1] - moments[0]) / moments[1])
    return torch.stack(rows)


def plain_forward(
    stack: Stack, x: Tensor, edges: Mapping[str, Mapping[str, str]], at: Mapping[str, int], targets: Targets | None
) -> list[dict[str, Tensor]]:
    """Outputs `[B, K]` of every task in every run; `edges` maps receiver -> source -> what, sources first in TASKS."""
    network, config = stack.network, stack.configs[0]
    activation = getattr(torch, config.model.activation)
    runs = []
    for r, dataset in enumerate(stack.datasets):
        features = [x[r]]
        for layer in network.sharing.trunk.layers:
            features.append(activation(features[-1] @ layer.weight[r] + layer.bias[r, 0]))
        outputs: dict[str, Tensor] = {}
        hiddens: dict[str, Tensor | None] = {}
        for task in config.active:
            z = features[at.get(task, len(features) - 1)]
            for source, what in edges.get(task, {}).items():
                i = network.tasks.index(source)
                label = observed = None
                if targets is not None:
                    label = targets.labels[r, :, i]
                    observed = None if targets.observed is None else targets.observed[r, :, i]
                moments = (0.0, 1.0)
                if config.tasks[source].type == "regression" and not config.data.standardize_targets:
                    target = dataset.targets[source]
                    train = dataset.split.train[target.observed[dataset.split.train]]
                    raw = target.values[train]
                    moments = (raw.mean(), raw.std())
                z = torch.cat(
                    [z, message(config, source, what, outputs[source], hiddens[source], moments, label, observed)], 1
                )
            parameters = [p[r] for p in network.task_parameters(task)]
            weights, biases = parameters[: len(parameters) // 2], parameters[len(parameters) // 2 :]
            hidden = None
            for weight, bias in zip(weights, biases, strict=True):
                hidden, z = z, (activation(z) if weight is not weights[0] else z) @ weight + bias
            hiddens[task] = activation(hidden) if len(weights) > 1 else None
            outputs[task] = z[:, : CLASSES.get(task, 1)]
        runs.append(outputs)
    return runs


def plain_losses(stack: Stack, outputs: list[dict[str, Tensor]], targets: Targets) -> Tensor:
    """Losses `[R, T]`, tasks as in the network: weighted means over observed labels, 0 where there are none."""
    config, network = stack.configs[0], stack.network
    losses = torch.zeros(len(outputs), len(network.tasks), dtype=torch.float64)
    for r, run in enumerate(outputs):
        for i, task in enumerate(network.tasks):
            settings, label = config.tasks[task], targets.labels[r, :, i]
            out = run[task]
            if settings.type == "categorical":
                rows = F.cross_entropy(out, label.long(), reduction="none")
            elif settings.type == "binary":
                rows = F.binary_cross_entropy_with_logits(out[:, 0], label, reduction="none")
            elif settings.loss == "huber":
                rows = F.huber_loss(out[:, 0], label, reduction="none", delta=settings.huber_delta)
            else:
                rows = (out[:, 0] - label) ** 2
            weights = torch.ones_like(rows) if targets.weights is None else targets.weights[r, :, i]
            losses[r, i] = (rows * weights).sum() / weights.sum() if weights.sum() > 0 else 0
    return losses


def chain(what: str, receivers: Mapping[str, Any] = TASKS) -> dict[str, dict[str, str]]:
    names = list(receivers)
    return {task: dict.fromkeys(names[:i], what) for i, task in enumerate(names) if i}


RAW = {"data": {"standardize_targets": False}}
MIXED = {
    "sold": {"price": {"what": "label"}, "kind": {"gradient": "pass", "what": "logits"}},
    "site": {"kind": 0.5},
}
EARLY = {"kind": {"trunk": {"at": 1}}, "size": {"trunk": {"at": "layer1", "gradient": "reverse"}}}
DEEP = {"model": {"hidden": [7, 5, 3, 4], "activation": "sigmoid"}}

# Settings, the task edges they mean (receiver -> source -> what), and the trunk layers that heads read.
ARCHITECTURES: dict[str, tuple[dict[str, Any], dict[str, dict[str, str]], dict[str, int]]] = {
    "no edges": ({}, {}, {}),
    **{f"chain, {w}": ({"graph": {"name": "chain", "what": w}}, chain(w), {}) for w in WHAT},
    **{f"raw labels, chain, {w}": (RAW | {"graph": {"name": "chain", "what": w}}, chain(w), {}) for w in WHAT},
    "mixed edges": (
        {"graph": {"receives": MIXED}},
        {"sold": {"price": "label", "kind": "logits"}, "site": {"kind": "prediction"}},
        {},
    ),
    "heads at layer 1": ({"graph": {"receives": EARLY}}, {}, {"kind": 1, "size": 1}),
    "linear heads": ({"model": {"head_hidden": []}}, {}, {}),
    "linear heads in a chain": ({"model": {"head_hidden": []}, "graph": {"name": "chain"}}, chain("prediction"), {}),
    "no trunk": ({"model": {"hidden": []}}, {}, {}),
    "three hidden layers in heads": ({"model": {"head_hidden": [4, 1, 3], "activation": "tanh"}}, {}, {}),
    "deep trunk and chain": (DEEP | {"graph": {"name": "chain"}}, chain("prediction"), {}),
}


@pytest.mark.parametrize("name", ARCHITECTURES)
@pytest.mark.parametrize("missing", [0.0, 0.4], ids=["complete", "missing labels"])
def test_network_equals_a_plain_one(name: str, missing: float) -> None:
    groups, edges, at = ARCHITECTURES[name]
    configs = [make_config(TASKS, seed=seed, **groups) for seed in range(3)]
    stack = make_stack(configs, missing=missing, weighted=missing > 0, classes=CLASSES)
    network = stack.network.double()
    batch = next(iter(stack.train.epoch(1)))
    t = batch.targets
    targets = Targets(t.labels.double(), None if t.weights is None else t.weights.double(), t.observed, t.present)
    assert (t.observed is None) == (missing == 0)
    for given in (targets, None):
        expected = plain_forward(stack, batch.x.double(), edges, at, given)
        found = network(batch.x.double(), given)
        for task, (block, i) in network.place.items():
            out = found[network.blocks.index(block)][:, :, i, : block.specs[i].outputs]
            # the moments of raw labels are kept as float32
            tolerance = 1e-12 if configs[0].data.standardize_targets else 1e-6
            torch.testing.assert_close(out, torch.stack([run[task] for run in expected]), rtol=0, atol=tolerance)
        if given is not None:
            losses = network.losses(batch.x.double(), targets)
            torch.testing.assert_close(losses, plain_losses(stack, expected, targets), rtol=1e-5, atol=1e-6)


def test_a_task_without_labels_in_a_batch_has_no_loss_and_no_gradient() -> None:
    stack = make_stack([make_config(), make_config(seed=1)], missing=0.3)
    batch = next(iter(stack.train.epoch(1)))
    absent = batch.targets.weights.clone()
    at = stack.network.tasks.index("b")
    absent[0, :, at] = 0
    losses = stack.network.losses(batch.x, Targets(batch.targets.labels, absent))
    assert losses[0, at] == 0 and (losses[1] > 0).all()
    gradients = torch.autograd.grad(losses.sum(), stack.network.task_parameters("b")[0]._base, retain_graph=True)[0]
    assert (gradients[0] == 0).all() and (gradients[1] != 0).any()


# ---------------------------------------------------------------- gradients along edges

SOURCES = {"regression": "price", "categorical": "kind", "binary": "sold"}
RECEIVERS = {"regression": "sold", "categorical": "price", "binary": "kind"}  # of another type: in another block


def edge_stack(
    gradient: Any, what: str, kind: str, schedule: str = "constant", strength: float = 1.0, **data: Any
) -> Stack:
    """Two runs of three tasks with one edge, or none where `gradient` is None. A third of the labels are missing."""
    source, receiver = SOURCES[kind], RECEIVERS[kind]
    graph: dict[str, Any] = {"reverse": {"strength": strength, "schedule": schedule}}
    if gradient is not None:
        graph["receives"] = {receiver: {source: {"gradient": gradient, "what": what}}}
    tasks = {t: TASKS[t] for t in SOURCES.values()}
    return make_stack(
        [make_config(tasks, graph=graph, seed=s) for s in range(2)], missing=0.33, classes=CLASSES, **data
    )


def flow(stack: Stack, losses_of: str | None, wrt: str) -> tuple[Tensor, Tensor]:
    """Losses `[R, T]`, and the gradient `[R, P]` of one task's loss (None: of all) in the head of task `wrt`."""
    network = stack.network
    batch = next(iter(stack.train.epoch(1)))
    losses = network.losses(batch.x, batch.targets)
    chosen = losses.sum() if losses_of is None else losses[:, network.tasks.index(losses_of)].sum()
    block, i = network.place[wrt]
    parameters = [*block.weights, *block.biases]
    gradients = torch.autograd.grad(chosen, parameters, allow_unused=True, materialize_grads=True)
    pairs = zip(gradients, block.task_axes * 2, strict=True)
    return losses.detach(), torch.cat([g.select(axis, i).flatten(1) for g, axis in pairs], 1)


EDGES = [(what, kind) for what in WHAT for kind in SOURCES]


@pytest.mark.parametrize("what, kind", EDGES)
def test_stop_holds_the_receivers_gradient_back(what: str, kind: str) -> None:
    source, receiver = SOURCES[kind], RECEIVERS[kind]
    stop, free = edge_stack("stop", what, kind), edge_stack(None, what, kind)
    _, gradient = flow(stop, receiver, source)
    assert (gradient == 0).all()
    # the source's head learns as if the edge were not there, bit for bit
    with_edge, without = flow(stop, None, source)[1], flow(free, None, source)[1]
    assert (without != 0).any() and torch.equal(with_edge, without)


@pytest.mark.parametrize("what, kind", EDGES)
def test_other_gradients_pass_in_proportion(what: str, kind: str) -> None:
    source, receiver = SOURCES[kind], RECEIVERS[kind]
    losses, whole = flow(edge_stack("pass", what, kind), receiver, source)
    assert (whole != 0).any(1).all()
    for gradient, factor in (("stop", 0.0), (0.5, 0.5), (-3, -3.0), ("reverse", -1.7)):
        same, part = flow(edge_stack(gradient, what, kind, strength=1.7), receiver, source)
        assert torch.equal(same, losses)  # the forward value does not depend on the gradient
        torch.testing.assert_close(part, factor * whole, rtol=1e-6, atol=1e-6 * float(whole.abs().max()))


@pytest.mark.parametrize("what, kind", EDGES)
def test_forward_values_do_not_depend_on_the_gradient(what: str, kind: str) -> None:
    stacks = [edge_stack(g, what, kind) for g in ("pass", "stop", 0.5, "reverse")]
    x = next(iter(stacks[0].train.epoch(1))).x
    outputs = [stack.network(x) for stack in stacks]
    for other in outputs[1:]:
        assert all(torch.equal(a, b) for a, b in zip(outputs[0], other, strict=True))


def test_a_ramped_edge_follows_the_progress() -> None:
    ramped = edge_stack("reverse", "prediction", "binary", schedule="ramp", strength=2.0)
    _, whole = flow(edge_stack("pass", "prediction", "binary"), "kind", "sold")
    for progress in (0.0, 0.2, 1.0):
        for scale in ramped.network.scales:
            scale.advance(progress)
        factor = -2 * (2 / (1 + math.exp(-10 * progress)) - 1)
        torch.testing.assert_close(flow(ramped, "kind", "sold")[1], factor * whole, rtol=1e-5, atol=1e-8)


def test_runs_of_a_stack_differ_in_their_gradient_scales() -> None:
    gradients = ["stop", "pass", 0.5, "reverse"]
    tasks = {t: TASKS[t] for t in SOURCES.values()}
    receives = [{"sold": {"price": g}, "kind": {"trunk": g}} for g in gradients]
    configs = [make_config(tasks, graph={"receives": edges}) for edges in receives]
    stack = make_stack(configs, classes=CLASSES)
    _, head = flow(stack, "sold", "price")
    assert (head[0] == 0).all()
    whole = head[1].abs().max()
    assert whole > 0
    for r, factor in enumerate([0.0, 1.0, 0.5, -1.0]):
        torch.testing.assert_close(head[r], factor * head[1], rtol=1e-6, atol=1e-6 * float(whole))
        alone = make_stack([configs[r]], classes=CLASSES)
        torch.testing.assert_close(flow(alone, "sold", "price")[1][0], head[r], rtol=1e-5, atol=1e-7)


@pytest.mark.parametrize(
    "edge, factor", [("stop", 0.0), ("pass", 1.0), (0.25, 0.25), ("reverse", -1.0), ({"at": 1}, None)]
)
@pytest.mark.parametrize("role", ["main", "adversarial"])
def test_trunk_edges_scale_the_gradient_of_the_trunk_only(edge: Any, factor: float | None, role: str) -> None:
    def gradients(trunk: Any, at: int, role: str = "main") -> list[Tensor]:
        tasks = {"a": {"type": "regression"}, "d": {"type": "binary", "role": role}}
        receives = {} if trunk is None else {"d": {"trunk": trunk}}
        network = (stack := make_stack([make_config(tasks, graph={"receives": receives})])).network
        batch = next(iter(stack.train.epoch(1)))
        loss = network.losses(batch.x, batch.targets)[:, network.tasks.index("d")].sum()
        groups = [list(network.sharing.trunk.layers[at - 1].parameters()), list(network.place["d"][0].parameters())]
        return [
            torch.cat(
                [
                    g.flatten()
                    for g in torch.autograd.grad(
                        loss, group, retain_graph=True, allow_unused=True, materialize_grads=True
                    )
                ]
            )
            for group in groups
        ]

    if factor is None:  # the head reads layer 1; that alone does not undo the reversal of an adversarial task
        reference, factor = {"at": 1, "gradient": "pass"}, -1.0 if role == "adversarial" else 1.0
    else:
        reference = "pass"
    at = 1 if isinstance(edge, dict) else 2
    trunk, head = gradients(reference, at)
    found_trunk, found_head = gradients(edge, at, role)
    assert trunk.abs().max() > 0
    assert torch.equal(found_trunk, factor * trunk) and torch.equal(found_head, head)


def test_an_adversarial_task_reverses_its_gradient_in_the_trunk() -> None:
    def trunk_gradient(role: str) -> Tensor:
        tasks = {"a": {"type": "regression"}, "d": {"type": "binary", "role": role}}
        network = (stack := make_stack([make_config(tasks, graph={"reverse": {"strength": 0.5}})])).network
        batch = next(iter(stack.train.epoch(1)))
        loss = network.losses(batch.x, batch.targets)[0, network.tasks.index("d")]
        return torch.autograd.grad(loss, network.sharing.trunk.layers[0].weight)[0]

    plain = trunk_gradient("auxiliary")
    assert plain.abs().max() > 0 and torch.equal(trunk_gradient("adversarial"), -0.5 * plain)


# ---------------------------------------------------------------- labels as features


def test_labels_are_passed_in_training_where_observed_and_never_otherwise() -> None:
    stack = edge_stack("pass", "label", "categorical")  # kind -> price
    network = stack.network
    batch = next(iter(stack.train.epoch(1)))
    at = network.tasks.index("kind")
    seen = batch.targets.observed[..., at]
    assert seen.any() and not seen.all()
    labels = batch.targets.labels.clone()
    labels[..., at] = (labels[..., at] + 1) % CLASSES["kind"]
    changed = Targets(labels, batch.targets.weights, batch.targets.observed, batch.targets.present)
    place = network.blocks.index(network.place["price"][0])
    before, after = (network(batch.x, targets)[place][:, :, 0, 0] for targets in (batch.targets, changed))
    assert torch.equal(before != after, seen)
    # in evaluation labels are not given, so the estimate is passed: the same as over an edge of predictions
    by_prediction = edge_stack("pass", "prediction", "categorical").network
    assert torch.equal(network(batch.x)[place], by_prediction(batch.x)[place])


# ---------------------------------------------------------------- initial values


def test_initial_values_do_not_depend_on_other_tasks_edges_or_strategies() -> None:
    tasks = {
        "price": {"type": "regression"},
        "size": {"type": "regression"},
        "kind": {"type": "categorical"},
        "site": {"type": "categorical"},
    }
    full = make_stack([make_config(tasks)], classes=CLASSES).network
    heads = [full.task_parameters(t) for t in ("price", "size")]
    assert not any(torch.equal(ours, theirs) for ours, theirs in zip(*heads, strict=True))
    variants = {
        "only one": make_config(tasks, only=["site"]),
        "other order": make_config(dict(reversed(tasks.items()))),
        "chain": make_config(tasks, graph={"name": "chain"}),
        "uncertainty": make_config(tasks, loss={"name": "uncertainty"}),
        "per_head": make_config(tasks, lr={"name": "per_head", "trunk": "0.1x", "heads": {"default": "3x"}}),
    }
    for name, config in variants.items():
        network = make_stack([config], classes=CLASSES).network
        for ours, theirs in zip(network.sharing.parameters(), full.sharing.parameters(), strict=True):
            assert torch.equal(ours, theirs), name
        for task in network.tasks:
            outputs = CLASSES.get(task, 1)
            for ours, theirs in zip(network.task_parameters(task), full.task_parameters(task), strict=True):
                rows = theirs.shape[1]  # a head in a chain has further rows for what it receives
                last = ours.shape[-1] != 5  # the last layer is padded to the block's largest number of outputs
                columns = slice(outputs if last else None)
                assert torch.equal(ours[:, :rows][..., columns], theirs[..., columns]), (name, task)


def test_initial_values_are_those_of_the_seed_in_any_stack() -> None:
    stack = make_stack([make_config(seed=3), make_config(seed=8)]).network
    alone = make_stack([make_config(seed=8)]).network
    for together, single in zip(stack.parameters(), alone.parameters(), strict=True):
        assert torch.equal(together[1:], single) and not torch.equal(together[:1], single)


@pytest.mark.parametrize("runs", [1, 3])
def test_parameters_are_counted_without_padding(runs: int) -> None:
    tasks = {"a": {"type": "categorical"}, "b": {"type": "categorical"}, "c": {"type": "regression"}}
    configs = [make_config(tasks, seed=seed) for seed in range(runs)]
    network = make_stack(configs, classes={"a": 3, "b": 5}).network
    # 4 inputs, a trunk of 8 and 6, a hidden layer of 5 per head, then 3, 5 and 1 outputs
    assert network.parameter_count() == (4 + 1) * 8 + (8 + 1) * 6 + 3 * (6 + 1) * 5 + (5 + 1) * (3 + 5 + 1)


# ---------------------------------------------------------------- restarts


def test_a_restart_draws_other_parameters_and_leaves_split_and_order_alone() -> None:
    configs = [make_config(TASKS, model={"restart": restart}, seed=seed) for seed in (3, 4) for restart in (0, 1, 2)]
    datasets = [make_dataset(config, classes=CLASSES) for config in configs]
    stack = build_stack(configs, datasets)
    values = stack.step.flat.values  # [R, P]
    drawn = list(values)
    apart = [float((a - b).abs().mean()) for i, a in enumerate(drawn) for b in drawn[:i]]
    # of two independent draws from U(-c, c) the mean distance is 2c/3, of one from 0 it is c/2
    assert min(apart) / float(values.abs().mean()) == pytest.approx(4 / 3, rel=0.1)
    inputs = next(stack.train.epoch(1)).x
    for first in (0, 3):
        assert all(torch.equal(inputs[first], inputs[first + restart]) for restart in (1, 2))
    assert not torch.equal(inputs[0], inputs[3])
    alone = build_stack([make_config(TASKS, seed=3)], [make_dataset(make_config(TASKS, seed=3), classes=CLASSES)])
    assert torch.equal(alone.step.flat.values[0], values[0])


@pytest.mark.parametrize("sharing", ["hard", "none", "mmoe", "ple", "cross_stitch"])
def test_a_tap_on_the_last_layer_is_the_default(sharing: str) -> None:
    """at=2 of a trunk of two layers: the same after training, though its head is a block by itself then."""
    plain = make_config(TASKS, sharing={"name": sharing})
    tapped = make_config(TASKS, sharing={"name": sharing}, graph={"receives": {"price": {"trunk": {"at": 2}}}})
    one, other = make_stack([plain], classes=CLASSES), make_stack([tapped], classes=CLASSES)
    for stack in (one, other):
        train_steps(stack, 20)
    x = torch.randn(1, 7, 4, generator=torch.Generator().manual_seed(0))
    outputs = [
        dict(
            zip(
                s.network.tasks,
                [o for b, out in zip(s.network.blocks, s.network(x), strict=True) for o in out.unbind(2)],
                strict=True,
            )
        )
        for s in (one, other)
    ]
    for task in TASKS:
        width = one.network.place[task][0].specs[one.network.place[task][1]].outputs
        torch.testing.assert_close(outputs[1][task][..., :width], outputs[0][task][..., :width], rtol=1e-4, atol=1e-5)


# ---------------------------------------------------------------- what differs between training and predictions


@pytest.mark.parametrize("standardize", [True, False])
def test_clipped_predictions_end_at_the_training_labels(standardize: bool) -> None:
    tasks = {"a": {"type": "regression"}, "b": {"type": "binary"}, "c": {"type": "count"}}
    data = {"path": "memory", "standardize_targets": standardize}
    plain, configs = (
        [make_config(tasks, model={"clip_outputs": clip}, data=data, seed=seed) for seed in (0, 1)]
        for clip in (False, True)
    )
    stacks = [make_stack(plain), make_stack(configs)]
    for stack in stacks:
        train_steps(stack, 40)
        stack.val.rows.table[:, :4] *= 30  # far outside the range of training
    free, clipped = ([out.clone() for out in stack.val.outputs()] for stack in stacks)
    batch = next(iter(stacks[0].train.epoch(1)))
    losses = [stack.network.losses(batch.x, batch.targets) for stack in stacks]
    assert torch.equal(*losses)  # training is the same
    network = stacks[1].network
    for block, one, other in zip(network.blocks, free, clipped, strict=True):
        if block.tasks != ["a"]:
            assert torch.equal(one, other)
            continue
        for r, dataset in enumerate(stacks[1].datasets):
            labels = dataset.targets["a"].values[dataset.split.train]
            unit, offset = (
                float(v[r, network.tasks.index("a")]) for v in (stacks[1].scale.unit, stacks[1].scale.offset)
            )
            expected = (one[r] * unit + offset).clamp(labels.min(), labels.max())
            assert float((one[r] - other[r]).abs().max()) > 0.5
            torch.testing.assert_close(other[r] * unit + offset, expected, rtol=1e-5, atol=1e-5)
    kept = pruned(network, configs[0], stacks[1].specs, ["a"])
    assert kept.label_range is not None and network.label_range is not None
    assert torch.equal(kept.label_range[:, 0], network.label_range[:, network.tasks.index("a")])


def test_labels_are_smoothed_in_training_alone() -> None:
    stacks = [make_stack([make_config(trainer={"label_smoothing": s})]) for s in (0.0, 0.2)]
    batch = next(iter(stacks[0].train.epoch(1)))
    sharp, smooth = (stack.network.losses(batch.x, batch.targets)[0] for stack in stacks)
    tasks = stacks[0].network.tasks
    assert [bool(sharp[i] != smooth[i]) for i in range(3)] == [t != "a" for t in tasks]
    assert stacks[0].val() == stacks[1].val() and stacks[0].trivial == stacks[1].trivial
