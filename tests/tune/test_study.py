"""The study of a search: its first settings, and its journal after a kill, on a full disk and beside other programs."""

import errno
import io
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import optuna
import pytest
from optuna.storages import JournalStorage
from optuna.storages.journal import JournalFileBackend
from optuna.trial import TrialState

from mtlrun.tune.journal_lock import JournalLock
from mtlrun.tune.space import Dimension
from mtlrun.tune.study import JOURNAL, NAME, OF_ONE_SHAPE, STARTUP, Study
from mtlrun.util.errors import RequestError, StorageError

SPACE = [Dimension("lr.base", low=1e-4, high=1e-2, log=True, default="0.001")]


def asked_and_told(folder: Path) -> list[int]:
    study = Study(folder, SPACE)
    numbers = [number for number, _ in study.ask(2)]
    for number in numbers:
        study.tell(number, [1.0], whole=True)
    return numbers


@pytest.mark.parametrize("lines", range(4))
@pytest.mark.parametrize("kept", [0.0, 0.5, 1.0])
def test_a_journal_whose_last_line_is_torn_goes_on(tmp_path: Path, lines: int, kept: float) -> None:
    """Cuts `lines` lines off the journal, and of the line before all but a part, at most all but its line end."""
    first = asked_and_told(tmp_path)
    journal = tmp_path / JOURNAL
    content = journal.read_bytes().splitlines(keepends=True)
    *whole, torn = content[: len(content) - lines]
    journal.write_bytes(b"".join(whole) + torn[: int(kept * (len(torn) - 1))])

    study = Study(tmp_path, SPACE)
    assert journal.read_bytes().startswith(b"".join(whole))
    study.forget(first)
    for number in first:
        study.tell(number, [1.0], whole=True)
    asked_and_told(tmp_path)
    storage = JournalStorage(JournalFileBackend(str(journal)))
    found = optuna.load_study(study_name=NAME, storage=storage).trials
    assert [trial.number for trial in found] == [0, 1, 2, 3, 4]
    assert {trial.state for trial in found} == {TrialState.COMPLETE}
    assert [trial.value for trial in found] == [0.0, 1.0, 1.0, 1.0, 1.0]


# ---------------------------------------------------------------- the first settings


def opened(folder: Path) -> optuna.Study:
    """The study as another program of Optuna opens it."""
    storage = JournalStorage(JournalFileBackend(str(folder / JOURNAL)))
    return optuna.load_study(study_name=NAME, storage=storage)


def test_the_first_settings_fill_the_space_evenly(tmp_path: Path) -> None:
    space = [
        Dimension("model.embedding", ("auto", "none", "piecewise", "periodic"), default="auto", shape=True),
        *SPACE,
        Dimension("loss", ("sum", "uncertainty"), default="sum"),
        Dimension("trainer.patience", low=1, high=4, whole=True, default="2"),
    ]
    study = Study(tmp_path, space)
    for _ in range(STARTUP // 4):  # in several batches as in one
        study.ask(4)
    trials = opened(tmp_path).trials[1:]
    assert 7 <= sum(trial.params["lr.base"] > 1e-3 for trial in trials) <= 9  # half of the range on its log scale
    assert 7 <= sum(trial.params["loss"] == "sum" for trial in trials) <= 9
    assert {trial.params["trainer.patience"] for trial in trials} == {1, 2, 3, 4}
    shapes = [trial.params["model.embedding"] for trial in trials]
    assert all(len(set(shapes[n : n + OF_ONE_SHAPE])) == 1 for n in range(0, STARTUP, OF_ONE_SHAPE))
    assert len(set(shapes)) == 4
    (tmp_path / "again").mkdir()
    Study(tmp_path / "again", space).ask(STARTUP)
    assert [trial.params for trial in opened(tmp_path / "again").trials[1:]] == [trial.params for trial in trials]


# ---------------------------------------------------------------- other programs


def test_trials_of_another_program_are_left_alone_and_those_it_proposes_are_tried(tmp_path: Path) -> None:
    study = Study(tmp_path, SPACE)
    other = opened(tmp_path)
    theirs = other.ask()
    other.enqueue_trial({"lr.base": 0.005})
    (number, values), (killed, _) = study.ask(2)
    assert values == {"lr.base": "0.005"}
    Study(tmp_path, SPACE).forget([number])
    states = {trial.number: trial.state for trial in opened(tmp_path).trials}
    assert states[theirs.number] == states[number] == TrialState.RUNNING and states[killed] == TrialState.FAIL
    other.tell(theirs, 1.0)


# ---------------------------------------------------------------- the lock


def left_by(folder: Path, code: str) -> None:
    """Runs `code` in another process, which has the lock as `lock` and is killed at its end."""
    program = f"""
import os, signal
from pathlib import Path
from mtlrun.tune.journal_lock import JournalLock
lock = JournalLock(Path("{JOURNAL}"))
{code}
os.kill(os.getpid(), signal.SIGKILL)
"""
    assert subprocess.run([sys.executable, "-c", program], cwd=folder).returncode == -9


@pytest.mark.parametrize("code", ["lock.acquire()", "lock._owner.touch()", "lock.acquire(); lock.release()"])
def test_the_lock_of_a_dead_process_is_removed_at_once(tmp_path: Path, code: str) -> None:
    numbers = asked_and_told(tmp_path)
    left_by(tmp_path, code)
    began = time.monotonic()
    assert asked_and_told(tmp_path) == [n + 2 for n in numbers]
    assert time.monotonic() - began < 10
    assert sorted(path.name for path in tmp_path.iterdir()) == [JOURNAL]


def test_the_lock_of_another_program_or_host_or_living_process_is_waited_for(tmp_path: Path) -> None:
    journal, link = tmp_path / JOURNAL, tmp_path / f"{JOURNAL}.lock"
    journal.touch()
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as living:
        mine = JournalLock(journal)._owner.name.rpartition("-")[0]
        for owner in (JOURNAL, f".{JOURNAL}.owner-elsewhere-1", f"{mine}-{living.pid}", f"{mine}-nobody"):
            (tmp_path / owner).touch()
            link.symlink_to(owner)
            JournalLock(journal)
            assert link.is_symlink() and os.readlink(link) == owner
            link.unlink()
        living.communicate(b"\n")


# ---------------------------------------------------------------- the disk


class FullFile(io.FileIO):
    """A file of which only the first bytes of each write find room."""

    def write(self, data: Any) -> int:
        super().write(bytes(data)[:7])
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


@pytest.mark.parametrize("after", range(6))
def test_a_full_disk_is_said_and_the_search_goes_on_when_there_is_room(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, after: int
) -> None:
    numbers = asked_and_told(tmp_path)
    left = iter(range(after))

    def full(path: Any, mode: str = "r", *more: Any, **words: Any) -> Any:
        if mode == "ab" and next(left, None) is None:
            return io.BufferedWriter(FullFile(path, "ab"))
        return open(path, mode, *more, **words)

    with monkeypatch.context() as patch:
        patch.setattr(optuna.storages.journal._file, "open", full, raising=False)
        with pytest.raises(
            StorageError, match=r"study\.log: cannot be written \(No space left on device\)\n.*make room"
        ):
            asked_and_told(tmp_path)
    study = Study(tmp_path, SPACE)
    study.forget(numbers)
    asked_and_told(tmp_path)
    trials = opened(tmp_path).trials
    assert {trial.state for trial in trials} <= {TrialState.COMPLETE, TrialState.FAIL}
    assert all(trials[number].state == TrialState.COMPLETE for number in numbers)


@pytest.mark.parametrize("content", [b"[]\n", b"garbage\n", b'{"op_code": 99}\n', b"\xff\xfe\n"])
def test_a_damaged_journal_is_named(tmp_path: Path, content: bytes) -> None:
    asked_and_told(tmp_path)
    journal = tmp_path / JOURNAL
    lines = journal.read_bytes().splitlines(keepends=True)
    journal.write_bytes(b"".join([*lines[:3], content, *lines[3:]]))
    with pytest.raises(RequestError, match=r"study\.log: not readable"):
        Study(tmp_path, SPACE)
