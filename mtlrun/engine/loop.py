"""Trains a stack of R runs: epochs of steps, evaluation, selection, checkpoints. A single run is a stack with R = 1.

All runs take the same steps. A run that has ended, well or badly, stays in the stack frozen, so that the others' bits
do not change.
"""

import contextlib
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import torch

from mtlrun.engine.divergence import Failure, count_skipped, diverged, nonfinite_on_val
from mtlrun.engine.ending import finish, keep_selected
from mtlrun.engine.measure import FINAL, Measured, finite, goal_rows, measure, rows_of
from mtlrun.engine.member import Member
from mtlrun.engine.saving import Saver
from mtlrun.engine.signals import Signals
from mtlrun.engine.stack import Stack
from mtlrun.engine.state import TrainingState
from mtlrun.lr import is_constant, schedule_factors
from mtlrun.storage.progress import Progress
from mtlrun.storage.writer import Row, RunWriter
from mtlrun.util.errors import Interrupted, StorageError

CHECK_STEPS = 256  # steps between two checks that losses and parameters are finite


class Training:
    """Trains a stack.

    summaries: the summary of each run so far; a run whose status is final is not trained again
    checkpoint_path: the file of the whole stack; saved: its content, if training is resumed
    console: receives the lines of a run; None: they go straight into its run.log
    ended: called with the members that have just ended, their files complete
    """

    def __init__(
        self,
        stack: Stack,
        folders: Sequence[Path],
        summaries: Sequence[dict[str, Any]],
        checkpoint_path: Path,
        saved: dict[str, Any] | None = None,
        console: Callable[[str], None] | None = None,
        ended: Callable[[list[Member]], None] | None = None,
    ) -> None:
        self.stack, self.on_end = stack, ended
        self.trainer = stack.configs[0].trainer  # of the first run: only for settings that all runs share
        parts = zip(stack.configs, stack.datasets, stack.selections, folders, summaries, strict=True)
        members = [Member(r, *part, stack.length.epochs, console) for r, part in enumerate(parts)]
        self.state = TrainingState(stack, members)
        self.members, self.total = members, self.state.total
        if saved is not None:
            self.state.restore(saved)
        for member in self.state.running:
            offset = saved["members"][member.at]["offset"] if saved else 0
            primary = member.dataset.primary
            member.writer = RunWriter(member.folder, self.trainer.tensorboard, offset, self.state.step, primary)
        self._freeze()
        self.saver, self.signals = Saver(checkpoint_path, self.state), Signals()

    @property
    def running(self) -> list[Member]:
        """The members that have not ended."""
        return self.state.running

    def train(self, progress: Progress) -> list[dict[str, Any]]:
        """Trains every member to its end, evaluates test once for each, and returns the summaries.

        A member that diverges is recorded as failed. After a signal, the runs are recorded as interrupted and
        Interrupted is raised. A signal during the last evaluation takes effect after the runs have ended.
        """
        state = self.state
        with self.signals:
            try:
                with progress:
                    if not state.history:  # perhaps resumed between a member's last evaluation and its files
                        self.finish(self._done())
                    # history: interrupted after a step, before its evaluation
                    while state.running and (state.history or state.step < state.total):
                        self._train_until_evaluation(progress)
                        self.evaluate()
                        self.finish(self._done())
                        if state.running and self.saver.due():
                            self.saver.save()
                state.share_seconds()
            except StorageError:
                with contextlib.suppress(StorageError):  # the summaries then still say "running", which does no harm
                    state.record_interrupted()
                raise
            except Interrupted:
                with contextlib.suppress(StorageError):  # the last checkpoint remains
                    self.saver.save()
                    state.record_interrupted()
                    keep_selected(state)  # for predict; resuming needs only the last checkpoint
                raise
        self.signals.raise_received()  # these runs have ended; stops later ones
        return [member.summary for member in state.members]

    # -------------------------------------------------- steps

    def _train_until_evaluation(self, progress: Progress) -> None:
        """Trains up to the next evaluation, over several epochs if needed."""
        state = self.state
        while state.running and not self._evaluation_is_due():
            if state.position == self.stack.train.steps:
                state.epoch, state.position = state.epoch + 1, 0
            self.train_epoch(progress)
        if state.running:
            self._fail(diverged(state))

    def _evaluation_is_due(self) -> bool:
        """Returns whether an evaluation is due: every `evaluate_every` steps, and after the last step."""
        state = self.state
        return bool(state.history) and (state.step % self.stack.length.evaluate_every == 0 or state.step == state.total)

    def train_epoch(self, progress: Progress) -> None:
        """Takes the steps of this epoch from the current position up to the next evaluation."""
        state, step = self.state, self.stack.step
        factors = self._rate_factors()
        ramped = [scale for scale in self.stack.network.scales if bool(scale.ramped.any())]
        for batch in self.stack.train.epoch(state.epoch, state.position):
            if factors is not None:
                step.rates.set_schedule(factors[state.position])
            for scale in ramped:
                scale.advance(state.step / state.total)
            losses, weights = step(batch, state.step)
            state.history.add(losses, weights, batch.targets.present, step.guard.nonfinite)
            state.position += 1
            state.step += 1
            stopping = step.guard.nonfinite is not None and step.guard.on_cpu and not step.guard.skips
            if stopping or self.trainer.debug or state.position % CHECK_STEPS == 0:
                self._fail(diverged(state))
                if not state.running:
                    return
            progress.step(state.step, losses)
            self.signals.raise_received()
            if self._evaluation_is_due():
                break

    def _rate_factors(self) -> list[float] | None:
        """Returns the schedule's factors on all rates at the steps of this epoch, None if all are 1."""
        config, steps = self.stack.configs[0].lr, self.stack.train.steps
        if is_constant(config):
            return None
        factors: list[float] = schedule_factors(config, self.state.steps_of_epoch(), self.total, steps).tolist()
        return factors

    # -------------------------------------------------- evaluations

    def evaluate(self) -> None:
        """Evaluates all running members: writes their figures and keeps the parameters of the best evaluation."""
        state = self.state
        if not state.running:
            return
        goals = goal_rows(state)
        self._fail(count_skipped(state))
        measured, failures = measure(state), list[Failure]()
        better = torch.zeros(len(state.members), dtype=torch.bool)
        for member in state.running:
            own = measured[member.at]
            if (error := nonfinite_on_val(member, own.val, state.step)) is not None:
                failures.append((member, error))
                continue
            goal = goals.get(member.at)
            self._write_figures(member, own, [] if goal is None else [goal])
            training = {key: value for key, value in own.train.items() if key[1] in FINAL}
            better[member.at] = member.select(finite(own.val), training, state.epoch, state.step)
        state.keep_best(better)
        self._fail([*failures, *((m, m.unwritable) for m in state.running if m.unwritable)])
        state.clear_history()

    def _write_figures(self, member: Member, measured: Measured, goal: list[Row]) -> None:
        """Writes the rows of one run at an evaluation."""
        at = self.state.epoch, self.state.step
        rows = [*rows_of(measured.train, "train", *at), *goal]
        if self.stack.step.guard.skips:
            rows.append((*at, "train", "", "skipped", float(member.skipped)))
        with member.writing():
            member.files.rows([*rows, *rows_of(finite(measured.val), "val", *at), *rows_of(measured.look, "val", *at)])

    # -------------------------------------------------- how runs end

    def _done(self) -> list[Member]:
        """Returns the running members that are done: all after the last step, else those out of patience."""
        patience, step = self.stack.length.patience_steps, self.state.step
        if step == self.state.total:
            return self.state.running
        return [m for m in self.state.running if patience is not None and m.best and step - m.best.step >= patience]

    def finish(self, members: Sequence[Member]) -> None:
        """Writes test figures, last files and summaries of members that are done."""
        if not members:
            return
        finish(self.state, members)
        self._freeze()
        self._report([member for member in members if not member.unwritable])
        self._fail([(member, member.unwritable) for member in members if member.unwritable])

    def _fail(self, failures: Sequence[Failure]) -> None:
        """Records members as failed and freezes them."""
        for member, error in failures:
            self.state.record(member, "failed", error)
        if failures:
            self._freeze()
            self._report([member for member, _ in failures])

    def _freeze(self) -> None:
        """Keeps the parameters of members that have ended."""
        ended = [member.ended for member in self.state.members]
        self.stack.step.guard.active = None
        if any(ended):
            self.stack.step.guard.active = ~torch.tensor(ended).unsqueeze(1).to(self.stack.device)

    def _report(self, members: list[Member]) -> None:
        if self.on_end is not None:
            self.on_end(members)
