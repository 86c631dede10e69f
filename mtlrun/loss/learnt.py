"""Strategies with one learnt number for each task."""

from abc import abstractmethod
from typing import Any

import torch
from torch import Tensor, nn

from mtlrun.loss.base import Strategy, StrategySetup
from mtlrun.loss.parts import beyond_rounding


class Glance:
    """Reads a flag on the device without waiting, with a delay of some steps.

    True means that the flag is set. False means that it is not set, or that the host does not know yet. So it may only
    be used to skip work that would have no effect.
    """

    def __init__(self) -> None:
        self.copy: Tensor | None = None
        self.copied: torch.cuda.Event | None = None

    def __call__(self, flag: Tensor) -> bool:
        """`flag`: its current tensor."""
        if self.copy is None:
            self.copy = flag.to("cpu", non_blocking=True)
            if flag.is_cuda:
                self.copied = torch.cuda.Event()
                self.copied.record(torch.cuda.current_stream(flag.device))
        if self.copied is not None and not self.copied.query():
            return False
        known, self.copy = bool(self.copy), None
        return known


class LearntScale(Strategy):
    """A learnt parameter s `[R, T]` with the learning rate `loss.lr`.

    It starts at `loss.init`: a number, or first_batch: its optimum for the first batch in which the task has a label.
    If the first loss has no logarithm (0, or not finite), the task keeps s = 0 and waits for the next loss.
    """

    s: Tensor
    started: Tensor

    def __init__(self, setup: StrategySetup) -> None:
        super().__init__(setup)
        given = [self.start(c) for c in setup.configs]
        tasks = len(setup.tasks)
        self.s = nn.Parameter(torch.tensor([[g or 0.0] * tasks for g in given]))
        self.register_buffer("started", torch.tensor([[g is not None] * tasks for g in given]))
        self.waits, self.all_started = None in given, Glance()

    def taken_back(self) -> None:
        self.waits, self.all_started = True, Glance()

    def start(self, config: Any) -> float | None:
        """Returns the start of s of a run; None: its optimum."""
        return None if config.init == "first_batch" else float(config.init)

    @abstractmethod
    def optimum(self, losses: Tensor) -> Tensor:
        """Returns the best s for losses `[R, T]`; not finite for a loss of 0, such as that of a task without labels."""

    def rates(self) -> list[float]:
        return [c.lr for c in self.configs]

    def current(self, losses: Tensor) -> Tensor:
        """Returns the current s, detached. First starts the tasks that have their first labels in these losses."""
        s = self.s.detach()
        if self.waits:
            optimum = self.optimum(losses)
            fresh = (optimum.abs() < torch.inf) > self.started
            torch.where(fresh, optimum, s, out=s)
            self.started.logical_or_(fresh)
            self.waits = not self.all_started(self.started.all())
        return s

    def descent(self, gradient: Tensor, size: Tensor | float, present: Tensor | None) -> Tensor:
        """Returns the gradient of s: `gradient`, a difference of two numbers of size `size`, or 0 where it is rounding.

        It is rounding at the optimum, where a task starts: s is a float32, so e^s is exact to 1 + |s| units in the last
        place. The gradient is also 0 for a task without a label in the batch.
        """
        gradient = beyond_rounding(gradient, (1 + self.s.detach().abs()) * size)
        return gradient if present is None else torch.where(present, gradient, 0.0)


class LossScales(LearntScale):
    r"""A learnt s `[R, T]` that minimises :math:`\sum_t e^{s_t} L_t - s_t`. The optimum is :math:`e^{s} = 1/L`."""

    def optimum(self, losses: Tensor) -> Tensor:
        return -torch.log(losses)

    def scales(self, sign: int = 1) -> Tensor:
        """Returns e^s `[R, T]`, or e^(−s) for sign −1, limited to 1e-30 … 1e30 so that products stay within float32."""
        return torch.exp(sign * self.s.detach().clamp(-69.0, 69.0))

    def gradients(self, losses: Tensor, weights: Tensor, present: Tensor | None) -> list[Tensor]:
        """Returns d/ds (e^s L − s) = e^s L − 1, and 0 for a task without a label in the batch."""
        return [self.descent(self.scales() * losses - 1, 1.0, present)]
