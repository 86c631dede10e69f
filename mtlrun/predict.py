"""A trained run on new rows."""

import math
from abc import ABC, abstractmethod
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch

from mtlrun.build import build, build_network
from mtlrun.check import check
from mtlrun.config import Config
from mtlrun.data.columns import MISSING, InputSpec
from mtlrun.data.dataset import Dataset, load_dataset
from mtlrun.engine import checkpoint
from mtlrun.engine.boosting import Trees, figures, refit, tree_inputs
from mtlrun.engine.evaluate import ROWS_AT_ONCE
from mtlrun.engine.stack import Stack
from mtlrun.errors import RequestError
from mtlrun.model.network import Network, TaskSpec


class Predictor(ABC):
    """A trained run that takes raw columns. `tasks` are the main ones; others are left out. `note`: a line on how it
    came to be, "" where there is nothing to say."""

    note = ""

    def __init__(self, config: Config, spec: InputSpec, classes: dict[str, list[Any]],
                 units: dict[str, list[float]]) -> None:  # fmt: skip
        self.config, self.spec, self.classes, self.units = config, spec, classes, units
        self.tasks = [t for t, c in config.active.items() if c.role == "main"]

    @abstractmethod
    def _outputs(self, numeric: np.ndarray, codes: np.ndarray) -> dict[str, np.ndarray]:
        """Outputs [N, K] of every main task for numbers [N, Dn] and codes [N, Dc]."""

    @abstractmethod
    def _learnt(self, codes: np.ndarray) -> np.ndarray:
        """Which of the codes [N, Dc] some training row had, as a mask [N, Dc]."""

    def predict(self, frame: pd.DataFrame) -> pd.DataFrame:
        """Predictions for every row of `frame`, with its index.

        A regression has one column, TASK, in the target's unit; a classification has TASK, the most
        probable class, and TASK[CLASS], the probability of each. Missing values are imputed as in
        training, unknown categories count as unknown. Raises RequestError that names missing columns.
        """
        outputs = self._outputs(*self.spec.transform(frame))
        columns: dict[str, Any] = {}
        for task in self.tasks:
            columns |= self._columns(task, outputs[task])
        return pd.DataFrame(columns, index=frame.index)

    def unknown(self, frame: pd.DataFrame) -> dict[str, int]:
        """How many rows of `frame` hold, per column, a category that no training row had or that was pooled as rare."""
        _, codes = self.spec.transform(frame)
        category = [c.name for c in self.spec.columns if c.kind == "category"]
        counts = (~self._learnt(codes) & (codes != MISSING)).sum(0)
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


class NetworkPredictor(Predictor):
    """A trained network."""

    def __init__(self, config: Config, spec: InputSpec, network: Network, classes: dict[str, list[Any]],
                 units: dict[str, list[float]]) -> None:  # fmt: skip
        super().__init__(config, spec, classes, units)
        self.network = network

    @torch.no_grad()
    def _outputs(self, numeric: np.ndarray, codes: np.ndarray) -> dict[str, np.ndarray]:
        positions = torch.from_numpy(self.network.encoder.positions(codes)) if codes.shape[1] else None
        values = torch.from_numpy(numeric)
        if not self.network.encoder.gaps:  # the encoder imputes only where the training table had gaps
            values = torch.where(values.isnan(), self.network.encoder.mean[0], values)
        parts = {t: [np.zeros((0, self.network.place[t][0].outputs))] for t in self.tasks}
        for start in range(0, len(numeric), ROWS_AT_ONCE):
            rows = slice(start, start + ROWS_AT_ONCE)
            x = self.network.encoder(values[None, rows], None if positions is None else positions[None, rows])
            outputs = self.network(x)
            for task in self.tasks:
                block, i = self.network.place[task]
                # a block is as wide as its widest task
                out = outputs[self.network.blocks.index(block)][0, :, i, : block.specs[i].outputs]
                parts[task].append(out.double().numpy())
        return {task: np.concatenate(part[1:] or part) for task, part in parts.items()}

    def _learnt(self, codes: np.ndarray) -> np.ndarray:
        learnt = np.append(self.network.encoder.seen[0, len(self.network.encoder.gaps) :].numpy() > 0, False)
        return np.asarray(learnt[self.network.encoder.positions(codes)])


class BoostingPredictor(Predictor):
    """Trees, fitted anew from the run's configuration: a checkpoint that is loaded without executing code has none."""

    note = "model=boosting: fitted anew from the run's configuration and table"

    def __init__(self, config: Config, dataset: Dataset, stack: Stack, trees: dict[str, Trees]) -> None:
        scale = zip(stack.scale.unit[0].tolist(), stack.scale.offset[0].tolist(), strict=True)
        units = {task: list(pair) for task, pair in zip(stack.network.tasks, scale, strict=True)}
        super().__init__(config, dataset.spec, {t: list(v.classes) for t, v in dataset.targets.items()}, units)
        self.trees = trees
        self.train_codes = dataset.codes[dataset.split.train]

    def _outputs(self, numeric: np.ndarray, codes: np.ndarray) -> dict[str, np.ndarray]:
        if not len(numeric):
            return {t: np.zeros((0, max(1, len(self.classes[t])))) for t in self.tasks}
        x = tree_inputs(self.spec, numeric, codes)
        return {task: self.trees[task].outputs(x) for task in self.tasks}

    def _learnt(self, codes: np.ndarray) -> np.ndarray:
        known = [np.isin(own, train) & (own >= 0) for own, train in zip(codes.T, self.train_codes.T, strict=True)]
        return np.stack(known, 1) if known else np.zeros_like(codes, dtype=bool)


def _boosting(folder: Path, config: Config, tree: dict[str, Any]) -> BoostingPredictor:
    """The trees of a run anew. Raises RequestError where the table is another, or they do not come out as they were."""
    dataset = load_dataset(config)
    if dataset.hash != tree["data_hash"]:
        raise RequestError(f"data.path: {config.data.path} has changed since this run; to predict it is fitted anew\n"
                           "restore the file, or train anew in another folder")  # fmt: skip
    stack = build([config], [dataset])
    trees = refit(stack, tree["iterations"])
    val = dataset.split.val
    x = tree_inputs(dataset.spec, dataset.numeric[val], dataset.codes[val])
    found = figures(stack, {task: own.outputs(x) for task, own in trees.items()}, "val")
    for task, loss in tree["losses"].items():
        if not math.isclose(found[task, "loss"], loss, rel_tol=1e-5, abs_tol=1e-9):
            raise RequestError(f"{folder}: fitted anew, {task} has loss {found[task, 'loss']:g} on val, not {loss:g}\n"
                               "use the versions of the libraries that its summary.json names")  # fmt: skip
    return BoostingPredictor(config, dataset, stack, trees)


def load(folder: str | Path) -> Predictor:
    """The model of a run's selected checkpoint, on the CPU; that of model=boosting is fitted anew.

    Raises RequestError where there is none, or where it does not come out as it was.
    """
    folder = Path(folder)
    path = folder / "checkpoints" / "best.pt"
    if not path.exists():
        hint = f"finish it: mtlrun resume {folder}" if (folder / "summary.json").exists() else "no run is there"
        raise RequestError(f"{folder}: no trained model (checkpoints/best.pt)\n{hint}")
    tree = checkpoint.load(path)
    config = check(tree["config"])
    if config.boosting:
        return _boosting(folder, config, tree)
    spec = InputSpec.from_plain(tree["inputs"])
    network = build_network([config], spec, [TaskSpec(**s) for s in tree["specs"]])
    network.load_state_dict(tree["network"])
    network.encoder.refresh()
    network.raw_labels = tree["raw_labels"]
    return NetworkPredictor(config, spec, network, tree["classes"], tree["units"])
