"""A stack: R runs that train together."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch

from mtlrun.config.extensions import used_by
from mtlrun.config.length import Length
from mtlrun.config.schema import Config, as_mapping
from mtlrun.data.dataset import Dataset
from mtlrun.engine.batches import LabelScale, TrainBatches
from mtlrun.engine.evaluate import Evaluation, Figures
from mtlrun.engine.select import Selection
from mtlrun.engine.step import Step
from mtlrun.network.network import Network, TaskSpec
from mtlrun.network.prune import without_discarded


@dataclass
class Stack:
    """R runs of the same shapes and length that train together. A single run is a stack with R = 1."""

    configs: Sequence[Config]
    datasets: Sequence[Dataset]
    device: torch.device
    length: Length
    scale: LabelScale
    specs: Sequence[TaskSpec]
    network: Network
    step: Step
    train: TrainBatches
    val: Evaluation
    test: Evaluation
    trivial: Mapping[str, list[Figures]]
    selections: Sequence[Selection]


def model_tree(stack: Stack, r: int) -> dict[str, Any]:
    """Returns the content of best.pt of run `r`: what predictions need, as tensors and plain values.

    That is the configuration, columns, classes, units, and the current network without the heads of tasks with
    `discard`.
    """
    config, dataset = stack.configs[r], stack.datasets[r]
    network = without_discarded(stack.network, config, stack.specs)
    units = zip(stack.network.tasks, stack.scale.unit[r].tolist(), stack.scale.offset[r].tolist(), strict=True)
    return {
        "config": as_mapping(config),
        "data_hash": dataset.hash,
        "packages": used_by(config),
        "inputs": dataset.spec.to_plain(),
        "reading": dataset.reading.to_plain(),
        "specs": [vars(s) for s in stack.specs],
        "classes": {t: list(target.classes) for t, target in dataset.targets.items()},
        "units": {task: [unit, offset] for task, unit, offset in units},
        "raw_labels": stack.network.raw_labels,
        "network": {k: v[r : r + 1].cpu().clone() for k, v in network.state_dict().items()},
    }
