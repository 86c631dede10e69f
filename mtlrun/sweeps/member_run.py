"""Trains or resumes one run of a sweep alone. The terminal gets one line; run.log of the run gets the others."""

import logging
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from mtlrun.config.schema import Config, as_mapping
from mtlrun.data.dataset import load_dataset, require_unchanged
from mtlrun.runs import single
from mtlrun.runs.failure import guarded
from mtlrun.storage import hydra_folder
from mtlrun.storage.names import LAST
from mtlrun.storage.progress import quiet_console
from mtlrun.storage.results_table import rebuild
from mtlrun.sweeps.closing import headline, place

log = logging.getLogger("mtlrun.sweeps.member_run")


def train_member(
    sweep: Path, plan: Sequence[Mapping[str, Any]], number: int, config: Config, words: Sequence[str]
) -> str | None:
    """Trains or resumes run `number` of the sweep. Returns None, or the error in one line."""
    job = plan[number]
    folder = sweep / job["run"]
    here = place(number, len(plan), folder)

    def work() -> None:
        with quiet_console():
            if (folder / LAST).exists():
                summary = single.resume(folder)
            else:
                hydra_folder.write(folder, as_mapping(config), words)
                rebuild(sweep)  # shows the run as running
                require_unchanged(config.data, load_dataset(config).hash, job.get("data_hash"), "this sweep began")
                summary = single.prepare(config).train(folder)
        log.info("%s  %s", here, headline(config, summary))

    try:
        error = guarded(folder, config, work)
        if error is not None:
            log.error("%s  failed: %s", here, error)
    finally:
        rebuild(sweep)
    return error
