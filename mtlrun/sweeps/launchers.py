"""Hydra's launchers: what was asked of the one that trains stacks, and how another one is given them."""

import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hydra._internal.callbacks import Callbacks
from hydra.core.config_loader import ConfigLoader
from hydra.core.utils import JobReturn, JobStatus
from hydra.plugins.launcher import Launcher
from hydra.types import RunMode
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from mtlrun.compose import ROOT, Request
from mtlrun.util.errors import RequestError, listing, nearest
from mtlrun.util.terminal import say

STACK = "hydra_plugins.mtlrun_stack.launcher.StackLauncher"
PACKAGES = {
    "joblib": "'mtlrun[joblib]'",
    "submitit_local": "'mtlrun[submitit]'",
    "submitit_slurm": "'mtlrun[submitit]'",
    "ray": "hydra-ray-launcher",  # no extra: it asks for older releases than those that mtlrun is tested with
}
OVER = tuple(PACKAGES)


@dataclass(frozen=True)
class StackSettings:
    """hydra.launcher of `hydra/launcher=stack`, checked."""

    over: str | None
    options: dict[str, Any]
    processes: int | None
    max_runs: int | None


def stack_settings(request: Request) -> StackSettings | None:
    """What the launcher of stacks was asked for; None where another launcher was chosen.

    Raises RequestError for a launcher that cannot take stacks or is not installed, and for counts below 1.
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
    """Raises RequestError unless stacks can be handed to the launcher `over` here."""
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
    """The configuration under which the launcher `over` trains stacks, each in a folder of its own below .stacks.

    Raises RequestError for an option that the launcher does not have, or not with such a value.
    """
    quoted = str(folder).replace("\\", "\\\\").replace("'", "\\'")
    overrides = [f"hydra/launcher={over}", f"hydra.sweep.dir='{quoted}'", "hydra.sweep.subdir=.stacks/${hydra.job.num}"]
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
    """Has another launcher's workers do the jobs, and says what went wrong with a worker, as opposed to its runs."""
    try:
        returned = launcher.launch(jobs, initial_job_idx=0)
    except Exception as error:  # of a worker that was killed, or of a machine that is not there
        wrong: list[Any] = [error]
    else:
        wrong = [job._return_value for job in returned if job.status == JobStatus.FAILED]
    for reason in wrong:
        words = " ".join(str(reason).split())
        say(f"mtlrun: {name}: {type(reason).__name__}: {words[:500]}", error=True)


class SlimCallbacks(Callbacks):
    """Hydra's, but that a launcher keeps no job's configurations: 0.2 MB for each run of a sweep."""

    def on_job_end(self, config: DictConfig, job_return: JobReturn, **other: Any) -> None:
        """Calls the callbacks, and lets go of the configurations."""
        super().on_job_end(config=config, job_return=job_return, **other)
        job_return.cfg = job_return.hydra_cfg = None
