"""The other side of benchmarks/sweep.py: a sweep over seeds as one writes it by hand in plain torch, at its fastest.

    python benchmarks/reference.py --data TABLE.parquet --runs 64 --steps 1000 --out FOLDER

TABLE has columns x0, x1, … (inputs) and y0, y1, … (targets), or is an npz file with arrays x `[N, D]` and y `[N, T]`.
For each seed in turn: a split 70/15/15, inputs and targets standardised by the training rows, a trunk 64-64 with a
linear head for each target (--head 64: with a hidden layer, as mtlrun's default), the plain sum of mean squared errors,
`Adam(fused=True)` at 1e-3, batches of 64 in a new order each epoch (the incomplete last one left out). After each epoch
loss, rmse, mae and r2 of every target on val, at the end on test; one CSV and one checkpoint, of the last step, for
each seed. One process, one thread.

The last line is JSON: `training_seconds` is the time of the steps alone (orders and batches included; no evaluation,
files or imports), `r2` the mean over seeds and targets on test. mtlrun does more: it selects a checkpoint on val, logs
losses, weights, rates and gradient norm, writes event files and a summary, can resume, and checks for finite losses.
"""

import argparse
import csv
import json
import os
import time
from collections.abc import Iterator
from pathlib import Path

os.environ["OMP_NUM_THREADS"] = "1"  # before torch loads

import numpy as np
import pyarrow.parquet as pq
import torch
from torch import Tensor, nn

torch.set_num_threads(1)
HIDDEN, BATCH, RATE = 64, 64, 1e-3


class Network(nn.Module):
    """Inputs `[B, D]` → estimates `[B, T]`."""

    def __init__(self, inputs: int, tasks: int, head: int) -> None:
        super().__init__()
        self.trunk = nn.Sequential(nn.Linear(inputs, HIDDEN), nn.ReLU(), nn.Linear(HIDDEN, HIDDEN), nn.ReLU())
        self.heads = nn.ModuleList(
            nn.Sequential(nn.Linear(HIDDEN, head), nn.ReLU(), nn.Linear(head, 1)) if head else nn.Linear(HIDDEN, 1)
            for _ in range(tasks)
        )

    def forward(self, x: Tensor) -> Tensor:
        features = self.trunk(x)
        return torch.cat([head(features) for head in self.heads], 1)


def load(path: Path) -> tuple[Tensor, Tensor]:
    """Inputs `[N, D]` and targets `[N, T]`, float32, of a Parquet or npz file."""
    if path.suffix == ".npz":
        with np.load(path) as arrays:
            return torch.from_numpy(arrays["x"].astype(np.float32)), torch.from_numpy(arrays["y"].astype(np.float32))
    table = pq.read_table(path)
    parts = [np.column_stack([table[n] for n in table.column_names if n.startswith(letter)]) for letter in "xy"]
    return torch.from_numpy(parts[0].astype(np.float32)), torch.from_numpy(parts[1].astype(np.float32))


def figures(network: Network, x: Tensor, y: Tensor, unit: Tensor) -> Iterator[tuple[str, str, float]]:
    """(task, metric, value) on a split; `unit` `[T]` is what an estimate of 1 means in the target's own unit."""
    with torch.no_grad():
        errors = network(x) - y
        loss = errors.square().mean(0)
        columns = {
            "loss": loss,
            "rmse": loss.sqrt() * unit,
            "mae": errors.abs().mean(0) * unit,
            "r2": 1 - loss / y.var(0, correction=0),
        }
    for metric, values in columns.items():
        for task, value in enumerate(values.tolist()):
            yield f"y{task}", metric, value


def train(inputs: Tensor, targets: Tensor, seed: int, steps: int, folder: Path, head: int) -> tuple[float, float]:
    """One run with heads of one hidden layer so wide (0: linear), written to FOLDER/SEED.csv and .pt.

    Returns the seconds of its steps and its mean r2 on test.
    """
    torch.manual_seed(seed)
    rows = len(inputs)
    train, val, test = torch.randperm(rows).split([n := round(0.7 * rows), m := round(0.15 * rows), rows - n - m])
    x = (inputs - inputs[train].mean(0)) / inputs[train].std(0)
    unit = targets[train].std(0)
    y = (targets - targets[train].mean(0)) / unit
    parts = {"train": (x[train], y[train]), "val": (x[val], y[val]), "test": (x[test], y[test])}
    network = Network(x.shape[1], y.shape[1], head)
    optimizer = torch.optim.Adam(network.parameters(), lr=RATE, fused=True)
    seconds, step, epoch = 0.0, 0, 0
    with open(folder / f"{seed}.csv", "w", newline="") as file:
        table = csv.writer(file)
        table.writerow(["epoch", "step", "split", "task", "metric", "value"])
        while step < steps:
            start = time.perf_counter()
            step += train_epoch(network, optimizer, *parts["train"], steps - step)
            seconds += time.perf_counter() - start
            epoch += 1
            table.writerows([epoch, step, "val", *row] for row in figures(network, *parts["val"], unit))
        last = list(figures(network, *parts["test"], unit))
        table.writerows([epoch, step, "test", *row] for row in last)
    torch.save(network.state_dict(), folder / f"{seed}.pt")
    return seconds, float(np.mean([value for _, metric, value in last if metric == "r2"]))


def train_epoch(network: Network, optimizer: torch.optim.Optimizer, x: Tensor, y: Tensor, most: int) -> int:
    """The steps of one epoch, at most so many; returns their number."""
    steps = min(len(x) // BATCH, most)
    order = torch.randperm(len(x))[: steps * BATCH]
    for rows, labels in zip(x[order].split(BATCH), y[order].split(BATCH), strict=True):
        # the sum over targets of their mean squared errors
        loss = nn.functional.mse_loss(network(rows), labels, reduction="sum") / BATCH
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return steps


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--runs", type=int, default=64)
    parser.add_argument("--steps", type=int, default=1000)
    parser.add_argument("--head", type=int, default=0, help="width of the heads' hidden layer, 0: linear heads")
    parser.add_argument("--out", type=Path, required=True, help="folder for the CSVs and checkpoints")
    args = parser.parse_args()
    args.out.mkdir(parents=True, exist_ok=True)
    inputs, targets = load(args.data)
    seconds, r2 = zip(
        *(train(inputs, targets, s, args.steps, args.out, args.head) for s in range(args.runs)), strict=True
    )
    print(json.dumps({"training_seconds": sum(seconds), "r2": float(np.mean(r2))}))


if __name__ == "__main__":
    main()
