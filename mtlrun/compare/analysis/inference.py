"""How intervals and p values of a comparison are made."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from mtlrun import statistics
from mtlrun.compare.records import Estimate

LEVEL = 0.05
SEEDS_AT_LEAST = statistics.seeds_needed(1)  # of a difference that is called equivalent
NORMAL = 1.959964  # the quantile of t at LEVEL, two-sided, of ever more seeds
DRAWS = 20_000  # of signs where there are too many to try all: p to ±0.003 near 0.05, in 10 ms


@dataclass(frozen=True)
class Inference:
    """Where the split varies with the seed, the variance is corrected by `ratio`, test rows over train rows."""

    varies: bool
    ratio: float | None

    @property
    def interval(self) -> str:
        """How intervals are made, in words."""
        if self.ratio is None:
            return "t(n−1)·s/√n over seeds"
        return (
            f"t(n−1)·s·√(1/n + {self.ratio:.3g}) over seeds, corrected as their splits share rows "
            "(Nadeau & Bengio 2003)"
        )

    def estimate(self, values: Mapping[int, float]) -> Estimate | None:
        """Mean and interval over the seeds that have a finite value; None where none has."""
        known = {seed: float(value) for seed, value in sorted(values.items()) if np.isfinite(value)}
        if not known:
            return None
        return Estimate(*statistics.t_interval([*known.values()], test_over_train=self.ratio), known)

    def p(self, differences: Sequence[float]) -> tuple[float, float, float]:
        """Two-sided p of sign flips, of t, and the one that counts: the greater of them where splits share rows."""
        flips = statistics.sign_flip(differences, DRAWS)
        t = statistics.paired_t(differences, test_over_train=self.ratio)
        return flips, t, max(flips, t) if self.varies else flips

    def limited(self, differences: Sequence[float]) -> bool:
        """Whether no number of seeds could show a difference of this mean and spread: the corrected interval comes down
        to ± 1.96·s·√(test/train) and no further, and holds 0 even then."""
        if self.ratio is None or len(differences) < 2:
            return False
        return bool(abs(np.mean(differences)) <= NORMAL * np.std(differences, ddof=1) * np.sqrt(self.ratio))

    def equivalent(self, differences: Sequence[float], margin: float) -> bool:
        """Whether two one-sided tests hold the mean within ±`margin`; never of fewer seeds than could show a difference
        if it were the only one tested."""
        enough = len(differences) >= SEEDS_AT_LEAST
        return enough and statistics.tost(differences, margin, LEVEL, self.ratio)[1]
