"""The loop of a stack of runs, of which an ordinary run is R = 1: epochs of steps, evaluation, selection, checkpoints.

All members take the same steps. What is one run's own - files, best evaluation, patience, end - is a `Member`;
one that has ended, well or badly, stays in the stack frozen, so that the others' bits do not change.
"""

import contextlib
import math
import signal
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType
from typing import Any

import numpy as np
import torch
from torch import Tensor

from mtlrun.config.schema import Config
from mtlrun.data.dataset import Dataset
from mtlrun.engine import checkpoint
from mtlrun.engine.activations import dead_units
from mtlrun.engine.evaluate import Figures
from mtlrun.engine.gates import mean_gates
from mtlrun.engine.importance import permutation_importance
from mtlrun.engine.select import Selection
from mtlrun.engine.stack import Stack, model_tree
from mtlrun.engine.step import ALL_FINITE
from mtlrun.lr import is_constant, schedule_factors
from mtlrun.results import hydra_folder
from mtlrun.results.environment import peak_memory
from mtlrun.results.progress import Progress, evaluation_line
from mtlrun.results.summary import ENDED, flatten
from mtlrun.results.writer import Row, RunWriter, write_importance
from mtlrun.util.errors import Interrupted, StorageError

CHECKPOINT_SECONDS = 5.0  # between two checkpoints, at least; any of them resumes exactly
CHECKPOINT_SHARE = 20  # and at least so many times what the last one took
REHEARSED_STEPS, REHEARSED_SECONDS = 12, 0.03  # to tell how long training will take
CHECK_STEPS = 256  # between two looks at whether losses and parameters are finite
CONFLICT_BATCHES = 8  # the last ones of an epoch, which conflict_rate counts


class History:
    """Losses, weights and presence of the steps since the last evaluation, `[n, R, T]`, and `Step.odd`, `[n, R]`."""

    def __init__(self, saved: dict[str, Tensor] | None = None) -> None:
        self.saved = saved
        self.pending: list[tuple[Tensor, Tensor, Tensor | None, Tensor | None]] = []

    def add(self, losses: Tensor, weights: Tensor, present: Tensor | None, odd: Tensor | None) -> None:
        """Keep one step's tensors, `[R, T]` and `odd` `[R]`; nothing is computed here."""
        self.pending.append((losses, weights, present, odd))

    def __bool__(self) -> bool:
        """Whether a step was taken since the last evaluation."""
        return bool(self.pending or self.saved)

    def tensors(self) -> dict[str, Tensor]:
        """All steps so far."""
        if self.pending:
            losses = torch.stack([p[0] for p in self.pending])
            present = [torch.ones_like(p[0], dtype=torch.bool) if p[2] is None else p[2] for p in self.pending]
            fine = torch.full_like(losses[0, :, 0], ALL_FINITE, dtype=torch.long)
            odd = torch.stack([fine if p[3] is None else p[3] for p in self.pending])
            new = {
                "loss": losses,
                "weight": torch.stack([p[1] for p in self.pending]),
                "present": torch.stack(present),
                "odd": odd,
            }
            self.saved = new if self.saved is None else {k: torch.cat([v, new[k]]) for k, v in self.saved.items()}
            self.pending = []
        return self.saved or {}


@dataclass
class Member:
    """What is one run's own in a stack. `at`: its place along R; `summary`: what summary.json will hold."""

    at: int
    config: Config
    dataset: Dataset
    selection: Selection
    folder: Path
    summary: dict[str, Any]
    writer: RunWriter | None = None  # none for a run that ended before this process began
    best: dict[str, Any] = field(default_factory=dict)  # score, step, epoch, figures
    waited: int = 0
    lost: str = ""  # why its files cannot be written any more
    skipped: int = 0  # steps that were not taken, up to the last evaluation
    idle: int = 0  # of these, the last ones without another between them
    goal_step: int | None = None  # steps before the losses first summed to trainer.goal or less

    @property
    def ended(self) -> bool:
        """Completed or failed: nothing of it changes any more."""
        return self.summary.get("status") in ENDED


class Training:
    """A stack in training. `summaries` say what is known of each run; one of a final status is not trained again.

    `checkpoint_path` is the file of the whole stack, and `state` what it held where training is resumed.
    `ended` is called with the members that have just ended, their files complete. With `console`, the lines
    of a run go through logging; otherwise straight into its run.log.
    """

    def __init__(
        self,
        stack: Stack,
        folders: Sequence[Path],
        summaries: Sequence[dict[str, Any]],
        checkpoint_path: Path,
        state: dict[str, Any] | None = None,
        console: Callable[[str], None] | None = None,
        ended: Callable[[list[Member]], None] | None = None,
    ) -> None:
        self.stack, self.path, self.console, self.on_end = stack, checkpoint_path, console, ended
        self.trainer = stack.configs[0].trainer  # but for what is per run
        self.total = self.trainer.epochs * stack.train.steps
        if self.trainer.max_steps is not None:
            self.total = min(self.total, self.trainer.max_steps)
        parts = zip(stack.configs, stack.datasets, stack.selections, folders, summaries, strict=True)
        self.members = [Member(r, *part) for r, part in enumerate(parts)]
        self.epoch, self.position, self.global_step = 1, 0, 0
        self.history = History()
        self.best_values = stack.step.flat.values.clone()  # [R, P]
        self.seconds_before, self.save_seconds = 0.0, 0.0
        self.stopped_by = 0
        if state is not None:
            self._restore(state)
        for member in self.members:
            if not member.ended:
                offset = state["members"][member.at]["offset"] if state else 0
                member.writer = RunWriter(member.folder, self.trainer.tensorboard, offset, self.global_step)
        self._freeze()
        self.started = self.saved_at = time.monotonic()

    @property
    def running(self) -> list[Member]:
        """The members that have not ended."""
        return [m for m in self.members if not m.ended]

    # -------------------------------------------------- the loop

    def train(self, progress: Progress) -> list[dict[str, Any]]:
        """Train every member to its end, evaluate test once for each, and return the summaries.

        A member that diverges is recorded as failed. Raises Interrupted after a signal, which is recorded; a
        signal during the last evaluation lets the runs end first.
        """
        with self._signals():
            try:
                with progress:
                    if not self.history:  # perhaps resumed between a member's last evaluation and its files
                        self._finish([m for m in self.running if self._is_over(m)])
                    # history: interrupted after a step, before its evaluation
                    while self.running and (self.history or self.global_step < self.total):
                        self._train_until_evaluation(progress)
                        self._evaluate()
                        self._finish([m for m in self.running if self._is_over(m)])
                        if self.running and self._checkpoint_is_due():
                            self._save()
                self._share_seconds()
            except StorageError:
                with contextlib.suppress(StorageError):  # the summaries say "running" then, which is as good
                    for member in self.running:
                        self._record(member, "interrupted", None)
                raise
            except Interrupted:
                with contextlib.suppress(StorageError):  # then the last checkpoint is what there is
                    self._save()
                    for member in self.running:
                        self._record(member, "interrupted", None)
                raise
        if self.stopped_by:  # too late to stop these runs, in time for whatever would come after them
            raise Interrupted(self.stopped_by)
        return [m.summary for m in self.members]

    def rehearse(self) -> float:
        """About how many seconds all steps, evaluations and ends of the runs take, from a few of them, without a look
        at what they come to; this object and its stack are of no use afterwards.

        The first step is slower than those that follow and is left out.
        """
        train = self.stack.train
        times = [time.monotonic()]
        batches = train.epoch(1)
        batch = next(batches)  # the order of the epoch's rows, and as many batches as are gathered at once
        times.append(time.monotonic())
        for taken in range(REHEARSED_STEPS):
            losses, weights = self.stack.step(batch, taken)
            self.history.add(losses, weights, batch.targets.present, self.stack.step.odd)
            times.append(time.monotonic())
            if taken and times[-1] - times[1] > REHEARSED_SECONDS:
                break
        step = float(np.median(np.diff(times[2:])))
        self.global_step = taken + 1
        self.position = min(self.global_step, train.steps)
        began = time.monotonic()
        self._evaluate()
        evaluated = time.monotonic()
        self._finish(self.running)
        ended = time.monotonic()
        epochs, chunks = math.ceil(self.total / train.steps), math.ceil(train.steps / train.chunk)
        gather = chunks * (times[1] - times[0])
        evaluations = math.ceil(self.total / (self.trainer.evaluate_every or train.steps))
        return epochs * gather + evaluations * (evaluated - began) + self.total * step + ended - evaluated

    def _train_until_evaluation(self, progress: Progress) -> None:
        """Steps up to the next one that is evaluated, in as many epochs as they take."""
        while self.running and not self._evaluation_is_due():
            if self.position == self.stack.train.steps:
                self.epoch, self.position = self.epoch + 1, 0
            self._train_epoch(progress)
        if self.running:
            self._fail_diverged()

    def _evaluation_is_due(self) -> bool:
        """After the last step, and every so many steps, or at the end of an epoch; never twice in one place."""
        if not self.history:
            return False
        every = self.trainer.evaluate_every
        at_end = self.position == self.stack.train.steps if every is None else self.global_step % every == 0
        return at_end or self.global_step == self.total

    def _train_epoch(self, progress: Progress) -> None:
        """The steps of one epoch, from `position` on, as far as the next evaluation."""
        step, network = self.stack.step, self.stack.network
        steps = np.arange(self.stack.train.steps) + (self.epoch - 1) * self.stack.train.steps
        factors = None
        if not is_constant(self.stack.configs[0].lr):
            factors = self._factors(steps).tolist()
        ramped = any(bool(scale.ramped.any()) for scale in network.scales)
        for batch in self.stack.train.epoch(self.epoch, self.position):
            if factors is not None:
                step.set_schedule(factors[self.position])
            if ramped:
                for scale in network.scales:
                    scale.advance(self.global_step / self.total)
            losses, weights = step(batch, self.global_step)
            self.history.add(losses, weights, batch.targets.present, step.odd)
            self.position += 1
            self.global_step += 1
            stopping = step.odd is not None and step.on_cpu and not step.skips
            if stopping or self.trainer.debug or self.position % CHECK_STEPS == 0:
                self._fail_diverged()
                if not self.running:
                    return
            progress.step(self.global_step, losses)
            if self.stopped_by:
                raise Interrupted(self.stopped_by)
            if self._evaluation_is_due():
                break

    def _factors(self, steps: np.ndarray) -> np.ndarray:
        """The schedule's factors on all rates at the given steps, counted from 0."""
        return schedule_factors(self.stack.configs[0].lr, steps, self.total, self.stack.train.steps)

    def _fail_diverged(self) -> None:
        """Fail the members with a loss, a gradient or a parameter that is not finite, naming the first step and what it
        was; with `trainer.on_nan=skip`, those with such a parameter."""
        past = self.history.tensors()
        bad = (past["odd"] != ALL_FINITE) | (~past["loss"].isfinite()).any(2)  # [n, R]
        at_fault = ~self.stack.step.flat.values.isfinite().all(1)  # [R]
        if not self.stack.step.skips:
            at_fault |= bad.any(0)
        if not bool(at_fault.any()):
            return
        failed = []
        for member in self.running:
            if at_fault[member.at]:
                column = int((~self.stack.step.flat.values[member.at].isfinite()).int().argmax())
                name = self.stack.step.flat.name_of(column)
                error = f"the parameter {name} is not finite after step {self.global_step}"
                if bool(bad[:, member.at].any()):
                    error = self._first_odd(member, bad[:, member.at])
                failed.append((member, f"diverged: {error}"))
        self._fail(failed)

    def _first_odd(self, member: Member, bad: Tensor) -> str:
        """What was not finite in the first of the steps since the last evaluation that are `bad`, `[n]`, for a run."""
        past = self.history.tensors()
        at = int(bad.int().argmax())
        step, losses = self.global_step - len(bad) + at + 1, past["loss"][at, member.at]  # [T]
        for task, value in zip(self.stack.network.tasks, losses.tolist(), strict=True):
            if not math.isfinite(value):
                return f"the loss of {task} is {value:g} in step {step}"
        name = self.stack.step.flat.name_of(int(past["odd"][at, member.at]))
        return f"the gradient of {name} is not finite in step {step}, where all losses are"

    def _note_skipped(self) -> dict[int, list[Row]]:
        """With `trainer.on_nan=skip`: how many steps of each run were skipped so far, as rows by the run's place; a
        line says so of those since the last evaluation. A run that took none for a whole epoch has failed."""
        if not self.stack.step.skips:
            return {}
        odd = self.history.tensors()["odd"] != ALL_FINITE  # [n, R]
        rows: dict[int, list[Row]] = {}
        failed = []
        for member in self.running:
            own = odd[:, member.at]
            if count := int(own.sum()):
                member.skipped += count
                first = self._first_odd(member, own)
                self._say(member, f"{count} of {len(own)} steps skipped: {first}")
                since_taken = int(own.flip(0).int().cumprod(0).sum())
                member.idle = since_taken + (member.idle if count == len(own) else 0)
                if member.idle >= min(self.stack.train.steps, self.total):
                    failed.append((member, f"diverged: {first}, and the last {member.idle} steps were all skipped"))
            else:
                member.idle = 0
            rows[member.at] = [(self.epoch, self.global_step, "train", "", "skipped", float(member.skipped))]
        self._fail(failed)
        return rows

    def _evaluate(self) -> None:
        """Figures of the epoch into the files; note the parameters of members that are the best so far."""
        if not self.running:
            return
        reached, skipped = self._note_goal(), self._note_skipped()
        every, train = self.stack.val(), self._train_figures()
        none: list[Figures] = [{} for _ in self.members]
        dead = dead_units(self.stack.val) if self.trainer.log_activations else none
        gates = mean_gates(self.stack.val) if self.stack.network.sharing.gated else none
        failed = []
        better = torch.zeros(len(self.members), dtype=torch.bool)
        for member in self.running:
            figures = every[member.at]
            losses = {t: figures.get((t, m), math.nan) for t, m in member.selection.trivial if m == "loss"}
            odd = next((f"{t} on val is {v:g}" for t, v in losses.items() if not math.isfinite(v)), None)
            if odd is not None:
                failed.append((member, f"diverged: the loss of {odd} after step {self.global_step}"))
                continue
            figures = {key: value for key, value in figures.items() if math.isfinite(value)}
            rows = [*train[member.at], *reached.get(member.at, []), *skipped.get(member.at, [])]
            looked_at = dead[member.at] | gates[member.at]
            new = [*rows, *self._rows("val", figures), *self._rows("val", looked_at)]
            with self._files(member):
                self._writer(member).rows(new)
            score = member.selection(figures)
            best = not member.best or member.selection.latest or score > member.best["score"]
            better[member.at] = best
            if best:
                member.best = {
                    "score": score,
                    "step": self.global_step,
                    "epoch": self.epoch,
                    "figures": {f"val/{t}/{m}": v for (t, m), v in figures.items()}
                    | {f"train/{t}/{m}": v for _, _, _, t, m, v in rows if m == "loss"},
                }
            member.waited = 0 if best else member.waited + 1
            primary = {t: target.primary for t, target in member.dataset.targets.items()}
            shown = member.selection.sign * score
            self._say(
                member,
                evaluation_line(
                    self.epoch,
                    self.trainer.epochs,
                    self.global_step,
                    figures,
                    primary,
                    member.selection.name,
                    shown,
                    best,
                ),
            )
        chosen = better.to(self.best_values.device).unsqueeze(1)
        torch.where(chosen, self.stack.step.flat.values, self.best_values, out=self.best_values)
        self._fail([*failed, *((m, m.lost) for m in self.running if m.lost)])
        self.history = History()

    def _note_goal(self) -> dict[int, list[Row]]:
        """Looks for the first step since the last evaluation before which the losses of a run, all of them present,
        summed to `trainer.goal` or less; rows of the runs that have found it, by their place."""
        goal = self.trainer.goal
        if goal is None:
            return {}
        past = self.history.tensors()
        met = (past["loss"].double().sum(2) <= goal) & past["present"].all(2)  # [n, R]
        first, any_ = met.int().argmax(0).tolist(), met.any(0).tolist()
        before = self.global_step - len(met)
        rows: dict[int, list[Row]] = {}
        for member in self.running:
            if member.goal_step is None and any_[member.at]:
                member.goal_step = before + first[member.at]
                row = (self.epoch, self.global_step, "train", "", "goal_step", float(member.goal_step))
                rows[member.at] = [row]
        return rows

    def _is_over(self, member: Member) -> bool:
        patience = self.trainer.patience
        return self.global_step == self.total or (patience is not None and member.waited >= patience)

    # -------------------------------------------------- how runs end

    def _finish(self, members: Sequence[Member]) -> None:
        """Test figures of the selected checkpoints of members that are done, their last files and summaries.

        With `trainer.importance`, that of the inputs is measured once for all members, with the last of them.
        """
        if not members:
            return
        flat = self.stack.step.flat
        last = flat.values.clone()
        flat.values.copy_(self.best_values)
        every = self.stack.test()
        if self.trainer.importance and len(members) == len(self.running):
            seeds = [c.seed for c in self.stack.configs]
            found = permutation_importance(self.stack.test, "test", self.stack.datasets, seeds, every)
            for member in self.members:
                if member in members or member.summary["status"] == "completed":
                    with self._files(member):
                        write_importance(member.folder, found[member.at])
        for member in members:
            tree = model_tree(self.stack, member.at) | {
                "step": member.best["step"],
                "epoch": member.best["epoch"],
                "by": member.selection.name,
            }
            with self._files(member):
                checkpoint.save(member.folder / "checkpoints" / "best.pt", tree)
        flat.values.copy_(last)
        state = self._state()
        for member in members:
            # one row far away may be beyond float32 on test, where val was finite
            figures = {key: value for key, value in every[member.at].items() if math.isfinite(value)}
            writer = self._writer(member)
            rows = [(member.best["epoch"], member.best["step"], *row[2:]) for row in self._rows("test", figures)]
            with self._files(member):
                own = part_of(state, slice(member.at, member.at + 1))
                checkpoint.save(member.folder / "checkpoints" / "last.pt", own)
                writer.rows(rows)
            final = member.best["figures"] | {f"test/{t}/{m}": v for (t, m), v in figures.items()}
            if self.stack.step.skips:
                member.summary["skipped"] = member.skipped
            if member.goal_step is not None:
                final["train//goal_step"] = float(member.goal_step)
            primary = [f"test/{t}/{target.primary}" for t, target in member.dataset.targets.items()]
            shown = {k: final[k] for k in dict.fromkeys([*primary, *final]) if k.startswith("test/") and k in final}
            with self._files(member):
                writer.hyperparameters(hyperparameters(member), shown)
            if not member.lost:
                self._record(member, "completed", None, final)
        self._freeze()
        self._tell([member for member in members if not member.lost])
        self._fail([(member, member.lost) for member in members if member.lost])

    @contextmanager
    def _files(self, member: Member) -> Iterator[None]:
        """While files of one member are written: where its folder does not take them, that member alone is `lost`. A
        disk that takes no more is no matter of a member, and passes as a StorageError."""
        try:
            yield
        except OSError as error:
            member.lost = member.lost or f"its files cannot be written: {error.filename} ({error.strerror})"

    def _fail(self, failed: Sequence[tuple[Member, str]]) -> None:
        """Record members as failed and freeze them."""
        for member, error in failed:
            self._record(member, "failed", error)
        if failed:
            self._freeze()
            self._tell([member for member, _ in failed])

    def _freeze(self) -> None:
        """Members that have ended keep their parameters from here on."""
        ended = [m.ended for m in self.members]
        self.stack.step.active = None
        if any(ended):
            self.stack.step.active = ~torch.tensor(ended).unsqueeze(1).to(self.best_values.device)

    def _tell(self, members: list[Member]) -> None:
        if self.on_end is not None:
            self.on_end(members)

    def _share_seconds(self) -> None:
        """`seconds` of a run is its share of the stack's wall time, which is known now."""
        for member in self.members:
            if member.writer is not None and len(self.members) > 1:
                member.summary["seconds"] = self._seconds()
                with self._files(member):
                    member.writer.summary(member.summary)

    # -------------------------------------------------- figures

    def _train_figures(self) -> list[list[Row]]:
        """For every run: the epoch's mean losses and weights, the rates of its last step, the norm of its last
        gradient, and what the strategy counts; with `trainer.log_gradients` the tasks' own gradients."""
        past = self.history.tensors()
        seen, given = past["present"] & past["loss"].isfinite(), past["weight"].double()  # [n, R, T]
        counts = seen.sum(0)  # [R, T]
        losses = (past["loss"].double().where(seen, 0).sum(0) / counts).tolist()
        # a step that was skipped may have weights that are no numbers
        weights = (given.nanmean(0) if self.stack.step.skips else given.mean(0)).tolist()
        labelled = counts.tolist()
        norms = self.stack.step.gradient_norms().tolist()
        factor = float(self._factors(np.array([self.global_step - 1]))[0])
        key = (self.epoch, self.global_step, "train")
        gradients = self._gradient_figures() if self.trainer.log_gradients else None
        network = self.stack.network
        counted = self.stack.step.strategy.figures() | network.figures()
        further = {name: values.tolist() for name, values in counted.items()}
        every = []
        for r, rates in enumerate(self.stack.step.group_rates):
            rows: list[Row] = []
            for t, task in enumerate(self.stack.network.tasks):
                if labelled[r][t]:
                    rows.append((*key, task, "loss", losses[r][t]))
                rows.append((*key, task, "weight", weights[r][t]))
                rows.append((*key, task, "rate", rates[task] * factor))
            rows.append((*key, "", "rate", rates["trunk"] * factor))
            rows.append((*key, "", "grad_norm", norms[r]))
            for name, value in further.items():
                own = zip(network.order, value[r], strict=True) if isinstance(value[r], list) else [("", value[r])]
                rows += [(*key, task, name, float(number)) for task, number in own]
            if gradients is not None:
                rows += [(*key, task, metric, value) for (task, metric), value in gradients[r].items()]
            # the square of a gradient may overflow where the gradient itself does not
            every.append([row for row in rows if math.isfinite(row[-1])])
        return every

    def _gradient_figures(self) -> list[Figures]:
        """For every run: the norm of each task's gradient in the trunk, cosines with those of later tasks, and the
        share of conflicts, pairs of tasks whose cosine is negative.

        On the last batch that was trained on, the conflicts on the last 8 of the epoch, or as many as there were; at
        the network after its last step, so that a resumed run, too, can compute them. A task without a label in a
        batch has none; a cosine with a gradient of 0 is undefined and no pair.
        """
        step, tasks = self.stack.step, self.stack.network.tasks
        first = max(0, self.position - CONFLICT_BATCHES)
        batches = zip(range(first, self.position), self.stack.train.epoch(self.epoch, first), strict=False)
        conflicts, pairs = torch.zeros(2, len(self.members), dtype=torch.float64, device=self.stack.device)
        for at, batch in batches:
            done = self.global_step - self.position + at  # steps before that one
            for scale in self.stack.network.scales:
                scale.advance(done / self.total)  # as in that step
            gradients = step.task_gradients(batch, done).double()  # [R, T, S]
            norms = torch.linalg.vector_norm(gradients, dim=2)  # [R, T]
            cosines = (gradients @ gradients.mT / (norms.unsqueeze(1) * norms.unsqueeze(2))).clamp(-1, 1)
            above = cosines.triu(1)  # 0 elsewhere; nan is less than nothing
            conflicts += (above < 0).sum((1, 2))
            pairs += cosines.isfinite().triu(1).sum((1, 2))
        shown = norms if batch.targets.present is None else norms.where(batch.targets.present, torch.nan)
        order = [tasks.index(task) for task in self.stack.datasets[0].targets]
        every = []
        rates = (conflicts / pairs).tolist()  # nan without a pair
        for own, cosine, rate in zip(shown.tolist(), cosines.tolist(), rates, strict=True):
            figures: Figures = {("", "conflict_rate"): rate}
            for i, a in enumerate(order):
                figures[tasks[a], "grad_norm"] = own[a]
                figures |= {(tasks[a], f"cosine_{tasks[b]}"): cosine[a][b] for b in order[i + 1 :]}
            every.append(figures)
        return every

    def _rows(self, split: str, figures: Figures) -> list[Row]:
        return [(self.epoch, self.global_step, split, task, metric, value) for (task, metric), value in figures.items()]

    # -------------------------------------------------- files

    def _checkpoint_is_due(self) -> bool:
        # the share keeps a large stack from spending its time on checkpoints
        return time.monotonic() - self.saved_at > max(CHECKPOINT_SECONDS, CHECKPOINT_SHARE * self.save_seconds)

    def _save(self) -> None:
        """All that the stack needs to go on exactly."""
        began = time.monotonic()
        for member in self.running:
            with self._files(member):
                self._writer(member).sync()  # the checkpoint goes on from where it ends
        checkpoint.save(self.path, self._state(), durable=True)
        self.saved_at = time.monotonic()
        self.save_seconds = self.saved_at - began

    def _state(self) -> dict[str, Any]:
        step = self.stack.step
        return {
            "epoch": self.epoch,
            "position": self.position,
            "step": self.global_step,
            "columns": step.columns(),
            "values": step.flat.values.clone(),
            "best_values": self.best_values.clone(),
            "optimizer": step.optimizer.state,
            "strategy": step.strategy.state(),
            # still to be logged, where the epoch's last step is done
            "gradient_norms": step.gradient_norms(),
            "history": self.history.tensors(),
            "members": [
                {
                    "best": m.best,
                    "waited": m.waited,
                    "offset": self._offset(m),
                    "goal_step": m.goal_step,
                    "skipped": m.skipped,
                    "idle": m.idle,
                }
                for m in self.members
            ],
            "seconds": self.seconds_before + time.monotonic() - self.started,
            "data_hash": self.stack.datasets[0].hash,
            "inputs": self.stack.network.encoder.state_dict(),  # perhaps another run's, see transfer.py
        }

    def _restore(self, state: dict[str, Any]) -> None:
        step, device = self.stack.step, self.stack.device
        self.epoch, self.position, self.global_step = state["epoch"], state["position"], state["step"]
        sizes, names = state["columns"], step.columns()

        def own(tensor: Tensor) -> Tensor:
            # a part of a stack of mixed strategies may have fewer of them
            columns = dict(zip(sizes, tensor.split(list(sizes.values()), 1), strict=True))
            return torch.cat([columns[name] for name in names], 1)

        step.flat.values.copy_(own(state["values"]))
        self.best_values.copy_(own(state["best_values"]))
        step.norms = state["gradient_norms"].to(device)
        step.optimizer.load({name: own(value) if value.dim() else value for name, value in state["optimizer"].items()})
        for name, value in step.strategy.state().items():
            value.copy_(state["strategy"][name])
        history = {k: v.to(device) for k, v in state["history"].items()}
        if history:  # a checkpoint of before there was such a look
            fine = torch.full_like(history["loss"][..., 0], ALL_FINITE, dtype=torch.long)
            history.setdefault("odd", fine)
        self.history = History(history or None)
        for member, saved in zip(self.members, state["members"], strict=True):
            member.best, member.waited, member.goal_step = saved["best"], saved["waited"], saved.get("goal_step")
            member.skipped, member.idle = saved.get("skipped", 0), saved.get("idle", 0)
        self.seconds_before = state["seconds"]

    def _seconds(self) -> float:
        """A run's share of the wall time so far."""
        return (self.seconds_before + time.monotonic() - self.started) / len(self.members)

    def _record(self, member: Member, status: str, error: str | None, figures: dict[str, float] | None = None) -> None:
        """Write summary.json with this status, as far as the member's folder takes it."""
        best = None
        if member.best:
            best = {
                "step": member.best["step"],
                "epoch": member.best["epoch"],
                "by": member.selection.name,
                "value": member.selection.sign * member.best["score"],
            }
        member.summary |= {
            "status": status,
            "error": error,
            "steps": self.global_step,
            "best": best,
            "figures": figures or {},
            "seconds": self._seconds(),
            "memory": peak_memory(self.stack.device),
        }
        with self._files(member):
            self._writer(member).summary(member.summary)

    def _offset(self, member: Member) -> int:
        """How long the member's metrics.csv is; 0 where that does not matter any more."""
        if member.writer is not None:
            with self._files(member):
                return member.writer.offset
        return 0

    def _writer(self, member: Member) -> RunWriter:
        assert member.writer is not None, "it has not ended before this process began"
        return member.writer

    def _say(self, member: Member, line: str) -> None:
        if self.console is not None:
            self.console(line)
        else:
            with self._files(member):
                self._writer(member).log([line])

    @contextmanager
    def _signals(self) -> Iterator[None]:
        """Note SIGINT, SIGTERM and SIGHUP, to be acted on after the current step."""

        def note(signum: int, frame: FrameType | None) -> None:
            self.stopped_by = signum

        try:
            ending = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
            heeded = [s for s in ending if signal.getsignal(s) is not signal.SIG_IGN]
            before = {s: signal.signal(s, note) for s in heeded}
        except ValueError:  # not in the main thread: whoever runs the thread handles signals
            yield
            return
        try:
            yield
        finally:
            for signum, handler in before.items():
                signal.signal(signum, handler)


def part_of(state: dict[str, Any], runs: slice) -> dict[str, Any]:
    """The state of some runs of a stack, as that of a stack of their own."""

    def cut(tensors: dict[str, Tensor]) -> dict[str, Tensor]:
        return {k: v[runs].clone() if v.dim() else v for k, v in tensors.items()}

    own = cut({k: state[k] for k in ("values", "best_values", "gradient_norms")})
    history = {k: v[:, runs].clone() for k, v in state["history"].items()}
    return (
        state
        | own
        | {
            "optimizer": cut(state["optimizer"]),
            "strategy": cut(state["strategy"]),
            "inputs": cut(state.get("inputs", {})),
            "history": history,
            "members": state["members"][runs],
        }
    )


def hyperparameters(member: Member) -> dict[str, Any]:
    """Settings for TensorBoard's table, which sorts its columns and shows a few: the core, and what was typed."""
    settings = flatten(member.summary["settings"])
    typed = hydra_folder.read_words(member.folder)
    settings["seed"] = str(settings.get("seed"))  # a label, not a quantity
    keys = dict.fromkeys(["loss", "lr", "graph", "seed", *(line.split("=")[0] for line in typed)])
    return {name: settings[name] for key in keys for name in settings if f"{name}.".startswith(f"{key}.")}
