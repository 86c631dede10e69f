"""Builds blocks of heads from task specifications and graphs, sources before receivers."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from torch import Tensor

from mtlrun.config.graph import NOTHING, Graph
from mtlrun.config.schema import ModelConfig
from mtlrun.config.values import from_mapping
from mtlrun.network.block import Block, BlockSpec, FunctionBlock, HeadSpec
from mtlrun.network.heads import HeadBlock, TiedBlock
from mtlrun.network.inputs import InputEncoder
from mtlrun.network.task_edges import EDGES, Edge, Source, gradient_scale
from mtlrun.sharing.base import Sharing
from mtlrun.tasks import TYPES, TaskType


@dataclass(frozen=True)
class TaskSpec:
    """Description of a task for the network.

    classes: number of classes, 0 for a regression, D for a reconstruction; delta: Huber's; objective, scale: function
    in place of a head, and its factor; head: the task whose head it uses; columns: the columns that a reconstruction
    predicts, None for all that the network sees; smoothing: share of a class label that is spread over all classes
    """

    name: str
    type: str
    loss: str
    classes: int
    delta: float = 1.0
    objective: str = ""
    scale: float = 1.0
    head: str = ""
    columns: list[str] | None = None
    smoothing: float = 0.0

    @classmethod
    def from_plain(cls, plain: Mapping[str, Any]) -> "TaskSpec":
        """Returns a specification from a checkpoint. Raises RequestError, TypeError or AttributeError if it is none."""
        return from_mapping(cls, plain, "specs", "a task")


def make_blocks(
    encoder: InputEncoder,
    sharing: Sharing,
    specs: Sequence[TaskSpec],
    graphs: Sequence[Graph],
    config: ModelConfig,
    seeds: Sequence[int],
) -> list[Block]:
    """Returns the blocks of a network in the order of computation. Arguments as for `Network`."""
    by_name = {spec.name: spec for spec in specs}
    parts = sharing.parts
    blocks: list[Block] = []
    for names in _groups(graphs[0], by_name, parts):
        tasks = [by_name[name] for name in names]
        kind = TYPES[tasks[0].type](tasks[0].loss, [t.delta for t in tasks], [t.classes for t in tasks])
        kind.smoothing = tasks[0].smoothing
        trunk, edges = graphs[0].trunk[names[0]], _edges_into(names[0], graphs, blocks)
        spec = BlockSpec(
            kind,
            [_head(task, kind, graphs[0]) for task in tasks],
            first=sum(len(block.tasks) for block in blocks),
            parts=[parts[name] for name in names if parts],
            features=0 if trunk.at == NOTHING else sharing.widths[trunk.at],
            received=sum(edge.width(config.head_hidden) for edge in edges),
            trunk_scale=gradient_scale([g.trunk[names[0]].gradient for g in graphs]) if trunk.explicit else None,
            edges=edges,
            input_places=_input_places(tasks[0], kind, encoder),
        )
        blocks.append(_make_block(spec, tasks, config, seeds))
    for block in blocks:
        block.tie(blocks)
    return blocks


def _head(task: TaskSpec, kind: TaskType, graph: Graph) -> HeadSpec:
    return HeadSpec(task.name, kind.outputs(task.classes), graph.trunk[task.name], graph.into(task.name))


def _input_places(task: TaskSpec, kind: TaskType, encoder: InputEncoder) -> Tensor | None:
    """Returns the places of the encoded columns that are labels; None: all, or the type does not read inputs."""
    if not kind.reads_inputs:
        return None
    return encoder.reconstructed(task.columns)


def _make_block(spec: BlockSpec, tasks: Sequence[TaskSpec], config: ModelConfig, seeds: Sequence[int]) -> Block:
    """Returns a block of heads, or in their place a function of the type, or another task's head."""
    function = spec.kind.head_function([t.objective for t in tasks], [t.scale for t in tasks])
    if function is not None:
        return FunctionBlock(spec, function)
    if tasks[0].head:
        return TiedBlock(spec, tasks[0].head)
    return HeadBlock(spec, config, seeds)


def _edges_into(task: str, graphs: Sequence[Graph], blocks: Sequence[Block]) -> list[Edge]:
    """Returns the edges that end in a task. Their sources are in `blocks`."""
    sources = {
        head.task: Source(head.task, block.kind, head.outputs, i, block.columns.start + i)
        for block in blocks
        for i, head in enumerate(block.specs)
    }
    return [
        EDGES[edge.what](sources[edge.source], gradient_scale([g.edges[i].gradient for g in graphs]))
        for i, edge in enumerate(graphs[0].edges)
        if edge.task == task
    ]


def _groups(graph: Graph, specs: Mapping[str, TaskSpec], parts: Mapping[str, int]) -> list[list[str]]:
    """Returns groups of tasks whose heads can be computed together, sources before receivers.

    A head has a separate block if it receives estimates, has an explicit trunk edge, or is used by two tasks. Tasks
    that share features with some tasks and not with others (`Sharing.parts`) are in a block with the former.
    """
    readers = Counter(parts.values())
    tied = {s.head for s in specs.values() if s.head} | {s.name for s in specs.values() if s.head}
    groups: dict[tuple[object, ...], list[str]] = {}
    for level, names in enumerate(graph.levels):
        for name in names:
            alone = name if graph.into(name) or graph.trunk[name].explicit or name in tied else ""
            spec = specs[name]
            columns = tuple(spec.columns or ())
            part = parts[name] if readers[parts.get(name, -1)] > 1 else None
            key = (level, spec.type, spec.loss, columns, graph.trunk[name].at, alone, part)
            groups.setdefault(key, []).append(name)
    return list(groups.values())
