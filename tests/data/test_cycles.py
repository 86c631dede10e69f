"""Dates and times as inputs: which cycles follow the number of days, and what predictions make of them."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from houses import config

from mtlrun.config.schema import ModelConfig
from mtlrun.data.columns import InputSpec
from mtlrun.data.cycles import cycles_of, with_cycles
from mtlrun.data.dataset import load_dataset
from mtlrun.engine.boosting.fitting import tree_inputs
from mtlrun.network.inputs import InputEncoder

DAYS = np.arange(18_000.0, 19_000.0)


@pytest.mark.parametrize(
    ("days", "cycles"),
    [
        (DAYS, ["year", "week"]),
        (DAYS[:200], ["week"]),
        (DAYS[::7], ["year"]),  # one day of the week
        (DAYS[:5], []),
        (np.rint(18_262 + 365.2425 * np.arange(40)), ["week"]),  # one day of the year
        (DAYS + 0.5, ["year", "week"]),  # always at noon
        (DAYS + np.linspace(0, 9, 1000), ["year", "week", "day"]),
        (np.linspace(0.3, 0.8, 100), ["day"]),
        (np.where(DAYS % 3 == 0, np.nan, DAYS), ["year", "week"]),
        (np.full(50, np.nan), []),
        (np.full(50, 18_000.0), []),
    ],
)
def test_cycles_in_which_dates_vary(days: np.ndarray, cycles: list[str]) -> None:
    assert cycles_of(days) == cycles


def test_sine_and_cosine_are_those_of_the_calendar() -> None:
    dates = pd.date_range("2019-06-21 18:00", periods=50, freq="D")
    days = (dates - pd.Timestamp(0)) / pd.Timedelta(days=1)
    values = with_cycles(days.to_numpy(), days.to_numpy(), ["year", "week", "day"])
    assert values.shape == (50, 7)
    np.testing.assert_allclose(np.hypot(values[:, 1::2], values[:, 2::2]), 1)
    weekday = 2 * np.pi * ((dates.day_of_week.to_numpy() - 3) / 7 + 0.75 / 7)  # Thursday is 3
    np.testing.assert_allclose(values[:, 3], np.sin(weekday), atol=1e-9)
    np.testing.assert_allclose(values[:, 5:], [[-1, 0]] * 50, atol=1e-9)  # 18:00
    # midsummer is half a year from midwinter, up to leap days
    assert values[0, 2] < -0.95


def dated(folder: Path) -> str:
    """A table with dates with gaps, times, and a category between numbers."""
    n = np.arange(800)
    days = pd.Series(pd.Timestamp("2019-01-01") + pd.to_timedelta(n * 31, unit="h")).mask(n % 9 == 0)
    clock = pd.Series(
        [None if i % 11 == 0 else (pd.Timestamp(0) + pd.Timedelta(minutes=int(37 * i % 1440))).time() for i in n]
    )
    frame = pd.DataFrame(
        {"a": n % 7, "day": days, "city": np.where(n % 2, "Ulm", "Bonn"), "clock": clock, "b": n % 5.0}
    )
    frame.assign(y=n % 13 + 0.5).to_parquet(folder / "t.parquet")
    return str(folder / "t.parquet")


def test_a_date_is_several_numbers_with_one_indicator_of_gaps(tmp_path: Path) -> None:
    data = load_dataset(config({"y": {"type": "regression"}}, path=dated(tmp_path)))
    spec = data.spec
    day, clock = spec.columns[1], spec.columns[3]
    assert (day.cycles, day.date, day.count, day.width) == (["year", "week", "day"], True, 7, 8)
    assert (clock.cycles, clock.time, clock.count, clock.width) == (["day"], True, 3, 4)
    assert data.numeric.shape == (800, 1 + 7 + 3 + 1) and spec.places == [
        slice(0, 1),
        slice(1, 8),
        slice(8, 11),
        slice(11, 12),
    ]
    assert spec.width == 12 + 2 + 2 and InputSpec.from_plain(spec.to_plain()) == spec
    assert data.numeric[1, 8] == pytest.approx(37 / 60)
    encoder = InputEncoder(spec, 1, ModelConfig(hidden=[], head_hidden=[]))
    encoder.fit(data.numeric, encoder.positions(data.codes), [data.split.train])
    assert encoder.gaps == [1, 8] and encoder.width == spec.width
    assert encoder.places(["day"]).tolist() == [1, 2, 3, 4, 5, 6, 7, 12] and encoder.places(["clock"]).tolist() == [
        8,
        9,
        10,
        13,
    ]
    assert tree_inputs(spec, data.numeric, data.codes).shape == (800, 13)
    # the cells of a column are its days, hours or codes
    np.testing.assert_array_equal(data.cells()[3][1], data.numeric[:, 8])


def test_later_files_may_write_dates_and_times_as_text(tmp_path: Path) -> None:
    path = dated(tmp_path)
    spec = load_dataset(config({"y": {"type": "regression"}}, path=path)).spec
    frame = pd.read_parquet(path).assign(
        day=lambda f: f["day"].dt.strftime("%Y-%m-%d %H:%M:%S"),
        clock=lambda f: f["clock"].astype(str).replace("None", None),
    )
    np.testing.assert_allclose(spec.transform(frame)[0], load_dataset(config({"y": {}}, path=path)).numeric)


def test_columns_stored_before_there_were_cycles_are_one_number(tmp_path: Path) -> None:
    spec = load_dataset(config({"y": {"type": "regression"}}, path=dated(tmp_path))).spec
    plain = spec.to_plain()
    for column in plain["columns"]:
        del column["cycles"], column["time"]
    assert [c.count for c in InputSpec.from_plain(plain).columns] == [1, 1, 0, 1, 1]
