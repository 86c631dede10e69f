"""hydra/launcher=stack: trains the stacks of a sweep on this machine or by the workers of another launcher."""

from pathlib import Path

from hydra.core.hydra_config import HydraConfig
from hydra.core.plugins import Plugins
from hydra.core.utils import JobReturn, JobStatus
from hydra.types import HydraContext
from omegaconf import DictConfig

from mtlrun.engine import hardware
from mtlrun.storage.files import at_work
from mtlrun.storage.summary import status_of
from mtlrun.storage.sweep_folder import read_plan
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
        over = over_config(context.config_loader, settings.over, settings.options or {}, folder)
        launcher = Plugins.instance().instantiate_launcher(context, run_stack, over)
        launch(launcher, settings.over, [[] for _ in numbers])
    returns = []
    for job in plan:
        completed = status_of(folder / job["run"]) == "completed"
        returned = JobReturn(overrides=job["arguments"], working_dir=str(folder / job["run"]))
        returned.status = JobStatus.COMPLETED if completed else JobStatus.FAILED
        returned.return_value = None if completed else RuntimeError(job["run"])
        returns.append(returned)
    return returns


def run_stack(cfg: DictConfig) -> None:
    """Trains one stack of a sweep in this process, by default on one thread. A worker of another launcher calls it."""
    hardware.most_threads = 1
    hydra = HydraConfig.get()
    with encodable(), at_work(Path(hydra.sweep.dir)):
        train_stacks(Path(hydra.sweep.dir), [hydra.job.num], processes=0)
