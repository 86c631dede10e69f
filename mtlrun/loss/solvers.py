"""Solvers of small convex problems on Gramians. Every function solves a batch: `[..., T, T]`, any leading axes.

`conditioned` changes the coordinates so that every task's gradient has length 1, and makes the matrix positive
definite. T sets the number of iterations. On the CPU, where reading a number costs no wait, a solver stops as soon as
further iterations would change nothing in any problem of the batch.
"""

from functools import lru_cache

import torch
from torch import Tensor

SHIFTS = (1e-6, 1e-5, 1e-4, 1e-3)
LAST = 1e-9  # if a Newton step has this size relative to x, the next one has its square: below float64's rounding
RESTING = 24  # steps of `balanced` after the ramp, for up to 10 tasks
FEW = 6  # for at most this number of tasks, all 2^T sets of active tasks are tried


def conditioned(gramian: Tensor, here: Tensor) -> tuple[Tensor, Tensor]:
    """Returns M `[..., T, T]`, the Gramian of the unit gradients made positive definite, and the lengths `[..., T]`.

    For tasks that are not `here` `[..., T]`, the rows and columns are those of the identity and the length is 1.

    M is the matrix of cosines with 1e-6 added to its diagonal of ones. That is as if each gradient had an additional
    component of 1e-3 of its length, orthogonal to everything else. It is needed because gradients in float32 give a
    Gramian that is exact to about 1e-6 and may have eigenvalues below 0. If 1e-6 is not twice as large as the most
    negative one (with 10⁵ parameters and linearly dependent gradients), the first of 1e-5, 1e-4, 1e-3 that is takes its
    place. The functions below are exact for M. The shift is relative to each task and not to the trace: if lengths
    differ by 10⁶, 1e-12 of the trace is as large as the square of the short gradient.
    """
    lengths = torch.where(here, gramian.diagonal(dim1=-2, dim2=-1), 1.0).sqrt()
    inverse = 1 / lengths
    unit = gramian * inverse.unsqueeze(-1) * inverse.unsqueeze(-2)
    unit = 0.5 * (unit + unit.mT)  # a product in float32 is symmetric to its last digits only
    unit.diagonal(dim1=-2, dim2=-1).fill_(1.0)
    shifts, halves = _shifts(here.shape[-1], gramian.device)
    info = torch.linalg.cholesky_ex(unit.unsqueeze(-3) + halves)[1]  # [..., shifts]
    shift = torch.where(info == 0, shifts, SHIFTS[-1]).amin(-1)
    unit.diagonal(dim1=-2, dim2=-1).add_(shift.unsqueeze(-1))
    return unit, lengths


def nonnegative(m: Tensor, q: Tensor) -> Tensor:
    """Returns the x ≥ 0 `[..., T]` that minimises ½ xᵀMx + qᵀx, for M `[..., T, T]` positive definite, diagonal near 1.

    At the minimum x ≥ 0, z = Mx + q ≥ 0 and x·z = 0. So a set of active tasks determines it: they have x > 0, the
    others z > 0. Up to FEW tasks all sets are tried; for more, `_path` finds the set.
    """
    if q.shape[-1] <= FEW:
        sets = _sets(q.shape[-1], q.device)
        found = _complementary(m.unsqueeze(-3), q.unsqueeze(-2).unsqueeze(-1), sets).squeeze(-1)  # [..., 2^T, T]
        return _best(found, sets)
    active = _path(m, q, torch.ones_like(q), None)
    # ties within rounding may have been taken in the wrong order
    active = active ^ (_complementary(m, q.unsqueeze(-1), active).squeeze(-1) < 0)
    return torch.where(active, _complementary(m, q.unsqueeze(-1), active).squeeze(-1), 0.0).clamp(min=0)


def max_min(m: Tensor, q: Tensor, d: Tensor, radius: Tensor) -> Tensor:
    """Returns x ≥ 0 `[..., T]` with Mx + q ≥ λd, equal where x > 0, for the largest λ with xᵀMx ≤ radius².

    d ≥ 0 is `[..., T]`, radius `[..., 1]`. With q = Gb in the coordinates of `conditioned` and d = 1 / lengths, x holds
    the dual variables of this problem: among vectors within `radius` of Jᵀb, find the one whose least product with a
    gradient is largest.
    """
    if q.shape[-1] <= FEW:
        sets = _sets(q.shape[-1], q.device)
        found = _on_sphere(m.unsqueeze(-3), q.unsqueeze(-2), d.unsqueeze(-2), radius.unsqueeze(-2), sets)
        x = _best(found, sets)
    else:
        active = _path(m, q, d, radius)
        active = active ^ (_on_sphere(m, q, d, radius, active) < 0)
        x = torch.where(active, _on_sphere(m, q, d, radius, active), 0.0).clamp(min=0)
    # rounding is of the size of q: a radius below it is exceeded, and one of 0 leaves a set that means nothing
    norm = (x * (m @ x.unsqueeze(-1)).squeeze(-1)).sum(-1, keepdim=True).clamp(min=0).sqrt()
    return x * torch.where(norm > radius, radius / norm, 1.0)


def bargained(m: Tensor) -> Tensor:
    """Returns x > 0 `[..., T]` with Mx = 1 / x, the minimum of ½ xᵀMx − Σ log x, for M of `conditioned`.

    Newton's method. Let u be the step relative to x. An element that grows becomes x (1 + u), one that shrinks becomes
    x / (1 − u). So x stays positive without a line search. Each iteration first multiplies x by √(T / xᵀMx), the best
    factor for all elements.
    """
    tasks, eye = m.shape[-1], _eye(m.shape[-1], m.device)
    mx = m.sum(-1)
    x = torch.ones_like(mx)
    for _ in range(12 if tasks <= FEW else 32):  # measured: at most 10, 14 for 10 tasks, 28 for 40
        scale = (tasks / (x * mx).sum(-1, keepdim=True)).sqrt()
        x, mx = x * scale, mx * scale
        z = 1 / x
        step = torch.linalg.solve_ex(torch.addcmul(m, eye, (z * z).unsqueeze(-2)), (z - mx).unsqueeze(-1))[0]
        u = step.squeeze(-1) * z
        x = torch.where(u > 0, x + step.squeeze(-1), x / (1 - u.clamp(max=0)))
        if _settled(u.abs() < LAST):
            break
        mx = (m @ x.unsqueeze(-1)).squeeze(-1)
    return x


def balanced(m: Tensor, lengths: Tensor, power: Tensor, ramp: int) -> Tensor:
    """Returns x > 0 `[..., T]` with Mx = lengths^(power − 1) x^(−power), for M of `conditioned`, power > 0 `[..., 1]`.

    The method is that of `bargained`, which solves the case of power 1. Newton's method finds a solution from the
    solution for a nearby power, so for powers far from 1 the first `ramp` steps lead there from 1. `ramp` is 0 for
    powers from ½ to 2, 28 from 0.2 to 5, 52 from 0.1 to 10 (measured, also with lengths that differ by 10⁶).
    """
    eye = _eye(m.shape[-1], m.device)
    steps = ramp + (RESTING if m.shape[-1] <= 10 else 60)  # measured: at most 23 for 10 tasks, 52 for 40
    share = torch.arange(steps, dtype=m.dtype, device=m.device) / ramp if ramp else torch.ones(steps).to(m)
    p = 1 + share.clamp(max=1).view(-1, *[1] * power.dim()) * (power - 1)  # [steps, ..., 1]
    c = (lengths.log() * (p - 1)).exp()
    mx = m.sum(-1)
    x = torch.ones_like(mx)
    cases = zip(p, -p, 1 - p, 1 / (1 + p), -1 / p, c, strict=True)
    for i, (power, down, flat, grow, back, c) in enumerate(cases):
        scale = ((c * x**flat).sum(-1, keepdim=True) / (x * mx).sum(-1, keepdim=True)) ** grow
        x, mx = x * scale, mx * scale
        z = c * x**down
        hessian = torch.addcmul(m, eye, (power * z / x).unsqueeze(-2))
        u = torch.linalg.solve_ex(hessian, (z - mx).unsqueeze(-1))[0].squeeze(-1) / x
        x = x * torch.where(u > 0, 1 + u, (1 - power * u.clamp(max=0)) ** back)
        if i >= ramp and _settled(u.abs() < LAST):
            break
        mx = (m @ x.unsqueeze(-1)).squeeze(-1)
    return x


def _settled(done: Tensor) -> bool:
    """Returns whether all problems are done; always False on another device than the CPU, as asking it would wait."""
    return done.device.type == "cpu" and bool(done.all())


# ---------------------------------------------------------------- sets of active tasks


@lru_cache
def _eye(tasks: int, device: torch.device) -> Tensor:
    return torch.eye(tasks, dtype=torch.float64, device=device)


@lru_cache
def _shifts(tasks: int, device: torch.device) -> tuple[Tensor, Tensor]:
    """Returns SHIFTS as a tensor, and the identity times half of each shift, `[shifts, T, T]`."""
    shifts = torch.tensor(SHIFTS, dtype=torch.float64, device=device)
    return shifts, 0.5 * shifts[:, None, None] * _eye(tasks, device)


@lru_cache
def _sets(tasks: int, device: torch.device) -> Tensor:
    """Returns all sets of tasks, `[2^T, T]` bool."""
    return (torch.arange(2**tasks).unsqueeze(1) >> torch.arange(tasks) & 1).bool().to(device)


def _complementary(m: Tensor, rhs: Tensor, active: Tensor) -> Tensor:
    """Solves z = Mx + rhs, z = 0 for active tasks, x = 0 for the others: their x and z in one `[..., T, k]`."""
    basis = torch.where(active.unsqueeze(-2), -m, _eye(m.shape[-1], m.device))
    return torch.linalg.solve_ex(basis, rhs)[0]


def _on_sphere(m: Tensor, q: Tensor, d: Tensor, radius: Tensor, active: Tensor) -> Tensor:
    """Solves z = Mx + q − λd as `_complementary` does, `[..., T]`, for the larger λ with xᵀMx = radius²."""
    both = torch.stack([q, d], -1)  # [..., T, 2]
    found = _complementary(m, both, active)
    # x = found_q − λ found_d on the active tasks, and xᵀMx = xᵀ(λd − q)
    products = torch.where(active.unsqueeze(-1), found, 0.0).mT @ both  # [..., 2, 2]
    cc, bb, aa = -products[..., 0, 0], -products[..., 0, 1], -products[..., 1, 1]
    aa = aa.clamp(min=torch.finfo(aa.dtype).tiny)  # no active task: λ is infinite, except at radius 0
    root = (bb * bb - aa * (cc - radius.squeeze(-1).square())).clamp(min=0).sqrt()
    return found[..., 0] - ((bb + root) / aa).unsqueeze(-1) * found[..., 1]


def _best(found: Tensor, sets: Tensor) -> Tensor:
    """Returns x `[..., T]` of the set of active tasks for which neither x nor z is below 0, from `[..., 2^T, T]`."""
    at = found.amin(-1).argmax(-1)  # [...]
    x = found.gather(-2, at[..., None, None].expand(*at.shape, 1, found.shape[-1])).squeeze(-2)
    return torch.where(sets[at], x, 0.0).clamp(min=0)


def _path(m: Tensor, q: Tensor, d: Tensor, radius: Tensor | None) -> Tensor:
    """Returns which tasks are active, `[..., T]` bool, at the end of the path of solutions of z = Mx + q − λd over λ.

    The path starts where all x are 0. λ rises until it is 0, or until xᵀMx = radius². Between breakpoints solutions are
    linear in λ; at a breakpoint one task becomes active or inactive (parametric principal pivoting: Cottle 1972;
    Cottle, Pang & Stone 1992).

    The state is M with q and d as two more rows and columns. A symmetric sweep, one product of a column with itself,
    pivots it at each breakpoint. For active tasks A and others N it then holds −M_AA⁻¹, M_AA⁻¹M_AN and the Schur
    complement of N. All breakpoints can be read from its last two columns, and xᵀMx from its corner. `sign` is +1 for
    an inactive and −1 for an active task; it is subtracted from the stored diagonal, so that all pivots follow one
    formula. Row T is 0: a path that has ended pivots there without effect.
    """
    tasks, shape = q.shape[-1], q.shape
    size, last = tasks + 3, tasks + 2
    m, q, d = m.expand(*shape, tasks).reshape(-1, tasks, tasks), q.reshape(-1, tasks), d.reshape(-1, tasks)
    paths = len(q)
    c = m.new_zeros(paths, size, size)
    c[:, :tasks, :tasks] = m - _eye(tasks, m.device)
    c[:, :tasks, last - 1], c[:, last - 1, :tasks] = q, q
    c[:, :tasks, last], c[:, last, :tasks] = d, d
    rows, values, slopes = c.view(-1, size), c[:, : tasks + 1, last - 1], c[:, : tasks + 1, last]
    qq, qd, dd = c[:, last - 1, last - 1, None], c[:, last - 1, last, None], c[:, last, last, None]
    sign, least = torch.ones_like(slopes), 1e-12 * slopes
    first = torch.arange(0, paths * size, size, device=c.device).unsqueeze(1)
    never = torch.full((tasks + 1,), torch.inf, dtype=c.dtype, device=c.device)
    if radius is None:
        never[tasks] = 0.0  # the path ends at λ = 0
    else:
        square = radius.reshape(-1, 1).square()
    # measured: at most 26 for 8 tasks, 46 for 10, 102 for 16, 143 for 24, 235 for 40, of gradients on a moment curve
    for _ in range(4 * tasks + 6 if tasks <= 8 else 8 * tasks):
        at, k = torch.where(sign * slopes > least, values / slopes, never).min(1, keepdim=True)  # [B, 1]
        if radius is not None:
            inside = (at * (2 * qd - at * dd) - qq < square) & at.isfinite()
            k = torch.where(inside, k, tasks)
        if _settled(k == tasks):
            break
        row = rows.index_select(0, (first + k).squeeze(1))  # [B, size]
        own = sign.gather(1, k)
        scaled = row / (row.gather(1, k) + own)
        sign.scatter_(1, k, -own)
        c.baddbmm_(row.unsqueeze(2), scaled.unsqueeze(1), alpha=-1)
    return (sign[:, :tasks] < 0).view(shape)
