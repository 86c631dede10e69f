"""`mtlrun tune` killed again and again at random moments, and resumed: no trial is lost, and none is counted twice.

    .venv/bin/python benchmarks/tune_kills.py              # 20 kills; about five minutes

A table of 150 rows, nets of a few steps, 3 batches of 4 settings on 2 splits. Afterwards every trial of the journal has
ended, every setting of a batch has its runs, each run was trained once to its end, and the answer is there.
"""

import argparse
import json
import os
import random
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import optuna
import pandas as pd

from mtlrun.tune.study import JOURNAL, NAME

WORDS = [
    "data=table",
    "data.path=table.csv",
    "tasks={price:{type:regression},sold:{type:binary}}",
    "trainer.max_steps=60",
    "trainer.batch_size=32",
    "tune.fixed=[model,sharing]",
    "tune.runs=18",
    "tune.batch=4",
    "tune.splits=2",
    "tune.seeds=2",
    "hydra.sweep.dir=found",
]


def write_table(path: Path) -> None:
    """150 rows of two inputs and two targets."""
    rng = np.random.default_rng(0)
    area = rng.normal(size=150)
    table = {"area": area, "rooms": rng.integers(1, 6, 150), "price": 3 * area + rng.normal(size=150)}
    pd.DataFrame(table | {"sold": (area + rng.normal(size=150) > 0).astype(int)}).to_csv(path, index=False)


def killed(folder: Path, words: list[str], seconds: float) -> bool:
    """Runs a command, and kills it and its workers after so many seconds. Whether it was still running."""
    command = [sys.executable, "-m", "mtlrun", *words]
    process = subprocess.Popen(
        command, cwd=folder, start_new_session=True, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
    )
    try:
        _, said = process.communicate(timeout=seconds)
    except subprocess.TimeoutExpired:
        signal_group(process.pid)
        process.communicate()
        return True
    if process.returncode:
        raise SystemExit(f"{' '.join(words)}: exit status {process.returncode}\n{said}")
    return False


def signal_group(leader: int) -> None:
    """Kills the process group that this script has started."""
    os.killpg(leader, signal.SIGKILL)


def check(found: Path) -> None:
    """Raises AssertionError if a trial is lost or counted twice, or the answer is missing."""
    backend = optuna.storages.journal.JournalFileBackend(str(found / JOURNAL))
    trials = optuna.load_study(study_name=NAME, storage=optuna.storages.JournalStorage(backend)).trials
    batches = [json.loads(path.read_text()) for path in sorted(found.glob("search/*/batch.json"))]
    numbers = [entry["trial"] for batch in batches for entry in batch]
    assert len(numbers) == len(set(numbers)), "a trial is in two batches"
    ended = {trial.number for trial in trials if trial.state.name in ("COMPLETE", "PRUNED")}
    assert {*numbers} <= ended, f"lost: {set(numbers) - ended}"
    assert ended - {*numbers} <= {0}, "a trial counts that is in no batch"
    assert not [trial for trial in trials if trial.state.name in ("RUNNING", "WAITING")], "a trial has not ended"
    for plan in found.glob("**/sweep.json"):
        for job in json.loads(plan.read_text()):
            summary = json.loads((plan.parent / job["run"] / "summary.json").read_text())
            assert summary["status"] == "completed", f"{plan.parent}: {job['run']}"
    assert (found / "confirm/compare/report.html").is_file()
    failed = sum(trial.state.name == "FAIL" for trial in trials)
    print(f"{len(numbers)} settings in {len(batches)} batches, each told once; {failed} drawn but never begun")


def main() -> None:
    """Kills and resumes until the kills are used up and the command has ended, then checks the folder."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--longest", type=float, default=12.0, help="seconds until a kill, drawn from 2 to this")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    draw = random.Random(options.seed)
    kills = rounds = 0
    while kills < options.kills:
        rounds += 1
        with tempfile.TemporaryDirectory() as place:
            folder = Path(place)
            write_table(folder / "table.csv")
            running = True
            while running:
                going = (folder / "found" / "tune.json").is_file()
                words = ["resume", "found"] if going else ["tune", *WORDS]
                running = killed(folder, words, draw.uniform(2, options.longest) if kills < options.kills else 600)
                kills += running
            check(folder / "found")
    print(f"{kills} kills in {rounds} searches")


if __name__ == "__main__":
    main()
