"""What the selected checkpoint of a run makes of single rows. Imports torch."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from torch import Tensor
from torch.nn.functional import softplus

from mtlrun.config.check import check
from mtlrun.config.extensions import require
from mtlrun.data.dataset import load_dataset, load_table
from mtlrun.data.split import row_groups
from mtlrun.engine import checkpoint
from mtlrun.runs.build import evaluation
from mtlrun.statistics import Scored
from mtlrun.util.errors import RequestError
from mtlrun.util.registry import REFERENCES


@dataclass(frozen=True)
class RunScores:
    """Row numbers `[N]` of a split, the group of each where it has groups, and by task what a run makes of them."""

    rows: np.ndarray
    groups: np.ndarray | None
    tasks: dict[str, Scored]


def score(folder: Path, split: str, data_hash: str | None) -> RunScores:
    """The run in `folder` on the rows of `split`; tasks of type reconstruction, whose labels are inputs, are left out.

    Raises RequestError where it has no checkpoint that can be read, and where its table is not there or not the one
    that it was trained on.
    """
    path = folder / "checkpoints" / "best.pt"
    tree = checkpoint.load(path)
    with checkpoint.read_from(path):
        require(tree.get("packages"))
        return _score(folder, tree, split, data_hash)


def _score(folder: Path, tree: dict[str, Any], split: str, data_hash: str | None) -> RunScores:
    """The same of what its checkpoint holds."""
    config = check(tree["config"])
    foreign = next((t for t, task in config.active.items() if task.type in REFERENCES["task type"]), None)
    if foreign is not None:
        raise RequestError(
            f"--rows: the metrics of {foreign}, of a package's type, cannot be made of other rows\n"
            "compare without --rows"
        )
    dataset = load_dataset(config)
    if data_hash is not None and dataset.hash != data_hash:
        raise RequestError(
            f"data.path: {config.data.path} has changed since {folder.name} was trained\n"
            "restore the file, or compare without --rows"
        )
    found = evaluation(config, dataset, split)
    found.network.load_state_dict(tree["network"])
    found.network.encoder.refresh()
    outputs = found.outputs()
    assert found.labels is not None, "outputs() has run"
    tasks = {}
    for block, own in zip(found.network.blocks, outputs, strict=True):
        for i, (task, spec) in enumerate(zip(block.tasks, block.specs, strict=True)):
            if not block.kind.reads_inputs:
                at = found.network.tasks.index(task)
                out, labels = own[0, :, i, : spec.outputs].double(), found.labels[0, :, at].double()
                weights, unit = found.weights[0, :, at].numpy(), float(found.unit[0, at])
                tasks[task] = _scored(dataset.targets[task].type, out, labels, weights, unit)
    groups = row_groups(load_table(config.data)[0].frame, config.data.split.by)
    rows = found.index[0].numpy()
    return RunScores(rows, None if groups is None else groups[rows], tasks)


def _scored(type: str, outputs: Tensor, labels: Tensor, weight: np.ndarray, unit: float) -> Scored:
    """One task's rows from outputs `[N, K]`, labels and weights `[N]`, by the definitions of its type's metrics."""
    if type == "regression":
        error = (outputs[:, 0] - labels) * unit
        return Scored(weight, (labels * unit).numpy(), error.numpy())
    if type == "binary":
        logit = outputs[:, 0]
        hit, loss = (logit > 0) == (labels > 0.5), softplus(logit) - logit * labels
        return Scored(weight, labels.numpy(), score=logit.numpy(), hit=hit.double().numpy(), logloss=loss.numpy())
    logs = outputs.log_softmax(-1)
    hit = (outputs.argmax(-1) == labels.long()).double()
    loss = -logs.gather(-1, labels.long().unsqueeze(-1)).squeeze(-1)
    return Scored(weight, hit=hit.numpy(), logloss=loss.numpy())
