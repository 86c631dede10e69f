"""Trains a run of model=boosting: fits every task, chooses its iterations on val, writes the files."""

import math
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from torch import Tensor

from mtlrun.config.schema import as_mapping
from mtlrun.engine import calibration, checkpoint
from mtlrun.engine.boosting.fitting import Trees, fit, threads, tree_inputs
from mtlrun.engine.evaluate import Figures
from mtlrun.engine.measure import finite
from mtlrun.engine.member import Member
from mtlrun.engine.stack import Stack
from mtlrun.storage.environment import peak_memory
from mtlrun.storage.names import BEST, LAST
from mtlrun.storage.progress import Progress
from mtlrun.storage.writer import Row, RunWriter


def figures(stack: Stack, outputs: Mapping[str, np.ndarray], split: str) -> Figures:
    """Returns figures of every task on val or test from outputs [N, K]."""
    return finite((stack.val if split == "val" else stack.test).of_tasks(outputs))


class Boosting:
    """Trains a run of model=boosting, as `loop.Training` trains a stack of networks.

    There are no checkpoints during training: an interrupted run starts again. `ended` is called when the files are
    complete.
    """

    def __init__(
        self, stack: Stack, folder: Path, summary: dict[str, Any], ended: Callable[[list[Member]], None] | None = None
    ) -> None:
        (config,), (dataset,) = stack.configs, stack.datasets
        assert config.boosting is not None, "runs/stack_training.py decides"
        self.stack, self.on_end = stack, ended
        self.total, self.patience = stack.length.steps, stack.length.patience_steps
        writer = RunWriter(folder, config.trainer.tensorboard, primary=dataset.primary)
        self.member = Member(0, config, dataset, stack.selections[0], folder, summary, self.total, writer=writer)
        self.running = [self.member]
        self.started = time.monotonic()

    def train(self, progress: Progress) -> list[dict[str, Any]]:
        """Fits every task, chooses its iterations on val, evaluates test once, and returns the summary.

        KeyboardInterrupt is recorded and raised again.
        """
        try:
            with progress, threads(self.member.config):
                trees = {}
                for n, task in enumerate(self.stack.network.tasks):
                    progress.show(self.total * n // len(self.stack.network.tasks), f"boosting {task}")
                    trees[task] = fit(self.stack, task, self.total, self.patience)
                self._finish(trees, *self._course(trees))
        except KeyboardInterrupt:
            self._record({"status": "interrupted", "error": None})
            raise
        if self.on_end is not None:
            self.on_end([self.member])
        return [self.member.summary]

    def _course(self, trees: Mapping[str, Trees]) -> tuple[list[Row], dict[str, int], Figures]:
        """Returns rows of every iteration, the chosen iterations of each task, and figures on val after these.

        The chosen iterations are the first with the least loss on val, or all if val has no labels.
        """
        x = self._inputs(self.member.dataset.split.val)
        staged = {task: own.staged(x) for task, own in trees.items()}
        outputs: dict[str, np.ndarray] = {}
        rows: list[Row] = []
        chosen: dict[str, int] = {}
        best: Figures = {}
        for iteration in range(1, max(own.iterations for own in trees.values()) + 1):
            going = [task for task, own in trees.items() if iteration <= own.iterations]
            outputs |= {task: next(staged[task]) for task in going}
            found = figures(self.stack, outputs, "val")
            for task in going:
                own = {metric: value for (t, metric), value in found.items() if t == task}
                rows.append((iteration, iteration, "train", task, "loss", trees[task].train_losses[iteration - 1]))
                rows += [(iteration, iteration, "val", task, metric, value) for metric, value in own.items()]
                if "loss" not in own or own["loss"] < best.get((task, "loss"), math.inf):
                    chosen[task] = iteration
                    best |= {(task, metric): value for metric, value in own.items()}
        return rows, chosen, best

    def _finish(self, trees: Mapping[str, Trees], rows: list[Row], chosen: Mapping[str, int], best: Figures) -> None:
        """Evaluates test with the chosen iterations and writes all files."""
        stack, member = self.stack, self.member
        fitted = calibration.fit(stack, [0], self._selected(trees, chosen, "val"))[0]
        outputs = stack.test.scaled(self._selected(trees, chosen, "test"), stack.test.temperatures)
        test = finite(stack.test(outputs)[0] | calibration.on_test(stack, outputs, 0, fitted.calibration))
        before = {f"val/{task}/{metric}": value for (task, metric), value in best.items()}
        for line in calibration.temperature_lines(fitted.val, before):
            member.say(line)
        scaled = best | finite(fitted.val)
        temperatures = fitted.calibration.temperatures.items()
        rows += [(chosen[task], chosen[task], "val", task, "temperature", value) for task, value in temperatures]
        rows += [(chosen[task], chosen[task], "test", task, metric, value) for (task, metric), value in test.items()]
        final = {f"val/{task}/{metric}": value for (task, metric), value in scaled.items()}
        final |= {f"train/{task}/loss": own.train_losses[chosen[task] - 1] for task, own in trees.items()}
        final |= {f"test/{task}/{metric}": value for (task, metric), value in test.items()}
        last, steps = max(chosen.values()), max(own.iterations for own in trees.values())
        tree = {
            "config": as_mapping(member.config),
            "data_hash": member.dataset.hash,
            "step": steps,
            "iterations": dict(chosen),
            "losses": {t: value for (t, metric), value in best.items() if metric == "loss"},
            "calibration": fitted.calibration.to_plain(member.config.kept),
        }
        member.files.rows(rows)
        for name in (LAST, BEST):
            checkpoint.save(member.folder / name, tree)
        member.write_hyperparameters(final)
        selection = member.selection
        self._record(
            {
                "status": "completed",
                "error": None,
                "steps": steps,
                "figures": final,
                "best": {
                    "step": last,
                    "epoch": last,
                    "by": selection.name,
                    "value": selection.sign * selection(best),
                    "iterations": dict(chosen),
                },
            }
        )

    def _selected(self, trees: Mapping[str, Trees], chosen: Mapping[str, int], split: str) -> list[Tensor]:
        """Returns the outputs of each block on a split, after the chosen iterations; nothing if it is empty."""
        evaluation = self.stack.val if split == "val" else self.stack.test
        if evaluation.empty:
            return []
        x = self._inputs(getattr(self.member.dataset.split, split))
        return evaluation.in_blocks({task: _after(own.staged(x), chosen[task]) for task, own in trees.items()})

    def _inputs(self, rows: np.ndarray) -> np.ndarray:
        dataset = self.member.dataset
        return tree_inputs(dataset.spec, dataset.numeric[rows], dataset.codes[rows])

    def _record(self, known: dict[str, Any]) -> None:
        """Writes summary.json."""
        member = self.member
        spent = {"seconds": time.monotonic() - self.started, "memory": peak_memory(self.stack.device)}
        member.summary |= spent | known
        member.files.summary(member.summary)


def _after(staged: Iterator[np.ndarray], iterations: int) -> np.ndarray:
    """Returns the outputs after `iterations` iterations, at least one."""
    for _ in range(iterations - 1):
        next(staged)
    return next(staged)
