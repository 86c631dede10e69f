"""Aligned gradients."""

import torch
from torch import Tensor

from mtlrun.loss.base import StepInputs, StrategySetup
from mtlrun.loss.cosines import cosines_of, rank_of
from mtlrun.loss.gramian import GramianStrategy


class AlignedMtl(GramianStrategy):
    r"""Independent component alignment (Senushkin, Patakin, Kuznetsov & Konushin, CVPR 2023, algorithm 1).

    All principal components of the gradients get the length of the shortest one. Their matrix is then perfectly
    conditioned. Tasks count equally:

    .. math:: \alpha = \sqrt{\lambda_{min}}\; V \Lambda^{-1/2} V^\top \frac{\mathbf{1}}{n}, \qquad G = V \Lambda V^\top

    n is the number of tasks with a gradient, λ_min the smallest eigenvalue above 0. The weights depend on how a
    task's loss is scaled. LibMTL's code has no 1/n, so its step is n times as long.

    Changed from the paper: which eigenvalues count as 0. The paper, like torchjd, takes those up to T ε λ_max, with ε
    the rounding of the dtype. Here the matrix of cosines gives the rank: the number of its eigenvalues above T times
    float32's rounding. The largest eigenvalues of G up to that rank are kept if they exceed T ε λ_max with ε of
    float64. So a small gradient does not count as 0, and a rounding error does not count as a component.
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
        lengths = (smallest / values).sqrt_().masked_fill_(~kept, 0.0)  # new over old lengths of the components
        tasks = here.sum(1, keepdim=True).clamp_min_(1)
        # a task without a gradient only has components that are not kept
        return torch.bmm(vectors, (lengths * vectors.sum(1)).unsqueeze(2)).squeeze(2) / tasks
