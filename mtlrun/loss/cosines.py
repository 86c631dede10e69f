"""Cosines of the tasks' gradients: equal projections, and projections in random orders.

Cosines do not depend on the scales of the tasks: in a rank computed from them, a small gradient does not count as 0.
"""

import torch
from torch import Tensor

# Gramians come from float32 gradients: per task, numbers this small relative to 1 are rounding errors.
ROUNDING = torch.finfo(torch.float32).eps


def cosines_of(gramian: Tensor) -> tuple[Tensor, Tensor]:
    """Returns 1/‖g_t‖ `[R, T]` and the cosines C `[R, T, T]` of Gramians `[R, T, T]`; 0 for gradients that are 0."""
    inverse = torch.threshold(gramian.diagonal(dim1=1, dim2=2), 0.0, torch.inf).rsqrt_()
    return inverse, gramian * inverse.unsqueeze(1) * inverse.unsqueeze(2)


def rank_of(cosines: Tensor) -> Tensor:
    """Returns the ranks `[R, 1]`: the number of eigenvalues of C above T times float32's rounding."""
    return (torch.linalg.eigvalsh(cosines) > cosines.shape[1] * ROUNDING).sum(1, keepdim=True)


def equal_projections(cosines: Tensor) -> Tensor:
    """Returns x = C⁺1 / 1'C⁺1 `[R, T]`: Σ x_t u_t has equal projections onto all unit gradients u_t, if possible.

    Eigenvalues of C up to T times float32's rounding count as 0. At full rank 1'C⁺1 is at least 1. If it is not above
    that bound, positive multiples of the gradients sum to 0, and x = 0.
    """
    bound = cosines.shape[1] * ROUNDING
    values, vectors = torch.linalg.eigh(cosines)
    parts = vectors.sum(1) / torch.threshold(values, bound, torch.inf)  # Λ⁺V'1; V'1 of a gradient that is 0 is cut
    x = torch.bmm(vectors, parts.unsqueeze(2)).squeeze(2)
    return x / torch.threshold(x.sum(1, keepdim=True), bound, torch.inf)


def random_orders(size: list[int], generator: torch.Generator) -> Tensor:
    """Draws for each of T tasks a random order of the others: `[…, T, T − 1]` int64, for `size` `[…, T, T]`."""
    tasks = size[-1]
    keys = torch.rand(size, generator=generator).masked_fill_(torch.eye(tasks, dtype=torch.bool), 2.0)  # itself: last
    return keys.argsort(-1)[..., : tasks - 1]


def in_orders(cosines: Tensor, order: Tensor) -> tuple[Tensor, Tensor]:
    """Sorts the cosines by the tasks' `order` `[R, T, T − 1]`.

    Returns `[R, i, k]`, the cosine of task i with the k-th task in its order, and `[R, i, k, l]`, the cosine of the
    k-th with the l-th task in the order of i if l > k, else 0.
    """
    runs, tasks = order.shape[:2]
    pairs = (order * tasks).unsqueeze(3) + order.unsqueeze(2)
    between = cosines.view(runs, -1).gather(1, pairs.view(runs, -1)).view(pairs.shape)
    return cosines.gather(2, order), between.triu_(1)


def out_of_orders(added: Tensor, order: Tensor, gramian: Tensor, inverse: Tensor) -> Tensor:
    """Returns the weights `[R, T]` of Σ_i ‖g_i‖ (u_i + Σ_k a_ik u_order(i,k)), for a = `added` `[R, T, T − 1]`."""
    # not scatter_add_: its order of addition on a GPU varies
    table = torch.zeros_like(gramian).scatter_(2, order, added)
    lengths = gramian.diagonal(dim1=1, dim2=2).sqrt()
    return 1 + torch.bmm(lengths.unsqueeze(1), table).squeeze(1) * inverse
