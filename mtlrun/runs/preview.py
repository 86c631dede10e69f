"""The text of `mtlrun check`: tasks, graph, data, sizes, warnings, and the resolved configuration."""

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
from mtlrun.engine.boosting import categorical, run_notes
from mtlrun.engine.stack import Stack
from mtlrun.runs.single import PreparedRun, prepare
from mtlrun.tasks import type_of
from mtlrun.util.errors import counted, listing

_CYCLES = {"year": "time of year", "week": "day of week", "day": "time of day"}


def report(config: Config) -> str:
    """Describes the run of `config` as text. Trains nothing.

    Raises RequestError for everything that would prevent the run from starting.
    """
    dataset = load_dataset(config)
    run = prepare(config)
    stack = run.stack
    true = without_controls(config)  # warnings about the table need its true labels
    warnings = [*dict.fromkeys(inspect(true, dataset if true == config else load_dataset(true)))]
    warnings += length_notes(config, stack.length)
    sections = [
        ("tasks", _tasks(config, dataset)),
        ("graph", stack.network.graph.draw() if not config.boosting else "none, every task by itself"),
        ("data", _data(config, dataset)),
        ("training", _training(run) if not config.boosting else _boosting(stack, config.boosting)),
        ("configuration", yaml.safe_dump(as_mapping(config), sort_keys=False, allow_unicode=True).rstrip()),
        (
            "notes",
            "\n".join(
                note
                for note in [*run_notes(config, dataset), *(run.start.notes if run.start else ())]
                if note not in warnings
            ),
        ),
        ("warnings", "\n".join(warnings)),
    ]
    return "\n\n".join(f"{name}\n{_indent(text or 'none')}" for name, text in sections)


def _indent(text: str) -> str:
    return "\n".join(f"  {line}" for line in text.splitlines())


def _tasks(config: Config, dataset: Dataset) -> str:
    lines = []
    for row in task_facts(config, dataset):
        head = f"{row['task']}: {row['type']}, loss {row['loss']}, {row['role']}, primary metric {row['primary']}"
        if row["expression"] is not None:
            head += f", expression {row['expression']!r}"
        elif row["target"] not in (row["task"], None):
            head += f", column {row['target']!r}"
        if config.tasks[row["task"]].discard:
            head += ", head only while training"
        counts = ", ".join(f"{part} {row[part]:,}" for part in ("train", "val", "test"))
        if "effective" in row:
            counts += f"; effective in train {row['effective']:,.1f}"
        lines += [head, f"  {'labels' if config.tasks[row['task']].has_labels else 'rows'}: {counts}"]
        if cuts := controls(config, row["task"]):
            lines.append(f"  cut: {'; '.join(cuts)}")
        if row["classes"]:
            shares = [f"{name} {share:.1%}" for name, share in row["classes"].items()]
            positive = f"; positive: {row['positive']}" if "positive" in row else ""
            lines.append(f"  {len(shares)} classes: {listing(shares)}{positive}")
            if row["bins"]:
                edges = listing((f"{edge:g}" for edge in row["bins"]), 60)
                lines.append(f"  class 1 below {row['bins'][0]:g}, the next from there on; inner edges {edges}")
        elif (declared := type_of(row["type"])).unlabelled:
            task = config.tasks[row["task"]]
            function = f"{task.scale:g} times the function {task.target or row['task']}"
            of = f"{function} of {declared.function_of} features; " if declared.function_of is not None else ""
            lines.append(f"  {of}no labels")
        elif type_of(row["type"]).reads_inputs:
            names = dataset.reconstructed.get(row["task"])
            of = f"columns {listing(names, 60)}, hidden from the network," if names else "inputs"
            lines.append(f"  the {row['inputs']} encoded {of} are the target")
        else:
            unit = f" {config.tasks[row['task']].unit}" if config.tasks[row["task"]].unit else ""
            lines.append(f"  mean {row['mean']:.6g}{unit}, standard deviation {row['std']:.6g}{unit}")
    return "\n".join(lines)


def _data(config: Config, dataset: Dataset) -> str:
    split = {part: len(rows) for part, rows in dataset.split.parts().items()}
    columns = [_input(c) for c in dataset.spec.inputs]
    hidden = [c.name for c in dataset.spec.hidden]
    future = future_columns(config, load_table(config)[0].frame)
    files = [f"{part} {path}" for part, path in (config.data.split.files or {}).items()]
    return "\n".join(
        [
            f"{', '.join([str(config.data.path), *files])}: {len(dataset.numeric):,} rows, SHA-256 {dataset.hash}",
            "rows: " + ", ".join(f"{part} {n:,}" for part, n in split.items()),
            f"{len(columns)} inputs: {listing(columns, 60)}",
            *_gaps(dataset),
            *([f"hidden from the network, which reconstructs them: {listing(hidden, 60)}"] if hidden else []),
            *([f"not known when predicting, and never inputs: {listing(future, 60)}"] if future else []),
        ]
    )


def _gaps(dataset: Dataset) -> list[str]:
    """A line that counts the missing cells of each input, most first; none if no input has any."""
    counts = {
        column.name: int(((cells == MISSING) if column.is_category else np.isnan(cells)).sum())
        for column, cells in dataset.cells()
        if not column.hidden
    }
    found = sorted(((n, name) for name, n in counts.items() if n), key=lambda pair: -pair[0])
    if not found:
        return []
    return [f"missing cells in {counted(len(found), 'input')}: {listing((f'{name} {n:,}' for n, name in found), 20)}"]


def _input(column: InputColumn) -> str:
    """An input column and what it becomes."""
    if column.is_category:
        return f"{column.name} ({len(column.categories)} categories)"
    if not (column.date or column.time):
        return column.name
    return f"{column.name} ({listing(['days' if column.date else 'hours', *(_CYCLES[c] for c in column.cycles)])})"


def _boosting(stack: Stack, settings: BoostingConfig) -> str:
    """Lines on the trees and their number."""
    outputs = {t: block.specs[i].outputs for t, (block, i) in stack.network.place.items()}
    spec, patience = stack.datasets[0].spec, stack.length.patience_steps
    stop = "" if patience is None else f", fewer after {patience} without a smaller loss on val"
    return "\n".join(
        [
            f"{len(spec.columns)} columns as they are, {sum(categorical(spec))} of them as categories",
            "trees per iteration: "
            + ", ".join(f"{t} {n}" for t, n in outputs.items())
            + f"; of at most {settings.max_leaf_nodes} leaves",
            f"learning rate {settings.learning_rate:g}; {settings.iterations:,} iterations{stop}",
        ]
    )


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


def _training(run: PreparedRun) -> str:
    """Lines on the size of the network, the learning rates and the number of steps."""
    stack = run.stack
    network = stack.network
    shared = sum(p[0].numel() for p in network.sharing.parameters())
    heads = {t: sum(p[0].numel() for p in network.task_parameters(t)) for t in network.tasks}
    rates = stack.step.rates.groups[0]
    inputs = stack.datasets[0].spec.width_in(run.config.net)
    made_of = network.sharing.describe()
    return "\n".join(
        [
            f"{inputs} encoded inputs; parameters: trunk {shared:,}, "
            + ", ".join(f"{t} {n:,}" for t, n in heads.items()),
            *([f"sharing={run.config.sharing.name}: {made_of}"] if made_of else []),
            "learning rates: " + ", ".join(f"{group} {rate:g}" for group, rate in rates.items()),
            f"{stack.length.in_words()}; on {stack.device}",
            *_trunk(run),
        ]
    )
