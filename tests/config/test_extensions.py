"""Packages that extend mtlrun: the example as pip installs it, whole commands with it, and packages that are wrong."""

import csv
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from importlib.metadata import entry_points
from pathlib import Path
from typing import Literal

import numpy as np
import pytest

from mtlrun.cli.main import main
from mtlrun.config import extensions
from mtlrun.config.extensions import join
from mtlrun.config.fields import per_run
from mtlrun.config.package import Extension, Option, Package, TaskTypeOption
from mtlrun.config.schema import GROUPS, ModelConfig
from mtlrun.config.schema.loss import LOSS_SETTINGS, LossConfig
from mtlrun.tasks import DECLARED, Loss, Metric, higher_is_better
from mtlrun.util.errors import RequestError
from mtlrun.util.registry import REFERENCES, Registry

ROOT = Path(__file__).resolve().parents[2]
EXAMPLE = ROOT / "examples" / "mtlrun_example"
SMALL = [
    "data=visits",
    "loss=halves",
    "model=residual",
    "model.hidden=[8,8]",
    "sharing=gated",
    "model.head_hidden=[4]",
    "trainer.epochs=3",
    "trainer.batch_size=200",
    "trainer.tensorboard=false",
    "lr.base=0.01",
]
SWEEP = ["-m", *SMALL, "seed=0,1,2", "hydra.launcher.processes=1"]


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of packages into which pip has installed the example, without a registry."""
    work = tmp_path_factory.mktemp("install")
    source = shutil.copytree(EXAMPLE, work / "source", ignore=shutil.ignore_patterns("__pycache__"))
    subprocess.run(
        [
            sys.executable,
            "-m",
            "pip",
            "install",
            "--quiet",
            "--no-deps",
            "--no-index",
            "--no-build-isolation",
            "--target",
            str(work / "site"),
            str(source),
        ],
        check=True,
    )
    return work / "site"


def run(cwd: Path, site: Path | None, *words: str, code: str = "") -> subprocess.CompletedProcess[str]:
    """`mtlrun WORDS` in a process of its own that has the packages of `site`, after `code`."""
    paths = [str(ROOT), *([str(site)] if site is not None else [])]
    env = {**os.environ, "PYTHONPATH": os.pathsep.join(paths)}
    program = f"import sys\n{code}\nfrom mtlrun.cli.main import main\nsys.exit(main(sys.argv[1:]))"
    return subprocess.run([sys.executable, "-c", program, *words], cwd=cwd, env=env, capture_output=True, text=True)


def run_all(cwd: Path, site: Path | None, *commands: Sequence[str]) -> list[tuple[int, str, str]]:
    """Several `mtlrun WORDS` one after another in one process: status, stdout and stderr of each.

    A text among the commands is code, which the process runs.
    """
    code = f"""
import contextlib, io, json
from mtlrun.cli.main import main
for words in {[words if isinstance(words, str) else list(words) for words in commands]!r}:
    if isinstance(words, str):
        exec(words)
        continue
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        status = main(words)
    print("ended", json.dumps([status, out.getvalue(), err.getvalue()]))
sys.exit()
"""
    lines = run(cwd, site, code=code).stdout.splitlines()
    return [tuple(json.loads(line.removeprefix("ended "))) for line in lines if line.startswith("ended ")]


def metrics(folder: Path) -> dict[tuple[str, str], float]:
    """The test figures in a run's metrics.csv."""
    with open(folder / "metrics.csv", newline="") as file:
        return {(r["task"], r["metric"]): float(r["value"]) for r in csv.DictReader(file) if r["split"] == "test"}


# ---------------------------------------------------------------- the example at work


def test_the_wheel_holds_the_yamls(site: Path) -> None:
    theirs = {str(p.relative_to(EXAMPLE)) for p in EXAMPLE.rglob("*.yaml")}
    assert theirs == {str(p.relative_to(site)) for p in site.rglob("*.yaml")} and len(theirs) == 5


def test_a_stack_with_one_of_each_kind_trains_resumes_and_predicts(site: Path, tmp_path: Path) -> None:
    interrupted = (
        "import signal, mtlrun.sweeps.stack_process as w\ntold = w.SentProgress.step\ndef step(self, step, losses):\n"
        "    told(self, step, losses)\n    if step == 8: signal.raise_signal(signal.SIGTERM)\n"
        "w.SentProgress.step = step"
    )
    first = [[*SWEEP, "hydra.sweep.dir=whole"], [*SMALL, "seed=1", "hydra.run.dir=alone"]]
    whole, alone, half = run_all(tmp_path, site, *first, interrupted, [*SWEEP, "hydra.sweep.dir=s"])
    assert whole[::2] == alone[::2] == (0, "") and half[0] == 1
    assert "3 runs in 1 stack" in whole[1] and "minutes log_rmse* ↓" in alone[1]
    (tmp_path / "any.csv").write_text("a\n1\n")
    resumed, predicted = run_all(tmp_path, None, ["resume", "s"], ["predict", "alone", "any.csv", "-o", "more.csv"])
    assert resumed[::2] == (
        2,
        "mtlrun: loss=halves: no such option here, the run was made with package mtlrun-example 1.0\n"
        "install it: pip install mtlrun-example==1.0, or pip install -e FOLDER with the folder of its source\n",
    )
    assert predicted[0] == 2 and "made with package mtlrun-example 1.0" in predicted[2]
    # what the type does not say how to do is refused with that reason
    refused = {
        ("export", "alone", "-o", "m.onnx"): "export: minutes is of type duration, a package's, whose outputs only",
        (
            "compare",
            "alone",
            "--rows",
        ): "--rows: the metrics of minutes, of a package's type, cannot be made",
        ("data=visits", "model=boosting"): "tasks.minutes.type: duration, whose losses model=boosting does not have",
    }
    of_test = (
        "import numpy, mtlrun\nfrom mtlrun.data.dataset import load_dataset\n"
        "from mtlrun.data.problems import synthetic_table\n"
        "import mtlrun.compare.report.pictures.all_pictures as drawn\ndrawn.PICTURES = ()\n"
        "numpy.savetxt('test.txt', load_dataset(mtlrun.load('alone').config).split.test)\n"
        "synthetic_table('visits').to_csv('visits.csv', index=False)"
    )
    then = [["resume", "s"], ["compare", "s", "--format", "csv"], ["predict", "alone", "visits.csv", "-o", "out.csv"]]
    again, compared, predicted, *answers = run_all(tmp_path, site, of_test, *then, *refused)
    assert again[0] == compared[0] == 0 and predicted[::2] == (0, "")
    assert "log_rmse" in (tmp_path / "s/compare/comparison.csv").read_text()
    for (status, _, err), reason in zip(answers, refused.values(), strict=True):
        assert status == 2 and reason in err and "Traceback" not in err, err
    names = [f"{i:03d}_seed={i}" for i in range(3)]
    for name in names:
        assert (tmp_path / "s" / name / "metrics.csv").read_bytes() == (
            tmp_path / "whole" / name / "metrics.csv"
        ).read_bytes()

    summary = json.loads((tmp_path / "s" / names[1] / "summary.json").read_text())
    assert summary["versions"]["mtlrun-example"] == "1.0"
    assert summary["packages"] == dict.fromkeys(
        ["loss=halves", "model=residual", "sharing=gated", "tasks.minutes.type=duration", "data.path=synthetic:visits"],
        "mtlrun-example 1.0",
    )
    for key, value in metrics(tmp_path / "s" / names[1]).items():
        assert value == pytest.approx(metrics(tmp_path / "alone")[key], rel=1e-4), key

    # predictions of the whole table, and the figures of test by hand from them
    table, found = (np.genfromtxt(tmp_path / f, delimiter=",", names=True) for f in ("visits.csv", "out.csv"))
    assert found.dtype.names == ("minutes", "amount")
    rows = np.loadtxt(tmp_path / "test.txt").astype(int)
    y, median = table["minutes"][rows], found["minutes"][rows]
    due = {
        ("minutes", "log_rmse"): np.sqrt(np.mean(np.log(y / median) ** 2)),
        ("minutes", "mae"): np.mean(np.abs(y - median)),
        ("amount", "mae"): np.mean(np.abs(table["amount"][rows] - found["amount"][rows])),
    }
    assert {key: metrics(tmp_path / "alone")[key] for key in due} == pytest.approx(due, rel=1e-4)


def test_what_the_command_line_says_of_it_without_torch(site: Path, tmp_path: Path) -> None:
    code = (
        "import atexit\nheavy = ['torch', 'pandas', 'numpy', 'tensorboard']\n"
        "atexit.register(lambda: print([m for m in heavy if m in sys.modules]))"
    )
    done = run(tmp_path, site, "--help", code=code)
    assert "  model=       boosting, mlp, tabm, tabular\n" in done.stdout
    added = done.stdout[done.stdout.index("added by mtlrun-example 1.0:\n") : done.stdout.index("your own options")]
    assert [line.split() for line in added.splitlines()[1:]] == [
        ["data=", "visits"],
        ["model=", "residual"],
        ["sharing=", "gated"],
        ["loss=", "halves"],
        ["experiment=", "visits"],
    ]
    assert done.stdout.splitlines()[-1] == "[]"
    done = run(tmp_path, site, "loss=halve", code=code)
    assert done.returncode == 2 and "did you mean halves?" in done.stderr and done.stdout == "[]\n"
    done = run(tmp_path, site, "loss=halves", "loss.first=1.5", code=code)
    assert done.returncode == 2 and done.stderr.startswith("mtlrun: loss.first: found 1.5\n")
    assert done.stdout == "[]\n"


@pytest.mark.slow
def test_the_experiment_of_the_example(site: Path, tmp_path: Path) -> None:
    done = run(tmp_path, site, "experiment=visits", "hydra.sweep.dir=s")
    assert (done.returncode, done.stderr) == (0, "") and "6 runs in 2 stacks" in done.stdout
    trivial = json.loads((tmp_path / "s/000_own,seed=0/summary.json").read_text())["trivial"]
    for folder in (tmp_path / "s").glob("0*"):
        assert metrics(folder)["minutes", "log_rmse"] < 0.6 * trivial["test/minutes/log_rmse"]


# ---------------------------------------------------------------- packages that are wrong


def installed(folder: Path, package: str, source: str, entry: str) -> Path:
    """A folder with a package of one module, as an installer leaves it."""
    (folder / f"{package}.py").write_text(source)
    info = folder / f"{package}-0.3.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {package}\nVersion: 0.3\n")
    (info / "entry_points.txt").write_text(f"[mtlrun]\n{package} = {entry}\n")
    return folder


def test_a_broken_package_is_left_out_with_a_line(tmp_path: Path) -> None:
    site = installed(tmp_path, "rotten", "import no_such_module", "rotten:EXTENSION")
    warning = (
        "mtlrun: rotten 0.3 is left out, entry point rotten: ModuleNotFoundError: No module named 'no_such_module'"
    )
    done = run(tmp_path, site, "check", "trainer.epochs=0")
    assert done.returncode == 2
    assert done.stderr.splitlines() == [warning, "mtlrun: trainer.epochs: found 0", "allowed: a number at least 1"]
    for words in (["loss=thirds"], ["tasks.price.type=odd"]):
        done = run(tmp_path, site, *words)
        assert done.returncode == 2 and done.stderr.startswith(warning), words
        assert done.stderr.endswith("left out: rotten 0.3 (ModuleNotFoundError: No module named 'no_such_module')\n"), (
            words
        )


@pytest.mark.parametrize(
    ("source", "entry", "why"),
    [
        ("", "rotten:EXTENSION", "AttributeError: module 'rotten' has no attribute 'EXTENSION'"),
        ("EXTENSION = 3", "rotten:EXTENSION", "rotten:EXTENSION is no mtlrun.extensions.Extension but int"),
    ],
)
def test_an_entry_point_that_names_no_extension(source: str, entry: str, why: str, tmp_path: Path) -> None:
    done = run(tmp_path, installed(tmp_path, "rotten", source, entry), "--help")
    assert done.returncode == 0 and done.stderr == f"mtlrun: rotten 0.3 is left out, entry point rotten: {why}\n"


@dataclass(frozen=True, kw_only=True)
class ThirdsConfig(LossConfig):
    name: Literal["thirds"] = per_run("thirds")


@dataclass(frozen=True, kw_only=True)
class WideConfig(ModelConfig):
    name: Literal["wide"] = "wide"
    factor: float = per_run(2.0)


@pytest.fixture
def restored() -> Iterator[None]:
    """What is joined to mtlrun's tables meanwhile is taken out again."""
    tables = [*GROUPS.values(), *REFERENCES.values(), extensions.packages, DECLARED]
    extensions.load()  # later it would add the installed packages behind those of a test
    before = [dict(table) for table in tables]
    yield
    for table, own in zip(tables, before, strict=True):
        table.clear()
        table.update(own)


@pytest.fixture
def conf(tmp_path: Path, restored: None) -> Path:
    """A folder of YAMLs."""
    for name in ("loss/thirds", "loss/sum", "model/wide"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / f"{name}.yaml").touch()
    return tmp_path


def join_installed(folder: Path, package: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Adds an installed package in this process, where others are in use already."""
    monkeypatch.syspath_prepend(folder)
    (point,) = (p for p in entry_points(group=extensions.GROUP) if p.name == package)
    join(extensions._package(point))


KIND = TaskTypeOption(
    made_by="m:C", labels="numbers", metrics={"gain": Metric("max")}, primary="gain", losses={"l": Loss()}
)


@pytest.mark.parametrize(
    ("extension", "why"),
    [
        (
            Extension(losses={"sum": Option(LOSS_SETTINGS["sum"], "m:C")}),
            "loss sum: mtlrun has one of this name already",
        ),
        (Extension(losses={"thirds": Option(ThirdsConfig, "m:C")}), "loss thirds: there is no loss/thirds.yaml"),
        (Extension(losses={"halves": Option(ThirdsConfig, "m:C")}), "has default 'thirds', expected 'halves'"),
        (
            Extension(losses={"thirds": Option(ModelConfig, "m:C")}),
            "ModelConfig is no dataclass derived from .*LossConfig",
        ),
        (Extension(losses={"thirds": Option(ThirdsConfig, "mC")}), "loss thirds: found 'mC', expected 'module:name'"),
        (Extension(losses={"thirds": ThirdsConfig}), "expected an Option"),
        (Extension(models={"wide": Option(WideConfig, "m:C")}), "factor is per_run, which only settings of a loss"),
        (Extension(problems={"spirals": "spirals"}), "problems"),
        (Extension(files=Path("/no/such/folder")), "files: there is no folder /no/such/folder"),
        (Extension(task_types={"binary": KIND}), "task type binary: mtlrun has one of this name already"),
        (Extension(task_types={"c": replace(KIND, primary="loss")}), "primary metric loss is none of its metrics"),
        (
            Extension(task_types={"c": replace(KIND, metrics={"gain": Metric("max"), "mae": Metric("max")})}),
            "mae is 'max', expected min",
        ),
        (Extension(task_types={"c": replace(KIND, losses={})}), "losses holds none"),
        (Extension(task_types={"c": replace(KIND, losses=("l",))}), "expected a mapping of names to Loss"),
        (Extension(task_types={"c": replace(KIND, metrics={"gain": "max"})}), "expected a mapping of names to Metric"),
        (Extension(task_types={"c": replace(KIND, accepts="m:f")}), "allowed does not say in words"),
        (Extension(task_types={"c": replace(KIND, labels="inputs")}), "labels is 'inputs', expected numbers"),
    ],
)
def test_declarations_that_cannot_be_followed_add_nothing(extension: Extension, why: str, conf: Path) -> None:
    before = {group: dict(options) for group, options in GROUPS.items()}
    extension = extension if "no loss/thirds.yaml" in why else replace(extension, conf=conf)
    with pytest.raises((ValueError, TypeError), match=why):
        join(Package("p", "p", "1", extension))
    assert before == GROUPS and "p" not in extensions.packages


def test_joined_names_are_found_and_two_packages_cannot_have_the_same(conf: Path) -> None:
    extension = Extension(
        conf=conf,
        losses={"thirds": Option(ThirdsConfig, "m:C")},
        task_types={"c": KIND},
        problems={"spirals": "os.path:join"},
    )
    join(Package("p", "dist-p", "1", extension))
    assert (
        GROUPS["loss"]["thirds"] is ThirdsConfig and "thirds" not in LOSS_SETTINGS
    )  # the experiment strategies has ours
    assert higher_is_better("gain") and DECLARED["c"].labels == "numbers"
    assert extensions.conf_dirs()[-1] == conf and extensions.yaml_of("loss", "thirds") == conf / "loss/thirds.yaml"
    assert extensions.versions()["dist-p"] == "1"
    with pytest.raises(ValueError, match="loss thirds: dist-p 1 has one of this name already"):
        join(Package("q", "dist-q", "1", extension))
    with pytest.raises(ValueError, match="dist-p 1 has an entry point of this name already"):
        join(Package("p", "dist-q", "1", Extension()))

    registry: Registry[object] = Registry("problem", {"own": 1})
    assert registry["own"] == 1 and registry["spirals"] is os.path.join
    with pytest.raises(KeyError):
        registry["nothing"]
    with pytest.raises(RequestError, match="task type c: m:C of dist-p 1 cannot be imported"):
        Registry("task type", {})["c"]


def test_tables_that_a_package_ships(conf: Path) -> None:
    from mtlrun.data.paths import resolve_path

    (conf / "spirals.csv").touch()
    (conf / "notes.txt").touch()
    join(Package("p", "dist-p", "1", Extension(files=conf)))
    assert resolve_path("package:p/spirals.csv") == conf / "spirals.csv"
    with pytest.raises(RequestError, match=r"is named 'p/spiral.csv'; did you mean p/spirals.csv\?"):
        resolve_path("package:p/spiral.csv")


def test_code_that_cannot_be_imported_is_named_when_a_run_asks_for_it(
    restored: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "yamls/loss").mkdir(parents=True)
    (tmp_path / "yamls/loss/thirds.yaml").write_text("name: thirds\n")
    source = """\
from dataclasses import dataclass
from pathlib import Path
from typing import Literal
from mtlrun.extensions import Extension, LossConfig, Option, per_run

@dataclass(frozen=True, kw_only=True)
class ThirdsConfig(LossConfig):
    name: Literal["thirds"] = per_run("thirds")

EXTENSION = Extension(conf=Path(__file__).parent / "yamls",
                      losses={"thirds": Option(ThirdsConfig, "thirds.nowhere:Thirds")})
"""
    join_installed(installed(tmp_path, "thirds", source, "thirds:EXTENSION"), "thirds", monkeypatch)
    monkeypatch.chdir(tmp_path)
    assert main(["loss=thirds"]) == 2
    assert capsys.readouterr().err == (
        "mtlrun: loss thirds: thirds.nowhere:Thirds of thirds 0.3 cannot be imported (ModuleNotFoundError: "
        "No module named 'thirds.nowhere'; 'thirds' is not a package)\nmend the package\n"
    )
    assert not (tmp_path / "outputs").exists()


def test_labels_that_a_package_s_type_does_not_accept(
    site: Path, restored: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    join_installed(site, "example", monkeypatch)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "t.csv").write_text("x,n\n" + "".join(f"{i},{i % 5 - 1}\n" for i in range(50)))
    words = ["data=table", "data.path=t.csv", "tasks={n: {type: duration}}"]
    assert main(["check", *words]) == 2
    assert capsys.readouterr().err == (
        "mtlrun: tasks.n: the target of a duration, column 'n', holds -1 in data row 1 (header not counted)\n"
        "allowed: numbers above 0; mend the column, or choose another tasks.n.type\n"
    )


TABLES = {
    "[1, 2]": "returns no mapping but a list",
    "{}": "returns nothing in a dict",
    "{'x': np.ones(3), 'y': np.ones(2)}": "gives columns of several lengths: x 3, y 2",
    "{'x': np.array(['a', 'b'])}": "gives column 'x' values that are no numbers (<U1)",
    "{'x': [[1], [1, 2]]}": "gives column 'x' rows of several lengths",
    "{'x': np.ones((2, 1))}": "gives column 'x' an array of shape [2, 1]",
    "1 / 0": "fails (ZeroDivisionError: division by zero)",
}


@pytest.mark.parametrize("given", TABLES)
def test_a_package_s_problem_that_is_no_table_is_named(
    given: str, conf: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from mtlrun.data.problems import PROBLEMS, synthetic_table

    def problem() -> object:
        return eval(given, {"np": np})

    join(Package("p", "dist-p", "1", Extension(problems={"spirals": "m:spirals"})))
    monkeypatch.setitem(PROBLEMS, "spirals", problem)
    monkeypatch.chdir(conf)
    assert main(["check", "data=table", "data.path=synthetic:spirals", "tasks={x: {type: regression}}"]) == 2
    assert capsys.readouterr().err == (
        f"mtlrun: problem spirals: m:spirals of dist-p 1 {TABLES[given]}\n"
        "mend the package; allowed: a mapping of columns to arrays of numbers, all of one length\n"
    )
    monkeypatch.setitem(PROBLEMS, "spirals", lambda: {"x": [True, False], "y": np.array([1, 2])})
    assert synthetic_table("spirals").to_dict("list") == {"x": [1.0, 0.0], "y": [1.0, 2.0]}


WEIGHTS = {
    "return torch.ones(len(self.tasks))": r"have shape \[3\]",
    "return torch.ones(len(self.configs), 1)": r"have shape \[2, 1\]",
    "pass": "are None",
}


@pytest.mark.parametrize("mixed", [False, True])
@pytest.mark.parametrize("body", WEIGHTS)
def test_weights_of_a_package_s_strategy_with_another_shape_are_refused(
    body: str, mixed: bool, conf: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import torch
    from support import make_config, make_stack, train_steps

    from mtlrun.loss import STRATEGIES, Strategy
    from mtlrun.util.errors import TrainingError

    names: dict[str, object] = {"torch": torch}
    exec(f"def weights(self, seen):\n    {body}", names)
    join(Package("p", "dist-p", "1", Extension(conf=conf, losses={"thirds": Option(ThirdsConfig, "m:Thirds")})))
    monkeypatch.setitem(STRATEGIES, "thirds", type("Thirds", (Strategy,), {"weights": names["weights"]}))
    tasks = {"a": {"type": "regression"}, "b": {"type": "regression"}, "c": {"type": "regression"}}
    configs = [make_config(tasks, seed=s, loss={"name": "sum" if mixed and s else "thirds"}) for s in (0, 1)]
    said = rf"weights of loss=thirds of dist-p 1 {WEIGHTS[body]}, expected a tensor \[R, T\] = \[2, 3\]"
    with pytest.raises(TrainingError, match=said):
        train_steps(make_stack(configs), 1)


@pytest.mark.parametrize(
    ("package", "mend"),
    [
        ("mtlrun-demos 1.0", "install it in a checkout of mtlrun: make setup, or pip install -e demos"),
        (
            "mtlrun-x 2.1",
            "install it: pip install mtlrun-x==2.1, or pip install -e FOLDER with the folder of its source",
        ),
        ("mtlrun-x; rm 2.1", "install that package"),
    ],
)
def test_a_missing_package_is_named_with_a_command_that_works(
    package: str, mend: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(extensions, "packages", {})
    with pytest.raises(RequestError) as refused:
        extensions.require({"data.path=synthetic:hints": package})
    assert str(refused.value).splitlines()[-1] == mend
