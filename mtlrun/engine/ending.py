"""Ends runs: evaluates the selected checkpoint on test and writes the last files."""

from collections.abc import Sequence

from mtlrun.engine import checkpoint
from mtlrun.engine.evaluate import Figures
from mtlrun.engine.importance import permutation_importance
from mtlrun.engine.measure import finite, rows_of
from mtlrun.engine.member import Member
from mtlrun.engine.stack import model_tree
from mtlrun.engine.state import TrainingState, part_of
from mtlrun.results.names import BEST, LAST
from mtlrun.results.writer import write_importance


def finish(state: TrainingState, members: Sequence[Member]) -> None:
    """Evaluates test once for members that are done, and writes their last files and summaries.

    A member whose files cannot be written becomes `unwritable` and gets no final status. With `trainer.importance`, the
    importance of the inputs is computed once for all members, when the last of them ends.
    """
    with state.selected():
        test = state.stack.test()
        if state.stack.configs[0].trainer.importance and len(members) == len(state.running):
            _write_importance(state, members, test)
        for member in members:
            _save_best(state, member)
    tree = state.tree()
    for member in members:
        # an outlier in test may exceed float32 although val was finite
        figures, best = finite(test[member.at]), member.selected
        final = best.figures | {f"test/{task}/{metric}": value for (task, metric), value in figures.items()}
        if state.stack.step.guard.skips:
            member.summary["skipped"] = member.skipped
        if member.goal_step is not None:
            final["train//goal_step"] = float(member.goal_step)
        with member.writing():
            part = part_of(tree, slice(member.at, member.at + 1))
            checkpoint.save(member.folder / LAST, part)
            member.files.rows(rows_of(figures, "test", best.epoch, best.step))
            member.write_hyperparameters(final)
        if not member.unwritable:
            state.record(member, "completed", figures=final)


def keep_selected(state: TrainingState) -> None:
    """Writes best.pt of the runs that have not ended, as far as they were evaluated. Raises StorageError."""
    with state.selected():
        for member in state.running:
            if member.best is not None:
                _save_best(state, member)


def _write_importance(state: TrainingState, members: Sequence[Member], test: Sequence[Figures]) -> None:
    stack = state.stack
    seeds = [config.seed for config in stack.configs]
    rows = permutation_importance(stack.test, "test", stack.datasets, seeds, test)
    for member in state.members:
        if member in members or member.summary["status"] == "completed":
            with member.writing():
                write_importance(member.folder, rows[member.at])


def _save_best(state: TrainingState, member: Member) -> None:
    """Writes best.pt. Called while the network has the selected parameters."""
    best = member.selected
    tree = model_tree(state.stack, member.at)
    tree |= {"step": best.step, "epoch": best.epoch, "by": member.selection.name}
    with member.writing():
        checkpoint.save(member.folder / BEST, tree)
