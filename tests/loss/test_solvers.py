import pytest
import torch
from gramians import hard_gradients, hard_gramians
from torch import Tensor

from mtlrun.loss.solvers import balanced, bargained, conditioned, max_min, nonnegative

TASKS = [2, 3, 5, 6, 7, 10, 20, 40]


def times(m: Tensor, x: Tensor) -> Tensor:
    return (m @ x.unsqueeze(-1)).squeeze(-1)


def violation(m: Tensor, q: Tensor, x: Tensor) -> float:
    """How far from x ≥ 0, z = Mx + q ≥ 0, x·z = 0, against the size of q and x."""
    apart = torch.minimum(x, times(m, x) + q).abs().amax(-1)
    return (apart / (q.abs().amax(-1) + x.amax(-1))).max().item()


# ---------------------------------------------------------------- conditioned


def test_a_gramian_is_written_in_gradients_of_length_1_and_made_definite() -> None:
    gradients = hard_gradients(10, 4)["of low rank, lengths apart by 1e6"]
    gramian = gradients @ gradients.mT
    m, lengths = conditioned(gramian, torch.ones(4, 10, dtype=torch.bool))
    torch.testing.assert_close(lengths, gradients.norm(dim=2), rtol=1e-12, atol=0)
    unit = gradients / gradients.norm(dim=2, keepdim=True)
    torch.testing.assert_close(m, unit @ unit.mT + 1e-6 * torch.eye(10, dtype=m.dtype), rtol=0, atol=1e-12)


def test_a_missing_task_is_a_row_of_the_identity() -> None:
    gramian = torch.tensor([[[4.0, 0.0, 1.0], [0.0, 0.0, 0.0], [1.0, 0.0, 9.0]]], dtype=torch.float64)
    m, lengths = conditioned(gramian, torch.tensor([[True, False, True]]))
    torch.testing.assert_close(lengths, torch.tensor([[2.0, 1.0, 3.0]], dtype=torch.float64))
    expected = torch.tensor([[[1, 0, 1 / 6], [0, 1, 0], [1 / 6, 0, 1]]], dtype=torch.float64)
    torch.testing.assert_close(m, expected + 1e-6 * torch.eye(3, dtype=m.dtype), rtol=0, atol=1e-15)


@pytest.mark.parametrize("noise, shift", [(1e-8, 1e-6), (2e-6, 1e-5), (3e-4, 1e-3)])
def test_what_is_added_outweighs_the_rounding_of_the_gramian(noise: float, shift: float) -> None:
    gramian = torch.ones(2, 3, 3, dtype=torch.float64) + noise * torch.ones(3, dtype=torch.float64).diag()
    gramian[0] = torch.eye(3, dtype=torch.float64)
    gramian[0, 0, 1] = gramian[0, 1, 0] = 1 + noise  # an eigenvalue of -noise
    m, _ = conditioned(gramian, torch.ones(2, 3, dtype=torch.bool))
    assert torch.linalg.eigvalsh(m[0])[0] == pytest.approx(shift - noise, rel=1e-6)
    assert m[1, 0, 0] == pytest.approx(1 + 1e-6, abs=1e-12)  # of its neighbour nothing is seen


def test_gramians_of_long_float32_gradients_are_made_definite() -> None:
    stream = torch.Generator().manual_seed(0)
    flat = torch.randn(2, 10, 2, generator=stream) @ torch.randn(2, 2, 50_000, generator=stream)
    gramian = torch.bmm(flat, flat.mT).double()
    m, _ = conditioned(gramian, torch.ones(2, 10, dtype=torch.bool))
    assert torch.linalg.eigvalsh(m).min() > 4e-7


# ---------------------------------------------------------------- optimality


@pytest.mark.parametrize("tasks", TASKS)
def test_nonnegative_minima_are_exact(tasks: int) -> None:
    m, lengths = hard_gramians(tasks, 20 if tasks < 20 else 8)
    mean = lengths / lengths.amax(1, keepdim=True)
    d = lengths.amin(1, keepdim=True) / lengths
    simplex = m + d.unsqueeze(1) * d.unsqueeze(2)
    for matrix, q in ((m, times(m, mean)), (m, m[:, -1]), (m, -d), (simplex, -d)):
        x = nonnegative(matrix, q)
        assert (x >= 0).all()
        assert violation(matrix, q, x) < 1e-9


@pytest.mark.parametrize("tasks", [2, 5, 7, 12])
def test_problems_of_further_axes_are_those_alone(tasks: int) -> None:
    m, _ = hard_gramians(tasks, 6)
    every = nonnegative(m.unsqueeze(1).expand(-1, tasks, -1, -1), m)
    for i in range(tasks):
        torch.testing.assert_close(every[:, i], nonnegative(m, m[:, i]), rtol=1e-9, atol=1e-9)
        assert violation(m, m[:, i], every[:, i]) < 1e-9


@pytest.mark.parametrize("tasks", TASKS)
@pytest.mark.parametrize("share", [0.05, 0.4, 0.95, 1.5])
def test_the_largest_least_gain_is_exact(tasks: int, share: float) -> None:
    m, lengths = hard_gramians(tasks, 12 if tasks < 20 else 6)
    mean = lengths / lengths.amax(1, keepdim=True) / tasks
    q, d = times(m, mean), lengths.amin(1, keepdim=True) / lengths
    radius = share * (mean * q).sum(1, keepdim=True).sqrt()
    x = max_min(m, q, d, radius)
    torch.testing.assert_close((x * times(m, x)).sum(1, keepdim=True).sqrt(), radius, rtol=1e-8, atol=0)
    z = times(m, x) + q
    level = (x * z).sum(1, keepdim=True) / (x * d).sum(1, keepdim=True)
    assert violation(m, q - level * d, x) < 1e-9


@pytest.mark.parametrize("tasks", TASKS)
def test_bargains_are_exact(tasks: int) -> None:
    m, _ = hard_gramians(tasks, 20 if tasks < 20 else 8)
    x = bargained(m)
    assert (x > 0).all()
    assert (x * times(m, x) - 1).abs().max() < 1e-7


@pytest.mark.parametrize("alpha, ramp", [(0.5, 0), (1.5, 0), (2.0, 0), (0.2, 28), (5.0, 28), (0.1, 52), (10.0, 52)])
@pytest.mark.parametrize("tasks", [2, 3, 10, 40])
def test_balances_are_exact(tasks: int, alpha: float, ramp: int) -> None:
    """What is left in Newton's step, against x: products of x with M itself round to as much where x is large."""
    m, lengths = hard_gramians(tasks, 20 if tasks < 20 else 8)
    power = torch.full((len(m), 1), 1 / alpha, dtype=torch.float64)
    x = balanced(m, lengths, power, ramp)
    assert (x > 0).all()
    z = lengths ** (power - 1) * x**-power
    step = torch.linalg.solve(m + torch.diag_embed(power * z / x), z - times(m, x))
    assert (step / x).abs().max() < 2e-6
    assert (step.norm(dim=1) / x.norm(dim=1)).max() < 1e-7


def test_a_balance_of_power_1_is_a_bargain() -> None:
    m, lengths = hard_gramians(4, 10)
    torch.testing.assert_close(balanced(m, lengths, torch.ones(len(m), 1).double(), 0), bargained(m), rtol=1e-7, atol=0)


@pytest.mark.parametrize("tasks", [7, 10, 16])
def test_the_path_ends_where_gradients_are_nearly_dependent_in_many_ways(tasks: int) -> None:
    """Powers of a number, less their mean: of 16 such gradients a path takes 100 pivots, of random ones 30."""
    draw = torch.Generator().manual_seed(3)
    powers = (2 * torch.rand(400, tasks, 1, generator=draw, dtype=torch.float64) - 1) ** torch.arange(1, 13)
    gradients = (powers - powers.mean(1, keepdim=True)).float()
    m, _ = conditioned((gradients @ gradients.mT).double(), torch.ones(400, tasks, dtype=torch.bool))
    x = nonnegative(m.unsqueeze(1).expand(-1, tasks, -1, -1), m)
    z = (m.unsqueeze(1) @ x.unsqueeze(-1)).squeeze(-1) + m
    assert torch.minimum(x, z).abs().max() < 1e-6
