"""Trace norm of the tasks' stacked weights."""

from collections.abc import Mapping

import torch
from torch import Tensor

from mtlrun.sharing.tied import Tied

RANK_FROM = 0.1  # singular values count from this share of the largest


class TraceNorm(Tied):
    """Trace norm (Argyriou, Evgeniou & Pontil 2007; of deep nets: Yang & Hospedales, ICLR workshop 2017): Ω of a layer
    is the sum of the singular values of the T × (in · out) matrix whose rows are the tasks' weights. It favours low
    rank: few patterns for all tasks. Proximal step: singular values σ become (σ − rate · strength)₊.

    Computed from the smaller of the matrix's two Gramians in float64, whose eigenvalues are σ².
    """

    def proximal(self, weight: Tensor, rates: Tensor) -> None:
        rows = weight.flatten(2).double()  # [R, T, in·out]
        tall = rows.shape[1] > rows.shape[2]
        squares, vectors = torch.linalg.eigh(gramian(rows))
        sigma = squares.clamp(min=0).sqrt()
        amounts = (rates * self.strength).double().unsqueeze(1)
        kept = torch.where(sigma > amounts, 1 - amounts / sigma, 0.0)
        filtered = (vectors * kept.unsqueeze(1)) @ vectors.mT
        shrunk = rows @ filtered if tall else filtered @ rows
        # a strength of 0 changes no bit
        weight.copy_(torch.where(amounts.unsqueeze(2) == 0, rows, shrunk).view(weight.shape))

    def figures_of(self, weights: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """`rank_LAYER`: the number of singular values above a tenth of the largest."""
        found = {}
        for name, weight in weights.items():
            sigma = torch.linalg.eigvalsh(gramian(weight.flatten(2).double())).clamp(min=0).sqrt()  # ascending
            found[f"rank_{name}"] = (sigma > RANK_FROM * sigma[:, -1:]).sum(1).float()
        return found


def gramian(rows: Tensor) -> Tensor:
    """Returns the smaller of M Mᵀ and Mᵀ M for M `[R, T, D]`.

    A run with numbers that are not finite gets the identity: their decomposition would fail, for all runs.
    """
    products = rows.mT @ rows if rows.shape[1] > rows.shape[2] else rows @ rows.mT
    finite = products.isfinite().all(2).all(1).view(-1, 1, 1)
    return torch.where(finite, products, torch.eye(products.shape[1]).to(products))
