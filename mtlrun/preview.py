"""What `mtlrun check` shows: tasks, graph, data, sizes, warnings, and the resolved configuration."""

import yaml

from mtlrun.build import build
from mtlrun.config import Config, plain
from mtlrun.data.dataset import Dataset, load_dataset
from mtlrun.data.inspect import describe, inspect
from mtlrun.engine.stack import Stack
from mtlrun.errors import listing


def report(config: Config) -> str:
    """The run that `config` describes, as text; nothing is trained.

    Raises RequestError for everything that would keep the run from starting.
    """
    dataset = load_dataset(config)
    stack = build([config], [dataset])
    warnings = list(dict.fromkeys(inspect(config, dataset)))
    sections = [
        ("tasks", _tasks(config, dataset)),
        ("graph", stack.network.graph.draw()),
        ("data", _data(config, dataset)),
        ("training", _training(stack)),
        ("configuration", yaml.safe_dump(plain(config), sort_keys=False, allow_unicode=True).rstrip()),
        ("notes", "\n".join(note for note in [*config.notes, *dataset.notes] if note not in warnings)),
        ("warnings", "\n".join(warnings)),
    ]
    return "\n\n".join(f"{name}\n{_indent(text or 'none')}" for name, text in sections)


def _indent(text: str) -> str:
    return "\n".join(f"  {line}" for line in text.splitlines())


def _tasks(config: Config, dataset: Dataset) -> str:
    lines = []
    for row in describe(config, dataset):
        head = f"{row['task']}: {row['type']}, loss {row['loss']}, {row['role']}, primary metric {row['primary']}"
        if row["target"] != row["task"]:
            head += f", column {row['target']!r}"
        counts = ", ".join(f"{part} {row[part]:,}" for part in ("train", "val", "test"))
        if "effective" in row:
            counts += f"; effective in train {row['effective']:,.1f}"
        lines += [head, f"  labels: {counts}"]
        if row["classes"]:
            shares = [f"{name} {share:.1%}" for name, share in row["classes"].items()]
            positive = f"; positive: {row['positive']}" if "positive" in row else ""
            lines.append(f"  {len(shares)} classes: {listing(shares)}{positive}")
        else:
            lines.append(f"  mean {row['mean']:.6g}, standard deviation {row['std']:.6g}")
    return "\n".join(lines)


def _data(config: Config, dataset: Dataset) -> str:
    split = {part: len(rows) for part, rows in dataset.split.parts().items()}
    columns = [f"{c.name} ({len(c.categories)} categories)" if c.kind == "category" else c.name
               for c in dataset.spec.columns]  # fmt: skip
    files = [f"{part} {path}" for part, path in (config.data.split.files or {}).items()]
    return "\n".join([
        f"{', '.join([str(config.data.path), *files])}: {len(dataset.numeric):,} rows, SHA-256 {dataset.hash}",
        "rows: " + ", ".join(f"{part} {n:,}" for part, n in split.items()),
        f"{len(columns)} inputs: {listing(columns, 60)}",
    ])  # fmt: skip


def _training(stack: Stack) -> str:
    """Sizes and lengths."""
    network, config = stack.network, stack.configs[0]
    shared = sum(p[0].numel() for p in network.sharing.parameters())
    heads = {t: sum(p[0].numel() for p in network.task_parameters(t)) for t in network.tasks}
    steps = stack.train.steps
    total = min(config.trainer.epochs * steps, config.trainer.max_steps or config.trainer.epochs * steps)
    rates = stack.step.group_rates[0]
    return "\n".join([
        f"{network.encoder.width} encoded inputs; parameters: trunk {shared:,}, "
        + ", ".join(f"{t} {n:,}" for t, n in heads.items()),
        "learning rates: " + ", ".join(f"{group} {rate:g}" for group, rate in rates.items()),
        f"{steps:,} steps per epoch of {stack.train.batch_size} rows; {total:,} steps at most, on {stack.device}",
    ])  # fmt: skip
