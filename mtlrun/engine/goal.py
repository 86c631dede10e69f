"""How many steps a run takes until its losses sum to `trainer.goal` or less."""

from mtlrun.engine.state import TrainingState
from mtlrun.results.writer import Row


def goal_rows(state: TrainingState) -> dict[int, Row]:
    """Look for the first step since the last evaluation before which the losses of a run, all of them present, summed
    to `trainer.goal` or less. The rows of the runs that have found it, by their place."""
    goal = state.stack.configs[0].trainer.goal
    if goal is None:
        return {}
    past = state.history.past()
    met = (past.losses.double().sum(2) <= goal) & past.present.all(2)  # [n, R]
    first, reached = met.int().argmax(0).tolist(), met.any(0).tolist()
    rows: dict[int, Row] = {}
    for member in state.running:
        if member.goal_step is None and reached[member.at]:
            member.goal_step = state.step - len(past) + first[member.at]
            rows[member.at] = (state.epoch, state.step, "train", "", "goal_step", float(member.goal_step))
    return rows
