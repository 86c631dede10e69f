"""The size of a run, from which a sweep is divided into stacks: settings that must be equal, bytes, steps."""

import dataclasses
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from mtlrun.config.graph import NOTHING, Graph
from mtlrun.config.length import Length
from mtlrun.config.schema import Config
from mtlrun.config.stages import first_stage
from mtlrun.data.dataset import Dataset
from mtlrun.data.run_length import run_length
from mtlrun.engine.memory import run_bytes


@dataclass(frozen=True)
class Size:
    """The properties of a run that decide its stack.

    shared: settings that must be equal in all runs of a stack, by full key
    bytes: memory that the run needs
    steps: the largest number of steps, of both stages if there are two
    alone: why the run must be the only one of its stack; "" if it need not be
    length: the length of its training, without a first stage
    """

    shared: dict[str, str]
    bytes: int
    steps: int
    alone: str = ""
    length: Length | None = None


def size(config: Config, dataset: Dataset, first: Dataset | None = None) -> Size:
    """The size of a run. `first`: the data of its first stage (`model.pretrain`), whose size counts too.

    All settings are shared except those that the schema declares `per_run`, and so are rows per batch and steps per
    epoch, from which the length follows, and what `model.embedding=auto` means.
    """
    graph = config.task_graph
    shared = dict(_shared(config, "", skip="graph")) | dict(_shared(graph, "graph"))
    length = run_length(config, dataset)
    shared |= {
        "graph": _edges(graph),
        "rows per batch": str(length.batch_size),
        "steps per epoch": str(length.steps_per_epoch),
        "embedding of numbers": dataset.spec.embedding,
    }
    alone = "trainer.debug asks for" if config.trainer.debug else ""
    if config.boosting:
        alone = "model=boosting trains"
    main = Size(shared, run_bytes(config, dataset), length.steps, alone, length)
    stage = first_stage(config)
    if stage is None or first is None:
        return main
    before = size(stage, first)
    shared |= {f"first stage: {key}": before.shared[key] for key in ("rows per batch", "steps per epoch")}
    return dataclasses.replace(main, bytes=max(main.bytes, before.bytes), steps=main.steps + before.steps)


def _edges(graph: Graph) -> str:
    """The edges of a graph in words, without the scales of their gradients, which may differ between runs."""
    trunk = [
        f"{f'layer{edge.at}' if edge.at != NOTHING else 'no layer'}->{task}"
        for task, edge in graph.trunk.items()
        if edge.explicit
    ]
    edges = [*trunk, *(f"{e.source}=>{e.task} ({e.what})" for e in graph.edges)]
    edges += [f"{task} holds {'+'.join(names)}" for task, names in graph.constants.items()]
    return f"{len(edges)} edges, {', '.join(edges)}" if edges else "no edges"


def _shared(value: Any, key: str, skip: str = "") -> Iterator[tuple[str, str]]:
    """The full key and the text of every setting below `key` that the schema does not declare `per_run`."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        for f in dataclasses.fields(value):
            if not f.metadata.get("per_run") and f.name != skip:
                yield from _shared(getattr(value, f.name), f"{key}.{f.name}".lstrip("."))
    elif isinstance(value, Mapping):
        yield key, ", ".join(map(str, value))  # the order of the network's parameters
        for name, item in value.items():
            yield from _shared(item, f"{key}.{name}")
    elif isinstance(value, (list, tuple)) and any(dataclasses.is_dataclass(item) for item in value):
        yield f"{key} (number)", str(len(value))
        for i, item in enumerate(value):
            yield from _shared(item, f"{key}[{i}]")
    else:
        yield key, str(value)
