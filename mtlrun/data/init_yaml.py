"""`mtlrun init TABLE --targets a,b`: writes a commented data YAML for a table of the user."""

import glob
from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from mtlrun.config.data_options import option_name
from mtlrun.config.schema import ColumnConfig, DataConfig
from mtlrun.data.doubts import code_of_digits, in_words, is_identifier, notations_of
from mtlrun.data.init_targets import InitTarget, init_targets, target_sections
from mtlrun.data.kinds import kind_of
from mtlrun.data.notation import as_yaml, is_sure
from mtlrun.data.paths import resolve_path
from mtlrun.data.reading import declared
from mtlrun.data.split import require_column
from mtlrun.data.table import Table, load_tables
from mtlrun.data.tabular_files import separator_of
from mtlrun.data.words import taken_and_kept
from mtlrun.data.yaml_words import key, one_line, scalar
from mtlrun.storage.files import create, remove_abandoned
from mtlrun.util.errors import RequestError, counted, listing
from mtlrun.util.printed_sections import Section
from mtlrun.util.shell import quoted
from mtlrun.util.terminal import typed


@dataclass(frozen=True)
class Inputs:
    """The columns besides the targets.

    kinds: input -> its kind; in_notation: the inputs in a local notation, which `columns` declares
    left_out: column -> why it is no input
    """

    kinds: dict[str, str]
    left_out: dict[str, str]
    in_notation: set[str]


@dataclass(frozen=True)
class Written:
    """The file that `mtlrun init` has written, and what it holds.

    notation: a line for each column in a local notation
    """

    path: Path
    targets: Sequence[InitTarget]
    inputs: Inputs
    notation: Sequence[str]

    def sections(self) -> list[Section]:
        """What is learnt from what, for a terminal."""
        kinds = Counter(self.inputs.kinds.values())
        inputs = [", ".join(counted(count, f"{kind} column") for kind, count in kinds.items()), *self.notation]
        reasons: dict[str, list[str]] = {}
        for name, why in self.inputs.left_out.items():
            reasons.setdefault(why, []).append(name)
        left_out = [f"{listing(names)}: {why}" for why, names in reasons.items()]
        return [*target_sections(self.targets), Section("inputs", inputs), Section("left out", left_out or ["none"])]


def write_yaml(table: Path, targets: Sequence[str], folder: Path) -> Written:
    """Writes `folder`/conf/data/STEM.yaml for the table. `folder` is the working directory.

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
    inputs, tasks = _inputs(table_.frame, targets), init_targets(targets, table_.frame)
    try:
        remove_abandoned(file.parent, glob.escape(file.name))
        create(file, _text(typed(table), option, inputs, tasks, columns))
    except FileExistsError:
        raise RequestError(
            f"init: {file} exists already, and is never overwritten\n"
            f"remove or rename it, or add a target to it: {quoted('mtlrun', 'init', typed(table))} --add-target NAME"
        ) from None
    except OSError as error:
        raise RequestError(f"init: cannot write {file} ({error.strerror})\ncheck the folder") from None
    notation = [
        f"{name}: {in_words(notations, frame[name].dropna().unique())}"
        + ("" if name in sure else "; in doubt: see columns")
        for name, notations in found.items()
    ]
    return Written(file, tasks, inputs, notation)


def _columns(cells: pd.DataFrame, found: dict[str, list[ColumnConfig]], table: Table) -> list[str]:
    """The lines of `columns`. A line is a comment if the notation is in doubt.

    cells: the table as it is read without declarations; found: the possible notations of its columns.
    """
    lines = []
    for name, notations in found.items():
        what = in_words(notations, cells[name].dropna().unique())
        mark, end = ("", "") if is_sure(notations) else ("# ", "".join(f"; or {as_yaml(n)}" for n in notations[1:]))
        lines.append(f"    {mark}{key(name)}: {as_yaml(notations[0])}  # {one_line(what + end)}")
    for name in cells.columns:
        if (cell := code_of_digits(cells[name])) is not None:
            what = f"text, as {cell!r} has a leading zero; this line reads numbers"
            lines.append(f"    # {key(str(name))}: {{number: {{}}}}  # {one_line(what)}")
    none = all(line.startswith("    #") for line in lines)
    taken, kept = taken_and_kept(table.words, table.reading)
    for name, counts in kept.items():
        missing = ColumnConfig(missing=list(counts))
        what = f"{_counts(counts)} are values of text; this line makes them missing"
        lines.append(f"    # {key(name)}: {as_yaml(missing)}  # {one_line(what)}")
    lines += [f"    # {key(name)}: {_counts(counts)} taken for missing values" for name, counts in taken.items()]
    return [f"  columns:{' null' * none}  # how cells are read that do not say so themselves", *lines]


def _counts(words: dict[str, int]) -> str:
    return listing(f"{word!r} in {count:,} cells" for word, count in words.items())


def _inputs(frame: pd.DataFrame, targets: Collection[str]) -> Inputs:
    """The inputs of a table, and the columns that are left out. Raises RequestError if no input is left."""
    found = Inputs({}, {}, set())
    for column in (str(c) for c in frame.columns if c not in targets):
        series = frame[column]
        if not series.notna().any():
            found.left_out[column] = "empty"
        elif notations_of(series):
            found.kinds[column] = kind_of(series).name
            found.in_notation.add(column)
        elif is_identifier(series, column):
            found.left_out[column] = "like an identifier: nearly every value is different"
        else:
            found.kinds[column] = kind_of(series).name
    if not found.kinds:
        raise RequestError(
            "init: no column is left for the inputs beside targets, identifiers, empty columns\n"
            "give fewer --targets, or write the YAML by hand (see data=table)"
        )
    return found


def _text(path: str, option: str, inputs: Inputs, targets: Sequence[InitTarget], columns: Sequence[str]) -> str:
    lines = [
        "# @package _global_",
        f"# mtlrun check data={option}    shows what is read, and warns",
        f"# mtlrun data={option} loss=uncertainty lr=per_head",
        "data:",
        f"  path: {scalar(path)}  # relative to the working directory",
        *columns,
        "  inputs:  # null: every column that is no target, split, group or weight column",
        *(
            f"    - {scalar(name)}" + (f"  # read as {kind}: see columns" if name in inputs.in_notation else "")
            for name, kind in inputs.kinds.items()
        ),
        *(f"    # - {scalar(name)}  # {why}" for name, why in inputs.left_out.items()),
        "  future: null  # columns, or patterns, that are not known when predicting: never inputs",
        "  weight: null  # a column of row weights",
        "  split: {train: 0.7, val: 0.15, test: 0.15, by: null, column: null, files: null}"
        "  # by: a column of groups not to be torn apart",
        "  train_rows: null  # fewer training rows, same val and test",
        "  standardize_targets: true",
        "tasks:  # type: regression, binary, categorical or count",
        *(line for target in targets for line in target.lines()),
    ]
    return "\n".join(lines) + "\n"
