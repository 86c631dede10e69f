"""How long a training will take, from a few of its steps."""

import math
import time

import numpy as np

from mtlrun.engine.loop import Training

REHEARSED_STEPS, REHEARSED_SECONDS = 12, 0.03


def training_seconds(training: Training) -> float:
    """About how many seconds all steps, evaluations and ends of the runs take, from a few of them; what they come to is
    not looked at. `training` and its stack are of no use afterwards.

    The first step is slower than those that follow and is left out.
    """
    state, stack = training.state, training.stack
    train, step = stack.train, stack.step
    times = [time.monotonic()]
    batches = train.epoch(1)
    batch = next(batches)  # the order of the epoch's rows, and as many batches as are gathered at once
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
    evaluations = math.ceil(state.total / (training.trainer.evaluate_every or train.steps))
    return (
        epochs * chunks * (times[1] - times[0])
        + evaluations * (evaluated - began)
        + state.total * float(np.median(np.diff(times[2:])))
        + ended
        - evaluated
    )
