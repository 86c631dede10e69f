"""A target of `mtlrun init`: its task, the type that is inferred, the doubts, and the lines of YAML that say so."""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import yaml

from mtlrun.config.task_names import task_name
from mtlrun.data.doubts import no_classes, one_class_twice
from mtlrun.data.encoding import classes_of, infer_type
from mtlrun.data.kinds import NUMBER, TEXT, as_numbers, kind_of
from mtlrun.data.positive import positive_of
from mtlrun.data.yaml_words import one_line, scalar
from mtlrun.tasks import DECLARED, INFERRED, type_of
from mtlrun.util.printed_sections import Section
from mtlrun.util.text_tables import table_lines

MOST_COUNTS = 50  # a target with more different numbers is probably not a count


@dataclass(frozen=True)
class InitTarget:
    """A target: its column, the name of its task, its type ("" if it fits none), and what the labels are.

    setting: the task as a flow mapping of YAML; comments: lines on its doubts and on other types that it may have
    """

    column: str
    task: str
    type: str
    labels: str
    setting: str
    comments: tuple[str, ...]

    def lines(self, indent: str = "  ") -> list[str]:
        """The lines of YAML below `tasks`."""
        return [f"{indent}{self.task}: {self.setting}  # {self.labels}", *(f"{indent}# {c}" for c in self.comments)]


def init_targets(columns: Sequence[str], frame: pd.DataFrame, taken: Iterable[str] = ()) -> list[InitTarget]:
    """Describes targets, each once. taken: the names of tasks that exist."""
    names, targets = {*taken}, []
    for column in dict.fromkeys(columns):
        targets.append(_init_target(column, frame[column], names))
        names.add(targets[-1].task)
    return targets


def target_sections(targets: Sequence[InitTarget]) -> list[Section]:
    """The types that were inferred, and notes on them, for a terminal."""
    rows = [[target.task, target.type or "none: see below", target.labels] for target in targets]
    notes = [
        f"{target.task}: {comment.removeprefix(f'{target.task}: ')}"
        for target in targets
        for comment in target.comments
    ]
    return [
        Section("tasks", table_lines(["task", "type", "labels"], rows, left=(0, 1, 2), rule=False)),
        *([Section("notes", notes, alarming=any(not target.type for target in targets))] if notes else []),
    ]


def _init_target(column: str, series: pd.Series, taken: Collection[str]) -> InitTarget:
    """Describes a target from its cells. taken: the names of tasks that exist."""
    name, labels = task_name(column, {*taken}), series.dropna()
    missing = len(series) - len(labels)
    no_type, doubts = _doubts(labels)
    # no type: a run then refuses the target and says what to do
    kind = "" if no_type else infer_type(series)
    settings = [f"type: {kind}"] if kind else []
    settings += [f"target: {scalar(column)}"] if name != column else []
    positive, note = _positive(labels)
    settings += positive
    values = f"{series.nunique()} different values, {missing} of {len(series)} missing"
    comments = (*note, *map(one_line, doubts), *_alternatives(labels, name, settings))
    return InitTarget(column, name, kind, values, f"{{{', '.join(settings)}}}", comments)


def _positive(labels: pd.Series) -> tuple[list[str], list[str]]:
    """The setting `positive` of a target of two values, and a comment on it; both empty for other targets."""
    classes, codes = classes_of(labels, "--targets") if labels.nunique() == 2 else ([], np.empty(0))
    if len(classes) != 2:
        return [], []
    at, why = positive_of(classes, np.bincount(codes, minlength=2))
    taken, other = (_class(value) for value in (classes[at], classes[1 - at]))
    return [f"positive: {taken}"], [
        one_line(f"{taken} is the positive class, as {why}; to change it: positive: {other}")
    ]


def _class(value: Any) -> str:
    """A class as YAML."""
    return scalar(value) if isinstance(value, str) else str(yaml.safe_dump(value)).split("\n")[0]


def _alternatives(labels: pd.Series, name: str, settings: list[str]) -> list[str]:
    """Comments with types that a target of few different numbers may have, and that `infer_type` never chooses."""
    if kind_of(labels) is not NUMBER or not 2 < labels.nunique() <= MOST_COUNTS:
        return []
    numbers, lines = as_numbers(labels), []
    for kind, other in DECLARED.items():
        accepts = other.accepts
        if kind not in INFERRED and other.has_numbers and callable(accepts) and accepts(numbers).all():
            others = [setting for setting in settings if not setting.startswith("type:")]
            typed_settings = ", ".join([f"type: {kind}", *others])
            lines.append(f"{name}: {{{typed_settings}}}  # instead, if it counts something: {other.allowed}")
    return lines


def _doubts(labels: pd.Series) -> tuple[bool, list[str]]:
    """Whether a text target does not look like classes, and all doubts about it in the words of the notes of a run."""
    if kind_of(labels) is not TEXT:
        return False, []
    classes, codes = classes_of(labels, "--targets")
    doubt = no_classes(classes, np.bincount(codes)) if type_of(infer_type(labels)).has_many_classes else None
    return doubt is not None, [*([doubt] if doubt else []), *one_class_twice(classes)]
