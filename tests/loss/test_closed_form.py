"""Closed forms through the real training step: learnt noise equals that of the residuals; what a loss's scale does."""

import numpy as np
import pytest
import torch
from support import make_config, make_stack, train_steps

from mtlrun.config.schema import Config
from mtlrun.data.columns import InputColumn, InputSpec
from mtlrun.data.dataset import Dataset
from mtlrun.data.split import Split
from mtlrun.data.targets import Target
from mtlrun.engine.stack import Stack
from mtlrun.loss.uncertainty import Uncertainty
from mtlrun.runs.build import build_stack
from mtlrun.tasks import type_of
from mtlrun.util.errors import RequestError


def make_data(config: Config, x: np.ndarray, labels: dict[str, np.ndarray]) -> Dataset:
    """A table of one input, whose rows all train; the first ten also stand for val and test."""
    targets = {}
    for name, values in labels.items():
        kind = config.tasks[name].type
        targets[name] = Target(
            task=name,
            column=name,
            type=kind,
            loss=type_of(kind).default_loss,
            primary=type_of(kind).primary,
            classes=[] if kind == "regression" else [0, 1],
            values=values.astype(np.float64),
            observed=np.ones(len(x), bool),
            class_weights=None,
        )
    spec, none = InputSpec([InputColumn("x", "numeric")]), np.empty((len(x), 0), np.int32)
    split = Split(np.arange(len(x)), np.arange(10), np.arange(10))
    return Dataset(spec, x.astype(np.float32).reshape(-1, 1), none, targets, None, split, "memory", [])


def learnt(stack: Stack) -> torch.Tensor:
    """e^s `[R, T]`."""
    assert isinstance(stack.step.strategy, Uncertainty)
    return stack.step.strategy.s.detach().exp()


def test_sigma_equals_the_residuals_of_two_regressions() -> None:
    """y₁ = 2x + 8 + 10ε, y₂ = 3x + 3 + ε, one ReLU layer of 1024; both starts of s, side by side in one stack."""
    stream = np.random.default_rng(0)
    x, noise = stream.normal(size=100), stream.normal(size=(100, 2))
    labels = {"y1": 2 * x + 8 + 10 * noise[:, 0], "y2": 3 * x + 3 + noise[:, 1]}
    configs = [
        make_config(
            {"y1": {"type": "regression"}, "y2": {"type": "regression"}},
            seed=1,
            data={"standardize_targets": False},
            model={"hidden": [1024], "head_hidden": []},
            lr={"base": 1e-3},
            loss={"name": "uncertainty", "lr": 0.025, "init": init},
            trainer={"batch_size": 20},
        )
        for init in ("first_batch", 0.0)
    ]
    stack = build_stack(configs, [make_data(c, x, labels) for c in configs])
    train_steps(stack, 3000)
    encoded = stack.network.encoder(torch.from_numpy(x.astype(np.float32)).view(1, -1, 1).expand(2, -1, -1), None)
    with torch.no_grad():
        (outputs,) = stack.network(encoded)  # [R, N, T, 1]
    y = torch.from_numpy(np.stack([labels[t] for t in stack.network.tasks], 1))
    mse = (outputs[..., 0] - y).square().mean(1)  # [R, T]
    ratio = (learnt(stack) / mse).sqrt()
    assert ratio.flatten().tolist() == pytest.approx([1.0] * 4, abs=0.03), ratio
    assert mse[:, 0].min() > 60 and mse[:, 1].max() < 1.5  # of the size of the noise: the network has fitted the lines


def test_sigma_squared_is_twice_the_cross_entropy() -> None:
    """Labels of which one in five is 1, and an input that says nothing: CE = H(0.2) = 0.5004."""
    x, labels = np.ones(100), (np.arange(100) % 5 == 0).astype(float)
    tasks = {"flag": {"type": "binary"}, "class": {"type": "categorical"}}
    config = make_config(
        tasks,
        loss={"name": "uncertainty", "init": 0.5},
        trainer={"batch_size": 20},
        model={"hidden": [4], "head_hidden": []},
    )
    stack = build_stack([config], [make_data(config, x, dict.fromkeys(tasks, labels))])
    train_steps(stack, 1500)
    entropy = -(0.2 * np.log(0.2) + 0.8 * np.log(0.8))
    assert 2 * entropy == pytest.approx(1.0008, abs=1e-4)
    assert learnt(stack)[0].tolist() == pytest.approx([2 * entropy] * 2, rel=0.02)
    figures = stack.val()[0]
    assert [figures[t, "loss"] for t in tasks] == pytest.approx([entropy] * 2, rel=0.02)


def heads_after(steps: int, optimizer: dict[str, float | str], loss: dict[str, object]) -> torch.Tensor:
    """The heads' parameters `[steps, P]` after every step, with a trunk that does not move."""
    config = make_config(
        loss=loss, optimizer=optimizer, lr={"name": "per_head", "trunk": 0.0, "heads": {"default": 0.01}}
    )
    stack = make_stack([config])
    shared = stack.step.flat.shared_size
    trunk = stack.step.flat.values[:, :shared].clone()
    batches, trajectory = list(stack.train.epoch(1)), []
    for i in range(steps):
        stack.step(batches[i % len(batches)], i)
        trajectory.append(stack.step.flat.values[0, shared : stack.step.flat.network_size].clone())
    assert torch.equal(stack.step.flat.values[:, :shared], trunk)
    return torch.stack(trajectory)


@pytest.mark.parametrize("optimizer", ["adam", "sgd"])
def test_a_hundred_times_a_loss_changes_heads_under_sgd_and_not_under_adam(optimizer: str) -> None:
    settings: dict[str, float | str] = {"name": optimizer} | ({"eps": 1e-30} if optimizer == "adam" else {})
    plain = heads_after(30, settings, {"name": "sum"})
    scaled = heads_after(30, settings, {"name": "fixed", "weights": {"a": 100.0}})
    assert (plain[-1] - plain[0]).abs().max() > 0.01
    difference = (scaled - plain).abs().max()
    assert difference < 1e-5 if optimizer == "adam" else difference > 0.1, difference


@pytest.mark.parametrize("loss", [{"name": "gls"}, {"name": "uncertainty", "solve": "closed_form"}])
def test_what_divides_by_the_loss_moves_heads_by_its_own_measure(loss: dict[str, object]) -> None:
    """Under SGD: the published weights times the losses are 1/n of their geometric mean, or c."""
    config = make_config(loss=loss, optimizer={"name": "sgd"})
    stack = make_stack([config])
    for i, batch in enumerate(stack.train.epoch(1)):
        losses, weights = stack.step(batch, i)
        products = (losses * weights)[0]
        mean = losses.double().log().mean().exp() / 3
        expected = [float(mean)] * 3 if loss["name"] == "gls" else [0.5] * 3
        assert products.tolist() == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("name", ["imtl_g", "aligned_mtl", "config"])
def test_heads_are_not_weighed_by_what_may_be_below_0(name: str) -> None:
    with pytest.raises(
        RequestError, match=rf"loss\.heads: weighted has no meaning with loss={name}, as a weight may be"
    ):
        make_config(loss={"name": name, "heads": "weighted"})
