"""The settings of one task, `tasks.NAME`."""

from dataclasses import dataclass
from typing import Any, Literal

from mtlrun.config.fields import bounded, one_of, per_run
from mtlrun.tasks import Declaration, losses, names, type_of


@dataclass(frozen=True, kw_only=True)
class SmoothConfig:
    """Labels that are means over the `window` rows nearest in the order of the column `over`; see data/labels.py."""

    over: str
    window: int = bounded(5, at_least=1)


@dataclass(frozen=True, kw_only=True)
class TaskConfig:
    """One task: a target column, and how it is learnt.

    `type` is inferred from the column where it is None, `target` is the task's name, `loss` the
    type's first (regression: mse, l1, huber; binary and categorical: cross_entropy), `primary` the
    type's primary metric. `class_weights` is None, "balanced" or a mapping class -> weight. `unit` is that of a
    regression's target, for tables. A reconstruction has no target column, as the inputs are its target, and is
    always auxiliary. An objective, of model=point, has none either: its loss is `scale` times the function of toy.py
    that `target` names.

    In place of a column, `expression` gives the labels as a value over columns. `bins` makes classes of numbers: so
    many of nearly equal size, or between these inner edges. `columns` are the inputs, or patterns of them, that a
    reconstruction is about; the network does not see them. None: all inputs.

    Labels may be smoothed (`smooth`), within each part of the split. Of its labels in training rows, those in rows in
    which the task `train_rows_of` has one count, of these `train_labels` are kept, and `shuffle` permutes them; see
    data/labels.py.

    `head` names a task of the same type whose head computes this one's output too: it has none of its own. The head of
    a task to `discard`, which is no main one, exists only while training: best.pt is without it.
    """

    type: str | None = one_of(names)
    target: str | None = None
    expression: str | None = None
    bins: int | list[float] | None = None
    columns: list[str] | None = None
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
        """Whether checkpoints are selected by it, and its figures count."""
        return self.role == "main"

    @property
    def adversarial(self) -> bool:
        """Whether the trunk is to make it hard: its edge from the trunk reverses the gradient."""
        return self.role == "adversarial"

    @property
    def declared(self) -> Declaration | None:
        """What its type declares; None where the type follows from the column, which is then of the table."""
        return None if self.type is None else type_of(self.type)

    @property
    def reads_inputs(self) -> bool:
        """Whether its labels are the run's encoded inputs."""
        return self.declared is not None and self.declared.reads_inputs

    @property
    def has_labels(self) -> bool:
        """Whether its labels come from the table: a column of it, or the value of an expression."""
        return self.declared is None or self.declared.from_table

    @property
    def has_column(self) -> bool:
        """Whether its labels are a column of the table."""
        return self.has_labels and self.expression is None

    @property
    def primary_metric(self) -> str | None:
        """The primary metric as far as the settings say; None where that follows from the column."""
        return self.primary or (self.declared.primary if self.declared is not None else None)

    @property
    def own_labels(self) -> bool:
        """Whether the labels are a run's own, and not as the table has them."""
        return (
            self.shuffle or self.train_labels is not None or self.train_rows_of is not None or self.smooth is not None
        )
