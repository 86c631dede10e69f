"""Cells in a local notation: numbers such as 1.234,5 or 12 kg, dates such as 31.12.2021, times such as 18:57.

A notation is a `ColumnConfig`, as in `data.columns`. `read` gives the values of cells in a notation; `recognise` finds
the notations that explain the cells of a column. Both take the distinct cells.
"""

from mtlrun.data.notation.reading import read, shown
from mtlrun.data.notation.recognition import is_sure, recognise

__all__ = ["is_sure", "read", "recognise", "shown"]
