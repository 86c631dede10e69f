"""The two-objective toy: the functions, the point's training, what is refused, and what the published table says."""

import csv
import json
import math
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from commands import main
from mtlrun_demos import toy_objectives
from torch import Tensor

from mtlrun.config.check import check
from mtlrun.config.schema import Config
from mtlrun.data.dataset import load_dataset
from mtlrun.engine.loop import Training
from mtlrun.engine.stack import Stack
from mtlrun.engine.step import Step
from mtlrun.runs.build import build_stack
from mtlrun.runs.size import size
from mtlrun.storage.progress import Progress
from mtlrun.sweeps.division import Limits, divide
from mtlrun.util.errors import Interrupted, RequestError

STARTS = [[-8.5, 7.5], [-8.5, -5.0], [9.0, 9.0]]
NAMES = ["cagrad_1", "cagrad_2"]


def point_config(
    start: list[float], rate: float = 1e-3, loss: str | dict[str, Any] = "sum", scale: float = 1.0, **trainer: Any
) -> Config:
    tasks = {f"L{i}": {"type": "objective", "target": name} for i, name in enumerate(NAMES, 1)}
    tasks["L1"]["scale"] = scale
    return check(
        {
            "tasks": tasks,
            "data": {"path": "synthetic:point", "split": {"train": 0.98, "val": 0.01, "test": 0.01}},
            "model": {"name": "point", "starts": [start]},
            "sharing": {"name": "hard"},
            "graph": {"name": "none"},
            "loss": {"name": loss} if isinstance(loss, str) else loss,
            "lr": {"name": "single", "base": rate, "schedule": "constant"},
            "optimizer": {"name": "adam"},
            "trainer": {
                "batch_size": 1,
                "epochs": 1000,
                "select": "last",
                "patience": None,
                "threads": 1,
                "tensorboard": False,
            }
            | trainer,
        }
    )


def stack_of(configs: list[Config]) -> Stack:
    return build_stack(configs, [load_dataset(c) for c in configs])


def train(configs: list[Config], folder: Path, state: dict[str, Any] | None = None) -> list[dict[str, Any]]:
    stack = stack_of(configs)
    summaries: list[dict[str, Any]] = [{"settings": {}, "status": "running"} for _ in configs]
    folders = [folder / str(r) for r in range(len(configs))]
    training = Training(stack, folders, summaries, folder / "stack.pt", state, lambda line: None)
    return training.train(Progress(training.total, stack.network.tasks))


def by_hand(x1: float, x2: float) -> tuple[float, float]:
    """Both functions with the standard library, as the paper has them."""
    f1 = math.log(max(abs(0.5 * (-x1 - 7) - math.tanh(-x2)), 0.000005)) + 6
    f2 = math.log(max(abs(0.5 * (-x1 + 3) + math.tanh(-x2) + 2), 0.000005)) + 6
    g1 = ((-x1 + 7) ** 2 + 0.1 * (-x2 - 8) ** 2) / 10 - 20
    g2 = ((-x1 - 7) ** 2 + 0.1 * (-x2 - 8) ** 2) / 10 - 20
    c1, c2 = max(math.tanh(0.5 * x2), 0.0), max(math.tanh(-0.5 * x2), 0.0)
    return f1 * c1 + g1 * c2, f2 * c1 + g2 * c2


def by_autograd(x: Tensor) -> Tensor:
    """The same in torch's operators, `[..., 2]` -> `[..., 2]`."""
    x1, x2 = x[..., 0], x[..., 1]
    f1 = (0.5 * (-x1 - 7) - torch.tanh(-x2)).abs().clamp(5e-6).log() + 6
    f2 = (0.5 * (-x1 + 3) + torch.tanh(-x2) + 2).abs().clamp(5e-6).log() + 6
    g1, g2 = (((-x1 + c) ** 2 + 0.1 * (-x2 - 8) ** 2) / 10 - 20 for c in (7, -7))
    c1, c2 = torch.tanh(0.5 * x2).clamp(0), torch.tanh(-0.5 * x2).clamp(0)
    return torch.stack([f1 * c1 + g1 * c2, f2 * c1 + g2 * c2], -1)


def points() -> Tensor:
    """Drawn ones, the published starts (one has x2 = 0), and some on the floor of a logarithm."""
    drawn = torch.rand(500, 2, generator=torch.Generator().manual_seed(0), dtype=torch.float64) * 22 - 11
    starts = torch.tensor([*STARTS, [0.0, 0.0], [-7.5, -0.5], [9.0, -1.0]], dtype=torch.float64)
    height = torch.tensor([0.5, 2.0, 5.0], dtype=torch.float64)
    floor = torch.stack([2 * torch.tanh(height) - 7, height], -1)
    return torch.cat([drawn, starts, floor])


# ---------------------------------------------------------------- the functions


@pytest.mark.parametrize("xp", [np, torch])
def test_values_are_those_of_the_formulas_written_out(xp: Any) -> None:
    x = points()
    of = torch.tensor(toy_objectives.constants(NAMES), dtype=torch.float64)
    arrays = (of, x[:, :1], x[:, 1:]) if xp is torch else (of.numpy(), x[:, :1].numpy(), x[:, 1:].numpy())
    found = np.asarray(toy_objectives.values(*arrays, xp))
    assert np.abs(found - [by_hand(*p) for p in x.tolist()]).max() < 1e-12


def test_slopes_are_those_of_autograd() -> None:
    x = points().requires_grad_()
    of = torch.tensor(toy_objectives.constants(NAMES), dtype=torch.float64)
    _, by_x1, by_x2 = toy_objectives.values_and_slopes(of, x.detach()[:, :1], x.detach()[:, 1:], torch)
    values = by_autograd(x)
    for t in range(2):
        (theirs,) = torch.autograd.grad(values[:, t].sum(), x, retain_graph=True)
        torch.testing.assert_close(torch.stack([by_x1[:, t], by_x2[:, t]], -1), theirs, rtol=1e-9, atol=1e-12)


def test_the_minimum_is_where_it_is_said_to_be() -> None:
    """By a search from many points."""
    from scipy.optimize import minimize

    found = [
        minimize(lambda p: sum(by_hand(*p)), start, method="Nelder-Mead", options={"xatol": 1e-9, "fatol": 1e-12})
        for start in ([0.0, -8.0], [3.0, -5.0], [-6.0, -7.0])
    ]
    best = min(found, key=lambda r: float(r.fun))
    assert np.abs(best.x - toy_objectives.MINIMUM).max() < 1e-4
    assert best.fun == pytest.approx(-30.1832769, abs=1e-6)


# ---------------------------------------------------------------- training


@pytest.mark.parametrize("at", [None, "parameters", "representation"])
def test_a_step_is_that_of_plain_torch(at: str | None) -> None:
    """Losses and gradient, with L1 scaled, at the points that 200 steps from five starts come to, but in the ravines,
    where the gradient multiplies the rounding of float32; of pcgrad the direction of two tasks written out."""
    starts = [*STARTS, [0.0, 0.0], [9.0, -1.0]]
    loss: dict[str, Any] = {"name": "sum"} if at is None else {"name": "pcgrad", "at": at}
    stack = stack_of([point_config(s, 0.02, loss, scale=0.1) for s in starts])
    compared = 0
    for step, batch in zip(range(200), stack.train.epoch(1), strict=False):
        x = stack.step.flat.values.double().requires_grad_()  # [R, 2]: the coordinates are all that is learnt
        losses, _ = stack.step(batch, step)
        both = by_autograd(x) * torch.tensor([0.1, 1.0])
        a, b = (torch.autograd.grad(both[:, t].sum(), x, retain_graph=True)[0] for t in range(2))
        along = (a * b).sum(1, keepdim=True).clamp(max=0) if at else torch.zeros(len(starts), 1)
        direction = a + b - along * (a / (a * a).sum(1, keepdim=True) + b / (b * b).sum(1, keepdim=True))
        height = torch.tanh(x[:, 1])
        smooth = torch.stack([-0.5 * x[:, 0] - 3.5 + height, 3.5 - 0.5 * x[:, 0] - height]).abs().amin(0) > 0.02
        torch.testing.assert_close(losses[smooth].double(), both.detach()[smooth], rtol=1e-4, atol=1e-4)
        torch.testing.assert_close(
            stack.step.flat.gradients[smooth].double(), direction.detach()[smooth], rtol=1e-3, atol=1e-4
        )
        compared += int(smooth.sum())
    assert compared > 700


def test_adam_takes_the_point_where_torch_takes_it() -> None:
    starts = [[0.0, 0.0], [3.0, -5.0]]
    stack = stack_of([point_config(s, 0.02) for s in starts])
    x = torch.tensor(starts, requires_grad=True)
    adam = torch.optim.Adam([x], lr=0.02)
    for step, batch in zip(range(200), stack.train.epoch(1), strict=False):
        (x.grad,) = torch.autograd.grad(by_autograd(x).sum(), x)
        adam.step()
        stack.step(batch, step)
    found = stack.network.sharing.figures()
    torch.testing.assert_close(torch.stack([found["x1"], found["x2"]], 1), x.detach(), rtol=1e-4, atol=1e-4)


def test_starts_rates_and_restarts_of_a_strategy_are_one_stack() -> None:
    configs = [point_config(s, rate) for rate in (1.0, 0.1) for s in STARTS]
    dataset = load_dataset(configs[0])
    assert divide([size(c, dataset) for c in configs], Limits(1)).stacks == [list(range(6))]


def test_the_sum_gets_stuck_from_one_start_and_reaches_the_minimum_from_others(tmp_path: Path) -> None:
    """From (9, 9) at rate 0.001 the sum stops in a ravine of L2; at 0.1 it reaches the minimum from everywhere."""
    ended = train([point_config(s, 0.1, max_steps=1500, goal=-30) for s in STARTS], tmp_path / "fast")
    assert all(summary["best"]["value"] == pytest.approx(-30.1832769, abs=2e-3) for summary in ended)
    assert max(summary["figures"]["train//goal_step"] for summary in ended) == pytest.approx(709, abs=8)
    stuck, free = train(
        [point_config(s, 1e-3, max_steps=9000, goal=-30) for s in (STARTS[2], [0.0, -7.9])], tmp_path / "slow"
    )
    assert stuck["best"]["value"] > 0 and "train//goal_step" not in stuck["figures"]
    assert free["figures"]["train//goal_step"] == 0 and free["best"]["value"] == pytest.approx(-30.1832769, abs=1e-4)


@pytest.mark.parametrize(
    "loss, rate, published", [("sum", 10, 26), ("sum", 1, 22), ("pcgrad", 10, 25), ("pcgrad", 1, 56)]
)
def test_steps_to_the_minimum_are_the_published_ones(tmp_path: Path, loss: str, rate: float, published: int) -> None:
    """Elich et al. (2024), worst of three starts."""
    ended = train([point_config(s, rate, loss, max_steps=100, goal=-30) for s in STARTS], tmp_path)
    assert max(summary["figures"]["train//goal_step"] for summary in ended) == published


def test_goal_step_is_the_first_step_whose_losses_are_low_enough(tmp_path: Path) -> None:
    """Against the losses of every step, with evaluations in between; in metrics.csv once, where it was found."""
    seen: list[Tensor] = []
    original = Step.__call__

    def spy(self: Step, *args: Any) -> tuple[Tensor, Tensor]:
        losses, weights = original(self, *args)
        seen.append(losses.clone())
        return losses, weights

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Step, "__call__", spy)
        ended = train([point_config(s, 0.1, max_steps=700, goal=-20, evaluate_every=50) for s in STARTS], tmp_path)
    for r, summary in enumerate(ended):
        expected = next(i for i, losses in enumerate(seen) if float(losses[r].double().sum()) <= -20)
        assert 0 < expected == summary["figures"]["train//goal_step"]
        with open(tmp_path / str(r) / "metrics.csv") as file:
            rows = [row for row in csv.DictReader(file) if row["metric"] == "goal_step"]
        assert [(int(row["step"]), float(row["value"])) for row in rows] == [(expected // 50 * 50 + 50, expected)]


def test_a_resumed_point_ends_as_one_that_went_through(tmp_path: Path) -> None:
    """Stopped after the goal was reached and before; metrics.csv, figures and parameters are the same to the bit."""
    configs = [point_config(s, 0.1, "pcgrad", max_steps=300, goal=-20, evaluate_every=100) for s in STARTS]
    whole = train(configs, tmp_path / "whole")
    for stop in (107, 230):
        folder = tmp_path / str(stop)
        original = Step.__call__

        def stopping(self: Step, batch: Any, step: int, stop: int = stop, call: Any = original) -> Any:
            if step == stop:
                raise Interrupted(2)
            return call(self, batch, step)

        with pytest.MonkeyPatch.context() as patch, pytest.raises(Interrupted):
            patch.setattr(Step, "__call__", stopping)
            train(configs, folder)
        again = train(configs, folder, torch.load(folder / "stack.pt", weights_only=True))
        for r in range(3):
            assert again[r]["figures"] == whole[r]["figures"]
            assert (folder / str(r) / "metrics.csv").read_bytes() == (tmp_path / f"whole/{r}/metrics.csv").read_bytes()


# ---------------------------------------------------------------- what is refused

LINE = ["data=point", "model=point", "trainer.select=last"]


@pytest.mark.parametrize(
    "words, answer",
    [
        (
            ["data=point", LINE[2]],
            "tasks.L1.type: objective, a function of 2 features, and with model=mlp it reads the 64 of layer2\n",
        ),
        (["model=point"], "model=point: has no heads, and price needs one\nset model=mlp, or tasks.price.type to"),
        (["data=point", "model=point"], "trainer.select: found skill, which is about predictions, and L1 (objective)"),
        (
            [*LINE, "model.starts=[[1.0]]"],
            "tasks.L1.type: objective, a function of 2 features, and with model=point it reads the 1 of layer1\n",
        ),
        ([*LINE, "model.starts=[[1.0],[2.0,3.0]]"], "tasks.L1.type: objective, a function of 2 features, and with"),
        ([*LINE, "model.starts=[]"], "tasks.L1.type: objective, a function of 2 features, and with"),
        ([*LINE, "model.starts=[1.0,2.0]"], "model.starts[0]: found 1.0"),
        ([*LINE, "sharing=mmoe"], "sharing=mmoe: builds its trunks from model=mlp, and model is point"),
        (["data=point", "model=boosting"], "tasks.L1.type: objective, whose losses model=boosting does not have"),
        (
            [*LINE, "tasks.L1.target=cagrad_3"],
            "tasks.L1.target: no objective is named 'cagrad_3'; did you mean cagrad_",
        ),
        ([*LINE, "tasks.L1.shuffle=true"], "tasks.L1.shuffle: an objective has none, as it has no labels"),
        ([*LINE, "tasks.L1.scale=0"], "tasks.L1.scale: found 0.0\nallowed: a number above 0"),
        ([*LINE, "graph=chain"], "graph: L2 is of type objective, which has no head that could read an estimate"),
        ([*LINE, "trainer.goal=low"], "trainer.goal: found 'low'"),
    ],
)
def test_what_has_no_meaning_is_refused(words: list[str], answer: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check", *words]) == 2
    found = capsys.readouterr().err
    assert found.startswith(f"mtlrun: {answer}"), found
    assert found.count("\n") <= 2


def test_a_strategy_that_needs_positive_losses_is_refused() -> None:
    for name in ("gls", "dwa", "imtl_l", "imtl", "stch", "uncertainty", "db_mtl", "gradnorm"):
        with pytest.raises(RequestError, match=f"^loss={name}: has no meaning for a loss below 0, and that of L1 "):
            point_config([9.0, 9.0], loss=name)


@pytest.mark.parametrize("divisor", ["loss", "loss+"])
def test_gradients_are_not_divided_by_a_loss_below_0(divisor: str) -> None:
    with pytest.raises(
        RequestError, match=rf"^loss\.normalize: {re.escape(divisor)} has no meaning for a loss below 0"
    ):
        point_config([9.0, 9.0], loss={"name": "mgda", "normalize": divisor})


@pytest.mark.parametrize(
    "bound, allowed", [(0.0, False), (-21.0, True), ({"L1": -3}, False), ({"L1": -3, "L2": -21}, True)], ids=str
)
def test_famo_needs_a_bound_below_every_objective(bound: Any, allowed: bool) -> None:
    settings = {"name": "famo", "lower_bound": bound}
    if allowed:
        assert point_config([9.0, 9.0], loss=settings).loss.name == "famo"
        return
    with pytest.raises(
        RequestError,
        match=r"L[12] \(objective\) may be\nset loss.lower_bound=VALUE below every loss, or loss=sum",
    ):
        point_config([9.0, 9.0], loss=settings)


# ---------------------------------------------------------------- the comparison


def test_from_an_experiment_to_the_common_table(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Setting C with two rates and two strategies: a row for each of them, over the starts, which are its seeds."""
    monkeypatch.chdir(tmp_path)
    words = [
        "experiment=toy_c",
        "arms=[{loss: sum},{loss: pcgrad}]",
        "lr.base=1,0.1",
        "trainer.max_steps=800",
        "trainer.evaluate_every=50",
        "hydra.sweep.dir=out",
        "hydra.launcher.processes=1",
    ]
    assert main(words) == 0
    assert "2 stacks" in capsys.readouterr().out
    assert main(["compare", "out", "--format", "csv"]) == 0
    rows = list(csv.DictReader(capsys.readouterr().out.splitlines()))
    ended: dict[tuple[str, str], list[dict[str, float]]] = {}
    begun = set()
    for folder in sorted(Path("out").glob("0*")):
        summary = json.loads((folder / "summary.json").read_text())
        key = (summary["settings"]["loss"]["name"], f"{summary['settings']['lr']['base']:g}")
        ended.setdefault(key, []).append(summary["figures"])
        with open(folder / "metrics.csv") as file:
            coordinates = [r["metric"] for r in csv.DictReader(file) if r["metric"] in ("x1", "x2")]
        assert len(coordinates) == 2 * 16
        begun.add((summary["seed"], summary["settings"]["model"]["starts"][summary["seed"]][0]))
        assert summary["best"]["by"] == "last" and summary["trivial"] == {}
    assert begun == {(0, -8.5), (1, -8.5), (2, 9.0)}
    steps = {key: [f["train//goal_step"] for f in own if "train//goal_step" in f] for key, own in ended.items()}
    assert max(steps["sum", "1"]) == 22 and max(steps["pcgrad", "1"]) == 56 and len(steps["pcgrad", "1"]) == 3
    assert max(steps["sum", "0.1"]) == pytest.approx(709, abs=8) and len(steps["pcgrad", "0.1"]) < 3
    assert {(r["loss"], r["lr.base"]): r["seeds"] for r in rows} == dict.fromkeys(ended, "0 1 2") and len(rows) == 4
    for row in rows:
        own = ended[row["loss"], row["lr.base"]]
        for task in ("L1", "L2"):
            mean = np.mean([figures[f"test/{task}/value"] for figures in own])
            assert float(row[f"{task}/value"]) == pytest.approx(mean)
    assert Path("out/compare/front_L1_L2.png").read_bytes()[:4] == b"\x89PNG"
    assert main(["check", *LINE]) == 0
    assert "1 times the function cagrad_1 of 2 features; no labels" in capsys.readouterr().out


def test_a_point_is_not_exported(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main([*LINE, "trainer.epochs=1", "hydra.run.dir=point"]) == 0
    capsys.readouterr()
    assert main(["export", "point", "-o", "model.onnx"]) == 2
    said = "mtlrun: export: point has model=point, and only networks are exported\n"
    assert capsys.readouterr().err.startswith(said) and not Path("model.onnx").exists()
