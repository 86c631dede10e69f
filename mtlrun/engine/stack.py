"""Everything that trains, side by side."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch

from mtlrun.config.extensions import used_by
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
    """Everything that trains: R runs of the same shapes, of which an ordinary run is R = 1."""

    configs: Sequence[Config]
    datasets: Sequence[Dataset]
    device: torch.device
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
    """What best.pt of run `r` holds, all that predictions need, as tensors and plain values: configuration, columns,
    classes, units, and the network as it stands, without the heads of tasks to `discard`."""
    config, dataset = stack.configs[r], stack.datasets[r]
    network = without_discarded(stack.network, config, stack.specs)
    units = zip(stack.network.tasks, stack.scale.unit[r].tolist(), stack.scale.offset[r].tolist(), strict=True)
    return {
        "config": as_mapping(config),
        "packages": used_by(config),
        "inputs": dataset.spec.to_plain(),
        "specs": [vars(s) for s in stack.specs],
        "classes": {t: list(target.classes) for t, target in dataset.targets.items()},
        "units": {task: [unit, offset] for task, unit, offset in units},
        "raw_labels": stack.network.raw_labels,
        "network": {k: v[r : r + 1].cpu().clone() for k, v in network.state_dict().items()},
    }
