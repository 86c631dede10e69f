"""The input of a plan: the composed request, its tasks and data, and parts of arms."""

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
    """The request without its arms.

    plan: the name of the plan, for messages
    configs: one for each seed, otherwise equal
    given: the main task that the plan asks about; None: the first one
    notes: lines to print once; plans append to them
    """

    plan: str
    configs: Sequence[Config]
    given: str | None = None
    notes: list[str] = field(default_factory=list)

    @property
    def config(self) -> Config:
        """The configuration of the first seed."""
        return self.configs[0]

    # -------------------------------------------------- tasks

    @property
    def tasks(self) -> list[str]:
        """All tasks that are trained."""
        return list(self.config.active)

    @property
    def main(self) -> list[str]:
        """The main tasks. Raises RequestError if there is none."""
        found = [name for name, task in self.config.active.items() if task.main]
        if not found:
            raise RequestError(
                f"arms: {self.plan} asks about main tasks, and no task has role main\n"
                f"set one: tasks.{self.tasks[0]}.role=main"
            )
        return found

    @property
    def focus(self) -> str:
        """The main task that the plan asks about. Raises RequestError if `focus` names no main task."""
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
        """The other tasks, whose labels may help the focus. Raises RequestError if there is none.

        Adversarial tasks and tasks that reconstruct the inputs are left out.
        """
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
        """Raises RequestError if only one task is trained."""
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
        """The configuration with seed 0, and with the split of seed 0 if the split follows the seed.

        A plan takes numbers of steps and weights from the data of this configuration. So it makes the same arms if
        seeds are added.
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
        """`trainer.select=skill` if trainer.select names a task that is not among `tasks`, else nothing."""
        chosen = self.config.trainer.select
        return {"trainer.select": "skill"} if chosen in self.config.tasks and chosen not in tasks else {}

    def alone(self, tasks: Sequence[str]) -> Arm:
        """Single-task nets, one for each of the tasks. The loss is sum, because a strategy needs several tasks."""
        needed: Arm = {}
        for task in tasks:
            needed |= self.select(task)
        return {"only": ",".join(f"[{task}]" for task in tasks), "loss": "sum"} | needed

    def as_auxiliary(self) -> Arm:
        """Makes the other tasks auxiliary, so that the focus alone selects checkpoints."""
        roles = {f"tasks.{t}.role": "auxiliary" for t in self.others if self.config.tasks[t].main}
        return roles | self.select(self.focus)


def _load(config: Config) -> "Dataset":
    from mtlrun.data.dataset import load_dataset  # loads pandas, only for plans that need the data

    return load_dataset(config)
