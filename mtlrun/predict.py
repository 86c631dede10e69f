"""A trained run on new rows."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch

from mtlrun.build import build_network
from mtlrun.check import check
from mtlrun.config import Config
from mtlrun.data.columns import MISSING, InputSpec
from mtlrun.engine import checkpoint
from mtlrun.engine.evaluate import ROWS_AT_ONCE
from mtlrun.errors import RequestError
from mtlrun.model.network import Network, TaskSpec


class Predictor:
    """A trained network that takes raw columns. `tasks` are the main ones; others are left out."""

    def __init__(self, config: Config, spec: InputSpec, network: Network, classes: dict[str, list[Any]],
                 units: dict[str, list[float]]) -> None:  # fmt: skip
        self.config, self.spec, self.network, self.classes, self.units = config, spec, network, classes, units
        self.tasks = [t for t, c in config.active.items() if c.role == "main"]

    @torch.no_grad()
    def predict(self, frame: pd.DataFrame) -> pd.DataFrame:
        """Predictions for every row of `frame`, with its index.

        A regression has one column, TASK, in the target's unit; a classification has TASK, the most
        probable class, and TASK[CLASS], the probability of each. Missing values are imputed as in
        training, unknown categories count as unknown. Raises RequestError that names missing columns.
        """
        numeric, codes = self.spec.transform(frame)
        positions = torch.from_numpy(self.network.encoder.positions(codes)) if codes.shape[1] else None
        values = torch.from_numpy(numeric)
        if not self.network.encoder.gaps:  # the encoder imputes only where the training table had gaps
            values = torch.where(values.isnan(), self.network.encoder.mean[0], values)
        parts: dict[str, list[np.ndarray]] = {t: [] for t in self.tasks}
        for start in range(0, len(frame), ROWS_AT_ONCE):
            rows = slice(start, start + ROWS_AT_ONCE)
            x = self.network.encoder(values[None, rows], None if positions is None else positions[None, rows])
            outputs = self.network(x)
            for task in self.tasks:
                block, i = self.network.place[task]
                out = outputs[self.network.blocks.index(block)][0, :, i, : block.specs[i].outputs]
                parts[task].append(out.double().numpy())
        columns: dict[str, Any] = {}
        for task in self.tasks:
            width = self.network.place[task][0].outputs
            columns |= self._columns(task, np.concatenate(parts[task]) if parts[task] else np.zeros((0, width)))
        return pd.DataFrame(columns, index=frame.index)

    def unknown(self, frame: pd.DataFrame) -> dict[str, int]:
        """How many rows of `frame` hold, per column, a category that no training row had or that was pooled as rare."""
        _, codes = self.spec.transform(frame)
        positions = self.network.encoder.positions(codes)
        learnt = np.append(self.network.encoder.seen[0, len(self.network.encoder.gaps) :].numpy() > 0, False)
        category = [c.name for c in self.spec.columns if c.kind == "category"]
        missing = codes == MISSING
        counts = (~learnt[positions] & ~missing).sum(0)
        return {name: int(n) for name, n in zip(category, counts, strict=True) if n}

    def _columns(self, task: str, out: np.ndarray) -> dict[str, Any]:
        """The columns of one task from its outputs `[N, K]`."""
        classes = self.classes[task]
        if not classes:
            unit, offset = self.units[task]
            return {task: out[:, 0] * unit + offset}
        if len(classes) == 2 and out.shape[1] == 1:
            out = np.concatenate([np.zeros_like(out), out], 1)
        shifted = np.exp(out - out.max(1, keepdims=True))
        probabilities = shifted / shifted.sum(1, keepdims=True)
        best = np.array(classes, dtype=object)[probabilities.argmax(1)]
        return {task: best} | {f"{task}[{c}]": probabilities[:, k] for k, c in enumerate(classes)}


def load(folder: str | Path) -> Predictor:
    """The model of a run's selected checkpoint, on the CPU. Raises RequestError where there is none."""
    folder = Path(folder)
    path = folder / "checkpoints" / "best.pt"
    if not path.exists():
        hint = f"finish it: mtlrun resume {folder}" if (folder / "summary.json").exists() else "no run is there"
        raise RequestError(f"{folder}: no trained model (checkpoints/best.pt)\n{hint}")
    tree = checkpoint.load(path)
    config = check(tree["config"])
    spec = InputSpec.from_plain(tree["inputs"])
    network = build_network([config], spec, [TaskSpec(**s) for s in tree["specs"]])
    network.load_state_dict(tree["network"])
    network.encoder.refresh()
    network.raw_labels = tree["raw_labels"]
    return Predictor(config, spec, network, tree["classes"], tree["units"])
