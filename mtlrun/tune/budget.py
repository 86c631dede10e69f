"""The budget of a search in runs and minutes: what it has spent, and how many settings still fit."""

import json
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from mtlrun.storage.files import write_json
from mtlrun.tune.racing import runs_of
from mtlrun.tune.tune_words import TuneSettings

CLOCK = "clock.json"
UNSEEN = 1.5  # a setting is assumed to take so many times as long as the default, until settings are trained
MARGIN = 1.25  # and so many times as long as the mean of those before it


class Clock:
    """The seconds that the commands of a search have taken together, kept in a file.

    What a killed command has taken since it last saved them ends with the last file that it wrote below `watched`.
    """

    def __init__(self, path: Path, watched: Path) -> None:
        self._path, self._began, self._before = path, time.monotonic(), 0.0
        if path.is_file():
            saved = json.loads(path.read_text(encoding="utf-8"))
            last = max(_written(watched), default=0.0)
            self._before = saved["seconds"] + max(0.0, last - saved["at"])
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

    runs: those so far, without the default's; default, trained: for each training of the default, and of a batch on a
    split, the number of runs and the seconds
    """

    settings: TuneSettings
    clock: Clock
    runs: int = 0
    default: Sequence[Sequence[float]] = ()
    trained: list[Sequence[float]] = field(default_factory=list)

    @property
    def each(self) -> float:
        """The seconds that a setting is assumed to take on a split."""
        known, times = (self.trained, MARGIN) if self.trained else (self.default, UNSEEN)
        seconds, runs = sum(seconds for _, seconds in known), sum(runs for runs, _ in known)
        return max(times * seconds, 1e-9) / max(runs, 1)

    def batch(self) -> int:
        """The settings of the next batch: a whole one, or as many as fit on all splits; 0: the search ends.

        A batch that would be smaller than a quarter for lack of time does not begin, unless it is the first.
        """
        most, splits = self.settings.most_runs, self.settings.splits
        sizes = [n for n in range(self.settings.batch, 0, -1) if most is None or self.runs + runs_of(n, splits) <= most]
        size = next((n for n in sizes if self.fits(runs_of(n, splits)) == runs_of(n, splits)), 0)
        if self.settings.minutes is None:
            return size
        least = self.settings.batch / 4 if self.trained else 2
        return size if size >= min(least, max(sizes, default=0)) else 0

    def fits(self, settings: int) -> int:
        """How many of so many settings can be trained on a split in the time that is left."""
        if self.settings.minutes is None:
            return settings
        return max(0, min(settings, int((60 * self.settings.minutes - self.clock.seconds) / self.each)))

    @property
    def least_minutes(self) -> float:
        """The minutes with which a search as slow as this one would try two settings."""
        return (self.clock.seconds + self.each * runs_of(2, self.settings.splits)) / 60
