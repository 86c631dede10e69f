"""`arms=extra_data`: does the focus gain by sharing, by what the others' labels say, or by more rows of inputs?"""

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING

from mtlrun.compose.plans.base import Arm, Base, labelled
from mtlrun.compose.plans.reading import Contrast, Reading, Word

if TYPE_CHECKING:
    import numpy as np

    from mtlrun.data.dataset import Dataset

ALONE = "1 alone"
INPUTS = "inputs"  # the task that reconstructs them

_TOGETHER = r"3 with (?P<others>.+)"
BOTH = Contrast("data and sharing", ALONE, _TOGETHER)
SOURCES = (
    Contrast("sharing alone", ALONE, r"2 with (?P<others>.+) on rows of .+"),
    Contrast("information in the labels of {others}", r"4 with .+ shuffled", _TOGETHER),
    Contrast("information in the inputs of {others}", ALONE, r"5 with inputs of (?P<others>.+)"),
)


def answer(found: Mapping[str, Word]) -> str:
    """What the gain of all that the others bring comes from, if there is one."""
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


def extra_data(base: Base) -> list[Arm]:
    """Six arms, all paired by seed, with equally many steps, and batches in which A has equally many labels:

    1 the focus A alone; 2 with the others B, whose labels count on A's rows only; 3 with B on its own rows;
    4 as 3, B's labels shuffled; 5 A and the inputs of B's rows, to be reconstructed; 6 A alone with all its labels,
    where the request holds some back. And 1 in a net with as many parameters as that of 3, and with as much
    compute as 3 takes: more steps by the ratio of the parameters, which is about that of the multiply-adds.

    sharing = 1 − 2, data and sharing = 1 − 3, information in B's labels = 4 − 3, in B's inputs = 1 − 5.
    What the data cannot give is left out, with a line in `notes`.
    """
    focus, others = base.focus, base.others
    whole = [focus, *others]
    own = [labelled(dataset, [focus]) for dataset in base.datasets]
    theirs = [labelled(dataset, others) for dataset in base.datasets]
    overlap = min(int((a & b).sum()) for a, b in zip(own, theirs, strict=True))
    beyond = max(int((b & ~a).sum()) for a, b in zip(own, theirs, strict=True))
    shared_rows = [task for task in others if all(_overlaps(d, focus, task) for d in base.datasets)]
    held_back = {
        f"tasks.{focus}.{key}": None
        for key in ("train_labels", "train_rows_of")
        if getattr(base.config.tasks[focus], key) is not None
    }

    rows = int(labelled(base.dataset, whole).sum())
    steps = base.equal_steps(min(int(mask.sum()) for mask in [*own, *theirs]), rows)
    common = base.as_auxiliary() | steps
    # A's share of a batch of all rows: its labels are as many in each step, and seen as often, with the others as alone
    share = labelled(base.dataset, [focus]).sum() / rows
    few = {"trainer.batch_size": max(1, round(steps["trainer.batch_size"] * share))}
    lone = common | few | base.alone([focus])
    together = common | {"only": whole}
    names = " and ".join(others)
    arms: list[Arm] = [{"label": ALONE} | lone]
    if overlap == 0 or not shared_rows:
        base.notes.append(f"2 {names} on rows of {focus}: left out, as no training row has labels of both")
    elif beyond == 0:
        base.notes.append(
            f"2 {names} on rows of {focus}: left out, as it is the same as 3: "
            f"every training row with a label of {names} has one of {focus}"
        )
    else:
        cut = {f"tasks.{task}.train_rows_of": focus for task in shared_rows}
        arms.append(
            {"label": f"2 with {names} on rows of {focus}"} | common | few | {"only": [focus, *shared_rows]} | cut
        )
    arms.append({"label": f"3 with {names}"} | together)
    arms.append({"label": f"4 with {names} shuffled"} | together | {f"tasks.{t}.shuffle": True for t in others})
    arms.append({"label": f"5 with inputs of {names}"} | common | _reconstruction(base, labelled(base.dataset, others)))
    if not held_back:
        base.notes.append(
            f"6 more labels of {focus}: left out, as no setting holds labels back (tasks.{focus}.train_labels)"
        )
    elif overlap == 0:
        base.notes.append(f"6 more labels of {focus}: left out, as the rows of {names} have none")
    else:
        arms.append({"label": f"6 alone, all labels of {focus}"} | common | base.alone([focus]) | held_back)

    target = base.parameters(whole)
    widths, total = base.widths([[focus]], target)
    if widths:
        base.notes.append(f"1 alone, width-matched: {total:,} parameters; the shared net has {target:,}")
        arms.append({"label": "1 alone, width-matched"} | lone | widths)
    ratio = target / base.parameters([focus])
    longer = {key: math.ceil(ratio * steps[key]) for key in ("trainer.max_steps", "trainer.epochs")}
    base.notes.append(
        f"1 alone, compute-matched: {longer['trainer.max_steps']:,} steps; "
        f"the others take {steps['trainer.max_steps']:,}"
    )
    arms.append({"label": "1 alone, compute-matched"} | lone | longer)
    return arms


def _overlaps(dataset: "Dataset", focus: str, task: str) -> bool:
    return bool((labelled(dataset, [focus]) & labelled(dataset, [task])).any())


def _reconstruction(base: Base, theirs: "np.ndarray") -> Arm:
    """The focus and a task that reconstructs the inputs of the rows on which the others, `theirs` [n], have labels."""
    counts = {task: int(labelled(base.dataset, [task]).sum()) for task in base.others}
    task = max(counts, key=lambda name: counts[name])
    if counts[task] < theirs.sum():
        base.notes.append(f"5: reconstructs the inputs of the rows of {task}, of which the others have the most")
    settings = {"type": "reconstruction", "role": "auxiliary", "train_rows_of": task}
    return {"only": [base.focus, INPUTS], f"tasks.{INPUTS}": settings}
