"""Writes the files of one run: metrics.csv, summary.json, TensorBoard's event files, run.log."""

import csv
import io
import logging
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any

from mtlrun.storage import events
from mtlrun.storage.files import append, disk, write_json, write_text
from mtlrun.storage.names import IMPORTANCE, LOG, METRICS, PLAN, SUMMARY
from mtlrun.storage.summary import IMPORTANCE_HEADER, METRICS_HEADER
from mtlrun.util.errors import RequestError

Row = tuple[int, int, str, str, str, float]
FIRST = "primary"  # a group of tags: TensorBoard opens with the first two groups in alphabetical order

LOG_FORMAT = logging.Formatter("%(asctime)s %(levelname)s %(message)s")  # the same as in conf/config.yaml


class RunWriter:
    """Appends rows to metrics.csv and, if asked for, to TensorBoard; writes summary.json and run.log.

    primary: task -> its primary metric; TensorBoard gets its curve on val and its figure on test a second time, as
        primary/TASK/METRIC/SPLIT, so that they are on the first screen
    offset, step: for a resumed run the size of metrics.csv and the step when the checkpoint was written. Later rows are
    cut from metrics.csv, and TensorBoard is told to ignore later steps.
    Every method closes its files before it returns, because one process writes any number of runs.

    Raises RequestError if metrics.csv is shorter than `offset`.
    """

    def __init__(
        self,
        folder: Path,
        tensorboard: bool,
        offset: int = 0,
        step: int = 0,
        primary: Mapping[str, str] = MappingProxyType({}),
    ) -> None:
        self.folder, self.primary = folder, primary
        self.path = folder / METRICS
        if offset:
            size = self.offset if self.path.exists() else 0
            if size < offset:
                mend = "remove the checkpoint (last.pt, of a stack in .stacks) and begin anew: mtlrun resume"
                raise RequestError(
                    f"{self.path}: found {size} bytes, the checkpoint goes on from {offset}\n"
                    f"restore the file, or {mend}"
                )
            os.truncate(self.path, offset)
        else:
            write_text(self.path, _csv([METRICS_HEADER]).decode())
        self.events: Path | None = None
        if tensorboard:
            self.events = events.new_path(folder)
            with disk(self.events):
                self.events.write_bytes(events.beginning(step + 1 if step else 0))

    @property
    def offset(self) -> int:
        """The size of metrics.csv in bytes."""
        return self.path.stat().st_size

    def sync(self) -> None:
        """Flushes metrics.csv to the disk (fsync)."""
        with disk(self.path), self.path.open("rb") as file:
            os.fsync(file.fileno())

    def rows(self, rows: Sequence[Row]) -> None:
        """Appends rows to metrics.csv and to TensorBoard, where the tag is SPLIT/TASK/METRIC. No row is cut off."""
        append(self.path, _csv([(*row[:-1], repr(float(row[-1]))) for row in rows]))
        if self.events is not None:
            steps: dict[int, list[tuple[str, float]]] = {}
            for _, step, split, task, metric, value in rows:
                tags = [f"{split}/{task}/{metric}" if task else f"{split}/{metric}"]
                if split != "train" and self.primary.get(task) == metric:
                    tags.append(f"{FIRST}/{task}/{metric}/{split}")
                steps.setdefault(step, []).extend((tag, value) for tag in tags)
            append(self.events, b"".join(events.scalars(step, values) for step, values in steps.items()))

    def hyperparameters(self, settings: dict[str, Any], figures: dict[str, float]) -> None:
        """Writes the entry of the HPARAMS tab to the same event file: flat settings, and figures by their tags.

        TensorBoard shows the last value of a tag. So only tags that are written once can be figures here.
        """
        alone = not (self.folder.parent / PLAN).is_file()  # a sweep lists the columns in its own folder
        if self.events is not None:
            flat = {k: v if isinstance(v, (bool, int, float, str)) else str(v) for k, v in settings.items()}
            append(self.events, events.hyperparameters(flat, list(figures), alone))

    def log(self, lines: Sequence[str]) -> None:
        """Appends lines to run.log."""
        log_lines(self.folder, lines)

    def summary(self, summary: dict[str, Any]) -> None:
        """Writes summary.json."""
        write_json(self.folder / SUMMARY, summary)


def write_importance(folder: Path, rows: Sequence[tuple[str, str, str, float]]) -> None:
    """Writes FOLDER/importance.csv. Columns: task, metric, input, and how much worse the metric gets without it."""
    table = [IMPORTANCE_HEADER, *((*row[:-1], repr(row[-1])) for row in rows)]
    write_text(folder / IMPORTANCE, _csv(table).decode())


def log_lines(folder: Path, lines: Sequence[str], name: str = LOG) -> None:
    """Appends lines to FOLDER/run.log, or to the log of this name, in the format of a logging handler at level INFO.

    The run needs no handler.
    """
    level = {"levelno": logging.INFO, "levelname": "INFO"}
    records = [logging.makeLogRecord({"msg": line, **level}) for line in lines]
    path = folder / name
    with disk(path):
        path.touch()
    append(path, "".join(LOG_FORMAT.format(record) + "\n" for record in records).encode(errors="backslashreplace"))


def _csv(rows: Sequence[Sequence[Any]]) -> bytes:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(rows)
    return text.getvalue().encode()
