"""Equal budgets: settings with which nets take the same number of steps, although their labels are in other rows."""

from collections.abc import Sequence
from dataclasses import replace

from mtlrun.compose.plans.base import Arm, PlanRequest
from mtlrun.config.length import length_of

EVALUATIONS = 100  # with `equal_steps`; a small net on few rows is at its best for a few steps only


def equal_steps(request: PlanRequest, fewest: int, all_rows: int) -> Arm:
    """Settings with which all arms take the same number of steps on batches of the same size.

    fewest: the smallest number of training rows, over all arms and seeds
    all_rows: the number of training rows of the arm with all rows, with seed 0

    The batch size is that of all rows, at most `fewest`. The number of steps is the requested length on all rows with
    this batch size: trainer.epochs, or the rule behind `auto`, at most trainer.max_steps. No arm stops early. Each arm
    is evaluated about 100 times, so that each selects its checkpoint from equally many. The number of epochs an arm
    takes depends on its rows and may depend on the seed. So epochs is set to the number of steps, which is never too
    small.
    """
    trainer = request.config.trainer
    batch = min(length_of(trainer, all_rows).batch_size, fewest)
    steps = length_of(replace(trainer, batch_size=batch), all_rows).steps
    return {
        "trainer.batch_size": batch,
        "trainer.max_steps": steps,
        "trainer.patience": None,
        "trainer.epochs": steps,
        "trainer.evaluate_every": max(1, steps // EVALUATIONS),
    }


def equal_budget(request: PlanRequest, nets: Sequence[Sequence[str]]) -> Arm:
    """`equal_steps`, and a note, if the nets have labels in different numbers of training rows; otherwise {}.

    Without it, a net with fewer rows would take fewer steps per epoch. `nets`: the tasks of each net
    """
    rows = [[int(dataset.trainable(tasks).sum()) for tasks in nets] for dataset in request.datasets]
    if all(len(set(counts)) == 1 for counts in rows):
        return {}
    most = max(int(request.dataset.trainable(tasks).sum()) for tasks in nets)
    budget = equal_steps(request, min(map(min, rows)), most)
    request.notes.append(
        f"tasks have labels in different rows: every net takes {budget['trainer.max_steps']:,} steps "
        f"on batches of {budget['trainer.batch_size']}, and none stops early"
    )
    return budget


def alone_and_together(request: PlanRequest) -> Arm:
    """`equal_budget` for nets of each main task alone and of all tasks together."""
    return equal_budget(request, [*([task] for task in request.main), request.tasks])
