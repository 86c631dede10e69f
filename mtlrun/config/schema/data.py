"""The settings of the group `data`."""

from dataclasses import dataclass, field
from typing import Literal

from mtlrun.config.fields import COLUMN, bounded, per_run


@dataclass(frozen=True, kw_only=True)
class SplitConfig:
    """The split of the rows. Fractions apply to rows, or to groups of rows if `by` names a column.

    `column` names a column with the words train, val and test. `files` maps `val` and `test` to separate tables;
    `data.path` is then train. If such a given split has no val part, the fraction `val` of the part `val_from` becomes
    val. With `test` 0 there need be no test rows, and a run has no test figures. With `val` and `test` 0, all rows are
    train, also those that `column` or `files` put elsewhere.
    """

    train: float = bounded(0.7, above=0.0, at_most=1.0)
    val: float = bounded(0.15, at_least=0.0, below=1.0)
    test: float = bounded(0.15, at_least=0.0, below=1.0)
    by: str | None = field(default=None, metadata=COLUMN)
    column: str | None = field(default=None, metadata=COLUMN)
    files: dict[str, str] | None = None
    val_from: Literal["train", "test"] = "train"
    seed: int | None = per_run(None, at_least=0)

    @property
    def all_rows(self) -> bool:
        """Whether all rows are train, and none val or test."""
        return self.val == self.test == 0

    @property
    def untested(self) -> bool:
        """Whether no row is test, so that a run has no figures to compare."""
        return self.all_rows or (self.test == 0 and self.column is None and self.files is None)


@dataclass(frozen=True, kw_only=True)
class NumberConfig:
    """How a column writes numbers. A minus may stand before or after the number; brackets mean a negative number.

    decimal: the decimal sign.
    thousands: the sign between thousands; a blank stands for any blank.
    unit: a unit, a currency or %, before or after the number; it may be absent.
    """

    decimal: Literal[".", ","] = "."
    thousands: Literal[".", ",", " ", "'"] | None = None
    unit: str | None = None


@dataclass(frozen=True, kw_only=True)
class ColumnConfig:
    """How the cells of a column are read. At most one of `number`, `date`, `time` and `text` is given; else inferred.

    number: the cells are numbers in this notation; {} for plain numbers.
    date: the cells are dates: strptime's directives, such as %d.%m.%Y, or ISO8601.
    time: the cells are times of day, such as %H:%M.
    text: the cells are text, even if all of them are numbers or dates.
    missing: the words that stand for a missing value in this column.
    """

    number: NumberConfig | None = None
    date: str | None = None
    time: str | None = None
    text: bool = False
    missing: list[str | float] | None = None


@dataclass(frozen=True, kw_only=True)
class DataConfig:
    """A table in a file (`path`), its input columns and its split.

    columns: how columns are read that are not to be read as their cells suggest.
    missing: the words that stand for a missing value in every column, beside the empty cell. None: the usual words (NA,
        null, …) in columns of numbers, truth values and dates, and no word in columns of text.
    future: columns, or patterns of columns, that are unknown at prediction time and therefore never inputs.
    separator: the sign between the columns of CSV files, also of those that `predict` reads.
    reading: "0.1" reads cells as mtlrun 0.1 did, see `reading.decide`. Runs that it has stored have this value.
    """

    name: Literal["table"] = "table"
    path: str | None = None
    columns: dict[str, ColumnConfig] | None = None
    missing: list[str | float] | None = None
    inputs: list[str] | None = field(default=None, metadata=COLUMN)
    future: list[str] | None = field(default=None, metadata=COLUMN)
    weight: str | None = field(default=None, metadata=COLUMN)
    split: SplitConfig = field(default_factory=SplitConfig)
    train_rows: int | None = bounded(None, at_least=1)
    standardize_targets: bool = True
    max_categories: int = bounded(100, at_least=1)
    reading: Literal["cells", "0.1"] = "cells"
    separator: Literal[",", ";", "tab", "|"] = ","
