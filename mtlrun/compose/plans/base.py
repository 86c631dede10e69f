"""What a plan starts from: the composed request, and what several plans need to know of it."""

import functools
import math
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from mtlrun.config.schema import Config
from mtlrun.util.errors import RequestError, listing, nearest

if TYPE_CHECKING:
    import numpy as np

    from mtlrun.data.dataset import Dataset

Arm = dict[str, Any]
EVALUATIONS = 100  # of an arm with `equal_steps`: a small net on few rows is at its best for a few steps only


@dataclass(frozen=True)
class Base:
    """The request without its arms: `configs`, one for each seed, that differ in nothing else.

    plan: its name, for messages; given: the main task that the question is about, or None for the first one;
    notes: lines to print once, to which plans add
    """

    plan: str
    configs: Sequence[Config]
    given: str | None = None
    notes: list[str] = field(default_factory=list)

    @property
    def config(self) -> Config:
        """That of the first seed."""
        return self.configs[0]

    @property
    def tasks(self) -> list[str]:
        """All tasks that are trained."""
        return list(self.config.active)

    @property
    def main(self) -> list[str]:
        """The main tasks. RequestError where there is none."""
        found = [name for name, task in self.config.active.items() if task.role == "main"]
        if not found:
            raise RequestError(
                f"arms: {self.plan} asks about main tasks, and no task has role main\n"
                f"set one: tasks.{self.tasks[0]}.role=main"
            )
        return found

    @property
    def focus(self) -> str:
        """The main task that the question is about. RequestError where `focus` names another."""
        if self.given is None:
            return self.main[0]
        if self.given not in self.main:
            raise RequestError(
                f"focus: found {self.given!r}, which is no main task{nearest(self.given, self.main)}\n"
                f"allowed: {listing(self.main)}"
            )
        return self.given

    @property
    def others(self) -> list[str]:
        """The tasks whose labels may help the focus: all but adversarial ones. RequestError where there is none."""
        found = [
            n
            for n, task in self.config.active.items()
            if n != self.focus and task.role != "adversarial" and not task.reads_inputs
        ]
        if not found:
            raise RequestError(
                f"arms: {self.plan} needs a task beside {self.focus}, and there is none\n"
                "give the data option another task, or train more of its tasks with `only`"
            )
        return found

    @functools.cached_property
    def datasets(self) -> "list[Dataset]":
        """The data of every seed."""
        from mtlrun.data.dataset import load_dataset

        return [load_dataset(config) for config in self.configs]

    @functools.cached_property
    def standard(self) -> Config:
        """The request with seed 0, and so with its split where that follows the seed.

        What the data decide, numbers of steps and weights, is taken from there: with further seeds a plan makes the
        same arms again.
        """
        config, split = self.config, self.config.data.split
        if all(c.data.split.seed == c.seed for c in self.configs):
            split = replace(split, seed=0)
        return replace(config, seed=0, data=replace(config.data, split=split))

    @functools.cached_property
    def dataset(self) -> "Dataset":
        """The data of `standard`."""
        from mtlrun.data.dataset import load_dataset

        return load_dataset(self.standard)

    def several_tasks(self) -> None:
        """Raises RequestError where one task only is trained."""
        if len(self.tasks) < 2:
            raise RequestError(
                f"arms: {self.plan} compares tasks together and alone: there is {self.tasks[0]} only\n"
                "give the data option another task, or train more of its tasks with `only`"
            )

    # -------------------------------------------------- pieces of arms

    def select(self, *tasks: str) -> Arm:
        """What lets runs of these tasks select a checkpoint, where trainer.select names another task."""
        chosen = self.config.trainer.select
        return {"trainer.select": "skill"} if chosen in self.config.tasks and chosen not in tasks else {}

    def alone(self, tasks: Sequence[str]) -> Arm:
        """Single-task nets, one for each of the tasks; loss strategies mean nothing to them."""
        needed: Arm = {}
        for task in tasks:
            needed |= self.select(task)
        return {"only": ",".join(f"[{task}]" for task in tasks), "loss": "sum"} | needed

    def as_auxiliary(self) -> Arm:
        """The other tasks as auxiliary ones, in every arm, so that checkpoints are chosen by the focus."""
        roles = {f"tasks.{t}.role": "auxiliary" for t in self.others if self.config.tasks[t].role == "main"}
        return roles | self.select(self.focus)

    def equal_steps(self, fewest: int, all_rows: int) -> Arm:
        """Settings with which arms take equally many steps on batches of one size, whatever rows they train on.

        `fewest`: training rows of the arm that has the fewest, with any seed; `all_rows`: of the one that has all, with
        seed 0. Batches are as large as asked for, or `fewest`; the steps are those of the epochs asked for on all rows,
        or trainer.max_steps; no arm stops early. All are evaluated about 100 times, so that each chooses its
        checkpoint, by val, from as many. Epochs are as many as steps, more than any arm needs: how many may depend on
        the seeds.
        """
        trainer = self.config.trainer
        batch = min(trainer.batch_size, fewest)
        steps = trainer.epochs * (all_rows // batch)
        steps = min(steps, trainer.max_steps or steps)
        return {
            "trainer.batch_size": batch,
            "trainer.max_steps": steps,
            "trainer.patience": None,
            "trainer.epochs": steps,
            "trainer.evaluate_every": max(1, steps // EVALUATIONS),
        }

    def equal_budget(self, nets: Sequence[Sequence[str]]) -> Arm:
        """`equal_steps` where some of the nets, each of these tasks, find labels in fewer training rows than others and
        would take fewer steps an epoch; {} where all find as many."""
        rows = [[int(labelled(dataset, tasks).sum()) for tasks in nets] for dataset in self.datasets]
        if all(len(set(own)) == 1 for own in rows):
            return {}
        found = self.equal_steps(min(map(min, rows)), max(int(labelled(self.dataset, tasks).sum()) for tasks in nets))
        self.notes.append(
            f"tasks have labels in different rows: every net takes {found['trainer.max_steps']:,} steps "
            f"on batches of {found['trainer.batch_size']}, and none stops early"
        )
        return found

    # -------------------------------------------------- sizes

    def parameters(self, tasks: Sequence[str], scale: float = 1.0) -> int:
        """How many parameters a net of these tasks has, edges between them aside, with every hidden layer `scale` times
        as wide."""
        from mtlrun.data.dataset import classes
        from mtlrun.engine.memory import parameters
        from mtlrun.tasks import TYPES

        model, counts = self.config.net, classes(self.dataset)
        sized = replace(model, hidden=_scaled(model.hidden, scale), head_hidden=_scaled(model.head_hidden, scale))
        outputs = sum(TYPES[self.dataset.targets[t].type].outputs(counts[t]) for t in tasks)
        config = replace(self.config, only=list(tasks), model=sized)
        return parameters(config, self.dataset.spec.width, outputs)

    def widths(self, nets: Sequence[Sequence[str]], target: int) -> tuple[Arm, int]:
        """Hidden layers, each scaled alike, with which nets of these tasks have about `target` parameters together;
        and how many they have. ({}, their parameters) where no layer is hidden."""
        model = self.config.net

        def total(scale: float) -> int:
            return sum(self.parameters(tasks, scale) for tasks in nets)

        if not [*model.hidden, *model.head_hidden]:
            return {}, total(1.0)
        low, high = 1e-3, 1.0
        while total(high) < target:
            high *= 2
        for _ in range(40):
            middle = math.sqrt(low * high)
            low, high = (middle, high) if total(middle) < target else (low, middle)
        scale = min((low, high), key=lambda s: abs(total(s) - target))
        return self.scaled(scale), total(scale)

    def scaled(self, scale: float) -> Arm:
        """Every hidden layer `scale` times as wide, of one unit at least."""
        model = self.config.net
        found: Arm = {
            "model.hidden": _scaled(model.hidden, scale),
            "model.head_hidden": _scaled(model.head_hidden, scale),
        }
        return {key: value for key, value in found.items() if value}


def labelled(dataset: "Dataset", tasks: Sequence[str]) -> "np.ndarray":
    """Which training rows have a label, of weight above 0, in any of the tasks: a mask over `split.train`."""
    from mtlrun.data.dataset import trainable

    return trainable(replace(dataset, targets={task: dataset.targets[task] for task in tasks}))


def _scaled(widths: Sequence[int], scale: float) -> list[int]:
    return [max(1, round(scale * width)) for width in widths]
