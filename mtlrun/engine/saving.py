"""Decides when to write the checkpoint of a stack, and writes it."""

import time
from pathlib import Path

from mtlrun.engine import checkpoint
from mtlrun.engine.state import TrainingState

CHECKPOINT_SECONDS = 5.0  # least time between two checkpoints; training resumes exactly from any
CHECKPOINT_SHARE = 20  # and at least this multiple of the time that the last one took


class Saver:
    """Writes the checkpoint of a stack to `path`."""

    def __init__(self, path: Path, state: TrainingState) -> None:
        self.path, self.state = path, state
        self.last, self.seconds = time.monotonic(), 0.0  # time of the last checkpoint, and its duration

    def due(self) -> bool:
        """Returns whether a checkpoint is due."""
        # the share limits the time that a large stack spends on checkpoints
        return time.monotonic() - self.last > max(CHECKPOINT_SECONDS, CHECKPOINT_SHARE * self.seconds)

    def save(self) -> None:
        """Writes the state from which training resumes exactly. Raises StorageError."""
        began = time.monotonic()
        for member in self.state.running:
            with member.writing():
                member.files.sync()  # training resumes at the end of metrics.csv
        checkpoint.save(self.path, self.state.tree(), durable=True)
        self.last = time.monotonic()
        self.seconds = self.last - began
