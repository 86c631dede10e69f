"""Settings that train as a sweep: on this machine or by other workers, some of which are lost."""

import json
import os
import signal
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import optuna
import pytest
from commands import last_of, main
from fake_launcher import fake_launcher
from hydra.core.utils import JobReturn, JobStatus

from mtlrun.compose import compose
from mtlrun.storage.sweep_folder import STACKS
from mtlrun.sweeps import local_stacks
from mtlrun.tune.setting_runs import Base, Setting, records, train
from mtlrun.tune.study import JOURNAL, NAME
from mtlrun.util.errors import StorageError

WORDS = [
    "data=table",
    "data.path=houses.csv",
    "tasks={price:{type:regression}}",
    "trainer.max_steps=12",
    "trainer.batch_size=32",
]
SEARCH = ["tune.runs=3", "tune.batch=2", "tune.splits=2", "tune.seeds=2", "tune.fixed=[model.embedding]"]
RATES = [Setting(f"trial {n}", {"lr.base": f"{n}e-3", "model.hidden": f"[{8 * n}]"}) for n in (1, 2)]  # two stacks
OVER = "hydra.launcher.over=ray"


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    rows = [f"{i * 37 % 101 / 10},{i * 53 % 97},{(i * 37 % 101) * 3 + i % 7}\n" for i in range(150)]
    Path("houses.csv").write_text("area,age,price\n" + "".join(rows))
    return tmp_path


@pytest.fixture
def fake(here: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    with fake_launcher(monkeypatch) as launcher:
        yield launcher


def base_of(*words: str) -> Base:
    return Base(compose(last_of([*WORDS, *words]), None, True))


def trained(folder: str, *words: str) -> dict[tuple[str, int], dict[str, float]]:
    """Trains two settings, and gives their figures."""
    base, place = base_of(*words), Path(folder)
    train(base, place, base.runs(RATES, [0], {}), "command")
    assert not (place / STACKS).exists()
    return {key: dict(run.figures) for key, run in records(place).items()}


def statuses(folder: str) -> list[str]:
    plan = json.loads(Path(folder, "sweep.json").read_text())
    found = [Path(folder, job["run"], "summary.json") for job in plan]
    return [json.loads(path.read_text())["status"] if path.is_file() else "pending" for path in found]


def lost(why: str) -> JobReturn:
    job = JobReturn()
    job.status, job.return_value = JobStatus.FAILED, ConnectionError(why)
    return job


def test_the_settings_of_the_launcher_count(here: Path, fake: Any) -> None:
    alone = trained("alone", "hydra.launcher.max_runs=1")
    assert {job["stack"] for job in json.loads(Path("alone/sweep.json").read_text())} == {0, 1}
    over = trained("over", OVER, "+hydra.launcher.options={workers: 3}", "hydra.launcher.max_runs=1")
    assert fake.workers == 3 and over == alone and len(over) == 2


def test_a_search_over_other_workers_finds_what_it_finds_here(
    here: Path, fake: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    launched: list[int] = []
    launch = fake.launch

    def counted(self: Any, jobs: Any, initial_job_idx: int) -> Any:
        launched.append(len(jobs))
        return launch(self, jobs, initial_job_idx)

    fake.launch = counted
    assert main(["tune", *WORDS, *SEARCH, OVER, "hydra.sweep.dir=over"]) == 0
    said = capsys.readouterr().out
    assert "all by the workers of ray" in said and "batch 1, split 2 of 2: 3 runs so far" in said
    assert "trial" not in said and len(launched) == 4  # the default, two splits, the confirmation
    assert main(["tune", *WORDS, *SEARCH, "hydra.sweep.dir=alone"]) == 0
    values = []
    for folder in ("over", "alone"):
        backend = optuna.storages.journal.JournalFileBackend(f"{folder}/{JOURNAL}")
        study = optuna.load_study(study_name=NAME, storage=optuna.storages.JournalStorage(backend))
        values.append([(trial.params, trial.state, pytest.approx(trial.value, rel=1e-4)) for trial in study.trials])
    assert values[0] == values[1]


def test_a_stack_whose_worker_is_lost_trains_again(
    here: Path, fake: Any, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    launch, launched = fake.launch, []

    def lose_first(self: Any, jobs: Any, initial_job_idx: int) -> Any:
        launched.append(len(jobs))
        if len(launched) == 1:
            return [*launch(self, jobs[:1], initial_job_idx), lost("the node is gone")]
        return launch(self, jobs, initial_job_idx)

    monkeypatch.setattr(fake, "launch", lose_first)
    assert trained("over", OVER) == trained("alone") and launched == [2, 1]
    assert "mtlrun: ray: ConnectionError: the node is gone\n" in capsys.readouterr().err


def test_workers_that_never_come_end_the_search_and_it_goes_on_later(
    here: Path, fake: Any, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["tune", *WORDS, *SEARCH, OVER, "hydra.sweep.dir=found"]
    launch, launched = fake.launch, []

    def crash_second(self: Any, jobs: Any, initial_job_idx: int) -> Any:
        launched.append(len(jobs))
        if len(launched) > 1:
            raise RuntimeError("no cluster")
        return launch(self, jobs, initial_job_idx)

    with monkeypatch.context() as patch:
        patch.setattr(fake, "launch", crash_second)
        assert main(words) == 1
    err = capsys.readouterr().err
    assert err.count("mtlrun: ray: RuntimeError: no cluster\n") == 2
    assert "2 runs in found/search/000/split_0 did not end; why stands above" in err
    assert "go on with: mtlrun resume found" in err and statuses("found/search/000/split_0") == ["pending"] * 2
    assert main(["resume", "found"]) == 0
    assert statuses("found/search/000/split_0") == ["completed"] * 2


def test_a_run_whose_process_is_lost_each_time_counts_as_failed(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    all_trained = local_stacks.train_all

    def killed(works: Any, processes: int, display: Any) -> None:
        """Trains the first setting, and leaves the others as a kill leaves them."""
        all_trained([work for work in works if work.number == 0], processes, display)
        for job in (job for work in works if work.number > 0 for job in work.jobs):
            job.folder.mkdir(exist_ok=True)
            (job.folder / "summary.json").write_text('{"schema": 1, "status": "running"}')

    monkeypatch.setattr(local_stacks, "train_all", killed)
    assert [label for label, _ in trained("alone")] == ["trial 1"]
    summary = json.loads(next(Path("alone").glob("001*/summary.json")).read_text())
    assert summary["status"] == "failed" and "was lost 2 times" in summary["error"]


def test_a_run_that_a_full_disk_interrupts_is_no_failure(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(works: Any, processes: int, display: Any) -> None:
        for job in (job for work in works for job in work.jobs):
            job.folder.mkdir(exist_ok=True)
            (job.folder / "summary.json").write_text('{"schema": 1, "status": "interrupted"}')

    with monkeypatch.context() as patch:
        patch.setattr(local_stacks, "train_all", interrupted)
        with pytest.raises(StorageError, match="2 runs in alone did not end; why stands above"):
            trained("alone")
    assert len(trained("alone")) == 2


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (
            ["hydra/launcher=basic"],
            "hydra/launcher: found basic, and a search trains stacks\nallowed: hydra.launcher.over",
        ),
        (["hydra.launcher.over=joblb"], "hydra.launcher.over: found joblb; did you mean joblib?"),
        (["hydra.launcher.max_runs=0"], "hydra.launcher.max_runs: found 0"),
    ],
)
def test_wrong_launchers_are_refused(words: list[str], said: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["tune", *WORDS, *words]) == 2
    assert f"mtlrun: {said}" in capsys.readouterr().err and not Path("outputs").exists()


# ---------------------------------------------------------------- installed launchers


LAUNCHERS = {"joblib": "hydra_plugins.hydra_joblib_launcher", "submitit_local": "hydra_plugins.hydra_submitit_launcher"}


def kill_a_worker(folder: Path, killed: list[int]) -> None:
    """Kills the first process below this one that trains a run of a sweep."""
    until = time.monotonic() + 60
    while time.monotonic() < until and not killed:
        running = [path for path in folder.glob("*/summary.json") if '"running"' in path.read_text()]
        for process in [*Path("/proc").iterdir()] if running else []:
            try:
                held = [os.readlink(link) for link in (process / "fd").iterdir()]
            except OSError:
                continue
            if process.name != str(os.getpid()) and any(f"{folder}/{STACKS}/" in path for path in held):
                os.kill(int(process.name), signal.SIGKILL)
                killed.append(int(process.name))
                break
        time.sleep(0.02)


@pytest.mark.slow
@pytest.mark.parametrize("launcher", LAUNCHERS)
def test_installed_launchers_find_what_is_found_here_though_a_worker_is_killed(launcher: str, here: Path) -> None:
    pytest.importorskip(LAUNCHERS[launcher])
    words, killed = ["trainer.max_steps=3000", "trainer.epochs=1000", "trainer.patience=null"], list[int]()
    killer = threading.Thread(target=kill_a_worker, args=(here / "over", killed))
    killer.start()
    over = trained("over", f"hydra.launcher.over={launcher}", *words)
    killer.join()
    assert killed and over == trained("alone", *words) and len(over) == 2
