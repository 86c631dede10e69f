"""Records errors and interrupts of a run in its folder."""

import contextlib
import logging
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

from mtlrun.config.schema import Config, as_mapping
from mtlrun.storage.summary import record_end
from mtlrun.util.errors import RequestError, StorageError, in_one_line
from mtlrun.util.terminal import say, shown

log = logging.getLogger("mtlrun.runs.failure")


def guarded(folder: Path, config: Config, work: Callable[[], Any]) -> str | None:
    """Does the work of a run. Returns None, or the error in one line if the run failed.

    Records the end in the run's folder. Raises KeyboardInterrupt and StorageError again; the run is then interrupted.
    """
    try:
        work()
    except (KeyboardInterrupt, StorageError):
        with contextlib.suppress(OSError, StorageError):
            record_end(folder, "interrupted", seed=config.seed, settings=as_mapping(config))
        raise
    except Exception as error:  # every error is recorded in the run's folder
        return note_failure(folder, error, config)
    return None


def note_failure(folder: Path, error: Exception, config: Config | None = None) -> str:
    """Writes an error to the run's summary.json and its traceback to run.log. Returns the error in one line."""
    message = in_one_line(error)
    # The request was checked before. So the table, a checkpoint or a file has changed; the user may restore it.
    status = "interrupted" if isinstance(error, RequestError) else "failed"
    known = {"seed": config.seed, "settings": as_mapping(config)} if config is not None else {}
    record_end(folder, status, message, **known)
    log.debug("the run failed", exc_info=error)  # the console shows INFO and above
    _drop_frames(error)
    return message


def say_failed(folder: Path, message: str) -> int:
    """Prints why the run in the folder failed. Returns the exit status."""
    log_file = folder / "run.log"
    where = f"\nits log: {shown(log_file)}" if log_file.exists() else ""  # hydra/job_logging=disabled
    mend = "\nlower the learning rate: lr.base" if "diverged: " in message else ""
    say(f"mtlrun: the run failed: {message}{mend}{where}", error=True)
    return 1


def _drop_frames(error: BaseException | None) -> None:
    """Releases the tensors of a failed run. Hydra keeps the exception, whose frames refer to them."""
    while error is not None:
        traceback.clear_frames(error.__traceback__)
        error = error.__cause__ or error.__context__
