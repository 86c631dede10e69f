"""Learnt scales of the losses, as IMTL-L and IMTL have them."""

import torch
from torch import Tensor

from mtlrun.loss.learnt import LearntScale


class LossScales(LearntScale):
    r"""s `[R, T]`, one per task, that descends along the gradient of :math:`\sum_t e^{s_t} L_t - s_t`; its optimum is
    :math:`e^{s} = 1/L`."""

    def optimum(self, losses: Tensor) -> Tensor:
        return -torch.log(losses)

    def scales(self, sign: int = 1) -> Tensor:
        """e^s `[R, T]`, or e^(−s), from 1e-30 to 1e30, so that nothing that is computed with it leaves float32."""
        return torch.exp(sign * self.s.detach().clamp(-69.0, 69.0))

    def gradients(self, losses: Tensor, weights: Tensor, present: Tensor | None) -> list[Tensor]:
        """d/ds (e^s L − s) = e^s L − 1; 0 for a task without a label in the batch."""
        gradient = self.scales() * losses - 1
        return [gradient if present is None else torch.where(present, gradient, 0.0)]
