"""The length of a training: rows per batch, steps, distance of evaluations, patience. The rule behind the word `auto`.

n is the number of training rows with a label, B the rows per batch, s = n // B the steps per epoch, N all steps.

    trainer.batch_size=auto      64 below 1,000 rows, 128 below 10,000, 256 below 100,000, 512 below 1,000,000, else
                                 1,024; never more than n
    trainer.epochs=auto          N = max(2,000, min(80 s, 8,000), s): about 80 epochs, at least 2,000 steps, and at most
                                 8,000 unless an epoch is longer
    trainer.evaluate_every=auto  N / 40 steps, at least 1; with a number of epochs every epoch, or every k-th, so that
                                 there are at most 100 evaluations
    trainer.patience=auto        N / 3 steps, at least 500

A number means itself: epochs, rows, steps between evaluations, evaluations without a better one. trainer.max_steps
bounds N. The rule reads nothing but the run's own settings and rows, so a run has the same length alone and in a stack.
"""

import math
from dataclasses import dataclass

from mtlrun.config.schema import Config, TrainerConfig

BATCHES = ((1_000, 64), (10_000, 128), (100_000, 256), (1_000_000, 512))  # rows per batch, below these numbers of rows
LARGEST_BATCH = 1_024
EPOCHS, FEWEST_STEPS, MOST_STEPS = 80, 2_000, 8_000
EVALUATIONS = 40
EVALUATIONS_OF_EPOCHS = 100  # the most, if the number of epochs is given
PATIENCE_SHARE, FEWEST_PATIENCE_STEPS = 1 / 3, 500
BOOSTING_PATIENCE = 10  # iterations, as in scikit-learn
FEW_STEPS = 500  # a net with fewer steps is hardly ever trained to its end


@dataclass(frozen=True)
class Length:
    """The length of a run, as summary.json records it.

    rows: the training rows that an epoch counts; steps: the most that the run takes; evaluate_every: steps between two
    evaluations on val; patience_steps: the run ends after so many steps without a better evaluation, None: never
    """

    rows: int
    batch_size: int
    steps: int
    evaluate_every: int
    patience_steps: int | None

    @property
    def steps_per_epoch(self) -> int:
        """The number of whole batches in an epoch."""
        return self.rows // self.batch_size

    @property
    def epochs(self) -> int:
        """The number of epochs, the last of which may be incomplete."""
        return math.ceil(self.steps / self.steps_per_epoch)

    @property
    def may_stop_early(self) -> bool:
        """Whether the patience may end the run before its last step."""
        first = min(self.evaluate_every, self.steps)
        return self.patience_steps is not None and first + self.patience_steps < self.steps

    def in_words(self) -> str:
        """`trains 2,000 steps of 64 rows, about 500 epochs; evaluates every 50 steps; stops after 667 steps …`."""
        epochs = "1 epoch" if self.epochs == 1 else f"about {self.epochs:,} epochs"
        every = f"every {_steps(self.evaluate_every)}" if self.evaluate_every < self.steps else "at the end"
        stop = f"stops after {_steps(self.patience_steps or 0)} without a better figure"
        steps = f"{self.steps:,} step{'s' * (self.steps > 1)} of {self.batch_size:,} rows"
        return f"trains {steps}, {epochs}; evaluates {every}; {stop if self.may_stop_early else 'does not stop early'}"


def _steps(count: int) -> str:
    return "step" if count == 1 else f"{count:,} steps"


def trains_by_rule(trainer: TrainerConfig) -> bool:
    """Whether the steps per epoch follow from the rule."""
    return "auto" in (trainer.epochs, trainer.batch_size)


def length_of(trainer: TrainerConfig, rows: int) -> Length:
    """The length of the training of a network on so many `rows`."""
    batch = min(_batch_size(rows) if trainer.batch_size == "auto" else trainer.batch_size, rows)
    per_epoch = rows // batch
    steps = steps_by_rule(per_epoch) if trainer.epochs == "auto" else trainer.epochs * per_epoch
    steps = min(steps, trainer.max_steps or steps)
    every = _evaluate_every(trainer, steps, per_epoch)
    return Length(rows, batch, steps, every, _patience_steps(trainer, steps, every))


def length_of_boosting(config: Config, rows: int) -> Length:
    """The length of gradient boosting: a step is an iteration on all rows, and each is evaluated."""
    assert config.boosting is not None, "the caller has looked"
    patience = BOOSTING_PATIENCE if config.trainer.patience == "auto" else config.trainer.patience
    return Length(rows, rows, config.boosting.iterations, 1, patience)


def steps_by_rule(per_epoch: int) -> int:
    """The number of steps with trainer.epochs=auto."""
    return max(FEWEST_STEPS, min(EPOCHS * per_epoch, MOST_STEPS), per_epoch)


def length_notes(config: Config, length: Length) -> list[str]:
    """Notes on settings of the length that make few steps or have no effect, and on a strategy that never begins."""
    notes, trainer, loss = [], config.trainer, config.loss
    if config.boosting:
        return []
    if length.steps < FEW_STEPS and not trainer.debug and trainer.length_of is None:
        given = [f"trainer.{key}={value}" for key in ("epochs", "max_steps") if _says(value := getattr(trainer, key))]
        notes.append(
            f"few steps: {' '.join(given)} makes {length.steps:,}; trainer.epochs=auto makes "
            f"{steps_by_rule(length.steps_per_epoch):,}"
        )
    if trainer.max_steps is not None and trainer.max_steps > length.steps and trainer.epochs == "auto":
        notes.append(
            f"trainer.max_steps={trainer.max_steps} has no effect: trainer.epochs=auto makes {length.steps:,} steps; "
            "for more, trainer.epochs"
        )
    if loss.warm_epochs >= length.epochs:
        notes.append(
            f"loss={loss.name}: warms up for {loss.warm_epochs} epochs, and the run has {length.epochs}, so that it "
            "never begins"
        )
    return notes


def _says(value: int | str | None) -> bool:
    return value not in (None, "auto")


def _batch_size(rows: int) -> int:
    return next((size for below, size in BATCHES if rows < below), LARGEST_BATCH)


def _evaluate_every(trainer: TrainerConfig, steps: int, per_epoch: int) -> int:
    if trainer.evaluate_every is None:
        return per_epoch
    if trainer.evaluate_every != "auto":
        return trainer.evaluate_every
    if trainer.epochs == "auto":
        return max(1, round(steps / EVALUATIONS))
    return per_epoch * math.ceil(steps / per_epoch / EVALUATIONS_OF_EPOCHS)


def _patience_steps(trainer: TrainerConfig, steps: int, every: int) -> int | None:
    if trainer.patience is None:
        return None
    if trainer.patience != "auto":
        return trainer.patience * every
    return max(FEWEST_PATIENCE_STEPS, math.ceil(PATIENCE_SHARE * steps))
