"""The tasks that the model of a run predicts, and their outputs."""

from collections.abc import Sequence

from torch import Tensor

from mtlrun.config.schema import Config
from mtlrun.network.network import Network
from mtlrun.util.errors import RequestError, listing, nearest


def predictable(config: Config) -> list[str]:
    """The tasks that the model of a run can predict: trained ones, without discarded heads and reconstructions."""
    return [t for t in config.kept if not config.active[t].reads_inputs]


def leaving(config: Config, named: Sequence[str] | None) -> list[str]:
    """The tasks that a run's model predicts: the `named` ones, or the main tasks if `named` is None.

    Raises RequestError for a task that was not trained or has no prediction.
    """
    known = predictable(config)
    if named is None:
        named = [t for t, c in config.active.items() if c.role == "main"]
        if not named:
            raise RequestError(
                f"--tasks: name some, as no task that was trained has role main\nallowed: {listing(known)}"
            )
    if not named:
        raise RequestError(f"--tasks: no task is named\nallowed: {listing(known)}")
    for name in named:
        if list(named).count(name) > 1:
            raise RequestError(f"--tasks: {name} is given {list(named).count(name)} times\nallowed: every task once")
        if name in known:
            continue
        why = f"no such task{nearest(name, known)}"
        if name in config.active:
            why = "reconstructs the inputs, of which no column is predicted"
            if config.active[name].discard:
                why = f"its head existed only while training, as tasks.{name}.discard says"
        elif name in config.tasks:
            why = "was not trained, as `only` leaves it out"
        raise RequestError(f"--tasks: {name}: {why}\nallowed: {listing(known)}")
    return list(named)


def task_outputs(network: Network, tasks: Sequence[str], outputs: Sequence[Tensor]) -> dict[str, Tensor]:
    """The outputs `[N, K]` of each task, clipped, from the outputs `[1, N, T, K]` of each block of a single run."""
    by_task, outputs = {}, network.clipped(outputs)
    for task in tasks:
        block, i = network.place[task]
        # K of a block is that of its widest task
        by_task[task] = outputs[network.blocks.index(block)][0, :, i, : block.specs[i].outputs]
    return by_task
