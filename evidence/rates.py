"""Learning rates of trunk and heads: what they are, and what they are not."""

import numpy as np
import pandas as pd

from evidence.reading import average, curve, number, runs_of, small
from evidence.row import Measured, Row, Runs

TITLE = "Learning rates"


def _same_files(runs: Runs, one: str, other: str) -> tuple[int, int]:
    """Of how many seeds the two arms' metrics.csv have the same bytes, and how many seeds there are."""
    pairs = [(runs_of(runs, one)[seed], run) for seed, run in runs_of(runs, other).items()]
    files = [[(runs.folder / run / "metrics.csv").read_bytes() for run in pair] for pair in pairs]
    return sum(a == b for a, b in files), len(files)


def equal_rates(runs: Runs) -> Measured:
    same, seeds = _same_files(runs, "single", "per head")
    return Measured(f"metrics.csv has the same bytes in {same} of {seeds} seeds", same == seeds > 0)


VARIANCE = 0.001**2  # of the targets: what is left of a squared error at the bowls' lowest points


def two_rates(runs: Runs) -> Measured:
    frame = runs.frame
    left = []  # ½(a − 1)² + 50(b − 1)² after one step over that before it
    for run in frame[frame["label"] == "two rates"]["run"]:
        bowl = _bowl(runs.metrics(run))
        left.append(abs(float(bowl.iloc[1] / bowl.iloc[0])))
    factors: dict[float, list[float]] = {}  # of the slower of the two errors, per step, from step 1 to 25
    for rate, run in frame[frame["label"] == "one rate"][["lr.base", "run"]].itertuples(index=False):
        metrics = runs.metrics(run)
        errors = [curve(metrics, "train", task, "loss") - VARIANCE for task in "ab"]
        slower = max(float((e.loc[26] / e.loc[1]) ** (1 / 50)) if e.loc[26] > 1e-9 else 0.0 for e in errors)
        factors.setdefault(float(rate), []).append(slower)
    means = {rate: float(np.mean(values)) for rate, values in factors.items()}
    best = min(means, key=lambda rate: means[rate])
    seeds = len(left)
    text = (
        f"one rate: {number(means[best], 4)} per step at best, at {number(best, 4)} of {len(means)} rates; two "
        f"rates: {small(max(left))} of the loss is left after one step; {seeds} seeds"
    )
    return Measured(text, abs(means[best] - 99 / 101) < 5e-4 and max(left) < 1e-5)


def _bowl(metrics: pd.DataFrame) -> pd.Series:
    a, b = (curve(metrics, "train", task, "loss") - VARIANCE for task in "ab")
    return 0.5 * a + 50 * b


def rates_raw(runs: Runs) -> Measured:
    labels = ("one rate", "slow trunk and fast heads", "slow trunk")
    cut = {label: runs.of(label, "test/cut/accuracy") for label in labels}
    both, trunk = (runs.paired("one rate", label, "test/cut/accuracy") for label in labels[1:])
    text = ", ".join(f"{average(values)} {label}" for label, values in cut.items())
    holds = both.wins == both.n and trunk.wins >= trunk.n - 1 and cut[labels[1]].mean() > cut[labels[2]].mean()
    holds = holds and cut[labels[0]].mean() <= 0.66 and cut[labels[1]].mean() >= 0.72
    return Measured(f"{text}; {both.n} seeds", bool(holds))


def rate_or_weight(runs: Runs) -> Measured:
    off = {}
    for optimizer in ("sgd", "adam"):
        one, other = (runs_of(runs, f"{optimizer}, {what}") for what in ("rate", "weight"))
        ways = [[curve(runs.metrics(arm[seed]), "val", "a", "loss") for arm in (one, other)] for seed in one]
        off[optimizer] = [float((a / b - 1).abs().max()) for a, b in ways]
        if min(float((a / a.iloc[0] - 1).abs().max()) for a, _ in ways) < 0.01:
            return Measured(f"{optimizer}: the head hardly moves", False)
    text = (
        f"val losses along {len(ways[0][0])} evaluations differ by {small(max(off['sgd']))} at most under SGD, by "
        f"{number(min(off['adam']), 2)} at least under Adam; {len(ways)} seeds"
    )
    return Measured(text, max(off["sgd"]) < 1e-4 and min(off["adam"]) > 0.01)


def single_task_rates(runs: Runs) -> Measured:
    same, seeds = _same_files(runs, "one rate", "equal rates")
    rates = set()
    for run in runs_of(runs, "slow trunk").values():
        metrics = runs.metrics(run)
        rates.add((curve(metrics, "train", "", "rate").iloc[-1], curve(metrics, "train", "a", "rate").iloc[-1]))
    holds = same == seeds and rates == {(0.0001, 0.01)}
    still = []
    for label in ("trunk still", "head still"):  # what is left learns, and not as both do
        for seed, run in runs_of(runs, label).items():
            loss = curve(runs.metrics(run), "val", "a", "loss")
            whole = curve(runs.metrics(runs_of(runs, "one rate")[seed]), "val", "a", "loss")
            still.append(bool(loss.iloc[-1] < loss.iloc[0]) and not np.allclose(loss, whole))
    shown = ", ".join(f"{number(trunk, 4)} and {number(head, 2)}" for trunk, head in rates)
    text = (
        f"equal rates: the same bytes in {same} of {seeds} seeds; rates of trunk and head as asked for: {shown}; "
        f"with either still the other learns, {sum(still)}/{len(still)}"
    )
    return Measured(text, holds and all(still))


ROWS = [
    Row(
        "equal_rates",
        "Equal rates are one rate",
        "Caruana 1997, 7.2",
        "metrics.csv bit for bit that of lr=single",
        equal_rates,
    ),
    Row(
        "two_rates",
        "Rates 1 and .01 for curvatures 1 and 100",
        "gradient descent on quadratics",
        "one rate contracts by .980 a step at best; two rates solve it in one step",
        two_rates,
        "eight single rates",
    ),
    Row(
        "rates_raw",
        "Slow trunk, fast heads",
        "Caruana 1997, 7.2; diamonds, price in dollars",
        "accuracy of cut: one rate ≤ .66, slow trunk and fast heads ≥ .72 and above in every seed, slow trunk alone "
        "between",
        rates_raw,
        "one rate; the trunk alone lowered",
    ),
    Row(
        "rate_or_weight",
        "A head's rate or its weight",
        "–",
        "SGD: the same way for the head to 1e-4; Adam: not",
        rate_or_weight,
        "Adam",
    ),
    Row(
        "single_task_rates",
        "The same policy on one task",
        "Caruana 1997, 7.2",
        "equal rates bit for bit lr=single; rates of trunk and head apart",
        single_task_rates,
    ),
]
