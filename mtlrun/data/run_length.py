"""The length of a run from its settings and its data."""

from typing import TYPE_CHECKING

from mtlrun.config.length import Length, length_of, length_of_boosting, trains_by_rule
from mtlrun.config.schema import Config
from mtlrun.data.expected_rows import expected_training_rows, nearby

if TYPE_CHECKING:
    from mtlrun.data.dataset import Dataset


def run_length(config: Config, dataset: "Dataset") -> Length:
    """The length of a run. See `config.length` for the rule."""
    if config.boosting:
        return length_of_boosting(config, _labelled(dataset))
    return length_of(config.trainer, length_rows(config, dataset))


def length_rows(config: Config, dataset: "Dataset") -> int:
    """The number of training rows with a label, from which the length follows.

    If the rule decides the steps per epoch, and no setting holds training labels back, it is the number to be expected
    from the table and the shares of the split, unless the actual number is not near it: then seeds with slightly
    different splits have the same length and can share a stack.
    """
    actual = _labelled(dataset)
    cut = any(task.train_labels is not None or task.train_rows_of is not None for task in config.active.values())
    if cut or not trains_by_rule(config.trainer):
        return actual
    labelled = dataset.labelled()
    train = expected_training_rows(config.data, dataset.split, len(labelled))
    return nearby(round(train * float(labelled.mean())), actual)


def _labelled(dataset: "Dataset") -> int:
    return int(dataset.trainable().sum())
