"""Frames and arrays of a user as one table in a file, and predictions in the form of the user's data."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import narwhals as nw
import numpy as np
import pandas as pd
import pyarrow as pa
from sklearn.utils.validation import check_array, column_or_1d

from mtlrun.api.parameters import plain
from mtlrun.compose.override_lines import plain_line
from mtlrun.config.task_names import task_name

# column -> type or settings of its task; columns; one column; None: those of Y
Targets = Mapping[str, Any] | Sequence[str] | str | None
WEIGHT = "__weight"
FEWEST = 2  # rows, one to train and one for val


@dataclass(frozen=True)
class TrainingTable:
    """The rows to learn from.

    frame: inputs `[N, D]`, targets `[N, T]`, and row weights if there are any
    columns: task -> its column; settings: task -> its settings for `tasks`
    inputs: the columns of X
    single: Y was one column without a name of its own (`y` of scikit-learn), so that predictions are `[N]`
    named: X was a frame, so that predictions are a frame of its kind
    weighted: whether there are row weights
    """

    frame: pd.DataFrame
    columns: dict[str, str]
    settings: dict[str, dict[str, Any]]
    inputs: list[str]
    single: bool
    named: bool
    weighted: bool = False

    def words(self, path: Path) -> list[str]:
        """The overrides that name this table, written to `path`, and its tasks."""
        words: dict[str, Any] = {"data": "table", "data.path": str(path), "tasks": self.settings}
        words |= {"data.weight": WEIGHT} if self.weighted else {}
        return [plain_line(key, value) for key, value in words.items()]

    def write(self, folder: Path) -> Path:
        """Writes the table into `folder` as Parquet, which keeps the types of columns. Returns its path.

        Raises ValueError for a column that Parquet cannot hold, and OSError if the disk cannot be written.
        """
        path = folder / "table.parquet"
        try:
            self.frame.to_parquet(path, index=False)
        except (pa.ArrowException, TypeError, ValueError) as error:
            raise ValueError(f"the table cannot be written as Parquet: {error}") from error
        return path


def is_frame(data: Any) -> bool:
    """Whether `data` is a data frame that narwhals knows: pandas, polars, pyarrow and others."""
    return bool(nw.dependencies.is_into_dataframe(data))


def as_pandas(data: Any) -> pd.DataFrame:
    """A frame of any kind as one of pandas, with names of text and rows counted from 0.

    Raises ValueError if two columns have one name.
    """
    try:
        frame = nw.from_native(data, eager_only=True).to_pandas()
    except nw.exceptions.DuplicateError as error:
        raise ValueError(f"a column name occurs twice: {error}") from error
    return frame.set_axis([str(name) for name in frame.columns], axis=1).reset_index(drop=True)


def training_table(X: Any, Y: Any, targets: Targets, sample_weight: Any = None) -> TrainingTable:
    """Makes a table of X `[N, D]`, or of a frame that holds the targets too if Y is None. NaN and None are missing.

    Raises ValueError if rows or names do not fit.
    """
    if isinstance(targets, str):
        targets = [targets]
    if nw.dependencies.is_into_dataframe(X) is False and hasattr(X, "collect"):
        raise ValueError("X is a lazy frame: collect() it first")
    if Y is None:
        return _of_one_frame(X, targets, sample_weight)
    inputs = input_frame(X)
    outputs, single = _outputs(Y, targets, [str(column) for column in inputs.columns])
    if len(inputs) != len(outputs):
        raise ValueError(f"X has {len(inputs)} rows and Y {len(outputs)}: inconsistent numbers of samples")
    frame = pd.concat([inputs, outputs], axis=1)
    wanted = targets if isinstance(targets, Mapping) else list(outputs.columns)
    return _table(frame, wanted, list(inputs.columns), single, is_frame(X), sample_weight)


def _of_one_frame(X: Any, targets: Targets, sample_weight: Any) -> TrainingTable:
    if not is_frame(X):
        raise ValueError(
            "This estimator requires y to be passed, but the target y is None; or give a frame that has the targets"
        )
    if not targets:
        raise ValueError("targets is not given: name the columns to predict, MultiTaskEstimator(targets=[...])")
    frame = as_pandas(X)
    absent = [column for column in targets if column not in frame.columns]
    if absent:
        raise ValueError(f"targets: no column is named {absent[0]!r}; columns: {', '.join(frame.columns)}")
    inputs = [column for column in frame.columns if column not in targets]
    return _table(frame, targets, inputs, False, True, sample_weight)


def _table(
    frame: pd.DataFrame, targets: Targets, inputs: list[str], single: bool, named: bool, sample_weight: Any
) -> TrainingTable:
    assert targets is not None, "named by the caller"
    if len(frame) < FEWEST:
        raise ValueError(f"n_samples = {len(frame)}: at least {FEWEST} rows are needed, to train and to select")
    columns: dict[str, str] = {}
    for column in targets:
        columns[task_name(column, columns)] = column
    given = targets if isinstance(targets, Mapping) else {}
    settings = {task: _settings(task, column, given.get(column)) for task, column in columns.items()}
    if sample_weight is not None:
        frame = frame.assign(**{WEIGHT: _weights(sample_weight, len(frame))})
    return TrainingTable(frame, columns, settings, inputs, single, named, sample_weight is not None)


def _settings(task: str, column: str, given: Any) -> dict[str, Any]:
    """The settings of a task: its type, or a mapping, with the column's name if it differs."""
    own = {"type": given} if isinstance(given, str) else dict(plain(given or {}))
    return own if task == column else {"target": column, **own}


def _weights(sample_weight: Any, rows: int) -> np.ndarray:
    weights = np.asarray(sample_weight, dtype=np.float64)
    if weights.shape != (rows,):
        raise ValueError(f"sample_weight.shape == {weights.shape}, expected {(rows,)}!")
    if not (weights >= 0).all():  # NaN too
        raise ValueError("sample_weight: found negative or missing weights; allowed: numbers from 0")
    if not (weights > 0).any():
        raise ValueError("sample_weight: all weights are zero")
    return weights


def input_frame(X: Any) -> pd.DataFrame:
    """X `[N, D]`, a frame or an array, as a frame. Columns of an array are named x0, x1, …"""
    if is_frame(X):
        return as_pandas(X)
    array = check_array(X, dtype=None, ensure_all_finite="allow-nan", estimator="MultiTaskEstimator")
    if array.dtype.kind == "O":
        _require_scalars(array)
    return pd.DataFrame({f"x{i}": _column(array[:, i]) for i in range(array.shape[1])})


def _require_scalars(array: np.ndarray) -> None:
    for value in array.ravel():
        if not (value is None or isinstance(value, (str, bytes, bool, int, float, np.generic))):
            raise TypeError(f"argument must be a string or a number: X holds {type(value).__name__}")


def _column(values: np.ndarray) -> Any:
    """One column of an array of objects in its own type, because Parquet states types."""
    return pd.Series(values).infer_objects() if values.dtype.kind == "O" else values


def _outputs(Y: Any, targets: Targets, inputs: Sequence[str]) -> tuple[pd.DataFrame, bool]:
    """Y as a frame, and whether it is a single column that Y does not name. Targets give names to arrays."""
    names = list(targets or [])
    if is_frame(Y):
        frame, single = as_pandas(Y), False
    elif nw.dependencies.is_into_series(Y):
        series = nw.from_native(Y, series_only=True).to_pandas().reset_index(drop=True)
        frame, single = series.to_frame(names[0] if names else str(series.name or "y")), True
    else:
        frame, single = _of_array(Y, names)
    for name in frame.columns:
        if name in inputs:
            raise ValueError(f"the target {name!r} is a column of X too: leave it out of X, or rename it")
    if names and set(names) != set(frame.columns):
        raise ValueError(f"targets names {', '.join(names)}, and Y has {', '.join(frame.columns)}")
    return frame, single


def _of_array(Y: Any, names: Sequence[str]) -> tuple[pd.DataFrame, bool]:
    array = np.asarray(Y)
    if np.iscomplexobj(array):
        raise ValueError("Complex data not supported: y")
    if array.ndim != 2 or array.shape[1] == 1:
        array = column_or_1d(array, warn=array.ndim == 2)[:, None]
        default, single = ["y"], True
    else:
        default, single = [f"y{i}" for i in range(array.shape[1])], False
    if array.dtype.kind == "f" and np.isinf(array).any():
        raise ValueError("Input y contains infinity or a value too large for dtype('float64').")
    if names and len(names) != array.shape[1]:
        raise ValueError(f"targets names {len(names)} columns, and Y has {array.shape[1]}")
    columns = {name: _column(array[:, i]) for i, name in enumerate(names or default)}
    return pd.DataFrame(columns), single


def like(frame: pd.DataFrame, X: Any) -> Any:
    """A frame of predictions in the kind of the frame X, with the index of X if it is pandas."""
    if isinstance(X, pd.DataFrame):
        return frame.set_axis(X.index, axis=0)
    space = nw.from_native(X, eager_only=True).implementation
    return nw.from_dict({name: frame[name].to_numpy() for name in frame.columns}, backend=space).to_native()
