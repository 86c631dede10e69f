"""The geometric mean of the losses."""

import torch
from torch import Tensor

from mtlrun.loss.base import StepInputs, Strategy
from mtlrun.loss.parts import floored


class Gls(Strategy):
    r"""Geometric loss strategy (Chennupati, Sistu, Yogamani & Rawashdeh, CVPR workshops 2019, eq. 3).

    .. math:: \Big(\prod_t L_t\Big)^{1/n}, \qquad w_t = \frac{1}{n\, L_t} \Big(\prod_i L_i\Big)^{1/n}

    over the n tasks that have a label in the batch. If one loss is multiplied by a number, all weighted gradients grow
    by the same factor and the direction stays.

    Changed from the paper: losses below 1e-12 count as 1e-12, since a loss of exactly 0 would make every weight
    infinite or nan. The paper's variant with exponents for focussed tasks is left out.
    """

    def weights(self, inputs: StepInputs) -> Tensor:
        logs = torch.log(floored(inputs.losses))
        if inputs.present is None:
            return torch.exp(logs.mean(1, keepdim=True) - logs) / logs.shape[1]
        here = inputs.present.to(logs)
        count = here.sum(1, keepdim=True).clamp_min(1)
        mean = (logs * here).sum(1, keepdim=True) / count
        return torch.exp((mean - logs) * here) * (here / count)
