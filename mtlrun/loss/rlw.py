"""Random loss weighting."""

from torch import Tensor

from mtlrun.loss.base import StepInputs, Strategy, StrategySetup
from mtlrun.loss.parts import Stream, softmax


class Rlw(Strategy):
    r"""Random loss weighting (Lin, Ye & Zhang, TMLR 2022): :math:`w = \mathrm{softmax}(z),\ z \sim N(0, I)`.

    Every step draws a new z. The softmax is over the tasks that have a label in the batch. The weights sum to 1; with
    `loss.scale=sum_to_T` to T.
    """

    def __init__(self, setup: StrategySetup) -> None:
        super().__init__(setup)
        self.stream = Stream(setup, "rlw", [len(setup.tasks)])

    def weights(self, inputs: StepInputs) -> Tensor:
        return softmax(self.stream(inputs.step, inputs.losses), inputs.present)
