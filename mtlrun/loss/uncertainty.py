"""Weights by homoscedastic uncertainty, learnt or in closed form."""

from typing import Any

import torch
from torch import Tensor

from mtlrun.loss.base import StepInputs, StrategySetup
from mtlrun.loss.learnt import LearntScale
from mtlrun.loss.parts import floored


class Uncertainty(LearntScale):
    r"""Homoscedastic uncertainty weighting (Kendall, Gal & Cipolla, CVPR 2018, eq. 7 and 10).

    .. math:: \sum_t a_t\, e^{-s_t} L_t + c_t\, s_t

    :math:`s_t = \log\sigma_t^2` is learnt. (a, c) is (½, ½) for mse, a Gaussian likelihood; (1, ½) for huber, which is
    half the square of a small error; (1, ½) for a classification loss; (1, 1) for l1, a Laplace likelihood, where
    :math:`s = \log b`. The optimum is :math:`e^{s} = aL/c`: σ² = MSE, σ² = 2 CE, b = MAE.

    `loss.solve=closed_form` takes that optimum for the losses of each batch in place of a learnt s. The weights are
    :math:`c_t / L_t`, and the gradient is that of :math:`\sum_t c_t \log L_t`. Losses below 1e-12 count as 1e-12.

    Changed from the paper: s has a separate learning rate (`loss.lr`), since at the network's rate it does not catch up
    with a loss of 10⁶. It starts at its optimum for the first batch in which the task has a label
    (`loss.init=first_batch`); a number starts it there, and 0 is the paper's start. The paper has no closed form.
    """

    a: Tensor
    c: Tensor
    ratio: Tensor
    unit: Tensor
    solved: Tensor

    def __init__(self, setup: StrategySetup) -> None:
        super().__init__(setup)
        a, c = torch.tensor([a for a, _ in setup.noise]), torch.tensor([c for _, c in setup.noise])
        solved = [[_is_solved(config)] for config in setup.configs]
        unit = torch.ones(len(setup.configs), len(setup.tasks)) if setup.units is None else setup.units
        buffers = {"a": a, "c": c, "ratio": a / c, "unit": unit.double(), "solved": torch.tensor(solved)}  # [R, 1]
        for name, value in buffers.items():
            self.register_buffer(name, value, persistent=False)
        self.all_solved, self.some_solved = all(s for (s,) in solved), any(s for (s,) in solved)

    def start(self, config: Any) -> float | None:
        return 0.0 if _is_solved(config) else super().start(config)  # s of such a run is never read

    def optimum(self, losses: Tensor) -> Tensor:
        return torch.log(losses * self.ratio)

    def weights(self, inputs: StepInputs) -> Tensor:
        if self.all_solved:
            return self._solve(inputs)
        learnt = self.a * torch.exp(-self.current(inputs.losses))
        return torch.where(self.solved, self._solve(inputs), learnt) if self.some_solved else learnt

    def _solve(self, inputs: StepInputs) -> Tensor:
        weights = self.c / floored(inputs.losses)
        return weights if inputs.present is None else weights * inputs.present

    def gradients(self, losses: Tensor, weights: Tensor, present: Tensor | None) -> list[Tensor]:
        """Returns d/ds (a e^(−s) L + c s) = c − wL, and 0 for a task without a label or a run that does not learn s."""
        if self.all_solved:
            return [torch.zeros_like(losses)]
        gradient = self.descent(self.c - weights * losses, self.c, present)
        return [torch.where(self.solved, 0.0, gradient) if self.some_solved else gradient]

    def figures(self) -> dict[str, Tensor]:
        """`sigma` `[R, T]`: the learnt scale of the noise, e^(cs) in the unit of the target; nan if not learnt.

        At the optimum that is the RMSE of a squared error, and the MAE of an absolute error.
        """
        learnt = self.started & ~self.solved
        return {"sigma": torch.where(learnt, torch.exp(self.c * self.s.detach().double()) * self.unit, torch.nan)}


def _is_solved(config: Any) -> bool:
    return bool(config.solve == "closed_form")
