"""Dates and times in a local notation: strptime's directives."""

import re
from collections.abc import Iterator

import numpy as np
import pandas as pd

ISO = "ISO8601"
YEARS = (1600, 2200)  # of dates that are recognised; any year is read
YEAR_SHARE = 0.95  # of the dates, within these years: others are marks such as 9999-12-31
_TIME = re.compile(
    r"(?P<join>T|,? ?)(?P<hour>\d{1,2}):\d\d(?P<second>:\d\d(?P<fraction>\.\d{1,6})?)?(?P<half> ?[AaPp][Mm])?"
    r"(?P<zone> ?(?:Z|[+-]\d\d:?\d\d))?$"
)
_ISO = re.compile(r"\d{4}-\d\d-\d\d(?:[T ].*)?")
_MONTHS = r"(?:Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec)[a-z]*"
_DAY = re.compile(
    r"(?:(?P<weekday>(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun)[a-z]*)(?P<comma>,? ))?(?P<date>.*)", re.IGNORECASE | re.DOTALL
)
# shape of a date -> its possible formats; {s}: the separator of the shape
_SHAPES: list[tuple[re.Pattern[str], tuple[str, ...]]] = [
    (re.compile(r"\d{4}(?P<s>[/.-])\d{1,2}(?P=s)\d{1,2}"), ("%Y{s}%m{s}%d",)),
    (re.compile(r"\d{1,2}(?P<s>\.)\d{1,2}\.\d{4}"), ("%d.%m.%Y",)),
    (re.compile(r"\d{1,2}(?P<s>[/-])\d{1,2}(?P=s)\d{4}"), ("%d{s}%m{s}%Y", "%m{s}%d{s}%Y")),
    (re.compile(r"\d\d(?P<s>\.)\d\d\.\d\d"), ("%d.%m.%y",)),
    (re.compile(r"\d{1,2}(?P<s>/)\d{1,2}/\d\d"), ("%d/%m/%y", "%m/%d/%y")),
    (re.compile(r"\d\d(?P<s>-)\d\d-\d\d"), ("%d-%m-%y", "%m-%d-%y", "%y-%m-%d")),
    (re.compile(rf"\d{{1,2}}(?P<s>\.? |-|/){_MONTHS}(?P<t>\.?,? |-|/)\d{{4}}", re.I), ("%d{s}%B{t}%Y", "%d{s}%b{t}%Y")),
    (re.compile(rf"\d{{1,2}}(?P<s> |-|/){_MONTHS}(?P<t> |-|/)\d\d", re.I), ("%d{s}%B{t}%y", "%d{s}%b{t}%y")),
    (re.compile(rf"{_MONTHS}(?P<s>\.? |-)\d{{1,2}}(?P<t>,? |-)\d{{4}}", re.I), ("%B{s}%d{t}%Y", "%b{s}%d{t}%Y")),
    (re.compile(rf"\d{{4}}(?P<s>[ -]){_MONTHS}(?P<t>[ -])\d{{1,2}}", re.I), ("%Y{s}%B{t}%d", "%Y{s}%b{t}%d")),
    (re.compile(rf"{_MONTHS}(?P<s>[ -])\d{{4}}", re.I), ("%B{s}%Y", "%b{s}%Y")),
    (re.compile(r"\d{4}(?P<s>[/-])\d\d"), ("%Y{s}%m",)),
    (re.compile(r"\d\d(?P<s>[/-])\d{4}"), ("%m{s}%Y",)),
]


def read_dates(cells: pd.Series, form: str) -> pd.Series:
    """Text cells `[n]` as datetime64[us] `[n]` in UTC, NaT for a cell that is no date in the format `form`."""
    dates = pd.to_datetime(cells.astype("str").str.strip(), format=form, errors="coerce", utc=True)
    return dates.dt.tz_localize(None).astype("datetime64[us]")


def read_times(cells: pd.Series, form: str) -> pd.Series:
    """Text cells `[n]` as timedelta64[us] `[n]` since midnight, NaT for a cell that is no time in the format `form`."""
    times = pd.to_datetime(cells.astype("str").str.strip(), format=form, errors="coerce")
    return (times - times.dt.normalize()).astype("timedelta64[us]")


def are_iso_dates(cells: pd.Series) -> bool:
    """Whether all cells of text are ISO dates such as 2020-09-22, with or without a time and a zone."""
    if not len(cells) or not _ISO.fullmatch(str(cells.iloc[0])):
        return False
    return bool(cells.str.match(r"\d{4}-\d\d-\d\d").all() and read_dates(cells, ISO).notna().all())


def date_notations(cell: str) -> Iterator[str]:
    """The formats of a date, with or without a time, that has the shape of the cell; the likeliest first."""
    cell = cell.strip()
    if _ISO.fullmatch(cell):
        yield ISO
        return
    clock = _TIME.search(cell)
    day = cell if clock is None or clock.start() == 0 else cell[: clock.start()]
    end = "" if day is cell or clock is None else clock["join"] + _clock(clock)
    parts = _DAY.fullmatch(day)
    assert parts is not None, "every text has this shape"
    weekday = [parts["weekday"]] if parts["weekday"] else []
    starts = [f"%{letter}{parts['comma']}" for _ in weekday for letter in ("A" if len(weekday[0]) > 3 else "a")] or [""]
    for shape, forms in _SHAPES:
        if (found := shape.fullmatch(parts["date"])) is not None:
            separators = found.groupdict()
            yield from (start + form.format(**separators) + end for start in starts for form in forms)


def time_notation(cell: str) -> str | None:
    """The format of a time of day with the shape of the cell, such as 18:57."""
    clock = _TIME.fullmatch(cell.strip())
    return None if clock is None or clock["join"] or clock["zone"] else _clock(clock)


def are_seasons(cells: pd.Series) -> bool:
    """Whether all cells of text are a year and the last two digits of the next one, such as 2009/10."""
    parts = cells.str.extract(r"^\s*\d\d(\d\d)[/-](\d\d)\s*$")
    return bool(parts.notna().all(axis=None) and ((parts[0].astype(int) + 1) % 100 == parts[1].astype(int)).all())


def likely_years(dates: pd.Series) -> bool:
    """Whether nearly all dates lie in years in which something is recorded."""
    within = dates.dt.year.between(*YEARS)
    return bool(np.mean(within) >= YEAR_SHARE)


def _clock(found: re.Match[str]) -> str:
    seconds = "" if found["second"] is None else ":%S" + (".%f" if found["fraction"] else "")
    half = "" if found["half"] is None else found["half"][:-2] + "%p"
    zone = "" if found["zone"] is None else found["zone"][: found["zone"].startswith(" ")] + "%z"
    return f"{'%I' if half else '%H'}:%M{seconds}{half}{zone}"
