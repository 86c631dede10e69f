"""Losses of predictors that ignore the inputs, computed from the data without a network."""

import numpy as np
import torch
from torch import Tensor

from mtlrun.config.schema import Config
from mtlrun.data.dataset import Dataset
from mtlrun.engine.batches import Rows, label_scale
from mtlrun.engine.evaluate import ROWS_AT_ONCE, trivial_outputs
from mtlrun.network.inputs import InputEncoder
from mtlrun.tasks import TYPES


def trivial_losses(config: Config, dataset: Dataset, index: np.ndarray) -> dict[str, float]:
    """Returns by task the loss of a predictor that ignores the inputs, over rows `index` `[N]` of the table.

    See `trivial_outputs`. An undefined loss, such as that of a task without labels, has no entry.
    """
    tasks, device = list(dataset.targets), torch.device("cpu")
    encoder = InputEncoder(dataset.spec, 1)
    encoder.fit(dataset.numeric, encoder.positions(dataset.codes), [dataset.split.train])
    scale = label_scale([dataset], tasks, config.data.standardize_targets)
    rows = Rows([dataset], tasks, encoder, scale, device)

    def read(task: str, x: Tensor) -> Tensor:
        columns = dataset.reconstructed.get(task)
        places = encoder.visible if columns is None else encoder.places(columns)
        return x if places is None else x.index_select(-1, places)

    outputs = trivial_outputs([dataset], rows, scale, read)
    counts = dataset.classes()
    kinds = [
        TYPES[target.type](target.loss, [config.tasks[task].huber_delta], [counts[task]])
        for task, target in dataset.targets.items()
    ]
    sums = torch.zeros(2, len(tasks), dtype=torch.float64)  # of weights × losses, and of weights
    for part in torch.from_numpy(index).split(ROWS_AT_ONCE):
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
