"""The loop of one run: epochs of steps, evaluation, selection, checkpoints."""

import math
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Any

import numpy as np
import torch
import yaml
from torch import Tensor

from mtlrun.engine import checkpoint
from mtlrun.engine.evaluate import Figures
from mtlrun.engine.stack import Stack, model_tree
from mtlrun.errors import Interrupted, TrainingError
from mtlrun.lr import is_constant, schedule_factors
from mtlrun.results.environment import peak_memory
from mtlrun.results.progress import Progress
from mtlrun.results.writer import Row, RunWriter

CHECKPOINT_SECONDS = 5.0  # between two writes of last.pt; any of them resumes exactly
CHECK_STEPS = 256  # between two looks at whether losses are finite


class History:
    """Losses, weights and presence of the steps of the current epoch, `[n, T]` each, of one run."""

    def __init__(self, saved: dict[str, Tensor] | None = None) -> None:
        self.saved = saved
        self.pending: list[tuple[Tensor, Tensor, Tensor | None]] = []

    def add(self, losses: Tensor, weights: Tensor, present: Tensor | None) -> None:
        """Keep one step's tensors `[1, T]`; nothing is computed here."""
        self.pending.append((losses, weights, present))

    def tensors(self) -> dict[str, Tensor]:
        """All steps so far."""
        if self.pending:
            losses = torch.cat([p[0] for p in self.pending])
            present = [torch.ones_like(p[0], dtype=torch.bool) if p[2] is None else p[2] for p in self.pending]
            new = {"loss": losses, "weight": torch.cat([p[1] for p in self.pending]), "present": torch.cat(present)}
            self.saved = new if self.saved is None else {k: torch.cat([v, new[k]]) for k, v in self.saved.items()}
            self.pending = []
        return self.saved or {}


class Run:
    """One run in training, written to `folder`. `state` is that of last.pt where the run is resumed."""

    def __init__(self, stack: Stack, folder: Path, state: dict[str, Any] | None, summary: dict[str, Any]) -> None:
        self.stack, self.folder, self.summary = stack, folder, summary
        self.config, self.dataset = stack.configs[0], stack.datasets[0]
        self.trainer = self.config.trainer
        self.total = self.trainer.epochs * stack.train.steps
        if self.trainer.max_steps is not None:
            self.total = min(self.total, self.trainer.max_steps)
        self.selection = stack.selections[0]
        self.epoch, self.position, self.global_step, self.waited = 1, 0, 0, 0
        self.history = History()
        self.best: dict[str, Any] = {}
        self.seconds_before = 0.0
        self.stopped_by = 0
        if state is not None:
            self._restore(state)
        self.writer = RunWriter(folder, self.trainer.tensorboard, state["offset"] if state else 0, self.global_step)
        self.started = self.saved_at = time.monotonic()

    # -------------------------------------------------- the loop

    def train(self, progress: Progress) -> dict[str, Any]:
        """Train to the end, evaluate test once, and return the summary.

        Raises TrainingError where the run diverges and Interrupted after a signal; either is recorded. A
        signal during the last evaluation lets the run end first.
        """
        try:
            with self._signals():
                with progress:
                    # position > 0: an epoch was interrupted before its evaluation
                    while self.position or (self.global_step < self.total and not self._patience_over()):
                        self._train_epoch(progress)
                        self._evaluate(progress)
                self._finish()
        except Interrupted:
            self._save()
            self._record("interrupted", None)
            raise
        except TrainingError as error:
            self._record("failed", str(error))
            raise
        finally:
            self.writer.close()
        if self.stopped_by:  # too late to stop this run, in time for whatever would come after it
            raise Interrupted(self.stopped_by)
        return self.summary

    def _train_epoch(self, progress: Progress) -> None:
        """The steps of one epoch, from `position` on."""
        step, network = self.stack.step, self.stack.network
        steps = np.arange(self.stack.train.steps) + (self.epoch - 1) * self.stack.train.steps
        factors = None
        if not is_constant(self.config.lr):
            factors = torch.from_numpy(self._factors(steps)).to(step.rates).unsqueeze(1)  # [steps, R]
        ramped = any(bool(scale.ramped.any()) for scale in network.scales)
        for batch in self.stack.train.epoch(self.epoch, self.position):
            if self.global_step == self.total:
                break
            if factors is not None:
                step.set_schedule(factors[self.position])
            if ramped:
                for scale in network.scales:
                    scale.advance(self.global_step / self.total)
            losses, weights = step(batch, self.global_step)
            self.history.add(losses, weights, batch.targets.present)
            self.position += 1
            self.global_step += 1
            if self.trainer.debug or self.position % CHECK_STEPS == 0:
                self._check_finite()
            progress.step(self.global_step, losses)
            if self.stopped_by:
                raise Interrupted(self.stopped_by)
        self._check_finite()

    def _factors(self, steps: np.ndarray) -> np.ndarray:
        """The schedule's factors on all rates at the given steps, counted from 0."""
        return schedule_factors(self.config.lr, steps, self.total, self.stack.train.steps)

    def _check_finite(self) -> None:
        """Raises TrainingError that names the first step and task whose loss is not finite."""
        losses = self.history.tensors()["loss"]
        bad = (~losses.isfinite()).nonzero()
        if len(bad):
            at, task = bad[0].tolist()
            step = self.global_step - len(losses) + at + 1
            raise TrainingError(
                f"diverged: the loss of {self.stack.network.tasks[task]} is {losses[at, task]:g} in step {step}"
            )
        if not bool(self.stack.step.flat.values.isfinite().all()):
            raise TrainingError(f"diverged: parameters are not finite after step {self.global_step}")

    def _evaluate(self, progress: Progress) -> None:
        """Figures of the epoch into the files; note the parameters if they are the best so far."""
        figures = self.stack.val()[0]
        for task, metric in self.selection.trivial:
            value = figures.get((task, metric), math.nan)
            if metric == "loss" and not math.isfinite(value):
                raise TrainingError(f"diverged: the loss of {task} on val is {value:g} after step {self.global_step}")
        figures = {key: value for key, value in figures.items() if math.isfinite(value)}
        train = self._train_figures()
        rows = [*train, *self._rows("val", figures)]
        self.writer.rows(rows)
        score = self.selection(figures)
        better = not self.best or score > self.best["score"]
        if better:
            self.best = {
                "score": score, "step": self.global_step, "epoch": self.epoch,
                "values": self.stack.step.flat.values.clone(),
                "figures": {f"val/{t}/{m}": v for (t, m), v in figures.items()}
                | {f"train/{t}/{m}": v for _, _, _, t, m, v in train if m == "loss"},
            }  # fmt: skip
        self.waited = 0 if better else self.waited + 1
        progress.evaluated(
            self.epoch, self.global_step, figures, self.selection.name, self.selection.sign * score, better
        )
        self.history = History()
        self.epoch, self.position = self.epoch + 1, 0
        if time.monotonic() - self.saved_at > CHECKPOINT_SECONDS:
            self._save()

    def _patience_over(self) -> bool:
        return self.trainer.patience is not None and self.waited >= self.trainer.patience

    def _finish(self) -> None:
        """Test figures of the selected checkpoint, the last files, the summary."""
        flat = self.stack.step.flat
        last = flat.values.clone()
        flat.values.copy_(self.best["values"])
        figures = self.stack.test()[0]
        rows = [(self.best["epoch"], self.best["step"], *row[2:]) for row in self._rows("test", figures)]
        self._save_best()
        flat.values.copy_(last)
        self._save()
        self.writer.rows(rows)
        final = self.best["figures"] | {f"test/{t}/{m}": v for (t, m), v in figures.items()}
        primary = [f"test/{t}/{target.primary}" for t, target in self.dataset.targets.items()]
        shown = {k: final[k] for k in dict.fromkeys([*primary, *final]) if k.startswith("test/") and k in final}
        self.writer.hyperparameters(self._hyperparameters(), shown)
        self._record("completed", None, final)

    # -------------------------------------------------- figures

    def _train_figures(self) -> list[Row]:
        """The epoch's mean losses and weights, the rates of its last step, and the norm of its last gradient."""
        past = self.history.tensors()
        count = past["present"].sum(0)
        losses = (past["loss"].double() * past["present"]).sum(0) / count
        weights = past["weight"].double().mean(0)
        factor = float(self._factors(np.array([self.global_step - 1]))[0])
        rates = self.stack.step.group_rates[0]
        key = (self.epoch, self.global_step, "train")
        rows: list[Row] = []
        for t, task in enumerate(self.stack.network.tasks):
            if count[t]:
                rows.append((*key, task, "loss", float(losses[t])))
            rows.append((*key, task, "weight", float(weights[t])))
            rows.append((*key, task, "rate", rates[task] * factor))
        rows.append((*key, "", "rate", rates["trunk"] * factor))
        rows.append((*key, "", "grad_norm", float(self.stack.step.gradient_norms[0])))
        # the square of a gradient may overflow where the gradient itself does not
        return [row for row in rows if math.isfinite(row[-1])]

    def _rows(self, split: str, figures: Figures) -> list[Row]:
        return [(self.epoch, self.global_step, split, task, metric, value) for (task, metric), value in figures.items()]

    # -------------------------------------------------- files

    def _save(self) -> None:
        """last.pt: all that the run needs to go on exactly; best.pt beside it."""
        step = self.stack.step
        checkpoint.save(self.folder / "checkpoints" / "last.pt", {
            "epoch": self.epoch, "position": self.position, "step": self.global_step, "waited": self.waited,
            "values": step.flat.values.clone(), "optimizer": step.optimizer.state(),
            # still to be logged, where the epoch's last step is done
            "gradient_norms": step.gradient_norms,
            "strategy": dict(step.strategy.named_buffers()), "history": self.history.tensors(),
            "best": self.best, "offset": self.writer.offset, "seconds": self._seconds(),
            "data_hash": self.dataset.hash,
        })  # fmt: skip
        self.saved_at = time.monotonic()

    def _restore(self, state: dict[str, Any]) -> None:
        step = self.stack.step
        self.epoch, self.position = state["epoch"], state["position"]
        self.global_step, self.waited, self.best = state["step"], state["waited"], state["best"]
        step.flat.values.copy_(state["values"])
        step.gradient_norms = state["gradient_norms"].to(self.stack.device)
        step.optimizer.load({k: v.to(self.stack.device) if v.dim() else v for k, v in state["optimizer"].items()})
        for name, buffer in step.strategy.named_buffers():
            buffer.copy_(state["strategy"][name])
        self.history = History({k: v.to(self.stack.device) for k, v in state["history"].items()} or None)
        if self.best:
            self.best["values"] = self.best["values"].to(self.stack.device)
        self.seconds_before = state["seconds"]

    def _save_best(self) -> None:
        """best.pt: the selected network, whose values are in place, and what turns raw columns into predictions."""
        tree = model_tree(self.stack) | {
            "step": self.best["step"],
            "epoch": self.best["epoch"],
            "by": self.selection.name,
        }
        checkpoint.save(self.folder / "checkpoints" / "best.pt", tree)

    def _hyperparameters(self) -> dict[str, Any]:
        """Settings for TensorBoard's table, which sorts its columns and shows a few: the core, and what was typed."""
        settings = _flatten(self.summary["settings"])
        typed = [line.split("=")[0] for line in self._overrides()]
        settings["seed"] = str(settings.get("seed"))  # a label, not a quantity
        return {k: settings[k] for k in dict.fromkeys(["loss", "lr", "graph", "seed", *typed]) if k in settings}

    def _overrides(self) -> list[str]:
        path = self.folder / ".hydra" / "overrides.yaml"
        return list(yaml.safe_load(path.read_text(encoding="utf-8")) or []) if path.exists() else []

    def _seconds(self) -> float:
        return self.seconds_before + time.monotonic() - self.started

    def _record(self, status: str, error: str | None, figures: dict[str, float] | None = None) -> None:
        """Write summary.json with this status."""
        best = {k: self.best[k] for k in ("step", "epoch")} | {"by": self.selection.name} if self.best else None
        if best is not None:
            best["value"] = self.selection.sign * self.best["score"]
        self.summary |= {
            "status": status, "error": error, "steps": self.global_step, "best": best,
            "figures": figures or {}, "seconds": self._seconds(), "memory": peak_memory(self.stack.device),
        }  # fmt: skip
        self.writer.summary(self.summary)

    @contextmanager
    def _signals(self) -> Iterator[None]:
        """Note SIGINT and SIGTERM, to be acted on after the current step."""

        def note(signum: int, frame: FrameType | None) -> None:
            self.stopped_by = signum

        try:
            before = {s: signal.signal(s, note) for s in (signal.SIGINT, signal.SIGTERM)}
        except ValueError:  # not in the main thread: whoever runs the thread handles signals
            yield
            return
        try:
            yield
        finally:
            for signum, handler in before.items():
                signal.signal(signum, handler)


def _flatten(tree: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    """Nested settings as they are typed: dotted keys, a group's option under the group's own name."""
    flat: dict[str, Any] = {}
    for key, value in tree.items():
        if isinstance(value, dict):
            flat |= _flatten(value, f"{prefix}{key}.")
        else:
            flat[prefix.rstrip(".") if key == "name" and prefix else f"{prefix}{key}"] = value
    return flat
