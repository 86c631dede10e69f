"""Weights by estimated excess risk."""

from typing import ClassVar

import torch
from torch import Tensor

from mtlrun.loss.base import StepInputs, Strategy, StrategySetup

NOTHING = -1e30  # in place of log 0, but finite: if no task is present, the weights are equal and not nan


class ExcessMtl(Strategy):
    r"""ExcessMTL (He, Zhou, Zhang, Yun, Xu, Zeng, Chilimbi & Zhao, ICML 2024, equations 6, 7 and 9, algorithm 1).

    The excess risk E of a task is its distance from the least loss that it can reach. A Taylor expansion estimates it,
    with a diagonal Hessian; as in AdaGrad, the diagonal is the root of the sum of squared gradients so far:

    .. math:: E_t = \sum_d \frac{g_{td}^2}{\sqrt{\sum_{\tau} g_{td}^{(\tau)\,2}}}, \qquad
              w_t \leftarrow \frac{w_t \exp(\eta E_t / E_t(0))}{\sum_s w_s \exp(\eta E_s / E_s(0))}

    The weights start at 1/T. Each step first updates the weights and then uses them. E(0) is the mean of E over the
    first `warmup` epochs, in which the weights stay equal. `warmup` is 3, as in the paper's appendix on experiments;
    with 0, E(0) is E of the first batch, as in the authors' code. η = `lr` is 0.01 as in LibMTL; the paper does not
    give it. LibMTL's weights sum to T: `loss.scale=sum_to_T`.

    Changed from the paper: a task without a label in the batch, or with a gradient of exactly 0, is left out of the
    step. The weights of the other tasks then sum to 1, and the ratio of its weight to their geometric mean stays. Each
    task counts the batches of its warm-up separately. The authors' code adds 10⁻⁷ under the root, so its weights depend
    on the scale of the gradients; here nothing is added. Memory: one number for each task and shared parameter.
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
        self.register_buffer("logits", torch.zeros(shape))  # log w, up to a constant per run
        self.register_buffer("initial", torch.zeros(shape))  # Σ E over the warm-up
        self.register_buffer("count", torch.zeros(shape))  # batches of the warm-up so far
        warm = (setup.values("warmup") * setup.epoch_steps).clamp_min(1)
        self.register_buffer("warm", warm, persistent=False)  # [R, 1], its length in batches
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
        # a common term does not change the ratios of the tasks that move, but it would change those of the others
        common = growth.sum(1, keepdim=True) / moving.sum(1, keepdim=True).clamp_min(1)
        self.logits.add_(torch.where(moving, growth - common, 0.0))
        self.initial.add_(torch.where(warming, excess, 0.0))
        self.count.add_(warming)
        return torch.softmax(torch.where(here, self.logits, NOTHING), 1)
