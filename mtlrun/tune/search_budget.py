"""The budget of a search in runs and minutes: what it has spent, and how many settings still fit."""

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from mtlrun.storage.files import write_json
from mtlrun.tune.racing import runs_of
from mtlrun.tune.stored import read_stored
from mtlrun.tune.tune_words import TuneSettings

CLOCK = "clock.json"
# A setting is assumed to take so many times as long as
UNSEEN = 8.0  # the default, until settings are trained: a larger shape takes up to nine times as long
HOPED = 1.5  # the default, for the fewest settings of a batch
MARGIN = 1.25  # the mean of those before it
LEAST = 2  # settings of a batch that time makes smaller


class Training(NamedTuple):
    """The training of settings on a split: the number of its runs, and the seconds that it took."""

    runs: int
    seconds: float


class Clock:
    """The seconds that the commands of a search have taken together, kept in a file.

    What a killed command has taken since it last saved them ends with the last file that it wrote below `watched`.
    Raises RequestError if the file is damaged, and StorageError.
    """

    def __init__(self, path: Path, watched: Path) -> None:
        self._path, self._began, self._before = path, time.monotonic(), 0.0
        if path.is_file():
            seconds, saved_at = read_stored(path, lambda tree: (float(tree["seconds"]), float(tree["at"])))
            last = max(_written(watched), default=0.0)
            self._before = seconds + max(0.0, last - saved_at)
        self.save()

    @property
    def seconds(self) -> float:
        """The seconds until now."""
        return self._before + time.monotonic() - self._began

    def save(self) -> None:
        """Keeps the seconds until now. Raises StorageError."""
        write_json(self._path, {"seconds": self.seconds, "at": time.time()})


def _written(folder: Path) -> Iterator[float]:
    """When each file below a folder was written, in seconds since 1970. Without those that `mtlrun compare` writes."""
    for path in folder.rglob("*"):
        if path.is_file() and "compare" not in path.parts:
            yield path.stat().st_mtime


@dataclass
class Budget:
    """What a search may spend and has spent.

    runs: those so far, without the default's; default, trained: the trainings of the default and of batches
    """

    settings: TuneSettings
    clock: Clock
    runs: int = 0
    default: Sequence[Training] = ()
    trained: list[Training] = field(default_factory=list)

    def each(self, times: float = UNSEEN) -> float:
        """The seconds that a setting is assumed to take on a split. times: beside the default, if none was trained."""
        known, times = (self.trained, MARGIN) if self.trained else (self.default, times)
        seconds, runs = sum(training.seconds for training in known), sum(training.runs for training in known)
        return max(times * seconds, 1e-9) / max(runs, 1)

    def batch(self) -> int:
        """The settings of the next batch: a whole one, or as many as fit on all splits, at least two; 0: none fits."""
        most, splits = self.settings.most_runs, self.settings.splits
        sizes = [n for n in range(self.settings.batch, 0, -1) if most is None or self.runs + runs_of(n, splits) <= most]
        if self.settings.minutes is None or not sizes:
            return max(sizes, default=0)
        least = min(sizes[0], LEAST)
        size = self.fits(sizes[0], splits)
        return size if size >= least else least if self.each(HOPED) * runs_of(least, splits) <= self._left else 0

    def fits(self, settings: int, splits: int) -> int:
        """How many of so many settings can train on so many splits, on each the better half, in the time left."""
        if self.settings.minutes is None:
            return settings
        runs = self._left / self.each()
        return next((n for n in range(settings, 0, -1) if runs_of(n, splits) <= runs), 0)

    @property
    def least_minutes(self) -> float:
        """The minutes with which a search as slow as this one would try two settings."""
        return (self.clock.seconds + self.each(HOPED) * runs_of(LEAST, self.settings.splits)) / 60

    @property
    def _left(self) -> float:
        return 60 * (self.settings.minutes or 0.0) - self.clock.seconds
