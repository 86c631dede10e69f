"""Small convex problems on Gramians, many at once: every function takes any leading axes `[..., T, T]`.

The problems are written in coordinates in which every task's gradient has length 1, and for a matrix that is positive
definite, both by `conditioned`. The number of iterations is fixed by T; on the CPU, where to look at a number is no
wait, they end as soon as further ones would change nothing in any of the problems.
"""

from functools import lru_cache

import torch
from torch import Tensor

SHIFTS = (1e-6, 1e-5, 1e-4, 1e-3)
LAST = 1e-9  # a Newton step of this size relative to x is followed by one of its square, which float64 does not see
RESTING = 24  # steps of `balanced` at the power itself, for up to 10 tasks
FEW = 6  # up to so many tasks all sets of active tasks are tried, 2^T of them


def conditioned(gramian: Tensor, here: Tensor) -> tuple[Tensor, Tensor]:
    """A Gramian `[..., T, T]` in the coordinates of gradients of length 1, made positive definite; and the lengths
    `[..., T]`. Rows and columns of tasks that are not `here` `[..., T]` are those of the identity, their length is 1.

    Made positive definite by adding 1e-6 to its diagonal of ones, as if each gradient had a component of its own of
    1e-3 of its length, orthogonal to everything. Gradients are of float32, so that their Gramian is known to about
    1e-6, and may have eigenvalues below 0. Where 1e-6 does not outweigh them twice over (for lengths of 10⁵ numbers
    and linearly dependent gradients), it is the least of 1e-5, 1e-4, 1e-3 that does. What the functions below return
    is exact for this matrix. It is relative to each task, not to the trace: with lengths apart by 10⁶, 1e-12 of
    the trace would be as much as the short gradient itself.
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
    """The minimum of ½ xᵀMx + qᵀx over x ≥ 0, `[..., T]`; M `[..., T, T]` positive definite, of diagonal near 1.

    It is where x ≥ 0, z = Mx + q ≥ 0 and x·z = 0: one set of active tasks (x > 0, the others z > 0), which `_sets`
    tries or `_path` finds.
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
    """x ≥ 0 `[..., T]` with Mx + q ≥ λd, equal where x > 0, for the largest λ at which xᵀMx ≤ radius²; d ≥ 0
    `[..., T]`, radius `[..., 1]`.

    Where q = Gb in the coordinates of `conditioned`, d = 1 / lengths: the dual variables of the vector within `radius`
    of Jᵀb that has the largest least product with the gradients.
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
    """x > 0 `[..., T]` with Mx = 1 / x, M as above: the minimum of ½ xᵀMx − Σ log x.

    Newton's method. A step u, relative to x, goes along x where that grows, x (1 + u), and along 1 / x where x shrinks,
    x / (1 − u), so that all stays positive without a search for the step's length; then x is multiplied
    by the number that is best along it, √(T / xᵀMx).
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
    """x > 0 `[..., T]` with Mx = z, z = lengths^(power − 1) x^(−power); M as above, power > 0 `[..., 1]`.

    As `bargained`, which is the case of power 1; for powers far from that the first `ramp` steps go there from 1,
    since from a solution for other powers Newton's method finds this one. `ramp`: 0 for powers from ½ to 2, 28 from
    0.2 to 5, 52 from 0.1 to 10 (measured, with lengths apart by 10⁶ too).
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
    """Whether all is done, as far as the host may know: on another device it would have to wait for the answer."""
    return done.device.type == "cpu" and bool(done.all())


# ---------------------------------------------------------------- sets of active tasks


@lru_cache
def _eye(tasks: int, device: torch.device) -> Tensor:
    return torch.eye(tasks, dtype=torch.float64, device=device)


@lru_cache
def _shifts(tasks: int, device: torch.device) -> tuple[Tensor, Tensor]:
    """SHIFTS, and the identity times half of each, `[shifts, T, T]`."""
    shifts = torch.tensor(SHIFTS, dtype=torch.float64, device=device)
    return shifts, 0.5 * shifts[:, None, None] * _eye(tasks, device)


@lru_cache
def _sets(tasks: int, device: torch.device) -> Tensor:
    """All sets of tasks, `[2^T, T]` bool."""
    return (torch.arange(2**tasks).unsqueeze(1) >> torch.arange(tasks) & 1).bool().to(device)


def _complementary(m: Tensor, rhs: Tensor, active: Tensor) -> Tensor:
    """x of the active tasks and z of the others, in one `[..., T, k]`, for z = Mx + rhs with all else 0."""
    basis = torch.where(active.unsqueeze(-2), -m, _eye(m.shape[-1], m.device))
    return torch.linalg.solve_ex(basis, rhs)[0]


def _on_sphere(m: Tensor, q: Tensor, d: Tensor, radius: Tensor, active: Tensor) -> Tensor:
    """x of the active tasks and z of the others, `[..., T]`, for z = Mx + q − λd and the larger λ with |x| = radius."""
    both = torch.stack([q, d], -1)  # [..., T, 2]
    found = _complementary(m, both, active)
    # x = found_q − λ found_d on the active tasks, and xᵀMx = xᵀ(λd − q)
    products = torch.where(active.unsqueeze(-1), found, 0.0).mT @ both  # [..., 2, 2]
    cc, bb, aa = -products[..., 0, 0], -products[..., 0, 1], -products[..., 1, 1]
    aa = aa.clamp(min=torch.finfo(aa.dtype).tiny)  # no task active: λ out of reach, but at radius 0
    root = (bb * bb - aa * (cc - radius.squeeze(-1).square())).clamp(min=0).sqrt()
    return found[..., 0] - ((bb + root) / aa).unsqueeze(-1) * found[..., 1]


def _best(found: Tensor, sets: Tensor) -> Tensor:
    """x `[..., T]` of the set of active tasks for which no x or z is below 0, from `[..., 2^T, T]`."""
    at = found.amin(-1).argmax(-1)  # [...]
    x = found.gather(-2, at[..., None, None].expand(*at.shape, 1, found.shape[-1])).squeeze(-2)
    return torch.where(sets[at], x, 0.0).clamp(min=0)


def _path(m: Tensor, q: Tensor, d: Tensor, radius: Tensor | None) -> Tensor:
    """Which tasks are active, `[..., T]` bool, at the end of the path of solutions of z = Mx + q − λd over λ.

    From where all x are 0, λ rises to 0, or to where xᵀMx = radius². Solutions are linear in λ between breakpoints, at
    each of which one task becomes active or ceases to be (parametric principal pivoting: Cottle 1972; Cottle, Pang &
    Stone 1992). The matrix with q and d as two more rows and columns is pivoted there by a symmetric sweep,
    one product of a column with itself: of active tasks A it holds −M_AA⁻¹, M_AA⁻¹M_AN and the Schur complement of the
    others, so that all breakpoints can be read from its two last columns, and xᵀMx from its corner. It is kept with
    its diagonal less `sign`, +1 for a task that is not active and −1 for one that is, so that no case of
    the sweep stands apart; and with a row of zeros at the place T, where a path that has ended pivots to no effect.
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
        never[tasks] = 0.0  # λ ends there
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
