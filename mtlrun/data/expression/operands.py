"""Operands: the values of expressions, one class per kind of value."""

from abc import ABC
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar, cast

import numpy as np
import pandas as pd

from mtlrun.data.kinds import DATE, NUMBER, TEXT, TRUTH, ColumnKind, as_numbers, as_texts, kind_of, whole_numbers

Compare = Callable[[Any, Any], Any]


class Mismatch(Exception):
    """Operands that do not fit together. The text gives the reason."""


@dataclass(frozen=True)
class Operand(ABC):
    """The value of a node. `data` is an array [N] or a scalar, `missing` a mask [N] or False."""

    data: Any
    missing: Any = False
    called: ClassVar[str]  # name in messages
    compares_as: ClassVar[str]  # operands with the same value can be compared

    def truth(self, symbol: str) -> np.ndarray:
        """Mask of the rows in which the operand of and, or, not is true. A missing truth value counts as false.

        Raises Mismatch for an operand that is not a truth value.
        """
        raise Mismatch(f"`{symbol}` needs conditions, found {self.called}")

    def number(self, symbol: str) -> np.ndarray:
        """The operand of arithmetic in float64, NaN if missing. Raises Mismatch for text, dates and null.

        float64 prevents integer overflow, and makes `9 ** 9 ** 9` infinite instead of an endless computation.
        """
        raise Mismatch(f"`{symbol}` needs numbers, found {self.called}")

    def beside(self, other: "Operand") -> "Operand":
        """This operand, converted for a comparison with `other`."""
        return self

    def result(self) -> Any:
        """The result of an expression with this value."""
        return self.data


class Number(Operand):
    called, compares_as = "a number", "number"

    def number(self, symbol: str) -> np.ndarray:
        return np.where(self.missing, np.nan, np.asarray(self.data, dtype=np.float64))


class Truth(Number):
    """Truth values. They count as 0 and 1 in comparisons and arithmetic."""

    called = "a condition"

    def truth(self, symbol: str) -> np.ndarray:
        return cast(np.ndarray, np.asarray(self.data, dtype=bool) & ~np.asarray(self.missing))

    def result(self) -> Any:
        return self.truth("")


class Date(Operand):
    called, compares_as = "a date", "date"


class Text(Operand):
    called, compares_as = "text", "text"

    def beside(self, other: Operand) -> Operand:
        """Converts a constant to a date if `other` is a date. Raises Mismatch for an invalid date and for a column."""
        if not isinstance(other, Date):
            return self
        if np.ndim(self.data):
            raise Mismatch("compares a column of dates with one of text")
        try:
            return Date(pd.Timestamp(self.data).to_datetime64())
        except ValueError:
            raise Mismatch(f"{self.data!r} is no date; write it like '2024-12-31'") from None


class Null(Operand):
    called, compares_as = "null", "null"

    def result(self) -> Any:
        raise Mismatch("null alone is no value")


def constant(value: float | str | bool | None) -> Operand:
    """The operand for a constant."""
    if value is None:
        return Null(None, True)
    if isinstance(value, bool):
        return Truth(value)
    return Text(value) if isinstance(value, str) else Number(value)


def column(series: pd.Series) -> Operand:
    """The operand for a column of the table."""
    make, data = _COLUMNS[kind_of(series)]
    return make(data(series), series.isna().to_numpy())


def _exact(series: pd.Series) -> np.ndarray:
    """Numbers. Integers stay integers, so that identifiers beyond 2^53 are exact; where they are missing they are 0."""
    integers = whole_numbers(series.dropna())
    if integers is None:
        return as_numbers(series)
    data = np.zeros(len(series), dtype=integers.dtype)
    data[series.notna().to_numpy()] = integers
    return data


_COLUMNS: dict[ColumnKind, tuple[type[Operand], Callable[[pd.Series], Any]]] = {
    NUMBER: (Number, _exact),
    TRUTH: (Truth, lambda series: as_numbers(series) == 1),
    DATE: (Date, lambda series: series.to_numpy()),
    TEXT: (Text, as_texts),
}


def compared(compare: Compare, left: Operand, right: Operand) -> np.ndarray:
    """Mask of the rows in which a comparison is true. It is false if a value is missing.

    Raises Mismatch for values of different kinds.
    """
    left, right = left.beside(right), right.beside(left)
    if left.compares_as != right.compares_as:
        raise Mismatch(f"compares {left.called} with {right.called}; text needs quotes, numbers none")
    present = ~(np.asarray(left.missing) | np.asarray(right.missing))
    return cast(np.ndarray, np.asarray(compare(left.data, right.data), dtype=bool) & present)
