"""Figures over training rows, and over another number."""

import pytest
from claims import compared
from folders import Outputs


def test_errors_over_training_rows_together_and_alone(outputs: Outputs) -> None:
    for rows, together, alone in [(10, 12.0, 14.0), (20, 11.0, 12.0), (None, 10.0, 10.5)]:
        flat = {"data.train_rows": rows}
        counts = {"table": 100, "train": rows or 70, "val": 15, "test": 15}
        outputs.setting(f"t{rows}", [together, together + 1], [0.5, 0.6], flat=flat, rows=counts)
        outputs.alone([alone, alone + 1], [0.5, 0.6], f"a{rows}", flat=flat, rows=counts)
    found = {(s.label, s.task): s for s in compared(outputs).series if s.what == "trend"}
    assert set(found) == {(label, task) for label in ("together", "alone") for task in ("a", "b")}
    assert found["together", "a"].key == "data.train_rows"
    assert list(found["together", "a"].x) == [10, 20, 70] and list(found["together", "a"].mean) == [12.5, 11.5, 10.5]
    assert list(found["alone", "a"].mean) == [14.5, 12.5, 11.0]
    # Δm is relative to the nets of the same rows: (1 − 12/14 + 1 − 13/15)/2 halved, as b is the same
    whole = compared(outputs)
    rows = {row.label: row for row in whole.rows}
    assert rows["data.train_rows=10"].delta_m.values == pytest.approx({0: -100 / 14, 1: -100 / 15})
    assert rows["alone data.train_rows=20"].delta_m.values == {0: 0.0, 1: 0.0}
    assert rows["alone data.train_rows=20"].against is None and whole.leader is None
    assert whole.baseline == "alone with the same data.train_rows" and whole.seeds_needed == 7  # three rows are held


def test_from_how_many_rows_on_training_together_does_not_help(outputs: Outputs) -> None:
    noise = [0.01 * s for s in range(8)]
    for rows, gain in [(10, 1.0), (20, 0.5), (40, 0.0)]:
        flat = {"data.train_rows": rows}
        base = [10.0 + e for e in noise]
        together = [x - gain + (e - 0.035) / 5 for x, e in zip(base, noise, strict=True)]
        outputs.setting(f"t{rows}", together, [0.5] * 8, flat=flat)
        outputs.alone(base, [0.5] * 8, f"a{rows}", flat=flat)
    said = compared(outputs).verdict
    assert said == ["From 40 training rows on, training together is not shown to help."]


def test_a_trend_is_drawn_over_the_only_number_that_varies(outputs: Outputs) -> None:
    for rate in (0.001, 0.01, 0.1):
        outputs.setting(f"{rate}", [10, 11], [0.5, 0.6], flat={"lr.base": rate})
    assert {s.key for s in compared(outputs).series if s.what == "trend"} == {"lr.base"}
    for clip in (1.0, 2.0, 3.0):
        outputs.setting(f"clip{clip}", [10, 11], [0.5, 0.6], flat={"trainer.clip": clip})
    assert not [s for s in compared(outputs).series if s.what == "trend"]
