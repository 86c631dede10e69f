"""Units that do nothing any more, for all runs of a stack at once."""

import torch
from torch import Tensor

from mtlrun.engine.evaluate import ROWS_AT_ONCE, Evaluation, Figures


@torch.no_grad()
def dead_units(evaluation: Evaluation) -> list[Figures]:
    """For every run: the share of dead units of each hidden layer, `dead_layer1`, …, of the trunk (without a task) and
    of every head.

    A unit of relu is dead if it is 0 on every row of the split, so that no row moves it (Lu et al. 2019, Dying ReLU
    and Initialization). Without dropout. Takes a forward pass through the split.
    """
    network = evaluation.network
    step = max(1, ROWS_AT_ONCE // evaluation.index.shape[0])
    alive: dict[tuple[str, str], Tensor] = {}  # [R, H]
    for start in range(0, evaluation.index.shape[1], step):  # what pads a split repeats rows of its own
        x = evaluation.rows.batch(evaluation.index[None, :, start : start + step])[0][0]
        features = network.sharing(network.encoder.shown(x))
        tapes: list[list[Tensor]] = [[] for _ in network.blocks]
        network.outputs([block.read(features) for block in network.blocks], tapes=tapes)
        layers = {}
        for i, h in enumerate(features[1:], 1):
            if h.dim() == 3:
                layers["", f"dead_layer{i}"] = h
            else:
                apart = zip(network.order, h.unbind(1), strict=True)
                layers |= {(task, f"dead_trunk_layer{i}"): of_task for task, of_task in apart}
        for block, tape in zip(network.blocks, tapes, strict=True):
            for i, h in enumerate(tape, 1):
                layers |= {(task, f"dead_layer{i}"): h[:, :, t] for t, task in enumerate(block.tasks)}
        found = {key: (h != 0).any(1) for key, h in layers.items()}
        alive = {key: own | alive[key] if alive else own for key, own in found.items()}
    shares = torch.stack([1 - own.double().mean(1) for own in alive.values()], 1).tolist()  # one transfer
    return [dict(zip(alive, own, strict=True)) for own in shares]
