"""Trains a stack in the current process and sends messages on its progress."""

import contextlib
import time
import traceback
from collections.abc import Sequence
from typing import Any

from mtlrun.config.schema import as_mapping
from mtlrun.data.dataset import load_dataset, require_unchanged
from mtlrun.engine import checkpoint
from mtlrun.engine.member import Member
from mtlrun.runs.reporting import RunLogs
from mtlrun.runs.stack_of_runs import StackOfRuns
from mtlrun.runs.stack_training import train_stack
from mtlrun.storage import hydra_folder
from mtlrun.storage.progress import Progress
from mtlrun.storage.summary import record_end
from mtlrun.storage.writer import log_lines
from mtlrun.sweeps.work import Broken, Ended, OutOfMemory, Refused, Send, Steps, Work
from mtlrun.util.errors import RequestError, StorageError, TrainingError, in_one_line

REPORT_SECONDS = 0.5


def train_here(work: Work, send: Send) -> None:
    """Trains a stack in this process and sends messages on its progress.

    Errors do not pass; the last message says what follows from one (`_consequence`). Raises Interrupted after a signal.
    """
    try:
        _train(work, send)
    except KeyboardInterrupt:
        _note_interrupt(work)
        raise
    except Exception as error:  # no error of a stack may end the sweep
        traceback.clear_frames(error.__traceback__)  # the frames hold the tensors of the stack
        send(_consequence(work, error))
    finally:
        work.drop_needless_checkpoint()


def _train(work: Work, send: Send) -> None:
    for job in work.unfinished:
        hydra_folder.write(job.folder, as_mapping(job.config), job.arguments)
    send(Ended([]))  # updates the table: the runs are running now
    datasets = [load_dataset(job.config) for job in work.jobs]
    for job, dataset in zip(work.jobs, datasets, strict=True):
        require_unchanged(job.config.data, dataset.hash, job.data_hash, "this sweep began")

    def ended(members: list[Member]) -> None:
        send(Ended([work.jobs[m.at].number for m in members]))

    def display(total: int, tasks: Sequence[str]) -> Progress:
        return SentProgress(work, total, tasks, send)

    configs, folders = [job.config for job in work.jobs], [job.folder for job in work.jobs]
    runs = StackOfRuns(configs, datasets, folders, work.checkpoint)
    train_stack(runs, RunLogs(work.number, len(work.jobs), display, ended), runs.saved_state())


def _consequence(work: Work, error: Exception) -> Ended | OutOfMemory | Broken | Refused:
    """The message on what follows from an error of a stack. Records the error in its runs if it ends them."""
    several = len(work.jobs) > 1
    if checkpoint.is_out_of_memory(error) and several:
        return OutOfMemory(in_one_line(error)[:200])
    if isinstance(error, (StorageError, RequestError)):
        # The disk, the table or the checkpoint has changed since the sweep was checked. The user can repair that and
        # resume.
        _note_interrupt(work)
        return Refused(str(error))
    if several and not isinstance(error, TrainingError):
        return Broken(in_one_line(error)[:200])
    failed = [job.number for job in work.unfinished]
    note_failure(work, error)
    return Ended(failed)


def _note_interrupt(work: Work) -> None:
    """Records every run that has not ended as interrupted, if the disk can be written."""
    with contextlib.suppress(OSError, StorageError):
        for job in work.jobs:
            record_end(job.folder, "interrupted", seed=job.config.seed, settings=as_mapping(job.config))


def note_failure(work: Work, error: Exception) -> None:
    """Records an error of the whole stack in every run that has not ended, if its folder can be written."""
    trace = "".join(traceback.format_exception(error)).rstrip()
    for job in work.unfinished:
        with contextlib.suppress(OSError, StorageError):
            settings = as_mapping(job.config)
            record_end(job.folder, "failed", in_one_line(error), seed=job.config.seed, settings=settings)
            log_lines(job.folder, [f"the run failed\n{trace}"])


class SentProgress(Progress):
    """Sends the progress of a stack to the process that displays it, at most twice a second."""

    def __init__(self, work: Work, total: int, tasks: Sequence[str], send: Send) -> None:
        super().__init__(total, tasks)
        self.work, self.send, self.next = work, send, 0.0

    def __enter__(self) -> Progress:
        return self

    def show(self, done: int, words: str) -> None:
        """Sends the number of steps done."""
        self.step(done, None)

    def step(self, step: int, losses: Any) -> None:
        """Sends the steps of both stages, summed over all runs."""
        now = time.monotonic()
        if now >= self.next:
            self.next = now + REPORT_SECONDS
            taken, left, runs = self.before + step, self.total - step + self.after, len(self.work.jobs)
            self.send(Steps(taken * runs, left * runs))
