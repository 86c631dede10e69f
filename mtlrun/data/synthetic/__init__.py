"""Tables that are generated: `data.path=synthetic:NAME`.

A problem is a function of no arguments whose table is the same wherever it is made: random numbers come from a
generator with a fixed seed, and values are rounded, so that another processor's last digit does not show. To add one,
write it in a module of this folder (formula and sizes in its docstring) and name it in the module's PROBLEMS.
"""

import importlib
import pkgutil
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from mtlrun.util.errors import RequestError, listing
from mtlrun.util.registry import REFERENCES, Registry

if TYPE_CHECKING:
    import pandas as pd

DECIMALS = 6
NUMERIC = "biuf"  # kinds of NumPy's types: truth values, whole numbers, floats
_OWN: dict[str, Callable[[], dict[str, np.ndarray]]] = {
    name: problem
    for module in sorted(found.name for found in pkgutil.iter_modules(__path__))
    for name, problem in importlib.import_module(f"{__name__}.{module}").PROBLEMS.items()
}
PROBLEMS = Registry("problem", _OWN)


def synthetic_table(name: str) -> "pd.DataFrame":
    """The table of a problem, all numbers float64, with 6 decimals. RequestError where a package's function gives
    something else."""
    import pandas as pd

    problem = PROBLEMS[name]
    columns = problem() if name in PROBLEMS.own else _of_package(name, problem)
    return pd.DataFrame({column: np.round(values, DECIMALS) + 0.0 for column, values in columns.items()})  # no -0.0


def _of_package(name: str, problem: Callable[[], Any]) -> dict[str, np.ndarray]:
    """What a package's function gives, looked at before it counts as a table."""
    reference = REFERENCES["problem"][name]

    def wrong(found: str) -> RequestError:
        return RequestError(
            f"problem {name}: {reference.made_by} of {reference.package} {found}\nmend the package; "
            "allowed: a mapping of columns to arrays of numbers, all of one length"
        )

    try:
        found = problem()
    except Exception as error:  # whatever the package's code raises
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
