"""Weights by estimated excess risk."""

from typing import ClassVar

import torch
from torch import Tensor

from mtlrun.loss.base import StepInputs, Strategy, StrategySetup

NOTHING = -1e30  # a finite stand-in for log 0: where no task is there, weights are equal, and not nan


class ExcessMtl(Strategy):
    r"""ExcessMTL (He, Zhou, Zhang, Yun, Xu, Zeng, Chilimbi & Zhao, ICML 2024, equations 6, 7 and 9, algorithm 1).

    How far a task is from the least loss that it can reach, by a Taylor expansion with the Hessian's diagonal taken
    from all gradients so far, as AdaGrad does:

    .. math:: E_t = \sum_d \frac{g_{td}^2}{\sqrt{\sum_{\tau} g_{td}^{(\tau)\,2}}}, \qquad
              w_t \leftarrow \frac{w_t \exp(\eta E_t / E_t(0))}{\sum_s w_s \exp(\eta E_s / E_s(0))}

    The weights, 1/T at first, move before the step, which takes the new ones. E(0) is the mean of E over the first
    `warmup` epochs (3, as the paper's appendix on experiments has it), in which weights stay equal; `warmup` 0 takes
    E of the first batch, as the authors' code does. η = `lr` is 0.01, LibMTL's; the paper leaves it open. LibMTL's
    weights sum to T, which is `loss.scale=sum_to_T`.

    Changed from the paper: a task without a label in the batch, or whose gradient is exactly 0, has no part in it: the
    others' weights sum to 1 in this step, its own keeps its ratio to their geometric mean, and its warm-up goes on by
    its own count of batches. The authors' code adds 10⁻⁷ under the root, which makes weights depend on the scale of
    gradients; here nothing is added. Memory: one number for each task and shared parameter.
    """

    needs_gradients: ClassVar[bool] = True
    squares: Tensor
    logits: Tensor
    initial: Tensor
    count: Tensor
    warm: Tensor
    rate: Tensor

    def __init__(self, setup: StrategySetup) -> None:
        super().__init__(setup)
        shape = len(setup.configs), len(setup.tasks)
        self.register_buffer("squares", torch.zeros(*shape, setup.shared))  # Σ g² over the steps so far
        self.register_buffer("logits", torch.zeros(shape))  # log w, but for a constant of each run
        self.register_buffer("initial", torch.zeros(shape))  # Σ E over the warm-up
        self.register_buffer("count", torch.zeros(shape))  # batches of the warm-up that are over
        warm = (setup.values("warmup") * setup.epoch_steps).clamp_min(1)
        self.register_buffer("warm", warm, persistent=False)  # [R, 1], batches that it takes
        self.register_buffer("rate", setup.values("lr") * warm, persistent=False)  # η / E(0) = rate / Σ E

    def weights(self, inputs: StepInputs) -> Tensor:
        gradients = inputs.gradients
        assert gradients is not None, "needs_gradients"
        squares = self.squares[..., : gradients.shape[2]]
        squares.addcmul_(gradients, gradients)
        inverse = squares.clamp_min(torch.finfo(squares.dtype).tiny).rsqrt_()  # where g was always 0: anything finite
        excess = inverse.mul_(gradients).mul_(gradients).sum(2)  # [R, T]
        here = excess != 0  # nan too, so that the run fails by name
        warming = here & (self.count < self.warm)
        moving = here ^ warming
        growth = torch.where(moving, self.rate * excess / self.initial, 0.0)
        # what is the same for all that move changes no weight among them, but those that do not move
        common = growth.sum(1, keepdim=True) / moving.sum(1, keepdim=True).clamp_min(1)
        self.logits.add_(torch.where(moving, growth - common, 0.0))
        self.initial.add_(torch.where(warming, excess, 0.0))
        self.count.add_(warming)
        return torch.softmax(torch.where(here, self.logits, NOTHING), 1)
