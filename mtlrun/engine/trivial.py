"""The predictor that ignores the inputs: its outputs, and its losses without a network."""

from collections.abc import Callable, Sequence

import numpy as np
import torch
from torch import Tensor

from mtlrun.config.schema import Config
from mtlrun.data.dataset import Dataset
from mtlrun.engine.batches import LabelScale, Rows, label_scale
from mtlrun.engine.evaluate import moments, rows_at_once
from mtlrun.network.inputs import InputEncoder
from mtlrun.tasks import TYPES, type_of


def _input_means(datasets: Sequence[Dataset], task: str, rows: Rows) -> Tensor:
    """Returns weighted means `[R, D]` of all encoded columns over each run's training rows with a label of `task`."""
    parts = [d.split.train[d.targets[task].observed[d.split.train]] for d in datasets]
    longest = max(len(p) for p in parts)
    index = np.stack([np.resize(p, longest) for p in parts])
    weights = np.stack([np.arange(longest) < len(p) for p in parts]).astype(np.float64)
    if rows.row_weight is not None:
        weights *= rows.row_weight[index]
    mean, _ = moments(rows, torch.from_numpy(index).to(rows.device), torch.from_numpy(weights).to(rows.device))
    return mean.float()


def trivial_outputs(
    datasets: Sequence[Dataset], rows: Rows, scale: LabelScale, read: Callable[[str, Tensor], Tensor]
) -> dict[str, Tensor]:
    """Returns the outputs `[R, K]` by task of a predictor that ignores the inputs.

    They are `TaskType.constant` of the run's training rows, with row weights; for a reconstruction, the mean of each
    input. `read` selects a reconstruction's labels `[R, D]` from all encoded columns `[R, D']`.
    """
    constants = {}
    for t, task in enumerate(rows.tasks):
        declared = type_of(datasets[0].targets[task].type)
        if declared.unlabelled:  # nothing is predicted
            constants[task] = torch.full((len(datasets), 1), torch.nan)
            continue
        if declared.reads_inputs:
            constants[task] = read(task, _input_means(datasets, task, rows))
            continue
        found = []
        for r, dataset in enumerate(datasets):
            target = dataset.targets[task]
            train = dataset.split.train[target.observed[dataset.split.train]]
            weights = np.ones(len(train)) if dataset.weight is None else dataset.weight[train].astype(np.float64)
            values = target.values[train].astype(np.float64)
            labels = values * float(scale.multiply[r, t]) + float(scale.add[r, t])
            found.append(TYPES[target.type].constant(labels, weights, len(target.classes)))
        constants[task] = torch.from_numpy(np.stack(found)).float()
    return {task: value.to(scale.multiply.device) for task, value in constants.items()}


def trivial_losses(config: Config, dataset: Dataset, index: np.ndarray) -> dict[str, float]:
    """Returns by task the loss of a predictor that ignores the inputs, over rows `index` `[N]` of the table.

    See `trivial_outputs`. An undefined loss, such as that of a task without labels, has no entry.
    """
    tasks, device = list(dataset.targets), torch.device("cpu")
    encoder = InputEncoder(dataset.spec, 1, config.net)
    encoder.fit(dataset.numeric, encoder.positions(dataset.codes), [dataset.split.train])
    scale = label_scale([dataset], tasks, config.data.standardize_targets)
    rows = Rows([dataset], tasks, encoder, scale, device)

    def read(task: str, x: Tensor) -> Tensor:
        places = encoder.reconstructed(dataset.reconstructed.get(task))
        return x if places is None else x.index_select(-1, places)

    outputs = trivial_outputs([dataset], rows, scale, read)
    counts = dataset.classes()
    kinds = [
        TYPES[target.type](target.loss, [config.tasks[task].huber_delta], [counts[task]])
        for task, target in dataset.targets.items()
    ]
    sums = torch.zeros(2, len(tasks), dtype=torch.float64)  # of weights × losses, and of weights
    for part in torch.from_numpy(index).split(rows_at_once(encoder, 1)):
        x, labels, weights, _ = rows.batch(part[None, None])  # [1, 1, B, ...]
        weights = torch.ones_like(labels) if weights is None else weights
        for t, (task, kind) in enumerate(zip(tasks, kinds, strict=True)):
            constant = outputs[task].expand(len(part), -1)[None, :, None]  # [1, B, 1, K]
            known = read(task, x[0]) if kind.reads_inputs else labels[0, ..., t : t + 1]
            weight = weights[0, 0, :, t].double()
            losses = torch.where(weight > 0, kind.row_losses(constant, known)[0, :, 0].double(), 0.0)
            sums[:, t] += torch.stack([(weight * losses).sum(), weight.sum()])
    means = (sums[0] / sums[1]).tolist()
    return {task: mean for task, mean in zip(tasks, means, strict=True) if mean == mean}
