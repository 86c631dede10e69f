"""Evaluates a split: the raw loss and the metrics of every task, for all runs of a stack."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import pad

from mtlrun.data.dataset import Dataset
from mtlrun.engine.batches import Exchange, LabelScale, Rows
from mtlrun.network.inputs import InputEncoder
from mtlrun.network.network import Network
from mtlrun.tasks import TaskType
from mtlrun.tasks.metrics import weighted_mean

ROWS_AT_ONCE = 1 << 13
BYTES_AT_ONCE = 1 << 28  # most bytes of encoded inputs; a column of 100,000 categories would otherwise fill the memory
Figures = dict[tuple[str, str], float]  # (task, metric) -> value; an undefined figure has no entry


@dataclass(frozen=True)
class TaskRows:
    """The rows of one task in one run on a split, float64.

    outputs: `[N, K]`; labels, weights: `[N]`, weight 0 for padding and unobserved labels; classes: 0 for numbers; unit,
    offset: from outputs and labels to the unit of the target
    """

    kind: type[TaskType]
    classes: int
    outputs: np.ndarray
    labels: np.ndarray
    weights: np.ndarray
    unit: float
    offset: float

    def numbers(self) -> tuple[np.ndarray, np.ndarray]:
        """Returns predictions and labels `[N]` of a task with numbers, in the unit of the target."""
        predicted = self.kind.predicted(self.outputs, 0)
        return predicted * self.unit + self.offset, self.labels * self.unit + self.offset


class Evaluation:
    """Evaluates one split of every run. Row numbers are `[R, N]`; padding has weight 0.

    temperatures: `[R, T]`, by which outputs are divided; None while training
    """

    def __init__(
        self, rows: Rows, datasets: Sequence[Dataset], split: str, network: Network, scale: LabelScale
    ) -> None:
        self.rows, self.network = rows, network
        parts = [getattr(d.split, split) for d in datasets]
        longest = max(len(p) for p in parts)
        index = np.stack([np.resize(p, longest) for p in parts])  # [R, N]
        real = np.stack([np.arange(longest) < len(p) for p in parts])
        observed = [
            np.stack([d.targets[t].observed[i] for t in rows.tasks], 1) for d, i in zip(datasets, index, strict=True)
        ]
        weights = np.stack(observed) * real[..., None].astype(np.float64)
        if rows.row_weight is not None:
            weights *= rows.row_weight[index][..., None]
        self.index = torch.from_numpy(index).to(rows.device)
        self.real = torch.from_numpy(real).to(rows.device)  # [R, N]: not padding
        self.weights = torch.from_numpy(weights).to(rows.device)  # [R, N, T]: weights of metrics, without class weights
        self.scale, self.unit = scale, scale.unit.to(rows.device)
        self.temperatures: Tensor | None = None
        self.labels: Tensor | None = None
        self.loss_weights: Tensor | None = None

    @property
    def empty(self) -> bool:
        """Whether the split has no rows, and so no figures: test may have none, in a run on all rows also val."""
        return self.index.shape[1] == 0

    def outputs(self, exchange: Exchange | None = None) -> list[Tensor]:
        """Returns outputs `[R, N, T, K]` of each block of the network, see `Network.predictions`.

        For a block whose labels are the inputs, returns the losses of the rows, `[R, N, T, 1]`: keeping its outputs and
        labels would take too much memory. `exchange`: an input column whose values come from other rows.
        """
        return self.scaled(self._gathered(self.network.predictions, exchange), self.temperatures)

    def scaled(self, outputs: Sequence[Tensor], temperatures: Tensor | None) -> list[Tensor]:
        """Returns outputs `[R, N, T, K]` of each block, divided by the temperatures `[R, T]` of the network's tasks."""
        if temperatures is None or self.empty:
            return list(outputs)
        of_blocks = [temperatures[:, None, block.columns, None] for block in self.network.blocks]
        return [out / own for out, own in zip(outputs, of_blocks, strict=True)]

    def rows_of(self, outputs: Sequence[Tensor], run: int, task: str) -> TaskRows:
        """Returns the rows of one task in one run, from the outputs of all blocks."""
        assert self.labels is not None, "outputs() has run"
        block, i = self.network.place[task]
        out, at = outputs[self.network.blocks.index(block)], block.columns.start + i
        return TaskRows(
            type(block.kind),
            block.kind.classes[i],
            out[run, :, i, : block.specs[i].outputs].double().cpu().numpy(),
            self.labels[run, :, at].double().cpu().numpy(),
            self.weights[run, :, at].cpu().numpy(),
            float(self.scale.unit[run, at]),
            float(self.scale.offset[run, at]),
        )

    @torch.no_grad()
    def _gathered(
        self, predict: Callable[[Tensor], Sequence[Tensor]], exchange: Exchange | None = None
    ) -> list[Tensor]:
        """As `outputs`, for any function `predict`: inputs `[R, B, D]` → outputs `[R, B, T, K]` of each block.

        Returns nothing if the split is `empty`.
        """
        if self.empty:
            return []
        parts: list[list[Tensor]] = [[] for _ in self.network.blocks]
        labels, weights = [], []
        step = rows_at_once(self.rows.encoder, self.index.shape[0] * self.network.members)
        for start in range(0, self.index.shape[1], step):
            these = slice(start, start + step)
            part = None if exchange is None else replace(exchange, rows=exchange.rows[:, these])
            x, y, w, _ = self.rows.batch(self.index[None, :, these], part)
            for part_of_block, block, out in zip(parts, self.network.blocks, predict(x[0]), strict=True):
                if block.kind.reads_inputs:
                    out = block.kind.row_losses(out, block.input_labels(x[0])).unsqueeze(-1)
                part_of_block.append(out)
            if self.labels is None:
                labels.append(y[0])
                weights.append(torch.ones_like(y[0]) if w is None else w[0])
        if self.labels is None:
            known = torch.cat(labels, 1)
            self._keep(known, torch.cat(weights, 1))
            for t, task in enumerate(self.network.tasks):
                block = self.network.place[task][0]
                if block.kind.reads_inputs:
                    mean, square = moments(self.rows, self.index, self.weights[..., t])
                    variance = block.input_labels(square - mean.square())
                    known[..., t] = variance.mean(-1, keepdim=True)
        return [torch.cat(p, 1) for p in parts]

    def __call__(self, outputs: Sequence[Tensor] | None = None) -> list[Figures]:
        """Returns figures of every run, from the given outputs of the blocks, or those of the current network."""
        if self.empty:
            return [Figures() for _ in range(self.index.shape[0])]
        outputs = self.outputs() if outputs is None else outputs
        assert self.labels is not None and self.loss_weights is not None, "outputs() has run"
        table: dict[tuple[str, str], Tensor] = {}
        for block, out in zip(self.network.blocks, outputs, strict=True):
            these = block.columns
            reads = block.kind.reads_inputs
            losses = out.squeeze(-1) if reads else block.kind.row_losses(out, self.labels[..., these])
            weights = self.loss_weights[..., these].double()
            means = weighted_mean(losses.transpose(1, 2), weights.transpose(1, 2))  # [R, T]
            for i, task in enumerate(block.tasks):
                table[task, "loss"] = means[:, i]
                at = these.start + i
                figures = type(block.kind).metrics(
                    out[:, :, i, : block.specs[i].outputs],
                    self.labels[..., at],
                    self.weights[..., at],
                    self.unit[:, at],
                )
                table |= {(task, metric): value for metric, value in figures.items()}
        values = torch.stack(list(table.values())).cpu().tolist()  # one transfer
        return [
            {key: column[r] for key, column in zip(table, values, strict=True) if column[r] == column[r]}
            for r in range(self.index.shape[0])
        ]

    def of_tasks(self, outputs: Mapping[str, np.ndarray]) -> Figures:
        """Returns figures of a single run from outputs `[N, K]` by task. Tasks that are not given have no figures."""
        return {key: value for key, value in self(self.in_blocks(outputs))[0].items() if key[0] in outputs}

    def in_blocks(self, outputs: Mapping[str, np.ndarray]) -> list[Tensor]:
        """Returns outputs `[1, N, T, K]` of each block of a single run, from outputs `[N, K]` by task."""
        parts = []
        for block in self.network.blocks:
            width = 1 if block.kind.reads_inputs else block.outputs
            out = torch.full((1, self.index.shape[1], len(block.tasks), width), -torch.inf)
            for i, task in enumerate(block.tasks):
                if task in outputs:
                    out[0, :, i, : outputs[task].shape[1]] = torch.from_numpy(outputs[task])
            parts.append(out)
        return parts

    def trivial(self, constants: Mapping[str, Tensor]) -> list[Figures]:
        """Returns figures of a predictor with the same outputs `constants[task]` `[R, K]` for every row."""
        if self.empty:
            return [Figures() for _ in range(self.index.shape[0])]
        outputs = []
        for block in self.network.blocks:
            short = [block.outputs - constants[t].shape[1] for t in block.tasks]
            padded = [pad(constants[t], (0, n), value=-torch.inf) for t, n in zip(block.tasks, short, strict=True)]
            outputs.append(torch.stack(padded, 1).unsqueeze(1))  # [R, 1, T, K]
        if any(block.kind.reads_inputs for block in self.network.blocks):
            return self(self._gathered(lambda x: [out.expand(-1, x.shape[1], -1, -1) for out in outputs]))
        if self.labels is None:  # no need to encode the inputs
            labels, weights = self.rows.labels(self.index[None])
            self._keep(labels[0], torch.ones_like(labels[0]) if weights is None else weights[0])
        return self([out.expand(-1, self.index.shape[1], -1, -1) for out in outputs])

    def _keep(self, labels: Tensor, weights: Tensor) -> None:
        """Keeps labels and weights `[R, N, T]`. Padding has weight 0; the loss has class weights, as in training."""
        self.labels, self.loss_weights = labels, weights * (self.weights > 0)


def rows_at_once(encoder: InputEncoder, runs: int) -> int:
    """Returns how many rows of each run are encoded at once. runs: networks that read them; an ensemble is several."""
    return max(1, min(ROWS_AT_ONCE, BYTES_AT_ONCE // (4 * max(1, encoder.width))) // runs)


def moments(rows: Rows, index: Tensor, weights: Tensor) -> tuple[Tensor, Tensor]:
    """Returns weighted means `[R, D]` of all encoded columns and of their squares, float64; NaN if all weights are 0.

    index: row numbers `[R, N]` of the table; weights: of these rows, `[R, N]`
    """
    sums = torch.zeros(2, index.shape[0], rows.encoder.width, dtype=torch.float64, device=rows.device)
    step = rows_at_once(rows.encoder, index.shape[0])
    for start in range(0, index.shape[1], step):
        x = rows.batch(index[None, :, start : start + step])[0][0].double()
        weight = weights[:, None, start : start + step].double()
        sums += torch.stack([weight @ x, weight @ x.square()]).squeeze(2)
    mean, square = sums / weights.sum(1).unsqueeze(-1)
    return mean, square
