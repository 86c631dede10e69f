"""What users of Hydra type: each works, or is answered with what to type instead."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from mtlrun.cli.completion import INSTALL, candidates
from mtlrun.cli.main import main
from mtlrun.compose.request import open_loader

SHORT = ["trainer.max_steps=2", "trainer.tensorboard=false", "hydra.run.dir=out"]
WORKS = {
    "cfg job": (["--cfg", "job", "loss=cagrad", "lr.base=0.5"], "loss:\n  name: cagrad\n"),
    "cfg job, short": (["-c", "job"], "seed: 0\n"),
    "config dir, short": (["--cfg", "job", "-cd", "mine", "loss=mine"], "loss:\n  name: sum\n"),
    "text of the environment as a number": (["--cfg", "job", "seed=${oc.env:SEED,7}"], "seed: 7\n"),
    "and as a truth value": (["--cfg", "job", "trainer.tensorboard=${oc.env:TB,false}"], "tensorboard: false\n"),
    "text as a number": (["--cfg", "job", "seed='7'", "trainer.epochs='3'"], "epochs: 3\n"),
    "no log": (["hydra/job_logging=disabled", *SHORT], ""),
    "no log of Hydra's": (["hydra/hydra_logging=disabled", *SHORT], "test "),
    "the terminal alone": (["hydra/job_logging=stdout", *SHORT], "test "),
    "a removed entry of a mapping": (["--cfg", "job", "~tasks.price"], "cut:\n"),
    "uninstalled completion": (["-sc", "uninstall=bash"], "complete -r mtlrun"),
}
ANSWERED = {
    "the whole of Hydra": (["--cfg", "all"], "--cfg: found all\nallowed: job"),
    "cfg of a sweep": (["-m", "--cfg", "job", "seed=1,2"], "--cfg: for one run, and this is a sweep\nmtlrun check"),
    "info": (["--info"], "--info: an option of Hydra that mtlrun does not have\ntype instead: mtlrun --cfg job"),
    "info with a word": (["--info=searchpath"], "--info: an option of Hydra"),
    "hydra help": (
        ["--hydra-help"],
        "--hydra-help: an option of Hydra that mtlrun does not have\ntype instead",
    ),
    "config path": (["--config-path", "conf"], "type instead: --config-dir DIR"),
    "config name": (["--config-name", "mine"], "type instead: experiment=NAME"),
    "config name, short": (["-cn", "mine"], "type instead: experiment=NAME"),
    "run": (["--run", "loss=sum"], "type instead: the words alone"),
    "package": (["--cfg", "job", "-p", "loss"], "type instead: mtlrun --cfg job"),
    "resolve": (["--cfg", "job", "--resolve"], "type instead: mtlrun --cfg job"),
    "rerun": (["--experimental-rerun", "x"], "type instead: mtlrun resume DIR"),
    "an unknown shell": (["-sc", "install=ksh"], '--shell-completion: found install=ksh\nallowed: bash: eval "$('),
    "a removed setting": (["check", "~lr.base"], "~lr.base: a setting cannot be removed\nset it: lr.base=VALUE"),
    "a removed setting of data": (["check", "~data.split.by"], "set it: data.split.by=VALUE"),
    "no number": (["--cfg", "job", "seed=${oc.env:SEED,seven}"], "seed: found 'seven'\nallowed: a whole number"),
    "no truth value": (["--cfg", "job", "trainer.tensorboard='yes'"], "allowed: true or false"),
    "joblib": (
        ["-m", "hydra/launcher=joblib"],
        "not installed\ninstall it: pip install hydra-joblib-launcher",
    ),
    "joblib over": (["-m", "hydra.launcher.over=joblib"], "install it: pip install hydra-joblib-launcher"),
    "a setting of a task": (["class_weights=balanced"], "no such key; did you mean tasks.TASK.class_weights?"),
    "ray": (["-m", "hydra/launcher=ray"], "install it: pip install hydra-ray-launcher"),
}


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("HYDRA_FULL_ERROR", raising=False)
    (tmp_path / "mine/loss").mkdir(parents=True)
    (tmp_path / "mine/loss/mine.yaml").write_text("name: sum\n")
    return tmp_path


@pytest.mark.parametrize("name", WORKS)
def test_what_works(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    words, shown = WORKS[name]
    status, answer = main(words), capsys.readouterr()
    assert (status, answer.err) == (0, "") and shown in answer.out
    if "--cfg" in words or "-c" in words:
        assert yaml.safe_load(answer.out)["tasks"]
    if "out" in str(words):
        assert Path("out/summary.json").exists() and Path("out/run.log").exists() == ("job_logging" not in str(words))


@pytest.mark.parametrize("name", ANSWERED)
def test_what_is_answered(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    words, answer = ANSWERED[name]
    launcher = next((word.partition("=")[2] for word in words if word.startswith("hydra") and "launcher" in word), None)
    if launcher is not None and launcher in open_loader().get_group_options("hydra/launcher"):
        pytest.skip("the launcher is installed")
    assert main(words) == 2
    said = capsys.readouterr().err
    assert answer in said and said.count("\n") == 2


def test_a_traceback_on_request(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HYDRA_FULL_ERROR", "1")
    assert main(["check", "lr.base=x"]) == 2
    said = capsys.readouterr().err
    assert said.startswith("Traceback (most recent call last)")
    assert said.endswith("mtlrun: lr.base: found 'x'\nallowed: a number\n")


# ---------------------------------------------------------------- tab completion

COMPLETED = {
    "mtlrun c": {"check", "compare"},
    "mtlrun check lo": {"loss=", "loss."},
    "mtlrun loss=ca": {"loss=cagrad"},
    "mtlrun 'loss=ca": {"'loss=cagrad"},
    "mtlrun -m loss=sum,unc": {"loss=sum,uncertainty"},
    "mtlrun loss=cagrad loss.c": {"loss.c="},
    "mtlrun loss=mgda loss.normalize=l": {"loss.normalize=l2", "loss.normalize=loss", "loss.normalize=loss+"},
    "mtlrun loss.weights.c": {"loss.weights.cut=", "loss.weights.color=", "loss.weights.clarity="},
    "mtlrun tasks.price.lo": {"tasks.price.loss="},
    "mtlrun tasks.price.type=r": {"tasks.price.type=regression", "tasks.price.type=reconstruction"},
    "mtlrun trainer.deterministic=": {"trainer.deterministic=true", "trainer.deterministic=false"},
    "mtlrun '~tasks.price' only=c": {"only=cut", "only=color", "only=clarity"},
    "mtlrun loss=sum hydra.run": {"hydra.run.dir="},
    "mtlrun hydra/launcher=s": {"hydra/launcher=stack"},
    "mtlrun fetch y": {"yeast"},
    "mtlrun compare --form": {"--format="},
    "mtlrun compare out": set(),  # files
    "mtlrun lr.base=": set(),
    "mtlrun nonsense= los": {"loss=", "loss."},
}


@pytest.mark.parametrize("line", COMPLETED)
def test_a_word_is_completed(line: str) -> None:
    assert set(candidates(line)) == COMPLETED[line]


@pytest.mark.parametrize("shell", INSTALL)
def test_the_script_of_a_shell(shell: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["-sc", f"install={shell}"]) == 0
    script = capsys.readouterr().out
    assert f"mtlrun -sc query={shell}" in script
    asked = {
        "bash": "COMP_LINE='mtlrun loss=cag lr' COMP_POINT=15; _mtlrun; echo $COMPREPLY",
        "fish": "complete -C 'mtlrun loss=cag'",
    }
    program = shutil.which(shell)
    if shell in asked and program is not None:
        environment = {"PATH": f"{Path(sys.executable).parent}:/usr/bin:/bin", "HOME": str(Path.cwd())}
        command = [program, "-c", f"{script}\n{asked[shell]}"]
        done = subprocess.run(command, capture_output=True, text=True, env=environment)
        assert done.stdout.split() == ["loss=cagrad"], done.stderr
