"""Hydra's launchers: the settings of the launcher `stack`, and other launchers that train its stacks."""

import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hydra._internal.callbacks import Callbacks
from hydra.core.config_loader import ConfigLoader
from hydra.core.override_parser.types import Quote, QuotedString
from hydra.core.utils import JobReturn, JobStatus
from hydra.plugins.launcher import Launcher
from hydra.types import RunMode
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from mtlrun.compose import ROOT, Request
from mtlrun.compose.hydra_settings import PACKAGES
from mtlrun.util.errors import RequestError, listing, nearest
from mtlrun.util.interpolation import escaped
from mtlrun.util.terminal import say

STACK = "hydra_plugins.mtlrun_stack.launcher.StackLauncher"
OVER = tuple(PACKAGES)


@dataclass(frozen=True)
class StackSettings:
    """The checked settings of `hydra/launcher=stack`; hydra_plugin/launcher.py describes them."""

    over: str | None
    options: dict[str, Any]
    processes: int | None
    max_runs: int | None


def stack_settings(request: Request) -> StackSettings | None:
    """The settings of the launcher `stack`; None if another launcher was chosen.

    Raises RequestError if `over` names a launcher that cannot train stacks or is not installed, and for counts below 1.
    """
    tree = OmegaConf.to_container(request.cfg.hydra.launcher, resolve=True)
    assert isinstance(tree, dict)
    if tree.pop("_target_") != STACK:
        return None
    options = tree["options"] = {} if tree["options"] is None else tree["options"]
    if not isinstance(options, dict):
        raise RequestError(f"hydra.launcher.options: found {options}\nallowed: a mapping, such as {{n_jobs: 2}}")
    settings = StackSettings(**{str(key): value for key, value in tree.items()})
    if settings.over is not None:
        _require_launcher(settings.over, request.loader)
        over_config(request.loader, settings.over, settings.options, Path(str(request.cfg.hydra.sweep.dir)))
    elif settings.options:
        raise RequestError(
            "hydra.launcher.options: they belong to the launcher that hydra.launcher.over names\n"
            f"add hydra.launcher.over={listing(OVER)}, or leave them out"
        )
    for key in ("processes", "max_runs"):
        count = getattr(settings, key)
        if count is not None and count < 1:
            raise RequestError(f"hydra.launcher.{key}: found {count}\nallowed: a whole number from 1")
    return settings


def _require_launcher(over: str, loader: ConfigLoader) -> None:
    """Raises RequestError if the launcher `over` cannot train stacks here."""
    if over not in OVER:
        raise RequestError(f"hydra.launcher.over: found {over}{nearest(over, OVER)}\nallowed: {listing(OVER)}")
    if over not in loader.get_group_options("hydra/launcher"):
        raise RequestError(f"hydra.launcher.over: {over} is not installed\ninstall it: pip install {PACKAGES[over]}")
    if over == "submitit_slurm" and shutil.which("srun") is None:
        raise RequestError(
            "hydra.launcher.over: submitit_slurm needs SLURM, and there is no srun here\n"
            "on this machine: hydra.launcher.over=submitit_local"
        )


def over_config(loader: ConfigLoader, over: str, options: Mapping[str, Any], folder: Path) -> DictConfig:
    """The configuration with which the launcher `over` trains stacks, each in a separate folder below .stacks.

    Raises RequestError if the launcher does not have an option or refuses its value.
    """
    place = QuotedString(escaped(str(folder)), Quote.single).with_quotes()
    overrides = [f"hydra/launcher={over}", f"hydra.sweep.dir={place}", "hydra.sweep.subdir=.stacks/${hydra.job.num}"]
    cfg = loader.load_configuration(ROOT, overrides, RunMode.MULTIRUN, validate_sweep_overrides=False)
    known = [key for key in map(str, cfg.hydra.launcher) if key != "_target_"]
    for key, value in {str(k): v for k, v in options.items()}.items():
        if key not in known:
            raise RequestError(
                f"hydra.launcher.options.{key}: {over} has no such key"
                f"{nearest(key, known)}\nallowed: {listing(known, 30)}"
            )
        try:
            cfg.hydra.launcher[key] = value
        except OmegaConfBaseException as error:
            raise RequestError(
                f"hydra.launcher.options.{key}: found {value!r}\n{over} says: {str(error).splitlines()[0]}"
            ) from error
    return cfg


def launch(launcher: Launcher, name: str, jobs: list[list[str]]) -> None:
    """Lets another launcher do the jobs. Prints errors of its workers; errors of runs are recorded by the runs."""
    try:
        returned = launcher.launch(jobs, initial_job_idx=0)
    except Exception as error:  # a worker was killed, a machine cannot be reached, ...
        wrong: list[Any] = [error]
    else:
        wrong = [job._return_value for job in returned if job.status == JobStatus.FAILED]
    for reason in wrong:
        words = " ".join(str(reason).split())
        say(f"mtlrun: {name}: {type(reason).__name__}: {words[:500]}", error=True)


class SlimCallbacks(Callbacks):
    """Hydra's callbacks, which also free the configurations of a job at its end: 0.2 MB for each run."""

    def on_job_end(self, config: DictConfig, job_return: JobReturn, **other: Any) -> None:
        """Calls the callbacks, then removes the configurations from the job's result."""
        super().on_job_end(config=config, job_return=job_return, **other)
        job_return.cfg = job_return.hydra_cfg = None
