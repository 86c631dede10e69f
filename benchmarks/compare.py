"""How long `mtlrun compare` takes for 1,000 runs: reading, statistics, table, pictures and report, as one command.

    python benchmarks/compare.py                     # 20 settings x 50 seeds, and 125 settings x 8
    python benchmarks/compare.py --profile 20x50     # where the time goes, on the terminal; nothing is recorded
    python benchmarks/compare.py --shapes 5x2 --repeats 1 --dry     # does it work at all?

One real run with ten epochs is trained; the others are copies of its files as part of one sweep, with their own seed,
settings (learning rates, losses) and figures (times luck of 2 %). A command is a process of its own. Reported are wall
time and CPU time (user and system), which matters where others use the machine.
"""

import argparse
import cProfile
import json
import os
import pstats
import random
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from record import Row, by_side, record

LOSSES = ("sum", "uncertainty", "fixed", "mixed", "mean")
TRAIN = ["only=[price,cut,color,clarity]", "data.train_rows=2000", "trainer.epochs=10", "trainer.tensorboard=false"]


def train(folder: Path) -> None:
    """One real run as a sweep of its own."""
    words = ["-m", "seed=0", *TRAIN, f"hydra.sweep.dir={folder}"]
    subprocess.run([sys.executable, "-m", "mtlrun", *words], check=True, stdout=subprocess.DEVNULL)


def multiply(real: Path, folder: Path, settings: int, seeds: int) -> None:
    """A sweep of settings x seeds from the files of the one run in `real`."""
    (job,) = json.loads((real / "sweep.json").read_text())
    source = real / job["run"]
    summary = json.loads((source / "summary.json").read_text())
    luck, plan = random.Random(0), []
    for setting in range(settings):
        rate, loss = 1e-4 * (1 + setting // len(LOSSES)), LOSSES[setting % len(LOSSES)]
        for seed in range(seeds):
            changed: dict[str, Any] = json.loads(json.dumps(summary))
            changed |= {"seed": seed, "config_hash": f"{setting:08d}{seed:08d}"}
            changed["settings"]["seed"] = changed["settings"]["data"]["split"]["seed"] = seed
            changed["settings"]["lr"]["base"], changed["settings"]["loss"] = rate, {"name": loss}
            changed["figures"] = {k: v * luck.uniform(0.98, 1.02) for k, v in summary["figures"].items()}
            name = f"{len(plan):04d}_loss={loss},lr.base={rate:g},seed={seed}"
            target = folder / name
            target.mkdir(parents=True)
            shutil.copy(source / "metrics.csv", target)
            (target / "summary.json").write_text(json.dumps(changed, indent=2))
            overrides = {"loss": loss, "lr.base": f"{rate:g}", "seed": str(seed)}
            plan.append({**job, "run": name, "overrides": overrides, "config": changed["settings"]})
    (folder / "sweep.json").write_text(json.dumps(plan, indent=2))


def measure(folder: Path) -> tuple[float, float]:
    """Wall and CPU seconds of the command."""
    before, start = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    subprocess.run([sys.executable, "-m", "mtlrun", "compare", str(folder)], check=True, stdout=subprocess.DEVNULL)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    spent = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return time.perf_counter() - start, spent


def profile(folder: Path) -> None:
    """Functions by the time inside them and everything below."""
    from mtlrun.cli.main import main as command

    tracer = cProfile.Profile()
    with open(os.devnull, "w") as nowhere:
        shown, sys.stdout = sys.stdout, nowhere
        try:
            tracer.runcall(command, ["compare", str(folder)])
        finally:
            sys.stdout = shown
    pstats.Stats(tracer).sort_stats("cumulative").print_stats(60)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--shapes", nargs="+", default=["20x50", "125x8"], help="settings x seeds")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--profile", metavar="SHAPE", help="profile one shape instead")
    parser.add_argument("--dry", action="store_true", help="print, and record nothing")
    args = parser.parse_args()
    rows: list[Row] = []
    with tempfile.TemporaryDirectory() as place:
        root = Path(place)
        train(root / "real")
        shapes = [args.profile] if args.profile else args.shapes
        for shape in shapes:
            settings, seeds = map(int, shape.split("x"))
            multiply(root / "real", root / shape, settings, seeds)
        if args.profile:
            profile(root / args.profile)
            return
        for repeat in range(args.repeats):
            for shape in shapes:
                seconds, spent = measure(root / shape)
                rows.append(
                    {
                        "case": f"{shape} runs",
                        "side": "compare",
                        "repeat": repeat,
                        "seconds": seconds,
                        "CPU seconds": spent,
                    }
                )
                print(f"{shape}, repeat {repeat + 1}: {seconds:.2f} s, {spent:.2f} s of CPU", flush=True)
    if not args.dry:
        record("compare", by_side(rows, "compare"), rows)


if __name__ == "__main__":
    main()
