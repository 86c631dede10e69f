"""Split-conformal intervals against the rank in the papers, and their coverage of further rows."""

import numpy as np
import pytest

from mtlrun.statistics import Residuals, interval_figures, mean_half_width, residuals
from mtlrun.statistics.conformal import MOST

LEVELS = [0.1, 0.5, 0.8, 0.9, 0.95, 0.99]


def of(errors: np.ndarray, weights: np.ndarray | None = None) -> Residuals:
    found = residuals(errors, np.ones(len(errors)) if weights is None else weights)
    assert found is not None
    return found


@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize("rows", [1, 2, 8, 9, 10, 19, 99, 100, 999])
def test_the_width_is_the_residual_of_the_finite_sample_rank(level: float, rows: int) -> None:
    errors = np.random.default_rng(rows).normal(size=rows)
    rank = int(np.ceil(round((rows + 1) * level, 9)))
    expected = np.sort(abs(errors))[rank - 1] if rank <= rows else np.inf
    own = of(errors)
    assert own.half_width(level) == expected and own.rows == rows
    assert (level <= own.highest + 1e-12) == (rows >= round(level / (1 - level), 9))


def test_of_many_rows_some_are_kept_and_the_width_is_at_most_a_little_larger() -> None:
    errors = np.random.default_rng(0).normal(size=50_000)
    own, ordered = of(errors), np.sort(abs(errors))
    assert len(own.widths) == len(own.shares) == MOST and own.rows == 50_000
    for level in [*LEVELS, 0.999, 0.9999]:
        rank = int(np.ceil(50_001 * level))
        further = min(rank + 50_000 // (MOST - 1) + 1, 50_000)
        assert ordered[rank - 1] <= own.half_width(level) <= ordered[further - 1]
    assert own.half_width(1 - 1e-6) == np.inf


def test_weights_count_as_repeated_rows_and_not_by_their_unit() -> None:
    errors = np.random.default_rng(0).normal(size=40)
    times = np.random.default_rng(1).integers(0, 4, 40)
    weighted, repeated = of(errors, times.astype(float)), of(np.repeat(errors, times))
    for level in (0.5, 0.8):  # the further row weighs more beside fewer rows: a rank or so
        assert weighted.half_width(level) == pytest.approx(repeated.half_width(level), rel=0.2)
        assert of(errors, 7.3 * times).half_width(level) == weighted.half_width(level)
    assert of(errors, np.full(40, 0.3)).half_width(0.9) == of(errors).half_width(0.9)
    hidden = np.where(times > 0, errors, np.nan)  # rows of weight 0 may hold anything
    assert of(hidden, times.astype(float)).half_width(0.8) == weighted.half_width(0.8)
    assert residuals(errors, np.zeros(40)) is None


@pytest.mark.parametrize("rows, level", [(9, 0.9), (30, 0.9), (30, 0.5), (200, 0.95)])
def test_coverage_of_a_further_row_is_the_level_or_up_to_one_rank_more(rows: int, level: float) -> None:
    """Over tables, whatever the distribution: here one without a variance."""
    rng, tables = np.random.default_rng(rows), 4000
    hits = [abs(rng.standard_cauchy()) <= of(rng.standard_cauchy(rows)).half_width(level) for _ in range(tables)]
    error = 4 * np.sqrt(level * (1 - level) / tables)
    assert level - error < np.mean(hits) < level + 1 / (rows + 1) + error


def test_figures_of_intervals_by_hand() -> None:
    own = Residuals(np.array([1.0, 2.0]), np.array([0.5, 0.95]), 2, least=0.0)
    found = interval_figures(np.array([5.0, 5.0, 5.0, 1.0]), np.array([5.5, 7.0, 8.0, 0.0]), own)
    assert found["coverage_90"].tolist() == [1, 1, 0, 1]
    assert found["width_90"].tolist() == [4, 4, 4, 3]  # the last interval ends at 0
    assert found["interval_score_90"] == pytest.approx([4, 4, 4 + 20 * 1, 3])
    low, high = own.interval(np.array([-3.0]), 2.0)
    assert low.tolist() == high.tolist() == [0.0]
    assert interval_figures(np.zeros(1), np.zeros(1), Residuals(np.ones(1), np.array([0.5]), 1)) == {}


def test_an_ensemble_has_the_mean_width_of_its_members() -> None:
    members = [of(np.random.default_rng(s).normal(size=60 + s)) for s in range(3)]
    assert mean_half_width(members, 0.8) == pytest.approx(np.mean([m.half_width(0.8) for m in members]))
    assert mean_half_width([*members, of(np.ones(2))], 0.8) == np.inf
