"""Removes heads from a trained network."""

from collections.abc import Iterable, Sequence

import torch

from mtlrun.config.schema import Config
from mtlrun.network.network import Network, TaskSpec


@torch.no_grad()
def pruned(network: Network, config: Config, specs: Sequence[TaskSpec], tasks: Iterable[str]) -> Network:
    """Returns the network with only the heads of `tasks`, and the heads that these depend on.

    A head depends on tasks whose estimates it receives, and on a task whose head it uses. Outputs do not change. The
    heads are copies; encoder and trunk are those of `network`. `specs`: those that `network` was built from.
    """
    graph, by_name = network.graph.needed_by(tasks), {spec.name: spec for spec in specs}
    while owners := {by_name[task].head for task in graph.tasks} - {"", *graph.tasks}:
        graph = network.graph.needed_by({*graph.tasks, *owners})  # owners: tasks whose heads others use
    runs = len(network.label_mean)
    kept = Network(
        network.encoder,
        network.sharing,
        [s for s in specs if s.name in graph.tasks],
        [graph] * runs,
        config.net,
        [0] * runs,
    )
    for task in kept.tasks:
        for own, whole in zip(kept.task_parameters(task), network.task_parameters(task), strict=True):
            own.copy_(whole[tuple(slice(n) for n in own.shape)])  # the old block may have more padding
    columns = [network.tasks.index(task) for task in kept.tasks]
    kept.label_mean.copy_(network.label_mean[:, columns])
    kept.label_inverse.copy_(network.label_inverse[:, columns])
    kept.raw_labels = network.raw_labels
    if kept.label_range is not None and network.label_range is not None:
        kept.label_range.copy_(network.label_range[:, columns])
    return kept


def without_discarded(network: Network, config: Config, specs: Sequence[TaskSpec]) -> Network:
    """Returns the network that best.pt contains: without the heads that are used only in training."""
    kept = config.kept
    return network if len(kept) == len(config.active) else pruned(network, config, specs, kept)
