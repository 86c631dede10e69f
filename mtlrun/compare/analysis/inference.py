"""The intervals and p values of a comparison."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from mtlrun import statistics
from mtlrun.compare.collect.run_record import RunRecord
from mtlrun.compare.records import Estimate

LEVEL = 0.05
SEEDS_AT_LEAST = statistics.seeds_needed(1)  # fewest seeds of a difference that is called equivalent
NORMAL = 1.959964  # two-sided quantile of the normal distribution at LEVEL, the limit of t for many seeds
UNBOUNDED, SHARES, COSINES = (-math.inf, math.inf), (0.0, 1.0), (-1.0, 1.0)  # bounds of figures
DRAWS = 20_000  # random signings if there are too many to try all: p to ±0.003 near 0.05, in 10 ms


@dataclass(frozen=True)
class Inference:
    """How intervals and p values are made.

    varies: the split varies with the seed. ratio: test rows / train rows, for the correction of the variance; or None.
    """

    varies: bool
    ratio: float | None

    @property
    def interval(self) -> str:
        """How intervals are made, in words."""
        if self.ratio is None:
            return "t(n−1)·s/√n over seeds, within the bounds of a metric"
        return (
            f"t(n−1)·s·√(1/n + {self.ratio:.3g}) over seeds, corrected as their splits share rows "
            "(Nadeau & Bengio 2003), within the bounds of a metric"
        )

    def estimate(self, values: Mapping[int, float], bounds: tuple[float, float] = UNBOUNDED) -> Estimate | None:
        """Mean and interval over the seeds with a finite value; None if there are none.

        The interval is cut at the bounds of the figure. It covers as much, because no figure lies beyond them.
        """
        known = {seed: float(value) for seed, value in sorted(values.items()) if np.isfinite(value)}
        if not known:
            return None
        mean, low, high = statistics.t_interval([*known.values()], test_over_train=self.ratio)
        if low is not None and high is not None:
            low, high = min(mean, max(low, bounds[0])), max(mean, min(high, bounds[1]))
        return Estimate(mean, low, high, known)

    def p(self, differences: Sequence[float]) -> tuple[float, float, float]:
        """Two-sided p of sign flips, of the t test, and the p that counts: the greater of both if the split varies."""
        flips = statistics.sign_flip(differences, DRAWS)
        t = statistics.paired_t(differences, test_over_train=self.ratio)
        return flips, t, max(flips, t) if self.varies else flips

    def limited(self, differences: Sequence[float]) -> bool:
        """Whether no number of seeds could show a difference with this mean and spread.

        With more seeds the corrected interval narrows only to ± 1.96·s·√(test/train), and it contains 0 even then.
        """
        if self.ratio is None or len(differences) < 2:
            return False
        return bool(abs(np.mean(differences)) <= NORMAL * np.std(differences, ddof=1) * np.sqrt(self.ratio))

    def equivalent(self, differences: Sequence[float], margin: float) -> bool:
        """Whether two one-sided tests show that the mean is within ±`margin`.

        False for fewer seeds than a single test needs to show a difference.
        """
        enough = len(differences) >= SEEDS_AT_LEAST
        return enough and statistics.tost(differences, margin, LEVEL, self.ratio)[1]


def inference_of(runs: Sequence[RunRecord]) -> Inference:
    """Returns the ratio of test to train rows if the split varies with the seed, else None.

    Rows that a split leaves out count as train rows. Two random splits then share fewer rows, and in the derivation of
    the formula only shared rows make figures dependent.
    """
    given = any(f"data.split.{key}" in run.settings for run in runs for key in ("column", "files.test"))
    if given or len({run.split_seed for run in runs}) == 1:
        return Inference(False, None)
    ratios = []
    for run in runs:
        if {"table", "val", "test"} <= set(run.rows):
            whole, val, test = (float(run.rows[part]) for part in ("table", "val", "test"))
        else:
            whole, val, test = 1.0, *(float(run.settings.get(f"data.split.{part}", 0.15)) for part in ("val", "test"))
        rest = whole - val - test
        ratios.append(test / rest if rest > 0 else 1.0)
    return Inference(True, float(np.mean(ratios)))


def paired_difference(one: Estimate | None, other: Estimate | None) -> dict[int, float]:
    """Seed -> difference of the Δm of two settings, for the seeds that both have."""
    if one is None or other is None:
        return {}
    return {seed: value - other.values[seed] for seed, value in one.values.items() if seed in other.values}
