"""hydra/launcher=stack: trains the runs of a sweep in stacks.

Every Hydra application in this environment imports this module, so it must import quickly.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Optional

from hydra.core.config_store import ConfigStore
from hydra.core.utils import JobReturn
from hydra.errors import HydraException
from hydra.plugins.launcher import Launcher
from hydra.types import HydraContext, TaskFunction
from omegaconf import DictConfig


@dataclass
class StackLauncherConf:
    """The settings of the launcher.

    over: another launcher, whose workers train whole stacks; None: processes on this machine train them
    options: the settings of that launcher
    processes: the number of parallel processes; None: `default_processes` of mtlrun/sweeps/plan.py
    max_runs: the largest number of runs in a stack
    """

    _target_: str = "hydra_plugins.mtlrun_stack.launcher.StackLauncher"
    over: Optional[str] = None  # noqa: UP045 - OmegaConf 2.3 reads these
    options: Any = None  # a mapping; with type Dict each of its keys would need a + on the command line
    processes: Optional[int] = None  # noqa: UP045
    max_runs: Optional[int] = None  # noqa: UP045


class StackLauncher(Launcher):
    """Trains the sweep that sweep.json in the sweep's folder describes."""

    def setup(self, *, hydra_context: HydraContext, task_function: TaskFunction, config: DictConfig) -> None:
        if getattr(task_function, "__module__", None) != "mtlrun.sweeps.launched_run":
            raise HydraException(
                "hydra/launcher=stack trains sweeps of mtlrun (mtlrun -m ...), and nothing else; "
                "use another launcher here: hydra/launcher=basic"
            )
        self.hydra_context, self.config = hydra_context, config

    def __init__(self, **settings: Any) -> None:
        self.settings = settings

    def launch(self, job_overrides: Sequence[Sequence[str]], initial_job_idx: int) -> Sequence[JobReturn]:
        from mtlrun.sweeps.stack_launcher import launch_stacks

        return launch_stacks(self.hydra_context, self.config)


ConfigStore.instance().store(group="hydra/launcher", name="stack", node=StackLauncherConf, provider="mtlrun")
