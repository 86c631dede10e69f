"""Equal budgets: settings with which nets that find labels in different rows take equally many steps."""

from collections.abc import Sequence

from mtlrun.compose.plans.base import Arm, PlanRequest

EVALUATIONS = 100  # of an arm with `equal_steps`: a small net on few rows is at its best for a few steps only


def equal_steps(request: PlanRequest, fewest: int, all_rows: int) -> Arm:
    """Settings with which arms take equally many steps on batches of one size, whatever rows they train on.

    `fewest`: training rows of the arm that has the fewest, with any seed; `all_rows`: of the one that has all, with
    seed 0. Batches are as large as asked for, or `fewest`; the steps are those of the epochs asked for on all rows,
    or trainer.max_steps; no arm stops early. All are evaluated about 100 times, so that each chooses its
    checkpoint, by val, from as many. Epochs are as many as steps, more than any arm needs: how many may depend on
    the seeds.
    """
    trainer = request.config.trainer
    batch = min(trainer.batch_size, fewest)
    steps = trainer.epochs * (all_rows // batch)
    steps = min(steps, trainer.max_steps or steps)
    return {
        "trainer.batch_size": batch,
        "trainer.max_steps": steps,
        "trainer.patience": None,
        "trainer.epochs": steps,
        "trainer.evaluate_every": max(1, steps // EVALUATIONS),
    }


def equal_budget(request: PlanRequest, nets: Sequence[Sequence[str]]) -> Arm:
    """`equal_steps` where some of the nets, each of these tasks, find labels in fewer training rows than others and
    would take fewer steps an epoch; {} where all find as many. A note says so."""
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
    """`equal_budget` of each main task alone and of all tasks together."""
    return equal_budget(request, [*([task] for task in request.main), request.tasks])
