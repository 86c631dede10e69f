"""Presets of auxiliary tasks and of depth compose, and their figures are read off a sweep's files as they should be."""

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from scipy.stats import ttest_rel

from evidence import auxiliary, depth
from evidence.row import Row, Runs
from mtlrun.cli.main import main
from mtlrun.compose import compose, planned_runs
from mtlrun.engine import checkpoint

ROWS = [*auxiliary.ROWS, *depth.ROWS]
SEEDS = range(6)


def sweep(
    root: Path,
    arms: Mapping[str, Mapping[str, Sequence[float]]],
    weights: Mapping[str, Sequence[np.ndarray]] | None = None,
) -> Runs:
    """A sweep's folder with a run of each arm and seed: its final figures, and the first layer's weights, by seed."""
    plan, table = [], []
    for label, figures in arms.items():
        for seed in SEEDS:
            run = f"{len(plan):03d}_{label.replace(' ', '-')},seed={seed}"
            plan.append({"run": run, "arm": label, "stack": 0})
            table.append({"run": run, "status": "completed", "seed": seed} | {f: v[seed] for f, v in figures.items()})
            (root / run / "checkpoints").mkdir(parents=True)
            if weights:
                parameters = {
                    "sharing.trunk.layers.0.weight": torch.tensor(weights[label][seed])[None],
                    "sharing.trunk.layers.1.weight": torch.zeros(1, 3, 3),
                }
                checkpoint.save(root / run / "checkpoints" / "best.pt", {"network": parameters})
    (root / "sweep.json").write_text(json.dumps(plan))
    pd.DataFrame(table).to_csv(root / "results.csv", index=False)
    return Runs(root)


def row(name: str) -> Row:
    return next(own for own in ROWS if own.experiment == name)


# ---------------------------------------------------------------- the presets


@pytest.mark.parametrize("name", [own.experiment for own in ROWS])
def test_a_preset_is_paired_by_seed(name: str) -> None:
    runs = planned_runs(compose([f"experiment={name}", "seed=range(2)"]))
    seeds: dict[str, list[int]] = {}
    for run in runs:
        seeds.setdefault(run.arm, []).append(run.config.seed)
        assert run.config.data.split.seed == run.config.seed and not run.config.trainer.tensorboard
    assert "alone" in seeds or "1 task" in seeds
    assert len({tuple(own) for own in seeds.values()}) == 1
    assert Counter(seeds[runs[0].arm]).most_common(1)[0][1] == 1


@pytest.mark.parametrize("name", [own.experiment for own in ROWS if own.control])
def test_the_control_differs_in_shuffled_labels_only(name: str) -> None:
    runs = planned_runs(compose([f"experiment={name}", "seed=0"]))
    controls = [run for run in runs if any(task.shuffle for task in run.config.active.values())]
    assert len(controls) == 1
    shuffled = {n for n, task in controls[0].config.active.items() if task.shuffle}
    assert shuffled == set(list(controls[0].config.active)[1:])  # all but the first, which the figure is of
    same = [
        run
        for run in runs
        if run is not controls[0]
        and list(run.config.active) == list(controls[0].config.active)
        and run.config.trainer.max_steps == controls[0].config.trainer.max_steps
    ]
    assert same


# ---------------------------------------------------------------- the measures

ALONE = np.array([0.50, 0.52, 0.48, 0.51, 0.49, 0.50])
HINTED = np.array([0.10, 0.12, 0.11, 0.09, 0.10, 0.08])


@pytest.mark.parametrize(
    ("hinted", "shuffled", "holds"),
    [
        (HINTED, ALONE + 0.002, True),
        (ALONE + np.array([0.01, -0.01, 0.02, -0.02, 0.01, -0.01]), ALONE + 0.002, False),  # no gain
        (
            HINTED,
            HINTED + np.array([0.01, -0.01, 0.02, -0.02, 0.01, -0.01]),
            False,
        ),  # a gain without what the labels say
        (HINTED, ALONE - np.array([0.1, 0.11, 0.12, 0.1, 0.11, 0.12]), False),  # part of it is
        (np.append(HINTED[:4], [0.6, 0.1]), ALONE, False),  # in five seeds of six, where nine of ten are asked for
    ],
)
def test_transfer_is_better_than_alone_and_than_shuffled(
    tmp_path: Path, hinted: np.ndarray, shuffled: np.ndarray, holds: bool
) -> None:
    figure = "test/main/accuracy"
    runs = sweep(
        tmp_path,
        {
            "alone": {figure: 1 - ALONE},
            "with auxiliary tasks": {figure: 1 - hinted},
            "auxiliary labels shuffled": {figure: 1 - shuffled},
        },
    )
    text, found = row("hints").measure(runs)
    assert found is holds
    assert text.startswith("error .500 ± .015 alone, ")  # t(5) = 2.571, s = .01414
    if holds:
        assert f"(6/6, p = {ttest_rel(hinted, ALONE).pvalue:.0e}".replace("e-0", "e-") in text
        assert ".100 ± .015 with hints (6/6, " in text and ", .502 ± .015 shuffled (6/6, " in text


def test_weights_on_irrelevant_inputs_come_from_the_checkpoints(tmp_path: Path) -> None:
    def weights(size: float) -> list[np.ndarray]:
        """9 weights on irrelevant inputs, each of `size` and a little more by seed; large ones on the others."""
        return [np.vstack([np.full((3, 3), 50.0), np.full((3, 3), size + 0.01 * seed)]) for seed in SEEDS]

    figures = {"test/a/rmse": ALONE}
    labels = {"alone": 3.0, "with auxiliary tasks": 2.0, "auxiliary labels shuffled": 4.0}
    runs = sweep(tmp_path, dict.fromkeys(labels, figures), {label: weights(size) for label, size in labels.items()})
    assert auxiliary.irrelevant(runs, "alone").to_list() == pytest.approx([9 + 0.03 * seed for seed in SEEDS])
    text, holds = row("attention_focusing").measure(runs)
    assert holds and "9.075 ± " in text and "6.075 ± " in text and "12.075 ± " in text


def test_the_slope_of_a_variance_that_falls_as_one_over_t_is_minus_one(tmp_path: Path) -> None:
    def directions(sine: float) -> list[np.ndarray]:
        """Unit vectors at ± one angle to the first axis, of either sign: Σ|u − ū|² is 6 sin² over six seeds."""
        cosine = np.sqrt(1 - sine**2)
        found = [np.array([[cosine], [sine if seed % 2 else -sine]]) for seed in SEEDS]
        return [own if seed < 3 else -3 * own for seed, own in enumerate(found)]

    sines = {t: 0.5 / np.sqrt(t) for t in (1, 2, 4, 8, 16)}
    weights = {f"{t} task{'s' if t > 1 else ''}": directions(sine) for t, sine in sines.items()}
    weights["16 tasks, 15 shuffled"] = directions(0.6)
    arms = {label: {"test/t00/rmse": ALONE} for label in weights}
    text, holds = row("implicit_augmentation").measure(sweep(tmp_path, arms, weights))
    assert holds and text.startswith("slope −1.00 ± ")
    assert "variance .300 with one task, .019 with 16, .432 with 15" in text  # 6/5 sin²


def test_a_slope_of_another_size_does_not_hold(tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    labels = ["1 task", *(f"{t} tasks" for t in (2, 4, 8, 16)), "16 tasks, 15 shuffled"]
    weights = {label: [np.array([[1.0], [random.normal()]]) for _ in SEEDS] for label in labels}
    runs = sweep(tmp_path, {label: {"test/t00/rmse": ALONE} for label in labels}, weights)
    assert not row("implicit_augmentation").measure(runs).holds


def test_the_train_error_is_that_of_the_last_epoch(tmp_path: Path) -> None:
    runs = sweep(tmp_path, {label: {"test/y/rmse": ALONE} for label in ("alone", "with random labels")})
    for i, run in enumerate(runs.frame["run"]):
        last = 0.25 + 0.01 * (i % 6) if i >= 6 else 0.1
        (tmp_path / run / "metrics.csv").write_text(
            "epoch,step,split,task,metric,value\n1,1,train,y,loss,9\n1,1,val,y,loss,7\n"
            f"2,2,train,y,loss,{last}\n2,2,train,r0,loss,5\n2,2,train,y,weight,1\n2,2,val,y,loss,8\n"
        )
    text, holds = row("regularisation").measure(runs)
    assert holds and text.startswith("train mse .100 ± .000 alone, .275 ± ")
    assert auxiliary.train_loss(runs, "with random labels").to_list() == [0.25, 0.26, 0.27, 0.28, 0.29, 0.30]


@pytest.mark.parametrize(("control", "holds"), [(0.3, True), (0.19, False)])
def test_an_adversary_is_held_against_three_arms(tmp_path: Path, control: float, holds: bool) -> None:
    figure = "test/y/accuracy"
    error = {
        "alone": ALONE - 0.2,
        "adversarial": HINTED + 0.1,
        "not reversed": ALONE - 0.15,
        "domains shuffled": HINTED + control - 0.1,
    }
    text, found = row("adversarial").measure(sweep(tmp_path, {label: {figure: 1 - e} for label, e in error.items()}))
    assert found is holds
    assert text.startswith("target accuracy .800 ± .015; .700 ± .015 alone (6/6, ")


# ---------------------------------------------------------------- the real thing


def test_the_gradient_of_the_first_layer_is_that_of_torchs_own_layers(tmp_path: Path) -> None:
    arm = "arms=[{label: alone, only: [y]},{label: deep, only: [y,at4,at8]}]"
    words = ["experiment=deep_supervision", arm, "seed=0,1", "lr.base=0", "trainer.max_steps=1"]
    assert main([*words, "model.hidden=[5,4,4,4,3,3,3,3,3]", f"hydra.sweep.dir={tmp_path / 'out'}"]) == 0
    runs = Runs(tmp_path / "out")
    found = depth.first_gradient(runs, "deep")
    assert (found > 1e3 * depth.first_gradient(runs, "alone")).all() and found[0] != found[1]

    tree = checkpoint.load(
        tmp_path / "out" / runs.frame.loc[runs.frame["label"] == "deep", "run"].iloc[0] / "checkpoints" / "best.pt"
    )["network"]
    x = torch.tensor([(-1.0, -1.0), (-1.0, 1.0), (1.0, -1.0), (1.0, 1.0)])
    x = ((x - tree["encoder.mean"][0]) * tree["encoder.inverse"][0]).float()
    first, features = None, [x]
    for i in range(9):
        weight, bias = (tree[f"sharing.trunk.layers.{i}.{kind}"][0] for kind in ("weight", "bias"))
        if first is None:
            first = [weight.requires_grad_(), bias.requires_grad_()]
        features.append(torch.sigmoid(features[-1] @ weight + bias))
    total = torch.zeros(())
    for block, (at, scale) in enumerate([(9, 1.0), (4, 0.3), (8, 0.3)]):
        logits = features[at] @ tree[f"heads.{block}.weights.0"].flatten() + tree[f"heads.{block}.biases.0"].flatten()
        labels = torch.tensor([0.0, 1.0, 1.0, 0.0])
        total = total + scale * torch.nn.functional.binary_cross_entropy_with_logits(logits, labels)
    total.backward()
    assert first is not None
    norm = np.sqrt(sum(float(p.grad.double().square().sum()) for p in first if p.grad is not None))
    assert found[0] == pytest.approx(norm, rel=1e-4)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["hints", "attention_focusing"])
def test_a_preset_reaches_its_criterion_on_other_seeds(tmp_path: Path, name: str) -> None:
    assert main([f"experiment={name}", "seed=range(50,56)", f"hydra.sweep.dir={tmp_path / 'out'}"]) == 0
    text, holds = row(name).measure(Runs(tmp_path / "out"))
    assert holds, text
