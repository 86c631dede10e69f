"""The loop: files, selection, early stopping, divergence, and exact resuming."""

import json
import os
import re
import signal

import pandas as pd
import pytest
import torch
from support import make_config, make_dataset, make_stack
from trainings import InterruptAt, training

from mtlrun.engine import checkpoint
from mtlrun.runs.build import build_stack
from mtlrun.storage.progress import Progress
from mtlrun.util.errors import Interrupted, StorageError


def run(config, folder, state=None, stack=None, **data):
    """Train a small run; returns its summary."""
    stack = stack or make_stack([config], **data)
    running = training(stack, folder, state)
    return running.train(Progress(running.total, stack.network.tasks))[0]


def interrupted(config, folder, step, signum=signal.SIGINT, **data):
    """The state of a run that was interrupted after `step`."""
    running = training(make_stack([config], **data), folder)
    with pytest.raises(Interrupted) as caught:
        running.train(InterruptAt(step, signum))
    assert caught.value.signum == signum
    assert running.state.step == step
    assert json.loads((folder / "summary.json").read_text())["status"] == "interrupted"
    return checkpoint.load(folder / "checkpoints" / "last.pt")


def test_the_same_configuration_gives_the_same_bytes(tmp_path):
    config = make_config(loss={"name": "uncertainty"}, model={"dropout": 0.2})
    run(config, tmp_path / "one")
    run(config, tmp_path / "two")
    assert (tmp_path / "one/metrics.csv").read_bytes() == (tmp_path / "two/metrics.csv").read_bytes()


@pytest.mark.parametrize("step", [1, 4, 5, 7, 11, 12])
@pytest.mark.parametrize(
    "settings",
    [
        {"loss": {"name": "uncertainty"}, "model": {"dropout": 0.2}},
        {"optimizer": {"name": "sgd", "momentum": 0.9}, "lr": {"schedule": "cosine", "warmup": 3}},
        {
            "graph": {"receives": {"b": {"trunk": "reverse"}}, "reverse": {"schedule": "ramp"}},
            "trainer": {"max_steps": 12},
        },
        {
            "graph": {"receives": {"b": {"trunk": "reverse"}}, "reverse": {"schedule": "ramp"}},
            "model": {"dropout": 0.2},
            "trainer": {"gradient_noise": 0.5, "log_gradients": True, "log_activations": True, "importance": True},
        },
        {"trainer": {"evaluate_every": 3}},
        {"trainer": {"evaluate_every": 7, "max_steps": 12}},
    ],
    ids=["uncertainty", "sgd", "reverse", "gradients and importance", "every 3 steps", "every 7 steps"],
)
def test_a_resumed_run_ends_as_the_uninterrupted_one_bit_for_bit(tmp_path, settings, step):
    config = make_config(**settings)
    whole = run(config, tmp_path / "whole", missing=0.3)
    state = interrupted(config, tmp_path / "parts", step, missing=0.3)
    (tmp_path / "parts/metrics.csv").open("a").write("rows after the checkpoint\n")
    resumed = run(config, tmp_path / "parts", state, missing=0.3)
    for name in ["metrics.csv", *(["importance.csv"] if config.trainer.importance else [])]:
        assert (tmp_path / "whole" / name).read_bytes() == (tmp_path / "parts" / name).read_bytes()
    assert resumed["figures"] == whole["figures"]
    one, two = (checkpoint.load(tmp_path / d / "checkpoints" / "last.pt") for d in ("whole", "parts"))
    assert torch.equal(one["values"], two["values"])
    one, two = (checkpoint.load(tmp_path / d / "checkpoints" / "best.pt") for d in ("whole", "parts"))
    assert all(torch.equal(v, two["network"][k]) for k, v in one["network"].items())


@pytest.mark.parametrize("standardize", [True, False])
def test_sigma_fits_the_weights_and_the_unit_of_the_target(tmp_path, standardize):
    """The weight of a step, ½ e^(−s), is that of the s after the step before: σ = √(½ / w) units of the loss."""
    trainer = {"evaluate_every": 1, "max_steps": 9}
    config = make_config(loss={"name": "uncertainty"}, trainer=trainer, data={"standardize_targets": standardize})
    stack = make_stack([config])
    summary = run(config, tmp_path, stack=stack)
    rows = pd.read_csv(tmp_path / "metrics.csv").query("split == 'train' and task == 'a'")
    sigma, weight = (rows[rows.metric == name].set_index("step").value for name in ("sigma", "weight"))
    target, train = stack.datasets[0].targets["a"], stack.datasets[0].split.train
    unit = target.values[train].std() if standardize else 1.0
    assert sigma.to_numpy()[:-1] == pytest.approx(unit * (0.5 / weight.to_numpy()[1:]) ** 0.5, rel=1e-5)
    assert summary["figures"]["train/a/sigma"] == sigma[summary["best"]["step"]]
    assert "train/b/sigma" in summary["figures"] and "train/c/sigma" in summary["figures"]


def test_a_signal_during_the_last_evaluation_lets_the_run_end_and_is_not_forgotten(tmp_path):
    whole = run(make_config(), tmp_path / "whole")

    def console(line):
        if line.startswith("epoch 3/3"):
            os.kill(os.getpid(), signal.SIGTERM)

    running = training(make_stack([make_config()]), tmp_path / "parts", console=console)
    with pytest.raises(Interrupted):
        running.train(Progress(running.total, "abc"))
    summary = json.loads((tmp_path / "parts/summary.json").read_text())
    assert summary["status"] == "completed" and summary["figures"] == whole["figures"]
    assert (tmp_path / "whole/metrics.csv").read_bytes() == (tmp_path / "parts/metrics.csv").read_bytes()


def test_a_signal_while_the_last_files_are_written_repeats_no_row(tmp_path, monkeypatch):
    monkeypatch.setattr(
        "mtlrun.storage.writer.RunWriter.hyperparameters", lambda *args: os.kill(os.getpid(), signal.SIGTERM)
    )
    with pytest.raises(Interrupted):
        run(make_config(), tmp_path)
    metrics = pd.read_csv(tmp_path / "metrics.csv")
    assert not metrics[metrics.split == "test"].duplicated(["task", "metric"]).any()
    assert json.loads((tmp_path / "summary.json").read_text())["status"] == "completed"


def test_a_loss_on_val_that_is_not_finite_is_divergence(tmp_path, monkeypatch):
    stack = make_stack([make_config()])
    figures = stack.val()[0]
    monkeypatch.setattr(type(stack.val), "__call__", lambda self: [{k: v for k, v in figures.items() if k[0] != "b"}])
    summary = run(make_config(), tmp_path, stack=stack)
    assert (summary["status"], summary["error"]) == ("failed", "diverged: the loss of b on val is nan after step 4")


def test_sigterm_is_told_from_ctrl_c(tmp_path):
    interrupted(make_config(), tmp_path, 2, signal.SIGTERM)


def test_max_steps_ends_in_the_middle_of_an_epoch_with_an_evaluation(tmp_path):
    summary = run(make_config(trainer={"max_steps": 6}), tmp_path)
    metrics = pd.read_csv(tmp_path / "metrics.csv")
    assert summary["steps"] == 6
    assert sorted(metrics[metrics.split == "val"].step.unique()) == [4, 6]


@pytest.mark.parametrize("every", [3, 7])
def test_evaluations_stand_where_evaluate_every_says_and_change_no_step(tmp_path, every):
    """The network after the last step is that of a run that is evaluated at the end of every epoch."""
    ends = {}
    for name, settings in {"epochs": {}, "steps": {"evaluate_every": every}}.items():
        stack = make_stack([make_config(trainer={"max_steps": 12, "patience": None, **settings})])
        run(None, tmp_path / name, stack=stack)
        ends[name] = stack.step.flat.values.clone()
    assert torch.equal(ends["epochs"], ends["steps"])
    rows = pd.read_csv(tmp_path / "steps" / "metrics.csv").query("split == 'val'")
    expected = [step for step in range(1, 13) if step % every == 0 or step == 12]
    assert rows["step"].drop_duplicates().tolist() == expected
    assert rows.groupby("step").size().nunique() == 1


def test_each_test_row_belongs_to_the_selected_checkpoint_and_appears_once(tmp_path):
    summary = run(make_config(trainer={"epochs": 6}, lr={"base": 0.1}), tmp_path)
    metrics = pd.read_csv(tmp_path / "metrics.csv", keep_default_na=False)
    test = metrics[metrics.split == "test"]
    assert not test.duplicated(["task", "metric"]).any()
    assert set(test.step) == {summary["best"]["step"]}
    for row in test.itertuples():
        assert summary["figures"][f"test/{row.task}/{row.metric}"] == row.value
    best = metrics[(metrics.split == "val") & (metrics.step == summary["best"]["step"])]
    for row in best.itertuples():
        assert summary["figures"][f"val/{row.task}/{row.metric}"] == row.value


def test_the_selected_epoch_has_the_highest_mean_skill_on_val(tmp_path):
    config = make_config(trainer={"epochs": 8, "patience": None}, lr={"base": 0.1})
    stack = make_stack([config])
    summary = run(config, tmp_path, stack=stack)
    metrics = pd.read_csv(tmp_path / "metrics.csv")
    losses = metrics[(metrics.split == "val") & (metrics.metric == "loss")].pivot(
        index="step", columns="task", values="value"
    )
    trivial = stack.trivial["val"][0]
    skill = (1 - losses / [trivial[t, "loss"] for t in losses.columns]).mean(axis=1)
    assert summary["best"]["step"] == skill.idxmax()
    assert summary["best"]["value"] == pytest.approx(skill.max())
    assert summary["best"]["by"] == "skill"


@pytest.mark.parametrize("select, name", [("worst", "worst"), ("a", "val/a/rmse"), ("b", "val/b/auroc")])
def test_selection_by_the_worst_task_or_one_task_s_primary_metric(tmp_path, select, name):
    config = make_config(trainer={"epochs": 8, "patience": None, "select": select}, lr={"base": 0.1})
    stack = make_stack([config])
    summary = run(config, tmp_path, stack=stack)
    metrics = pd.read_csv(tmp_path / "metrics.csv")
    table = metrics[metrics.split == "val"].pivot(index="step", columns=["task", "metric"], values="value")
    trivial = stack.trivial["val"][0]
    skills = pd.DataFrame({t: 1 - table[t, "loss"] / trivial[t, "loss"] for t in "abc"})
    expected = {
        "worst": skills.min(axis=1).idxmax(),
        "a": table["a", "rmse"].idxmin(),
        "b": table["b", "auroc"].idxmax(),
    }
    assert summary["best"]["step"] == expected[select]
    assert summary["best"]["by"] == name
    if select == "a":
        assert summary["best"]["value"] == pytest.approx(table["a", "rmse"].min())


def chosen(selection, scores):
    """The evaluation that is selected, and how many follow it without a better one."""
    best = 0
    for at, score in enumerate(scores):
        if at and selection.better(score, scores[best]):
            best = at
    return best, len(scores) - 1 - best


@pytest.mark.parametrize("select", ["skill", "worst", "a", "b"])
@pytest.mark.parametrize("level", [0.7, 0.999, -2.0])
def test_a_tie_is_not_won_by_the_last_digits(select, level):
    """A run rises to a level and stays there, alone and in a stack. Rounding differs, the selection does not."""
    (selection,) = make_stack([make_config(trainer={"select": select})]).selections
    size = 1 - level if select in ("skill", "worst") else abs(level)
    draw = torch.Generator().manual_seed(0)
    for _ in range(50):
        rounding = 3e-7 * size * (torch.rand(20, generator=draw, dtype=torch.float64) - 0.5)
        rising = level - size * 0.5 ** torch.arange(1, 7).double()
        scores = torch.cat([rising, torch.full((14,), level).double()])
        assert chosen(selection, (scores + rounding).tolist()) == (6, 13)


def test_what_is_better_by_more_than_rounding_is_selected():
    config = {select: make_config(trainer={"select": select}) for select in ("skill", "a", "last")}
    by = {select: make_stack([one]).selections[0] for select, one in config.items()}
    assert by["skill"].better(0.99999 + 1e-10, 0.99999), "of a loss of 1e-5 that is 1e-5"
    assert not by["skill"].better(0.9 + 1e-8, 0.9)
    assert by["a"].better(-0.99999, -1.0) and not by["a"].better(-0.9999995, -1.0)
    assert by["last"].better(-2.0, -1.0)
    assert chosen(by["skill"], [0.5 + 1e-7 * n for n in range(100)])[0] > 90, "small steps add up"


def test_auxiliary_tasks_have_no_say_in_the_selection(tmp_path):
    tasks = {"a": {"type": "regression"}, "b": {"type": "binary", "role": "auxiliary"}}
    config = make_config(tasks, trainer={"epochs": 8, "patience": None}, lr={"base": 0.1})
    summary = run(config, tmp_path)
    metrics = pd.read_csv(tmp_path / "metrics.csv")
    losses = (
        metrics[(metrics.split == "val") & (metrics.metric == "loss") & (metrics.task == "a")].set_index("step").value
    )
    assert summary["best"]["step"] == losses.idxmin()


@pytest.mark.parametrize("step", [3, 6, 10, 14])
def test_a_resumed_run_has_no_more_patience_than_another(tmp_path, step):
    config = make_config(trainer={"epochs": 9, "patience": 3}, lr={"base": 0.0})  # nothing learnt, nothing better
    assert run(config, tmp_path / "whole")["steps"] == 16
    state = interrupted(config, tmp_path / "parts", step)
    assert run(config, tmp_path / "parts", state)["steps"] == 16


def test_training_stops_when_patience_is_over(tmp_path):
    summary = run(make_config(trainer={"epochs": 60, "patience": 2}, lr={"base": 0.3}), tmp_path)
    assert summary["best"]["step"] + 2 * 4 == summary["steps"] < 60 * 4


def test_logged_weights_and_rates_are_those_in_force(tmp_path):
    config = make_config(
        loss={"name": "fixed", "weights": {"a": 0.25}},
        lr={
            "name": "per_head",
            "base": 0.1,
            "trunk": "0.1x",
            "heads": {"default": 0.02, "c": "0.3x"},
            "schedule": "step",
            "decay_every": 1,
            "decay": 0.5,
        },
    )
    run(config, tmp_path)
    metrics = pd.read_csv(tmp_path / "metrics.csv", keep_default_na=False)
    first = metrics[metrics.epoch == 1].set_index(["task", "metric"]).value
    third = metrics[metrics.epoch == 3].set_index(["task", "metric"]).value
    assert (first["a", "weight"], first["b", "weight"]) == (0.25, 1.0)
    rates = {"": 0.01, "a": 0.02, "b": 0.02, "c": 0.03}
    for task, rate in rates.items():
        assert first[task, "rate"] == pytest.approx(rate, rel=1e-6)
        assert third[task, "rate"] == pytest.approx(rate / 4, rel=1e-6)
    assert first["", "grad_norm"] > 0


def test_the_logged_training_loss_is_the_mean_over_the_labels_that_were_there(tmp_path):
    config = make_config(
        {"a": {"type": "regression"}, "b": {"type": "binary"}}, lr={"base": 0.0}, trainer={"batch_size": 2, "epochs": 1}
    )
    dataset = make_dataset(config, missing=0.7)
    stack = build_stack([config], [dataset])
    seen = [
        (losses, b.targets.present) for b in stack.train.epoch(1) for losses in [stack.network.losses(b.x, b.targets)]
    ]
    run(config, tmp_path, stack=stack)
    metrics = (
        pd.read_csv(tmp_path / "metrics.csv").query("split == 'train' and metric == 'loss'").set_index("task").value
    )
    for t, task in enumerate(stack.network.tasks):
        values = [float(losses[0, t].detach()) for losses, present in seen if bool(present[0, t])]
        assert 0 < len(values) < len(seen)
        assert metrics[task] == pytest.approx(sum(values) / len(values), rel=1e-5)


def test_divergence_names_task_and_step_and_is_recorded(tmp_path):
    config = make_config({"a": {"type": "regression"}}, lr={"base": 1e30}, optimizer={"name": "sgd"})
    returned = run(config, tmp_path)
    summary = json.loads((tmp_path / "summary.json").read_text())
    assert summary["status"] == returned["status"] == "failed"
    assert re.fullmatch(r"diverged: the loss of a is (nan|inf) in step \d+", summary["error"])
    assert not (tmp_path / "checkpoints/best.pt").exists()


def test_a_signal_is_one_also_where_the_disk_takes_no_more(tmp_path, monkeypatch):
    def full(path, tree, durable=False):
        raise StorageError("no room")

    running = training(make_stack([make_config()]), tmp_path)
    monkeypatch.setattr(checkpoint, "save", full)
    with pytest.raises(Interrupted):
        running.train(InterruptAt(5))
