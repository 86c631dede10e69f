"""Builds the objects of a stack of runs from their checked configurations and loaded data.

The network, the loss strategy, the batches and the evaluations are created here.
"""

from collections.abc import Sequence

import torch
from torch import Tensor

from mtlrun.config.length import Length
from mtlrun.config.schema import Config
from mtlrun.data.columns import InputSpec
from mtlrun.data.dataset import Dataset
from mtlrun.data.run_length import run_length
from mtlrun.engine.batches import LabelScale, Rows, TrainBatches, label_scale
from mtlrun.engine.evaluate import Evaluation
from mtlrun.engine.hardware import choose_device, set_up
from mtlrun.engine.memory import machine_bytes, parameters
from mtlrun.engine.select import Selection
from mtlrun.engine.stack import Stack
from mtlrun.engine.step import Step
from mtlrun.engine.trivial import trivial_outputs
from mtlrun.loss import StrategySetup, make_strategy
from mtlrun.model.trunks import make_trunk
from mtlrun.network.inputs import InputEncoder
from mtlrun.network.network import Network, TaskSpec
from mtlrun.network.prune import without_discarded
from mtlrun.runs.transfer import Start, begin
from mtlrun.sharing import SHARING, Plan
from mtlrun.tasks import type_of
from mtlrun.util.errors import RequestError


def task_specs(config: Config, datasets: Sequence[Dataset]) -> list[TaskSpec]:
    """The active tasks in the form that the network needs. Types and classes come from the data."""
    counts = datasets[0].classes()
    return [
        TaskSpec(
            t.task,
            t.type,
            t.loss,
            counts[t.task],
            task.huber_delta,
            task.target or t.task,
            task.scale,
            head=task.head if task.head in datasets[0].targets else "",
            columns=columns,
            smoothing=config.trainer.label_smoothing,
        )
        for t in datasets[0].targets.values()
        for task, columns in [(config.tasks[t.task], datasets[0].reconstructed.get(t.task))]
    ]


def build_network(configs: Sequence[Config], spec: InputSpec, specs: Sequence[TaskSpec]) -> Network:
    """The network of a stack. The initial parameters of each run come from its seed.

    Raises RequestError if there is no input or a run is too large for the memory, MemoryError if only the stack is.
    """
    first = configs[0]
    seeds = [c.seed + (c.net.restart << 63) for c in configs]  # seeds are below 2⁶³
    encoder, inputs = InputEncoder(spec, len(configs), first.net), spec.width_in(first.net)
    if spec.width == 0:
        raise RequestError("data.inputs: no column is left to learn from")
    _require_memory(first, inputs, specs, len(configs))
    models = [c.net if c.boosting else c.model for c in configs]
    plan = Plan(
        [c.sharing for c in configs],
        first.net,
        [s.name for s in specs],
        seeds,
        inputs,
        lambda: make_trunk(models, seeds, inputs),
    )
    sharing = SHARING[first.sharing.name](plan)
    return Network(encoder, sharing, specs, [c.task_graph for c in configs], first.net, seeds)


def _require_memory(config: Config, inputs: int, specs: Sequence[TaskSpec], runs: int) -> None:
    """Raises RequestError if a run does not fit into this machine's memory.

    Raises MemoryError if one run fits and `runs` do not: the caller may halve the stack. Counts parameters, gradients
    and the state of the optimiser.
    """
    numbers = parameters(config, inputs, sum(max(s.classes, 1) for s in specs))
    needed = 4 * 6 * numbers  # float32: values, gradients, the step taken, two moments, initial draws
    held = machine_bytes()
    if needed <= held < needed * runs:
        raise MemoryError(f"not enough memory for {runs} runs of {numbers:,} parameters each")
    if needed > held:
        raise RequestError(
            f"model: {numbers:,} parameters need {needed / 2**30:,.0f} GiB to train, this machine has "
            f"{held / 2**30:,.0f}\nmake model.hidden or model.head_hidden smaller"
        )


def build_stack(
    configs: Sequence[Config],
    datasets: Sequence[Dataset],
    starts: Sequence[Start | None] = (),
    length: Length | None = None,
) -> Stack:
    """The objects of a stack of runs. Raises RequestError if the request cannot be met.

    starts: for each run the values that its trunk begins with; None: initial values from its seed
    length: the length that the runs began with; None: it follows from their settings and rows
    """
    try:
        return _build(configs, datasets, starts, length or _common_length(configs, datasets))
    except (RuntimeError, MemoryError) as error:
        if "memory" not in str(error).lower() or len(configs) > 1:  # the caller halves a stack that is too large
            raise
        raise RequestError(
            f"model: too large for the memory at hand ({str(error).splitlines()[0][:120]})\n"
            "make model.hidden, model.head_hidden or the table smaller"
        ) from error


def _common_length(configs: Sequence[Config], datasets: Sequence[Dataset]) -> Length:
    """The length of the runs of a stack, which is that of each (`runs.size`); if it is not, the one on fewest rows."""
    return min((run_length(*run) for run in zip(configs, datasets, strict=True)), key=lambda length: length.rows)


def evaluation(config: Config, dataset: Dataset, split: str) -> Evaluation:
    """The evaluation of one run on the rows of one split, on the CPU, without anything that only training needs.

    The network has the form that best.pt is saved in, without discarded heads. Its parameters are initial values; the
    caller loads the saved ones.
    """
    device = torch.device("cpu")
    specs = task_specs(config, [dataset])
    whole = build_network([config], dataset.spec, specs)
    length = run_length(config, dataset)
    network, scale, rows = _network([config], [dataset], without_discarded(whole, config, specs), device, length)
    return Evaluation(rows, [dataset], split, network, scale)


def _network(
    configs: Sequence[Config],
    datasets: Sequence[Dataset],
    network: Network,
    device: torch.device,
    length: Length,
    starts: Sequence[Start | None] = (),
) -> tuple[Network, LabelScale, Rows]:
    """The network of a stack on the device, the scale of its labels, and the rows of all runs.

    Inputs and labels are scaled by their training rows; `starts` may replace the scaling of inputs and the trunk.
    """
    first = configs[0]
    set_up(first, network.encoder.width, length.batch_size)
    positions = network.encoder.positions(datasets[0].codes)
    train = [d.split.train for d in datasets]
    learnt = [rows[d.trainable()] for rows, d in zip(train, datasets, strict=True)]
    network.encoder.fit(datasets[0].numeric, positions, train, learnt)
    begin(network, starts)
    scale = label_scale(datasets, network.tasks, first.data.standardize_targets)
    if not first.data.standardize_targets:
        network.label_mean.copy_(scale.mean)
        network.label_inverse.copy_(1 / scale.spread)
        network.raw_labels = True
    if network.label_range is not None:
        network.label_range.copy_(torch.stack([scale.low, scale.high], -1))
    network.to(device)
    return network, scale, Rows(datasets, network.tasks, network.encoder, scale, device)


@torch.no_grad()
def _start_heads(network: Network, dataset: Dataset, constants: dict[str, Tensor]) -> None:
    """Adds the outputs `[R, K]` of the trivial predictor to the last bias of heads whose type `starts_at_mean`."""
    for task, constant in constants.items():
        parameters = network.task_parameters(task)
        if parameters and type_of(dataset.targets[task].type).starts_at_mean:
            bias = parameters[-1]  # [R, K], or [R, 1, K] of a head without a hidden layer
            bias.view(len(bias), -1)[:, : constant.shape[1]] += constant


def _build(
    configs: Sequence[Config], datasets: Sequence[Dataset], starts: Sequence[Start | None], length: Length
) -> Stack:
    first = configs[0]
    device = choose_device(first.trainer.device)
    specs = task_specs(first, datasets)
    network = build_network(configs, datasets[0].spec, specs)
    network, scale, rows = _network(configs, datasets, network, device, length, starts)
    targets = [datasets[0].targets[task] for task in network.tasks]
    noise = [type_of(target.type).losses[target.loss].noise for target in targets]
    train = TrainBatches(rows, datasets, configs, length)
    seeds = [c.seed for c in configs]
    # Another task may learn through a head: then the head is shared too. Runs of a stack may differ in this.
    whole = network.edges or not network.pulls_back
    shared = sum(p[0].numel() for p in (network if whole else network.sharing).parameters())
    losses = [c.loss for c in configs]
    strategy = make_strategy(StrategySetup(losses, network.tasks, noise, seeds, train.steps, shared, scale.unit))
    strategy.to(device)
    for edge in network.scales:
        edge.to(device)
    val = Evaluation(rows, datasets, "val", network, scale)
    test = Evaluation(rows, datasets, "test", network, scale)

    def read(task: str, x: Tensor) -> Tensor:
        return network.place[task][0].input_labels(x)

    outputs = trivial_outputs(datasets, rows, scale, read)
    constants = {task: output.to(device) for task, output in outputs.items()}
    _start_heads(network, datasets[0], constants)
    trivial = {"val": val.trivial(constants), "test": test.trivial(constants)}
    selections = [Selection(c, d, t) for c, d, t in zip(configs, datasets, trivial["val"], strict=True)]
    step = Step(configs, network, strategy)
    return Stack(configs, datasets, device, length, scale, specs, network, step, train, val, test, trivial, selections)
