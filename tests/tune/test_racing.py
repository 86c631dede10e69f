"""Who goes on, by hand."""

import math
from pathlib import Path

import pytest

from mtlrun.compare.collect.run_record import RunRecord
from mtlrun.compare.records import TaskColumn
from mtlrun.tune.racing import LOST, drop, runs_of, survivors


def record(**figures: float) -> RunRecord:
    named = {f"val/{key.replace('__', '/')}": value for key, value in figures.items()}
    return RunRecord(Path("r"), "completed", "", 0, 0, {}, {}, {}, {}, None, None, figures=named)


COLUMNS = [
    TaskColumn("a", "rmse", higher=False),
    TaskColumn("b", "auroc", higher=True),
]


def test_the_drop_is_the_mean_over_tasks_relative_to_the_default() -> None:
    default = record(a__rmse=2.0, b__auroc=0.8)
    assert drop(record(a__rmse=2.2, b__auroc=0.88), default, COLUMNS) == pytest.approx((10 - 10) / 2)
    assert drop(record(a__rmse=1.0, b__auroc=0.8), default, COLUMNS) == pytest.approx(-25)
    assert drop(None, default, COLUMNS) == LOST
    assert drop(record(a__rmse=1.0), default, COLUMNS) == LOST
    assert drop(record(a__rmse=1.0, b__auroc=0.1), record(a__rmse=2.0), COLUMNS) == pytest.approx(-50)


def test_the_better_half_goes_on() -> None:
    drops = {0: [1.0, 3.0], 1: [-1.0, 0.0], 2: [0.0, -4.0], 3: [LOST], 4: [9.0, 9.0]}
    assert survivors(drops) == [2, 1, 0]
    assert survivors({7: [LOST]}) == []


def test_the_runs_of_a_batch() -> None:
    assert [runs_of(n, 3) for n in (16, 5, 1)] == [16 + 8 + 4, 5 + 3 + 2, 3]
    assert math.isinf(LOST)
