"""The interface of a trunk: features shared by the tasks, layer by layer."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

Noise = Callable[[str, Sequence[int]], Tensor]  # name and shape of a layer -> dropout mask


@dataclass(frozen=True)
class Factors:
    """Gradients of a layer's parameters for T tasks, as factors: readᵀ δ for the weights, Σ_batch δ for the bias.

    columns: of these parameters among the trunk's; read: the layer's input `[R, B, in]`; delta: δ, `[R, T, B, out]`
    """

    columns: slice
    read: Tensor
    delta: Tensor

    @staticmethod
    def pay(tasks: int, batch: int, inputs: int, outputs: int) -> bool:
        """Returns whether computing the Gramian from factors takes fewer operations.

        A float64 operation counts as two, and one of the Cholesky decomposition as six.
        """
        return 2 * batch * (inputs + batch) + tasks * batch * outputs < tasks * inputs * outputs

    def gramian(self) -> Tensor:
        """Returns the inner products `[R, T, T]` of the tasks' gradients, float64.

        With X the inputs and a column of ones, and X Xᵀ = L Lᵀ, that of Xᵀδ_i and Xᵀδ_j is that of Lᵀδ_i and Lᵀδ_j,
        which are `[B, out]` in place of `[in + 1, out]`. Products of Lᵀδ round as those of Xᵀδ do, where
        δ_iᵀ X Xᵀ δ_j by itself would be a small difference of large numbers.
        """
        read = self.read.double()
        kernel = torch.bmm(read, read.mT).add_(1.0)  # [R, B, B]
        diagonal = kernel.diagonal(dim1=1, dim2=2)
        # more than the rounding error of an eigenvalue of 0, and below float32's resolution
        diagonal.add_(4 * read.shape[1] * torch.finfo(torch.float64).eps * diagonal.sum(1, keepdim=True))
        lower, failed = torch.linalg.cholesky_ex(kernel)
        root = lower.mT.masked_fill((failed > 0).view(-1, 1, 1), torch.nan).to(self.delta)
        products = (root.unsqueeze(1) @ self.delta).flatten(2)  # [R, T, B·out]
        return torch.bmm(products, products.mT).double()

    def combined(self, weights: Tensor, out: Tensor) -> None:
        """Writes the sum over tasks with weights `[R, T]` into the columns of `out` `[R, S]`."""
        runs, batch, inputs = self.read.shape
        delta = torch.bmm(weights.unsqueeze(1), self.delta.flatten(2)).view(runs, batch, -1)
        into = out[:, self.columns]
        torch.bmm(self.read.mT, delta, out=into[:, : inputs * delta.shape[2]].view(runs, inputs, -1))
        torch.sum(delta, 1, out=into[:, inputs * delta.shape[2] :])


class Trunk(nn.Module, ABC):
    """The trunk of a stack of R runs. `widths[i]` is the width after layer i, `widths[0]` that of the inputs.

    It is built from the runs' settings, which differ only in per-run ones, their seeds, and the number of inputs.
    Parameters begin with the run axis. A subclass defines `features`. It overrides `forward` and `pull_back` if it can
    compute the gradients of all tasks faster than by one backward pass per task.

    members: k, if each run is an ensemble of k trunks. Features then have k times as many rows, all rows of one member
    after those of another. Each row of a member has its own loss, and the network averages the predictions.
    """

    widths: list[int]
    members: int = 1

    @abstractmethod
    def features(self, x: Tensor, noise: Noise | None = None) -> list[Tensor]:
        """Inputs `[R, B, D]` → the features after every layer, `[R, k·B, H]` each; the inputs are layer 0."""

    def forward(self, x: Tensor, noise: Noise | None = None, tape: list[Any] | None = None) -> list[Tensor]:
        """As `features`. With a `tape`, fills it with what `pull_back` needs, and returns features without a graph."""
        if tape is None:
            return self.features(x, noise)
        with torch.enable_grad():
            features = self.features(x, noise)
        tape.append(features)
        return [h.detach() for h in features]

    @torch.no_grad()
    def pull_back(
        self, tape: Sequence[Any], gradients: Mapping[int, Tensor], out: Tensor, factors: list[Factors] | None = None
    ) -> None:
        """Computes gradients of T tasks in the parameters from their gradients in the features.

        gradients: by layer, `[R, T, B, H]`; out: `[R, T, S]`, with columns in the order of `parameters()`

        factors: a list to which gradients of layers may be added as factors; their columns of `out` stay unwritten.
        This implementation adds none.
        """
        (features,) = tape
        read = [(features[layer], own) for layer, own in gradients.items() if features[layer].requires_grad]
        if not read:
            out.zero_()
            return
        for t in range(out.shape[1]):
            parts = torch.autograd.grad(
                [h for h, _ in read],
                list(self.parameters()),
                [own[:, t] for _, own in read],
                retain_graph=True,
                allow_unused=True,
                materialize_grads=True,
            )
            torch.cat([part.flatten(1) for part in parts], 1, out=out[:, t])

    def figures(self) -> dict[str, Tensor]:
        """Returns metrics `[R]` to log at an evaluation."""
        return {}
