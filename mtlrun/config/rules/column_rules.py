"""Rules about how columns are read, `data.columns`."""

import datetime
from typing import Literal

from mtlrun.config.schema import ColumnConfig, Config, NumberConfig
from mtlrun.util.errors import RequestError, listing

WAYS = ("number", "date", "time", "text")
_MOMENT = datetime.datetime(2001, 2, 3, 16, 5, 6)


def columns(config: Config) -> None:
    """A column declares at most one notation. Its signs differ; a date has a year in it, a time an hour."""
    for name, column in (config.data.columns or {}).items():
        key = f"data.columns.{name}"
        given = [way for way in WAYS if getattr(column, way) not in (None, False)]
        if len(given) > 1:
            raise RequestError(f"{key}: {listing(given)} are all given\nallowed: one of {listing(WAYS)}")
        if column.number is not None:
            _number(column.number, f"{key}.number")
        _formats(column, key)


def _number(number: NumberConfig, key: str) -> None:
    if number.thousands == number.decimal:
        raise RequestError(
            f"{key}.thousands: found '{number.thousands}', which is also the decimal sign\n"
            f"set the other one: {key}.decimal='{',' if number.decimal == '.' else '.'}'"
        )
    if number.unit is not None and (not number.unit.strip() or any(c.isdigit() for c in number.unit[:1])):
        raise RequestError(
            f"{key}.unit: found '{number.unit}'\nallowed: what stands beside each number, such as kg or €"
        )


def _formats(column: ColumnConfig, key: str) -> None:
    if column.date is not None and column.date != "ISO8601" and not _reads(column.date, "year"):
        raise RequestError(
            f"{key}.date: found '{column.date}'\n"
            "allowed: ISO8601, or directives of strptime with a year, such as %d.%m.%Y"
        )
    if column.time is not None and not _reads(column.time, "hour"):
        raise RequestError(
            f"{key}.time: found '{column.time}'\n"
            "allowed: directives of strptime with an hour, such as %H:%M or %I:%M %p"
        )


def _reads(form: str, part: Literal["year", "hour"]) -> bool:
    """Whether a format is valid and contains this part of a date or time."""
    try:
        again = datetime.datetime.strptime(_MOMENT.strftime(form), form)
    except ValueError:
        return False
    return bool(getattr(again, part) == getattr(_MOMENT, part))
