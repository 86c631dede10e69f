"""The lock of Optuna's journal, with the name of its owner: that of a process that was killed is removed."""

import contextlib
import os
import socket
from pathlib import Path

from optuna.storages.journal import JournalFileSymlinkLock
from optuna.storages.journal._file import LOCK_FILE_SUFFIX


class JournalLock(JournalFileSymlinkLock):
    """Optuna's lock beside a journal: a symbolic link, which other programs of Optuna respect.

    Optuna lets it lead to the journal. Then nobody knows whose it is, and after a kill everyone waits 30 seconds. Here
    it leads to an empty file that is named after the host and the process. A lock that a dead process of this host has
    left is removed at once. Others are waited for, as Optuna does.
    """

    def __init__(self, journal: Path) -> None:
        super().__init__(str(journal))
        self._link = Path(f"{journal}{LOCK_FILE_SUFFIX}")
        host = f".{journal.name}.owner-{socket.gethostname()}-"
        self._owner = journal.with_name(f"{host}{os.getpid()}")
        self._lock_target_file = self._owner.name
        dead = [path for path in journal.parent.glob(f"{host}*") if path == self._owner or not _is_alive(path.name)]
        with contextlib.suppress(OSError, RuntimeError):  # there is no lock, or its owner has just released it
            if os.readlink(self._link) in {path.name for path in dead}:
                super().release()
        for path in dead:
            path.unlink(missing_ok=True)

    def acquire(self) -> bool:
        """Waits until the lock is free, and takes it."""
        self._owner.touch()  # a link that leads nowhere would make Optuna wait for ever
        return super().acquire()

    def release(self) -> None:
        """Gives the lock back."""
        super().release()
        self._owner.unlink(missing_ok=True)


def _is_alive(owner: str) -> bool:
    """Whether the process at the end of an owner's name is alive. Unknown owners count as alive."""
    number = owner.rpartition("-")[2]
    try:
        os.kill(int(number), 0)
    except ProcessLookupError:
        return False
    except (ValueError, OverflowError, PermissionError):
        return True
    return True
