"""The run that a fitted estimator holds, and its predictions in the form of the user's data."""

import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from mtlrun.api.models import load
from mtlrun.api.training_table import TrainingTable, as_pandas, input_frame, is_frame, like
from mtlrun.runs.predictor import Predictor
from mtlrun.storage.names import METRICS, SUMMARY
from mtlrun.tasks import TYPES
from mtlrun.tasks import names as type_names
from mtlrun.util.errors import RequestError

KEPT = (".hydra", "checkpoints", METRICS, SUMMARY)


class FittedRun:
    """A trained run without a folder: its files in memory, and its model.

    predictor: the model. columns: task -> its column, of the tasks that it predicts. inputs: the columns of X
    single: the target was one column, so that predictions are `[N]`. named: X was a frame
    """

    def __init__(self, table: TrainingTable, folder: Path) -> None:
        self.predictor: Predictor = load(folder)
        self.files = {
            str(path.relative_to(folder)): path.read_bytes()
            for name in KEPT
            for path in ([folder / name] if (folder / name).is_file() else sorted((folder / name).glob("*")))
        }
        self.columns = {task: table.columns[task] for task in self.predictor.tasks}
        self.inputs, self.single, self.named = table.inputs, table.single, table.named

    @property
    def types(self) -> dict[str, str]:
        """Column -> the name of the type of its task."""
        names = {TYPES[name]: name for name in type_names()}
        return {column: names[self.predictor.task_type(task)] for task, column in self.columns.items()}

    @property
    def classes(self) -> dict[str, np.ndarray]:
        """Column -> classes `[K]`, without targets that have numbers."""
        known = {column: self.predictor.classes[task] for task, column in self.columns.items()}
        return {column: np.array(own) for column, own in known.items() if own}

    def predicted(self, X: Any, interval: float | None = None) -> pd.DataFrame:
        """The predictions of `Predictor.predict` for X. Raises ValueError if X does not fit, or has no intervals."""
        frame = self._checked(X)
        try:
            return self.predictor.predict(frame, interval).infer_objects()
        except RequestError as error:
            raise ValueError(str(error)) from error

    def _checked(self, X: Any) -> pd.DataFrame:
        """X as a frame with the columns that the model reads. A frame may have more, in any order."""
        if is_frame(X):
            if not self.named:
                raise ValueError("X has feature names, but MultiTaskEstimator was fitted without feature names")
            frame = as_pandas(X)
            absent = [column.name for column in self.predictor.spec.inputs if column.name not in frame.columns]
            if absent:
                raise ValueError(f"columns are missing: {', '.join(absent)}")
            return frame
        array = input_frame(X)
        if array.shape[1] != len(self.inputs):
            raise ValueError(
                f"X has {array.shape[1]} features, but MultiTaskEstimator is expecting {len(self.inputs)} features "
                "as input"
            )
        return array.set_axis(self.inputs, axis=1) if self.named else array

    def in_form(self, frame: pd.DataFrame, X: Any, one: bool = True) -> Any:
        """Predictions in the form of the user's data; `one`: a single target has a single column."""
        if self.single:
            return frame.iloc[:, 0].to_numpy() if one else frame.to_numpy()
        return like(frame, X) if is_frame(X) else frame.to_numpy()

    def write(self, folder: Path) -> None:
        """Writes the files of the run into a folder."""
        for name, content in self.files.items():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_bytes(content)

    def __getstate__(self) -> dict[str, Any]:
        """For pickle and copy: the files in place of the network. Trees are in no file."""
        boosting = self.predictor.config.boosting
        return {name: value for name, value in vars(self).items() if boosting or name != "predictor"}

    def __setstate__(self, state: dict[str, Any]) -> None:
        vars(self).update(state)
        if "predictor" not in state:
            with tempfile.TemporaryDirectory(prefix="mtlrun-") as name:
                self.write(Path(name))
                self.predictor = load(name)
