"""Dynamic weight average: torchjd's figures, missing labels."""

import pytest
import torch
from playing import EPOCH, make, some_losses, weigh
from torchjd.scalarization import DWA


@pytest.mark.parametrize("temperature", [2.0, 0.5])
def test_weights_are_those_of_torchjd(temperature: float) -> None:
    losses = (0.3 * torch.randn(5 * EPOCH, 2, 3, generator=torch.Generator().manual_seed(0))).exp() * 100
    strategy = make("dwa", [{"temperature": temperature}] * 2)
    oracles = [DWA(temperature), DWA(temperature)]
    for i, step in enumerate(losses):
        weights = weigh(strategy, step, step=i)
        for r, oracle in enumerate(oracles):
            known = step[r].double().requires_grad_()
            (expected,) = torch.autograd.grad(oracle(known), known)
            torch.testing.assert_close(weights[r].double(), expected, rtol=1e-5, atol=0)
            if (i + 1) % EPOCH == 0:
                oracle.step()
        assert (i < 2 * EPOCH) == bool((weights == 1).all())


def test_what_falls_more_slowly_gets_more() -> None:
    """Means 4, 4, 4 and then 1, 2, 4: r = ¼, ½, 1."""
    strategy = make("dwa", [{"temperature": 0.5}])
    epochs = [[4.0, 4.0, 4.0], [1.0, 2.0, 4.0], [9.0, 9.0, 9.0]]
    for i in range(3 * EPOCH):
        weights = weigh(strategy, torch.tensor([epochs[i // EPOCH]]), step=i)
    expected = torch.tensor([[0.5, 1.0, 2.0]]).exp()
    torch.testing.assert_close(weights, 3 * expected / expected.sum())


def test_weights_stay_as_they_are_within_an_epoch() -> None:
    losses, _ = some_losses(3 * EPOCH)
    strategy = make("dwa", [{}] * 3)
    weights = torch.stack([weigh(strategy, 1 + step, step=i).clone() for i, step in enumerate(losses)])
    for first in range(0, 3 * EPOCH, EPOCH):
        assert torch.equal(weights[first : first + EPOCH], weights[first].expand(EPOCH, -1, -1))


def test_a_mean_is_over_the_batches_with_a_label_and_outlives_an_epoch_without_one() -> None:
    here = torch.tensor([[True, True, True]])
    without_b = torch.tensor([[True, False, True]])
    strategy = make("dwa", [{"temperature": 1.0}])
    step = 0

    def epoch(b: list[float], present: list[torch.Tensor]) -> torch.Tensor:
        nonlocal step
        for loss, now in zip(b, present, strict=True):
            weights = weigh(strategy, torch.tensor([[2.0, loss, 5.0]]), now, step)
            step += 1
        return weights

    epoch([8.0, 0.0, 0.0, 4.0], [here, without_b, without_b, here])  # mean 6
    ratios = [epoch([0.0] * 4, [without_b] * 4)[0, 1].item(), epoch([3.0] * 4, [here] * 4)[0, 1].item()]
    assert ratios == [0.0, 1.0]  # absent; then still one mean alone
    weights = epoch([3.0, 0.0, 3.0, 3.0], [here, without_b, here, here])  # r = 3/6
    shares = torch.tensor([1.0, 0.5, 1.0]).exp()
    torch.testing.assert_close(weights[0], 3 * shares / shares.sum())
    weights = weigh(strategy, torch.tensor([[2.0, 0.0, 5.0]]), without_b, step)
    torch.testing.assert_close(weights, torch.tensor([[1.0, 0.0, 1.0]]))


def test_losses_of_0_have_no_part_in_a_ratio() -> None:
    strategy = make("dwa", [{}])
    for i in range(3 * EPOCH):
        weights = weigh(strategy, torch.tensor([[0.0, 1.0, 1.0]]), step=i)
    torch.testing.assert_close(weights, torch.ones(1, 3))
