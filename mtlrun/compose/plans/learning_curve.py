"""`arms=learning_curve`: the error over the number of training rows, together and alone."""

from dataclasses import replace

from mtlrun.compose.plans.base import Arm, PlanRequest
from mtlrun.compose.plans.budget import equal_steps
from mtlrun.util.errors import RequestError, listing

SHARES = (0.05, 0.1, 0.2, 0.5, 1.0)  # shares of the training rows
FEWEST = 10  # labels; a number of rows is left out if a main task has fewer labels there


def learning_curve(request: PlanRequest) -> list[Arm]:
    """All tasks together and each main task alone, on 5, 10, 20, 50 and 100 % of the training rows.

    All take the same number of steps on batches of the same size.
    """
    request.several_tasks()
    rows = min(len(dataset.split.train) for dataset in request.datasets)
    counts = {max(1, round(share * rows)): 0 for share in SHARES}
    for count in counts:
        counts[count] = _labels(request, count)
    few = [count for count, labels in counts.items() if labels < FEWEST]
    if few:
        request.notes.append(
            f"{listing(map(str, few))} training rows: left out, as some main task has fewer than {FEWEST} labels there"
        )
    kept = {count: labels for count, labels in counts.items() if labels >= FEWEST}
    if not kept:
        raise RequestError(
            f"arms: {request.plan} needs {FEWEST} training labels or more of every main task\n"
            "leave out the task that has fewer with `only`"
        )
    steps = equal_steps(request, min(kept.values()), int(request.dataset.trainable(request.tasks).sum()))
    curve: Arm = {"data.train_rows": ",".join(map(str, kept))} | steps
    return [{"label": "together"} | curve, {"label": "alone"} | request.alone(request.main) | curve]


def _labels(request: PlanRequest, rows: int) -> int:
    """The smallest number of labels that a main task has on `rows` training rows, over tasks and seeds.

    0 if a main task cannot be trained on these rows.
    """
    fewer = replace(request, configs=[replace(c, data=replace(c.data, train_rows=rows)) for c in request.configs])
    try:
        return min(int(dataset.trainable([task]).sum()) for dataset in fewer.datasets for task in request.main)
    except RequestError:  # no label, or labels that are all the same
        return 0
