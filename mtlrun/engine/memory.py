"""Estimates the memory of a run from sizes known before training, and reads the memory of the machine."""

import os
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING

from mtlrun.config.schema import Config
from mtlrun.config.schema.loss import GradientLossConfig
from mtlrun.data.run_length import run_length

if TYPE_CHECKING:
    from mtlrun.data.dataset import Dataset

FLOAT, DOUBLE = 4, 8
COPIES = 12  # of each parameter: value, gradient, rate, decay, step, two moments, best, temporaries
SKIPPING = 4  # additional copies if steps can be undone: values, moments, flags of nonfinite gradients
BY_TASK = 5  # copies of each task's gradient of all parameters, if each takes its own pass
LABEL_BYTES = 64  # per label of val or test: label, weight, outputs, and the metrics' float64 copies of them


def parameters(config: Config, inputs: int, outputs: int) -> int:
    """Estimates the number of parameters of a network, without the gates of a sharing scheme.

    inputs: number of encoded inputs; outputs: number of outputs of all tasks
    """
    widths, tasks = [inputs, *config.net.hidden], len(config.active)
    members = config.net.ensemble
    heads = [widths[-1], *config.net.head_hidden]
    each = sum((a + 1) * b for a, b in pairwise(widths))
    each += members * sum(widths) if members > 1 else 0  # the scales of the members
    trunks = config.sharing.trunks(tasks) * each
    return trunks + tasks * sum((a + 1) * b for a, b in pairwise(heads)) + (heads[-1] + 1) * outputs


def run_bytes(config: Config, dataset: "Dataset") -> int:
    """Estimates the memory of one run of a stack in bytes. The table is not counted, as all runs share it.

    Counts 12 copies of the parameters (16 with `trainer.on_nan=skip`); activations of a batch in every member of an
    ensemble, forward and backward; the tasks' gradients if the loss strategy reads them, and what it stores per
    element; the epoch's order of rows; labels and outputs of val and test; training labels that differ by run. All in
    float32, except indices, metrics and labels.
    """
    inputs = dataset.spec.width_in(config.net)
    outputs = sum(max(1, n) for n in dataset.classes().values())
    kept = sum(
        max(1, len(t.classes)) for t in dataset.targets.values()
    )  # a reconstruction counts as one number per row
    copies = COPIES + (SKIPPING if config.trainer.on_nan == "skip" else 0)
    network = FLOAT * copies * parameters(config, inputs, outputs)
    trunks = config.sharing.trunks(len(config.active))
    width = inputs + trunks * sum(config.net.hidden) + len(dataset.targets) * sum(config.net.head_hidden) + outputs
    split = dataset.split
    batch = run_length(config, dataset).batch_size * config.net.ensemble
    activations = 4 * FLOAT * batch * width
    if isinstance(config.loss, GradientLossConfig):
        tasks, hidden = len(config.active), config.net.hidden
        shared = trunks * sum((a + 1) * b for a, b in pairwise([inputs, *hidden]))
        each = (1 + config.loss.kept) * shared if config.loss.at == "parameters" else 0  # per number of a gradient
        activations += tasks * FLOAT * (3 * batch * sum(hidden) + each)
    if _task_by_task(config):  # gradients of all parameters by task: parts, joined, and masked
        activations += BY_TASK * len(config.active) * FLOAT * parameters(config, inputs, outputs)
    rows = 3 * DOUBLE * len(split.train)
    held_out = (len(split.val) + len(split.test)) * (DOUBLE + LABEL_BYTES * kept)
    own_labels = 2 * DOUBLE * len(dataset.numeric) * sum(t.own_labels for t in config.active.values())
    return network + activations + rows + held_out + own_labels


def _task_by_task(config: Config) -> bool:
    """Returns whether a step takes a whole backward pass for each task, see `engine.backward.PerTaskBackward`."""
    by_task = isinstance(config.loss, GradientLossConfig) or config.loss.heads == "own"
    sharing, edges = config.sharing, config.task_graph.edges
    autograd = not sharing.whole_trunks or bool(edges and not sharing.one_representation)
    autograd = autograd or any(task.head for task in config.active.values())
    return bool(config.graph.constants) or (by_task and autograd)


def machine_bytes() -> int:
    """Returns the memory of this machine, or the limit of the container of this process, in bytes."""
    held = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    for path in ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes"):
        try:
            held = min(held, int(Path(path).read_text()))
        except (OSError, ValueError):
            continue  # no such limit ("max")
    return held
