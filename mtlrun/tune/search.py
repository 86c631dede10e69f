"""The search: batches of settings, each trained over one split after the other, the better half of a batch on the next.

A batch has a folder search/NNN: batch.json names its trials before any trains, split_S is the sweep on split S,
done.json has the seconds. So a search that was killed at any moment goes on: what is in a folder is not trained
again, and the study is told what it has not been told.
"""

import json
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from mtlrun.compare.analysis.task_columns import find_columns
from mtlrun.compare.collect.run_record import RunRecord
from mtlrun.compare.records import TaskColumn
from mtlrun.storage.files import write_json
from mtlrun.tune.racing import LOST, drop, runs_of, survivors
from mtlrun.tune.setting_runs import Base, Setting, records, train
from mtlrun.tune.space import Dimension
from mtlrun.tune.study import Study
from mtlrun.tune.tried import Tried, best_of
from mtlrun.tune.tune_words import TuneSettings
from mtlrun.tune.view import Progress, View
from mtlrun.util.errors import RequestError

SEARCH, BATCH, DONE = "search", "batch.json", "done.json"
DEFAULT = "default"
QUIETLY = {"trainer.tensorboard": "false"}  # of all runs of a search, whose curves nobody looks at


@dataclass(frozen=True)
class SearchResult:
    """What a search has found.

    tried: all settings, in the order of their trials; best: the one with the lowest mean drop of those that were
    trained on all splits, if it is below 0, the default's; runs: the number of runs, without the default's
    """

    tried: Sequence[Tried]
    best: Tried | None
    runs: int


@dataclass
class Search:
    """A search in a folder.

    view: shows its progress after each split of a batch
    closed: no further batch begins, because what it has found is being confirmed
    """

    base: Base
    space: Sequence[Dimension]
    settings: TuneSettings
    folder: Path
    command: str
    view: View
    closed: bool = False
    _tried: dict[int, Tried] = field(default_factory=dict)
    _runs: int = 0
    _seconds: float = 0.0
    _slowest: float = 0.0  # seconds for each setting of a batch
    _figures: dict[int, list[Mapping[str, float]]] = field(default_factory=dict)
    _columns: Sequence[TaskColumn] = ()

    def run(self) -> SearchResult:
        """Searches until the runs or minutes are used up. Raises RequestError, StorageError, KeyboardInterrupt."""

        self.folder.mkdir(parents=True, exist_ok=True)
        study = Study(self.folder, self.space)
        defaults = self._train_default()
        study.forget([trial for batch in self._batches() for trial in _trials(batch)])
        number = 0
        while (self._folder(number) / BATCH).is_file() or (not self.closed and self._size()):
            self._batch(number, study, defaults)
            number += 1
        return self.result()

    def result(self) -> SearchResult:
        """What is found so far."""
        tried = [self._tried[number] for number in sorted(self._tried)]
        return SearchResult(tried, best_of(tried, self.settings.splits), self._runs)

    # ---------------------------------------------------------------- budget

    def _size(self) -> int:
        """The settings of the next batch: a whole one, or as many as fit into the runs and the time that are left.

        A batch is assumed to take as long for each setting as the slowest so far, the first one as long as the default
        on its splits. One that would be smaller than a quarter for lack of time does not begin, unless it is the first.
        """
        most, minutes, sizes = self.settings.most_runs, self.settings.minutes, range(self.settings.batch, 0, -1)
        size = next((n for n in sizes if most is None or self._runs + runs_of(n, self.settings.splits) <= most), 0)
        if minutes is None:
            return size
        left = 60 * minutes - self._seconds
        if not self._runs:
            return min(size, max(2, int(left / max(self._seconds, 1e-9))))
        fits = int(left / max(self._slowest, 1e-9))
        return min(size, fits) if 4 * fits >= self.settings.batch else 0

    # ---------------------------------------------------------------- batches

    def _batches(self) -> Iterator[Path]:
        yield from sorted(path.parent for path in (self.folder / SEARCH).glob(f"*/{BATCH}"))

    def _folder(self, number: int) -> Path:
        return self.folder / SEARCH / f"{number:03d}"

    def _train_default(self) -> Sequence[RunRecord]:
        """The default on every split. Raises RequestError if it fails."""
        folder, began = self.folder / SEARCH / DEFAULT, time.monotonic()
        seeds = range(self.settings.splits)
        train(folder, self.base.runs([Setting(DEFAULT)], seeds, QUIETLY), self.command, self.view.above)
        self._seconds += time.monotonic() - began
        found = records(folder)
        if missing := [seed for seed in seeds if (DEFAULT, seed) not in found]:
            raise RequestError(f"tune: the default failed on seed {missing[0]}\nwhy is in the run.log below {folder}")
        runs = [found[DEFAULT, seed] for seed in seeds]
        self._columns = find_columns(runs, {}, "val", [])
        return runs

    def _batch(self, number: int, study: Any, defaults: Sequence[RunRecord]) -> None:
        """Trains a batch, or what is left of it, and tells the study."""
        folder = self._folder(number)
        if not (folder / BATCH).is_file():
            asked = [{"trial": trial, "values": values} for trial, values in study.ask(self._size())]
            folder.mkdir(parents=True, exist_ok=True)
            write_json(folder / BATCH, asked)
        values = {entry["trial"]: entry["values"] for entry in _read(folder / BATCH)}
        drops: dict[int, list[float]] = {trial: [] for trial in values}
        alive, seconds = [*values], 0.0
        for split in range(self.settings.splits):
            began = time.monotonic()
            self.view.begin(number, split, len(alive))
            self._split(folder, split, {trial: values[trial] for trial in alive}, drops, defaults[split])
            seconds += time.monotonic() - began
            self._runs += len(alive)
            kept = {t: d for t, d in drops.items() if d and LOST not in d}
            self._tried |= {t: Tried(t, values[t], d, self._figures[t]) for t, d in kept.items()}
            done = _read(folder / DONE) if (folder / DONE).is_file() else None
            if split + 1 < self.settings.splits:
                alive = survivors({trial: drops[trial] for trial in alive})
            spent = self._seconds + (done["seconds"] if done else seconds)
            self._show(spent, number, split, len(alive), defaults)
            if not alive:
                break
        if not (folder / DONE).is_file():
            write_json(folder / DONE, {"seconds": seconds})
        took = _read(folder / DONE)["seconds"]
        self._seconds += took
        self._slowest = max(self._slowest, took / len(values))
        for trial, found in drops.items():
            known = [] if LOST in found else found
            study.tell(trial, known, whole=len(known) == self.settings.splits)

    def _show(self, spent: float, number: int, split: int, alive: int, defaults: Sequence[RunRecord]) -> None:
        tried, default = self.result().tried, [run.figures for run in defaults]
        self.view(Progress(self._runs, spent, number, split, alive, tried, self._columns, default))

    def _split(
        self,
        folder: Path,
        split: int,
        values: Mapping[int, Mapping[str, str]],
        drops: Mapping[int, list[float]],
        default: RunRecord,
    ) -> None:
        """Trains settings on a split and adds the drop of each to `drops`."""
        place = folder / f"split_{split}"
        settings = [Setting(f"trial {trial}", of_trial) for trial, of_trial in values.items()]
        train(place, self.base.runs(settings, [split], QUIETLY), self.command, self.view.above)
        found = records(place)
        for trial in values:
            run = found.get((f"trial {trial}", split))
            drops[trial].append(drop(run, default, self._columns))
            self._figures.setdefault(trial, []).append({} if run is None else run.figures)


def _trials(batch: Path) -> list[int]:
    return [entry["trial"] for entry in _read(batch / BATCH)]


def _read(path: Path) -> Any:
    return json.loads(path.read_text(encoding="utf-8"))
