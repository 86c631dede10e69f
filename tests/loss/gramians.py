"""Gradients on which solvers go wrong: dependent, duplicate, opposite, nearly so, of very different lengths."""

import torch
from playing import make
from torch import Tensor

from mtlrun.loss import StepInputs
from mtlrun.loss.solvers import conditioned


def hard_gradients(tasks: int, count: int, seed: int = 0) -> dict[str, Tensor]:
    """Gradients `[count, T, D]` float64, by what is hard about them."""
    stream = torch.Generator().manual_seed(seed)

    def normal(*size: int) -> Tensor:
        return torch.randn(count, *size, generator=stream, dtype=torch.float64)

    def lengths() -> Tensor:
        return 10 ** (6 * torch.rand(count, tasks, 1, generator=stream, dtype=torch.float64) - 3)

    size = 2 * tasks + 3
    alternating = torch.where(torch.arange(tasks) % 2 == 0, 1.0, -1.0).double().unsqueeze(1)
    found = {
        "independent": normal(tasks, size),
        "agreeing": normal(tasks, 50) + 0.3 * normal(1, 50),
        "of low rank": normal(tasks, max(1, tasks // 3)),
        "in a plane": normal(tasks, 2),
        "as many as numbers": normal(tasks, tasks),
        "lengths apart by 1e6": normal(tasks, size) * lengths(),
        "of low rank, lengths apart by 1e6": normal(tasks, max(2, tasks // 2)) * lengths(),
        "ill-conditioned": normal(tasks, size)
        @ torch.linalg.qr(normal(size, size))[0]
        * 10 ** (-5 * torch.rand(count, 1, size, generator=stream, dtype=torch.float64)),
        "two opposite groups": 0.3 * normal(tasks, 30) - alternating * normal(1, 30),
        "identical": normal(1, 9).expand(-1, tasks, -1),
        "nearly identical": normal(1, 9) + 0.01 * normal(tasks, 9),
    }
    around = normal(tasks, size)
    found["around 0"] = around - around.mean(1, keepdim=True)
    found["nearly around 0"] = around - 0.999 * around.mean(1, keepdim=True)
    for name, sign, noise in (
        ("a pair", 1, 0.0),
        ("opposite", -1, 0.0),
        ("nearly a pair", 1, 1e-4),
        ("nearly opposite", -1, 1e-3),
    ):
        pair = normal(tasks, 20)
        pair[:, 1] = sign * pair[:, 0] + noise * normal(20)
        found[name] = pair
    return found


def hard_gramians(tasks: int, count: int, seed: int = 0) -> tuple[Tensor, Tensor]:
    """All of them, as `conditioned` returns them: `[N, T, T]` and lengths `[N, T]`; every second from float32."""
    gramians = []
    for gradients in hard_gradients(tasks, count, seed).values():
        single = gradients[::2].float()
        gramians += [gradients[1::2] @ gradients[1::2].mT, (single @ single.mT).double()]
    every = torch.cat(gramians)
    return conditioned(every, torch.ones(every.shape[:2], dtype=torch.bool))


def weights_of(name: str, gradients: Tensor, losses: Tensor | None = None, **settings: object) -> Tensor:
    """The weights `[R, T]` of a strategy for gradients `[R, T, D]`, float32 as the network's; losses 1 unless given."""
    runs, tasks, _ = gradients.shape
    names = [f"t{i}" for i in range(tasks)]
    strategy = make(name, [settings] * runs, tasks=names, noise=[(0.5, 0.5)] * tasks)
    seen = torch.ones(runs, tasks) if losses is None else losses
    return strategy.weights(StepInputs(seen, None, 0, gradients.float())).double()


def along(weights: Tensor, gradients: Tensor) -> Tensor:
    """The direction `[R, D]`."""
    return (weights.unsqueeze(1) @ gradients).squeeze(1)


def drawn(runs: int, tasks: int, size: int = 60, common: float = 0.1, seed: int = 3) -> Tensor:
    """Gradients `[R, T, D]` of lengths apart by a factor of about ten, some of them in conflict."""
    stream = torch.Generator().manual_seed(seed)
    own = torch.randn(runs, tasks, size, generator=stream) + common * torch.randn(runs, 1, size, generator=stream)
    return (own * torch.exp(0.7 * torch.randn(runs, tasks, 1, generator=stream))).double()


def scaled_task(gradients: Tensor, factor: float) -> Tensor:
    """The same with the first task's gradient times a factor."""
    factors = torch.ones(gradients.shape[1], 1, dtype=gradients.dtype)
    factors[0] = factor
    return gradients * factors


def cosine(a: Tensor, b: Tensor) -> Tensor:
    return torch.nn.functional.cosine_similarity(a, b, dim=1)
