"""How the tasks' gradients in the trunk relate to each other, for all runs of a stack at once."""

import torch

from mtlrun.engine.evaluate import Figures
from mtlrun.engine.state import TrainingState

CONFLICT_BATCHES = 8  # the last ones of an epoch, which conflict_rate counts


def gradient_conflicts(state: TrainingState) -> list[Figures]:
    """For every run: the norm of each task's gradient in the trunk, cosines with those of later tasks, and the share of
    conflicts, pairs of tasks whose cosine is negative.

    On the last batch that was trained on, the conflicts on the last 8 of the epoch, or as many as there were; at the
    network after its last step, so that a resumed run, too, can compute them. A task without a label in a batch has
    none; a cosine with a gradient of 0 is undefined and no pair.
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
        above = cosines.triu(1)  # 0 elsewhere; nan is less than nothing
        conflicts += (above < 0).sum((1, 2))
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
