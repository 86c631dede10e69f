"""Learnt uncertainty."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from mtlrun.config import UncertaintyLossConfig
from mtlrun.loss.base import Strategy


class Uncertainty(Strategy):
    r"""Homoscedastic uncertainty weighting (Kendall, Gal & Cipolla, CVPR 2018, eq. 7 and 10).

    .. math:: \sum_t a_t\, e^{-s_t} L_t + c_t\, s_t

    with :math:`s_t = \log\sigma_t^2` learnt, and (a, c) = (½, ½) for a Gaussian likelihood (mse; (1, ½) for
    huber, which is half the square of a small error), (1, ½) for a classification loss, (1, 1) for a
    Laplace likelihood (l1), where :math:`s = \log b`. The optimum is :math:`e^{s} = aL/c`: σ² = MSE,
    σ² = 2 CE, b = MAE.

    Changed from the paper: s has a rate of its own (`loss.lr`), since at the network's it does not catch up
    with a loss of 10⁶; and it starts at its optimum for the first batch in which the task has a
    label (`loss.init=first_batch`; a number starts it there, 0 is the plain start).
    """

    started: Tensor
    a: Tensor
    c: Tensor

    def __init__(self, configs: Sequence[UncertaintyLossConfig], tasks: Sequence[str],
                 noise: Sequence[tuple[float, float]]) -> None:  # fmt: skip
        super().__init__(configs, tasks, noise)
        given = [c.init for c in configs]
        start = torch.tensor([[0.0 if isinstance(g, str) else g] * len(tasks) for g in given])
        self.s = nn.Parameter(start)
        self.register_buffer("started", torch.tensor([[not isinstance(g, str)] * len(tasks) for g in given]))
        self.register_buffer("a", torch.tensor([a for a, _ in noise]), persistent=False)
        self.register_buffer("c", torch.tensor([c for _, c in noise]), persistent=False)
        self.all_started = False

    def rates(self) -> list[float]:
        return [c.lr for c in self.configs]

    @torch.no_grad()
    def weights(self, losses: Tensor, present: Tensor | None) -> Tensor:
        if not self.all_started:
            self._start(losses, present)
        return self.a * torch.exp(-self.s)

    def _start(self, losses: Tensor, present: Tensor | None) -> None:
        """Set s of tasks that have their first labels to its optimum log(aL/c)."""
        here = torch.ones_like(self.started) if present is None else present
        # a first loss of exactly 0 (or beyond float32) has no logarithm to start from
        usable = here & (losses > 0) & losses.isfinite()
        optimum = torch.log(self.a * losses.clamp_min(torch.finfo(losses.dtype).tiny) / self.c)
        self.s.copy_(torch.where(usable & ~self.started, optimum, self.s))
        self.started |= usable
        self.all_started = bool(self.started.all())

    def gradients(self, losses: Tensor, weights: Tensor, present: Tensor | None) -> list[Tensor]:
        """d/ds (a e^(−s) L + c s) = c − wL; 0 for a task without a label in the batch."""
        gradient = self.c - weights * losses
        return [gradient if present is None else torch.where(present, gradient, 0.0)]
