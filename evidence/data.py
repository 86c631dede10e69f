"""Rows of real tables with many tasks."""

import pandas as pd

from evidence.row import Measured, Row, Runs, paired
from mtlrun.statistics import t_interval

TITLE = "Real tables with many tasks"
SHARED, ALONE = "hard sharing", "alone"


def mean_auc(runs: Runs, label: str) -> pd.Series:
    """The mean AUC on test over all tasks, by seed, of an arm whose runs have all tasks, or one each.

    Raises KeyError where a seed has not one figure of each task.
    """
    rows = runs.frame[runs.frame["label"] == label]
    figures = [c for c in rows.columns if c.startswith("test/") and c.endswith("/auroc")]
    if rows.empty or not (rows.groupby("seed")[figures].count() == 1).all(axis=None):
        raise KeyError(f"{runs.folder}: {label!r} has not one AUC of each task for each seed")
    return rows.groupby("seed")[figures].mean().mean(axis=1)


def both(runs: Runs) -> tuple[pd.Series, str]:
    """The mean AUC of the shared net by seed, and in words beside that of single-task nets."""
    shared, alone = mean_auc(runs, SHARED), mean_auc(runs, ALONE)
    words = []
    for label, values in ((SHARED, shared), (ALONE, alone)):
        mean, _, high = t_interval(values)
        words.append(f"{mean:.3f} ± {(high or mean) - mean:.3f} {label}")
    gain = paired(shared, alone)
    text = (
        f"mean AUC {', '.join(words)}; difference {gain.mean:+.3f} ± {gain.half:.3f} "
        f"({gain.n - gain.wins}/{gain.n}, p = {gain.p:.1g}); {gain.n} seeds"
    )
    return shared, text.replace("0.", ".")


def tox21(runs: Runs) -> Measured:
    """Whether a shared net reaches what is known of this table."""
    shared, text = both(runs)
    return Measured(text, bool(shared.mean() >= 0.78))


def yeast(runs: Runs) -> Measured:
    """Whether a shared net is not shown to be worse than a net for each task."""
    shared, text = both(runs)
    gain = paired(shared, mean_auc(runs, ALONE))
    return Measured(text, gain.mean + gain.half >= 0)


ROWS = [
    Row(
        experiment="tox21",
        mechanism="Twelve tasks, 17 % of the labels missing",
        source="Wu et al. 2018 (MoleculeNet): .803",
        criterion="mean AUC over tasks of hard sharing at least .78, random splits",
        control="a net for each task",
        measure=tox21,
    ),
    Row(
        experiment="yeast",
        mechanism="Fourteen tasks",
        source="Elisseeff & Weston 2001",
        criterion="mean AUC over tasks of hard sharing not significantly below that of single-task nets (95 % "
        "interval of the difference); needs `mtlrun fetch yeast`",
        control="a net for each task",
        measure=yeast,
    ),
]
