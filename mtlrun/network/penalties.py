"""The penalty of the sharing scheme, which may also reach the heads, and the scheme's figures."""

import torch
from torch import Tensor

from mtlrun.network.network import Network


def shrink(network: Network, rates: Tensor) -> None:
    """Takes the proximal step of the scheme's penalty, at the trunk's rates `[R]`."""
    groups = _input_weights(network)
    joined = [torch.cat(parts, 1) for parts in groups]
    network.sharing.shrink(rates, joined)
    for parts, whole in zip(groups, joined, strict=True):
        for part, shrunk in zip(parts, whole.split([p.shape[1] for p in parts], 1), strict=True):
            part.copy_(shrunk)


def scheme_figures(network: Network) -> dict[str, Tensor]:
    """Returns metrics of the sharing scheme: `[R]`, or `[R, T]` with a number for each task."""
    heads = [torch.cat(parts, 1) for parts in _input_weights(network)]
    return network.sharing.figures() | network.sharing.penalty_figures(heads)


def _input_weights(network: Network) -> list[list[Tensor]]:
    """Returns the heads' weights on the inputs, `[R, T, in, out]` for each block, if the trunk has no layers.

    Blocks of the same type and number of outputs form a group.
    """
    if len(network.sharing.widths) > 1:
        return []
    groups: dict[tuple[type, int], list[Tensor]] = {}
    for block in network.blocks:
        weight = block.input_weights(network.sharing.widths[0])
        if weight is not None:
            groups.setdefault((type(block.kind), weight.shape[3]), []).append(weight)
    return list(groups.values())
