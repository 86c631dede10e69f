"""A setting that a search has tried, and which of several is the best."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Tried:
    """A setting that was tried.

    number: of its trial; values: by key; drops: on each split so far in percent of the default's figures on val,
    positive is worse; figures: on each split its figures, by SPLIT/TASK/METRIC
    """

    number: int
    values: Mapping[str, str]
    drops: Sequence[float]
    figures: Sequence[Mapping[str, float]] = ()

    @property
    def mean(self) -> float:
        """The mean drop over its splits."""
        return float(np.mean(self.drops))


def best_of(tried: Sequence[Tried], splits: int) -> Tried | None:
    """The setting with the lowest mean drop of those trained on all splits; None if it is not below 0, the default's.

    The default's own values are no setting.
    """
    whole = [setting for setting in tried if len(setting.drops) == splits and setting.values]
    best = min(whole, key=lambda setting: setting.mean, default=None)
    return best if best is not None and best.mean < 0 else None


def leading(tried: Sequence[Tried]) -> Tried | None:
    """The best setting of those trained on the most splits so far; None if none is better than the default."""
    return best_of(tried, max((len(setting.drops) for setting in tried), default=0))
