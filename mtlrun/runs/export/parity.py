"""Compares the outputs of an ONNX model with `predict`."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pandas as pd
import torch

from mtlrun.config.schema import Config
from mtlrun.data.columns import InputColumn, InputSpec
from mtlrun.data.dataset import load_dataset, load_table
from mtlrun.data.kinds import DAY, HOURS, as_texts
from mtlrun.network.inputs import InputEncoder
from mtlrun.runs.export.onnx_model import OutputNames
from mtlrun.runs.export.onnx_packages import onnxruntime
from mtlrun.runs.predictor import Predictor, networks_of
from mtlrun.util.errors import RequestError

ROWS, MADE_UP = 1000, 64
TOLERANCE = 1e-4


def feeds(spec: InputSpec, frame: pd.DataFrame) -> dict[str, np.ndarray]:
    """The inputs of the model for the rows of a table: float64 or object arrays `[N, 1]` by column.

    Raises the same RequestErrors as `InputSpec.transform`.
    """
    numbers, _ = spec.transform(frame)
    columns = iter(numbers[:, [place.start for place in spec.places]].T)
    return {c.name: (as_texts(frame[c.name]) if c.is_category else next(columns)).reshape(-1, 1) for c in spec.inputs}


def parity(predictor: Predictor, names: Mapping[str, OutputNames], model: Path, out: Path) -> tuple[str, float]:
    """Compares the model with `predict`. Returns the compared rows, in words, and the largest difference.

    Raises RequestError if the difference is above 1e-4.
    """
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3  # errors
    options.intra_op_num_threads = torch.get_num_threads()
    session = onnxruntime.InferenceSession(str(model), options, providers=["CPUExecutionProvider"])
    invented = made_up_rows(predictor.spec, networks_of(predictor)[0].network.encoder)
    frames, words = [invented], f"{len(invented):,} made-up rows, as the run's table cannot be read"
    if (found := _rows_of_table(predictor.config, predictor.spec)) is not None:
        part, rows = found
        frames, words = [rows, invented], f"{len(rows):,} rows of {part} and {len(invented):,} made up with gaps"
    differences = []
    for frame in frames:
        values = session.run(None, feeds(predictor.spec, frame))
        outputs = dict(zip([o.name for o in session.get_outputs()], values, strict=True))
        differences.append(largest_difference(predictor, names, frame, outputs))
    difference = float(np.max(differences))  # nan where one is
    if not difference <= TOLERANCE:
        raise RequestError(
            f"export: onnxruntime and predict differ by {difference:.2g} on {words}; {out} is not "
            f"written\nallowed: {TOLERANCE:g}; use the versions that constraints.txt pins"
        )
    return words, difference


def _rows_of_table(config: Config, spec: InputSpec) -> tuple[str, pd.DataFrame] | None:
    """Up to 1,000 test rows of the run's table, evenly spaced, or training rows if there is no test, with that word.

    None if the table cannot be read or lacks columns.
    """
    try:
        split = load_dataset(config).split
        part, rows = ("test", split.test) if len(split.test) else ("train", split.train)
        frame = load_table(config)[0].frame.iloc[rows[np.linspace(0, len(rows) - 1, min(ROWS, len(rows)), dtype=int)]]
        spec.transform(frame)
    except RequestError:
        return None
    return part, frame


def made_up_rows(spec: InputSpec, encoder: InputEncoder) -> pd.DataFrame:
    """Invented rows: normal numbers with the mean and spread of the training rows, and every category in turn.

    Each column has missing values, and each column of categories an unknown category.
    """
    stream = np.random.default_rng(0)
    rows = max([MADE_UP, *(len(c.categories) + 2 for c in spec.columns)])
    mean, inverse = encoder.mean[0].numpy(), encoder.inverse[0].numpy()
    frame, at = {}, 0
    for number, column in enumerate(spec.columns):
        if column.is_category:
            unknown = "unknown"
            while unknown in column.categories:
                unknown += "?"
            words = [*column.categories, None, unknown]
            frame[column.name] = pd.Series([words[(i + number) % len(words)] for i in range(rows)], dtype=object)
            continue
        spread = 1 / inverse[at] if inverse[at] else 0.0
        values = mean[at] + spread * stream.normal(size=rows)
        values[number % 7 :: 7] = np.nan
        frame[column.name] = _as_stored(pd.Series(values), column)
        at += column.count
    return pd.DataFrame(frame)


def _as_stored(numbers: pd.Series, column: InputColumn) -> pd.Series:
    """Numbers as a table holds them: days since 1970 become dates, hours become times of day."""
    if column.date:
        return pd.to_datetime(numbers * DAY, unit="us")
    return pd.to_timedelta(numbers % HOURS, unit="h") if column.time else numbers


def largest_difference(
    predictor: Predictor,
    names: Mapping[str, OutputNames],
    frame: pd.DataFrame,
    outputs: Mapping[str, np.ndarray],
) -> float:
    """The largest difference between the outputs and `predict`, over all tasks and rows.

    Probabilities: their difference. Estimates: their difference divided by the spread of the training labels, or by
    the size of the network's output if that is larger, because float32 has a limited number of digits. Classes: if
    the model chooses another class than `predict`, how much less probable that class is.
    """
    expected = predictor.predict(frame)
    values: np.ndarray
    differences = [0.0]
    for task, (name, of_probabilities) in names.items():
        classes = predictor.classes[task]
        if not classes:
            member = next(member for member in networks_of(predictor) if task in member.tasks)
            values = expected[task].to_numpy(dtype=np.float64)
            size = np.maximum(member.spread(task), np.abs(values - member.units[task][1]))
            differences.append(float((np.abs(outputs[name] - values) / size).max()))
            continue
        values = expected[[f"{task}[{c}]" for c in classes]].to_numpy(dtype=np.float64)
        differences.append(float(np.abs(outputs[of_probabilities] - values).max()))
        chosen = [classes.index(value) for value in outputs[name].tolist()]
        differences.append(float((values.max(1) - values[np.arange(len(values)), chosen]).max()))
    return float(np.max(differences))  # nan where one is
