"""The search: batches of settings, each trained over one split after the other, the better half of a batch on the next.

A batch has a folder search/NNN: batch.json names its trials before any trains, split_S is the sweep on split S,
done.json ends it. So a search that was killed at any moment goes on: what is in a folder is not trained again, and the
study is told what it has not been told.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from mtlrun.compare.analysis.task_columns import find_columns
from mtlrun.compare.collect.run_record import RunRecord
from mtlrun.compare.records import TaskColumn
from mtlrun.storage.files import write_json
from mtlrun.storage.names import PLAN
from mtlrun.storage.sweep_folder import read_plan
from mtlrun.tune.racing import LOST, drop, survivors
from mtlrun.tune.search_budget import Budget, Clock, Training
from mtlrun.tune.setting_runs import Base, Setting, records, train
from mtlrun.tune.space import Dimension
from mtlrun.tune.stored import read_stored
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
    trained on all splits, if it is below 0, the default's; runs: the number of runs, without the default's; minutes:
    those with which the search would have trained two settings on all splits, if it had no time for any
    """

    tried: Sequence[Tried]
    best: Tried | None
    runs: int
    minutes: float | None = None


@dataclass
class Search:
    """A search in a folder.

    view: shows its progress after each split of a batch
    clock: the seconds that the commands of the search have taken
    closed: no further batch begins, because what it has found is being confirmed
    """

    base: Base
    space: Sequence[Dimension]
    settings: TuneSettings
    folder: Path
    command: str
    view: View
    clock: Clock
    closed: bool = False
    _tried: dict[int, Tried] = field(default_factory=dict)
    _figures: dict[int, list[Mapping[str, float]]] = field(default_factory=dict)
    _columns: Sequence[TaskColumn] = ()

    def __post_init__(self) -> None:
        self._budget = Budget(self.settings, self.clock)

    def run(self) -> SearchResult:
        """Searches until the runs or minutes are used up. Raises RequestError, StorageError, KeyboardInterrupt."""
        self.folder.mkdir(parents=True, exist_ok=True)
        try:
            study = Study(self.folder, self.space)
            defaults = self._train_default()
            study.forget([trial for batch in self._batches() for trial in _values(batch)])
            number = 0
            while (self._folder(number) / BATCH).is_file() or self._ask(number, study):
                self._batch(number, study, defaults)
                number += 1
        finally:
            self.clock.save()
        found = self.result()
        in_time = self.settings.minutes is None or any(len(t.drops) == self.settings.splits for t in found.tried)
        return found if in_time else replace(found, minutes=self._budget.least_minutes)

    def result(self) -> SearchResult:
        """What is found so far."""
        tried = [self._tried[number] for number in sorted(self._tried)]
        return SearchResult(tried, best_of(tried, self.settings.splits), self._budget.runs)

    # ---------------------------------------------------------------- batches

    def _batches(self) -> Iterator[Path]:
        yield from sorted(path.parent for path in (self.folder / SEARCH).glob(f"*/{BATCH}"))

    def _folder(self, number: int) -> Path:
        return self.folder / SEARCH / f"{number:03d}"

    def _train_default(self) -> Sequence[RunRecord]:
        """The default on every split. Raises RequestError if it fails."""
        folder, seeds = self.folder / SEARCH / DEFAULT, range(self.settings.splits)
        began = 0.0 if (folder / PLAN).is_file() else self.clock.seconds  # at most all, if an earlier command began
        train(self.base, folder, self.base.runs([Setting(DEFAULT)], seeds, QUIETLY), self.command, self.view.above)
        if not (folder / DONE).is_file():
            write_json(folder / DONE, {"trained": [Training(len(seeds), self.clock.seconds - began)]})
        self._budget.default = _trained(folder)
        self.clock.save()
        found = records(folder)
        if missing := [seed for seed in seeds if (DEFAULT, seed) not in found]:
            raise RequestError(f"tune: the default failed on seed {missing[0]}\nwhy is in the run.log below {folder}")
        runs = [found[DEFAULT, seed] for seed in seeds]
        self._columns = find_columns(runs, {}, "val", [])
        return runs

    def _ask(self, number: int, study: Study) -> bool:
        """Asks the study for the settings of a batch, and writes them. False if the search is at its end."""
        size = 0 if self.closed else self._budget.batch()
        if size:
            asked = [{"trial": trial, "values": values} for trial, values in study.ask(size)]
            write_json(self._folder(number) / BATCH, asked)
        return size > 0

    def _batch(self, number: int, study: Study, defaults: Sequence[RunRecord]) -> None:
        """Trains a batch, or what is left of it, and tells the study."""
        folder = self._folder(number)
        values = _values(folder)
        drops: dict[int, list[float]] = {trial: [] for trial in values}
        alive, trained, done = [*values], [], (folder / DONE).is_file()
        self._budget.trained += _trained(folder) if done else []
        for split in range(self.settings.splits):
            alive = self._of_split(folder, split, alive)
            if not alive:
                break
            began, anew = self.clock.seconds, not (folder / f"split_{split}" / PLAN).is_file()
            self.view.begin(number, split, len(alive))
            self._split(folder, split, {trial: values[trial] for trial in alive}, drops, defaults[split])
            if anew:
                trained.append(Training(len(alive), self.clock.seconds - began))
                self._budget.trained.append(trained[-1])
            self._budget.runs += len(alive)
            self.clock.save()
            kept = {t: d for t, d in drops.items() if d and LOST not in d}
            self._tried |= {t: Tried(t, values[t], d, self._figures[t]) for t, d in kept.items()}
            if split + 1 < self.settings.splits:
                alive = survivors({trial: drops[trial] for trial in alive})
            self._show(number, split, len(alive), defaults)
        if not done:
            write_json(folder / DONE, {"trained": trained})
        for trial, found in drops.items():
            known = [] if LOST in found else found
            study.tell(trial, known, whole=len(known) == self.settings.splits)

    def _of_split(self, folder: Path, split: int, alive: Sequence[int]) -> list[int]:
        """The settings of a batch that train on a split, of those that are `alive`, best first.

        They are those of the split's sweep if it has begun, else as many as can end in time.
        """
        place = folder / f"split_{split}"
        if (place / PLAN).is_file():
            begun = {job.get("arm") for job in read_plan(place)}
            return [trial for trial in alive if _label(trial) in begun]
        if (folder / DONE).is_file():
            return []
        return [*alive] if split == 0 else [*alive][: self._budget.fits(len(alive), self.settings.splits - split)]

    def _show(self, number: int, split: int, alive: int, defaults: Sequence[RunRecord]) -> None:
        tried, default = self.result().tried, [run.figures for run in defaults]
        spent = self.clock.seconds
        self.view(Progress(self._budget.runs, spent, number, split, alive, tried, self._columns, default))

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
        settings = [Setting(_label(trial), of_trial) for trial, of_trial in values.items()]
        train(self.base, place, self.base.runs(settings, [split], QUIETLY), self.command, self.view.above)
        found = records(place)
        for trial in values:
            run = found.get((_label(trial), split))
            drops[trial].append(drop(run, default, self._columns))
            self._figures.setdefault(trial, []).append({} if run is None else run.figures)


def _values(folder: Path) -> dict[int, dict[str, str]]:
    """The settings of a batch: number of the trial -> values by key. Raises RequestError."""

    def take(tree: Any) -> dict[int, dict[str, str]]:
        return {int(entry["trial"]): {**entry["values"]} for entry in tree}

    return read_stored(folder / BATCH, take)


def _trained(folder: Path) -> list[Training]:
    """The trainings of a batch that is done, without those resumed. Raises RequestError."""

    def take(tree: Any) -> list[Training]:
        return [Training(int(runs), float(seconds)) for runs, seconds in tree.get("trained", [])]

    return read_stored(folder / DONE, take)


def _label(trial: int) -> str:
    return f"trial {trial}"
