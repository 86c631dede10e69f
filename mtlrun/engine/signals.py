"""Signals that interrupt training."""

import signal
from types import FrameType
from typing import Any

from mtlrun.util.errors import Interrupted


class Signals:
    """While this lasts, SIGINT, SIGTERM and SIGHUP are recorded, to take effect after the current step.

    `received` is the number of the last signal, 0 for none. Signals that the process ignores stay ignored. Outside the
    main thread nothing is recorded: the owner of the thread handles signals.
    """

    def __init__(self) -> None:
        self.received = 0
        self._before: dict[signal.Signals, Any] = {}

    def __enter__(self) -> "Signals":
        interrupting = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
        try:
            heeded = [s for s in interrupting if signal.getsignal(s) is not signal.SIG_IGN]
            self._before = {s: signal.signal(s, self._note) for s in heeded}
        except ValueError:  # not in the main thread
            self._before = {}
        return self

    def __exit__(self, *exception: object) -> None:
        for signum, handler in self._before.items():
            signal.signal(signum, handler)

    def _note(self, signum: int, frame: FrameType | None) -> None:
        self.received = signum

    def raise_received(self) -> None:
        """Raises Interrupted if a signal was received."""
        if self.received:
            raise Interrupted(self.received)
