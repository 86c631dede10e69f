"""Fast adaptive multi-task optimisation."""

from typing import Any, ClassVar

import torch
from torch import Tensor

from mtlrun.loss.base import StepInputs, Strategy, StrategySetup
from mtlrun.loss.parts import beyond_rounding, floored, softmax

BETAS, EPS = (0.9, 0.999), 1e-8  # torch's defaults of Adam


class Famo(Strategy):
    r"""Fast adaptive multi-task optimisation (Liu, Feng, Stone & Liu, NeurIPS 2023, algorithm 1 with eq. 11).

    .. math:: w_t = \frac{z_t / D_t}{\sum_i z_i / D_i}, \qquad z = \mathrm{softmax}(\xi), \qquad D_t = L_t - b_t

    Weights sum to 1. After the step, ξ descends along

    .. math:: \nabla_\xi\, z^\top \big(\log D^{\text{before}} - \log D^{\text{after}}\big) + \gamma\, \xi

    by a separate Adam with the learning rate `loss.lr`. A task whose loss fell by a smaller share than the others gets
    more weight. D^after needs one more forward pass, with the same batch and the same dropout.

    Defaults: b = 0, lr 0.025 and γ 1e-3 as in the paper (the authors' commands have γ = 0.01, their class 1e-5).
    Changed from the paper: only tasks with a label in the batch take part; ξ and the moments of the others stay. D is
    at least 1e-12; the authors' code adds 1e-8 instead. That code also clips the gradient of the shared parameters to
    length 1, for which there is `trainer.clip`.
    """

    needs_losses_after: ClassVar[bool] = True

    lr: Tensor
    gamma: Tensor
    bound: Tensor
    xi: Tensor
    first: Tensor
    second: Tensor
    steps: Tensor

    def __init__(self, setup: StrategySetup) -> None:
        super().__init__(setup)
        for name in ("lr", "gamma"):
            self.register_buffer(name, setup.values(name), persistent=False)
        bounds = [[c.bound(task) for task in setup.tasks] for c in setup.configs]
        self.register_buffer("bound", torch.tensor(bounds), persistent=False)  # [R, T]
        shape = [len(setup.configs), len(setup.tasks)]
        for name in ("xi", "first", "second", "steps"):  # Adam's moments and number of steps, per task
            self.register_buffer(name, torch.zeros(shape))
        self.before, self.z = torch.empty(0), torch.empty(0)  # D and z of the current step

    def weights(self, inputs: StepInputs) -> Tensor:
        self.before, self.z = floored(inputs.losses - self.bound), softmax(self.xi, inputs.present)
        weights = self.z / self.before
        return weights / weights.sum(1, keepdim=True).clamp_min(torch.finfo(weights.dtype).tiny)

    def after(self, losses: Tensor, present: Tensor | None) -> None:
        fallen = self.z * torch.log(self.before / floored(losses - self.bound))
        gradient = torch.addcmul(fallen, self.z, fallen.sum(1, keepdim=True), value=-1)
        gradient = beyond_rounding(gradient, self.z).addcmul_(self.gamma, self.xi)
        here: Any = 1.0 if present is None else present.to(gradient)  # 0: nothing of this task moves
        self.first.lerp_(gradient, here * (1 - BETAS[0]))
        self.second.lerp_(gradient.square(), here * (1 - BETAS[1]))
        self.steps.add_(here)
        steps = self.steps.clamp_min(1)
        root = (self.second / (1 - BETAS[1] ** steps)).sqrt_().add_(EPS)
        self.xi.addcmul_(self.lr * here, self.first / (1 - BETAS[0] ** steps) / root, value=-1)
