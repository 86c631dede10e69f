"""Figures of a split: the raw loss and the metrics of every task, for all runs of a stack at once."""

from collections.abc import Mapping, Sequence

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import pad

from mtlrun.data.dataset import Dataset
from mtlrun.engine.batches import LabelScale, Rows
from mtlrun.model.network import Network
from mtlrun.tasks.metrics import weighted_mean

ROWS_AT_ONCE = 1 << 13
Figures = dict[tuple[str, str], float]  # (task, metric) -> value; an undefined figure has no entry


class Evaluation:
    """One split of every run, ready to be evaluated: row numbers `[R, N]`, padded with weight 0."""

    def __init__(
        self, rows: Rows, datasets: Sequence[Dataset], split: str, network: Network, scale: LabelScale
    ) -> None:
        self.rows, self.network = rows, network
        parts = [getattr(d.split, split) for d in datasets]
        longest = max(len(p) for p in parts)
        index = np.stack([np.resize(p, longest) for p in parts])  # [R, N]
        real = np.stack([np.arange(longest) < len(p) for p in parts])
        weights = rows.observed[index] * real[..., None].astype(np.float64)
        if rows.row_weight is not None:
            weights *= rows.row_weight[index][..., None]
        self.index = torch.from_numpy(index).to(rows.device)
        self.weights = torch.from_numpy(weights).to(rows.device)  # [R, N, T]: of metrics, without class weights
        self.unit = scale.unit.to(rows.device)
        self.labels: Tensor | None = None
        self.loss_weights: Tensor | None = None

    @torch.no_grad()
    def outputs(self) -> list[Tensor]:
        """Outputs `[R, N, T, K]` of each block of the network."""
        parts: list[list[Tensor]] = [[] for _ in self.network.blocks]
        labels, weights = [], []
        step = max(1, ROWS_AT_ONCE // self.index.shape[0])
        for start in range(0, self.index.shape[1], step):
            x, y, w, _ = self.rows.batch(self.index[None, :, start : start + step])
            for collected, out in zip(parts, self.network(x[0]), strict=True):
                collected.append(out)
            if self.labels is None:
                labels.append(y[0])
                weights.append(torch.ones_like(y[0]) if w is None else w[0])
        if self.labels is None:
            self.labels = torch.cat(labels, 1)
            # padding counts for nothing; class weights count in the loss, as in training
            self.loss_weights = torch.cat(weights, 1) * (self.weights > 0)
        return [torch.cat(p, 1) for p in parts]

    def __call__(self, outputs: Sequence[Tensor] | None = None) -> list[Figures]:
        """Figures of every run, of the network as it stands or of given outputs of its blocks."""
        outputs = self.outputs() if outputs is None else outputs
        assert self.labels is not None and self.loss_weights is not None, "outputs() has run"
        table: dict[tuple[str, str], Tensor] = {}
        start = 0
        for block, out in zip(self.network.blocks, outputs, strict=True):
            these = slice(start, start := start + len(block.tasks))
            losses = block.kind.row_losses(out, self.labels[..., these])
            weights = self.loss_weights[..., these].double()
            means = weighted_mean(losses.transpose(1, 2), weights.transpose(1, 2))  # [R, T]
            for i, task in enumerate(block.tasks):
                table[task, "loss"] = means[:, i]
                at = these.start + i
                figures = type(block.kind).metrics(out[:, :, i, : block.specs[i].outputs], self.labels[..., at],
                                                   self.weights[..., at], self.unit[:, at])  # fmt: skip
                table |= {(task, metric): value for metric, value in figures.items()}
        values = torch.stack(list(table.values())).cpu().tolist()  # one transfer
        return [
            {key: column[r] for key, column in zip(table, values, strict=True) if column[r] == column[r]}
            for r in range(self.index.shape[0])
        ]

    def trivial(self, constants: Mapping[str, Tensor]) -> list[Figures]:
        """Figures of a predictor that puts out the same numbers `constants[task]` `[R, K]` for every row."""
        if self.labels is None:
            self.outputs()
        runs, rows = self.index.shape
        outputs = []
        for block in self.network.blocks:
            short = [block.outputs - constants[t].shape[1] for t in block.tasks]
            padded = [pad(constants[t], (0, n), value=-torch.inf) for t, n in zip(block.tasks, short, strict=True)]
            outputs.append(torch.stack(padded, 1).unsqueeze(1).expand(runs, rows, -1, -1))
        return self(outputs)


def trivial_outputs(datasets: Sequence[Dataset], tasks: Sequence[str], scale: LabelScale) -> dict[str, Tensor]:
    """What a predictor that knows no inputs puts out, per task `[R, K]`: the mean, or the log of class rates.

    Both of the run's training rows, with row weights. A class without a training row gets the rate of
    half a row, so that its log is finite.
    """
    constants = {}
    for t, task in enumerate(tasks):
        rows = []
        for r, dataset in enumerate(datasets):
            target = dataset.targets[task]
            train = dataset.split.train[target.observed[dataset.split.train]]
            weights = np.ones(len(train)) if dataset.weight is None else dataset.weight[train].astype(np.float64)
            values = target.values[train].astype(np.float64)
            if target.type == "regression":
                label = values * float(scale.multiply[r, t]) + float(scale.add[r, t])
                rows.append(np.array([np.average(label, weights=weights)]))
                continue
            counts = np.bincount(values.astype(int), weights=weights, minlength=len(target.classes))
            rates = np.maximum(counts, 0.5 * weights.mean())
            logs = np.log(rates / rates.sum())
            rows.append(logs[1:] - logs[:1] if target.type == "binary" else logs)
        constants[task] = torch.from_numpy(np.stack(rows)).float()
    return {task: value.to(scale.multiply.device) for task, value in constants.items()}
