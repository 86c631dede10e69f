"""What `mtlrun check` shows of a run: its problems, what it learns from what, and how it trains."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from mtlrun.config.length import length_notes
from mtlrun.config.schema import BoostingConfig, Config, as_mapping
from mtlrun.data.columns import MISSING, InputColumn
from mtlrun.data.dataset import Dataset, load_dataset, load_table
from mtlrun.data.facts import task_facts
from mtlrun.data.inspect import inspect
from mtlrun.data.labels import controls, without_controls
from mtlrun.data.roles import future_columns
from mtlrun.data.split import PARTS
from mtlrun.engine.boosting import categorical, run_notes
from mtlrun.engine.stack import Stack
from mtlrun.runs.single import PreparedRun, prepare
from mtlrun.tasks import type_of
from mtlrun.util.errors import counted, listing
from mtlrun.util.printed_sections import Section
from mtlrun.util.terminal import shown
from mtlrun.util.text_tables import table_lines

MOST_NAMES, MOST_LINES, MOST_CLASSES = 6, 10, 3  # of a list, of a section, of a task, unless all are asked for
ALL = 10**9
_CYCLES = {"year": "time of year", "week": "day of week", "day": "time of day"}
_COUNTS = {"text column": " (number of categories)"}
_GROUPS = ("model", "sharing", "graph", "loss", "lr", "optimizer")


def report(config: Config, notes: Iterable[str] = (), whole: bool = False) -> list[Section]:
    """Describes the run of `config`. Trains nothing.

    notes: what the composition of the settings has to say
    whole: no list is shortened

    Raises RequestError for everything that would prevent the run from starting.
    """
    dataset = load_dataset(config)
    run = prepare(config)
    stack = run.stack
    true = without_controls(config)  # warnings about the table need its true labels
    warnings = [*dict.fromkeys(inspect(true, dataset if true == config else load_dataset(true)))]
    warnings += length_notes(config, stack.length)
    notes = [*notes, *run_notes(config, dataset), *(run.start.notes if run.start else ())]
    notes = [note for note in dict.fromkeys(notes) if note not in warnings]
    names, lines = (ALL, ALL) if whole else (MOST_NAMES, MOST_LINES)
    graph = "none, every task by itself" if config.boosting else stack.network.graph.draw(names)
    sections = [
        Section("warnings", _shortened(_together(warnings, names), lines) or ["none"], bool(warnings)),
        Section("table", _table(config, dataset)),
        Section("tasks", _tasks(config, dataset, whole)),
        Section("inputs", _inputs(config, dataset, names)),
        Section("split", [_split(config, dataset)]),
        Section("graph", _shortened(graph.splitlines(), lines)),
        Section("training", _boosting(stack, config.boosting) if config.boosting else _training(run, names)),
    ]
    return [*sections, *([Section("notes", _shortened(notes, lines))] if notes else [])]


def configuration(config: Config) -> Section:
    """The whole configuration as YAML."""
    return Section("settings", yaml.safe_dump(as_mapping(config), sort_keys=False, allow_unicode=True).splitlines())


def _shortened(lines: Sequence[str], most: int) -> list[str]:
    """At most `most` lines and one with the number of the others."""
    if len(lines) <= most + 1:
        return [*lines]
    return [*lines[:most], f"and {len(lines) - most} more: mtlrun check --all"]


def _together(warnings: Sequence[str], names: int) -> list[str]:
    """The warnings `NAME: WORDS`, those with the same words as one."""
    named: dict[str, list[str]] = defaultdict(list)
    for warning in warnings:
        name, _, words = warning.partition(": ")
        named[words].append(name)
    return [": ".join([listing(same, names), *([words] if words else [])]) for words, same in named.items()]


def _table(config: Config, dataset: Dataset) -> list[str]:
    files = [f"{part} {_place(path)}" for part, path in (config.data.split.files or {}).items()]
    return [f"{', '.join([_place(config.data.path), *files])}: {len(dataset.numeric):,} rows, SHA-256 {dataset.hash}"]


def _place(path: str | None) -> str:
    """A path to a table as people read it."""
    return shown(Path(path)) if path is not None and Path(path).is_absolute() else str(path)


def _tasks(config: Config, dataset: Dataset, whole: bool) -> list[str]:
    """A table of the tasks with their numbers of labels, then lines with what else is known of some of them."""
    facts = task_facts(config, dataset)
    kept = len(facts) if whole or len(facts) <= MOST_LINES + 1 else MOST_LINES
    classes = ALL if whole else MOST_CLASSES
    rows = [
        [row["task"], row["type"], *(f"{row[part]:,}" for part in PARTS), _labels(config, dataset, row, classes)]
        for row in facts[:kept]
    ]
    more = [f"and {len(facts) - kept} more: mtlrun check --all"] if kept < len(facts) else []
    headings = ["task", "type", *PARTS, "labels of train"]
    lines = [*table_lines(headings, rows, left=(0, 1, 5), rule=False), *more]
    said: dict[str, list[str]] = defaultdict(list)
    for row in facts:
        for words in _remarks(config, row):
            said[words].append(row["task"])
    names, most = (ALL, ALL) if whole else (MOST_NAMES, MOST_LINES)
    remarks = [f"{listing(tasks, names)}: {words}" for words, tasks in said.items()]
    columns = [f"{row['task']} {row['target']!r}" for row in facts if row["target"] not in (row["task"], None)]
    remarks += [f"columns: {listing(columns, names)}"] if columns else []
    return [*lines, *_shortened(remarks, most)]


def _labels(config: Config, dataset: Dataset, row: dict[str, Any], most: int) -> str:
    """What the labels of a task are: shares of classes, or mean and standard deviation."""
    task, declared = config.tasks[row["task"]], type_of(row["type"])
    if row["classes"]:
        shares = [*row["classes"].items()]
        if len(shares) > most:
            shares.sort(key=lambda pair: -pair[1])
        listed = listing((f"{name} {share:.1%}" for name, share in shares), most)
        return f"{listed}; positive: {row['positive']}" if "positive" in row else f"{len(shares)} classes: {listed}"
    if declared.unlabelled:
        function = f"{task.scale:g} times the function {task.target or row['task']}"
        of = f"{function} of {declared.function_of} features; " if declared.function_of is not None else ""
        return f"{of}no labels"
    if declared.reads_inputs:
        names = dataset.reconstructed.get(row["task"])
        of = f"columns {listing(names, most)}, hidden from the network," if names else "inputs"
        return f"the {row['inputs']} encoded {of} are the target"
    return f"mean {row['mean']:.6g}{f' {task.unit}' if task.unit else ''}, std {row['std']:.6g}"


def _remarks(config: Config, row: dict[str, Any]) -> Iterator[str]:
    """What is to be said of a task besides the table. Tasks of which the same is said share a line."""
    task = config.tasks[row["task"]]
    yield f"loss {row['loss']}, primary metric {row['primary']}"
    if row["role"] != "main":
        yield row["role"]
    if task.discard:
        yield "head only while training"
    if row["expression"] is not None:
        yield f"expression {row['expression']!r}"
    if cuts := controls(config, row["task"]):
        yield "; ".join(cuts)
    if row["bins"]:
        edges = listing((f"{edge:g}" for edge in row["bins"]), MOST_LINES)
        yield f"class 1 below {row['bins'][0]:g}, the next from there on; inner edges {edges}"
    if "effective" in row:
        yield f"by the row weights {row['effective']:,.1f} effective labels in train"


def _inputs(config: Config, dataset: Dataset, most: int) -> list[str]:
    """A line for each kind of input, then what is missing, hidden or left out."""
    kinds: dict[str, list[str]] = defaultdict(list)
    for column in dataset.spec.inputs:
        kinds[_kind(column)].append(_input(column))
    hidden = [c.name for c in dataset.spec.hidden]
    future = future_columns(config, load_table(config)[0].frame)
    return [
        *(
            f"{counted(len(columns), kind)}{_COUNTS.get(kind, '')}: {listing(columns, most)}"
            for kind, columns in kinds.items()
        ),
        *_gaps(dataset, most),
        *([f"hidden from the network, which reconstructs them: {listing(hidden, most)}"] if hidden else []),
        *([f"not known when predicting, and never inputs: {listing(future, most)}"] if future else []),
    ]


def _kind(column: InputColumn) -> str:
    if column.is_category:
        return "text column"
    return "date" if column.date else "clock time" if column.time else "number"


def _input(column: InputColumn) -> str:
    """An input column and what it becomes."""
    if column.is_category:
        return f"{column.name} {len(column.categories)}"
    if not (column.date or column.time):
        return column.name
    return f"{column.name} ({listing(['days' if column.date else 'hours', *(_CYCLES[c] for c in column.cycles)])})"


def _gaps(dataset: Dataset, most: int) -> list[str]:
    """A line that counts the missing cells of each input, most first; none if no input has any."""
    counts = {
        column.name: int(((cells == MISSING) if column.is_category else np.isnan(cells)).sum())
        for column, cells in dataset.cells()
        if not column.hidden
    }
    found = sorted(((n, name) for name, n in counts.items() if n), key=lambda pair: -pair[0])
    if not found:
        return []
    return [f"missing cells in {counted(len(found), 'input')}: {listing((f'{name} {n:,}' for n, name in found), most)}"]


def _split(config: Config, dataset: Dataset) -> str:
    """The number of rows in each part, and how they were chosen."""
    split, parts = config.data.split, dataset.split.parts()
    if split.all_rows:
        how = "all rows are train"
    elif split.files:
        how = "by files"
    elif split.column is not None:
        how = f"by the column {split.column!r}"
    else:
        how = f"at random, data.split.seed={split.seed or 0}"
    groups = f"; rows with the same {split.by!r} stay together" if split.by is not None else ""
    rows = ", ".join(f"{part} {len(rows):,}" for part, rows in parts.items())
    return f"{rows} rows; {how}{groups}"


def _boosting(stack: Stack, settings: BoostingConfig) -> list[str]:
    """Lines on the trees and their number."""
    outputs = {t: block.specs[i].outputs for t, (block, i) in stack.network.place.items()}
    spec, patience = stack.datasets[0].spec, stack.length.patience_steps
    stop = "" if patience is None else f", fewer after {patience} without a smaller loss on val"
    return [
        f"model=boosting: {len(spec.columns)} columns as they are, {sum(categorical(spec))} of them as categories",
        f"trees per iteration: {listing(f'{t} {n}' for t, n in outputs.items())}; of at most "
        f"{settings.max_leaf_nodes} leaves",
        f"learning rate {settings.learning_rate:g}; {settings.iterations:,} iterations{stop}",
    ]


def _training(run: PreparedRun, most: int) -> list[str]:
    """Lines on the chosen options, the size of the network, the learning rates and the number of steps."""
    stack = run.stack
    network = stack.network
    shared = sum(p[0].numel() for p in network.sharing.parameters())
    heads = {t: sum(p[0].numel() for p in network.task_parameters(t)) for t in network.tasks}
    inputs = stack.datasets[0].spec.width_in(run.config.net)
    made_of = network.sharing.describe()
    options = as_mapping(run.config)
    return [
        " ".join(f"{group}={options[group]['name']}" for group in _GROUPS),
        f"{inputs} encoded inputs; parameters: trunk {shared:,}, {_per_task(heads, most, ',')}",
        *([f"sharing={run.config.sharing.name}: {made_of}"] if made_of else []),
        f"learning rates: {_rates(stack.step.rates.groups[0], most)}",
        f"{stack.length.in_words()}; on {stack.device}",
        *_trunk(run),
    ]


def _per_task(values: Mapping[str, float], most: int, form: str) -> str:
    """`NAME VALUE` of each head, or `each of N heads VALUE` if all are equal."""
    if len(values) > 1 and len({*values.values()}) == 1:
        return f"each of {len(values)} heads {next(iter(values.values())):{form}}"
    return listing((f"{name} {value:{form}}" for name, value in values.items()), most)


def _rates(rates: Mapping[str, float], most: int) -> str:
    """The rates of trunk and heads in words."""
    if len({*rates.values()}) == 1:
        return f"{next(iter(rates.values())):g} everywhere"
    heads = {name: rate for name, rate in rates.items() if name != "trunk"}
    return f"trunk {rates['trunk']:g}, {_per_task(heads, most, 'g')}"


def _trunk(run: PreparedRun) -> list[str]:
    """A line on where the trunk comes from and whether it is frozen; none if it comes from the seed and is trained."""
    words = "trunk initialised from the seed"
    if run.start is not None:
        words = run.start.words
    elif run.first is not None:
        tasks = ", ".join(run.first.config.active)
        words = f"trunk from a first stage (trained on {tasks}, {run.first.stack.length.steps:,} steps at most)"
    elif not run.config.net.freeze:
        return []
    return [f"{words}, frozen" if run.config.net.freeze else words]
