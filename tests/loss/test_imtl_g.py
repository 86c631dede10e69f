"""Impartial gradients: equal projections, and descent where the published step ascends."""

import dataclasses
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import torch
from playing import TASKS, make, members, some_gradients
from support import make_config, make_stack
from torch import Tensor
from torchjd.aggregation import IMTLGWeighting

from mtlrun.engine.loop import Training
from mtlrun.loss import StepInputs
from mtlrun.loss.imtl_g import ImtlG
from mtlrun.storage.progress import Progress


def impartial(gradients: Tensor) -> tuple[Tensor, ImtlG]:
    """Weights `[R, T]` float64 for gradients `[R, T, D]`."""
    runs, tasks = gradients.shape[:2]
    one = members([{"name": "imtl_g"}], tasks=[f"t{i}" for i in range(tasks)], noise=[(1.0, 0.5)] * tasks)
    strategy = ImtlG(dataclasses.replace(one, configs=list(one.configs) * runs, seeds=list(range(runs))))
    weights = strategy.weights(StepInputs(torch.ones(runs, tasks), None, 0, gradients.float()))
    return weights.double(), strategy


def correlated(draws: int, tasks: int, size: int, common: float = 2.0) -> Tensor:
    """Gradients `[draws, T, D]` of independent normal numbers and `common` times numbers that all tasks share."""
    stream = torch.Generator().manual_seed(0)
    own = torch.randn(draws, tasks, size, generator=stream)
    return own + common * torch.randn(draws, 1, size, generator=stream)


def projections(gradients: Tensor, weights: Tensor) -> Tensor:
    """Of the direction onto the unit gradients, `[R, T]`."""
    gradients = gradients.double()
    direction = (weights.unsqueeze(2) * gradients).sum(1, keepdim=True)
    return (direction * torch.nn.functional.normalize(gradients, dim=2)).sum(2)


@pytest.mark.parametrize("tasks", [2, 3, 10, 40])
def test_weights_are_those_of_torchjd_and_project_equally(tasks: int) -> None:
    gradients = some_gradients(1, 20, tasks, 200)[0]
    weights, strategy = impartial(gradients)
    for r, own in enumerate(gradients.double()):
        torch.testing.assert_close(weights[r], IMTLGWeighting()(own @ own.T), rtol=1e-5, atol=1e-5)
    onto = projections(gradients, weights)
    torch.testing.assert_close(onto, onto.mean(1, keepdim=True).expand_as(onto), rtol=1e-4, atol=1e-6)
    torch.testing.assert_close(weights.sum(1), torch.ones(20, dtype=torch.float64), rtol=1e-5, atol=1e-5)
    assert (onto > 0).all() and (strategy.figures()["flips"] == 0).all()


@pytest.mark.parametrize("tasks", [3, 10])
def test_dependent_gradients_of_one_length_are_weighed_as_torchjd_does(tasks: int) -> None:
    """In fewer dimensions than there are tasks. The signs of sums that torchjd keeps are put aside."""
    gradients = torch.nn.functional.normalize(some_gradients(1, 20, tasks, tasks - 1)[0].double(), dim=2)
    weights, _ = impartial(gradients)
    for r, own in enumerate(gradients):
        expected = IMTLGWeighting()(own @ own.T)
        torch.testing.assert_close(weights[r], expected * expected.sum().sign(), rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("size", [2, 3, 20])
def test_the_direction_does_not_change_with_the_scale_of_a_task(size: int) -> None:
    """Also where gradients depend on each other, over 16 orders of magnitude."""
    gradients = some_gradients(1, 10, 3, size)[0]
    factors = torch.tensor([1e-8, 1.0, 1e8]).unsqueeze(1)
    (one, _), (other, _) = impartial(gradients), impartial(gradients * factors)
    ways = [
        torch.nn.functional.normalize((w.unsqueeze(2) * g.double()).sum(1), dim=1)
        for w, g in ((one, gradients), (other, gradients * factors))
    ]
    torch.testing.assert_close(ways[1], ways[0], rtol=1e-3, atol=1e-4)


def test_identical_tasks_have_the_direction_of_one() -> None:
    gradients = some_gradients(1, 5, 1)[0].expand(-1, 3, -1)
    weights, _ = impartial(gradients)
    torch.testing.assert_close(weights, torch.full_like(weights, 1 / 3), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("factor", [-1.0, -0.37])
def test_opposite_gradients_have_weight_0(factor: float) -> None:
    one = some_gradients(1, 5, 1)[0]
    weights, strategy = impartial(torch.cat([one, factor * one], 1))
    assert (weights == 0).all() and (strategy.flips == 0).all()


def test_a_negative_denominator_by_hand() -> None:
    """Cosines 0, 0.6, 0.6 and lengths 1, 1, 0.1: C⁻¹1 = (0.4, 0.4, −0.2)/0.28, G⁻¹d = (0.4, 0.4, −2)/0.28, whose sum
    is −1.2/0.28; divided by it the weights would be (−1, −1, 5)/3."""
    gradients = torch.tensor([[[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.06, 0.06, 0.1 * 0.28**0.5]]])
    weights, strategy = impartial(gradients)
    assert weights[0].tolist() == pytest.approx([1 / 3, 1 / 3, -5 / 3], rel=1e-5)
    assert strategy.flips.tolist() == [1]
    # the direction's projection is 1 / (1.2 / 0.28) on each, and the published one's the opposite
    assert projections(gradients, weights)[0].tolist() == pytest.approx([0.28 / 1.2] * 3, rel=1e-4)
    own = gradients[0].double()
    torch.testing.assert_close(IMTLGWeighting()(own @ own.T), -weights[0], rtol=1e-5, atol=1e-5)


def test_the_corrected_step_descends_where_the_published_one_ascends() -> None:
    gradients = correlated(2000, 3, 3)
    weights, strategy = impartial(gradients)
    flipped = strategy.flips == 1
    published = torch.stack([IMTLGWeighting()(own @ own.T) for own in gradients.double()])
    onto, before = projections(gradients, weights), projections(gradients, published)
    usual = published.abs().amax(1) < 100  # not so near to a denominator of 0 that float32 decides the rest
    assert (onto[usual] > 0).all()
    assert flipped.any() and (before[usual & flipped] < 0).all() and (before[usual & ~flipped] > 0).all()
    torch.testing.assert_close(
        weights[usual & flipped].sum(1), -torch.ones(int((usual & flipped).sum())).double(), rtol=1e-4, atol=1e-4
    )


@pytest.mark.parametrize(("tasks", "share"), [(2, 0.0), (3, 0.081), (4, 0.111)])
def test_how_often_the_denominator_is_negative(tasks: int, share: float) -> None:
    """In as many dimensions as there are tasks, and with pairs whose cosine is 0.8 on average over many dimensions."""
    _, strategy = impartial(correlated(20_000, tasks, tasks))
    assert strategy.flips.double().mean().item() == pytest.approx(share, abs=0.006)


def test_flips_are_counted_for_each_run() -> None:
    draws = correlated(200, 3, 3)
    _, strategy = impartial(draws)
    at = int(strategy.flips.argmax())
    again = make("imtl_g", [{}, {}], tasks=TASKS)
    assert isinstance(again, ImtlG)
    for step in range(5):
        again.weights(StepInputs(torch.ones(2, 3), None, step, torch.stack([draws[at], torch.eye(3)])))
    assert again.figures()["flips"].tolist() == [5, 0]
    assert again.state()["ImtlG.flips"].tolist() == [5, 0]


def test_flips_are_in_the_metrics(tmp_path: Path) -> None:
    """As many as the strategy has counted, at every evaluation, for each run of a stack."""
    configs = [make_config(loss={"name": "imtl_g"}, seed=s) for s in range(2)]
    stack = make_stack(configs)
    strategy = stack.step.strategy
    assert isinstance(strategy, ImtlG)
    strategy.flips += torch.tensor([3, 70])  # of steps before
    before = strategy.flips.clone()
    folders = [tmp_path / str(r) for r in range(2)]
    summaries: list[dict[str, Any]] = [{"settings": {}, "status": "running"} for _ in folders]
    training = Training(stack, folders, summaries, tmp_path / "stack.pt", None, lambda line: None)
    training.train(Progress(training.total, stack.network.tasks))
    for r, folder in enumerate(folders):
        table = pd.read_csv(folder / "metrics.csv", keep_default_na=False)
        rows = table[table.metric == "flips"]
        assert set(rows.split) == {"train"} and set(rows.task) == {""} and rows.epoch.tolist() == [1, 2, 3]
        assert rows.value.iloc[-1] == int(strategy.flips[r])
        assert rows.value.is_monotonic_increasing and rows.value.iloc[0] >= int(before[r])
