"""Gradient boosting: trees for each task on its own, on the rows, labels and weights that a network would get.

scikit-learn's HistGradientBoosting (trees on binned inputs, Friedman 2001; Ke et al. 2017) fits them. Inputs are the
table's columns as they are; figures come from the stack's evaluation, so that they mean what a network's mean.
"""

import math
import time
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from mtlrun.config.schema import Config, as_mapping
from mtlrun.data.columns import InputSpec
from mtlrun.data.dataset import Dataset
from mtlrun.data.targets import Target
from mtlrun.engine import checkpoint
from mtlrun.engine.evaluate import Figures
from mtlrun.engine.member import Member
from mtlrun.engine.stack import Stack
from mtlrun.results.environment import peak_memory
from mtlrun.results.progress import Progress
from mtlrun.results.writer import Row, RunWriter
from mtlrun.tasks import type_of
from mtlrun.tasks.trees import TreeLoss
from mtlrun.util.errors import TrainingError

MOST_CATEGORIES = 255  # of one column, as trees tell categories apart by the bins of 8 bits, one of them for missing


def tree_inputs(spec: InputSpec, numeric: np.ndarray, codes: np.ndarray) -> np.ndarray:
    """Inputs of trees [N, Dn + Dc] float64: numbers, then codes of categories; NaN where missing or unknown."""
    return np.concatenate([numeric, np.where(codes < 0, np.nan, codes)], 1)


def _fit(
    model: Any,
    x: np.ndarray,
    labels: np.ndarray,
    weights: np.ndarray | None,
    x_val: np.ndarray,
    val: np.ndarray,
    weights_val: np.ndarray | None,
) -> None:
    """scikit-learn's fit. It knows no column without a value, which here is one that is 0 throughout, and says of
    classes what mtlrun's own notes say."""
    empty = np.isnan(x).all(0)
    if empty.any():
        x, x_val = np.where(empty, 0.0, x), np.where(empty, 0.0, x_val)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "The number of unique classes", UserWarning)
        model.fit(x, labels, weights, X_val=x_val, y_val=val, sample_weight_val=weights_val)


def categorical(spec: InputSpec) -> list[bool]:
    """Which columns of `tree_inputs` are categories to the trees, that is, in no order."""
    category = [c for c in spec.columns if c.kind == "category"]
    numbers = len(spec.columns) - len(category)
    return [False] * numbers + [len(c.categories) <= MOST_CATEGORIES for c in category]


def run_notes(config: Config, dataset: Dataset) -> list[str]:
    """What the configuration and the data found worth a line; of boosting also each column whose categories are too
    many to be told apart one by one."""
    columns = [c for c in dataset.spec.columns if config.boosting and len(c.categories) > MOST_CATEGORIES]
    return [*config.notes, *dataset.notes] + [
        f"{c.name}: its {len(c.categories)} categories count as numbers, in their order: model=boosting tells at most "
        f"{MOST_CATEGORIES} apart"
        for c in columns
    ]


@dataclass(frozen=True)
class Trees:
    """The trees of one task. `model`: scikit-learn's; `loss`: what it minimises; `train_losses`: of the training rows
    after 1, 2, … iterations, in the terms of the task's own loss."""

    target: Target
    loss: TreeLoss
    model: Any
    train_losses: list[float]
    rows: int

    @property
    def iterations(self) -> int:
        """How many iterations there are."""
        return len(self.train_losses)

    def outputs(self, x: np.ndarray) -> np.ndarray:
        """Outputs [N, K] for inputs [N, D], as a head of a network has them: an estimate, a logit, or one per class."""
        return self._outputs(self.loss.raw(self.model, x))

    def staged(self, x: np.ndarray) -> Iterator[np.ndarray]:
        """`outputs` after 1, 2, … iterations."""
        return map(self._outputs, self.loss.staged(self.model, x))

    def _outputs(self, raw: np.ndarray) -> np.ndarray:
        return self.loss.outputs(raw, self.model, len(self.target.classes), self.rows)


def fit(stack: Stack, task: str, iterations: int, patience: int | None) -> Trees:
    """Trees of one task of a stack of one run: so many iterations, or fewer where val has not become better for
    `patience` of them. Without a label in val there are always so many.

    Raises TrainingError where class weights leave only one class.
    """
    (config,), (dataset,) = stack.configs, stack.datasets
    settings = config.boosting
    assert settings is not None, "runs/stack_training.py decides"
    target, at = dataset.targets[task], stack.network.tasks.index(task)
    x = tree_inputs(dataset.spec, dataset.numeric, dataset.codes)
    labels = target.values * float(stack.scale.multiply[0, at]) + float(stack.scale.add[0, at])
    weights = _label_weights(stack, at)
    train, val = (rows[weights[rows] > 0] for rows in (dataset.split.train, dataset.split.val))
    if target.classes:
        labels = labels.astype(np.int64)
        known = np.unique(labels[train])
        if len(known) == 1:
            raise TrainingError(
                f"tasks.{task}.class_weights: leave {target.classes[known[0]]!r} as the only class\n"
                "allowed with model=boosting: weights above 0 for two classes or more"
            )
        val = val[np.isin(labels[val], known)]  # what others add to the loss is the same after every iteration
    wait = patience or iterations
    if not len(val):
        val, wait = train, iterations
    loss = type_of(target.type).losses[target.loss].boosting
    assert loss is not None, "checked with the request"
    estimator_settings: dict[str, Any] = {
        "learning_rate": settings.learning_rate,
        "max_iter": iterations,
        "max_leaf_nodes": settings.max_leaf_nodes,
        "min_samples_leaf": settings.min_samples_leaf,
        "l2_regularization": settings.l2,
        "categorical_features": categorical(dataset.spec),
        "random_state": config.seed % 2**32,
        "early_stopping": True,
        "n_iter_no_change": wait,
        "tol": 0.0,
    }
    model = loss.estimator(estimator_settings)
    relative = _relative(weights[train])
    _fit(model, x[train], labels[train], relative, x[val], labels[val], _relative(weights[val]))
    return Trees(target, loss, model, loss.train_losses(model, labels[train], relative), len(train))


def _label_weights(stack: Stack, at: int) -> np.ndarray:
    """What every row's label of task number `at` counts in its loss [N]: row weight times class weight, 0 for none."""
    (dataset,) = stack.datasets
    target = dataset.targets[stack.network.tasks[at]]
    weights = target.observed.astype(np.float64)
    if dataset.weight is not None:
        weights *= dataset.weight
    classes = stack.val.rows.class_weights.get(at)
    if classes is not None:
        weights *= classes[0].double().numpy()[target.values.astype(np.int64)]
    return weights


def _relative(weights: np.ndarray) -> np.ndarray | None:
    """Weights with mean 1, so that no bound on leaves depends on their unit; None where all are the same."""
    if not len(weights) or (weights == weights[0]).all():
        return None
    return weights / weights.mean()


def refit(stack: Stack, iterations: Mapping[str, int]) -> dict[str, Trees]:
    """The trees of every task anew, as they were when so many iterations had been chosen."""
    with threads(stack.configs[0]):
        return {task: fit(stack, task, count, None) for task, count in iterations.items()}


def figures(stack: Stack, outputs: Mapping[str, np.ndarray], split: str) -> Figures:
    """Figures of every task on val or test from outputs [N, K]."""
    parts: list[Tensor] = []
    for block in stack.network.blocks:
        rows = len(outputs[block.tasks[0]])
        out = torch.full((1, rows, len(block.tasks), block.outputs), -math.inf)
        for i, task in enumerate(block.tasks):
            out[0, :, i, : outputs[task].shape[1]] = torch.from_numpy(outputs[task])
        parts.append(out)
    found = (stack.val if split == "val" else stack.test)(parts)[0]
    return {key: value for key, value in found.items() if math.isfinite(value)}


def threads(config: Config) -> AbstractContextManager[Any]:
    """While this lasts, scikit-learn runs on `trainer.threads` threads, else on one: then its bits are the same."""
    import sklearn.ensemble  # noqa: F401  (its OpenMP must be loaded for the limit to reach it)
    from threadpoolctl import threadpool_limits

    limits: AbstractContextManager[Any] = threadpool_limits(config.trainer.threads or 1)
    return limits


class Boosting:
    """A run of model=boosting in training: what `loop.Training` is to a stack of networks.

    Nothing is saved on the way: an interrupted run begins anew. `ended` is called when the files are complete.
    """

    def __init__(
        self, stack: Stack, folder: Path, summary: dict[str, Any], ended: Callable[[list[Member]], None] | None = None
    ) -> None:
        (config,), (dataset,) = stack.configs, stack.datasets
        assert config.boosting is not None, "runs/stack_training.py decides"
        self.stack, self.on_end = stack, ended
        self.total, self.patience = config.boosting.iterations, config.trainer.patience
        writer = RunWriter(folder, config.trainer.tensorboard)
        self.member = Member(0, config, dataset, stack.selections[0], folder, summary, writer=writer)
        self.running = [self.member]
        self.started = time.monotonic()

    def train(self, progress: Progress) -> list[dict[str, Any]]:
        """Fit every task, choose its iterations on val, evaluate test once, and return the summary.

        KeyboardInterrupt is recorded and passes.
        """
        try:
            with progress, threads(self.member.config):
                trees = {}
                for n, task in enumerate(self.stack.network.tasks):
                    progress.show(self.total * n // len(self.stack.network.tasks), f"boosting {task}")
                    trees[task] = fit(self.stack, task, self.total, self.patience)
                self._finish(trees, *self._course(trees))
        except KeyboardInterrupt:
            self._record({"status": "interrupted", "error": None})
            raise
        if self.on_end is not None:
            self.on_end([self.member])
        return [self.member.summary]

    def _course(self, trees: Mapping[str, Trees]) -> tuple[list[Row], dict[str, int], Figures]:
        """Rows of every iteration; of each task the iterations that are chosen, the first with the least loss on val
        (all where val has none), and its figures on val there."""
        x = self._inputs(self.member.dataset.split.val)
        staged = {task: own.staged(x) for task, own in trees.items()}
        outputs: dict[str, np.ndarray] = {}
        rows: list[Row] = []
        chosen: dict[str, int] = {}
        best: Figures = {}
        for iteration in range(1, max(own.iterations for own in trees.values()) + 1):
            going = [task for task, own in trees.items() if iteration <= own.iterations]
            outputs |= {task: next(staged[task]) for task in going}
            found = figures(self.stack, outputs, "val")
            for task in going:
                own = {metric: value for (t, metric), value in found.items() if t == task}
                rows.append((iteration, iteration, "train", task, "loss", trees[task].train_losses[iteration - 1]))
                rows += [(iteration, iteration, "val", task, metric, value) for metric, value in own.items()]
                if "loss" not in own or own["loss"] < best.get((task, "loss"), math.inf):
                    chosen[task] = iteration
                    best |= {(task, metric): value for metric, value in own.items()}
        return rows, chosen, best

    def _finish(self, trees: Mapping[str, Trees], rows: list[Row], chosen: Mapping[str, int], best: Figures) -> None:
        """Test figures with the iterations that were chosen, and all files."""
        x = self._inputs(self.member.dataset.split.test)
        outputs = {task: _after(own.staged(x), chosen[task]) for task, own in trees.items()}
        test = figures(self.stack, outputs, "test")
        rows += [(chosen[task], chosen[task], "test", task, metric, value) for (task, metric), value in test.items()]
        final = {f"val/{task}/{metric}": value for (task, metric), value in best.items()}
        final |= {f"train/{task}/loss": own.train_losses[chosen[task] - 1] for task, own in trees.items()}
        final |= {f"test/{task}/{metric}": value for (task, metric), value in test.items()}
        last, steps = max(chosen.values()), max(own.iterations for own in trees.values())
        member = self.member
        tree = {
            "config": as_mapping(member.config),
            "data_hash": member.dataset.hash,
            "step": steps,
            "iterations": dict(chosen),
            "losses": {t: value for (t, metric), value in best.items() if metric == "loss"},
        }
        member.files.rows(rows)
        for name in ("last.pt", "best.pt"):
            checkpoint.save(member.folder / "checkpoints" / name, tree)
        member.write_hyperparameters(final)
        selection = member.selection
        self._record(
            {
                "status": "completed",
                "error": None,
                "steps": steps,
                "figures": final,
                "best": {
                    "step": last,
                    "epoch": last,
                    "by": selection.name,
                    "value": selection.sign * selection(best),
                    "iterations": dict(chosen),
                },
            }
        )

    def _inputs(self, rows: np.ndarray) -> np.ndarray:
        dataset = self.member.dataset
        return tree_inputs(dataset.spec, dataset.numeric[rows], dataset.codes[rows])

    def _record(self, known: dict[str, Any]) -> None:
        """Write summary.json."""
        member = self.member
        spent = {"seconds": time.monotonic() - self.started, "memory": peak_memory(self.stack.device)}
        member.summary |= spent | known
        member.files.summary(member.summary)


def _after(staged: Iterator[np.ndarray], iterations: int) -> np.ndarray:
    """What there is after so many iterations, of which there is at least one."""
    for _ in range(iterations - 1):
        next(staged)
    return next(staged)
