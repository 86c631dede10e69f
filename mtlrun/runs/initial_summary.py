"""The content of a run's summary.json before the first step."""

import math
from typing import Any

from mtlrun.config.extensions import used_by
from mtlrun.config.schema import as_mapping, config_hash
from mtlrun.engine.hardware import set_up
from mtlrun.engine.stack import Stack
from mtlrun.storage import environment
from mtlrun.storage.summary import EMPTY


def initial_summaries(stack: Stack) -> list[dict[str, Any]]:
    """The summary of each run of a stack before the first step. Sets up threads and allocator too."""
    set_up(stack.configs[0], stack.network.encoder.width, stack.length.batch_size)
    common = {
        "status": "running",
        "versions": environment.versions(),
        "hardware": environment.hardware(stack.device),
        "git": environment.git(),
        "length": vars(stack.length),
        "parameters": None if stack.configs[0].boosting else stack.network.parameter_count(),
    }
    summaries = []
    for r, (config, dataset) in enumerate(zip(stack.configs, stack.datasets, strict=True)):
        trivial = {
            f"{split}/{task}/{metric}": value
            for split, figures in stack.trivial.items()
            for (task, metric), value in figures[r].items()
            if math.isfinite(value)
        }
        of_run = {
            "seed": config.seed,
            "settings": as_mapping(config),
            "config_hash": config_hash(config),
            "data_hash": dataset.hash,
            "trivial": trivial,
            "rows": {"table": len(dataset.codes)} | {p: len(rows) for p, rows in dataset.split.parts().items()},
            "reading": dataset.reading.to_plain(),
            "packages": used_by(config),
        }
        summaries.append(EMPTY | common | of_run)
    return summaries
