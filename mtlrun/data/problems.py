"""Tables that packages generate: `data.path=synthetic:NAME`.

A problem is a function without arguments that gives the same table on every machine. Its random numbers come from a
generator with a fixed seed. Values are rounded, because the last digit may differ between processors. A package names
its problems in its `Extension`.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from mtlrun.config import extensions
from mtlrun.util.errors import RequestError, listing
from mtlrun.util.registry import REFERENCES, Registry

if TYPE_CHECKING:
    import pandas as pd

DECIMALS = 6
NUMERIC = "biuf"  # NumPy's dtype kinds of truth values, integers and floats
PROBLEMS: Registry[Callable[[], Any]] = Registry("problem", {})


def synthetic_table(name: str) -> "pd.DataFrame":
    """The table of a problem: float64 numbers with 6 decimals.

    Raises RequestError if the function of the package does not return a table of numbers.
    """
    import pandas as pd

    extensions.load()
    columns = _checked(name, PROBLEMS[name])
    return pd.DataFrame({column: np.round(values, DECIMALS) + 0.0 for column, values in columns.items()})  # no -0.0


def _checked(name: str, problem: Callable[[], Any]) -> dict[str, np.ndarray]:
    """The columns that a package's function returns, checked: one length, numbers only."""
    reference = REFERENCES["problem"][name]

    def wrong(found: str) -> RequestError:
        return RequestError(
            f"problem {name}: {reference.made_by} of {reference.package} {found}\nmend the package; "
            "allowed: a mapping of columns to arrays of numbers, all of one length"
        )

    try:
        found = problem()
    except Exception as error:  # the package's code may raise anything
        raise wrong(f"fails ({type(error).__name__}: {' '.join(str(error).split())[:200]})") from error
    if not hasattr(found, "items") or not len(found):
        raise wrong(f"returns {'nothing in' if hasattr(found, 'items') else 'no mapping but'} a {type(found).__name__}")
    columns = {}
    for column, values in found.items():
        try:
            columns[column] = np.asarray(values)
        except ValueError:
            raise wrong(f"gives column {column!r} rows of several lengths") from None
        dtype = columns[column].dtype
        if dtype.kind not in NUMERIC:
            raise wrong(f"gives column {column!r} values that are no numbers ({dtype})")
        if columns[column].ndim != 1:
            raise wrong(f"gives column {column!r} an array of shape {list(columns[column].shape)}")
    lengths = {column: len(values) for column, values in columns.items()}
    if len(set(lengths.values())) > 1:
        raise wrong(f"gives columns of several lengths: {listing(f'{c} {n}' for c, n in lengths.items())}")
    return {column: values.astype(np.float64) for column, values in columns.items()}
