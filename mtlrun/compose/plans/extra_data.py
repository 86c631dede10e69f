"""`arms=extra_data`: does the focus gain by sharing, by the labels of the other tasks, or by more rows of inputs?"""

import math
from collections.abc import Mapping
from dataclasses import dataclass

from mtlrun.compose.plans.base import Arm, PlanRequest
from mtlrun.compose.plans.budget import equal_steps
from mtlrun.compose.plans.reading import Contrast, Reading, Word
from mtlrun.compose.plans.sizes import parameters, widths

ALONE = "1 alone"
INPUTS = "inputs"  # the name of the task that reconstructs the inputs

_TOGETHER = r"3 with (?P<others>.+)"
BOTH = Contrast("data and sharing", ALONE, _TOGETHER)
SOURCES = (
    Contrast("sharing alone", ALONE, r"2 with (?P<others>.+) on rows of .+"),
    Contrast("information in the labels of {others}", r"4 with .+ shuffled", _TOGETHER),
    Contrast("information in the inputs of {others}", ALONE, r"5 with inputs of (?P<others>.+)"),
)


def answer(found: Mapping[str, Word]) -> str:
    """The plan's answer: whether training with the other tasks helps, and where the gain comes from."""
    sources = [contrast.name for contrast in SOURCES if found.get(contrast.name) == "gain"]
    match found.get(BOTH.name):
        case "gain" if sources:
            return f"The gain comes from {' and from '.join(sources)}."
        case "gain":
            return "Training with {others} helps; what the gain comes from is undecided."
        case "loss":
            return "Training with {others} is worse than alone."
        case "none":
            return "Training with {others} makes no difference within the margin."
    return "Whether training with {others} helps is undecided."


READING = Reading((BOTH, *SOURCES), answer, reference=ALONE)


def extra_data(request: PlanRequest) -> list[Arm]:
    """Six arms. A is the focus, B are the other tasks.

    1 A alone
    2 A and B; labels of B count only on rows of A
    3 A and B, with all labels of B
    4 as 3, with the labels of B shuffled
    5 A, and a task that reconstructs the inputs of the rows of B
    6 A alone with all labels of A, if the request holds some back

    And two variants of 1: with as many parameters as the net of 3; and with as much compute as 3, which means more
    steps by the ratio of the parameters (about the ratio of the multiply-adds). The arms are paired by seed. All take
    the same number of steps, except for the last variant. Batches have about as many labels of A in each arm.

    Gains, as differences of errors: sharing = 1 − 2; data and sharing = 1 − 3; information in B's labels = 4 − 3; in
    B's inputs = 1 − 5. Arms that are impossible with the data are left out, with a line in `notes`.
    """
    labels, budget = _Labels.of(request), _Budget.of(request)
    names = " and ".join(request.others)
    together = budget.common | {"only": [request.focus, *request.others]}
    shuffled = {f"tasks.{task}.shuffle": True for task in request.others}
    return [
        {"label": ALONE} | budget.alone,
        *_on_rows_of_the_focus(request, labels, budget),
        {"label": f"3 with {names}"} | together,
        {"label": f"4 with {names} shuffled"} | together | shuffled,
        {"label": f"5 with inputs of {names}"} | budget.common | _reconstruction(request),
        *_all_labels(request, labels, budget),
        *_matched(request, budget),
    ]


@dataclass(frozen=True)
class _Labels:
    """The training rows in which A, the focus, and B, the other tasks, have labels.

    overlap: the number of rows with labels of both, the minimum over seeds
    beyond: the number of rows with labels of B only, the maximum over seeds
    shared: the tasks of B that have labels in rows of A with every seed
    """

    overlap: int
    beyond: int
    shared: list[str]

    @classmethod
    def of(cls, request: PlanRequest) -> "_Labels":
        focus, others, datasets = request.focus, request.others, request.datasets
        both = [(dataset.trainable([focus]), dataset.trainable(others)) for dataset in datasets]
        return cls(
            overlap=min(int((a & b).sum()) for a, b in both),
            beyond=max(int((b & ~a).sum()) for a, b in both),
            shared=[t for t in others if all((d.trainable([focus]) & d.trainable([t])).any() for d in datasets)],
        )


@dataclass(frozen=True)
class _Budget:
    """Settings that give all arms the same budget.

    steps: the batch size and the number of steps
    common: the settings of all arms
    few: a smaller batch for arms on rows of A only, so that a step has as many labels of A as with the other tasks
    alone: the settings of arms with A alone
    """

    steps: Arm
    common: Arm
    few: Arm
    alone: Arm

    @classmethod
    def of(cls, request: PlanRequest) -> "_Budget":
        focus, others, dataset = request.focus, request.others, request.dataset
        rows = int(dataset.trainable([focus, *others]).sum())
        fewest = min(int(d.trainable(tasks).sum()) for tasks in ([focus], others) for d in request.datasets)
        steps = equal_steps(request, fewest, rows)
        common = request.as_auxiliary() | steps
        share = dataset.trainable([focus]).sum() / rows
        few: Arm = {"trainer.batch_size": max(1, round(steps["trainer.batch_size"] * share))}
        return cls(steps, common, few, common | few | request.alone([focus]))


def _on_rows_of_the_focus(request: PlanRequest, labels: _Labels, budget: _Budget) -> list[Arm]:
    """Arm 2, if it is possible and differs from arm 3."""
    focus, names = request.focus, " and ".join(request.others)
    if labels.overlap == 0 or not labels.shared:
        request.notes.append(f"2 {names} on rows of {focus}: left out, as no training row has labels of both")
        return []
    if labels.beyond == 0:
        request.notes.append(
            f"2 {names} on rows of {focus}: left out, as it is the same as 3: "
            f"every training row with a label of {names} has one of {focus}"
        )
        return []
    cut = {f"tasks.{task}.train_rows_of": focus for task in labels.shared}
    arm: Arm = {"label": f"2 with {names} on rows of {focus}"}
    return [arm | budget.common | budget.few | {"only": [focus, *labels.shared]} | cut]


def _reconstruction(request: PlanRequest) -> Arm:
    """The focus, and a task that reconstructs inputs on the rows of the other task with the most labels."""
    counts = {task: int(request.dataset.trainable([task]).sum()) for task in request.others}
    task = max(counts, key=lambda name: counts[name])
    if counts[task] < request.dataset.trainable(request.others).sum():
        request.notes.append(f"5: reconstructs the inputs of the rows of {task}, of which the others have the most")
    settings = {"type": "reconstruction", "role": "auxiliary", "train_rows_of": task}
    return {"only": [request.focus, INPUTS], f"tasks.{INPUTS}": settings}


def _all_labels(request: PlanRequest, labels: _Labels, budget: _Budget) -> list[Arm]:
    """Arm 6, if the request holds labels of the focus back."""
    focus = request.focus
    held_back = {
        f"tasks.{focus}.{key}": None
        for key in ("train_labels", "train_rows_of")
        if getattr(request.config.tasks[focus], key) is not None
    }
    if not held_back:
        request.notes.append(
            f"6 more labels of {focus}: left out, as no setting holds labels back (tasks.{focus}.train_labels)"
        )
        return []
    if labels.overlap == 0:
        names = " and ".join(request.others)
        request.notes.append(f"6 more labels of {focus}: left out, as the rows of {names} have none")
        return []
    return [{"label": f"6 alone, all labels of {focus}"} | budget.common | request.alone([focus]) | held_back]


def _matched(request: PlanRequest, budget: _Budget) -> list[Arm]:
    """Arm 1 with as many parameters as the shared net, if there is a hidden layer, and with as much compute."""
    focus, arms = request.focus, []
    target = parameters(request, [focus, *request.others])
    wider, total = widths(request, [[focus]], target)
    if wider:
        request.notes.append(f"1 alone, width-matched: {total:,} parameters; the shared net has {target:,}")
        arms.append({"label": "1 alone, width-matched"} | budget.alone | wider)
    ratio = target / parameters(request, [focus])
    longer = {key: math.ceil(ratio * budget.steps[key]) for key in ("trainer.max_steps", "trainer.epochs")}
    request.notes.append(
        f"1 alone, compute-matched: {longer['trainer.max_steps']:,} steps; "
        f"the others take {budget.steps['trainer.max_steps']:,}"
    )
    return [*arms, {"label": "1 alone, compute-matched"} | budget.alone | longer]
