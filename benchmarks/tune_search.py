"""What the search of `mtlrun tune` is worth beside random search, with the same number of runs.

    python benchmarks/tune_search.py --conf DIR --data pbc college --runs 84      # 84 runs a side
    python benchmarks/tune_search.py --conf DIR --data pbc --runs 4 --seeds 2     # does it work at all?

DIR holds data/NAME.yaml, as `mtlrun init` writes it. Four sides search the same space from the same default: settings
by TPE or at random; each judged on the val of one split, or the better half of a batch on the next of three splits, as
tune does. The setting that each side chose, and the default, are trained on fresh seeds and splits. The figures are
drops against the default on their test rows, in percent: mean, and standard error over the seeds; negative is better.
"""

import argparse
import contextlib
import os
import tempfile
import time
from pathlib import Path
from unittest.mock import patch

os.environ["OMP_NUM_THREADS"] = "1"  # before torch loads

import numpy as np

from mtlrun import statistics
from mtlrun.compare.analysis.task_columns import find_columns
from mtlrun.compare.collect.run_record import RunRecord
from mtlrun.compose import compose
from mtlrun.tune import study
from mtlrun.tune.search import QUIETLY, Search
from mtlrun.tune.search_budget import CLOCK, Clock
from mtlrun.tune.setting_runs import Base, Setting, records, train
from mtlrun.tune.space import space_of
from mtlrun.tune.tune_words import TuneSettings
from mtlrun.tune.view import View

SIDES = {"random, 1 split": (False, 1), "random, race": (False, 3), "TPE, 1 split": (True, 1), "TPE, race": (True, 3)}
FRESH = 1000  # the first seed of the confirmation
NEVER = 10**9  # settings at random before TPE begins


def search(base: Base, folder: Path, runs: int, tpe: bool, splits: int) -> dict[str, str]:
    """The values that a side chooses; {} if nothing was better than the default."""
    settings = TuneSettings(runs=runs, splits=splits)
    space = space_of(base.config, ["data"], settings)
    with contextlib.ExitStack() as at_random, open(os.devnull, "w") as none, contextlib.redirect_stdout(none):
        if not tpe:
            at_random.enter_context(patch.object(study, "STARTUP", NEVER))
            at_random.enter_context(patch.object(study.Study, "_evenly", lambda self: {}))
        clock = Clock(folder / CLOCK, folder)
        best = Search(base, space, settings, folder, "", View(settings), clock).run().best
    return dict(best.values) if best is not None else {}


def drop(run: RunRecord, default: RunRecord) -> float:
    """The mean relative drop on test over the main tasks, in percent."""
    columns = find_columns([default], {}, "test", [])
    keys = [(f"test/{column.task}/{column.metric}", column.higher) for column in columns]
    drops = [statistics.relative_drop(run.figures[key], default.figures[key], higher) for key, higher in keys]
    return float(np.mean(drops))


def judge(base: Base, folder: Path, chosen: dict[str, dict[str, str]], seeds: int) -> dict[str, list[float]]:
    """The drops of the chosen settings against the default on fresh seeds."""
    fresh = range(FRESH, FRESH + seeds)
    labels = {"default": {}} | {f"side {i}": values for i, values in enumerate(chosen.values())}
    label_of = {str(values): label for label, values in reversed(labels.items())}  # equal settings train once
    settings = [Setting(label, labels[label]) for label in dict.fromkeys(label_of.values())]
    with open(os.devnull, "w") as none, contextlib.redirect_stdout(none):
        train(base, folder, base.runs(settings, fresh, QUIETLY), "")
    found = records(folder)
    return {
        side: [drop(found[label_of[str(values)], seed], found["default", seed]) for seed in fresh]
        for side, values in chosen.items()
    }


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--conf", required=True)
    parser.add_argument("--data", nargs="+", required=True)
    parser.add_argument("--runs", type=int, default=84)
    parser.add_argument("--seeds", type=int, default=8)
    parser.add_argument("--sides", nargs="+", default=list(SIDES), choices=list(SIDES))
    parser.add_argument("--words", nargs="*", default=[])
    args = parser.parse_args()
    for name in args.data:
        base = Base(compose([f"data={name}", *args.words], args.conf, multirun=True))
        with tempfile.TemporaryDirectory() as place:
            chosen = {}
            for side in args.sides:
                tpe, splits = SIDES[side]
                began = time.monotonic()
                chosen[side] = search(base, Path(place, side), args.runs, tpe, splits)
                print(f"{name}: {side}: {time.monotonic() - began:.0f} s: {chosen[side]}", flush=True)
            for side, drops in judge(base, Path(place, "confirm"), chosen, args.seeds).items():
                error = np.std(drops, ddof=1) / np.sqrt(len(drops))
                print(f"{name}: {side}: {np.mean(drops):+.2f} ± {error:.2f} %", flush=True)


if __name__ == "__main__":
    main()
