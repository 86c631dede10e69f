"""Losses and gradients that are not finite: what is said of them, and `trainer.on_nan`."""

import dataclasses
import math

import pandas as pd
import pytest
import torch
from support import make_config, make_stack
from trainings import InterruptAt, training

from mtlrun.config.schema.loss import LOSS_SETTINGS
from mtlrun.engine import checkpoint
from mtlrun.storage.progress import Progress
from mtlrun.util.errors import Interrupted

STEPS, POISONED = 8, 4


def poisoned(batch, value, runs=(0,), task=0):
    """A batch in which the first label of a task is `value` for some of the runs."""
    labels = batch.targets.labels.clone()
    labels[list(runs), 0, task] = value
    return dataclasses.replace(batch, targets=dataclasses.replace(batch.targets, labels=labels))


def everything(stack, run):
    """All that a step changes of one run."""
    step = stack.step
    tensors = [step.flat.values, *step.optimizer.state.values(), *step.strategy.state().values()]
    return [t[run].clone() for t in tensors if t.dim()]


def steps(stack, value=None):
    """Take some steps, one of them with a label of run 0 that is `value`; what that step left of run 0, and found."""
    before = after = []
    for number, batch in zip(range(STEPS), (b for e in (1, 2, 3) for b in stack.train.epoch(e)), strict=False):
        if number == POISONED and value is not None:
            stack.step.strategy.turn(number)  # an epoch has ended whatever this step comes to
            before = everything(stack, 0)
            stack.step(poisoned(batch, value), number)
            after = everything(stack, 0)
        else:
            stack.step(batch, number)
    return before, after


@pytest.mark.parametrize(
    ("name", "value"), [*((name, math.nan) for name in LOSS_SETTINGS), ("uncertainty", math.inf), ("pcgrad", math.inf)]
)
def test_a_skipped_step_changes_nothing_of_its_run_and_nothing_of_the_others(name, value):
    configs = [make_config(loss={"name": name}, seed=seed, trainer={"on_nan": "skip"}) for seed in range(2)]
    well, hurt = make_stack(configs, missing=0.2), make_stack(configs, missing=0.2)
    steps(well)
    before, after = steps(hurt, value)
    assert all(torch.equal(a, b) for a, b in zip(before, after, strict=True))
    # the others' sums are over their own numbers, whatever these are
    assert all(torch.equal(a, b) for a, b in zip(everything(well, 1), everything(hurt, 1), strict=True))
    assert all(bool(t.isfinite().all()) for t in [hurt.step.flat.values, *hurt.step.optimizer.state.values()])
    assert not torch.equal(after[0], everything(hurt, 0)[0])  # and it goes on


@pytest.mark.parametrize(
    "optimizer",
    [
        {"name": "sgd", "momentum": 0.9, "weight_decay": 0.1},
        {"name": "adamw", "weight_decay": 0.1, "amsgrad": True},
        {"name": "rmsprop", "momentum": 0.9, "centered": True},
    ],
)
def test_a_skipped_step_leaves_every_optimiser_as_it_was(optimizer):
    stack = make_stack(
        [make_config(optimizer=optimizer, trainer={"on_nan": "skip", "clip": 1.0}, seed=s) for s in range(2)]
    )
    before, after = steps(stack, math.inf)
    assert all(torch.equal(a, b) for a, b in zip(before, after, strict=True))


def test_finite_gradients_whose_sum_is_infinite_are_no_reason_to_skip():
    stack = make_stack([make_config(trainer={"on_nan": "skip"})])
    stack.step.flat.gradients.fill_(3e38)
    assert stack.step.guard.find_nonfinite(torch.zeros(1, 3)) is None
    stack.step.flat.gradients[0, 5] = math.inf
    assert stack.step.guard.find_nonfinite(torch.zeros(1, 3)).tolist() == [5]
    stack.step.guard.on_cpu = False  # as on another device, where nothing waits for the answer
    assert stack.step.guard.find_nonfinite(torch.zeros(1, 3)).tolist() == [5]


def poison(stack, value, runs=(0,), every=1, task=0):
    """Have every so manieth batch of an epoch hold a label that is `value`."""
    epoch = stack.train.epoch

    def batches(number, start=0):
        for at, batch in enumerate(epoch(number, start), start):
            yield poisoned(batch, value, runs, task) if at % every == 1 % every else batch

    stack.train.epoch = batches


def train(stack, folder):
    return training(stack, folder).train(Progress(0, stack.network.tasks))[0]


def test_a_loss_that_is_not_finite_ends_the_run_at_its_step_by_name(tmp_path):
    stack = make_stack([make_config(trainer={"max_steps": 12})])
    poison(stack, math.nan, every=9)
    before = stack.step.flat.values.clone()
    summary = train(stack, tmp_path)
    assert (summary["status"], summary["error"]) == ("failed", "diverged: the loss of a is nan in step 2")
    assert summary["steps"] == 2
    assert bool(stack.step.flat.values.isfinite().all()) and not torch.equal(stack.step.flat.values, before)


@pytest.mark.parametrize(
    ("column", "name"), [(0, "trunk.layers.0.weight"), (95, "heads.a.weights.0"), (-1, "heads.c.biases.1")]
)
def test_a_gradient_that_is_not_finite_is_named_with_its_parameter(tmp_path, column, name):
    stack = make_stack([make_config(trainer={"max_steps": 12})])
    own = stack.step.flat.set_gradients

    def set_gradients(gradients):
        own(gradients)
        stack.step.flat.gradients[0, column] = -math.inf

    stack.step.flat.set_gradients = set_gradients
    summary = train(stack, tmp_path)
    assert summary["error"] == f"diverged: the gradient of {name} is not finite in step 1, where all losses are"


@pytest.mark.parametrize(
    ("settings", "name"),
    [
        ({"sharing": {"name": "none"}}, "trunks.weights.0 of b"),
        ({"loss": {"name": "uncertainty"}}, "strategy.s"),
    ],
)
def test_columns_of_own_trunks_and_of_strategies_have_names(settings, name):
    flat = make_stack([make_config(**settings)]).step.flat
    names = [flat.name_of(column) for column in range(flat.values.shape[1])]
    assert name in names and len(set(names)) >= len(flat.names)


def test_skipped_steps_are_counted_said_and_out_of_the_means(tmp_path):
    said = []
    stack = make_stack([make_config(trainer={"on_nan": "skip", "epochs": 2})])
    assert stack.train.steps == 4
    poison(stack, math.inf, every=4)  # the second of each epoch
    running = training(stack, tmp_path, console=said.append)
    summary = running.train(Progress(0, stack.network.tasks))[0]
    assert summary["status"] == "completed"
    rows = pd.read_csv(tmp_path / "metrics.csv")
    assert rows[rows.metric == "skipped"][["step", "value"]].values.tolist() == [[4, 1], [8, 2]]
    assert len(rows[(rows.split == "train") & (rows.metric == "loss")]) == 6  # of every task, without that step
    assert [line for line in said if "skipped" in line] == [
        "1 of 4 steps skipped: the loss of a is inf in step 2",
        "1 of 4 steps skipped: the loss of a is inf in step 6",
    ]


def test_a_run_that_takes_no_step_for_an_epoch_has_failed(tmp_path):
    stack = make_stack([make_config(trainer={"on_nan": "skip", "evaluate_every": 1, "epochs": 3})])
    poison(stack, math.nan)
    summary = train(stack, tmp_path)
    assert summary["error"] == "diverged: the loss of a is nan in step 4, and the last 4 steps were all skipped"


def test_without_the_policy_no_row_speaks_of_skipped_steps(tmp_path):
    train(make_stack([make_config()]), tmp_path)
    assert not (pd.read_csv(tmp_path / "metrics.csv").metric == "skipped").any()


def test_a_run_with_skipped_steps_resumes_bit_for_bit(tmp_path):
    def stack():
        made = make_stack([make_config(trainer={"on_nan": "skip"}, loss={"name": "famo"})])
        poison(made, math.nan, every=2)
        return made

    train(stack(), tmp_path / "whole")
    for step in (2, 6, 9):
        folder = tmp_path / str(step)
        with pytest.raises(Interrupted):
            training(stack(), folder).train(InterruptAt(step))
        state = checkpoint.load(folder / "checkpoints/last.pt")
        training(stack(), folder, state).train(Progress(0, ["a", "b", "c"]))
        assert (folder / "metrics.csv").read_bytes() == (tmp_path / "whole/metrics.csv").read_bytes()


@pytest.mark.parametrize("on_nan", ["stop", "skip"])
def test_a_run_that_has_ended_stays_in_a_step_in_which_another_is_not_finite(on_nan):
    stack = make_stack([make_config(seed=seed, trainer={"on_nan": on_nan}) for seed in range(3)])
    stack.step.guard.active = torch.tensor([[False], [True], [True]])
    before = stack.step.flat.values.clone()
    stack.step(poisoned(next(iter(stack.train.epoch(1))), math.nan, runs=(1,)), 0)
    moved = (stack.step.flat.values != before).any(1)
    assert moved.tolist() == [False, False, True]


STATEFUL = ["dwa", "stch", "uncertainty", "gradnorm", "famo", "excess_mtl", "db_mtl", "gradvac"]


@pytest.mark.parametrize(
    ("name", "at"), [*((name, 4) for name in LOSS_SETTINGS), *((name, at) for name in STATEFUL for at in (0, 8, 11))]
)
def test_a_skipped_step_is_forgotten_by_a_process_that_goes_on_as_by_one_that_resumes(tmp_path, name, at):
    """Also at the beginning of training and of epochs, of four steps, where strategies start and take stock."""

    def stack():
        made = make_stack([make_config(loss={"name": name}, trainer={"on_nan": "skip", "epochs": 4})])
        own = type(made.step.flat).set_gradients
        seen = made.step.strategy.turn

        def turn(step):
            made.now = step
            seen(step)

        def set_gradients(gradients):
            own(made.step.flat, gradients)
            if made.now == at:
                made.step.flat.gradients[0, 3] = math.nan  # of finite losses, which a strategy has seen

        made.step.strategy.turn, made.step.flat.set_gradients = turn, set_gradients
        return made

    summary = train(stack(), tmp_path / "whole")
    assert summary["status"] == "completed"
    with pytest.raises(Interrupted):
        training(stack(), tmp_path / "parts").train(InterruptAt(at + 2))
    state = checkpoint.load(tmp_path / "parts/checkpoints/last.pt")
    training(stack(), tmp_path / "parts", state).train(Progress(0, ["a", "b", "c"]))
    assert (tmp_path / "parts/metrics.csv").read_bytes() == (tmp_path / "whole/metrics.csv").read_bytes()


def test_dwa_takes_stock_of_an_epoch_whose_end_is_skipped():
    stack = make_stack([make_config(loss={"name": "dwa"}, trainer={"on_nan": "skip"})])
    for number, batch in zip(range(14), (b for e in (1, 2, 3, 4) for b in stack.train.epoch(e)), strict=False):
        stack.step(poisoned(batch, math.nan) if number in (4, 8) else batch, number)
        assert float(stack.step.strategy.means.batches.max()) <= stack.train.steps
    assert not torch.equal(stack.step.strategy.rate, torch.ones(1, 3))


def test_learnt_weights_start_with_the_first_step_that_is_taken():
    stack = make_stack([make_config(loss={"name": "uncertainty"}, trainer={"on_nan": "skip"})])
    for number, batch in zip(range(3), stack.train.epoch(1), strict=False):
        stack.step(poisoned(batch, math.nan) if number == 0 else batch, number)
        assert bool((stack.step.strategy.s != 0).all()) is (number > 0)


def test_an_infinite_loss_stops_a_run_where_its_gradient_is_finite(tmp_path):
    stack = make_stack([make_config(trainer={"max_steps": 12})])
    poison(stack, 1e25, every=9)  # its square is beyond float32
    before = [stack.step.flat.values.clone()]
    own = stack.step.optimizer.step

    def step(rates):
        before.append(stack.step.flat.values.clone())
        own(rates)

    stack.step.optimizer.step = step
    summary = train(stack, tmp_path)
    assert summary["error"] == "diverged: the loss of a is inf in step 2" and summary["steps"] == 2
    assert torch.equal(stack.step.flat.values, before[-1])


def test_a_short_run_that_takes_no_step_has_failed(tmp_path):
    stack = make_stack([make_config(trainer={"on_nan": "skip", "max_steps": 3})])
    poison(stack, math.nan)
    assert train(stack, tmp_path)["status"] == "failed"


def test_noise_is_not_blamed_for_a_gradient_that_is_not_finite(tmp_path):
    stack = make_stack([make_config(trainer={"max_steps": 4, "gradient_noise": 0.5})])
    own = type(stack.step.flat).set_gradients

    def set_gradients(gradients):
        own(stack.step.flat, gradients)
        stack.step.flat.gradients[0, 60] = math.nan

    stack.step.flat.set_gradients = set_gradients
    assert "the gradient of trunk.layers.1.weight is not finite in step 1" in train(stack, tmp_path)["error"]
