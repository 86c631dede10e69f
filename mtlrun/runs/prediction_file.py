"""Writes the predictions for the rows of a table as CSV."""

from collections.abc import Sequence
from pathlib import Path
from statistics import fmean

import pandas as pd

from mtlrun.data.paths import resolve_path
from mtlrun.data.table import unchanged_columns
from mtlrun.runs.predictor import Predictor
from mtlrun.storage.files import write_text
from mtlrun.util.errors import RequestError, listing, nearest
from mtlrun.util.terminal import say


def write_predictions(
    predictor: Predictor, table: str, out: Path, keep: Sequence[str] = (), interval: float | None = None
) -> None:
    """Writes a prediction for every row of a table as CSV. Prints what is to be known of it.

    That is half the width of intervals, the share of test rows that they held, and unusual rows.

    keep: columns of the table that come first in the file, their cells as the table has them
    interval: the level of intervals for numbers
    Raises RequestError for a column to keep that the table lacks, or that a prediction has the name of, and as
    `Predictor.half_widths` does.
    """
    widths = {} if interval is None else predictor.half_widths(interval)
    frame = predictor.read(table)
    parts = [] if not keep else [_kept(predictor, table, list(map(str, frame.columns)), keep)]
    predictions = predictor.predict(frame, interval)
    if clash := [name for name in keep if name in predictions]:
        raise RequestError(
            f"--keep: {listing(clash)} is the name of a prediction too\nrename the column in the table, or leave it out"
        )
    if predictor.note:
        say(predictor.note)
    write_text(out, pd.concat([*parts, predictions], axis=1).to_csv(index=False))
    for task, width in widths.items():
        say(f"{task}: interval of {interval:g} is ± {width:.4g}{_held(predictor.covered(task, interval or 0))}")
    for line in predictor.notes(frame):
        say(line)
    say(f"{len(frame)} rows: {out}")


def _held(shares: Sequence[float]) -> str:
    """The end of a line on an interval: the share of test rows that it held, or that those of the runs held."""
    if not shares:
        return ""
    if len(shares) == 1:
        return f"; on test it held {shares[0]:.1%} of the rows"
    return f"; on test those of the runs held {fmean(shares):.1%} of the rows ({min(shares):.1%} to {max(shares):.1%})"


def _kept(predictor: Predictor, table: str, columns: Sequence[str], keep: Sequence[str]) -> pd.DataFrame:
    """The columns to keep, as the table has them."""
    for name in keep:
        if name not in columns:
            raise RequestError(
                f"--keep: {table} has no column {name!r}{nearest(name, columns)}\ncolumns: {listing(columns)}"
            )
        if list(keep).count(name) > 1:
            raise RequestError(f"--keep: {name} is given twice\nallowed: every column once")
    return unchanged_columns(resolve_path(table, "predict"), keep, "--keep", predictor.config.data.separator)
