"""Batches of encoded rows on the device. Rows of several steps are gathered and encoded together."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from mtlrun.config.length import Length
from mtlrun.config.schema import Config
from mtlrun.data.dataset import Dataset
from mtlrun.data.targets import Target
from mtlrun.model.layers import generator
from mtlrun.network.inputs import InputEncoder
from mtlrun.network.supervision import Targets
from mtlrun.tasks import type_of

CHUNK_BYTES = 1 << 20  # bytes of encoded inputs in a chunk: more would leave the cache before they are used
CHUNK_STEPS = 32


@dataclass
class Batch:
    """Encoded inputs `[R, B, D]` and what the losses need."""

    x: Tensor
    targets: Targets


@dataclass(frozen=True)
class LabelScale:
    """Affine maps of the labels of every run and task, `[R, T]` each, tasks in the network's order.

    The network learns label = stored · `multiply` + `add`. The raw value is label · `unit` + `offset`. `mean`,
    `spread`, `low` and `high` are the mean, standard deviation, least and largest of the training labels as the network
    learns them; for types whose labels are never standardised, 0, 1 and infinite.
    """

    multiply: Tensor
    add: Tensor
    unit: Tensor
    offset: Tensor
    mean: Tensor
    spread: Tensor
    low: Tensor
    high: Tensor


def label_scale(datasets: Sequence[Dataset], tasks: Sequence[str], standardize: bool) -> LabelScale:
    """Standardises labels by each run's training labels, for task types that ask for it. Others stay as stored."""
    rows = []
    for dataset in datasets:
        for task in tasks:
            target = dataset.targets[task]
            if not type_of(target.type).standardised:
                rows.append((1.0, 0.0, 1.0, 0.0, 0.0, 1.0, -math.inf, math.inf))
                continue
            train = dataset.split.train
            values = target.values[train][target.observed[train]]
            mean, std = float(values.mean()), float(values.std()) or 1.0
            low, high = (float(f(values)) if len(values) else math.nan for f in (np.min, np.max))
            if standardize:
                low, high = (low - mean) / std, (high - mean) / std
                rows.append((1 / std, -mean / std, std, mean, 0.0, 1.0, low, high))
            else:
                rows.append((1.0, 0.0, 1.0, 0.0, mean, std, low, high))
    table = torch.tensor(rows, dtype=torch.float64).view(len(datasets), len(tasks), -1)
    return LabelScale(*table.unbind(-1))


def _alike(targets: Sequence[Target]) -> bool:
    """Returns whether the runs of a stack have the same labels of a task. Usually they share the arrays."""
    first = targets[0]
    return all(
        (t.values is first.values or np.array_equal(t.values, first.values))
        and (t.observed is first.observed or np.array_equal(t.observed, first.observed))
        for t in targets[1:]
    )


@dataclass(frozen=True)
class Exchange:
    """Takes the cells of one input column from other rows.

    place: of the column among the numbers, or among the categories; rows: row numbers `[R, N]`
    """

    is_category: bool
    place: slice
    rows: Tensor


class Rows:
    """The table on the device, shared by all runs of a stack. Makes batches of its rows."""

    def __init__(
        self,
        datasets: Sequence[Dataset],
        tasks: Sequence[str],
        encoder: InputEncoder,
        scale: LabelScale,
        device: torch.device,
    ) -> None:
        first = datasets[0]
        self.tasks, self.encoder = list(tasks), encoder
        self.row_weight = first.weight
        self.inputs = first.numeric.shape[1]
        own = [i for i, task in enumerate(tasks) if not _alike([d.targets[task] for d in datasets])]
        self.complete = self.row_weight is None and all(d.targets[t].observed.all() for d in datasets for t in tasks)
        # one matrix, so that a batch is one gather
        table = np.concatenate([first.numeric, self._labels(first, tasks)], 1)
        self.table = torch.from_numpy(table).to(device)
        # columns of `table` per run, for tasks whose training labels differ by run (data/labels.py)
        self.own: Tensor | None = None
        if own:
            columns = [self._labels(d, [tasks[i] for i in own]) for d in datasets]
            self.own = torch.from_numpy(np.concatenate(columns)).to(device)  # [R·N, columns]
            places = [self.inputs + i for i in own]
            self.own_columns = places if self.complete else [*places, *(p + len(tasks) for p in places)]
            self.first_rows = torch.arange(len(datasets), device=device).unsqueeze(1) * len(first.numeric)  # [R, 1]
        self.positions = None
        if first.codes.shape[1]:
            self.positions = torch.from_numpy(encoder.positions(first.codes)).to(device)
        self.multiply, self.add = scale.multiply.to(device), scale.add.to(device)
        self.device = device
        self.class_weights = self._class_weights(datasets)

    def _labels(self, dataset: Dataset, tasks: Sequence[str]) -> np.ndarray:
        """Returns the labels of `tasks`, then their weights unless all are 1: float64 `[N, T or 2T]`."""
        targets = [dataset.targets[t] for t in tasks]
        labels = np.stack([t.values for t in targets], 1)
        if self.complete:
            return labels
        weights = np.stack([t.observed for t in targets], 1).astype(np.float32)
        if self.row_weight is not None:
            weights *= self.row_weight[:, None]
        return np.concatenate([labels, weights], 1, dtype=np.float64)

    def _class_weights(self, datasets: Sequence[Dataset]) -> dict[int, Tensor]:
        """Returns class weights `[R, K]` of the tasks that have them, by the place of the task.

        `balanced` gives class k the weight n / (K · n_k), with n_k counted in the run's training rows. A class without
        training rows has weight 1.
        """
        weights = {}
        for t, task in enumerate(self.tasks):
            if datasets[0].targets[task].class_weights is None:
                continue
            rows = []
            for dataset in datasets:
                target = dataset.targets[task]
                if target.class_weights == "balanced":
                    train = dataset.split.train[target.observed[dataset.split.train]]
                    counts = np.bincount(target.values[train].astype(int), minlength=len(target.classes))
                    balanced = counts.sum() / (len(target.classes) * np.maximum(counts, 1))
                    rows.append(np.where(counts > 0, balanced, 1.0))
                else:
                    rows.append(np.asarray(target.class_weights, dtype=np.float64))
            weights[t] = torch.from_numpy(np.stack(rows)).float().to(self.device)
        return weights

    def batch(
        self, index: Tensor, exchange: Exchange | None = None
    ) -> tuple[Tensor, Tensor, Tensor | None, Tensor | None]:
        """Returns inputs, labels, weights of labels and observed labels, for row numbers `[S, R, B]`.

        Encoded inputs are `[S, R, B, D]`, the others `[S, R, B, T]`. Weights are None if all are 1, observed is None
        if all labels are. `exchange`: for S = 1, a column whose values come from other rows, `[R, B]`.
        """
        gathered = self._gathered(index)
        positions = None
        if self.positions is not None:
            positions = self.positions.index_select(0, index.reshape(-1)).view(*index.shape, -1)
        if exchange is not None:
            cells, table = (positions, self.positions) if exchange.is_category else (gathered, self.table)
            assert cells is not None and table is not None, "there is a column of this kind"
            cells[..., exchange.place] = table[:, exchange.place][exchange.rows]
        x = self.encoder(gathered[..., : self.inputs], positions)
        labels, weights = self._labelled(gathered)
        return x, labels, weights, None if self.complete else gathered[..., self.inputs + len(self.tasks) :] > 0

    def labels(self, index: Tensor) -> tuple[Tensor, Tensor | None]:
        """Returns the labels and weights of `batch`, without encoding the inputs."""
        return self._labelled(self._gathered(index))

    def _gathered(self, index: Tensor) -> Tensor:
        """Returns the rows of the table `[S, R, B, columns]`, with the labels of each run."""
        gathered = self.table.index_select(0, index.reshape(-1)).view(*index.shape, -1)
        if self.own is not None:
            mine = (index + self.first_rows).reshape(-1)
            gathered[..., self.own_columns] = self.own.index_select(0, mine).view(*index.shape, -1)
        return gathered

    def _labelled(self, gathered: Tensor) -> tuple[Tensor, Tensor | None]:
        """Returns scaled labels `[S, R, B, T]` and their weights, None if all are 1, from rows of the table."""
        stored = gathered[..., self.inputs : self.inputs + len(self.tasks)]
        labels = torch.addcmul(self.add.unsqueeze(1), stored, self.multiply.unsqueeze(1)).float()
        weights = None if self.complete else gathered[..., self.inputs + len(self.tasks) :].float()
        if self.class_weights:
            weights = torch.ones_like(labels) if weights is None else weights
            for t, table in self.class_weights.items():
                classes = labels[..., t].long()
                runs = torch.arange(gathered.shape[1], device=self.device).view(1, -1, 1)
                weights[..., t] *= table[runs, classes]
        return labels, weights


class TrainBatches:
    """Batches of an epoch. Each run has its own order of training rows. An incomplete last batch is left out."""

    def __init__(self, rows: Rows, datasets: Sequence[Dataset], configs: Sequence[Config], length: Length) -> None:
        self.rows = rows
        self.seeds = [c.seed for c in configs]
        self.train = [torch.from_numpy(d.split.train) for d in datasets]
        masks = [torch.from_numpy(d.trainable()) for d in datasets]
        self.trainable = [None if bool(m.all()) else m for m in masks]
        self.batch_size, self.steps = length.batch_size, length.steps_per_epoch
        width = 4 * len(datasets) * self.batch_size * rows.encoder.width
        self.chunk = int(max(1, min(CHUNK_STEPS, CHUNK_BYTES // max(width, 1))))

    def epoch(self, epoch: int, start: int = 0) -> Iterator[Batch]:
        """Yields the batches of one epoch from number `start` on.

        The order of the training rows depends only on seed and epoch. Rows without any label are left out. If a run has
        slightly fewer rows than its length counts, the first ones come again at the end of the epoch.
        """
        orders = []
        for seed, train, trainable_ in zip(self.seeds, self.train, self.trainable, strict=True):
            order = torch.randperm(len(train), generator=generator(seed, "order", epoch))
            if trainable_ is not None:
                order = order[trainable_[order]]
            order = order[torch.arange(self.steps * self.batch_size) % len(order)]
            orders.append(train[order].view(self.steps, self.batch_size))
        index = torch.stack(orders, 1).to(self.rows.device)  # [steps, R, B]
        # chunks begin at the same steps, whatever `start` is
        for first in range(start - start % self.chunk, self.steps, self.chunk):
            x, labels, weights, observed = self.rows.batch(index[first : first + self.chunk])
            present = None
            if weights is not None:
                total = weights.sum(2, keepdim=True)
                present = (total > 0).squeeze(2)
                weights = weights / torch.where(total > 0, total, 1.0)
            for s in range(max(start - first, 0), x.shape[0]):
                yield Batch(
                    x[s],
                    Targets(
                        labels[s],
                        None if weights is None else weights[s],
                        None if observed is None else observed[s],
                        None if present is None else present[s],
                    ),
                )
