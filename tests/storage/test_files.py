"""Temporary files: locked while in use, removed when abandoned, and never named in a message."""

import errno
import fcntl
import os
from pathlib import Path

import pytest

from mtlrun.cli.main import main
from mtlrun.storage.files import create, create_folder, made, remove_abandoned, write_atomic, write_text
from mtlrun.util.errors import StorageError

LEFT = ".front.png.beside-0123abcd"


def test_only_abandoned_temporary_files_are_removed(tmp_path: Path) -> None:
    for name in (LEFT, ".a.b.beside-00000000", "front.png", ".front.png.beside-xyz", ".other"):
        (tmp_path / name).write_text("half")
    (tmp_path / ".hydra.beside-89abcdef").mkdir()
    (tmp_path / ".hydra.beside-89abcdef" / "config.yaml").write_text("half")
    (tmp_path / ".link.beside-01234567").symlink_to(tmp_path / "front.png")
    seen: list[str] = []

    def write(beside: Path) -> None:  # another command begins meanwhile
        beside.write_text("half")
        remove_abandoned(tmp_path)
        seen.extend(path.name for path in tmp_path.iterdir() if path != beside)
        assert beside.exists()

    write_atomic(tmp_path / "new.png", write)
    left = [".front.png.beside-xyz", ".link.beside-01234567", ".other", "front.png"]
    assert sorted(seen) == left
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted([*left, "new.png"])


def test_a_temporary_folder_in_use_stays(tmp_path: Path) -> None:
    def fill(beside: Path) -> None:
        remove_abandoned(tmp_path)
        (beside / "a").write_text("whole")

    create_folder(tmp_path / ".hydra", fill)
    assert [path.name for path in tmp_path.rglob("*")] == [".hydra", "a"]


def test_of_other_names_nothing_is_removed(tmp_path: Path) -> None:
    for name in (LEFT, ".p.csv.beside-01234567"):
        (tmp_path / name).write_text("half")
    remove_abandoned(tmp_path, "p.csv")
    assert [path.name for path in tmp_path.iterdir()] == [LEFT]


def test_a_file_of_another_process_stays(tmp_path: Path) -> None:
    (tmp_path / LEFT).write_text("half")
    ready, done = os.pipe(), os.pipe()
    child = os.fork()
    if not child:
        file = os.open(tmp_path / LEFT, os.O_RDWR)
        fcntl.flock(file, fcntl.LOCK_EX)
        os.write(ready[1], b"x")
        os.close(done[1])
        os.read(done[0], 1)
        os._exit(0)
    os.read(ready[0], 1)
    remove_abandoned(tmp_path)
    assert (tmp_path / LEFT).exists()
    os.close(done[1])
    os.waitpid(child, 0)
    remove_abandoned(tmp_path)
    assert not (tmp_path / LEFT).exists()


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EACCES])
def test_an_error_names_the_file_that_was_asked_for_and_leaves_no_empty_folder(code: int, tmp_path: Path) -> None:
    def refuse(beside: Path) -> None:
        raise OSError(code, os.strerror(code), str(beside))

    for write in (write_atomic, create_folder):
        with pytest.raises((OSError, StorageError)) as caught:
            write(tmp_path / "a" / "b" / "front.png", refuse)
        assert "front.png" in str(caught.value) and "beside" not in str(caught.value)
        assert list(tmp_path.iterdir()) == []


def test_folders_that_are_not_empty_or_were_there_stay(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    with pytest.raises(KeyError), made(tmp_path / "a" / "b" / "c"):
        (tmp_path / "a" / "b" / "file").touch()
        raise KeyError
    assert sorted(str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*")) == ["a", "a/b", "a/b/file"]
    write_text(tmp_path / "new" / "x.txt", "whole")
    create(tmp_path / "new" / "y.txt", "whole")
    assert sorted(path.name for path in (tmp_path / "new").iterdir()) == ["x.txt", "y.txt"]


def test_the_next_command_in_a_folder_removes_what_a_kill_left(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("t.csv").write_text("a,y\n" + "".join(f"{row % 7},{row % 5}\n" for row in range(60)))
    for folder in ("r", "s", "s/compare", "conf/data"):
        Path(folder).mkdir(parents=True)
    left = ["r/.hydra.beside-01234567", "s/.sweep.json.beside-01234567", "s/compare/.front.png.beside-01234567"]
    left += [".p.csv.beside-01234567", ".m.onnx.beside-01234567", "conf/data/.t.yaml.beside-01234567"]
    for path in left:
        Path(path).write_text("half")
    short = ["data=t", "trainer.max_steps=1", "model.hidden=[4]", "trainer.tensorboard=false"]
    for words in (
        ["init", "t.csv", "--targets", "y"],
        [*short, "hydra.run.dir=r"],
        ["-m", *short, "seed=1,2", "hydra.sweep.dir=s"],
        ["compare", "s"],
        ["predict", "r", "t.csv", "-o", "p.csv"],
        ["export", "r", "-o", "m.onnx"],
    ):
        assert main(words) == 0
    assert not list(tmp_path.rglob(".*beside*"))


@pytest.mark.parametrize(
    "text",
    [
        "data:\n  path: " + "x" * 10_000_000,
        "data:\n  path: " + "x" * 100_000,
        "data:\n  inputs:\n" + "  - abcdefgh\n" * 1_000_000,
        'tasks: {y: {where: "' + "a == 1 or " * 10_000 + 'a == 2"}}',
        'data: {path: "' + "${seed}" * 20_000 + '"}',
    ],
    ids=["10 MB", "100 kB", "a million columns", "a condition", "references"],
)
def test_a_large_yaml_is_refused_at_once(
    text: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("conf/data").mkdir(parents=True)
    Path("conf/data/t.yaml").write_text(f"# @package _global_\n{text}\n")
    assert main(["check", "data=t"]) == 2
    answer = capsys.readouterr().err
    assert answer.startswith("mtlrun: conf/data/t.yaml") and "at most" in answer and len(answer) < 300
