"""The settings of the group `trainer`."""

from dataclasses import dataclass
from typing import Literal

from mtlrun.config.fields import bounded, per_run

OVER_TASKS = ("skill", "worst", "last")  # scores over all main tasks; any other `select` is the name of a task


@dataclass(frozen=True, kw_only=True)
class TrainerConfig:
    """Length, batches, device, selection. What `auto` makes is in config/length.py.

    epochs: the number of epochs, at most `max_steps` steps.
    evaluate_every: steps between evaluations on val; null: at the end of every epoch.
    patience: a run stops after this number of evaluations without a better one; null: it never stops early.
    length_of: a run or sweep whose selected number of steps is the length of this one, on all rows. Composing sets
        max_steps, epochs, batch_size and patience accordingly.
    goal: the figure goal_step is the number of steps before the losses of the tasks first summed to `goal` or less.
    on_nan: for a loss or gradient that is not finite, the run stops with an error that says what and when, or skips and
        counts such steps.
    calibrate: a temperature for each task with classes is fitted on val at the end (Guo et al. 2017).
    label_smoothing: the share of a class label that is spread over all classes in training (Szegedy et al. 2016).
    gradient_noise: noise of `gradient_noise` times the norm of the trunk's gradient is added to it in every step.
    """

    epochs: int | Literal["auto"] = bounded("auto", at_least=1)
    max_steps: int | None = bounded(None, at_least=1)
    evaluate_every: int | Literal["auto"] | None = bounded("auto", at_least=1)
    batch_size: int | Literal["auto"] = bounded("auto", at_least=1)
    select: str = "skill"
    patience: int | Literal["auto"] | None = bounded("auto", at_least=1)
    length_of: str | None = None
    goal: float | None = None
    calibrate: bool = per_run(False)
    label_smoothing: float = bounded(0.0, at_least=0.0, below=1.0)
    clip: float | None = per_run(None, above=0.0)
    on_nan: Literal["stop", "skip"] = "stop"
    gradient_noise: float = per_run(0.0, at_least=0.0)
    device: str = "auto"
    threads: int | None = bounded(None, at_least=1, at_most=1024)
    deterministic: bool = False
    tensorboard: bool = True
    log_gradients: bool = False
    log_activations: bool = False
    importance: bool = False
    debug: bool = False
