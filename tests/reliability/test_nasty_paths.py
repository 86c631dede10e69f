"""Names of folders and files that shells, Hydra, OmegaConf, logging or pathlib might read as something else."""

import shlex
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from commands import main
from hydra.core.override_parser.types import Quote, QuotedString

from mtlrun.util.interpolation import escaped

SHORT = ["model.hidden=[4]", "model.head_hidden=[]", "trainer.max_steps=1", "trainer.tensorboard=false"]
TASKS = "tasks={price: {type: regression}}"
NAMES = [
    "${oc.env:HOME}${a} a=b,c %s%d 100%",
    '-x [a](b){c} it\'s "é" 表 #;`id`&<!',
    "~x \\${seed} *?",
]


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def table(path: Path) -> None:
    rng = np.random.default_rng(0)
    frame = pd.DataFrame({"a": rng.normal(size=60), "city": rng.choice(["u", "v"], 60)})
    frame.assign(price=frame.a + 0.1 * rng.normal(size=60)).to_csv(path, index=False)


def typed(name: str) -> str:
    """A name as it is typed for a file, and behind the = of an override."""
    return f"./{name}" if name.startswith(("-", "~")) else name


def word(key: str, name: str) -> str:
    return f"{key}={QuotedString(escaped(name), Quote.double).with_quotes()}"


def works(*words: str) -> None:
    assert main(list(words)) == 0, shlex.join(words)


@pytest.mark.usefixtures("without_pictures")
@pytest.mark.parametrize("name", NAMES)
def test_a_working_directory_of_any_name(name: str, here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = here / name
    folder.mkdir()
    monkeypatch.chdir(folder)
    table(folder / "t.csv")
    works("init", "t.csv", "--targets", "price")
    works("check", "data=t")
    works("data=t", *SHORT, "hydra.run.dir=r")
    works("-m", "data.path=t.csv", TASKS, *SHORT, "seed=1,2", "hydra.sweep.dir=s")
    works("-m", "data=t", *SHORT, "hydra.sweep.dir=b", "hydra/launcher=basic")
    works("predict", "r", "t.csv", "-o", "p.csv")
    works("compare", "r", "s")
    works("resume", "s")
    assert (folder / "r" / "run.log").read_text() and (folder / "b" / "000" / "run.log").is_file()
    made = ["b", "conf", "p.csv", "r", "s", "t.csv"]
    assert sorted(path.name for path in folder.iterdir()) == made and sorted(here.iterdir()) == [folder]


@pytest.mark.usefixtures("without_pictures")
@pytest.mark.parametrize("name", NAMES)
def test_a_table_and_a_run_folder_of_any_name(name: str, here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = f"{typed(name)}.csv"
    table(Path(file))
    works("init", file, "--targets", "price")
    option = shlex.split(capsys.readouterr().out.splitlines()[-1])[-1]
    works("check", option)
    works("check", word("data.path", file), TASKS)
    works(option, *SHORT, word("hydra.run.dir", f"run of {name}"))
    works("-m", option, *SHORT, "seed=1,2", word("hydra.sweep.dir", f"sweep of {name}"))
    works("-m", option, *SHORT, word("hydra.sweep.dir", f"jobs of {name}"), "hydra/launcher=basic")
    works("predict", f"run of {name}", file, "-o", "p.csv")
    works("compare", f"run of {name}", f"sweep of {name}")
    works("resume", f"sweep of {name}")
    made = {"conf", "p.csv", f"{name}.csv", f"run of {name}", f"sweep of {name}", f"jobs of {name}"}
    assert {path.name for path in here.iterdir()} == made


def test_a_tilde_at_the_beginning_is_the_home_directory(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    home = here / "home"
    home.mkdir()
    monkeypatch.setenv("HOME", str(home))
    table(home / "t.csv")
    data = [word("data.path", "~/t.csv"), TASKS, *SHORT]
    works(*data, word("hydra.run.dir", "~/r"))
    works("-m", *data, word("hydra.sweep.dir", "~/s"))
    works("-m", *data, word("hydra.sweep.dir", "~/b"), "hydra/launcher=basic")
    assert [path.name for path in here.iterdir()] == ["home"]
    assert sorted(path.name for path in home.iterdir()) == ["b", "r", "s", "t.csv"]


def test_the_command_that_goes_on_with_a_folder_can_be_typed(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    table(Path("t.csv"))
    for name in NAMES:
        run = ["data.path=t.csv", TASKS, *SHORT, word("hydra.run.dir", f"./{name}")]
        works(*run)
        capsys.readouterr()
        assert main(run) == 2
        command = capsys.readouterr().err.strip().rpartition("go on with it: ")[2]
        _, *words = shlex.split(command)
        works(*words)
        assert "finished already" in capsys.readouterr().out


@pytest.mark.parametrize("name", [NAMES[1], "a,b", "é", "a=b", "a#b", "(a)"])
@pytest.mark.parametrize("key", ["data.path", "hydra.run.dir", "hydra.sweep.dir"])
def test_a_path_that_needs_quotes_is_answered_with_them(
    key: str, name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    table(Path("t.csv"))
    data = ["data.path=t.csv", TASKS] if key != "data.path" else []
    main(["check", *data, f"{key}={name}"])
    answer = capsys.readouterr().err
    if " quotes: " in answer:
        (quoted,) = shlex.split(answer.strip().rpartition(" quotes: ")[2])
        main(["check", *data, quoted])
        assert " quotes" not in capsys.readouterr().err
    else:
        assert "override" not in answer and "quotes" not in answer and "sweep" not in answer
