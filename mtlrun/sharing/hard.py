"""Hard parameter sharing."""

from torch import Tensor, nn

from mtlrun.model.trunk import MlpTrunk, Noise


class Hard(nn.Module):
    """One trunk for all tasks (Caruana 1993)."""

    def __init__(self, trunk: MlpTrunk) -> None:
        super().__init__()
        self.trunk = trunk
        self.widths = trunk.widths

    def forward(self, x: Tensor, noise: Noise | None = None) -> list[Tensor]:
        """Inputs `[R, B, D]` → the features after every layer, for every task the same."""
        features: list[Tensor] = self.trunk(x, noise)
        return features
