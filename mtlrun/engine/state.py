"""How far the training of a stack is, and the same as a checkpoint holds it."""

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from torch import Tensor

from mtlrun.engine.history import History
from mtlrun.engine.member import Member
from mtlrun.engine.stack import Stack
from mtlrun.results.environment import peak_memory


class TrainingState:
    """All that changes while a stack trains: what a checkpoint holds.

    members: what belongs to each run alone; total: the steps of a whole training; epoch: from 1; position: steps taken
    in this epoch; step: steps taken in all; best_values: the parameters `[R, P]` of each run's best evaluation
    """

    def __init__(self, stack: Stack, members: Sequence[Member]) -> None:
        self.stack, self.members = stack, list(members)
        trainer = stack.configs[0].trainer
        self.total = trainer.epochs * stack.train.steps
        if trainer.max_steps is not None:
            self.total = min(self.total, trainer.max_steps)
        self.epoch, self.position, self.step = 1, 0, 0
        self.history = History()
        self.best_values = stack.step.flat.values.clone()
        self.seconds_before, self.started = 0.0, time.monotonic()

    @property
    def running(self) -> list[Member]:
        """The members that have not ended."""
        return [member for member in self.members if not member.ended]

    @property
    def seconds(self) -> float:
        """Wall time so far."""
        return self.seconds_before + time.monotonic() - self.started

    def steps_of_epoch(self) -> np.ndarray:
        """The numbers of the steps of this epoch, counted from 0 over all epochs."""
        steps = self.stack.train.steps
        return np.arange(steps) + (self.epoch - 1) * steps

    def clear_history(self) -> None:
        """An evaluation is over."""
        self.history = History()

    def keep_best(self, better: Tensor) -> None:
        """Note the parameters as the best so far for the runs that are `better` `[R]`."""
        chosen = better.to(self.best_values.device).unsqueeze(1)
        torch.where(chosen, self.stack.step.flat.values, self.best_values, out=self.best_values)

    @contextmanager
    def selected(self) -> Iterator[None]:
        """While this lasts, the network is that of each run's best evaluation."""
        values = self.stack.step.flat.values
        last = values.clone()
        values.copy_(self.best_values)
        try:
            yield
        finally:
            values.copy_(last)

    def record(
        self, member: Member, status: str, error: str | None = None, figures: dict[str, float] | None = None
    ) -> None:
        """Write summary.json with this status, as far as the member's folder takes it."""
        member.summary |= {
            "status": status,
            "error": error,
            "steps": self.step,
            "best": member.selected_summary(),
            "figures": figures or {},
            "seconds": self.seconds / len(self.members),
            "memory": peak_memory(self.stack.device),
        }
        with member.writing():
            member.files.summary(member.summary)

    def record_interrupted(self) -> None:
        """Write so in the summaries of the runs that have not ended."""
        for member in self.running:
            self.record(member, "interrupted")

    def share_seconds(self) -> None:
        """Write each run's wall time, that of the stack divided by the number of runs, now that it is known."""
        for member in self.members:
            if member.writer is not None and len(self.members) > 1:
                member.summary["seconds"] = self.seconds / len(self.members)
                with member.writing():
                    member.writer.summary(member.summary)

    # -------------------------------------------------- in a checkpoint

    def tree(self) -> dict[str, Any]:
        """All that the stack needs to go on exactly, as tensors and plain values."""
        step = self.stack.step
        return {
            "epoch": self.epoch,
            "position": self.position,
            "step": self.step,
            "columns": step.columns(),
            "values": step.flat.values.clone(),
            "best_values": self.best_values.clone(),
            "optimizer": step.optimizer.state,
            "strategy": step.strategy.state(),
            # still to be logged, where the epoch's last step is done
            "gradient_norms": step.gradient_norms(),
            "history": self.history.tree(),
            "members": [member.tree() for member in self.members],
            "seconds": self.seconds,
            "data_hash": self.stack.datasets[0].hash,
            "inputs": self.stack.network.encoder.state_dict(),  # perhaps another run's, see transfer.py
        }

    def restore(self, tree: dict[str, Any]) -> None:
        """Take over what `tree` returned."""
        step, device = self.stack.step, self.stack.device
        self.epoch, self.position, self.step = tree["epoch"], tree["position"], tree["step"]
        sizes, names = tree["columns"], step.columns()

        def in_order(tensor: Tensor) -> Tensor:
            # a part of a stack of mixed strategies may have fewer of them
            columns = dict(zip(sizes, tensor.split(list(sizes.values()), 1), strict=True))
            return torch.cat([columns[name] for name in names], 1)

        step.flat.values.copy_(in_order(tree["values"]))
        self.best_values.copy_(in_order(tree["best_values"]))
        step.norms = tree["gradient_norms"].to(device)
        moments = tree["optimizer"].items()
        step.optimizer.load({name: in_order(value) if value.dim() else value for name, value in moments})
        for name, value in step.strategy.state().items():
            value.copy_(tree["strategy"][name])
        self.history = History.from_tree(tree["history"], device)
        for member, saved in zip(self.members, tree["members"], strict=True):
            member.restore(saved)
        self.seconds_before = tree["seconds"]


def part_of(tree: dict[str, Any], runs: slice) -> dict[str, Any]:
    """What a checkpoint holds of some runs of a stack, as that of a stack of their own."""

    def cut(tensors: dict[str, Tensor]) -> dict[str, Tensor]:
        return {k: v[runs].clone() if v.dim() else v for k, v in tensors.items()}

    return (
        tree
        | cut({k: tree[k] for k in ("values", "best_values", "gradient_norms")})
        | {
            "optimizer": cut(tree["optimizer"]),
            "strategy": cut(tree["strategy"]),
            "inputs": cut(tree.get("inputs", {})),
            "history": {k: v[:, runs].clone() for k, v in tree["history"].items()},
            "members": tree["members"][runs],
        }
    )
