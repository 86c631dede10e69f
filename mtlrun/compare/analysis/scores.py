"""Per-row figures of the selected checkpoint of a run. Imports torch."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from mtlrun.config.check import check_stored
from mtlrun.config.extensions import require
from mtlrun.data.dataset import load_dataset, load_table, require_unchanged
from mtlrun.data.split import row_groups
from mtlrun.engine import checkpoint
from mtlrun.engine.calibration import Calibration
from mtlrun.results.names import BEST
from mtlrun.runs.build import evaluation
from mtlrun.statistics import Scored, interval_figures, lacking
from mtlrun.tasks import type_of
from mtlrun.util.errors import RequestError


@dataclass(frozen=True)
class RunScores:
    """Row numbers `[N]` of a split, the group of each row (or None), and task -> per-row figures of a run."""

    rows: np.ndarray
    groups: np.ndarray | None
    tasks: dict[str, Scored]


def score(folder: Path, split: str, data_hash: str | None) -> RunScores:
    """The per-row figures of the run in `folder` on the rows of `split`, without reconstructions.

    Raises RequestError if its checkpoint cannot be read, or if its table is missing or has changed since the training.
    """
    path = folder / BEST
    tree = checkpoint.load(path)
    with checkpoint.read_from(path):
        require(tree.get("packages"))
        return _score(folder, tree, split, data_hash)


def _score(folder: Path, tree: dict[str, Any], split: str, data_hash: str | None) -> RunScores:
    """`score` for a loaded checkpoint, `tree`."""
    config = check_stored(tree["config"])
    dataset = load_dataset(config)
    mend = "restore the file, or compare without --rows"
    require_unchanged(config.data, dataset.hash, data_hash, f"{folder.name} was trained", mend)
    found = evaluation(config, dataset, split)
    found.network.load_state_dict(tree["network"])
    found.network.encoder.refresh()
    calibration = Calibration.from_tree(tree)
    found.temperatures = calibration.along(found.network.tasks)
    outputs = found.outputs()
    assert found.labels is not None, "outputs() has run"
    tasks = {}
    for block, own in zip(found.network.blocks, outputs, strict=True):
        for i, (task, spec) in enumerate(zip(block.tasks, block.specs, strict=True)):
            if not block.kind.reads_inputs:
                at = found.network.tasks.index(task)
                out, labels = own[0, :, i, : spec.outputs].double(), found.labels[0, :, at].double()
                columns = block.kind.row_scores(out, labels, float(found.unit[0, at]))
                scored = Scored(found.weights[0, :, at].numpy(), {n: v.numpy() for n, v in columns.items()})
                if task in calibration.residuals:
                    numbers = found.rows_of(outputs, 0, task).numbers()
                    of_interval = interval_figures(*numbers, calibration.residuals[task])
                    scored = replace(scored, columns={**scored.columns, **of_interval})
                if lacking(scored, type_of(dataset.targets[task].type).metrics):
                    raise RequestError(
                        f"--rows: the metrics of {task}, of a package's type, cannot be made of other rows\n"
                        "compare without --rows"
                    )
                tasks[task] = scored
    groups = row_groups(load_table(config)[0].frame, config.data.split.by)
    rows = found.index[0].numpy()
    return RunScores(rows, None if groups is None else groups[rows], tasks)
