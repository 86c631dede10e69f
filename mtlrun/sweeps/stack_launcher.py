"""hydra/launcher=stack: trains the stacks of a sweep on this machine or by the workers of another launcher."""

from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from hydra.core.hydra_config import HydraConfig
from hydra.core.plugins import Plugins
from hydra.core.utils import JobReturn, JobStatus
from hydra.types import HydraContext
from omegaconf import DictConfig

from mtlrun.engine import hardware
from mtlrun.storage.files import at_work, locked
from mtlrun.storage.summary import status_of
from mtlrun.storage.sweep_folder import STACKS, read_plan
from mtlrun.sweeps.launchers import launch, over_config
from mtlrun.sweeps.local_stacks import train_stacks
from mtlrun.util.terminal import encodable


def launch_stacks(context: HydraContext, cfg: DictConfig) -> list[JobReturn]:
    """Trains the stacks of the sweep in `hydra.sweep.dir`. The launcher calls it."""
    folder = Path(str(cfg.hydra.sweep.dir)).absolute()
    settings = cfg.hydra.launcher
    plan = read_plan(folder)
    numbers = sorted({int(job["stack"]) for job in plan})
    if settings.over is None:
        train_stacks(folder, numbers, settings.processes)
    else:
        train_over(context, settings.over, settings.options or {}, folder, numbers)
    returns = []
    for job in plan:
        completed = status_of(folder / job["run"]) == "completed"
        returned = JobReturn(overrides=job["arguments"], working_dir=str(folder / job["run"]))
        returned.status = JobStatus.COMPLETED if completed else JobStatus.FAILED
        returned.return_value = None if completed else RuntimeError(job["run"])
        returns.append(returned)
    return returns


def train_over(
    context: HydraContext,
    over: str,
    options: Mapping[str, Any],
    folder: Path,
    numbers: Sequence[int],
    quiet: bool = False,
) -> None:
    """Lets workers of the launcher `over` train the given stacks of the sweep in `folder`, one stack a job.

    options: those of the launcher; quiet: without a line for each run that ends. Prints errors of workers.
    """
    task = partial(run_stack, numbers=numbers, quiet=quiet)
    config = over_config(context.config_loader, over, options, folder)
    launch(Plugins.instance().instantiate_launcher(context, task, config), over, [[] for _ in numbers])


def run_stack(cfg: DictConfig, numbers: Sequence[int], quiet: bool) -> None:
    """Trains one of the stacks of a sweep in this process, by default on one thread. A worker of a launcher calls it.

    Waits for a worker that has the stack already: a launcher may give up the others when it has lost one.
    """
    hardware.most_threads = 1
    hydra = HydraConfig.get()
    folder, number = Path(hydra.sweep.dir), numbers[hydra.job.num]
    with encodable(), at_work(folder), locked(folder / STACKS / f"{number:03d}.lock"):
        train_stacks(folder, [number], processes=0, quiet=quiet)
