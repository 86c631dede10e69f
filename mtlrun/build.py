"""From a checked configuration and loaded data to the objects of a run: the only place that knows both."""

from collections.abc import Sequence

import torch

from mtlrun.config import Config
from mtlrun.data.columns import InputSpec
from mtlrun.data.dataset import Dataset, classes
from mtlrun.engine.batches import LabelScale, Rows, TrainBatches, label_scale
from mtlrun.engine.evaluate import Evaluation, trivial_outputs
from mtlrun.engine.hardware import choose_device, set_up
from mtlrun.engine.memory import machine_bytes, parameters
from mtlrun.engine.select import Selection
from mtlrun.engine.stack import Stack
from mtlrun.engine.step import Step
from mtlrun.errors import RequestError
from mtlrun.graph import parse_graph
from mtlrun.loss import Members, make_strategy
from mtlrun.model.inputs import InputEncoder
from mtlrun.model.network import Network, TaskSpec
from mtlrun.model.point import PointTrunk
from mtlrun.model.trunk import MlpTrunk
from mtlrun.sharing import SHARING


def task_specs(config: Config, datasets: Sequence[Dataset]) -> list[TaskSpec]:
    """The active tasks as the network needs them, types and classes from the data."""
    counts = classes(datasets[0])
    return [
        TaskSpec(t.task, t.type, t.loss, counts[t.task], task.huber_delta, task.target or t.task, task.scale)
        for t in datasets[0].targets.values()
        for task in [config.tasks[t.task]]
    ]


def build_network(configs: Sequence[Config], spec: InputSpec, specs: Sequence[TaskSpec]) -> Network:
    """The network of a stack with initial parameters from each run's seed."""
    first = configs[0]
    seeds = [c.seed + (c.net.restart << 63) for c in configs]  # seeds are below 2⁶³
    encoder = InputEncoder(spec, len(configs))
    if encoder.width == 0:
        raise RequestError("data.inputs: no column is left to learn from")
    _require_memory(first, encoder.width, specs, len(configs))
    starts = [c.point.start for c in configs if c.point]
    trunk = PointTrunk(starts, encoder.width) if starts else MlpTrunk(first.net, seeds, encoder.width)
    graphs = [parse_graph(c.graph, c.tasks, c.active, len(c.net.hidden)) for c in configs]
    return Network(encoder, SHARING[first.sharing.name](trunk), specs, graphs, first.net, seeds)


def _require_memory(config: Config, inputs: int, specs: Sequence[TaskSpec], runs: int) -> None:
    """Raises RequestError if parameters, gradients and optimiser state of a run cannot fit into this machine's memory,
    and MemoryError if only those of all runs cannot: the stack may be halved."""
    numbers = parameters(config, inputs, sum(max(s.classes, 1) for s in specs))
    needed = 4 * 6 * numbers  # float32: values, gradients, the step taken, two moments, initial draws
    held = machine_bytes()
    if needed <= held < needed * runs:
        raise MemoryError(f"not enough memory for {runs} runs of {numbers:,} parameters each")
    if needed > held:
        raise RequestError(f"model: {numbers:,} parameters need {needed / 2**30:,.0f} GiB to train, this machine has "
                           f"{held / 2**30:,.0f}\nmake model.hidden or model.head_hidden smaller")  # fmt: skip


def build(configs: Sequence[Config], datasets: Sequence[Dataset]) -> Stack:
    """The objects of a stack of runs. Raises RequestError where the request cannot be met."""
    try:
        return _build(configs, datasets)
    except (RuntimeError, MemoryError) as error:
        if "memory" not in str(error).lower() or len(configs) > 1:  # a stack that is too large is halved
            raise
        raise RequestError(f"model: too large for the memory at hand ({str(error).splitlines()[0][:120]})\n"
                           "make model.hidden, model.head_hidden or the table smaller") from error  # fmt: skip


def evaluation(config: Config, dataset: Dataset, split: str) -> Evaluation:
    """A run's network, as it is before training, on the rows of one split, on the CPU. Nothing that trains is built."""
    device = torch.device("cpu")
    network, scale, rows = _network([config], [dataset], task_specs(config, [dataset]), device)
    return Evaluation(rows, [dataset], split, network, scale)


def _network(
    configs: Sequence[Config], datasets: Sequence[Dataset], specs: Sequence[TaskSpec], device: torch.device
) -> tuple[Network, LabelScale, Rows]:
    """The network of a stack on the device, with its inputs and labels as the training rows say, and the rows."""
    first = configs[0]
    network = build_network(configs, datasets[0].spec, specs)
    set_up(first, network.encoder.width)
    positions = network.encoder.positions(datasets[0].codes)
    network.encoder.fit(datasets[0].numeric, positions, [d.split.train for d in datasets])
    scale = label_scale(datasets, network.tasks, first.data.standardize_targets)
    if not first.data.standardize_targets:
        network.label_mean.copy_(scale.mean)
        network.label_inverse.copy_(1 / scale.spread)
        network.raw_labels = True
    network.to(device)
    return network, scale, Rows(datasets, network.tasks, network.encoder, scale, device)


def _build(configs: Sequence[Config], datasets: Sequence[Dataset]) -> Stack:
    first = configs[0]
    device = choose_device(first.trainer.device)
    specs = task_specs(first, datasets)
    network, scale, rows = _network(configs, datasets, specs, device)
    noise = [type(block.kind).noise[block.kind.loss] for block in network.blocks for _ in block.tasks]
    train = TrainBatches(rows, datasets, configs)
    seeds = [c.seed for c in configs]
    # a head is shared where another task learns through it, which may be in some runs of a stack only
    sharing = network if network.edge_scales else network.sharing
    shared = sum(p[0].numel() for p in sharing.parameters())
    strategy = make_strategy(Members([c.loss for c in configs], network.tasks, noise, seeds, train.steps, shared))
    strategy.to(device)
    for edge in network.scales:
        edge.to(device)
    val = Evaluation(rows, datasets, "val", network, scale)
    test = Evaluation(rows, datasets, "test", network, scale)
    constants = {t: c.to(device) for t, c in trivial_outputs(datasets, network.tasks, scale, rows).items()}
    trivial = {"val": val.trivial(constants), "test": test.trivial(constants)}
    selections = [Selection(c, d, t) for c, d, t in zip(configs, datasets, trivial["val"], strict=True)]
    step = Step(configs, network, strategy)
    return Stack(configs, datasets, device, scale, specs, network, step, train, val, test, trivial, selections)
