"""What several rows' measure functions need: curves of one run, and figures in words."""

from collections.abc import Sequence

import pandas as pd

from evidence.row import Paired, Runs
from mtlrun.statistics import t_interval


def curve(metrics: pd.DataFrame, split: str, task: str, metric: str) -> pd.Series:
    """A figure of one run by step. Raises KeyError where metrics.csv has none."""
    rows = metrics[(metrics["split"] == split) & (metrics["task"] == task) & (metrics["metric"] == metric)]
    if rows.empty:
        raise KeyError(f"no {split}/{task}/{metric}")
    return rows.set_index("step")["value"]


def runs_of(runs: Runs, label: str) -> dict[int, str]:
    """The folder names of an arm's runs by seed. Raises KeyError for an arm that there is not."""
    rows = runs.frame[runs.frame["label"] == label]
    if rows.empty or not rows["seed"].is_unique:
        raise KeyError(f"{runs.folder}: {label!r} has not one run for each seed")
    return dict(zip(rows["seed"], rows["run"], strict=True))


def number(value: float, digits: int = 3) -> str:
    """.503, −.012, 12.3: with so many decimals, and no 0 before the point."""
    text = f"{abs(value):.{digits}f}"
    shown = text.removeprefix("0") if digits else text
    return ("−" if value < 0 and float(text) else "") + shown


def average(values: Sequence[float] | pd.Series, digits: int = 3) -> str:
    """Mean ± half of the 95 % t-interval over seeds."""
    mean, _, high = t_interval(values)
    return number(mean, digits) + ("" if high is None else f" ± {number(high - mean, digits)}")


def difference(found: Paired, digits: int = 3) -> str:
    """−.012 ± .004 (19/20, p = 2e-5): the mean, its interval, how many are below 0, and p."""
    return f"{number(found.mean, digits)} ± {number(found.half, digits)} ({found.wins}/{found.n}, {chance(found.p)})"


def chance(p: float) -> str:
    """p = .031, p = 2e-5."""
    return f"p = {small(p)}" if p < 0.001 else f"p = {number(p)}"


def small(value: float) -> str:
    """2e-5, 0."""
    return f"{value:.0e}".replace("e-0", "e-") if value else "0"
