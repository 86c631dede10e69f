"""Diagnostics of the networks of a stack: dead units, mean gates, and conflicts between the tasks' gradients."""

from collections.abc import Iterator

import torch
from torch import Tensor

from mtlrun.engine.evaluate import Evaluation, Figures, rows_at_once
from mtlrun.engine.state import TrainingState
from mtlrun.tasks.metrics import ROUNDING

CONFLICT_BATCHES = 8  # conflict_rate counts conflicts on the last 8 batches of an epoch


def _parts(evaluation: Evaluation) -> Iterator[tuple[slice, Tensor]]:
    """Yields the split in parts: the columns of `evaluation.index`, and the encoded inputs of these rows."""
    step = rows_at_once(evaluation.rows.encoder, evaluation.index.shape[0] * evaluation.network.members)
    for start in range(0, evaluation.index.shape[1], step):
        columns = slice(start, start + step)
        x = evaluation.rows.batch(evaluation.index[None, :, columns])[0][0]
        yield columns, evaluation.network.encoder.shown(x)


@torch.no_grad()
def dead_units(evaluation: Evaluation) -> list[Figures]:
    """Returns for every run the share of dead units of each hidden layer, `dead_layer1`, …, of the trunk (without a
    task) and of every head.

    A unit of relu is dead if it is 0 on every row of the split: no row trains it (Lu et al. 2019, Dying ReLU and
    Initialization). Dropout is off. Takes a forward pass through the split.
    """
    network = evaluation.network
    alive: dict[tuple[str, str], Tensor] = {}  # [R, H]
    for _, x in _parts(evaluation):  # the padding of a split repeats its own rows, so it changes nothing
        features = network.sharing(x)
        tapes: list[list[Tensor]] = [[] for _ in network.blocks]
        network.outputs([block.read(features) for block in network.blocks], tapes=tapes)
        layers = {}
        for i, h in enumerate(features[1:], 1):
            if h.dim() == 3:
                layers["", f"dead_layer{i}"] = h
            else:
                layers |= {(t, f"dead_trunk_layer{i}"): h[:, part] for t, part in network.sharing.parts.items()}
        for block, tape in zip(network.blocks, tapes, strict=True):
            for i, h in enumerate(tape, 1):
                layers |= {(task, f"dead_layer{i}"): h[:, :, t] for t, task in enumerate(block.tasks)}
        moved = {key: (h != 0).any(1) for key, h in layers.items()}
        alive = {key: units | alive[key] if alive else units for key, units in moved.items()}
    shares = torch.stack([1 - units.double().mean(1) for units in alive.values()], 1).tolist()  # one transfer
    return [dict(zip(alive, row, strict=True)) for row in shares]


@torch.no_grad()
def mean_gates(evaluation: Evaluation) -> list[Figures]:
    """Returns for every run the means of `Sharing.gates` over the rows of the split, by task and name.

    The task is "" for a gate that belongs to no task. All rows have the same weight. Takes a pass through the split.
    """
    network = evaluation.network
    sums: dict[tuple[str, str], Tensor] = {}  # [R]
    for columns, x in _parts(evaluation):
        real = evaluation.real[:, columns].double()
        for name, shares in network.sharing.gates(x).items():
            by_task = zip(network.order, shares.unbind(1), strict=True) if shares.dim() == 3 else [("", shares)]
            for task, share in by_task:
                total = (share * real).sum(1)
                sums[task, name] = sums[task, name] + total if columns.start else total
    if not sums:
        return [{} for _ in evaluation.index]
    means = (torch.stack(list(sums.values()), 1) / evaluation.real.sum(1, keepdim=True)).tolist()  # one transfer
    return [dict(zip(sums, row, strict=True)) for row in means]


def gradient_conflicts(state: TrainingState) -> list[Figures]:
    """Returns for every run the norm of each task's gradient in the trunk, its cosines with those of later tasks, and
    `conflict_rate`: the share of pairs of tasks whose cosine is negative.

    Norms and cosines are those on the last batch that was trained on. `conflict_rate` counts the last 8 batches of the
    epoch, or all batches so far if there are fewer. The network is the one after the last step, so that a resumed run
    can compute them too. A task without a label in a batch has no gradient there. A cosine with a gradient of 0 is
    undefined and not counted as a pair, and one that is 0 up to rounding is no conflict.
    """
    stack = state.stack
    tasks = stack.network.tasks
    first = max(0, state.position - CONFLICT_BATCHES)
    batches = zip(range(first, state.position), stack.train.epoch(state.epoch, first), strict=False)
    conflicts, pairs = torch.zeros(2, len(state.members), dtype=torch.float64, device=stack.device)
    for at, batch in batches:
        step = state.step - state.position + at
        for scale in stack.network.scales:
            scale.advance(step / state.total)  # as in that step
        gradients = stack.step.task_gradients(batch, step).double()  # [R, T, S]
        norms = torch.linalg.vector_norm(gradients, dim=2)  # [R, T]
        cosines = (gradients @ gradients.mT / (norms.unsqueeze(1) * norms.unsqueeze(2))).clamp(-1, 1)
        above = cosines.triu(1)  # 0 elsewhere; nan < 0 is False
        conflicts += (above < -ROUNDING).sum((1, 2))
        pairs += cosines.isfinite().triu(1).sum((1, 2))
    shown = norms if batch.targets.present is None else norms.where(batch.targets.present, torch.nan)
    order = [tasks.index(task) for task in stack.datasets[0].targets]
    rates = (conflicts / pairs).tolist()  # nan without a pair
    found = []
    for norm, cosine, rate in zip(shown.tolist(), cosines.tolist(), rates, strict=True):
        figures: Figures = {("", "conflict_rate"): rate}
        for i, a in enumerate(order):
            figures[tasks[a], "grad_norm"] = norm[a]
            figures |= {(tasks[a], f"cosine_{tasks[b]}"): cosine[a][b] for b in order[i + 1 :]}
        found.append(figures)
    return found
