"""Per-row figures of the selected checkpoint of a run. Imports torch."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from torch import Tensor

from mtlrun.compare.analysis.reproduction import reproduced
from mtlrun.compare.collect.run_record import RunRecord
from mtlrun.config.check import check_stored
from mtlrun.config.extensions import require
from mtlrun.config.schema import Config
from mtlrun.data.dataset import Dataset, load_dataset, load_table, require_unchanged
from mtlrun.data.split import row_groups
from mtlrun.engine import checkpoint
from mtlrun.engine.calibration import Calibration
from mtlrun.engine.evaluate import Evaluation
from mtlrun.network.network import Network
from mtlrun.runs.build import evaluation
from mtlrun.statistics import Scored, interval_figures, lacking
from mtlrun.storage.names import BEST
from mtlrun.tasks import type_of
from mtlrun.util.errors import RequestError


@dataclass(frozen=True)
class RunScores:
    """Row numbers `[N]` of a split, the group of each row (or None), and task -> per-row figures of a run."""

    rows: np.ndarray
    groups: np.ndarray | None
    tasks: dict[str, Scored]


@dataclass(frozen=True)
class Evaluated:
    """A run with the outputs `[1, N, T, K]` of each block of its selected network on the rows of a split."""

    config: Config
    dataset: Dataset
    evaluation: Evaluation
    outputs: list[Tensor]
    calibration: Calibration

    @property
    def network(self) -> Network:
        """The network."""
        return self.evaluation.network

    def of_task(self, task: str) -> Tensor:
        """The outputs `[N, K]` of a task, float64."""
        block, i = self.network.place[task]
        return self.outputs[self.network.blocks.index(block)][0, :, i, : block.specs[i].outputs].double()

    @property
    def tasks(self) -> list[str]:
        """The tasks, without reconstructions."""
        return [task for block in self.network.blocks if not block.kind.reads_inputs for task in block.tasks]


def evaluate(folder: Path, split: str, data_hash: str | None, option: str = "--rows") -> Evaluated:
    """Evaluates the selected checkpoint of the run in `folder` on the rows of `split`.

    Raises RequestError, which names the `option`, if the checkpoint cannot be read, or if the run's table is missing or
    has changed since the training.
    """
    path = folder / BEST
    tree = checkpoint.load(path)
    with checkpoint.read_from(path):
        require(tree.get("packages"))
        config = check_stored(tree["config"])
        dataset = load_dataset(config)
        mend = f"restore the file, or compare without {option}"
        require_unchanged(config.data, dataset.hash, data_hash, f"{folder.name} was trained", mend)
        found = evaluation(config, dataset, split)
        found.network.load_state_dict(tree["network"])
        found.network.encoder.refresh()
        calibration = Calibration.from_tree(tree)
        found.temperatures = calibration.along(found.network.tasks)
        return Evaluated(config, dataset, found, found.outputs(), calibration)


def score(folder: Path, split: str, data_hash: str | None) -> RunScores:
    """The per-row figures of the run in `folder` on the rows of `split`, without reconstructions.

    Raises RequestError as `evaluate` does, and for metrics that cannot be computed for other rows.
    """
    run = evaluate(folder, split, data_hash)
    found = run.evaluation
    assert found.labels is not None, "outputs() has run"
    tasks = {}
    for task in run.tasks:
        at, kind = run.network.tasks.index(task), run.network.place[task][0].kind
        columns = kind.row_scores(run.of_task(task), found.labels[0, :, at].double(), float(found.unit[0, at]))
        scored = Scored(found.weights[0, :, at].numpy(), {n: v.numpy() for n, v in columns.items()})
        if (own := run.calibration.residuals.get(task)) is not None:
            numbers = found.rows_of(run.outputs, 0, task).numbers()
            scored = replace(scored, columns={**scored.columns, **interval_figures(*numbers, own)})
        if lacking(scored, type_of(run.dataset.targets[task].type).metrics):
            raise RequestError(
                f"--rows: the metrics of {task}, of a package's type, cannot be made of other rows\n"
                "compare without --rows"
            )
        tasks[task] = scored
    groups = row_groups(load_table(run.config)[0].frame, run.config.data.split.by)
    rows = found.index[0].numpy()
    return RunScores(rows, None if groups is None else groups[rows], tasks)


def ensemble_figures(runs: Sequence[RunRecord], split: str) -> dict[tuple[str, str], float]:
    """(task, metric) -> figure of the mean prediction of several runs on the rows of `split`, one run after the other.

    Tasks without labels, and of a package's type whose predictions have no inverse, are left out. Raises RequestError
    as `evaluate` does, if a run does not reproduce its recorded figures, and if the runs were evaluated on different
    rows.
    """
    sums: dict[str, np.ndarray] = {}
    first: Evaluated | None = None
    for record in runs:
        run = evaluate(record.folder, split, record.data_hash, "--ensemble")
        first = first or run
        if not np.array_equal(first.evaluation.index.numpy(), run.evaluation.index.numpy()):
            raise RequestError(f"--ensemble: {record.name} was evaluated on other rows than {runs[0].name}")
        _require_recorded(record, run, split)
        for task in run.tasks:
            if type_of(run.dataset.targets[task].type).unlabelled:  # nothing is predicted
                continue
            values = run.network.place[task][0].kind.predicted(run.of_task(task).numpy(), _classes(run, task))
            unit, offset = _unit(run, task)
            sums[task] = sums.get(task, 0.0) + values * unit + offset
    assert first is not None, "there is a run"
    outputs = {}
    for task, total in sums.items():
        unit, offset = _unit(first, task)
        mean = (total / len(runs) - offset) / unit
        of_mean = first.network.place[task][0].kind.from_predicted(mean, _classes(first, task))
        if of_mean is not None:
            outputs[task] = of_mean
    figures = first.evaluation.of_tasks(outputs)
    return {key: value for key, value in figures.items() if math.isfinite(value)}


def _classes(run: Evaluated, task: str) -> int:
    return len(run.dataset.targets[task].classes)


def _unit(run: Evaluated, task: str) -> tuple[float, float]:
    """The factor and the summand that turn an estimate of the network into the unit of the target."""
    scale, at = run.evaluation.scale, run.network.tasks.index(task)
    return float(scale.unit[0, at]), float(scale.offset[0, at])


def _require_recorded(record: RunRecord, run: Evaluated, split: str) -> None:
    """Raises RequestError if the outputs of a run do not give its recorded figures."""
    for (task, metric), value in run.evaluation(run.outputs)[0].items():
        recorded = record.figures.get(f"{split}/{task}/{metric}")
        if recorded is not None and not reproduced(metric, value, recorded):
            raise RequestError(
                f"--ensemble: {record.name}: its checkpoint gives {metric} of {task} {value:.4g}, not {recorded:.4g}"
            )
