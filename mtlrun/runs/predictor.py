"""Predictions of a trained run on new rows."""

import math
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
import pandas as pd
import torch

from mtlrun.config.check import check_stored
from mtlrun.config.extensions import require
from mtlrun.config.schema import Config
from mtlrun.data.columns import InputSpec
from mtlrun.data.dataset import Dataset, load_dataset, require_unchanged
from mtlrun.data.paths import SCHEMES, resolve_path
from mtlrun.data.reading import Reading
from mtlrun.data.table import read_table
from mtlrun.engine import checkpoint
from mtlrun.engine.boosting import Trees, figures, refit, tree_inputs
from mtlrun.engine.calibration import Calibration
from mtlrun.engine.evaluate import rows_at_once
from mtlrun.engine.stack import Stack
from mtlrun.network.network import Network, TaskSpec
from mtlrun.network.prune import pruned, without_discarded
from mtlrun.runs import new_rows
from mtlrun.runs.build import build_network, build_stack
from mtlrun.runs.identity import require_own_model, unfinished
from mtlrun.runs.new_rows import Trained, cells_of
from mtlrun.runs.predicted_tasks import leaving, task_outputs
from mtlrun.runs.prediction_columns import columns_of, interval_columns
from mtlrun.statistics import LEVEL, Residuals, mean_half_width
from mtlrun.storage.names import BEST
from mtlrun.storage.summary import read
from mtlrun.storage.sweep_folder import how_to_get_a_model
from mtlrun.tasks import TYPES, TaskType
from mtlrun.util.errors import RequestError, listing


class Predictor(ABC):
    """Predicts from raw columns with the model of a trained run, or of several.

    tasks: the tasks that it predicts, as `leaving` gives them; None: the main tasks
    reading: how the cells of the inputs are read; None: as the spec implies, for a run that has stored none
    calibration: temperatures, and the residuals that intervals are made of
    note: lines on where the model comes from, or ""
    coverage: by task the share of test rows that the run's intervals of 90 % held, where the run has recorded it
    """

    note = ""
    coverage: Mapping[str, float] = MappingProxyType({})

    def __init__(
        self,
        config: Config,
        spec: InputSpec,
        classes: dict[str, list[Any]],
        units: dict[str, list[float]],
        tasks: Sequence[str] | None = None,
        reading: Reading | None = None,
        calibration: Calibration | None = None,
    ) -> None:
        self.calibration = calibration or Calibration()
        self.config, self.spec, self.classes, self.units = config, spec, classes, units
        reading = spec.reading() if reading is None else reading
        self.reading = reading.only(c.name for c in spec.inputs)
        self.tasks = leaving(config, None) if tasks is None else list(tasks)

    @property
    def members(self) -> "Sequence[Predictor]":
        """The models whose predictions are averaged: only itself."""
        return [self]

    @property
    @abstractmethod
    def trained(self) -> list[Trained]:
        """What the training rows held in each column of `spec`."""

    @abstractmethod
    def task_type(self, task: str) -> type[TaskType]:
        """The type of a task, which says what its outputs mean."""

    def read(self, table: str) -> pd.DataFrame:
        """The rows of a file, read as the run has read its table. Raises RequestError as `read_table` does."""
        return read_table(resolve_path(table, "predict"), "predict", self.reading, self.config.data.separator)

    def _encoded(self, frame: pd.DataFrame) -> tuple[np.ndarray, np.ndarray]:
        """Numbers and codes of `frame`, whose cells are read as those of the run's table. See `InputSpec.transform`."""
        try:
            return self.spec.transform(self.reading.cells(frame))
        except RequestError as error:
            cell, _, mend = str(error).partition("\n")
            if "data.columns" not in mend:  # a setting of the training, which new rows follow
                raise
            raise RequestError(f"{cell}\ncorrect the cell: new rows are read as the training table was") from None

    def predict(self, frame: pd.DataFrame | str | Path, interval: float | None = None) -> pd.DataFrame:
        """Predictions for every row of `frame`, with its index. A path is read by `read`.

        A regression has one column, TASK, in the target's unit. A classification has the column TASK, the most
        probable class, and for each class a column TASK[CLASS], its probability. Missing values are imputed as in
        training. New categories count as unknown. Raises RequestError that names missing columns.

        interval: the level of an interval for each task with numbers, such as 0.9. The columns TASK[low] and TASK[high]
        are its ends: the prediction plus and minus a residual of val (`mtlrun.statistics.conformal`). Raises
        RequestError as `half_widths` does.
        """
        widths = {} if interval is None else self.half_widths(interval)
        if isinstance(frame, (str, Path)):
            frame = self.read(str(frame))
        columns: dict[str, Any] = {}
        for task, values in self.predicted(*self._encoded(frame)).items():
            columns |= columns_of(task, values, self.classes[task])
            if task in widths:
                columns |= interval_columns(task, values, widths[task], self.residuals(task)[0])
        return pd.DataFrame(columns, index=frame.index)

    def half_widths(self, level: float) -> dict[str, float]:
        """By task with numbers, half the width of its interval of this level.

        Raises RequestError if `level` is not between 0 and 1, if no task has numbers, if a run has stored no residuals,
        or if val has too few rows for the level.
        """
        if not 0 < level < 1:
            raise RequestError(f"--interval: found {level:g}\nallowed: a level between 0 and 1, such as 0.9")
        numbers = [task for task in self.tasks if not self.classes[task]]
        if not numbers:
            raise RequestError(
                f"--interval: none of these tasks has numbers: {listing(self.tasks)}\n"
                "leave it out, or name other tasks: --tasks"
            )
        found = {}
        for task in numbers:
            known = self.residuals(task)
            if not known:
                raise RequestError(
                    f"--interval: no residuals of {task} on val are stored, because val has no labels of it or an "
                    "older version trained the run\ntrain it again, with val rows that have labels (data.split.val)"
                )
            found[task] = mean_half_width(known, level)
            if not math.isfinite(found[task]):
                rows, there = math.ceil(round(level / (1 - level), 6)), min(own.rows for own in known)
                highest = math.floor(min(own.highest for own in known) * 1000) / 1000
                raise RequestError(
                    f"--interval: {level:g} of {task} takes {rows:,} rows of val with labels, and there are {there:,}\n"
                    f"allowed: up to {highest:g}, or a larger val split"
                )
        return found

    def residuals(self, task: str) -> list[Residuals]:
        """The residuals on val of each member that predicts a task with numbers; empty if one has none."""
        own = self.calibration.residuals.get(task)
        return [] if own is None else [own]

    def covered(self, task: str, level: float) -> list[float]:
        """The share of test rows that intervals held, of each member that has recorded it for this level."""
        return [self.coverage[task]] if level == LEVEL and task in self.coverage else []

    @abstractmethod
    def predicted(self, numeric: np.ndarray, codes: np.ndarray) -> dict[str, np.ndarray]:
        """By task numbers [N] in the unit of the target, or probabilities [N, K] of the classes.

        They are for rows of numbers [N, Dn] and codes of categories [N, Dc].
        """

    def unknown(self, frame: pd.DataFrame) -> dict[str, int]:
        """By column, the number of rows of `frame` whose category is not in the training rows or was pooled as rare.

        Columns without such rows are left out.
        """
        masks = new_rows.unknown(self.trained, cells_of(self.spec, *self._encoded(frame)))
        return {name: int(rows.sum()) for name, rows in masks.items()}

    def notes(self, frame: pd.DataFrame) -> list[str]:
        """Lines on the rows of `frame` that are unlike the training rows; see `new_rows.notes`."""
        return new_rows.notes(self.trained, cells_of(self.spec, *self._encoded(frame)), frame)


class RunPredictor(Predictor):
    """Predicts with the model of one run, which computes outputs."""

    @abstractmethod
    def _outputs(self, numeric: np.ndarray, codes: np.ndarray) -> dict[str, np.ndarray]:
        """Outputs [N, K] of every task of `tasks`, from numbers [N, Dn] and codes of categories [N, Dc]."""

    def predicted(self, numeric: np.ndarray, codes: np.ndarray) -> dict[str, np.ndarray]:
        outputs = self._outputs(numeric, codes)
        return {task: self._values(task, outputs[task]) for task in self.tasks}

    def _values(self, task: str, outputs: np.ndarray) -> np.ndarray:
        """The numbers or probabilities of one task from its outputs [N, K]."""
        classes = self.classes[task]
        scaled = outputs / self.calibration.temperatures.get(task, 1.0)
        values = self.task_type(task).predicted(scaled, len(classes))
        if classes:
            return values
        unit, offset = self.units[task]
        return values * unit + offset


class NetworkPredictor(RunPredictor):
    """Predicts with a trained network. specs: those that the network was built from, needed to prune it."""

    def __init__(
        self,
        config: Config,
        spec: InputSpec,
        network: Network,
        classes: dict[str, list[Any]],
        units: dict[str, list[float]],
        tasks: Sequence[str] | None = None,
        reading: Reading | None = None,
        specs: Sequence[TaskSpec] = (),
        calibration: Calibration | None = None,
    ) -> None:
        super().__init__(config, spec, classes, units, tasks, reading, calibration)
        self.network, self.specs = network, specs
        network.encoder.imputes = True  # in training only if the table has gaps

    def pruned(self) -> Network:
        """The network with only the heads of `tasks` and those that they depend on."""
        return pruned(self.network, self.config, self.specs, self.tasks)

    def spread(self, task: str) -> float:
        """The standard deviation of the training labels of a task with numbers, in the unit of the target."""
        inverse = float(self.network.label_inverse[0, self.network.tasks.index(task)])
        return self.units[task][0] / inverse

    def task_type(self, task: str) -> type[TaskType]:
        return type(self.network.place[task][0].kind)

    @torch.no_grad()
    def _outputs(self, numeric: np.ndarray, codes: np.ndarray) -> dict[str, np.ndarray]:
        positions = torch.from_numpy(self.network.encoder.positions(codes)) if codes.shape[1] else None
        values = torch.from_numpy(numeric)
        parts = {t: [np.zeros((0, self.network.place[t][0].outputs))] for t in self.tasks}
        step = rows_at_once(self.network.encoder, self.network.members)
        for start in range(0, len(numeric), step):
            rows = slice(start, start + step)
            x = self.network.encoder(values[None, rows], None if positions is None else positions[None, rows])
            for task, out in task_outputs(self.network, self.tasks, self.network(x)).items():
                parts[task].append(out.double().numpy())
        return {task: np.concatenate(part[1:] or part) for task, part in parts.items()}

    @property
    def trained(self) -> list[Trained]:
        return new_rows.of_encoder(self.spec, self.network.encoder)


def networks_of(predictor: Predictor) -> list[NetworkPredictor]:
    """The networks whose predictions a predictor averages."""
    return [member for member in predictor.members if isinstance(member, NetworkPredictor)]


class BoostingPredictor(RunPredictor):
    """Predicts with gradient-boosted trees, which are fitted again from the run's configuration and table.

    The checkpoint does not contain trees, because loading them would execute code.
    """

    note = "model=boosting: fitted anew from the run's configuration and table"

    def __init__(
        self,
        config: Config,
        dataset: Dataset,
        stack: Stack,
        trees: dict[str, Trees],
        tasks: Sequence[str] | None,
        calibration: Calibration | None = None,
    ) -> None:
        scale = zip(stack.scale.unit[0].tolist(), stack.scale.offset[0].tolist(), strict=True)
        units = {task: list(pair) for task, pair in zip(stack.network.tasks, scale, strict=True)}
        classes = {t: list(v.classes) for t, v in dataset.targets.items()}
        super().__init__(config, dataset.spec, classes, units, tasks, dataset.reading, calibration)
        self.trees = trees
        rows = dataset.split.train[dataset.trainable()]
        self._trained = new_rows.of_rows(self.spec, cells_of(self.spec, dataset.numeric[rows], dataset.codes[rows]))

    @property
    def trained(self) -> list[Trained]:
        return self._trained

    def task_type(self, task: str) -> type[TaskType]:
        return TYPES[self.trees[task].target.type]

    def _outputs(self, numeric: np.ndarray, codes: np.ndarray) -> dict[str, np.ndarray]:
        if not len(numeric):
            return {t: np.zeros((0, max(1, len(self.classes[t])))) for t in self.tasks}
        x = tree_inputs(self.spec, numeric, codes)
        return {task: self.trees[task].outputs(x) for task in self.tasks}


def _boosting(folder: Path, config: Config, tree: dict[str, Any], tasks: Sequence[str] | None) -> BoostingPredictor:
    """Fits the trees of a run again. Raises RequestError if the table or the losses on val differ from the run's."""
    tables = [str(config.data.path), *(config.data.split.files or {}).values()]
    gone = next((path for path in tables if not path.startswith(SCHEMES) and not Path(path).is_file()), None)
    if gone is not None:
        raise RequestError(
            f"{folder}: model=boosting fits its trees again to predict, and its training table is gone: {gone}\n"
            "put the table back, or train again with the table in its new place"
        )
    dataset = load_dataset(config)
    since, mend = "this run; to predict it is fitted anew", "restore the file, or train anew in another folder"
    require_unchanged(config.data, dataset.hash, tree["data_hash"], since, mend)
    stack = build_stack([config], [dataset])
    trees = refit(stack, tree["iterations"])
    val = dataset.split.val
    x = tree_inputs(dataset.spec, dataset.numeric[val], dataset.codes[val])
    refitted = figures(stack, {task: fitted.outputs(x) for task, fitted in trees.items()}, "val")
    for task, loss in tree["losses"].items():
        if not math.isclose(refitted[task, "loss"], loss, rel_tol=1e-5, abs_tol=1e-9):
            raise RequestError(
                f"{folder}: fitted anew, {task} has loss {refitted[task, 'loss']:g} on val, not {loss:g}\n"
                "use the versions of the libraries that its summary.json names"
            )
    return BoostingPredictor(config, dataset, stack, trees, tasks, Calibration.from_tree(tree))


def selected(folder: str | Path) -> tuple[Config, dict[str, Any]]:
    """The configuration of a run and the content of its selected checkpoint.

    Raises RequestError if it has none, or that of another run.
    """
    folder = Path(folder)
    path = folder / BEST
    if not path.exists():
        raise RequestError(f"{folder}: no trained model (checkpoints/best.pt)\n{how_to_get_a_model(folder)}")
    tree = checkpoint.load(path)
    with checkpoint.read_from(path):
        require_own_model(path, tree)
        require(tree.get("packages"))
        return check_stored(tree["config"]), tree


def load(folder: str | Path, tasks: Sequence[str] | None = None) -> Predictor:
    """Loads the model of a run's selected checkpoint, on the CPU. Fits model=boosting again.

    The model predicts the main tasks, or `tasks`. Raises RequestError if there is no such model or task, or if the
    trees do not come out as they were.
    """
    folder = Path(folder)
    config, tree = selected(folder)
    tasks = leaving(config, tasks)
    return from_tree(folder, config, tree, tasks)


def from_tree(folder: Path, config: Config, tree: dict[str, Any], tasks: Sequence[str]) -> Predictor:
    """`load`, given what `selected` returns. Raises RequestError if the checkpoint is not that of the run."""
    with checkpoint.read_from(folder / BEST):
        predictor = _from_tree(folder, config, tree, tasks)
    predictor.note = predictor.note or unfinished(folder, tree)
    figures = (read(folder) or {}).get("figures") or {}
    shares = {task: figures.get(f"test/{task}/coverage_{LEVEL * 100:g}") for task in tasks}
    predictor.coverage = {task: share for task, share in shares.items() if isinstance(share, float)}
    return predictor


def _from_tree(folder: Path, config: Config, tree: dict[str, Any], tasks: Sequence[str]) -> Predictor:
    """The model in the selected checkpoint `tree` of the run in `folder`."""
    if config.boosting:
        return _boosting(folder, config, tree, tasks)
    spec, specs = InputSpec.from_plain(tree["inputs"]), [TaskSpec.from_plain(s) for s in tree["specs"]]
    network = without_discarded(build_network([config], spec, specs), config, specs)
    network.load_state_dict(tree["network"])
    network.encoder.refresh()
    network.raw_labels = tree["raw_labels"]
    for task in tasks:
        outputs, classes, units = network.place[task][0].outputs, tree["classes"][task], tree["units"][task]
        if len(classes) > max(2, outputs) or not all(isinstance(c, (bool, int, float, str)) for c in classes):
            raise ValueError(f"{task} has {len(classes)} classes and {outputs} outputs")
        if not classes and [type(number) for number in units] != [float, float]:
            raise ValueError(f"{task} has no unit")
    reading = Reading.from_plain(tree["reading"]) if "reading" in tree else None
    calibration = Calibration.from_tree(tree)
    return NetworkPredictor(config, spec, network, tree["classes"], tree["units"], tasks, reading, specs, calibration)
