"""The search, with the figures of a formula in place of trainings; and killed at every write."""

import json
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import optuna
import pytest

from mtlrun.compare.collect.run_record import RunRecord
from mtlrun.compose import compose
from mtlrun.compose.request import PlannedRun
from mtlrun.storage.names import PLAN
from mtlrun.tune import search, search_budget, study
from mtlrun.tune.answer import search_words
from mtlrun.tune.search import Search, SearchResult
from mtlrun.tune.search_budget import CLOCK, Clock
from mtlrun.tune.setting_runs import Base
from mtlrun.tune.space import Dimension
from mtlrun.tune.tune_words import TuneSettings
from mtlrun.tune.view import Progress, View
from mtlrun.util.errors import RequestError

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
        (folder / PLAN).write_text(json.dumps([{"run": run.run, "arm": run.arm} for run in runs]))
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


def searched(
    folder: Path, settings: TuneSettings = SETTINGS, view: View | None = None, space: Sequence[Dimension] = SPACE
) -> SearchResult:
    base = Base(compose(["only=[price]"], None, True))
    clock = Clock(folder / CLOCK, folder / "search")
    return Search(base, space, settings, folder, "command", view or View(settings), clock).run()


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


# ---------------------------------------------------------------- time


@pytest.fixture
def now(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The time of the clock in seconds, which only trainings change: see `taking`."""
    time = [1e9]
    monkeypatch.setattr(search_budget.time, "monotonic", lambda: time[0])
    monkeypatch.setattr(search_budget.time, "time", lambda: time[0])
    return time


def taking(seconds: float | Callable[[str], float], now: list[float], monkeypatch: pytest.MonkeyPatch) -> None:
    """Lets each run take so many seconds, by its label."""
    train = search.train

    def slow(base: Base, folder: Path, runs: Sequence[PlannedRun], command: str, above: str) -> None:
        if not (folder / PLAN).is_file():
            now[0] += sum(seconds if isinstance(seconds, float) else seconds(run.arm) for run in runs)
        train(base, folder, runs, command, above)

    monkeypatch.setattr(search, "train", slow)


@pytest.mark.parametrize(
    ("minutes", "of_setting"),
    [(0.25, 1.0), (0.5, 1.0), (2.0, 1.0), (0.5, 3.0), (1.0, 3.0), (3.0, 3.0), (1.0, 10.0), (5.0, 10.0), (13.0, 10.0)],
)
def test_a_search_ends_by_its_time(
    tmp_path: Path,
    trained: list[Any],
    now: list[float],
    monkeypatch: pytest.MonkeyPatch,
    minutes: float,
    of_setting: float,
) -> None:
    """Whatever a setting takes beside the default, with a spread of a factor of two; if the default is no longer."""

    def seconds(label: str) -> float:
        spread = 2 ** (int(label.rpartition(" ")[2]) * 7 % 11 / 10 - 0.5) if label != "default" else 0
        return of_setting * spread if spread else 4.0

    taking(seconds, now, monkeypatch)
    began = now[0]
    found = searched(tmp_path, TuneSettings(minutes=minutes, batch=16))
    took = (now[0] - began) / 60
    assert took <= 1.1 * minutes
    # at its end two settings would not fit
    left = 60 * minutes - (now[0] - began)
    assert found.runs == 0 or left <= 1.25 * 2 * of_setting * 4
    assert found.runs > 0 or minutes <= 0.5  # 12 s for the default, and 1.5 times as long for each of four runs


def test_a_search_without_time_says_how_much_it_needs(
    tmp_path: Path, trained: list[Any], now: list[float], monkeypatch: pytest.MonkeyPatch
) -> None:
    taking(20.0, now, monkeypatch)
    found = searched(tmp_path / "short", TuneSettings(minutes=1, batch=4))
    assert found.runs == 0 and found.minutes is not None
    words = search_words(found)
    assert words == ("The search had no time to train a setting on all splits: tune.minutes=3 is enough for two.")
    assert searched(tmp_path / "longer", TuneSettings(minutes=3, batch=4)).runs == 4


def test_the_last_batch_goes_on_with_as_many_as_fit(
    tmp_path: Path, trained: list[Any], now: list[float], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Settings turn out to take twelve times as long as the default: one of three goes on, to the end."""
    taking(lambda label: 1.0 if label == "default" else 12.0, now, monkeypatch)
    began = now[0]
    settings = TuneSettings(minutes=1.75, batch=8)
    found = searched(tmp_path, settings)
    assert now[0] - began <= 1.1 * 105
    plans = sorted(tmp_path.glob("search/0*/split_*/sweep.json"))
    assert [len(json.loads(path.read_text())) for path in plans] == [6, 1, 1]
    again = searched(tmp_path, settings)
    assert again == found and {t.state.name for t in trials(tmp_path)} == {"COMPLETE", "PRUNED"}


def test_the_time_of_a_killed_command_counts(
    tmp_path: Path, trained: list[Any], now: list[float], monkeypatch: pytest.MonkeyPatch
) -> None:
    watched = tmp_path / "search"
    watched.mkdir()
    clock = Clock(tmp_path / CLOCK, watched)
    now[0] += 10
    clock.save()
    for name, seconds in (("000/run/metrics.csv", 25), ("000/run/summary.json", 5), ("000/compare/report.html", 60)):
        path = watched / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
        os.utime(path, (now[0] + seconds, now[0] + seconds))
    now[0] += 1000  # until the search is resumed
    again = Clock(tmp_path / CLOCK, watched)
    assert again.seconds == 35
    now[0] += 2
    assert Clock(tmp_path / CLOCK, watched).seconds == 35  # killed at once: nothing was written after it began
    assert again.seconds == 37


# ---------------------------------------------------------------- what it shows


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
    found = searched(tmp_path, space=worse)
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


@pytest.mark.parametrize(
    "name", ["clock.json", *(f"search/{f}.json" for f in ("default/done", "000/batch", "000/done"))]
)
def test_a_damaged_file_is_named(tmp_path: Path, trained: list[Any], name: str) -> None:
    settings = TuneSettings(runs=5, batch=3, splits=2)
    found, path = searched(tmp_path, settings), tmp_path / name
    whole = path.read_text()
    for content in ("", "{", "[1]", '{"seconds": "long"}', '[{"trial": "x"}]', '{"trained": [1]}', "\udcff"):
        if name.endswith("done.json") and content == '{"seconds": "long"}':
            continue  # of an older version
        path.write_text(content, errors="surrogateescape")
        with pytest.raises(RequestError, match=f"{name}: not readable\n"):
            searched(tmp_path, settings)
    path.write_text(whole)
    assert searched(tmp_path, settings) == found


def test_a_journal_that_is_gone_is_named(tmp_path: Path, trained: list[Any]) -> None:
    settings = TuneSettings(runs=5, batch=3, splits=2)
    searched(tmp_path, settings)
    (tmp_path / study.JOURNAL).unlink()
    with pytest.raises(RequestError, match=r"study\.log: not readable\n"):
        searched(tmp_path, settings)
