"""With what shares the tasks read experts, for all runs of a stack at once."""

import torch
from torch import Tensor

from mtlrun.engine.evaluate import ROWS_AT_ONCE, Evaluation, Figures


@torch.no_grad()
def mean_gates(evaluation: Evaluation) -> list[Figures]:
    """For every run: the means of `Sharing.gates` over the rows of the split, which all count the same, by task (""
    where the reader is none) and name. Takes a pass through the split."""
    network = evaluation.network
    step = max(1, ROWS_AT_ONCE // evaluation.index.shape[0])
    sums: dict[tuple[str, str], Tensor] = {}  # [R]
    for start in range(0, evaluation.index.shape[1], step):
        these = slice(start, start + step)
        x = evaluation.rows.batch(evaluation.index[None, :, these])[0][0]
        real = evaluation.real[:, these].double()
        for name, shares in network.sharing.gates(network.encoder.shown(x)).items():
            own = zip(network.order, shares.unbind(1), strict=True) if shares.dim() == 3 else [("", shares)]
            for task, share in own:
                total = (share * real).sum(1)
                sums[task, name] = sums[task, name] + total if start else total
    if not sums:
        return [{} for _ in evaluation.index]
    means = (torch.stack(list(sums.values()), 1) / evaluation.real.sum(1, keepdim=True)).tolist()  # one transfer
    return [dict(zip(sums, own, strict=True)) for own in means]
