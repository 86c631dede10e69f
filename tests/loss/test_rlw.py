"""Random weights: torchjd's figures on the same draws, and their distribution."""

import pytest
import torch
from playing import make, weigh
from torch import Tensor
from torchjd.scalarization import Random

from mtlrun.loss.rlw import Rlw


def test_weights_are_those_of_torchjd_on_the_same_numbers(monkeypatch: pytest.MonkeyPatch) -> None:
    strategy = make("rlw", [{}] * 2)
    assert isinstance(strategy, Rlw)
    losses = torch.ones(2, 3)
    for step in range(3):
        weights, drawn = weigh(strategy, losses, step=step), strategy.stream(step, losses)
        for r in range(2):

            def numbers(*args: object, own: Tensor = drawn[r], **kwargs: object) -> Tensor:
                return own

            known = torch.ones(3, requires_grad=True)
            with monkeypatch.context() as patch:
                patch.setattr(torch, "randn", numbers)
                total = Random()(known)
            (expected,) = torch.autograd.grad(total, known)
            torch.testing.assert_close(weights[r], expected, rtol=1e-6, atol=0)


def test_no_task_is_preferred() -> None:
    strategy = make("rlw", [{}])
    weights = torch.stack([weigh(strategy, torch.ones(1, 3), step=i)[0] for i in range(3000)])
    assert weights.mean(0).tolist() == pytest.approx([1 / 3] * 3, abs=0.02)
    torch.testing.assert_close(weights.sum(1), torch.ones(3000))
    correlation = torch.corrcoef(torch.stack([weights[:-1, 0], weights[1:, 0]]))[0, 1]
    assert abs(correlation) < 0.06  # drawn anew in every step
