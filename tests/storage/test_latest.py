"""The word `latest` where a folder is asked for."""

import os
from pathlib import Path

import pandas as pd
import pytest

from mtlrun.cli.main import main
from mtlrun.storage.latest import LATEST, model_folder, named_folder
from mtlrun.util.errors import RequestError

SMALL = ["data=table", "data.path=t.csv", "tasks={y: {type: regression}}", "model.hidden=[4]", "trainer.max_steps=2"]


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def started(mark: str, at: int) -> Path:
    """A file that marks a run, a sweep or a search, started at a time."""
    path = Path("outputs") / mark
    path.parent.mkdir(parents=True, exist_ok=True)
    path.mkdir() if path.name == ".hydra" else path.touch()
    os.utime(path, (at, at))
    return path.parent


def test_the_last_run_sweep_or_search_counts_by_its_start(capsys: pytest.CaptureFixture[str]) -> None:
    run = started("runs/b/.hydra", 10)
    assert named_folder(LATEST) == run
    sweep = started("runs/a-sweep/sweep.json", 20)
    started("runs/a-sweep/000_seed=0/.hydra", 30)  # a run of the sweep is no run of its own
    started("runs/.hidden/.hydra", 90)
    assert named_folder(LATEST) == model_folder(LATEST) == sweep
    search = started("other/c-tune/tune.json", 40)
    assert model_folder(LATEST) == search  # nothing is confirmed yet
    started("other/c-tune/confirm/sweep.json", 50)
    assert named_folder(LATEST) == search and model_folder(LATEST) == search / "confirm"
    assert named_folder("outputs/runs/b") == run
    said = capsys.readouterr()
    assert said.err.splitlines()[-1] == f"latest: {search}/confirm" and len(said.err.splitlines()) == 6
    assert said.out == ""


def test_a_link_is_not_followed() -> None:
    run = started("runs/b/.hydra", 10)
    Path("outputs/runs/loop").symlink_to(Path("outputs").absolute())
    assert named_folder(LATEST) == run


@pytest.mark.parametrize("kind", ["folder", "file"])
def test_a_folder_or_file_of_this_name_wins(kind: str, capsys: pytest.CaptureFixture[str]) -> None:
    started("runs/b/.hydra", 10)
    Path(LATEST).mkdir() if kind == "folder" else Path(LATEST).touch()
    assert named_folder(LATEST) == Path(LATEST)
    assert capsys.readouterr().err == f"latest: the {kind} of this name\n"


@pytest.mark.parametrize("folder", [None, "outputs", "outputs/runs"])
@pytest.mark.parametrize(
    "words", ["compare latest", "resume latest", "predict latest t.csv -o o.csv", "export latest -o m.onnx"]
)
def test_none_is_a_wrong_request(words: str, folder: str | None, capsys: pytest.CaptureFixture[str]) -> None:
    if folder:
        Path(folder).mkdir(parents=True)
    with pytest.raises(RequestError, match="there is no run, sweep or search"):
        named_folder(LATEST)
    assert main(words.split()) == 2
    error = capsys.readouterr().err
    assert error.startswith("mtlrun: latest: there is no run, sweep or search below ./outputs\n")
    assert len(error.splitlines()) == 2


def test_every_command_that_takes_a_folder_takes_latest(capsys: pytest.CaptureFixture[str]) -> None:
    pd.DataFrame({"x": range(40), "y": [2.0 * i for i in range(40)]}).to_csv("t.csv", index=False)
    assert main([*SMALL, "hydra.run.dir=outputs/first"]) == 0
    assert main(["-m", *SMALL, "seed=0,1", "hydra.sweep.dir=outputs/second", "hydra/launcher=basic"]) == 0
    for words in (
        ["compare", LATEST, "--format", "csv"],
        ["resume", LATEST],
        ["predict", LATEST, "t.csv", "-o", "p.csv"],
        ["export", LATEST, "-o", "m.onnx"],
    ):
        capsys.readouterr()
        assert main(words) == 0, words
        assert capsys.readouterr().err.splitlines()[0] == f"latest: {Path('outputs/second')}", words
    assert len(pd.read_csv("p.csv")) == 40 and Path("outputs/second/compare/report.html").is_file()
