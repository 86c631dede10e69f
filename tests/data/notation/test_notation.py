"""Notations of numbers, dates and times: which are recognised, and what their cells become."""

import datetime
import math

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mtlrun.config.schema import ColumnConfig, NumberConfig
from mtlrun.data.notation import read, recognise, shown

NUMBERS = [0.0, 0.5, 3.75, 12.0, 999.25, 1234.5, 20500.0, 1234567.125, -7.5, -4321.0]
DECIMALS, THOUSANDS = (".", ","), (None, ".", ",", " ", "'")
UNITS = (None, "%", "€", "$", "CHF", "kg", "km/h", "US$")
MINUS = {"before": "-{}", "sign": "−{}", "behind": "{}-", "brackets": "({})"}
TIMES = [
    datetime.datetime(2019, 1, 31) + datetime.timedelta(days=37 * i, hours=7 * i, minutes=13 * i) for i in range(40)
]
DATES = ["%d.%m.%Y", "%d/%m/%Y", "%m/%d/%Y", "%Y/%m/%d", "%Y.%m.%d", "%d-%m-%Y", "%d.%m.%y", "%d/%m/%y", "%b %d %Y"]
DATES += ["%B %d, %Y", "%d %b %Y", "%d-%b-%Y", "%d. %B %Y", "%d-%b-%y", "%Y-%b-%d", "%a, %d %b %Y", "%A, %d %B %Y"]
CLOCKS = ["%H:%M", "%H:%M:%S", "%I:%M %p", "%I:%M%p", "%H:%M:%S.%f"]


def number_text(value: float, notation: NumberConfig, minus: str = "before", place: str = "behind") -> str:
    """A number as it is written in a notation."""
    text = f"{abs(value):,.10f}".rstrip("0").rstrip(".")
    text = text.replace(",", "T").replace(".", notation.decimal).replace("T", notation.thousands or "")
    if notation.unit is not None:
        text = f"{notation.unit}{text}" if place == "before" else f"{text} {notation.unit}"
    return MINUS[minus].format(text) if value < 0 else text


def notations() -> list[NumberConfig]:
    return [
        NumberConfig(decimal=d, thousands=t, unit=u)  # type: ignore[arg-type]
        for d in DECIMALS
        for t in THOUSANDS
        for u in UNITS
        if d != t
    ]


@pytest.mark.parametrize("notation", notations(), ids=lambda n: str(shown(ColumnConfig(number=n))))
@pytest.mark.parametrize("minus", list(MINUS))
def test_numbers_are_recognised_and_read(notation: NumberConfig, minus: str) -> None:
    place = "before" if notation.unit in ("€", "$", "US$") else "behind"
    cells = [number_text(v, notation, minus, place) for v in NUMBERS]
    np.testing.assert_array_equal(read(pd.Series(cells), ColumnConfig(number=notation)), NUMBERS)
    found = recognise(cells)
    plain = pd.to_numeric(pd.Series(cells), errors="coerce").notna().all()
    assert found == ([] if plain else [ColumnConfig(number=notation)])


@settings(max_examples=300, deadline=None)
@given(
    st.floats(-1e15, 1e15).map(lambda v: round(v, 6)),
    st.sampled_from(notations()),
    st.sampled_from(sorted(MINUS)),
    st.sampled_from(["before", "behind"]),
)
def test_what_is_written_is_read(value: float, notation: NumberConfig, minus: str, place: str) -> None:
    value = float(f"{value:.10f}")
    text = number_text(value, notation, minus, place)
    found = read(pd.Series([text]), ColumnConfig(number=notation)).iloc[0]
    assert found == pytest.approx(value, rel=1e-15, abs=0) and math.copysign(1, found + 0.0) == math.copysign(
        1, value + 0.0
    )


@pytest.mark.parametrize("clock", ["", *CLOCKS, "%H:%M:%S%z", "%H:%M %z"])
@pytest.mark.parametrize("form", DATES)
def test_dates_are_recognised_and_read(form: str, clock: str) -> None:
    form = f"{form} {clock}".strip()
    moments = TIMES if clock else [t.replace(hour=0, minute=0) for t in TIMES]
    zone = datetime.timezone(datetime.timedelta(hours=2)) if "%z" in form else None
    cells = [t.replace(tzinfo=zone).strftime(form) for t in moments]
    expected = pd.Series(moments).astype("datetime64[us]") - datetime.timedelta(hours=2 * (zone is not None))
    pd.testing.assert_series_equal(read(pd.Series(cells), ColumnConfig(date=form)), expected, check_names=False)
    assert recognise(cells) == [ColumnConfig(date=form)]


@pytest.mark.parametrize("form", CLOCKS)
def test_times_are_recognised_and_read(form: str) -> None:
    cells = [t.strftime(form) for t in TIMES]
    assert recognise(cells) == [ColumnConfig(time=form)]
    read_times = read(pd.Series(cells), ColumnConfig(time=form))
    assert read_times.dtype == "timedelta64[us]"
    assert (read_times.dt.total_seconds() == [60 * (60 * t.hour + t.minute) for t in TIMES]).all()


@pytest.mark.parametrize(
    ("cells", "settings"),
    [
        (["1,000", "4,700", "12,500"], [{"number": {"thousands": ","}}, {"number": {"decimal": ","}}]),
        (["1.234 kg", "2.500 kg", "3.000 kg"], [{"thousands": ".", "decimal": ","}, {}]),
        (["1.234", "2.500", "3.000"], []),
        (["0,125", "1,250", "3,000"], [{"number": {"decimal": ","}}]),
        (["8/6/2021", "3/4/2022", "1/1/2020"], [{"date": "%d/%m/%Y"}, {"date": "%m/%d/%Y"}]),
        (["8/6/2021", "3/14/2022", "1/1/2020"], [{"date": "%m/%d/%Y"}]),
        (["06.08.2021", "07.08.2021", "01.01.2020"], [{"date": "%d.%m.%Y"}]),
        (["1", "2", "?", "3.5"], [{"number": {}, "missing": ["?"]}]),
        (["1,5", "-", "2,5", "3,0", "n/a"], [{"number": {"decimal": ","}, "missing": ["-", "n/a"]}]),
        (["2020-01-01", "2020-01-02", "-", "2020-02-01"], [{"date": "ISO8601", "missing": ["-"]}]),
        (["2020-01-01", "2020-01-02", "2020-02-01T10:00:00Z"], []),
        (["1,23,456", "2,00,000", "500"], [{"number": {"thousands": ","}}]),
        (["1\u202f234,5", "2\u00a0500", "3"], [{"number": {"decimal": ",", "thousands": " "}}]),
        (["1’234.5", "2’500", "3"], [{"number": {"thousands": "'"}}]),
        ([*map(str, range(60)), "12.O"], [{"number": {}, "missing": ["12.O"]}]),
        (["18:57", "19:03", "25:10", "7:00"], []),
        (["1,2", "1,3", "1,2,3"], []),
        (["50-", "55-", "60-", "65-"], []),
        (["(1)", "(2)", "(3)"], []),
    ],
)
def test_what_a_column_is_recognised_as(cells: list[str], settings: list[dict]) -> None:
    found = [shown(c) for c in recognise(cells)]
    if settings and "kg" in cells[0]:
        settings = [{"number": number | {"unit": "kg"}} for number in settings]
    assert [sorted(f.items(), key=str) for f in found] == [sorted(s.items(), key=str) for s in settings]


@pytest.mark.parametrize(
    ("cells", "column"),
    [
        (
            ["1.234.5", "12,3,4", "1,5,0", "", "5 kg", "kg", "--5", "(5", "5)", "1 2", "0x1", "inf", "nan"],
            {"decimal": ","},
        ),
        (["12,34", "1,2345", "1234,567"], {"thousands": ","}),
        (["5 g", "€5", "5 kg kg kg"], {"unit": "kg"}),
    ],
)
def test_cells_in_another_notation_are_not_read(cells: list[str], column: dict) -> None:
    assert read(pd.Series(cells), ColumnConfig(number=NumberConfig(**column))).isna().all()
    for form in ("%d.%m.%Y", "%H:%M"):
        assert read(pd.Series(["31.02.2021", "24:00", "x", ""]), ColumnConfig(date=form)).isna().all()
