"""What a plan starts from: the composed request, what is known of its tasks and data, and pieces of arms."""

import functools
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from mtlrun.config.schema import Config
from mtlrun.util.errors import RequestError, listing, nearest

if TYPE_CHECKING:
    from mtlrun.data.dataset import Dataset

Arm = dict[str, Any]


@dataclass(frozen=True)
class PlanRequest:
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

    # -------------------------------------------------- tasks

    @property
    def tasks(self) -> list[str]:
        """All tasks that are trained."""
        return list(self.config.active)

    @property
    def main(self) -> list[str]:
        """The main tasks. RequestError where there is none."""
        found = [name for name, task in self.config.active.items() if task.main]
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
            if n != self.focus and not task.adversarial and not task.reads_inputs
        ]
        if not found:
            raise RequestError(
                f"arms: {self.plan} needs a task beside {self.focus}, and there is none\n"
                "give the data option another task, or train more of its tasks with `only`"
            )
        return found

    def several_tasks(self) -> None:
        """Raises RequestError where one task only is trained."""
        if len(self.tasks) < 2:
            raise RequestError(
                f"arms: {self.plan} compares tasks together and alone: there is {self.tasks[0]} only\n"
                "give the data option another task, or train more of its tasks with `only`"
            )

    # -------------------------------------------------- data

    @functools.cached_property
    def datasets(self) -> "list[Dataset]":
        """The data of every seed."""
        return [_load(config) for config in self.configs]

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
        return _load(self.standard)

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
        roles = {f"tasks.{t}.role": "auxiliary" for t in self.others if self.config.tasks[t].main}
        return roles | self.select(self.focus)


def _load(config: Config) -> "Dataset":
    from mtlrun.data.dataset import load_dataset  # pandas, for plans that ask about the data only

    return load_dataset(config)
