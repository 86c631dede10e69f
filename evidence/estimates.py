"""One task's estimate as another's feature."""

from evidence.reading import curve, number, runs_of
from evidence.row import Measured, Row, Runs

TITLE = "Estimates as features"


def stop_or_pass(runs: Runs) -> Measured:
    ways = {
        label: {seed: curve(runs.metrics(run), "val", "a", "loss") for seed, run in runs_of(runs, label).items()}
        for label in ("stop", "pass", "stop, trunk free")
    }
    still = sum(way.nunique() == 1 for way in ways["stop"].values())
    moved = {
        label: min(abs(float(way.iloc[-1] / way.iloc[0]) - 1) for way in ways[label].values())
        for label in ("pass", "stop, trunk free")
    }
    first = []  # losses of the first step, before anything has moved
    for seed, run in runs_of(runs, "stop").items():
        both = [runs.metrics(r) for r in (run, runs_of(runs, "pass")[seed])]
        first.append(all(len({curve(m, "train", task, "loss").iloc[0] for m in both}) == 1 for task in "ab"))
    seeds = len(first)
    text = (
        f"stop: a's val loss keeps every bit over {len(ways['stop'][0])} steps, {still}/{seeds}; pass: it moves by "
        f"{number(moved['pass'], 2)} at least; first losses the same bits, {sum(first)}/{seeds}; stop with a free "
        f"trunk: by {number(moved['stop, trunk free'], 2)} at least"
    )
    return Measured(text, still == sum(first) == seeds and min(moved.values()) > 0.01)


ROWS = [
    Row(
        "stop_or_pass",
        "An edge that stops or passes gradients",
        "a receiver's loss through a source's head",
        "stop: b's loss moves nothing of a's head; pass: it does; the same forward; b still moves the trunk",
        stop_or_pass,
        "pass",
    ),
]
