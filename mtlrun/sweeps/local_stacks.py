"""Trains the stacks of a sweep's plan in processes on this machine."""

import contextlib
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from mtlrun.config.check import check_stored
from mtlrun.config.extensions import require
from mtlrun.storage.names import SWEEP_LOG
from mtlrun.storage.progress import SweepProgress
from mtlrun.storage.results_table import rebuild
from mtlrun.storage.summary import ENDED, read
from mtlrun.storage.sweep_folder import read_plan
from mtlrun.storage.writer import log_lines
from mtlrun.sweeps.closing import run_line
from mtlrun.sweeps.live_table import LiveTable
from mtlrun.sweeps.plan import default_processes
from mtlrun.sweeps.pool import train_all
from mtlrun.sweeps.work import Job, Work
from mtlrun.util.errors import StorageError

# results.csv is written at most every TABLE_SECONDS, and at most every TABLE_SHARE times the time that writing takes:
# a tenth of a second for a thousand runs.
TABLE_SECONDS = 0.5
TABLE_SHARE = 20


def train_stacks(
    folder: Path, numbers: Sequence[int], processes: int | None, quiet: bool = False, above: str = ""
) -> None:
    """Trains those of the given stacks of a sweep that are not finished.

    processes: the number of parallel processes on this machine; None: `default_processes`; 0: in this process
    quiet: without a line for each run that ends, and without the table of settings; above: text for the lines above the
        bar on a terminal
    """
    plan = read_plan(folder)
    for job in plan:
        require(job.get("packages"))  # a worker on another machine may lack one
    works = [work for number in numbers if (work := _work(folder, plan, number)).unfinished]
    jobs = {job.number: job for work in works for job in work.jobs}
    if processes is None:
        processes = default_processes([job.config for job in jobs.values()])
    table, live = _Table(folder), LiveTable(plan, [job.config for job in jobs.values()])
    before = [(number, folder / job["run"]) for number, job in enumerate(plan)]
    ended = [(number, summary) for number, run in before if (summary := read(run) or {}).get("status") in ENDED]
    for number, summary in ended:
        live.ended(number, summary)

    def close(numbers: list[int]) -> list[str]:
        table.rebuild_if_due()
        if quiet:
            return []
        lines = [run_line(n, len(plan), jobs[n].folder, jobs[n].config) for n in numbers]
        for number in numbers:
            live.ended(number, read(jobs[number].folder))
        with contextlib.suppress(StorageError, OSError):  # every run has its own log
            log_lines(folder, lines, SWEEP_LOG)
        return lines

    steps = {work.number: sum(plan[job.number]["steps"] for job in work.jobs) for work in works}
    shown = None if quiet else live.table
    with SweepProgress(len(plan), len(ended), steps, close, processes > 0, above, shown) as display:
        train_all(works, processes, display)
    table.rebuild()


class _Table:
    """Rewrites results.csv while a sweep trains. Ignores a StorageError, because the table can be derived again."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.written_at, self.took = folder, 0.0, 0.0

    def rebuild_if_due(self) -> None:
        """Writes the table unless it was written a moment ago."""
        if time.monotonic() - self.written_at > max(TABLE_SECONDS, TABLE_SHARE * self.took):
            began = time.monotonic()
            self.rebuild()
            self.written_at, self.took = time.monotonic(), time.monotonic() - began

    def rebuild(self) -> None:
        """Writes the table."""
        with contextlib.suppress(StorageError):
            rebuild(self.folder)


def _work(folder: Path, plan: Sequence[Mapping[str, Any]], number: int) -> Work:
    """The runs of stack `number` of the plan."""
    runs = [(n, job) for n, job in enumerate(plan) if job.get("stack") == number]
    jobs = [
        Job(n, folder / job["run"], job["arguments"], check_stored(job["config"]), job.get("data_hash"))
        for n, job in runs
    ]
    return Work(number, folder, jobs)
