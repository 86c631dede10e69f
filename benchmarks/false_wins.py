"""The check of checks: how often `mtlrun compare` says "better" of a method held against itself.

    .venv/bin/python benchmarks/false_wins.py                   # 1,000 comparisons; about ten minutes on 2 cores
    .venv/bin/python benchmarks/false_wins.py --fixed           # one split for all seeds

Data: 400 rows of the diamonds (price and cut), a network of 8 and 8 units, plain sum, two epochs, the last
checkpoint (`trainer.select=last`: otherwise `compare` gives no verdict on such short trainings). A pool of real runs is
trained: each of 40 splits (1 with --fixed) with many initial draws. A comparison takes 8 splits and, for each of
six settings a to f, another draw for each of them: settings that differ in nothing but luck, paired by split. `a` is
the reference. Read from files and computed by the code of `mtlrun compare`; one comparison in 50 goes through the whole
command. Exit status 1 if more than 5 % of the comparisons, and two standard errors of that share, hold a "better".
"""

import argparse
import contextlib
import csv
import io
import json
import math
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import record

from mtlrun.cli.main import main as command_line
from mtlrun.compare.analyse import analyse
from mtlrun.compare.analysis.options import Options
from mtlrun.compare.collect.folders import collect

SETTINGS = "abcdef"
SEEDS = 8
SMALL = [
    "data=diamonds",
    "data.train_rows=400",
    "only=[price,cut]",
    "model.hidden=[8]",
    "model.head_hidden=[8]",
    "trainer.epochs=2",
    "trainer.batch_size=64",
    "trainer.select=last",
    "trainer.tensorboard=false",
    "data.split.val=0.01",
    "data.split.test=0.01",
    "data.split.train=0.01",
]


def pool(folder: Path, splits: int, draws: int) -> dict[int, list[Path]]:
    """Trained runs by split."""
    words = [*SMALL, f"seed=range({draws})", f"data.split.seed=range({splits})", f"hydra.sweep.dir={folder}"]
    subprocess.run([sys.executable, "-m", "mtlrun", "-m", *words], check=True, stdout=subprocess.DEVNULL)
    found: dict[int, list[Path]] = {}
    for run in sorted(folder.glob("*/summary.json")):
        split = json.loads(run.read_text())["settings"]["data"]["split"]["seed"]
        found.setdefault(split, []).append(run.parent)
    return found


def family(folder: Path, runs: dict[int, list[Path]], random: np.random.Generator) -> None:
    """A sweep's folder whose settings a, b, … are the same, with different draws for each split."""
    plan = []
    if len(runs) > 1:
        splits = random.choice(sorted(runs), SEEDS, replace=False).tolist()
        chosen = [random.choice(len(runs[split]), len(SETTINGS), replace=False) for split in splits]
    else:
        splits = [0] * SEEDS
        chosen = list(random.choice(len(runs[0]), (SEEDS, len(SETTINGS)), replace=False))
    for letter, setting in enumerate(SETTINGS):
        for seed, split in enumerate(splits):
            source = runs[split][chosen[seed][letter]]
            summary = json.loads((source / "summary.json").read_text())
            summary["seed"] = summary["settings"]["seed"] = seed
            summary["settings"]["data"]["split"]["seed"] = seed if len(runs) > 1 else 0
            name = f"{len(plan):03d}_{setting}"
            plan.append(
                {
                    "run": name,
                    "overrides": {"seed": str(seed)},
                    "arguments": [f"seed={seed}"],
                    "arm": setting,
                    "config": summary["settings"],
                    "steps": summary["steps"],
                }
            )
            (folder / name).mkdir(parents=True)
            (folder / name / "summary.json").write_text(json.dumps(summary))
            shutil.copy(source / "metrics.csv", folder / name / "metrics.csv")
    (folder / "sweep.json").write_text(json.dumps(plan))


def verdicts(folder: Path, whole: bool) -> list[str]:
    """The verdict words of a comparison, those of the reference and of the trivial predictor left out."""
    if not whole:
        rows = analyse(collect([folder]), Options(reference="a")).rows
        return [row.against.verdict for row in rows if row.against is not None]
    words = ["compare", str(folder), "--reference", "a", "--format", "csv"]
    with contextlib.redirect_stdout(io.StringIO()):
        status = command_line(words)
    assert status == 0, status
    with open(folder / "compare" / "comparison.csv", newline="") as file:
        return [line["verdict"] for line in csv.DictReader(file) if line["verdict"] not in ("", "reference")]


def main() -> int:
    """Train the pool, compare, count."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--comparisons", type=int, default=1000)
    parser.add_argument("--draws", type=int, default=None, help="initial draws per split (48; 400 with --fixed)")
    parser.add_argument("--fixed", action="store_true", help="one split for all seeds")
    asked = parser.parse_args()
    random = np.random.default_rng(0)
    counts = dict.fromkeys(("better", "worse", "equivalent", "undecided"), 0)
    wins, rows = 0, []
    with tempfile.TemporaryDirectory() as scratch:
        place = Path(scratch)
        runs = pool(place / "pool", 1 if asked.fixed else 40, asked.draws or (400 if asked.fixed else 48))
        for number in range(asked.comparisons):
            folder = place / f"{number:04d}"
            family(folder, runs, random)
            found = verdicts(folder, whole=number % 50 == 0)
            assert len(found) == len(SETTINGS) - 1, found
            for word in found:
                counts[word] += 1
            wins += "better" in found
            rows.append({"comparison": number, **{word: found.count(word) for word in counts}})
            shutil.rmtree(folder)
    share = wins / asked.comparisons
    error = math.sqrt(0.05 * 0.95 / asked.comparisons)
    line = {
        "splits": "one" if asked.fixed else "one per seed",
        "comparisons": asked.comparisons,
        'with a "better"': f"{share:.3f}",
        "± (standard error)": f"{error:.3f}",
        **counts,
    }
    record.record("false wins", [line], rows)
    return int(share > 0.05 + 2 * error)


if __name__ == "__main__":
    sys.exit(main())
