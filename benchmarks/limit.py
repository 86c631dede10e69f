"""How far a step is from its limit, the batched matrix products that it is made of; and where the rest goes.

    python benchmarks/limit.py                                  # 1, 4, 16, 32, 64 and 256 runs: about 6 minutes
    python benchmarks/limit.py --runs 1 4 16 --repeats 1        # does it work at all?
    python benchmarks/limit.py --hidden 128 --batch 256 --inputs 20 --loss uncertainty

A stack of R runs trains an MLP D-H-H with three linear heads (--head 64: with a hidden layer) by Adam on the data of
benchmarks/sweep.py, in one process with one thread. All times are µs per run and step, medians over the repeats, in
which the measurements take turns; each of them lasts whole epochs. The table:

- products: `torch.bmm` alone, into buffers that are there: for each layer x W, xᵀ g and (but for the first) g Wᵀ, with
  the heads' first layers as one. GFLOP/s is their speed. last: those of the heads' last layers, which are part of
  products too; bmm is slow with their single column, and the network multiplies and sums instead.
- step: our step with its batches; no timers, no logging. step / products: the median of the ratios pair by pair.
- batches to rest: another pass with a timer around each part, and with the loop's notes of losses and weights (logging;
  its files are not written). batches: orders, gathering, scaling. rest: what no timer saw, Python and the timers.

Results go to benchmarks/results/ as Markdown and CSV.
"""

import argparse
import functools
import os
import statistics
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any
from unittest.mock import patch

os.environ["OMP_NUM_THREADS"] = "1"  # before torch loads

import torch
from record import Row, record
from sweep import TASKS, build_stack, make_table, problem, train_steps
from torch import Tensor

from mtlrun.engine.history import History
from mtlrun.engine.stack import Stack

PARTS = ("batches", "forward", "strategy", "backward", "gradient copy", "optimiser", "logging")
Product = tuple[Tensor, Tensor, Tensor]  # a [N, n, k], b [N, k, m], and where their product goes


def products(runs: int, inputs: int, hidden: int, batch: int, head: int) -> list[Product]:
    """The products of a step, forward and backward; the last three are those of the heads' last layers."""
    layers = [(runs, inputs, hidden), (runs, hidden, hidden), (runs, hidden, TASKS * (head or 1))]
    layers += [(runs * TASKS, head, 1)] if head else []
    pairs = []
    for i, (n, above, below) in enumerate(layers):
        x, w, g = torch.randn(n, batch, above), torch.randn(n, above, below), torch.randn(n, batch, below)
        pairs += [(x, w), (x.mT, g)] + [(g, w.mT)] * (i > 0)
    return [(a, b, torch.bmm(a, b)) for a, b in pairs]


def time_products(items: Sequence[Product], times: int) -> float:
    """Seconds of all these products, so many times."""
    start = time.perf_counter()
    for _ in range(times):
        for a, b, out in items:
            torch.bmm(a, b, out=out)
    return time.perf_counter() - start


def time_parts(stack: Stack, epochs: int) -> dict[str, float]:
    """Seconds of each of PARTS, and of the rest, over so many epochs of the step that users run.

    Ends this benchmark where the step no longer calls what is timed here.
    """
    seconds: dict[str, float] = defaultdict(float)

    def timed(part: str, call: Callable[..., Any]) -> Callable[..., Any]:
        def wrapper(*args: Any, **kwargs: Any) -> Any:
            start = time.perf_counter()
            result = call(*args, **kwargs)
            seconds[part] += time.perf_counter() - start
            return result

        return wrapper

    step = stack.step
    calls = [
        ("forward", stack.network, "losses"),
        ("strategy", step.strategy, "weights"),
        ("backward", torch.autograd, "grad"),
        ("strategy", step.strategy, "gradients"),
        ("gradient copy", step.flat, "set_gradients"),
        ("optimiser", step.optimizer, "step"),
    ]
    with ExitStack() as patches:
        for part, owner, name in calls:
            patches.enter_context(patch.object(owner, name, timed(part, getattr(owner, name))))
        start = time.perf_counter()
        for epoch in range(1, epochs + 1):
            history, batches = History(), stack.train.epoch(epoch)
            note = timed("logging", history.add)
            for batch in iter(timed("batches", functools.partial(next, batches, None)), None):
                losses, weights = step(batch, 0)
                note(losses, weights, batch.targets.present, step.guard.nonfinite)
            timed("logging", history.past)()
        total = time.perf_counter() - start
    if unseen := set(PARTS) - set(seconds):
        raise SystemExit(f"{', '.join(unseen)}: never called; the step has changed, adapt `calls` in {__file__}")
    return {part: seconds[part] for part in PARTS} | {"rest": total - sum(seconds.values())}


def measure(args: argparse.Namespace, runs: int, table: Path) -> list[Row]:
    """The figures of every repeat for a stack of so many runs, in µs per run and step."""
    words = [f"model.hidden=[{args.hidden},{args.hidden}]", f"loss={args.loss}"]
    stack = build_stack([*problem(table, args.head, args.batch), "trainer.threads=1", *words], range(runs))
    items = products(runs, args.inputs, args.hidden, args.batch, args.head)
    flops = sum(2 * a.numel() * b.shape[2] for a, b, _ in items)
    epochs = max(1, 16 // runs)
    steps = epochs * stack.train.steps
    rows = []
    for repeat in range(-1, args.repeats):
        seconds = {
            "products": time_products(items, steps),
            "last": time_products(items[-3:], steps),
            "step": train_steps(stack, steps),
            **time_parts(stack, epochs),
        }
        if repeat >= 0:  # the first warms up
            figures = {part: value / steps / runs * 1e6 for part, value in seconds.items()}
            speed = flops * steps / seconds["products"] / 1e9
            ratio = seconds["step"] / seconds["products"]
            rows.append({"R": runs, "repeat": repeat, "GFLOP/s": speed, "step / products": ratio} | figures)
    return rows


def line(rows: Sequence[Row]) -> Row:
    """Medians of one R; of step also the range."""
    middle = {key: statistics.median(row[key] for row in rows) for key in rows[0]}
    step = [row["step"] for row in rows]
    return {
        "R": rows[0]["R"],
        "products": f"{middle['products']:.1f}",
        "GFLOP/s": f"{middle['GFLOP/s']:.1f}",
        "last": f"{middle['last']:.1f}",
        "step (range)": f"{middle['step']:.1f} ({min(step):.1f}–{max(step):.1f})",
        "step / products": f"{middle['step / products']:.2f}",
        **{part: f"{middle[part]:.1f}" for part in (*PARTS, "rest")},
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, nargs="+", default=[1, 4, 16, 32, 64, 256])
    parser.add_argument("--inputs", type=int, default=50, help="D")
    parser.add_argument("--hidden", type=int, default=64, help="H")
    parser.add_argument("--batch", type=int, default=64)
    parser.add_argument("--head", type=int, default=0, help="width of the heads' hidden layer, 0: linear heads")
    parser.add_argument("--loss", default="sum")
    parser.add_argument("--repeats", type=int, default=7)
    args = parser.parse_args()
    lines, rows = [], []
    with tempfile.TemporaryDirectory() as folder:
        table = Path(folder) / "table.parquet"
        make_table(table, args.inputs)
        for runs in args.runs:
            rows += (these := measure(args, runs, table))
            lines.append(line(these))
            print(f"R {runs}: {lines[-1]['step (range)']} µs per run and step", flush=True)
    sizes = f"D {args.inputs} H {args.hidden} B {args.batch} head {args.head} {args.loss}"
    record(f"limit {sizes}", lines, rows, ["µs per run and step."])


if __name__ == "__main__":
    main()
