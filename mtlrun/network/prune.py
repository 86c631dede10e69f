"""A trained network with some of its heads only."""

from collections.abc import Iterable, Sequence

import torch

from mtlrun.config.schema import Config
from mtlrun.network.network import Network, TaskSpec


@torch.no_grad()
def pruned(network: Network, config: Config, specs: Sequence[TaskSpec], tasks: Iterable[str]) -> Network:
    """The network with the heads of `tasks`, and of those whose estimates they receive or whose heads they have, for
    the same R runs.

    It has parameters of its own for the heads; the encoder, and all that is shared, are those of `network`. Outputs are
    the same. `specs` are those that `network` was built from.
    """
    graph, by_name = network.graph.needed_by(tasks), {spec.name: spec for spec in specs}
    while owners := {by_name[task].head for task in graph.tasks} - {"", *graph.tasks}:
        graph = network.graph.needed_by({*graph.tasks, *owners})  # whose heads compute other tasks' outputs
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
            own.copy_(whole[tuple(slice(n) for n in own.shape)])  # a block may be padded to a wider one
    columns = [network.tasks.index(task) for task in kept.tasks]
    kept.label_mean.copy_(network.label_mean[:, columns])
    kept.label_inverse.copy_(network.label_inverse[:, columns])
    kept.raw_labels = network.raw_labels
    return kept


def without_discarded(network: Network, config: Config, specs: Sequence[TaskSpec]) -> Network:
    """The network as best.pt of a run holds it: without the heads that exist only while training."""
    kept = config.kept
    return network if len(kept) == len(config.active) else pruned(network, config, specs, kept)
