"""A row of the page: an experiment, what it must show, and how that is read off the sweep's files."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple

import pandas as pd

from mtlrun.statistics import paired_t, t_interval
from mtlrun.storage.sweep_folder import read_plan

# The plain net and training, for experiments that ship with mtlrun: their defaults aim at good nets, and a row shows a
# mechanism. `PLAIN` has the length too.
PLAIN_NET = ("model=mlp", "optimizer=adam", "lr.base=0.001", "lr.schedule=constant", "trainer.patience=10")
PLAIN = (*PLAIN_NET, "trainer.epochs=20", "trainer.batch_size=256")


class Measured(NamedTuple):
    """The figures in words, with seeds and intervals, and whether the criterion holds."""

    text: str
    holds: bool


class Paired(NamedTuple):
    """Differences by seed: their mean, half of its 95 % interval, the two-sided p of their paired t-test, how many are
    below 0, and how many there are."""

    mean: float
    half: float
    p: float
    wins: int
    n: int


@dataclass(frozen=True)
class Row:
    """A mechanism, and the experiment that shows it: `mtlrun experiment=EXPERIMENT WORDS`.

    criterion, control: in words, the control "" where there is none
    """

    experiment: str
    mechanism: str
    source: str
    criterion: str
    measure: Callable[["Runs"], Measured]
    control: str = ""
    words: tuple[str, ...] = ()


class Runs:
    """The runs of a finished sweep, as its files have them."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    @cached_property
    def frame(self) -> pd.DataFrame:
        """results.csv, a row for each run, with the label of the run's arm as column `label` ("" without)."""
        frame = pd.read_csv(self.folder / "results.csv")
        labels = {job["run"]: job.get("arm", "") for job in read_plan(self.folder)}
        return frame.copy().assign(label=frame["run"].map(labels))

    def metrics(self, run: str) -> pd.DataFrame:
        """metrics.csv of one run, which is a cell of the column `run`; `task` is "" where a row has none."""
        return pd.read_csv(self.folder / run / "metrics.csv", keep_default_na=False, dtype={"task": str})

    def settings(self, run: str) -> Mapping[str, Any]:
        """The settings of one run, as summary.json has them."""
        settings: Mapping[str, Any] = json.loads((self.folder / run / "summary.json").read_text())["settings"]
        return settings

    def of(self, label: str, figure: str) -> pd.Series:
        """A final figure, such as test/a/rmse, of the runs of an arm, by seed. Raises KeyError where there are none."""
        rows = self.frame[self.frame["label"] == label]
        if rows.empty or figure not in rows:
            raise KeyError(f"{self.folder}: no run of {label!r} has {figure}")
        values = rows.set_index("seed")[figure]
        if values.isna().any() or not values.index.is_unique:
            raise KeyError(f"{self.folder}: {label!r} has not one {figure} for each seed")
        return values

    def paired(self, one: str, other: str, figure: str) -> Paired:
        """The differences `one` − `other` of two arms in a final figure, by seed."""
        return paired(self.of(one, figure), self.of(other, figure))


def paired(one: pd.Series, other: pd.Series) -> Paired:
    """The differences `one` − `other` of figures by seed. Raises ValueError where the seeds differ."""
    if set(one.index) != set(other.index):
        raise ValueError("the seeds of the two arms differ")
    differences = (one - other.reindex(one.index)).to_numpy()
    mean, _, high = t_interval(differences)
    half = 0.0 if high is None else high - mean
    return Paired(mean, half, paired_t(differences), int((differences < 0).sum()), len(differences))
