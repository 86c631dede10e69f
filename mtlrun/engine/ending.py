"""Ends runs: evaluates the selected checkpoint on test and writes the last files."""

from collections.abc import Sequence

from mtlrun.engine import calibration, checkpoint
from mtlrun.engine.calibration import Calibration
from mtlrun.engine.evaluate import Figures
from mtlrun.engine.importance import permutation_importance
from mtlrun.engine.measure import finite, rows_of
from mtlrun.engine.member import Member
from mtlrun.engine.stack import model_tree
from mtlrun.engine.state import TrainingState, part_of
from mtlrun.storage.names import BEST, LAST
from mtlrun.storage.writer import write_importance


def finish(state: TrainingState, members: Sequence[Member]) -> None:
    """Evaluates test once for members that are done, and writes their last files and summaries.

    A member whose files cannot be written becomes `unwritable` and gets no final status. With `trainer.importance`, the
    importance of the inputs is computed once for all members, when the last of them ends.
    """
    stack = state.stack
    importance = stack.configs[0].trainer.importance and len(members) == len(state.running)
    with state.selected():
        # importance needs the temperatures of all members, also of those that ended before this process began
        ended = [m.at for m in state.members if m in members or (importance and m.summary["status"] == "completed")]
        fitted = calibration.fit(stack, ended)
        outputs = stack.test.outputs()
        test = stack.test(outputs)
        if importance:
            _write_importance(state, members, test)
        for member in members:
            test[member.at] |= calibration.on_test(stack, outputs, member.at, fitted[member.at].calibration)
            _save_best(state, member, fitted[member.at].calibration)
    tree = state.tree()
    for member in members:
        # an outlier in test may exceed float32 although val was finite
        figures, best = finite(test[member.at]), member.selected
        val = finite(fitted[member.at].val)
        final = best.figures | _named(val, "val") | _named(figures, "test")
        if stack.step.guard.skips:
            member.summary["skipped"] = member.skipped
        if member.goal_step is not None:
            final["train//goal_step"] = float(member.goal_step)
        for line in calibration.temperature_lines(val, best.figures):
            member.say(line)
        with member.writing():
            part = part_of(tree, slice(member.at, member.at + 1))
            checkpoint.save(member.folder / LAST, part)
            temperatures = {key: value for key, value in val.items() if key[1] == "temperature"}
            member.files.rows(
                [*rows_of(temperatures, "val", best.epoch, best.step), *rows_of(figures, "test", best.epoch, best.step)]
            )
            member.write_hyperparameters(final)
        if not member.unwritable:
            state.record(member, "completed", figures=final)


def keep_selected(state: TrainingState) -> None:
    """Writes best.pt of the runs that have not ended, as far as they were evaluated. Raises StorageError."""
    members = [member for member in state.running if member.best is not None]
    with state.selected():
        fitted = calibration.fit(state.stack, [member.at for member in members])
        for member in members:
            _save_best(state, member, fitted[member.at].calibration)


def _write_importance(state: TrainingState, members: Sequence[Member], test: Sequence[Figures]) -> None:
    stack = state.stack
    seeds = [config.seed for config in stack.configs]
    rows = permutation_importance(stack.test, "test", stack.datasets, seeds, test)
    for member in state.members:
        if member in members or member.summary["status"] == "completed":
            with member.writing():
                write_importance(member.folder, rows[member.at])


def _named(figures: Figures, split: str) -> dict[str, float]:
    return {f"{split}/{task}/{metric}": value for (task, metric), value in figures.items()}


def _save_best(state: TrainingState, member: Member, fitted: Calibration) -> None:
    """Writes best.pt. Called while the network has the selected parameters."""
    best = member.selected
    tree = model_tree(state.stack, member.at)
    tree |= {"step": best.step, "epoch": best.epoch, "by": member.selection.name}
    tree["calibration"] = fitted.to_plain(member.config.kept)
    with member.writing():
        checkpoint.save(member.folder / BEST, tree)
