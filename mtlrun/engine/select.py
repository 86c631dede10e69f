"""Scores evaluations on val, to select the best checkpoint."""

from collections.abc import Mapping

import numpy as np

from mtlrun.config.schema import OVER_TASKS, Config
from mtlrun.data.dataset import Dataset
from mtlrun.engine.evaluate import Figures
from mtlrun.storage.summary import LENGTH
from mtlrun.tasks import type_of
from mtlrun.util.errors import RequestError

CLEARLY = 1e-6  # a score must be better by this share of its size: float32 rounds a loss to about 1e-7


def require_selection(config: Config, dataset: Dataset) -> None:
    """Raises RequestError if `trainer.select` is undefined on val: no labels, or one value where it needs two."""

    def labels(task: str) -> np.ndarray:
        target, val = dataset.targets[task], dataset.split.val
        counted = target.observed[val]
        if dataset.weight is not None:
            counted = counted & (dataset.weight[val] > 0)
        return np.asarray(target.values[val][counted])

    by = config.trainer.select
    if config.data.split.all_rows:
        return
    if by in OVER_TASKS:
        defined = any(len(labels(t)) for t, c in config.active.items() if c.role == "main")
    else:
        target, found = dataset.targets[by], labels(by)
        varied = len(found) > 0 and found.min() < found.max()
        defined = varied if type_of(target.type).metrics[target.primary].needs_variation else len(found) > 0
    if not defined:
        raise _undefined(by)


def _undefined(by: str) -> RequestError:
    whose = "any main task" if by in OVER_TASKS else by
    return RequestError(
        f"trainer.select={by}: undefined, as val has no labels (or one class) of {whose}\n"
        f"choose another task or a larger val split"
    )


def skills(figures: Figures, trivial: Figures, tasks: list[str]) -> dict[str, float]:
    """Returns each task's skill 1 − L/L₀, L its raw loss, L₀ the trivial predictor's. Leaves out undefined ones."""
    defined = [t for t in tasks if (t, "loss") in figures and trivial.get((t, "loss"), 0.0) > 0]
    return {t: 1 - figures[t, "loss"] / trivial[t, "loss"] for t in defined}


class Selection:
    """Scores evaluations, higher is better: mean skill, the worst task's skill, or one task's primary metric.

    With `last`, the latest evaluation is always selected; its score is minus the sum of the main tasks' losses. So it
    is in a run on all rows, which has no figures on val; its score is 0, called `length`.
    """

    def __init__(self, config: Config, dataset: Dataset, trivial: Figures) -> None:
        self.by, self.trivial = LENGTH if config.data.split.all_rows else config.trainer.select, trivial
        self.tasks = [t for t, c in config.active.items() if c.role == "main"]
        self.sign, self.latest = 1.0, self.by in ("last", LENGTH)
        if self.latest:
            self.sign = -1.0
            return
        if self.by not in OVER_TASKS:
            target = dataset.targets[self.by]
            self.metric = target.primary
            self.sign = type_of(target.type).metrics[target.primary].sign
        try:
            self(trivial)
        except ValueError:
            raise _undefined(self.by) from None

    @property
    def name(self) -> str:
        """The name of the score, as displayed and in summary.json."""
        return self.by if self.latest or self.by in OVER_TASKS else f"val/{self.by}/{self.metric}"

    def better(self, score: float, best: float) -> bool:
        """Returns whether a score is better than the best one so far, by more than rounding.

        "More than rounding" is more than `CLEARLY` times the size: L/L₀ for a skill 1 − L/L₀, the metric for a metric.
        """
        size = 1 - best if self.by in ("skill", "worst") else best
        return self.latest or score > best + CLEARLY * abs(size)

    def __call__(self, figures: Mapping[tuple[str, str], float]) -> float:
        """Returns the score of one evaluation. Raises ValueError if it is undefined."""
        if self.latest:
            return -sum(figures[t, "loss"] for t in self.tasks if (t, "loss") in figures)
        if self.by not in OVER_TASKS:
            if (self.by, self.metric) not in figures:
                raise ValueError(self.name)
            return self.sign * figures[self.by, self.metric]
        found = list(skills(dict(figures), self.trivial, self.tasks).values())
        if not found:
            raise ValueError(self.name)
        return min(found) if self.by == "worst" else sum(found) / len(found)
