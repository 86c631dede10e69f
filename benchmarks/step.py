"""The cost of mtlrun's training step against a bare hand-written loop with the same arithmetic.

    python benchmarks/step.py [--repeats 15] [--uncertainty]

Both train an MLP 50-H-H with three regression heads of one hidden layer (64), Adam, batches of B drawn
without replacement from 20,000 rows in memory; one thread, one process, epochs of the two in turn.
mtlrun's side is the loop that users run: gathering and scaling raw columns, the strategy, logging of losses,
weights, rates and gradient norm to metrics.csv and TensorBoard, checks that losses are finite. The bare side
is torch modules, `mse_loss` and `Adam(fused=True)` on columns that are scaled already, and logs nothing.
Evaluation is left out on both sides.

Prints µs per step (medians over the repeats) and the median of the ratios pair by pair.
"""

import argparse
import os
import platform
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

os.environ.setdefault("OMP_WAIT_POLICY", "passive")

import numpy as np
import torch
from torch import nn

from mtlrun.config.check import check
from mtlrun.data.columns import InputColumn, InputSpec
from mtlrun.data.dataset import Dataset
from mtlrun.data.split import Split
from mtlrun.data.targets import Target
from mtlrun.engine.loop import Training
from mtlrun.engine.measure import rows_of, training_figures
from mtlrun.runs.build import build_stack
from mtlrun.storage.progress import Progress

ROWS, INPUTS, TASKS, HEAD = 20_000, 50, 3, 64


def problem() -> tuple[np.ndarray, np.ndarray]:
    """Inputs `[N, 50]` and three targets `[N, 3]`."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=(ROWS, INPUTS)).astype(np.float32)
    y = np.tanh(x @ rng.normal(size=(INPUTS, TASKS)) / 5) + 0.1 * rng.normal(size=(ROWS, TASKS))
    return x, ((y - y.mean(0)) / y.std(0)).astype(np.float32)


def bare(x: np.ndarray, y: np.ndarray, hidden: int, batch: int) -> Callable[[], int]:
    """One epoch of a hand-written loop; returns its number of steps."""
    inputs, targets = torch.from_numpy(x), torch.from_numpy(y)
    trunk = nn.Sequential(nn.Linear(INPUTS, hidden), nn.ReLU(), nn.Linear(hidden, hidden), nn.ReLU())
    heads = nn.ModuleList(nn.Sequential(nn.Linear(hidden, HEAD), nn.ReLU(), nn.Linear(HEAD, 1)) for _ in range(TASKS))
    optimizer = torch.optim.Adam([*trunk.parameters(), *heads.parameters()], lr=1e-3, fused=True)

    def epoch() -> int:
        order = torch.randperm(ROWS)
        for step in range(ROWS // batch):
            index = order[step * batch : (step + 1) * batch]
            rows, labels = inputs[index], targets[index]
            features = trunk(rows)
            loss = sum(nn.functional.mse_loss(head(features).squeeze(1), labels[:, t]) for t, head in enumerate(heads))
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        return ROWS // batch

    return epoch


def ours(x: np.ndarray, y: np.ndarray, hidden: int, batch: int, loss: str, folder: Path) -> Callable[[], int]:
    """One epoch of mtlrun's loop, logging included; returns its number of steps."""
    names = [f"task{t}" for t in range(TASKS)]
    config = check(
        {
            "data": {"path": "none"},
            "tasks": {n: {"type": "regression"} for n in names},
            "model": {"name": "mlp", "hidden": [hidden, hidden], "head_hidden": [HEAD]},
            "sharing": {"name": "hard"},
            "graph": {"name": "none"},
            "loss": {"name": loss},
            "lr": {"name": "single"},
            "optimizer": {"name": "adam"},
            "trainer": {"batch_size": batch, "epochs": 10_000, "threads": 1},
        }
    )
    every = np.arange(ROWS)
    targets = {
        n: Target(n, n, "regression", "mse", "rmse", [], y[:, t], np.ones(ROWS, bool), None)
        for t, n in enumerate(names)
    }
    spec = InputSpec([InputColumn(f"x{i}", "numeric") for i in range(INPUTS)])
    codes = np.empty((ROWS, 0), np.int32)
    dataset = Dataset(spec, x, codes, targets, None, Split(every, every[:100], every[:100]), "", [])
    run = Training(
        build_stack([config], [dataset]), [folder], [{"settings": {}, "status": "running"}], folder / "last.pt"
    )
    progress, writer = Progress(run.total, names), run.members[0].writer
    assert writer is not None, "it is running"

    def epoch() -> int:
        state, steps = run.state, run.state.step
        run.train_epoch(progress)
        writer.rows(rows_of(training_figures(state)[0], "train", state.epoch, state.step))
        state.clear_history()
        state.position, state.epoch = 0, state.epoch + 1
        return state.step - steps

    return epoch


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--repeats", type=int, default=15)
    parser.add_argument("--uncertainty", action="store_true", help="loss=uncertainty instead of sum")
    args = parser.parse_args()
    x, y = problem()
    print(
        f"{platform.processor() or platform.machine()}, torch {torch.__version__}, one thread, {args.repeats} repeats"
    )
    print(f"{'H':>5} {'B':>5} {'bare µs':>9} {'mtlrun µs':>10} {'ratio':>6}   lowest and highest ratio")
    for hidden, batch in [(64, 64), (64, 256), (128, 256), (512, 1024)]:
        with tempfile.TemporaryDirectory() as folder:
            loss = "uncertainty" if args.uncertainty else "sum"
            pair = (bare(x, y, hidden, batch), ours(x, y, hidden, batch, loss, Path(folder)))
            torch.set_num_threads(1)
            times: list[list[float]] = [[], []]
            for repeat in range(args.repeats + 1):
                for side, epoch in enumerate(pair):
                    start = time.perf_counter()
                    steps = epoch()
                    if repeat:  # the first pair warms up
                        times[side].append((time.perf_counter() - start) / steps * 1e6)
        ratios = [b / a for a, b in zip(*times, strict=True)]
        print(
            f"{hidden:>5} {batch:>5} {statistics.median(times[0]):>9.0f} {statistics.median(times[1]):>10.0f} "
            f"{statistics.median(ratios):>6.3f}   {min(ratios):.3f} {max(ratios):.3f}"
        )


if __name__ == "__main__":
    main()
