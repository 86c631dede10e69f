"""Trains one run of a sweep as a job of a launcher other than stack, which may use a separate process."""

from pathlib import Path

from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig

from mtlrun.compose import checked_config, literally
from mtlrun.storage.files import at_work
from mtlrun.storage.sweep_folder import read_plan
from mtlrun.util.terminal import encodable


def run_member(cfg: DictConfig) -> str | None:
    """Trains one run of a sweep, for launchers other than stack. Returns None, or the error in one line."""
    from mtlrun.sweeps.member_run import train_member

    folder = Path(literally(HydraConfig.get().runtime, "output_dir"))
    plan, number = read_plan(folder.parent), HydraConfig.get().job.num
    with encodable(), at_work(folder.parent):
        return train_member(folder.parent, plan, number, checked_config(cfg), list(HydraConfig.get().overrides.task))
