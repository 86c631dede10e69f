"""A trunk that other tasks have trained, in a task with few labels."""

from evidence.row import Measured, Row, Runs

TITLE = "Pre-training and transfer"
SCRATCH, FROZEN, LEARNS = "from scratch", "pre-trained, frozen", "pre-trained, not frozen"
SHUFFLED = "pre-trained on shuffled labels, frozen"
FIGURE = "test/new/rmse"


def frozen_trunk(runs: Runs) -> Measured:
    """Whether a frozen trunk of other tasks is better than none, and than one that their shuffled labels trained."""
    over_scratch, over_shuffled = (runs.paired(FROZEN, other, FIGURE) for other in (SCRATCH, SHUFFLED))
    learns = runs.paired(LEARNS, SCRATCH, FIGURE)
    mean = {arm: runs.of(arm, FIGURE).mean() for arm in (SCRATCH, FROZEN, LEARNS, SHUFFLED)}
    text = (
        f"rmse {mean[SCRATCH]:.3f} from scratch, frozen {mean[FROZEN]:.3f} ± {over_scratch.half:.3f} "
        f"({over_scratch.wins}/{over_scratch.n}, p = {over_scratch.p:.2g}), not frozen {mean[LEARNS]:.3f} ± "
        f"{learns.half:.3f} ({learns.wins}/{learns.n}, p = {learns.p:.2g}), shuffled {mean[SHUFFLED]:.3f}; "
        f"{over_scratch.n} seeds, ± of the difference from scratch"
    )
    holds = all(pair.mean < 0 and pair.p < 0.01 for pair in (over_scratch, over_shuffled))
    return Measured(text, holds)


ROWS = [
    Row(
        experiment="transfer",
        mechanism="A trunk from other tasks, frozen",
        source="Baxter 2000; Thrun 1996",
        criterion="a new task with 10 labels: rmse with the frozen trunk below that from scratch, paired p < .01 "
        "(pre-trained arms take twice the steps, 400 before and 400 of the new task)",
        control="trunk of the same tasks with shuffled labels, frozen, as many steps as with true labels: above it, "
        "paired p < .01",
        measure=frozen_trunk,
    )
]
