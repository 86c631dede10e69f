"""When the checkpoint of a stack is written."""

import time
from pathlib import Path

from mtlrun.engine import checkpoint
from mtlrun.engine.state import TrainingState

CHECKPOINT_SECONDS = 5.0  # between two checkpoints, at least; any of them resumes exactly
CHECKPOINT_SHARE = 20  # and at least so many times what the last one took


class Saver:
    """Writes the checkpoint of a whole stack to `path`, from time to time."""

    def __init__(self, path: Path, state: TrainingState) -> None:
        self.path, self.state = path, state
        self.last, self.seconds = time.monotonic(), 0.0  # when the last one was written, and how long that took

    def due(self) -> bool:
        """Whether it is time for another one."""
        # the share keeps a large stack from spending its time on checkpoints
        return time.monotonic() - self.last > max(CHECKPOINT_SECONDS, CHECKPOINT_SHARE * self.seconds)

    def save(self) -> None:
        """Write all that the stack needs to go on exactly. Raises StorageError."""
        began = time.monotonic()
        for member in self.state.running:
            with member.writing():
                member.files.sync()  # the checkpoint goes on from where it ends
        checkpoint.save(self.path, self.state.tree(), durable=True)
        self.last = time.monotonic()
        self.seconds = self.last - began
