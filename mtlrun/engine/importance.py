"""Permutation importance of every input column for every task, for all runs of a stack at once."""

from collections.abc import Sequence

import numpy as np
import torch

from mtlrun.data.dataset import Dataset
from mtlrun.engine.batches import Exchange
from mtlrun.engine.evaluate import Evaluation, Figures
from mtlrun.model.layers import generator
from mtlrun.tasks import type_of

PERMUTATIONS = 3
Importance = tuple[str, str, str, float]  # task, metric, input column, how much worse


def permutation_importance(
    evaluation: Evaluation, split: str, datasets: Sequence[Dataset], seeds: Sequence[int], figures: Sequence[Figures]
) -> list[list[Importance]]:
    """Returns for every run how much worse each task's primary metric gets if a column's values are permuted.

    In the unit of the metric; positive is worse. Breiman 2001 (Random Forests, section 10), on raw columns; missing
    values are permuted too. The mean over 3 permutations of a run's rows of `split`, drawn from (seed, "importance",
    column). `figures` are those of `evaluation` without permutation. Undefined values are left out. Reconstructions are
    left out too, as their target would be permuted as well. Takes 3 evaluations per column.
    """
    rows = [getattr(d.split, split) for d in datasets]
    longest = evaluation.index.shape[1]
    spec = datasets[0].spec
    places = {True: iter(slice(i, i + 1) for i in range(len(spec.category))), False: iter(spec.places)}
    every: list[list[Importance]] = [[] for _ in datasets]
    for column in spec.columns:
        place = next(places[column.is_category])
        if column.hidden:
            continue
        draws = [generator(seed, "importance", column.name) for seed in seeds]
        permuted = []
        for _ in range(PERMUTATIONS):
            orders = [torch.randperm(len(r), generator=draw).numpy() for r, draw in zip(rows, draws, strict=True)]
            index = np.stack([np.resize(r[order], longest) for r, order in zip(rows, orders, strict=True)])
            exchange = Exchange(column.is_category, place, torch.from_numpy(index).to(evaluation.index))
            permuted.append(evaluation(evaluation.outputs(exchange)))
        for r, dataset in enumerate(datasets):
            for task, target in dataset.targets.items():
                key = task, target.primary
                values = [found.get(key, np.nan) for found in (figures[r], *(p[r] for p in permuted))]
                declared = type_of(target.type)
                if not declared.reads_inputs and np.isfinite(values).all():
                    sign = -declared.metrics[target.primary].sign
                    every[r].append((*key, column.name, sign * (float(np.mean(values[1:])) - values[0])))
    return every
