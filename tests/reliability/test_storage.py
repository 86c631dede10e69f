"""A disk that is full: one clear line, whatever was whole stays whole, and the command goes on when there is room."""

import contextlib
import errno
import json
import os
import random
import resource
import shutil
import signal
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from children import Ended, command, hurt_at, often_saved
from test_kills import BASIC, PRETRAIN, RUN, STACK, moments, require_same_run, require_same_sweep

import mtlrun.engine.step
from mtlrun.engine import checkpoint
from mtlrun.storage.files import append, create, create_folder, write_text
from mtlrun.util.errors import StorageError

FULL = OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


@contextlib.contextmanager
def tmpfs(folder: Path, size: str) -> Iterator[None]:
    """A small file system of its own. Skips the test where none may be mounted."""
    folder.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(folder)], capture_output=True)
    if mounted.returncode:
        pytest.skip("needs the right to mount a tmpfs; the tests that limit the size of files need none")
    try:
        yield
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=True)


def full_disks(words: list[str], folder: Path, number: int, require: Any) -> None:
    """Have the disk be full from one of the moments of a command on, for so many of them, and then make room."""
    count = moments(words, folder)
    for moment in sorted(random.Random(number).sample(range(1, count + 1), min(number, count))):
        ended, _ = hurt_at(moment, words, folder, often_saved, full=True)
        claimed = (folder / ".hydra").exists() or (folder / "sweep.json").exists()
        if ended.status == 0:  # nothing was left to write but what may be missing
            assert moment > count - 8
        else:
            assert ended.status == 1, (moment, ended)
            require_clear_words(ended, folder.name, claimed)
            empty = [p for p in (folder, *folder.rglob("*")) if p.is_dir() and not any(p.iterdir())]
            assert [p.name for p in empty] in ([], [".stacks"]), moment  # resume takes that one away
        for run in [folder, *folder.glob("0*")]:
            require_whole_files(run)
        if claimed:
            resumed = command(["resume", folder.name], often_saved)
            assert resumed.status == 0, (moment, resumed)
            require(Path("whole"), folder)
        shutil.rmtree(folder, ignore_errors=True)


def require_clear_words(ended: Ended, folder: str, claimed: bool) -> None:
    """Asserts that one or two lines say what could not be written, and another how to go on."""
    lines = [line for line in ended.err.splitlines() if not line.startswith("mtlrun: basic: ")]  # a job's, by Hydra
    assert len(lines) <= 3, ended.err
    said = [line for line in [*lines, *ended.out.splitlines()] if "cannot be written (No space left on device)" in line]
    assert said and len(said) <= 3, ended
    assert not claimed or f"mtlrun: go on with: mtlrun resume {folder}" in lines


def require_whole_files(run: Path) -> None:
    """Asserts that whatever is there of a run can be read, and that no run is called failed."""
    if (run / "summary.json").exists():
        assert json.loads((run / "summary.json").read_text())["status"] in ("running", "interrupted", "completed")
    if (run / "metrics.csv").exists():
        rows = (run / "metrics.csv").read_text()
        assert rows.endswith("\n") and all(line.count(",") == 5 for line in rows.splitlines())
    for path in run.glob("checkpoints/*.pt"):
        assert checkpoint.load(path)["step"] > 0


def test_a_run_on_a_full_disk_keeps_what_was_whole_and_goes_on(here: Path) -> None:
    full_disks(RUN, here / "r", 5, require_same_run)


def test_a_stack_on_a_full_disk_keeps_what_was_whole_and_goes_on(here: Path) -> None:
    full_disks(STACK, here / "s", 3, require_same_sweep)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("words", "require"),
    [(RUN, require_same_run), (PRETRAIN, require_same_run), (STACK, require_same_sweep), (BASIC, require_same_sweep)],
    ids=["run", "pretrain", "stack", "basic"],
)
def test_a_full_disk_at_fifty_moments(here: Path, words: list[str], require: Any) -> None:
    full_disks(words, here / ("s" if "-m" in words else "r"), 50, require)


@pytest.mark.slow
@pytest.mark.parametrize("size", ["40k", "60k", "80k", "100k", "120k", "160k", "200k"])
def test_a_run_on_a_file_system_that_fills_up(here: Path, size: str) -> None:
    assert command(RUN, often_saved).status == 0
    Path("r").rename("whole")
    with tmpfs(here / "small", size):
        words = [word.replace("=r", "=small/r") if word.startswith("hydra.run.dir") else word for word in RUN]
        ended = command(words, often_saved)
        if ended.status == 0:
            return
        assert ended.status == 1 and "cannot be written" in ended.err and "No space left" in ended.err
        if Path("small/r/.hydra/config.yaml").exists():
            subprocess.run(["mount", "-o", "remount,size=10m", "small"], check=True)
            assert command(["resume", "small/r"], often_saved).status == 0
            require_same_run(Path("whole"), Path("small/r"))


@pytest.fixture
def full(monkeypatch: pytest.MonkeyPatch) -> Callable[[], None]:
    """Has every write fail after half of it."""

    def fill() -> None:
        write = os.write

        def half(file: int, data: bytes) -> int:
            if len(data) < 2:
                raise FULL
            return write(file, data[: len(data) // 2])

        monkeypatch.setattr(os, "write", half)

    return fill


def test_rows_are_appended_whole_or_not_at_all(tmp_path: Path, full: Callable[[], None]) -> None:
    path = tmp_path / "rows.csv"
    path.write_text("a,b\n1,2\n")
    full()
    with pytest.raises(StorageError, match="cannot be written"):
        append(path, b"3,4\n5,6\n")
    assert path.read_text() == "a,b\n1,2\n"


def refuse(*_: Any) -> None:
    raise FULL


def test_a_file_that_cannot_be_written_leaves_the_old_one_and_nothing_beside_it(tmp_path: Path) -> None:
    write_text(tmp_path / "a.txt", "old")
    checkpoint.save(tmp_path / "b.pt", {"x": torch.ones(3)})
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    with tmp_limit(), pytest.raises(StorageError, match=r"a\.txt: cannot be written \(File too large\)"):
        write_text(tmp_path / "a.txt", "new" * 1000)
    with tmp_limit(), pytest.raises(StorageError, match=r"b\.pt: cannot be written"):
        checkpoint.save(tmp_path / "b.pt", {"x": torch.ones(1000)}, durable=True)
    with pytest.raises(StorageError):
        create_folder(tmp_path / "c", refuse)
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before


@contextlib.contextmanager
def tmp_limit(size: int = 1000) -> Iterator[None]:
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, handler)


@pytest.mark.parametrize("links", [True, False])
def test_a_file_is_created_once(tmp_path: Path, links: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    if not links:  # exFAT and some network file systems have none

        def link(*_: Any) -> None:
            raise PermissionError(errno.EPERM, "no links here")

        monkeypatch.setattr(os, "link", link)
    create(tmp_path / "a", "one")
    with pytest.raises(FileExistsError):
        create(tmp_path / "a", "two")
    assert [(p.name, p.read_text()) for p in tmp_path.iterdir()] == [("a", "one")]


def test_a_run_whose_folder_is_gone_fails_alone_in_its_stack(here: Path) -> None:
    own = mtlrun.engine.step.Step.__call__

    def begin() -> None:
        def step(self: Any, batch: Any, number: int) -> Any:
            if number == 7 and 2 in self.seeds:  # by the process of that run alone
                shutil.rmtree("s/002_seed=2", ignore_errors=True)
            return own(self, batch, number)

        mtlrun.engine.step.Step.__call__ = step  # type: ignore[method-assign]

    words = [word for word in STACK if not word.startswith("loss=")]
    ended = command(words, begin)
    assert ended.status == 1
    summaries = {p.parent.name: json.loads(p.read_text()) for p in Path("s").glob("*/summary.json")}
    assert [s["status"] for _, s in sorted(summaries.items())] == ["completed", "completed", "failed"]
    assert "its files cannot be written" in summaries["002_seed=2"]["error"]
    assert "1 × its files cannot be written" in ended.out and "(002_seed=2)" in ended.out


def test_a_yaml_that_init_could_not_write_is_not_there(here: Path, capfd: pytest.CaptureFixture[str]) -> None:
    from mtlrun.cli.main import main

    with tmp_limit(300):
        assert main(["init", "houses.csv", "--targets", "price,sold"]) in (1, 2)
    shutil.rmtree("conf")
    assert main(["init", "houses.csv", "--targets", "price,sold"]) == 0
