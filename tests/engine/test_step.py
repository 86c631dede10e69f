"""The training step: against an independent loop, and a stack of runs against each of them alone."""

import pytest
import torch
from support import make_config, make_stack, train_steps
from torch import nn

CHAIN = {"name": "chain", "gradient": 0.5}
VARIANTS = {
    "sum": {},
    "fixed": {"loss": {"name": "fixed", "weights": {"a": 0.1, "b": 3.0}}},
    "uncertainty": {"loss": {"name": "uncertainty"}},
    "plain start": {"loss": {"name": "uncertainty", "init": 0.0}},
    "per head": {"lr": {"name": "per_head", "trunk": 1e-3, "heads": {"default": 1e-2, "b": 3e-2}}},
    "cosine": {"lr": {"schedule": "cosine", "warmup": 5}},
    "adamw": {"optimizer": {"name": "adamw", "weight_decay": 0.1}},
    "sgd": {"optimizer": {"name": "sgd", "momentum": 0.9, "nesterov": True, "weight_decay": 0.01}},
    "rmsprop": {"optimizer": {"name": "rmsprop", "centered": True, "momentum": 0.5}},
    "clip": {"trainer": {"clip": 0.1}},
    "dropout": {"model": {"dropout": 0.3}},
    "chain stop": {"graph": {"name": "chain"}},
    "chain pass": {"graph": {"name": "chain", "gradient": "pass"}},
    "chain logits": {"graph": CHAIN | {"what": "logits"}},
    "chain embedding": {"graph": CHAIN | {"what": "embedding"}},
    "chain label": {"graph": CHAIN | {"what": "label"}},
    "early layer": {"graph": {"receives": {"b": {"trunk": {"at": 1}}}}},
    "reverse": {"graph": {"receives": {"b": {"trunk": "reverse"}}, "reverse": {"schedule": "ramp"}}},
}


def with_schedule(stack, steps):
    """`train_steps` with the schedule of the loop."""
    import numpy as np

    from mtlrun.lr import schedule_factors

    config = stack.configs[0]
    factors = schedule_factors(config.lr, np.arange(steps), steps, stack.train.steps).tolist()
    done, epoch = 0, 1
    while done < steps:
        for batch in stack.train.epoch(epoch):
            stack.step.rates.set_schedule(factors[done])
            for scale in stack.network.scales:
                scale.advance(done / steps)
            stack.step(batch, done)
            done += 1
            if done == steps:
                break
        epoch += 1


@pytest.mark.parametrize("missing", [0.0, 0.4])
@pytest.mark.parametrize("variant", VARIANTS.values(), ids=VARIANTS)
def test_a_stack_equals_its_members_alone_after_20_steps(variant, missing):
    configs = [make_config(seed=s, **variant) for s in (1, 2, 3)]
    together = make_stack(configs, missing=missing)
    with_schedule(together, 20)
    for r, config in enumerate(configs):
        alone = make_stack([config], missing=missing)
        with_schedule(alone, 20)
        torch.testing.assert_close(together.step.flat.values[r], alone.step.flat.values[0], rtol=1e-5, atol=1e-5)


def test_members_may_differ_in_rates_weights_scales_decay_and_clipping():
    configs = [
        make_config(seed=1, lr={"base": 0.01}, graph=CHAIN, optimizer={"weight_decay": 0.0}),
        make_config(
            seed=1,
            lr={"base": 0.03},
            graph=CHAIN | {"gradient": "pass"},
            optimizer={"weight_decay": 0.1},
            trainer={"clip": 0.5},
        ),
        make_config(seed=2, lr={"name": "per_head", "trunk": "0.1x"}, graph=CHAIN | {"gradient": "stop"}),
    ]
    together = make_stack(configs)
    train_steps(together, 20)
    for r, config in enumerate(configs):
        alone = make_stack([config])
        train_steps(alone, 20)
        torch.testing.assert_close(together.step.flat.values[r], alone.step.flat.values[0], rtol=1e-5, atol=1e-5)


class Plain(nn.Module):
    """The same network in the usual way: one run, one module per head, float64."""

    def __init__(self, stack):
        super().__init__()
        network = stack.network.double()
        self.trunk, self.heads = nn.ModuleList(), nn.ModuleDict()
        for layer in network.sharing.trunk.layers:
            self.trunk.append(self.linear(layer.weight[0], layer.bias[0, 0]))
        for task in network.tasks:
            block, i = network.place[task]
            outputs = block.specs[i].outputs
            first = self.linear(block.weights[0][0, :, i], block.biases[0][0, 0, i])
            last = self.linear(block.weights[1][0, i, :, :outputs], block.biases[1][0, i, :outputs])
            self.heads[task] = nn.Sequential(first, nn.ReLU(), last)

    @staticmethod
    def linear(weight, bias):
        layer = nn.Linear(*weight.shape).double()
        layer.weight.data, layer.bias.data = weight.detach().T.clone(), bias.detach().clone()
        return layer

    def forward(self, x):
        for layer in self.trunk:
            x = torch.relu(layer(x))
        return {task: head(x) for task, head in self.heads.items()}


@pytest.mark.parametrize("optimizer", ["adam", "sgd"])
def test_training_equals_a_hand_written_loop(optimizer):
    tasks = {"a": {"type": "regression"}, "b": {"type": "binary"}, "c": {"type": "categorical"}}
    config = make_config(
        tasks,
        loss={"name": "fixed", "weights": {"a": 0.5}},
        optimizer={"name": optimizer},
        lr={"name": "per_head", "trunk": 1e-2, "heads": {"default": 1e-2, "c": 3e-2}},
    )
    stack, twin = make_stack([config]), make_stack([config])
    plain = Plain(twin)
    groups = [{"params": plain.trunk.parameters(), "lr": 1e-2}]
    groups += [{"params": h.parameters(), "lr": 3e-2 if t == "c" else 1e-2} for t, h in plain.heads.items()]
    reference = torch.optim.Adam(groups) if optimizer == "adam" else torch.optim.SGD(groups)
    for step, batch in enumerate(b for e in range(1, 6) for b in stack.train.epoch(e)):
        place = {t: i for i, t in enumerate(stack.network.tasks)}
        y = batch.targets.labels[0].double()
        out = plain(batch.x[0].double())
        loss = 0.5 * nn.functional.mse_loss(out["a"][:, 0], y[:, place["a"]])
        loss += nn.functional.binary_cross_entropy_with_logits(out["b"][:, 0], y[:, place["b"]])
        loss += nn.functional.cross_entropy(out["c"], y[:, place["c"]].long())
        reference.zero_grad()
        loss.backward()
        reference.step()
        losses, weights = stack.step(batch, step)
        assert float((losses * weights).sum()) == pytest.approx(float(loss.detach()), rel=1e-3)
    layer = stack.network.sharing.trunk.layers[0]
    torch.testing.assert_close(layer.weight[0].double(), plain.trunk[0].weight.T, rtol=1e-3, atol=2e-4)
    block, i = stack.network.place["c"]
    torch.testing.assert_close(block.weights[1][0, i].double(), plain.heads["c"][2].weight.T, rtol=1e-3, atol=2e-4)


def test_a_weight_of_zero_leaves_the_head_where_it_was():
    config = make_config(loss={"name": "fixed", "weights": {"b": 0.0}})
    stack = make_stack([config])
    before = [p.clone() for p in stack.network.task_parameters("b")]
    train_steps(stack, 10)
    assert all(torch.equal(a, b) for a, b in zip(before, stack.network.task_parameters("b"), strict=True))
    assert not torch.equal(stack.network.task_parameters("a")[0], make_stack([config]).network.task_parameters("a")[0])


def test_missing_labels_never_make_a_parameter_nan():
    stack = make_stack([make_config(loss={"name": "uncertainty"}, trainer={"batch_size": 2})], missing=0.9, rows=200)
    train_steps(stack, 40)
    assert bool(stack.step.flat.values.isfinite().all())


def test_clipping_bounds_each_run_by_its_own_norm():
    configs = [make_config(trainer={"clip": 1e-3}), make_config(trainer={"clip": None})]
    stack = make_stack(configs)
    train_steps(stack, 1)
    clipped, free = stack.step.flat.gradients.norm(dim=1).tolist()
    assert clipped == pytest.approx(1e-3, rel=1e-2)
    assert free > 0.01
    assert stack.step.gradient_norms().tolist() == pytest.approx([free, free])  # logged before clipping


def test_dropout_masks_are_each_run_s_own_and_differ_between_steps():
    stack = make_stack([make_config(seed=s, model={"dropout": 0.5}) for s in (1, 2)])
    one, again, later = (stack.step.dropout_masks(s)("trunk.layer1", (4, 8)) for s in (0, 0, 1))
    assert torch.equal(one, again) and not torch.equal(one, later) and not torch.equal(one[0], one[1])
    assert set(one.unique().tolist()) == {0.0, 2.0}


def test_the_strategy_s_rate_follows_no_schedule_also_where_it_equals_the_network_s():
    def trained(own):
        config = make_config(loss={"name": "uncertainty", "lr": own}, lr={"base": 0.01, "schedule": "cosine"})
        stack = make_stack([config])
        with_schedule(stack, 20)
        return stack.step.flat.values

    equal, nearly = trained(0.01), trained(0.01 * (1 + 1e-6))
    assert torch.allclose(equal, nearly, atol=1e-5)


def test_a_class_of_weight_0_still_passes_its_labels():
    tasks = {"a": {"type": "categorical", "class_weights": "balanced"}, "b": {"type": "regression"}}
    config = make_config(tasks, graph={"receives": {"b": {"a": {"what": "label"}}}})
    stack = make_stack([config], rows=60)
    stack.train.rows.class_weights = {0: torch.tensor([[0.0, 1.0, 1.0]])}
    batch = next(stack.train.epoch(1))
    assert batch.targets.weights is not None and bool((batch.targets.weights[..., 0] == 0).any())
    assert batch.targets.observed is None
