"""The settings of one task, `tasks.NAME`."""

from dataclasses import dataclass, field
from typing import Any, Literal

from mtlrun.config.fields import COLUMN, bounded, one_of, per_run
from mtlrun.tasks import Declaration, losses, names, type_of


@dataclass(frozen=True, kw_only=True)
class SmoothConfig:
    """Labels are means over neighbouring rows; see data/labels.py.

    over: the column that orders the rows.
    window: the number of rows whose labels are averaged.
    """

    over: str = field(metadata=COLUMN)
    window: int = bounded(5, at_least=1)


@dataclass(frozen=True, kw_only=True)
class TaskConfig:
    """One task: a target column, and how it is learnt.

    Defaults for None: `type` is inferred from the column, `target` is the name of the task, `loss` is the first loss of
    the type (regression: mse, l1, huber; binary and categorical: cross_entropy), `primary` is the primary metric of
    the type. `class_weights` is None, "balanced" or a mapping class -> weight. `unit` is the unit of a regression
    target, for tables. A reconstruction has no target column, because its targets are the inputs, and it is always
    auxiliary. A type whose head is a function of the features has no target column either: `target` names the
    function, and `scale` is its factor.

    `expression` computes the labels from columns instead of reading one column. `bins` turns numbers into classes:
    `bins` classes of nearly equal size, or classes between the given inner edges. `columns` are the inputs, or patterns
    of inputs, that a reconstruction predicts. The network does not see them. None: all inputs.

    `smooth` replaces labels by means within each part of the split. Three settings change only the labels in training
    rows: only rows in which the task `train_rows_of` has a label count, `train_labels` of these labels are kept, and
    `shuffle` permutes them; see data/labels.py.

    `head` names a task of the same type whose head also computes the output of this task, which then has no head. With
    `discard` the head exists only during training and is not part of best.pt. A main task cannot be discarded.
    """

    type: str | None = one_of(names)
    target: str | None = field(default=None, metadata=COLUMN)
    expression: str | None = None
    bins: int | list[float] | None = None
    columns: list[str] | None = field(default=None, metadata=COLUMN)
    loss: str | None = one_of(losses)
    where: str | None = None
    role: Literal["main", "auxiliary", "adversarial"] = "main"
    primary: str | None = None
    positive: Any = None
    class_weights: Any = None
    huber_delta: float = bounded(1.0, above=0.0)
    scale: float = bounded(1.0, above=0.0)
    unit: str | None = per_run(None)
    shuffle: bool = per_run(False)
    train_labels: int | None = per_run(None, at_least=1)
    train_rows_of: str | None = per_run(None)
    head: str | None = None
    discard: bool = per_run(False)
    smooth: SmoothConfig | None = per_run(None)

    @property
    def main(self) -> bool:
        """Whether the task counts in the selection of checkpoints and in comparisons."""
        return self.role == "main"

    @property
    def adversarial(self) -> bool:
        """Whether the trunk learns to make the task hard: the edge from the trunk reverses the gradient."""
        return self.role == "adversarial"

    @property
    def declared(self) -> Declaration | None:
        """The declaration of the type; None if the type is inferred from the column."""
        return None if self.type is None else type_of(self.type)

    @property
    def reads_inputs(self) -> bool:
        """Whether the labels are the encoded inputs."""
        return self.declared is not None and self.declared.reads_inputs

    @property
    def has_labels(self) -> bool:
        """Whether the labels come from the table: from a column or an expression."""
        return self.declared is None or self.declared.from_table

    @property
    def has_column(self) -> bool:
        """Whether the labels are a column of the table."""
        return self.has_labels and self.expression is None

    @property
    def primary_metric(self) -> str | None:
        """The primary metric; None if it depends on the type that is inferred from the column."""
        return self.primary or (self.declared.primary if self.declared is not None else None)

    @property
    def own_labels(self) -> bool:
        """Whether the settings of the run change the labels of the table."""
        return (
            self.shuffle or self.train_labels is not None or self.train_rows_of is not None or self.smooth is not None
        )
