"""`mtlrun init TABLE --targets a,b`: writes a commented data YAML for a table of the user."""

import glob
import re
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import yaml

from mtlrun.config.data_options import option_name
from mtlrun.config.schema import ColumnConfig, DataConfig
from mtlrun.config.task_names import task_name
from mtlrun.data.doubts import code_of_digits, in_words, is_identifier, no_classes, notations_of, one_class_twice
from mtlrun.data.encoding import classes_of, infer_type
from mtlrun.data.kinds import NUMBER, TEXT, as_numbers, kind_of
from mtlrun.data.notation import as_yaml, is_sure
from mtlrun.data.paths import resolve_path
from mtlrun.data.positive import positive_of
from mtlrun.data.reading import declared
from mtlrun.data.split import require_column
from mtlrun.data.table import Table, load_tables
from mtlrun.data.tabular_files import separator_of
from mtlrun.data.words import taken_and_kept
from mtlrun.storage.files import create, remove_abandoned
from mtlrun.tasks import DECLARED, INFERRED, type_of
from mtlrun.util.errors import RequestError, listing
from mtlrun.util.interpolation import escaped
from mtlrun.util.terminal import typed

MOST_COUNTS = 50  # a target with more different numbers is probably not a count


def write_yaml(table: Path, targets: list[str], folder: Path) -> Path:
    """Writes `folder`/conf/data/STEM.yaml for the table and returns its path. `folder` is the working directory.

    The YAML has the inferred task types and lists the inputs. Identifiers, empty columns and dates written as text are
    commented out. Comments name doubts about an input or a target. Raises RequestError for a table that cannot be read,
    a target that is not a column, and a file that exists.
    """
    path = resolve_path(typed(table), "init")
    separator = separator_of(path) if path.is_file() else ","
    frame = load_tables([path], ["init"], separator=separator).frame
    found = {str(name): notations for name in frame.columns if (notations := notations_of(frame[name]))}
    sure = {name: notations[0] for name, notations in found.items() if is_sure(notations)}
    table_ = load_tables([path], ["init"], declared(DataConfig(columns=sure)), separator=separator)
    if not targets:
        raise RequestError("init: no target is given\nname the columns to predict: mtlrun init TABLE --targets a,b")
    for target in targets:
        require_column(target, frame, "--targets")
    option = option_name(path.name)
    file = folder / "conf" / "data" / f"{option}.yaml"
    columns = [f'  separator: "{separator}"  # the sign between the columns'] if separator != "," else []
    columns += _columns(frame, found, table_)
    text = _text(typed(table), option, table_.frame, list(dict.fromkeys(targets)), columns)
    try:
        remove_abandoned(file.parent, glob.escape(file.name))
        create(file, text)
    except FileExistsError:
        raise RequestError(f"init: {file} exists already\nremove or rename it first: it is never overwritten") from None
    except OSError as error:
        raise RequestError(f"init: cannot write {file} ({error.strerror})\ncheck the folder") from None
    return file


def _columns(cells: pd.DataFrame, found: dict[str, list[ColumnConfig]], table: Table) -> list[str]:
    """The lines of `columns`. A line is a comment if the notation is in doubt.

    cells: the table as it is read without declarations; found: the possible notations of its columns.
    """
    lines = []
    for name, notations in found.items():
        what = in_words(notations, cells[name].dropna().unique())
        mark, end = ("", "") if is_sure(notations) else ("# ", "".join(f"; or {as_yaml(n)}" for n in notations[1:]))
        lines.append(f"    {mark}{_key(name)}: {as_yaml(notations[0])}  # {_one_line(what + end)}")
    for name in cells.columns:
        if (cell := code_of_digits(cells[name])) is not None:
            what = f"text, as {cell!r} has a leading zero; this line reads numbers"
            lines.append(f"    # {_key(str(name))}: {{number: {{}}}}  # {_one_line(what)}")
    none = all(line.startswith("    #") for line in lines)
    taken, kept = taken_and_kept(table.words, table.reading)
    for name, counts in kept.items():
        missing = ColumnConfig(missing=list(counts))
        what = f"{_counts(counts)} are values of text; this line makes them missing"
        lines.append(f"    # {_key(name)}: {as_yaml(missing)}  # {_one_line(what)}")
    lines += [f"    # {_key(name)}: {_counts(counts)} taken for missing values" for name, counts in taken.items()]
    return [f"  columns:{' null' * none}  # how cells are read that do not say so themselves", *lines]


def _counts(words: dict[str, int]) -> str:
    return listing(f"{word!r} in {count:,} cells" for word, count in words.items())


def _text(path: str, option: str, frame: pd.DataFrame, targets: list[str], columns: list[str]) -> str:
    inputs, left_out = [], []
    for column in (str(c) for c in frame.columns if c not in targets):
        series = frame[column]
        if not series.notna().any():
            left_out.append(f"    # - {_scalar(column)}  # empty")
        elif notations_of(series):
            inputs.append(f"    - {_scalar(column)}  # read as {kind_of(series).name}: see columns")
        elif is_identifier(series, column):
            left_out.append(f"    # - {_scalar(column)}  # like an identifier: nearly every value is different")
        else:
            inputs.append(f"    - {_scalar(column)}")
    if not inputs:
        raise RequestError(
            "init: no column is left for the inputs beside targets, identifiers, empty columns\n"
            "give fewer --targets, or write the YAML by hand (see data=table)"
        )
    lines = [
        "# @package _global_",
        f"# mtlrun check data={option}    shows what is read, and warns",
        f"# mtlrun data={option} loss=uncertainty lr=per_head",
        "data:",
        f"  path: {_scalar(path)}  # relative to the working directory",
        *columns,
        "  inputs:  # null: every column that is no target, split, group or weight column",
        *inputs,
        *left_out,
        "  future: null  # columns, or patterns, that are not known when predicting: never inputs",
        "  weight: null  # a column of row weights",
        "  split: {train: 0.7, val: 0.15, test: 0.15, by: null, column: null, files: null}"
        "  # by: a column of groups not to be torn apart",
        "  train_rows: null  # fewer training rows, same val and test",
        "  standardize_targets: true",
        "tasks:  # type: regression, binary, categorical or count",
    ]
    taken: set[str] = set()
    for column in targets:
        name = task_name(column, taken)
        taken.add(name)
        series = frame[column]
        missing = int(series.isna().sum())
        comment = f"{series.nunique()} different values, {missing} of {len(series)} missing"
        no_type, doubts = _doubts(series.dropna())
        # no type: a run then refuses the target and says what to do
        settings = [] if no_type else [f"type: {infer_type(series)}"]
        settings += [f"target: {_scalar(column)}"] if name != column else []
        positive, note = _positive(series.dropna())
        settings += positive
        lines.append(f"  {name}: {{{', '.join(settings)}}}  # {comment}")
        lines += [f"  # {line}" for line in [*note, *doubts]]
        lines += _alternatives(series.dropna(), name, settings)
    return "\n".join(lines) + "\n"


def _positive(labels: pd.Series) -> tuple[list[str], list[str]]:
    """The setting `positive` of a target of two values, and a comment on it; both empty for other targets."""
    classes, codes = classes_of(labels, "--targets") if labels.nunique() == 2 else ([], np.empty(0))
    if len(classes) != 2:
        return [], []
    at, why = positive_of(classes, np.bincount(codes, minlength=2))
    taken, other = (_class(value) for value in (classes[at], classes[1 - at]))
    return [f"positive: {taken}"], [
        _one_line(f"{taken} is the positive class, as {why}; to change it: positive: {other}")
    ]


def _class(value: Any) -> str:
    """A class as YAML."""
    return _scalar(value) if isinstance(value, str) else str(yaml.safe_dump(value)).split("\n")[0]


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
            lines.append(f"  # {name}: {{{typed_settings}}}  # instead, if it counts something: {other.allowed}")
    return lines


def _doubts(labels: pd.Series) -> tuple[bool, list[str]]:
    """Whether a text target does not look like classes, and all doubts about it in the words of the notes of a run."""
    if kind_of(labels) is not TEXT:
        return False, []
    classes, codes = classes_of(labels, "--targets")
    doubt = no_classes(classes, np.bincount(codes)) if type_of(infer_type(labels)).has_many_classes else None
    return doubt is not None, [*([doubt] if doubt else []), *one_class_twice(classes)]


def _scalar(text: str) -> str:
    """A text as a value in YAML. `${` is escaped so that it is no interpolation."""
    return _key(escaped(text))


def _key(text: str) -> str:
    """A text as a key in YAML, quoted unless it is a plain word."""
    if re.fullmatch(r"[A-Za-z_][\w./-]*", text, flags=re.ASCII) and yaml.safe_load(text) == text:
        return text
    return str(yaml.safe_dump(text, default_style='"', allow_unicode=True, width=10**9)).strip()


def _one_line(text: str) -> str:
    """A comment without line breaks."""
    return " ".join(text.split())
