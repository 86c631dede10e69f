"""Stacks of one run, ready to train, and how to interrupt them."""

import os
import signal

from mtlrun.engine.loop import Training
from mtlrun.storage.progress import Progress


def training(stack, folder, state=None, console=print):
    """A stack of one run, ready to train into `folder`."""
    return Training(
        stack, [folder], [{"settings": {}, "status": "running"}], folder / "checkpoints/last.pt", state, console
    )


class InterruptAt(Progress):
    """Sends this process a signal after a given step."""

    def __init__(self, step, signum=signal.SIGINT):
        super().__init__(0, [])
        self.at, self.signum = step, signum

    def step(self, step, losses):
        if step == self.at:
            os.kill(os.getpid(), self.signum)
