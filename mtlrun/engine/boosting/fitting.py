"""Fits trees of one task with scikit-learn, with the outputs of a network's head."""

import warnings
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any

import numpy as np

from mtlrun.config.schema import Config
from mtlrun.data.columns import InputSpec
from mtlrun.data.dataset import Dataset
from mtlrun.data.targets import Target
from mtlrun.engine.stack import Stack
from mtlrun.tasks import type_of
from mtlrun.tasks.trees import TreeLoss
from mtlrun.util.errors import TrainingError

MOST_CATEGORIES = 255  # of a column: trees have 8-bit bins, one of them for missing values


def tree_inputs(spec: InputSpec, numeric: np.ndarray, codes: np.ndarray) -> np.ndarray:
    """Returns inputs of trees [N, Dn + Dc] float64: numbers, then codes of categories; NaN if missing or unknown."""
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
    """Calls scikit-learn's fit.

    It does not accept columns without any value: they are set to 0. Its warning about the number of classes is hidden,
    as mtlrun has its own note.
    """
    empty = np.isnan(x).all(0)
    if empty.any():
        x, x_val = np.where(empty, 0.0, x), np.where(empty, 0.0, x_val)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "The number of unique classes", UserWarning)
        model.fit(x, labels, weights, X_val=x_val, y_val=val, sample_weight_val=weights_val)


def categorical(spec: InputSpec) -> list[bool]:
    """Returns which columns of `tree_inputs` the trees treat as unordered categories."""
    numbers = sum(c.count for c in spec.columns)
    return [False] * numbers + [len(c.categories) <= MOST_CATEGORIES for c in spec.category]


def run_notes(config: Config, dataset: Dataset) -> list[str]:
    """Returns notes of the configuration and data. With boosting, also each column with too many categories."""
    columns = [c for c in dataset.spec.columns if config.boosting and len(c.categories) > MOST_CATEGORIES]
    return [*config.notes, *dataset.notes] + [
        f"{c.name}: its {len(c.categories)} categories count as numbers, in their order: model=boosting tells at most "
        f"{MOST_CATEGORIES} apart"
        for c in columns
    ]


@dataclass(frozen=True)
class Trees:
    """The trees of one task.

    model: scikit-learn's estimator; loss: minimised by it; train_losses: the task's loss on the training rows after 1,
    2, … iterations
    """

    target: Target
    loss: TreeLoss
    model: Any
    train_losses: list[float]
    rows: int

    @property
    def iterations(self) -> int:
        """The number of iterations."""
        return len(self.train_losses)

    def outputs(self, x: np.ndarray) -> np.ndarray:
        """Returns outputs [N, K] for inputs [N, D], like those of a head: an estimate, a logit, or one per class."""
        return self._outputs(self.loss.raw(self.model, x))

    def staged(self, x: np.ndarray) -> Iterator[np.ndarray]:
        """Yields `outputs` after 1, 2, … iterations."""
        return map(self._outputs, self.loss.staged(self.model, x))

    def _outputs(self, raw: np.ndarray) -> np.ndarray:
        return self.loss.outputs(raw, self.model, len(self.target.classes), self.rows)


def fit(stack: Stack, task: str, iterations: int, patience: int | None) -> Trees:
    """Fits the trees of one task, for a stack of one run.

    Takes `iterations` iterations, or fewer if val has not improved for `patience` of them. Without labels in val that
    the loss can score it takes all. Raises TrainingError if class weights leave only one class.
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
        val = val[np.isin(labels[val], known)]  # other classes add the same to the loss after every iteration
    loss = type_of(target.type).losses[target.loss].boosting
    assert loss is not None, "checked with the request"
    wait = patience or iterations
    if not len(val) or not loss.can_score(labels[val]):
        val, wait = train, iterations
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
    """Returns weights [N] of the labels of task number `at`: row weight times class weight, 0 without a label."""
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
    """Scales weights to mean 1, so that limits on leaves do not depend on their unit. None if all are the same."""
    if not len(weights) or (weights == weights[0]).all():
        return None
    return weights / weights.mean()


def refit(stack: Stack, iterations: Mapping[str, int]) -> dict[str, Trees]:
    """Fits the trees of every task again, with the chosen `iterations` by task."""
    with threads(stack.configs[0]):
        return {task: fit(stack, task, count, None) for task, count in iterations.items()}


def threads(config: Config) -> AbstractContextManager[Any]:
    """While this lasts, scikit-learn uses `trainer.threads` threads, or 1, whose results are reproducible."""
    import sklearn.ensemble  # noqa: F401  (its OpenMP must be loaded for the limit to reach it)
    from threadpoolctl import threadpool_limits

    limits: AbstractContextManager[Any] = threadpool_limits(config.trainer.threads or 1)
    return limits
