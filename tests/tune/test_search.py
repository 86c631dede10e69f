"""The search, with the figures of a formula in place of trainings; and killed at every write."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import optuna
import pytest

from mtlrun.compare.collect.run_record import RunRecord
from mtlrun.compose import compose
from mtlrun.compose.request import PlannedRun
from mtlrun.tune import search, study
from mtlrun.tune.search import Search, SearchResult
from mtlrun.tune.setting_runs import Base
from mtlrun.tune.space import Dimension
from mtlrun.tune.tune_words import TuneSettings
from mtlrun.tune.view import Progress, View

BEST = 0.005  # the rate with the lowest error
SPACE = [
    Dimension("loss", ("sum", "uncertainty"), default="sum"),
    Dimension("lr.base", (), 1e-4, 1e-1, log=True, default="0.001"),
    Dimension("model.dropout", ("0.0", "0.1"), default="0.1", shape=True),
]
SETTINGS = TuneSettings(runs=27, batch=6, splits=3)


class Killed(BaseException):
    """The end of the process."""


@pytest.fixture
def trained(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, str, int]]:
    """Replaces trainings by a formula. Gives the runs that were trained: folder, setting, seed."""
    done: list[tuple[str, str, int]] = []

    def train(base: Base, folder: Path, runs: Sequence[PlannedRun], command: str, above: str) -> None:
        path = folder / "figures.json"
        if path.is_file():
            return
        folder.mkdir(parents=True, exist_ok=True)
        figures = {}
        for run in runs:
            rate, loss = run.config.lr.base, run.config.loss.name
            error = 1 + abs(rate - BEST) / BEST + 0.1 * run.config.seed + (loss == "uncertainty")
            figures[f"{run.arm} {run.config.seed}"] = error
            done.append((folder.name, run.arm, run.config.seed))
        path.write_text(json.dumps(figures))

    def records(folder: Path) -> Mapping[tuple[str, int], RunRecord]:
        figures = json.loads((folder / "figures.json").read_text())
        found = {}
        for key, error in figures.items():
            label, _, seed = key.rpartition(" ")
            run = RunRecord(
                folder, "completed", "", int(seed), 0, {}, {"price": "main"}, {"price": "rmse"}, {}, None, None
            )
            found[label, int(seed)] = replace(run, figures={"val/price/rmse": error})
        return found

    monkeypatch.setattr(search, "train", train)
    monkeypatch.setattr(search, "records", records)
    return done


class Shown(View):
    """Keeps the progress that it is told."""

    def __init__(self, settings: TuneSettings) -> None:
        super().__init__(settings)
        self.told: list[Progress] = []

    def __call__(self, progress: Progress) -> None:
        self.told.append(progress)
        super().__call__(progress)


def searched(folder: Path, settings: TuneSettings = SETTINGS, view: View | None = None) -> SearchResult:
    base = Base(compose(["only=[price]"], None, True))
    return Search(base, SPACE, settings, folder, "command", view or View(settings)).run()


def trials(folder: Path) -> list[optuna.trial.FrozenTrial]:
    """The trials of the journal, as Optuna and its dashboard read them."""
    backend = optuna.storages.journal.JournalFileBackend(str(folder / study.JOURNAL))
    return optuna.load_study(study_name=study.NAME, storage=optuna.storages.JournalStorage(backend)).trials


def test_a_search_finds_the_better_half_of_each_batch(tmp_path: Path, trained: list[Any]) -> None:
    view = Shown(SETTINGS)
    found = searched(tmp_path, view=view)
    # batches of 6, 3 and 2 runs on the three splits, and then what is left of 27 runs
    assert [progress.runs for progress in view.told][:6] == [6, 9, 11, 17, 20, 22]
    assert found.runs <= 27 and len(trained) == found.runs + 3
    assert found.best is not None and found.best.values.get("loss", "sum") == "sum"
    rate = float(found.best.values["lr.base"])
    default = [1 + abs(0.001 - BEST) / BEST + 0.1 * seed for seed in range(3)]
    errors = [1 + abs(rate - BEST) / BEST + 0.1 * seed for seed in range(3)]
    expected = [100 * (error - base) / base for error, base in zip(errors, default, strict=True)]
    assert found.best.drops == pytest.approx(expected)
    told = trials(tmp_path)
    assert told[0].value == 0 and told[0].params["lr.base"] == 0.001  # the default
    whole = [t for t in told if t.state == optuna.trial.TrialState.COMPLETE]
    assert min(t.value for t in whole if t.value is not None) == pytest.approx(found.best.mean)
    pruned = [t for t in told if t.state == optuna.trial.TrialState.PRUNED]
    assert {len(t.intermediate_values) for t in pruned} == {1, 2}


def test_settings_of_one_shape_are_neighbours(tmp_path: Path, trained: list[Any]) -> None:
    searched(tmp_path, TuneSettings(runs=14, batch=8))
    shapes = [trial.params["model.dropout"] for trial in trials(tmp_path)[1:9]]
    assert len(set(shapes[:4])) == 1 and len(set(shapes[4:])) == 1


def test_a_search_ends_in_time(tmp_path: Path, trained: list[Any]) -> None:
    clock = iter(range(0, 100_000, 10))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(search.time, "monotonic", lambda: float(next(clock)))
        found = searched(tmp_path, TuneSettings(minutes=2, batch=4))
    # 10 s for the default and 30 s for a batch: 10 + 3 · 30 = 100, and half a batch fits into the 20 s that are left
    assert len([*(tmp_path / "search").glob("0*")]) == 4
    assert found.runs == 3 * 7 + 4


def test_the_first_batch_is_as_large_as_the_time_allows(tmp_path: Path, trained: list[Any]) -> None:
    clock = iter(range(0, 100_000, 10))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(search.time, "monotonic", lambda: float(next(clock)))
        searched(tmp_path, TuneSettings(minutes=1, batch=16))
    # the default took 10 of 60 s: 5 settings like it fit; the batch took 30 s, and 3 more would be under a quarter
    assert [len(json.loads(path.read_text())) for path in sorted(tmp_path.glob("search/*/batch.json"))] == [5]


def test_a_batch_of_failures_is_no_end(tmp_path: Path, trained: list[Any], monkeypatch: pytest.MonkeyPatch) -> None:
    records = search.records
    monkeypatch.setattr(search, "records", lambda folder: records(folder) if folder.name == "default" else {})
    found = searched(tmp_path, TuneSettings(runs=27, batch=6, splits=3))
    assert found.best is None and not found.tried and found.runs > 12
    assert {trial.state for trial in trials(tmp_path)[1:]} == {optuna.trial.TrialState.FAIL}


def test_the_view_has_the_best_for_each_task_beside_the_default(
    tmp_path: Path, trained: list[Any], capsys: pytest.CaptureFixture[str]
) -> None:
    settings = TuneSettings(runs=54, batch=6, splits=3)
    view = Shown(settings)
    found = searched(tmp_path, settings, view)
    assert found.best is not None
    default = sum(1 + 0.004 / BEST + 0.1 * seed for seed in range(3)) / 3
    best = sum(figures["val/price/rmse"] for figures in found.best.figures) / 3
    said = f"{-found.best.mean:.1f} % ahead of the default on val of 3 splits"
    view.begin(6, 1, 3)
    assert view.above.startswith("search: batch 7, split 2 of 3, 3 settings\n") and said in view.above
    assert "54 runs so far in " in view.above and f"price rmse {best:.4g} (default {default:.4g})" in view.above
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("batch 1, split 1 of 3: 3 settings go on, 6 runs so far in ")
    assert said in lines[-1]


def test_the_time_left_is_that_of_the_runs_and_of_the_minutes() -> None:
    progress = Progress(40, 60.0, 0, 0, 8, [])
    assert progress.seconds_left(TuneSettings(runs=120)) == 120
    assert progress.seconds_left(TuneSettings(runs=120, minutes=2)) == 60
    assert progress.seconds_left(TuneSettings(minutes=0.5)) == 0


def test_without_a_better_setting_there_is_no_best(tmp_path: Path, trained: list[Any]) -> None:
    worse = [Dimension("lr.base", (), 0.02, 0.1)]
    found = Search(Base(compose(["only=[price]"], None, True)), worse, SETTINGS, tmp_path, "", View(SETTINGS)).run()
    assert found.best is None and len(found.tried) >= 6


def killed_at(number: int, monkeypatch: pytest.MonkeyPatch) -> Iterator[int]:
    """Raises Killed at the call of this number to anything that writes, half of the times after it has written."""
    calls = iter(range(1, 10_000))

    def wrapped(function: Any) -> Any:
        def call(*args: Any, **kwargs: Any) -> Any:
            now = next(calls)
            if now == number and number % 2:
                raise Killed
            result = function(*args, **kwargs)
            if now == number:
                raise Killed
            return result

        return call

    for owner, name in ((search, "train"), (search, "write_json"), (study.Study, "tell"), (study.Study, "_draw")):
        monkeypatch.setattr(owner, name, wrapped(getattr(owner, name)))
    yield number


def test_a_search_killed_at_any_write_goes_on(tmp_path: Path, trained: list[Any]) -> None:
    settings = TuneSettings(runs=11, batch=3, splits=2)
    number, kills = 1, 0
    while True:
        folder = tmp_path / str(number)
        trained.clear()
        with pytest.MonkeyPatch.context() as patch:
            next(killed_at(number, patch))
            try:
                searched(folder, settings)
                break
            except Killed:
                kills += 1
        found = searched(folder, settings)
        assert len(trained) == len(set(trained)), "trained twice"
        assert len(trained) == found.runs + 2
        states = {trial.number: trial.state for trial in trials(folder)}
        assert optuna.trial.TrialState.RUNNING not in states.values()
        failed = [n for n, state in states.items() if state == optuna.trial.TrialState.FAIL]
        assert sorted([0, *failed, *(tried.number for tried in found.tried)]) == sorted(states)
        number += 3
    assert kills >= 5
