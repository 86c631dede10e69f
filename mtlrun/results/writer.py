"""The writer of one run's folder: metrics.csv, summary.json, TensorBoard."""

import csv
import io
from pathlib import Path
from typing import Any

from mtlrun.results.files import write_json
from mtlrun.results.summary import FILE, METRICS_HEADER

Row = tuple[int, int, str, str, str, float]


class RunWriter:
    """Appends rows to `metrics.csv` and, if asked for, to TensorBoard; keeps `summary.json`.

    `offset` is the size of metrics.csv that a resumed run goes on from; what stands behind it was
    written after the checkpoint and is cut off.
    """

    def __init__(self, folder: Path, tensorboard: bool, offset: int = 0, step: int = 0) -> None:
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        self.path = folder / "metrics.csv"
        if offset:
            with open(self.path, "r+b") as file:
                file.truncate(offset)
        self.file = open(self.path, "ab" if offset else "wb", buffering=0)  # noqa: SIM115 - open as long as the run
        if not offset:
            self._append([METRICS_HEADER])
        self.board = None
        if tensorboard:
            from torch.utils.tensorboard import SummaryWriter

            self.board = SummaryWriter(str(folder), purge_step=step + 1 if step else None)

    @property
    def offset(self) -> int:
        """The size of metrics.csv in bytes."""
        return self.path.stat().st_size

    def rows(self, rows: list[Row]) -> None:
        """Append rows, whole, to metrics.csv and to TensorBoard (tag SPLIT/TASK/METRIC)."""
        self._append([(e, s, split, task, metric, repr(float(value))) for e, s, split, task, metric, value in rows])
        if self.board is not None:
            for _, step, split, task, metric, value in rows:
                self.board.add_scalar("/".join(filter(None, (split, task, metric))), value, step)

    def _append(self, rows: list[tuple[Any, ...]]) -> None:
        text = io.StringIO()
        csv.writer(text, lineterminator="\n").writerows(rows)
        data = text.getvalue().encode()
        while data:  # an unbuffered write may take only a part
            data = data[self.file.write(data) :]

    def hyperparameters(self, settings: dict[str, Any], figures: dict[str, float]) -> None:
        """The HPARAMS tab's entry, in the same event file: flat settings, and figures by their tags.

        TensorBoard shows the last value of a tag, so only tags that are written once can be figures there.
        """
        if self.board is None:
            return
        from torch.utils.tensorboard.summary import hparams

        flat = {k: v if isinstance(v, (bool, int, float, str)) else str(v) for k, v in settings.items()}
        writer = self.board._get_file_writer()
        for summary in hparams(flat, figures):
            writer.add_summary(summary)

    def summary(self, summary: dict[str, Any]) -> None:
        """Write summary.json."""
        write_json(self.folder / FILE, summary)

    def close(self) -> None:
        """Close all files."""
        self.file.close()
        if self.board is not None:
            self.board.close()
