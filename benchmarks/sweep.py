"""What a sweep costs: mtlrun's stack, its other launchers, and a loop over seeds by hand (benchmarks/reference.py).

    python benchmarks/sweep.py                 # 64 seeds, 1,000 and 3,000 steps each: about half an hour on two cores
    python benchmarks/sweep.py --lessons       # the README's lessons as one grid of 90 runs, stack against basic
    python benchmarks/sweep.py --training      # the steps alone: no imports, composition, evaluation or files
    python benchmarks/sweep.py --runs 4 --steps 50 --repeats 1 --sides reference basic     # does it work at all?

The data are 20,000 rows of 50 inputs and three regression targets: a random teacher network plus noise. All sides train
an MLP 50-64-64 with three linear heads (--head 64: with a hidden layer), Adam at 1e-3, batches of 64. By default and
with --lessons whole commands are timed, each a process of its own: imports, composition, data, evaluation after every
epoch, all files. The reference has one thread; mtlrun gets no setting of threads; joblib gets one job per core.
--training times steps with their batches, in forked processes of one thread each: one with all runs, then two at once
with half of them each. Linux only.

Sides run in turn (A, B, C, A, …) after a short warm-up. Reported are medians with their range, medians as multiples of
the stack's (the first side's where the stack is left out), the peak memory of the largest process, and the mean r² on
test, which should agree (the reference takes its last parameters, mtlrun the best on val). See benchmarks/results/.
"""

import argparse
import csv
import importlib.metadata
import itertools
import json
import multiprocessing
import os
import resource
import shlex
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from multiprocessing.connection import Connection
from multiprocessing.synchronize import Barrier
from pathlib import Path
from typing import TYPE_CHECKING, Any

from record import Row, by_side, record

if TYPE_CHECKING:
    from mtlrun.engine.stack import Stack

# Nothing heavy is imported here: a child's peak memory begins with that of the process that starts it.
REFERENCE = Path(__file__).with_name("reference.py")
SIDES = {
    "sweep": ["stack", "reference", "basic", "joblib"],
    "lessons": ["stack", "basic"],
    "training": ["stack", "reference"],
}
FORK = multiprocessing.get_context("fork")
INPUTS, TASKS = 50, 3
CORES = len(os.sched_getaffinity(0))
KIB = 1.024e-3  # in MB: Linux gives peak memory in KiB


def make_table(path: Path, inputs: int = INPUTS) -> None:
    """20,000 rows of x0, x1, … and y0, y1, y2 as Parquet."""
    import numpy as np
    import pandas as pd

    rng = np.random.default_rng(0)
    x = rng.normal(size=(20_000, inputs))
    hidden = np.tanh(x @ rng.normal(size=(inputs, 32)) / inputs**0.5)
    y = hidden @ rng.normal(size=(32, TASKS)) / 32**0.5 + 0.1 * rng.normal(size=(len(x), TASKS))
    columns = {f"x{i}": x[:, i] for i in range(inputs)} | {f"y{t}": y[:, t] for t in range(TASKS)}
    pd.DataFrame(columns).to_parquet(path)


def problem(table: Path, head: int, batch: int = 64) -> list[str]:
    """The words of mtlrun for the runs that the reference trains, but for their number of steps."""
    tasks = ", ".join(f"y{t}: {{type: regression}}" for t in range(TASKS))
    return [
        "data=table",
        f"data.path={table}",
        f"tasks={{{tasks}}}",
        f"trainer.batch_size={batch}",
        f"model.head_hidden=[{head or ''}]",
        "trainer.patience=null",
        "trainer.epochs=1000",
    ]


def grid() -> list[str]:
    """The words for the grid on the diamonds: 3 losses x 2 policies of rates x 3 graphs, raw targets."""
    losses = ["loss: sum", "loss: fixed, loss.weights.price: 1e-8", "loss: uncertainty"]
    rates = ["lr: single", "lr: per_head, lr.trunk: 1e-4, lr.heads.default: 1e-2"]
    graphs = ["graph: none", "graph: chain, graph.gradient: stop", "graph: chain, graph.gradient: pass"]
    arms = ", ".join(f"{{{', '.join(arm)}}}" for arm in itertools.product(losses, rates, graphs))
    return [f"arms=[{arms}]", "data.standardize_targets=false"]


def build_stack(words: Sequence[str], seeds: Sequence[int]) -> "Stack":
    """A stack of runs that differ in their seeds."""
    from mtlrun.compose import compose, single
    from mtlrun.config.check import check
    from mtlrun.config.schema import as_mapping
    from mtlrun.data.dataset import load_dataset
    from mtlrun.runs.build import build_stack

    tree = as_mapping(single(compose([*words, "seed=0"])))
    configs = [
        check(tree | {"seed": s, "data": tree["data"] | {"split": tree["data"]["split"] | {"seed": s}}}) for s in seeds
    ]
    return build_stack(configs, [load_dataset(config) for config in configs])


def run_command(words: Sequence[str]) -> tuple[float, float, str]:
    """Wall time in seconds, peak memory in MB (of the largest process), and output of `python WORDS`.

    Ends this benchmark where the command fails.
    """
    environment = {k: v for k, v in os.environ.items() if k != "OMP_NUM_THREADS"}  # the reference sets it itself
    with tempfile.TemporaryFile("w+") as output:
        start = time.perf_counter()
        child = subprocess.Popen([sys.executable, *words], env=environment, stdout=output, stderr=subprocess.STDOUT)
        _, status, usage = os.wait4(child.pid, 0)
        seconds = time.perf_counter() - start
        child.returncode = os.waitstatus_to_exitcode(status)
        output.seek(0)
        text = output.read()
    if child.returncode:
        raise SystemExit(f"{shlex.join(words)}\nended with status {child.returncode}:\n{text[-2000:]}")
    return seconds, usage.ru_maxrss * KIB, text


def sweep_words(launcher: str, runs: int, words: Sequence[str]) -> list[str]:
    """What follows `python` to train a sweep over seeds."""
    jobs = [f"hydra.launcher.n_jobs={CORES}"] * (launcher == "joblib")
    return ["-m", "mtlrun", "-m", f"seed=range({runs})", *words, f"hydra/launcher={launcher}", *jobs]


def measure_command(side: str, runs: int, words: Sequence[str], table: Path, steps: int, head: int) -> Row:
    """One side of one comparison, from an empty folder to all its files."""
    with tempfile.TemporaryDirectory() as folder:
        if side == "reference":
            call = [REFERENCE, "--data", table, "--runs", runs, "--steps", steps, "--out", folder, "--head", head]
            seconds, memory, output = run_command([str(word) for word in call])
            r2 = json.loads(output.splitlines()[-1])["r2"]
        else:
            seconds, memory, _ = run_command([*sweep_words(side, runs, words), f"hydra.sweep.dir={folder}"])
            with open(Path(folder) / "results.csv", newline="") as file:
                rows = list(csv.DictReader(file))
            found = [float(v) for row in rows for k, v in row.items() if k.startswith("test/") and k.endswith("/r2")]
            runs, r2 = len(rows), statistics.fmean(found)
    return {"side": side, "seconds": seconds, "peak MB": memory, "runs": runs, "r2": r2}


def measure_commands(args: argparse.Namespace, table: Path) -> list[Row]:
    """Every side at every number of steps, in turn, `args.repeats` times, after two short runs of each."""
    words = [*(grid() if args.kind == "lessons" else problem(table, args.head)), *args.words]
    for side in args.sides:
        measure_command(side, 2, [*words, "trainer.max_steps=5"], table, 5, args.head)
    rows = []
    for repeat, steps, side in itertools.product(range(args.repeats), args.steps, args.sides):
        limit = [f"trainer.max_steps={steps}"] if steps else []
        row = measure_command(side, args.runs, [*words, *limit], table, steps, args.head)
        rows.append({"case": f"{steps} steps" if steps else "all epochs", "repeat": repeat} | row)
        print(f"{rows[-1]['case']}, repeat {repeat + 1}: {side} {row['seconds']:.1f} s", flush=True)
    return rows


def forked(work: Callable[..., Any], *calls: tuple[Any, ...]) -> list[Any]:
    """work(*call) for every call, each in a forked process of its own, all at once. EOFError where one fails."""

    def answer(sender: Connection, call: tuple[Any, ...]) -> None:
        sender.send(work(*call))

    receivers = []
    for call in calls:
        receiver, sender = FORK.Pipe(duplex=False)
        FORK.Process(target=answer, args=(sender, call), daemon=True).start()
        sender.close()
        receivers.append(receiver)
    return [receiver.recv() for receiver in receivers]


def train_alone(
    side: str, seeds: Sequence[int], words: Sequence[str], table: Path, steps: int, head: int, ready: Barrier
) -> tuple[float, float]:
    """Trains these runs with one thread, from the moment that all processes are `ready`.

    Returns the seconds of the steps and the process's peak memory in MB.
    """
    import reference  # which sets one thread

    if side == "reference":
        inputs, targets = reference.load(table)
        with tempfile.TemporaryDirectory() as folder:
            reference.train(inputs, targets, 0, 50, Path(folder), head)
            ready.wait()
            seconds = sum(reference.train(inputs, targets, seed, steps, Path(folder), head)[0] for seed in seeds)
    else:
        stack = build_stack([*words, "trainer.threads=1"], seeds)
        train_steps(stack, 10)
        ready.wait()
        seconds = train_steps(stack, steps)
    return seconds, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * KIB


def train_steps(stack: "Stack", steps: int) -> float:
    """Seconds of so many steps with their batches, through as many epochs as it takes."""
    start = time.perf_counter()
    batches = itertools.chain.from_iterable(map(stack.train.epoch, itertools.count(1)))
    for step, batch in enumerate(itertools.islice(batches, steps)):
        stack.step(batch, step)
    return time.perf_counter() - start


def measure_training(args: argparse.Namespace, table: Path) -> list[Row]:
    """Every side in one process, and in two at once with half of the runs each."""
    rows, words = [], [*problem(table, args.head), *args.words]
    turns = itertools.product(range(args.repeats), args.steps, (1, 2), args.sides)
    for repeat, steps, processes, side in turns:
        ready = FORK.Barrier(processes)
        calls = [
            (side, range(args.runs)[i::processes], words, table, steps, args.head, ready) for i in range(processes)
        ]
        seconds, memory = (max(values) for values in zip(*forked(train_alone, *calls), strict=True))
        rows.append(
            {
                "case": f"{steps} steps, {processes} process{'es'[: 2 * (processes > 1)]}",
                "side": side,
                "repeat": repeat,
                "seconds": seconds,
                "peak MB": memory,
                "runs x steps per second": args.runs * steps / seconds,
            }
        )
        print(f"{rows[-1]['case']}, repeat {repeat + 1}: {side} {seconds:.2f} s", flush=True)
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    kind = parser.add_mutually_exclusive_group()
    for name in ("lessons", "training"):
        kind.add_argument(f"--{name}", dest="kind", action="store_const", const=name, default="sweep")
    parser.add_argument("--runs", type=int, help="seeds (default 64; with --lessons 5 of each setting)")
    parser.add_argument("--steps", type=int, nargs="+", help="of each run (default 1000 3000; lessons: all epochs)")
    parser.add_argument("--head", type=int, default=0, help="width of the heads' hidden layer, 0: linear heads")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--sides", nargs="+", choices=SIDES["sweep"], help="default: all that the kind of figures has")
    parser.add_argument("--words", nargs="+", default=[], help="further words for mtlrun: trainer.tensorboard=false")
    args = parser.parse_args()
    lessons = args.kind == "lessons"
    args.runs = args.runs or (5 if lessons else 64)
    args.steps = args.steps or ([0] if lessons else [1000, 3000])  # 0: as many as the epochs have
    args.sides = args.sides or SIDES[args.kind]
    if not {*args.sides} <= {*SIDES[args.kind]}:
        parser.error(f"--sides {' '.join(args.sides)}: of {args.kind} allowed: {' '.join(SIDES[args.kind])}")
    if "joblib" in args.sides and "hydra-joblib-launcher" not in {d.name for d in importlib.metadata.distributions()}:
        print("joblib: left out, as hydra-joblib-launcher is not installed")
        args.sides = [side for side in args.sides if side != "joblib"]

    with tempfile.TemporaryDirectory() as folder:
        table = Path(folder) / "table.parquet"
        forked(make_table, (table,))
        rows = (measure_training if args.kind == "training" else measure_commands)(args, table)
    limit = ["trainer.max_steps=STEPS"] if any(args.steps) else []
    words = [*(grid() if lessons else problem(Path("TABLE"), args.head)), *args.words, *limit]
    commands = [
        f"{side}: `python {shlex.join(sweep_words(side, args.runs, words))}`"
        for side in args.sides
        if side != "reference" and args.kind != "training"
    ]
    base = "stack" if "stack" in args.sides else args.sides[0]
    steps = "".join(f" {n}" for n in args.steps) + " steps" if any(args.steps) else ""
    record(
        f"{args.kind} {args.runs} runs{steps}{f' head {args.head}' if args.head else ''}",
        by_side(rows, base),
        rows,
        commands,
    )


if __name__ == "__main__":
    main()
