"""Cells in a local notation: numbers such as 1.234,5 or 12 kg, dates such as 31.12.2021, times such as 18:57.

A notation is a `ColumnConfig`, as in `data.columns`. `read` gives the values of cells in a notation; `recognise` finds
the notations that explain the cells of a column. Both take the distinct cells.
"""

from mtlrun.data.notation.dates import ISO, YEARS, are_iso_dates
from mtlrun.data.notation.declared_cells import as_yaml, columns_override, read, shown
from mtlrun.data.notation.recognition import is_sure, recognise

__all__ = ["ISO", "YEARS", "are_iso_dates", "as_yaml", "columns_override", "is_sure", "read", "recognise", "shown"]
