"""The command line: words, options, exit status, folders. Training is a stand-in here, except at the end."""

import csv
import itertools
import json
import logging
import os
import shlex
import signal
import subprocess
import sys
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
import yaml

import mtlrun.runs.single
import mtlrun.sweeps.forecast
from mtlrun.cli import usage
from mtlrun.cli.commands import COMMANDS
from mtlrun.cli.main import main
from mtlrun.config.schema import Config, as_mapping, conf_dir
from mtlrun.config.schema.loss import LOSS_SETTINGS
from mtlrun.runs.logs import tensorboard_command
from mtlrun.util.errors import Interrupted, TrainingError
from mtlrun.util.version import __version__

pytestmark = pytest.mark.forecast
TABLE = """\
# @package _global_
data: {path: houses.csv}
tasks:
  price: {type: regression}
  sold: {type: binary, role: auxiliary}
"""


@dataclass
class FakeRun:
    """Writes what a run would; seeds from 90 go wrong in different ways."""

    config: Config

    def train(self, folder: Path) -> dict[str, Any]:
        assert (folder / ".hydra" / "config.yaml").is_file()
        logging.getLogger("mtlrun").info("training with seed %d", self.config.seed)
        summary = {"schema": 1, "status": "completed", "error": None, "seed": self.config.seed, "seconds": 0.5}
        if self.config.seed == 90:
            write(folder, {**summary, "status": "failed", "error": "the loss is not finite"})
            raise TrainingError("the loss is not finite")
        if self.config.seed == 91:
            raise ZeroDivisionError("a bug of ours")
        if self.config.seed in (92, 93):
            write(folder, {**summary, "status": "running"})
            raise Interrupted(signal.SIGTERM) if self.config.seed == 92 else KeyboardInterrupt
        summary["figures"] = {"val/price/rmse": 10.0 - self.config.seed, "test/price/rmse": 11.0}
        write(folder, summary)
        return summary


def write(folder: Path, summary: dict[str, Any]) -> None:
    (folder / "summary.json").write_text(json.dumps(summary))


@pytest.fixture
def prepared(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[Config]:
    """A working directory with a data option, and the configurations that were prepared there."""
    seen: list[Config] = []

    def prepare(config: Config) -> FakeRun:
        seen.append(config)
        return FakeRun(config)

    monkeypatch.setattr(mtlrun.sweeps.forecast, "_seconds", lambda configs, folder: (20.0 * len(configs), 0.0))
    monkeypatch.setattr(mtlrun.runs.single, "prepare", prepare)
    monkeypatch.chdir(tmp_path)
    Path("conf/data").mkdir(parents=True)
    Path("conf/data/houses.yaml").write_text(TABLE)
    Path("houses.csv").write_text("area,price,sold\n" + "".join(f"{i % 7},{i % 5}.5,{i % 2}\n" for i in range(60)))
    return seen


def rows(folder: str) -> list[dict[str, str]]:
    with open(Path(folder) / "results.csv", newline="") as file:
        return list(csv.DictReader(file))


# ---------------------------------------------------------------- words and options


def test_help_names_every_word_of_the_contract_in_80_columns(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--help"]) == 0
    text = capsys.readouterr().out
    assert all(len(line) <= 80 for line in text.splitlines())
    assert all(f"mtlrun {command.usage}" in text for command in COMMANDS.values())
    shown = text[text.index("  loss=") : text.index("  lr=")].replace(",", " ").split()
    assert shown == ["loss=", *sorted(LOSS_SETTINGS)] and "'seed=range(3)'" in text


@pytest.mark.parametrize(("group", "most"), [("data", 8), ("experiment", 16)])
def test_help_says_in_a_line_what_each_option_is_for(group: str, most: int, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--help"]) == 0
    lines = capsys.readouterr().out.split(f"  {group}=\n")[1].splitlines()
    described = [line.split(maxsplit=1) for line in itertools.takewhile(lambda line: line.startswith("    "), lines)]
    files = sorted(path.stem for path in (conf_dir() / group).glob("*.yaml"))
    assert [name for name, _ in described] == files and len(files) <= most
    assert all(len(words) > 10 and not words.endswith("…") for _, words in described)


def test_help_takes_a_description_from_the_first_comment(tmp_path: Path) -> None:
    def described(text: str) -> str:
        (tmp_path / "x.yaml").write_text(text)
        return usage._description(tmp_path / "x.yaml", 30)

    assert described("# @package _global_\n# mtlrun data=x\n# A few rows. And more.\nname: x\n") == "A few rows"
    assert described("# Which one? That one.\n") == "Which one?"
    assert described("# Houses: in Bern; many of them, of all kinds\n") == "Houses: in Bern"
    assert described("# A sentence that goes on and on and on\n") == "A sentence that goes on and …"
    assert described("name: x  # none\n") == ""


def test_help_counts_the_options_of_a_package_that_has_many(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "loss").mkdir()
    for i in range(9):
        (tmp_path / f"data/d{i}.yaml").touch()
    (tmp_path / "loss/thirds.yaml").touch()
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(usage, "package_conf_dirs", lambda: {"p 1": tmp_path})
    assert main(["--help"]) == 0
    added = ["added by p 1:", "  data=        9 options: NAME.yaml in data", "  loss=        thirds"]
    assert "\n".join(added) in capsys.readouterr().out


@pytest.mark.parametrize("command", COMMANDS)
def test_every_sub_command_has_help(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([command, "--help"]) == 0
    assert capsys.readouterr().out.startswith(f"mtlrun {COMMANDS[command].usage}\n")


def test_version(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--version"]) == 0
    assert capsys.readouterr().out == f"mtlrun {__version__}\n"


WRONG_WORDS = [
    (["chek"], "chek: no such sub-command; did you mean check?"),
    (["zzz"], "zzz: no such sub-command"),
    (["--multrun"], "--multrun: no such option; did you mean --multirun?"),
    (["--config-dir"], "--config-dir: a value is missing"),
    (["init", "-m", "t.csv"], "-m: not an option of mtlrun init"),
    (["loss=sum", "--targets", "a"], "--targets: not an option of mtlrun"),
    (["compare"], "compare: no folder is named"),
    (["compare", "a", "b"], "compare: there is no folder a"),
    (["resume", "a", "--by", "loss"], "--by: not an option of mtlrun resume"),
    (["export", "a", "-o", "b.onnx"], "export: there is no folder a"),
    (["export", "a", "-o", "b.pt"], "-o: found b.pt\nallowed: a file that ends in .onnx"),
    (["export", "a"], "export: -o is missing"),
    (["resume", "a", "--tasks", "b"], "--tasks: not an option of mtlrun resume"),
    (["init", "t.csv"], "init: --targets is missing"),
    (["init", "--targets", "a"], "init: found 0 words, expected 1"),
    (["predict", "run", "t.csv"], "predict: -o is missing"),
    (["predict", "run", "-o", "x.csv"], "predict: found 1 words, expected 2"),
    (["resume", "nowhere"], "nowhere: there is no run in it"),
    (["loss=sum", "check"], "check: no override"),
    (["--data", "houses"], "--data: no such option; did you mean data=houses?"),
    (["--lr.base=0.1"], "--lr.base=0.1: no such option; did you mean lr.base=0.1?"),
    (
        ["init", "--force"],
        "--force: no such option\nallowed: -h, --help, --version, --shell-completion, -sc, --targets",
    ),
    (["houses.csv"], "houses.csv: no such sub-command\ntype: mtlrun init houses.csv --targets a,b"),
    (["train", "data=houses"], "train: no such sub-command\ntype: the words alone: mtlrun data=houses"),
    (["help"], "help: no such sub-command\ntype: mtlrun --help"),
    (["version"], "version: no such sub-command\ntype: mtlrun --version"),
    (["data", "=", "houses"], "data: a blank before =\ntype: data=houses"),
]


@pytest.mark.parametrize(("argv", "answer"), WRONG_WORDS)
def test_wrong_words(
    argv: list[str], answer: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(argv) == 2
    error = capsys.readouterr().err
    assert error.startswith(f"mtlrun: {answer}") and len(error.splitlines()) <= 2
    assert list(tmp_path.iterdir()) == []


# ---------------------------------------------------------------- one run


def test_the_tensorboard_command_can_be_typed_as_it_stands(monkeypatch: pytest.MonkeyPatch) -> None:
    folder = Path("out/a b")
    monkeypatch.setattr("shutil.which", lambda name: f"/bin/{name}")
    assert tensorboard_command(folder) == "tensorboard --logdir 'out/a b'"
    monkeypatch.setattr("shutil.which", lambda name: None)
    program, *rest = shlex.split(tensorboard_command(folder))
    assert rest == ["--logdir", "out/a b"]
    assert Path(program).samefile(Path(sys.executable).parent / "tensorboard")


def test_a_run_leaves_its_folder_and_says_where(prepared: list[Config], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["data=houses", "seed=3", "+lr.base=0.5", "hydra.run.dir=out/a b"]) == 0
    folder = Path("out/a b")
    tree = yaml.safe_load((folder / ".hydra/config.yaml").read_text())
    assert tree == as_mapping(prepared[0]) and tree["data"]["path"] == str(Path("houses.csv").absolute())
    assert yaml.safe_load((folder / ".hydra/overrides.yaml").read_text()) == ["data=houses", "seed=3", "lr.base=0.5"]
    out = capsys.readouterr().out
    assert out.endswith(f"results: out/a b\n{tensorboard_command(folder)}\n")
    log = (folder / "run.log").read_text()
    assert "INFO training with seed 3" in log and "tensorboard --logdir" in log


def test_the_default_folder_lies_below_outputs(prepared: list[Config]) -> None:
    assert main(["data=houses", "name=first", "trainer.tensorboard=false"]) == 0
    assert main(["data=houses", "name=first", "trainer.tensorboard=false"]) == 0
    assert len(list(Path("outputs/first").glob("20*/summary.json"))) == 2


def test_a_folder_with_a_run_is_refused_and_left_alone(
    prepared: list[Config], capsys: pytest.CaptureFixture[str]
) -> None:
    for mark in ("summary.json", "metrics.csv"):
        Path(mark[:3]).mkdir()
        (Path(mark[:3]) / mark).write_text("old")
        assert main(["data=houses", f"hydra.run.dir={mark[:3]}"]) == 2
        assert [p.name for p in Path(mark[:3]).iterdir()] == [mark]
    assert "hydra.run.dir: sum holds a run already (summary.json)" in capsys.readouterr().err
    assert prepared == []


@pytest.mark.parametrize(
    ("seed", "status", "recorded"),
    [(90, 1, "failed"), (91, 1, "failed"), (92, 143, "interrupted"), (93, 130, "interrupted")],
)
def test_a_run_that_ends_early(
    seed: int, status: int, recorded: str, prepared: list[Config], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["data=houses", f"seed={seed}", "hydra.run.dir=r"]) == status
    assert json.loads(Path("r/summary.json").read_text())["status"] == recorded
    shown = capsys.readouterr()
    assert "Traceback" not in shown.out + shown.err
    if seed == 90:
        assert shown.err == "mtlrun: the run failed: the loss is not finite\nits log: r/run.log\n"
    if seed == 91:
        assert "ZeroDivisionError: a bug of ours" in shown.err
        assert "Traceback" in Path("r/run.log").read_text()


def test_logging_is_as_before_afterwards(prepared: list[Config]) -> None:
    before = logging.getLogger().handlers[:]
    assert main(["data=houses"]) == 0
    assert logging.getLogger().handlers == before
    assert signal.getsignal(signal.SIGTERM) == signal.SIG_DFL


# ---------------------------------------------------------------- sweeps


def test_a_sweep_fills_its_table(prepared: list[Config], capsys: pytest.CaptureFixture[str]) -> None:
    argv = [
        "data=houses",
        "loss=sum,uncertainty",
        "-m",
        "+seed=1,2",
        "lr.base=0.01",
        "hydra.sweep.dir=s",
        "hydra/launcher=basic",
    ]
    assert main(argv) == 0
    names = [
        f"{i:03d}_loss={loss},seed={seed}"
        for i, (loss, seed) in enumerate([("sum", 1), ("sum", 2), ("uncertainty", 1), ("uncertainty", 2)])
    ]
    table = rows("s")
    assert list(table[0]) == [
        "run",
        "status",
        "data",
        "loss",
        "seed",
        "lr.base",
        "val/price/rmse",
        "test/price/rmse",
        "seconds",
        "error",
    ]
    assert [row["run"] for row in table] == names
    assert [row["status"] for row in table] == ["completed"] * 4
    assert [(row["loss"], row["seed"], row["val/price/rmse"]) for row in table][2] == ("uncertainty", "1", "9.0")
    for name, config in zip(names, prepared, strict=True):
        assert yaml.safe_load(Path("s", name, ".hydra/config.yaml").read_text()) == as_mapping(config)
        assert "training with seed" in Path("s", name, "run.log").read_text()
    out = capsys.readouterr().out.splitlines()
    assert out[0] == "4 runs in s" and out[1].endswith("; this sweep has 2")
    assert out.pop(2) == "about 80 s, less where runs stop early"
    assert out.pop(2).startswith("trains 20 steps of 42 rows, about 20 epochs; evaluates every step; stops after 10 ")
    assert out.pop(2) == "4 of 4 nets take fewer than 500 steps: trainer.epochs"
    del out[1]
    assert out[1:5] == [f"run {i} of 4: {name}  price rmse 11  (0.5 s)" for i, name in enumerate(names, 1)]
    assert out[5:] == [
        "best for price: loss=sum (val/price/rmse 8.5, mean over 2 seeds)",
        "seeds have different splits: compare settings by their means over seeds",
        "results: s/results.csv",
        "compare: mtlrun compare s",
        tensorboard_command(Path("s")),
    ]
    assert not any("Launching" in line for line in out)


def test_a_sweep_of_trials_ends_with_the_command_that_chooses_among_them(
    prepared: list[Config], capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["trials=2", "lr.base=interval(0.001,0.01)", "seed=1,2"]
    assert main(["-m", "data=houses", *words, "hydra.sweep.dir=s", "hydra/launcher=basic"]) == 0
    assert "compare: mtlrun compare s --tune lr.base" in capsys.readouterr().out.splitlines()


def test_failing_members_leave_the_others_alone(prepared: list[Config], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["-m", "data=houses", "seed=90,91,1", "hydra.sweep.dir=s", "hydra/launcher=basic"]) == 1
    table = rows("s")
    assert [row["status"] for row in table] == ["failed", "failed", "completed"]
    assert [row["error"] for row in table] == ["the loss is not finite", "ZeroDivisionError: a bug of ours", ""]
    shown = capsys.readouterr()
    assert "Traceback" not in shown.out + shown.err
    assert "run 2 of 3: 001_seed=91  failed: ZeroDivisionError: a bug of ours" in shown.out
    log = Path("s/001_seed=91/run.log").read_text()
    assert log.count("Traceback") == 1 and "a bug of ours" in log
    assert "Traceback" not in Path("s/002_seed=1/run.log").read_text()
    summary = json.loads(Path("s/001_seed=91/summary.json").read_text())  # every run leaves the same files
    assert summary["status"] == "failed" and {"settings", "figures", "stack", "memory"} <= set(summary)
    assert Path("s/001_seed=91/metrics.csv").read_text() == "epoch,step,split,task,metric,value\n"


def test_an_interrupted_sweep_says_what_was_reached(prepared: list[Config]) -> None:
    assert main(["-m", "data=houses", "seed=1,92,2", "hydra.sweep.dir=s", "hydra/launcher=basic"]) == 143
    assert [row["status"] for row in rows("s")] == ["completed", "interrupted", "pending"]


def test_nothing_trains_if_one_member_is_wrong(prepared: list[Config], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["-m", "data=houses", "lr.base=0.1,-1"]) == 2
    assert "lr.base: found -1" in capsys.readouterr().err
    assert prepared == [] and not Path("outputs").exists()


def test_a_folder_with_a_sweep_is_refused(prepared: list[Config], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["-m", "data=houses", "seed=1", "hydra.sweep.dir=s", "hydra/launcher=basic"]) == 0
    before = Path("s/results.csv").read_text()
    assert main(["-m", "data=houses", "seed=2", "hydra.sweep.dir=s", "hydra/launcher=basic"]) == 2
    assert "hydra.sweep.dir: s holds a sweep already (sweep.json)" in capsys.readouterr().err
    assert Path("s/results.csv").read_text() == before


def test_one_table_is_loaded_once_for_all_seeds(prepared: list[Config]) -> None:
    assert (
        main(["-m", "data=houses", "seed=1,2,3", "only=null,price", "hydra.sweep.dir=s", "hydra/launcher=basic"]) == 0
    )
    assert len(prepared) == 6


def test_an_experiment_can_be_a_sweep_without_m(prepared: list[Config]) -> None:
    Path("conf/experiment").mkdir()
    Path("conf/experiment/x.yaml").write_text(
        "# @package _global_\nhydra: {mode: MULTIRUN, sweeper: {params: {seed: '1,2'}}}\n"
    )
    assert main(["data=houses", "experiment=x", "name=e", "hydra/launcher=basic"]) == 0
    (table,) = Path("outputs/e").glob("*-sweep/results.csv")
    assert [row["seed"] for row in rows(str(table.parent))] == ["1", "2"]


def test_finished_runs_and_sweeps_say_so(prepared: list[Config], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["-m", "data=houses", "seed=1,2", "hydra.sweep.dir=s", "hydra/launcher=basic"]) == 0
    capsys.readouterr()
    for folder in ("s", "s/000_seed=1"):
        assert main(["resume", folder]) == 0
        assert capsys.readouterr().out == f"{folder}: finished already\n"


def test_an_interrupted_sweep_goes_on(
    prepared: list[Config], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    others = ["~tasks.sold.role", "tasks.price.where='sold == 1'"]  # a removal, and a value that needs its quotes
    assert main(["-m", "data=houses", "seed=1,92,90,2", *others, "hydra.sweep.dir=s", "hydra/launcher=basic"]) == 143
    assert "go on with: mtlrun resume s" in capsys.readouterr().err
    first = Path("s/000_seed=1/summary.json").read_text()
    train = FakeRun.train
    monkeypatch.setattr(
        FakeRun,
        "train",
        lambda self, folder: train(FakeRun(replace(self.config, seed=3)) if self.config.seed == 92 else self, folder),
    )
    assert main(["resume", "s"]) == 1  # seed 90 fails
    assert [row["status"] for row in rows("s")] == ["completed", "completed", "failed", "completed"]
    assert Path("s/000_seed=1/summary.json").read_text() == first
    for name in ("001_seed=92", "003_seed=2"):
        typed = Path("s", name, ".hydra/overrides.yaml").read_text()
        # as Hydra writes them, whoever started the run
        assert typed == Path("s/000_seed=1/.hydra/overrides.yaml").read_text().replace("seed=1", f"seed={name[9:]}")
        assert others[1] in yaml.safe_load(typed)
        assert "training with seed" in Path("s", name, "run.log").read_text()
    out = capsys.readouterr().out
    assert out.startswith("3 of 4 runs are left in s\n") and "1 of 4 runs failed" in out
    assert main(["resume", "s"]) == 0
    said = "s: finished already, 1 of 4 runs failed\nto try one of them again: mtlrun resume s/002_seed=90\n"
    assert capsys.readouterr().out == said


def test_a_run_s_folder_is_claimed_in_one_step(
    prepared: list[Config], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    prepare = mtlrun.runs.single.prepare

    def meanwhile(config: Config) -> FakeRun:  # another command begins while this one loads its data
        Path("out/.hydra").mkdir(parents=True)
        return prepare(config)

    monkeypatch.setattr(mtlrun.runs.single, "prepare", meanwhile)
    assert main(["data=houses", "hydra.run.dir=out"]) == 2
    assert "hydra.run.dir: out holds a run already (.hydra)" in capsys.readouterr().err
    assert list(Path("out/.hydra").iterdir()) == []


@pytest.mark.parametrize("folder", ["houses.csv/x", "/proc/mtlrun"])
def test_a_folder_that_cannot_be_made_is_a_wrong_request(
    prepared: list[Config], folder: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["data=houses", f"hydra.run.dir={folder}"]) == 2
    assert capsys.readouterr().err.startswith("mtlrun: hydra.run.dir: cannot make ")


def test_runs_and_sweeps_keep_out_of_each_other_s_folders(
    prepared: list[Config], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["data=houses", "hydra.run.dir=r"]) == 0
    assert main(["-m", "data=houses", "seed=1,2", "hydra.sweep.dir=s", "hydra/launcher=basic"]) == 0
    assert main(["-m", "data=houses", "seed=1,2", "hydra.sweep.dir=r"]) == 2
    assert main(["data=houses", "hydra.run.dir=s"]) == 2
    err = capsys.readouterr().err
    assert "r holds a run already" in err and "s holds a sweep already" in err


def test_a_closed_pipe_ends_in_silence(tmp_path: Path) -> None:
    code = "import sys; from mtlrun.cli.main import main; sys.exit(main(['--help']))"
    env = {**os.environ, "PYTHONPATH": str(Path(__file__).resolve().parents[2])}
    read, write = os.pipe()
    os.close(read)
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, env=env, stdout=write, stderr=subprocess.PIPE)
    os.close(write)
    assert done.stderr == b"" and done.returncode == 141


def test_check_of_a_sweep_lists_its_runs(prepared: list[Config], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check", "-m", "data=houses", "seed=range(2)", "hydra/launcher=basic"]) == 0
    assert capsys.readouterr().out == (
        "2 runs, one per job:\nabout 40 s, less where runs stop early\n"
        "trains 20 steps of 42 rows, about 20 epochs; evaluates every step; stops after 10 steps without a better "
        "figure\n2 of 2 nets take fewer than 500 steps: trainer.epochs\n"
        "000_seed=0\n001_seed=1\n"
    )
    assert not Path("outputs").exists()


def test_what_init_writes_is_found(prepared: list[Config], capsys: pytest.CaptureFixture[str]) -> None:
    Path("my homes.csv").write_text(
        "area,price,kind\n" + "".join(f"{i}.5,{i * i}.25,{'xyz'[i % 3]}\n" for i in range(30))
    )
    assert main(["init", "my homes.csv", "--targets", "price, kind"]) == 0
    path, *_, hint = capsys.readouterr().out.splitlines()
    assert Path(path).parent == Path("conf/data") and Path(path).is_file()
    assert hint == f"look at it, then: mtlrun check data={Path(path).stem}"
    assert main([f"data={Path(path).stem}"]) == 0
    assert {name: task.type for name, task in prepared[0].tasks.items()} == {
        "price": "regression",
        "kind": "categorical",
    }
    assert main(["init", "my homes.csv", "--targets=price"]) == 2
    assert "exists already" in capsys.readouterr().err


# ---------------------------------------------------------------- what is imported, and signals

IMPORTS = """import sys
from mtlrun.cli.main import main
{}
sys.exit(repr([m for m in {} if m in sys.modules] or "none"))"""
HEAVY = ["torch", "pandas", "tensorboard", "numpy"]


@pytest.mark.parametrize(
    ("code", "modules"),
    [
        ("main(['--help'])", [*HEAVY, "hydra", "omegaconf"]),
        ("main(['--version'])", [*HEAVY, "hydra", "omegaconf"]),
        ("import mtlrun.compose", HEAVY),
        ("assert main(['los=1']) == 2", HEAVY),
        ("assert main(['-m', 'lr.base=1,-1']) == 2", HEAVY),
    ],
)
def test_nothing_heavy_is_imported(code: str, modules: list[str], tmp_path: Path) -> None:
    env = {**os.environ, "PYTHONPATH": str(Path(__file__).resolve().parents[2])}
    done = subprocess.run(
        [sys.executable, "-c", IMPORTS.format(code, modules)], cwd=tmp_path, env=env, capture_output=True, text=True
    )
    assert done.stderr.splitlines()[-1] == "'none'"


def test_sigterm_outside_of_training_gives_143(tmp_path: Path) -> None:
    code = (
        "import os, signal, sys, mtlrun.cli.main as c\n"
        "c._dispatch = lambda words: os.kill(os.getpid(), signal.SIGTERM)\nsys.exit(c.main([]))"
    )
    env = {**os.environ, "PYTHONPATH": str(Path(__file__).resolve().parents[2])}
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, env=env, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (143, "mtlrun: interrupted\n")
