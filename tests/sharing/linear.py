"""Linear nets on a small table, trained to the minimum, and the numbers that they were trained on."""

from typing import Any

import numpy as np
import torch
from support import make_config, make_stack, train_steps

from mtlrun.config.schema import Config
from mtlrun.config.schema.sharing import SHARINGS
from mtlrun.engine.stack import Stack
from mtlrun.model.layers import generator
from mtlrun.sharing import SHARING, Plan
from mtlrun.sharing.tied import Tied

TASKS = {"a": {"type": "regression"}, "b": {"type": "regression"}, "c": {"type": "regression"}}
FULL = {"batch_size": 72, "epochs": 5000}


def linear_config(name: str, rate: float = 0.1, momentum: float = 0.0, **settings: Any) -> Config:
    return make_config(
        TASKS,
        sharing={"name": name, **settings},
        model={"hidden": [], "head_hidden": []},
        optimizer={"name": "sgd", "momentum": momentum},
        lr={"base": rate},
        trainer=FULL,
    )


def trained(configs: list[Config], steps: int = 600) -> Stack:
    """A stack after so many steps on all 72 training rows; every run has the same table, of 6 inputs."""
    stack = make_stack(configs, inputs=6)
    train_steps(stack, steps)
    return stack


def problem(stack: Stack, run: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Inputs `[N, D]` and labels `[N, T]` of a batch, which holds all training rows."""
    batch = next(iter(stack.train.epoch(1)))
    return batch.x[run].double().numpy(), batch.targets.labels[run].double().numpy()


def weights(stack: Stack, run: int = 0) -> np.ndarray:
    """Weights `[D, T]` of a linear net."""
    (block,) = stack.network.blocks
    return block.weights[0].detach()[run, :, :, 0].double().numpy()


def scheme(name: str, runs: list[dict[str, Any]], hidden: tuple[int, ...] = (5, 4), inputs: int = 6) -> Tied:
    """A scheme of four tasks with random weights, and settings for each run."""
    config = make_config(model={"hidden": list(hidden)})
    plan = Plan([SHARINGS[name](**own) for own in runs], config.net, list("abcd"), list(range(len(runs))), inputs)
    found = SHARING[name](plan)
    assert isinstance(found, Tied)
    for i, parameter in enumerate(found.parameters()):
        parameter.data = torch.randn(parameter.shape, generator=generator(i, "test"))
    return found
