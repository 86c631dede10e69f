"""Aligned gradients."""

import torch
from torch import Tensor

from mtlrun.loss.base import StepInputs, StrategySetup
from mtlrun.loss.cosines import cosines_of, rank_of
from mtlrun.loss.gramian import GramianStrategy


class AlignedMtl(GramianStrategy):
    r"""Independent component alignment (Senushkin, Patakin, Kuznetsov & Konushin, CVPR 2023, algorithm 1).

    The gradients' principal components get one length, that of the shortest, which makes their matrix perfectly
    conditioned; tasks count equally:

    .. math:: \alpha = \sqrt{\lambda_{min}}\; V \Lambda^{-1/2} V^\top \frac{\mathbf{1}}{n}, \qquad G = V \Lambda V^\top

    over the n tasks that are here, λ_min the smallest eigenvalue above 0. The weights depend on how a
    task's loss is scaled.

    LibMTL's code has no 1/n: a step of it is n times as long.

    Changed from the paper: what counts as 0. There, as in torchjd, eigenvalues up to T ε λ_max, ε the rounding of the
    dtype. Here as many eigenvalues are kept as the cosines of the gradients have above T times float32's rounding, and
    of them those above T ε λ_max with ε of float64: a small gradient is not taken for none, and rounding not for a
    component.
    """

    places: Tensor

    def __init__(self, setup: StrategySetup) -> None:
        super().__init__(setup)
        self.register_buffer("places", torch.arange(len(setup.tasks), 0, -1), persistent=False)  # T, …, 1

    def solve(self, gramian: Tensor, here: Tensor, inputs: StepInputs) -> Tensor:
        values, vectors = torch.linalg.eigh(gramian)  # ascending
        bound = len(self.tasks) * torch.finfo(values.dtype).eps * values[:, -1:]
        kept = (self.places <= rank_of(cosines_of(gramian)[1])) & (values > bound)
        smallest = values.masked_fill(~kept, torch.inf).amin(1, keepdim=True)
        lengths = (smallest / values).sqrt_().masked_fill_(~kept, 0.0)  # of the components, over what they were
        tasks = here.sum(1, keepdim=True).clamp_min_(1)
        # V'1 of a task that is away belongs to components that are not kept
        return torch.bmm(vectors, (lengths * vectors.sum(1)).unsqueeze(2)).squeeze(2) / tasks
