"""The state of a stack in training, and its form in a checkpoint."""

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
from mtlrun.storage.environment import peak_memory


class TrainingState:
    """The state of a stack in training. A checkpoint holds all of it.

    members: the state of each run; total: number of steps of the training; epoch: counted from 1; position: steps taken
    in this epoch; step: steps taken since the start; best_values: the parameters `[R, P]` at each run's best evaluation
    """

    def __init__(self, stack: Stack, members: Sequence[Member]) -> None:
        self.stack, self.members = stack, list(members)
        self.total = stack.length.steps
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
        """Wall time so far, in seconds."""
        return self.seconds_before + time.monotonic() - self.started

    def steps_of_epoch(self) -> np.ndarray:
        """The numbers of the steps of this epoch, counted from 0 over all epochs."""
        steps = self.stack.train.steps
        return np.arange(steps) + (self.epoch - 1) * steps

    def clear_history(self) -> None:
        """Clears the history after an evaluation."""
        self.history = History()

    def keep_best(self, better: Tensor) -> None:
        """Keeps the current parameters as the best of the runs that are `better` `[R]`."""
        chosen = better.to(self.best_values.device).unsqueeze(1)
        torch.where(chosen, self.stack.step.flat.values, self.best_values, out=self.best_values)

    @contextmanager
    def selected(self) -> Iterator[None]:
        """While this lasts, the network has the parameters of each run's best evaluation."""
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
        """Writes summary.json with this status. If its folder cannot be written, the member becomes `unwritable`."""
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
        """Records the runs that have not ended as interrupted."""
        for member in self.running:
            self.record(member, "interrupted")

    def share_seconds(self) -> None:
        """Writes each run's final wall time: that of the stack divided by the number of runs."""
        for member in self.members:
            if member.writer is not None and len(self.members) > 1:
                member.summary["seconds"] = self.seconds / len(self.members)
                with member.writing():
                    member.writer.summary(member.summary)

    # -------------------------------------------------- in a checkpoint

    def tree(self) -> dict[str, Any]:
        """Returns the state from which training resumes exactly, as tensors and plain values."""
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
            # not yet logged if the last step of the epoch is done
            "gradient_norms": step.gradient_norms(),
            "history": self.history.tree(),
            "members": [member.tree() for member in self.members],
            "seconds": self.seconds,
            "data_hash": self.stack.datasets[0].hash,
            "length": vars(self.stack.length),
            "inputs": self.stack.network.encoder.state_dict(),  # may come from another run, see transfer.py
        }

    def restore(self, tree: dict[str, Any]) -> None:
        """Restores the state that `tree` returned."""
        step, device = self.stack.step, self.stack.device
        self.epoch, self.position, self.step = tree["epoch"], tree["position"], tree["step"]
        sizes, names = tree["columns"], step.columns()

        def in_order(tensor: Tensor) -> Tensor:
            # part of a stack with mixed strategies may have fewer columns
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
    """Returns the checkpoint of some runs of a stack, as if they were a stack."""

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
