"""Estimates how long a stack of runs takes, from a few of its steps."""

import math
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from mtlrun.config.schema import Config
from mtlrun.config.stages import PRETRAIN, first_stage
from mtlrun.data.dataset import Dataset, load_dataset
from mtlrun.engine.boosting import Boosting
from mtlrun.engine.loop import Training
from mtlrun.runs.build import build_stack
from mtlrun.runs.initial_summary import initial_summaries
from mtlrun.storage.names import LAST
from mtlrun.storage.progress import Progress

REHEARSED_STEPS, REHEARSED_SECONDS = 12, 0.03


def rehearse(configs: Sequence[Config], datasets: Sequence[Dataset], folders: Sequence[Path]) -> float:
    """Estimates the wall time of a stack in seconds, first stages included.

    Takes a few steps, one evaluation and the end of each run. Writes into `folders`; training cannot use these files.
    """
    if configs[0].boosting:
        return _rehearse_boosting(configs[0], datasets[0], folders[0])
    firsts = [first for config in configs if (first := first_stage(config)) is not None]
    before = 0.0
    if firsts:
        before = rehearse(firsts, list(map(load_dataset, firsts)), [folder / PRETRAIN for folder in folders])
    began = time.monotonic()
    stack = build_stack(configs, datasets)
    training = Training(stack, folders, initial_summaries(stack), folders[0] / LAST)
    built = time.monotonic() - began
    return before + built + _training_seconds(training)


def _training_seconds(training: Training) -> float:
    """Estimates the time of all steps, evaluations and ends of the runs in seconds, from a few of them.

    Their results are ignored. `training` and its stack cannot be used afterwards. The first step is left out, as it is
    slower than the others.
    """
    state, stack = training.state, training.stack
    train, step = stack.train, stack.step
    times = [time.monotonic()]
    batches = train.epoch(1)
    batch = next(batches)  # orders the rows of the epoch and gathers the first chunk of batches
    times.append(time.monotonic())
    for taken in range(REHEARSED_STEPS):
        losses, weights = step(batch, taken)
        state.history.add(losses, weights, batch.targets.present, step.guard.nonfinite)
        times.append(time.monotonic())
        if taken and times[-1] - times[1] > REHEARSED_SECONDS:
            break
    state.step = taken + 1
    state.position = min(state.step, train.steps)
    began = time.monotonic()
    training.evaluate()
    evaluated = time.monotonic()
    training.finish(training.running)
    ended = time.monotonic()
    epochs, chunks = math.ceil(state.total / train.steps), math.ceil(train.steps / train.chunk)
    evaluations = math.ceil(state.total / stack.length.evaluate_every)
    return (
        epochs * chunks * (times[1] - times[0])
        + evaluations * (evaluated - began)
        + state.total * float(np.median(np.diff(times[2:])))
        + ended
        - evaluated
    )


def _rehearse_boosting(config: Config, dataset: Dataset, folder: Path) -> float:
    """Estimates the wall time of a run of model=boosting, from one with 2 iterations and one with 8.

    A run with 1 iteration comes first, as a warm-up.
    """
    assert config.boosting is not None, "rehearse() has looked"
    seconds = {}
    for iterations in (1, 2, 8):
        began = time.monotonic()
        stack = build_stack([replace(config, model=replace(config.boosting, iterations=iterations))], [dataset])
        training = Boosting(stack, folder / str(iterations), initial_summaries(stack)[0])
        training.train(Progress(iterations, stack.network.tasks))
        seconds[iterations] = time.monotonic() - began
    each = max(0.0, seconds[8] - seconds[2]) / 6
    return seconds[2] + each * (config.boosting.iterations - 2)
