"""The entry point of the command line: runs the sub-command and returns the exit status.

Hydra and torch are imported only when they are needed, so that help and a wrong request are answered at once.
"""

import contextlib
import errno
import importlib
import logging
import os
import signal
import sys
import threading
import traceback
from collections.abc import Iterator, Sequence
from types import FrameType

from mtlrun.cli.actions import MODULES
from mtlrun.cli.completion import completion
from mtlrun.cli.parse import Words, take_apart
from mtlrun.cli.usage import help_text
from mtlrun.util.errors import Interrupted, RequestError, StorageError, TrainingError
from mtlrun.util.terminal import encodable, plain_records, say
from mtlrun.util.version import __version__

ENDING = (signal.SIGTERM, signal.SIGHUP)
NO_SUCH_PLACE = (errno.ENAMETOOLONG, errno.ELOOP, errno.ENOTDIR, errno.EISDIR, errno.EACCES, errno.ENOENT)


def main(argv: Sequence[str] | None = None) -> int:
    """Executes a command line and returns the exit status.

    0: done. 1: a run failed, or a file or disk failed. 2: the request was wrong (stderr says why).
    129, 130, 143: ended by SIGHUP, Ctrl-C, SIGTERM. 141: the reader of stdout has gone.
    """
    # Waiting threads must sleep, not spin; torch reads this when it loads.
    os.environ.setdefault("OMP_WAIT_POLICY", "passive")
    with encodable():
        return _status(argv)


def _status(argv: Sequence[str] | None) -> int:
    """Executes a command line. Prints an error in a line or two and returns the exit status."""
    try:
        with _sigterm_as_interrupt(), _logging_restored():
            status = _dispatch(take_apart(sys.argv[1:] if argv is None else argv))
            sys.stdout.flush()
            return status
    except BrokenPipeError:
        # The reader of stdout has gone (mtlrun check | head). Python flushes stdout at exit, which must not fail again.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 128 + signal.SIGPIPE
    except RequestError as error:
        _say_traceback()
        say(f"mtlrun: {error}", error=True)
        return 2
    except TrainingError as error:
        _say_traceback()
        say(f"mtlrun: the run failed: {error}", error=True)
        return 1
    except StorageError as error:
        say(f"mtlrun: {error}", error=True)
        return 1
    except OSError as error:  # an error of a file or a pipe, or of the system
        say(f"mtlrun: {error.filename or 'the system'}: {error.strerror or error}", error=True)
        if error.filename is None:  # perhaps stdout failed; Python would flush it again at exit
            with contextlib.suppress(OSError):
                os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 2 if error.errno in NO_SUCH_PLACE else 1
    except KeyboardInterrupt as interrupt:
        say("mtlrun: interrupted", error=True)
        return 128 + getattr(interrupt, "signum", signal.SIGINT)


def _say_traceback() -> None:
    """Prints the traceback of the error before its message if $HYDRA_FULL_ERROR is 1, as Hydra does."""
    if os.environ.get("HYDRA_FULL_ERROR") == "1":
        say(traceback.format_exc().rstrip(), error=True)


def _dispatch(words: Words) -> int:
    if "version" in words.options:
        say(f"mtlrun {__version__}")
        return 0
    if "help" in words.options:
        say(help_text(words.command))
        return 0
    if "completion" in words.options:
        return completion(words.options["completion"])
    status: int = importlib.import_module(f"mtlrun.cli.actions.{MODULES[words.command]}").act(words)
    return status


@contextlib.contextmanager
def _sigterm_as_interrupt() -> Iterator[None]:
    """Makes SIGTERM and SIGHUP (a closed terminal) end the work as Ctrl-C does. Each has its exit status."""

    def interrupt(signum: int, frame: FrameType | None) -> None:
        raise Interrupted(signum)

    if threading.current_thread() is not threading.main_thread():
        yield
        return
    heeded = [s for s in ENDING if signal.getsignal(s) is not signal.SIG_IGN]  # nohup ignores SIGHUP
    before = {s: signal.signal(s, interrupt) for s in heeded}
    try:
        yield
    finally:
        for signum, handler in before.items():
            signal.signal(signum, handler)


@contextlib.contextmanager
def _logging_restored() -> Iterator[None]:
    """Restores the logging settings at the end, and closes the handlers that Hydra added to the root logger.

    Meanwhile a log line that cannot be written raises no error: a run continues if nobody reads its output any more
    (mtlrun | head).
    """
    root = logging.getLogger()
    handlers, level, loud = root.handlers[:], root.level, logging.raiseExceptions
    factory = logging.getLogRecordFactory()
    logging.raiseExceptions = False
    logging.setLogRecordFactory(plain_records)
    try:
        yield
    finally:
        logging.raiseExceptions = loud
        logging.setLogRecordFactory(factory)
        for handler in root.handlers:
            if handler not in handlers:
                handler.close()
        root.handlers[:] = handlers
        root.setLevel(level)
