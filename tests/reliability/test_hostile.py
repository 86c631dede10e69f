"""Files from a stranger: none runs code, copies an environment variable, or has anything written elsewhere; and what is
damaged is answered."""

import csv
import html
import json
import os
import pickle
import shlex
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from commands import main
from outcomes import outcome
from small_table import YAML, houses

from mtlrun.compare.collect.shell_commands import with_seeds
from mtlrun.engine import checkpoint
from mtlrun.storage.environment import git

SECRET = "a-value-of-the-environment"
SMALL = [
    "data=houses",
    "trainer.max_steps=4",
    "trainer.batch_size=16",
    "model.hidden=[4]",
    "model.head_hidden=[4]",
    "trainer.tensorboard=false",
]
HEAD = "# @package _global_\ndata: {path: houses.csv}\ntasks: {price: {}, sold: {}}\n"
TOUCH = "touch executed"


@pytest.fixture(autouse=True)
def nothing_runs(here: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """After every test: nothing was executed, no secret was copied, and nothing lies beside the working directory."""
    monkeypatch.setenv("SECRET", SECRET)
    outside = sorted(here.parent.iterdir())
    yield
    assert not (here / "executed").exists()
    assert sorted(here.parent.iterdir()) == outside
    for path in here.rglob("*"):
        if path.is_file() and not path.is_symlink():
            assert SECRET.encode() not in path.read_bytes(), path


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run in `r` and a sweep in `s`, trained once for all tests, which get copies."""
    folder = tmp_path_factory.mktemp("trained")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        Path("conf/data").mkdir(parents=True)
        Path("conf/data/houses.yaml").write_text(YAML)
        houses().to_csv("houses.csv", index=False)
        assert main([*SMALL, "hydra.run.dir=r"]) == 0
        assert main(["-m", *SMALL, "loss=sum,uncertainty", "seed=1,2", "hydra.sweep.dir=s"]) == 0
    return folder


@pytest.fixture
def run(trained: Path, here: Path) -> Path:
    return shutil.copytree(trained / "r", here / "r")


@pytest.fixture
def sweep(trained: Path, here: Path) -> Path:
    return shutil.copytree(trained / "s", here / "s")


def table(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def unfinished(folder: Path) -> Path:
    """The same run, as if it had been interrupted."""
    edit(folder / "summary.json", lambda tree: tree | {"status": "interrupted"})
    return folder


def edit(path: Path, change: Callable[[Any], Any]) -> None:
    path.write_text(json.dumps(change(json.loads(path.read_text()))))


# ---------------------------------------------------------------- nothing runs


class Evil:
    """A pickle that runs a command."""

    def __reduce__(self) -> Any:
        return os.system, (TOUCH,)


@pytest.mark.parametrize("name", ["last.pt", "best.pt"])
def test_a_checkpoint_runs_no_code(run: Path, name: str) -> None:
    path = unfinished(run) / "checkpoints" / name
    whole = torch.load(path, weights_only=True)
    for content in (Evil(), {**whole, "evil": Evil()}):
        torch.save(content, path)
        assert outcome(["resume", "r"] if name == "last.pt" else ["predict", "r", "houses.csv", "-o", "p.csv"]) == 2
        path.write_bytes(pickle.dumps(content))
        assert outcome(["resume", "r"] if name == "last.pt" else ["export", "r", "-o", "m.onnx"]) == 2
    assert json.loads((run / "summary.json").read_text())["status"] != "failed"


TARGET = "{_target_: os.system, _args_: ['touch executed'], command: touch executed}"
PYTHON = "!!python/object/apply:os.system ['touch executed']"
OUT = "{class: logging.FileHandler, filename: ../outside.log}"


@pytest.mark.parametrize(
    "text",
    [
        HEAD + f"hydra: {{callbacks: {{a: {TARGET}}}}}",
        HEAD + f"hydra: {{job_logging: {{formatters: {{a: {{'()': os.system, command: '{TOUCH}'}}}}}}}}",
        HEAD + f"hydra: {{job_logging: {{handlers: {{a: {OUT}}}}}}}",
        HEAD + f"hydra: {{launcher: {TARGET}}}",
        HEAD + f"hydra: {{sweeper: {TARGET}}}",
        HEAD + "hydra: {run: {dir: ../outside}}",
        HEAD + "hydra: {job: {env_set: {A: b}, env_copy: [SECRET]}}",
        HEAD + "hydra: {searchpath: ['file:///tmp']}",
        HEAD.replace("sold: {}", f"sold: {TARGET}"),
        HEAD.replace("path: houses.csv", f"path: {TARGET}"),
        HEAD.replace("path: houses.csv", f"path: houses.csv, inputs: [{PYTHON}]"),
        HEAD.replace("sold: {}", f"sold: {{unit: {PYTHON}}}"),
        HEAD.replace("sold: {}", "sold: {unit: '${oc.env:SECRET}'}"),
        HEAD.replace("sold: {}", "sold: {unit: '${oc.decode:${oc.env:SECRET}}'}"),
        HEAD.replace("sold: {}", "'${oc.env:SECRET}': {target: sold}"),
        HEAD + "name: ../outside",
        HEAD + "name: ${oc.env:SECRET}",
        "defaults: [{override /hydra/launcher: basic}]\n" + HEAD,
        "defaults: [{override /hydra/job_logging: disabled}]\n" + HEAD,
        "defaults: [../../../etc/passwd]\n" + HEAD,
        "defaults: ['${oc.env:SECRET}']\n" + HEAD,
        HEAD.replace("# @package _global_", "# @package hydra"),
        HEAD.replace("sold: {}", "sold: {where: \"__import__('os').system('touch executed')\"}"),
        HEAD.replace("sold: {}", "sold: {where: \"@os.system('touch executed')\"}"),
        HEAD.replace("sold: {}", "sold: {where: 'price.__class__ == 1'}"),
        HEAD.replace("price: {}", 'price: {expression: "().__class__.__bases__[0].__subclasses__()"}'),
    ],
)
def test_a_yaml_from_a_stranger_runs_nothing(here: Path, text: str) -> None:
    Path("conf/data/evil.yaml").write_text(text)
    words = ["data=evil", *SMALL[1:]]
    assert outcome(words) == 2
    if "hydra" in text:  # what a sweep might follow in its own way
        assert outcome(["-m", *words, "seed=1,2"]) == 2


@pytest.mark.parametrize(
    "file",
    [
        "hydra/launcher/stack.yaml",
        "hydra/launcher/basic.yaml",
        "hydra/config.yaml",
        "hydra/callbacks/evil.yaml",
        "hydra/job_logging/default.yaml",
        "config.yaml",
    ],
)
def test_files_of_hydra_s_own_groups_are_not_followed(here: Path, file: str) -> None:
    Path("conf", file).parent.mkdir(parents=True, exist_ok=True)
    Path("conf", file).write_text(f"# @package _global_\nhydra: {{callbacks: {{a: {TARGET}}}}}\n_target_: os.system\n")
    assert outcome([*SMALL, "hydra.run.dir=o"]) in (0, 2)
    assert outcome(["-m", *SMALL, "seed=1,2", "hydra.sweep.dir=o2"]) in (0, 2)


@pytest.mark.parametrize(
    "change",
    [
        lambda text: text + f"\nhydra: {{callbacks: {{a: {TARGET}}}}}\n",
        lambda text: text.replace("name: runs", f"name: {PYTHON}"),
        lambda text: text.replace("name: runs", "name: ${oc.env:SECRET}"),
        lambda text: text.replace("name: runs", "name: ../../outside"),
        lambda text: f"a: &a {PYTHON}\n" + text,
        lambda text: "[1, 2]",
        lambda text: "",
        lambda text: "{",
        lambda text: "\x00",
        lambda text: "- " * 4000,
    ],
)
def test_the_configuration_of_a_stranger_s_run_runs_nothing(run: Path, change: Callable[[str], str]) -> None:
    path = unfinished(run) / ".hydra" / "config.yaml"
    path.write_text(change(path.read_text()))
    assert outcome(["resume", "r"], tidy=False) == 2
    assert json.loads((run / "summary.json").read_text())["status"] == "interrupted"


def test_git_runs_nothing_of_the_repository_s(here: Path) -> None:
    def call(*words: str) -> None:
        who = ["-c", "user.name=a", "-c", "user.email=a@b.c"]
        subprocess.run(["git", *who, *words], check=True, capture_output=True)

    call("init", ".")
    call("add", "houses.csv")
    call("commit", "-m", "a table")
    found = git()
    assert found is not None and found["dirty"] is False
    Path("houses.csv").write_text(Path("houses.csv").read_text() + "\n")
    found = git()
    assert found is not None and found["dirty"] is True
    evil = f"sh -c '{TOUCH}; exit 1' --"
    call("config", "core.fsmonitor", evil)
    hook = Path(".git/hooks/post-index-change")
    hook.write_text(f"#!/bin/sh\n{TOUCH}\n")
    hook.chmod(0o755)
    assert git() == found
    call("config", "extensions.partialClone", "origin")
    call("config", "remote.origin.promisor", "true")
    call("config", "remote.origin.uploadpack", evil)
    assert git() == found | {"dirty": None}
    call("config", "--remove-section", "remote.origin")
    call("config", "--unset", "extensions.partialClone")
    assert git() == found
    call("config", "filter.evil.clean", evil)
    Path(".git/info/attributes").write_text("*.csv filter=evil\n")
    assert git() == found | {"dirty": None}


def test_a_command_that_is_shown_holds_no_word_about_hydra(here: Path) -> None:
    evil = shlex.quote(f"+hydra.callbacks.x={TARGET}")
    words = f"mtlrun -m {evil} --config-dir /tmp/evil hydra.run.dir=x loss=sum,fixed seed=0,1\n"
    Path("s").mkdir()
    Path("s/command.txt").write_text(words)
    assert with_seeds(Path("s"), [0, 1, 2]) == "mtlrun -m loss=sum,fixed 'seed=range(0,3)'"


# ---------------------------------------------------------------- nothing is written elsewhere


@pytest.mark.usefixtures("without_pictures")
@pytest.mark.parametrize(
    "name", ["../outside", "/tmp/outside", "..", ".", "", "a/b", "a\nb", 7, None, ["x"], "results.csv"]
)
def test_a_plan_names_folders_of_its_own(sweep: Path, name: Any) -> None:
    edit(sweep / "sweep.json", lambda plan: [{**plan[0], "run": name}, *plan[1:]])
    unfinished(sweep / "001_loss=sum,seed=2")
    assert outcome(["resume", "s"], failing="") in (1, 2)
    assert outcome(["compare", "s"]) in (0, 2)


@pytest.mark.parametrize(
    "file", ["metrics.csv", "run.log", "summary.json", ".lock", "checkpoints", ".hydra/config.yaml"]
)
def test_links_in_a_run_s_folder_are_refused(run: Path, file: str) -> None:
    target, path = run.parent / "mine", unfinished(run) / file
    if path.is_dir():
        target.mkdir()
        shutil.rmtree(path)
    else:
        target.write_text(path.read_text() if path.exists() else "mine")
        path.unlink(missing_ok=True)
    path.symlink_to(target)
    before = None if target.is_dir() else target.read_bytes()
    assert outcome(["resume", "r"], tidy=False) == 2
    assert (sorted(target.iterdir()) == []) if target.is_dir() else target.read_bytes() == before


@pytest.mark.usefixtures("without_pictures")
@pytest.mark.parametrize(
    "file", ["metrics.csv", "summary.json", ".lock", "run.log", "sweep.json", "checkpoints/best.pt"]
)
def test_pipes_do_not_hang(run: Path, file: str) -> None:
    (unfinished(run) / file).unlink(missing_ok=True)
    os.mkfifo(run / file)
    assert outcome(["resume", "r"], tidy=False) == 2
    assert outcome(["compare", "r"]) in (0, 2)
    if file.endswith(".pt"):
        assert outcome(["predict", "r", "houses.csv", "-o", "p.csv"]) == 2
        assert outcome([*SMALL, "model.init_from=r", "hydra.run.dir=o"]) == 2


def test_a_link_in_place_of_a_log_is_not_followed(run: Path, here: Path) -> None:
    (unfinished(run) / "run.log").unlink()
    (run / "run.log").symlink_to(here / "made_by_link")
    assert outcome(["resume", "r"], tidy=False) == 2
    assert not (here / "made_by_link").exists()


def test_a_link_is_no_place_for_a_report(run: Path, here: Path) -> None:
    (here / "mine").mkdir()
    (run / "compare").symlink_to(here / "mine")
    assert outcome(["compare", "r"]) == 2
    assert not list((here / "mine").iterdir())


# ---------------------------------------------------------------- nothing steers what people read


NASTY = ["=HYPERLINK(1)", "<script>x</script>", "<img src=x onerror=y>", "\x1b[31mred", '"onmouseover="x']


def test_names_stay_text_in_the_terminal_the_report_and_tables(
    here: Path, capsys: pytest.CaptureFixture[str], request: pytest.FixtureRequest
) -> None:
    arms = ",".join(
        f"{{label: {json.dumps(n)}, loss: {loss}}}" for n, loss in zip(NASTY[:3], ["sum", "gls", "rlw"], strict=True)
    )
    frame = pd.read_csv("houses.csv")
    frame["class"] = np.resize(NASTY, len(frame))
    frame.rename(columns={"age": NASTY[0], "city": NASTY[3]}).to_csv("houses.csv", index=False)
    more = ["tasks.k={type: categorical, target: class}", "tasks.price.unit='<b>=1</b>'"]
    assert main(["check", *SMALL, *more]) == 0
    assert main(["-m", *SMALL, *more, f"arms=[{arms}]", "seed=1,2", "hydra.sweep.dir=s"]) == 0
    for folder in Path("s").glob("0*"):
        edit(folder / "summary.json", lambda tree: tree | {"versions": {NASTY[1]: NASTY[2]}})
    assert main(["compare", "s"]) == 0
    page = Path("s/compare/report.html").read_text()
    request.getfixturevalue("without_pictures")
    for form in ("markdown", "latex", "csv"):
        assert main(["compare", "s", "--format", form]) == 0
    shown = capsys.readouterr()
    assert all(line.isprintable() for line in (shown.out + shown.err).split("\n"))
    for text in NASTY[1:3]:
        assert text not in page and html.escape(text, quote=False) in page.replace("&#34;", '"').replace("&#39;", "'")
    labels = [row["label"] for row in table(Path("s/compare/comparison.csv"))]
    assert "'=HYPERLINK(1)" in labels and NASTY[0] not in labels


def test_cells_that_would_be_formulas_are_text_in_results(here: Path) -> None:
    assert main(["-m", *SMALL, "tasks.price.unit='=1+1','@x',-1", "hydra.sweep.dir=s"]) == 0
    assert [row["tasks.price.unit"] for row in table(Path("s/results.csv"))] == ["'=1+1", "'@x", "-1"]


# ---------------------------------------------------------------- nothing hangs


BOMB = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 10)}]\n" for i in range(1, 9)
)


@pytest.mark.parametrize(
    "text",
    [
        HEAD + BOMB,
        "seed: &z {a: *z}\n" + HEAD,
        HEAD + "seed: " + "[" * 3000 + "]" * 3000,
    ],
    ids=["bomb", "circle", "deep"],
)
def test_a_few_lines_of_yaml_do_not_hang(here: Path, text: str) -> None:
    Path("conf/data/evil.yaml").write_text(text)
    assert outcome(["check", "data=evil"]) == 2


@pytest.mark.parametrize("params", ["range(3000000)", "range(0,1,1e-9)", "range(100000000)"])
def test_an_experiment_of_millions_of_runs_is_refused_at_once(here: Path, params: str) -> None:
    Path("conf/experiment").mkdir()
    text = f"# @package _global_\nhydra: {{mode: MULTIRUN, sweeper: {{params: {{seed: '{params}'}}}}}}\n"
    Path("conf/experiment/many.yaml").write_text(text)
    assert outcome(["check", "experiment=many"]) == 2
    Path("conf/experiment/many.yaml").write_text(f"# @package _global_\narms: [{{seed: '{params}'}}]\n")
    assert outcome(["check", "-m", "experiment=many"]) == 2


@pytest.mark.parametrize(
    "where",
    [
        "9**9**9 > 1",
        "(" * 900 + "1" + ")" * 900,
        "a in [1] in [2]",
        "a not in [1] not in [2]",
        "a in [" + "-" * 1900 + "1]",
        "a in [a" + ".a" * 900 + "]",
        "x" * 100_000,
    ],
)
def test_expressions_end(here: Path, where: str) -> None:
    Path("conf/data/evil.yaml").write_text(HEAD.replace("sold: {}", f"sold: {{where: '{where}'}}"))
    assert outcome(["check", "data=evil"]) in (0, 2)


# ---------------------------------------------------------------- what is damaged is answered

ODD = [None, 7, -1, "x", [], {}, [1], {"a": 1}, True, 1e300, "a\0b"]


PLAN = ["run", "overrides", "arguments", "config", "stack", "steps", "processes", "packages", "arm", "drawn"]
MANY = pytest.param(ODD, marks=pytest.mark.slow, id="many")


@pytest.mark.usefixtures("without_pictures")
@pytest.mark.parametrize("values", [pytest.param([None, "x", [1]], id="few"), MANY])
def test_a_damaged_plan_is_answered(sweep: Path, values: list[Any]) -> None:
    unfinished(sweep / "003_loss=uncertainty,seed=2")
    whole = (sweep / "sweep.json").read_text()
    for key in PLAN:
        for value in values:
            tree = json.loads(whole)
            tree[2][key] = value
            (sweep / "sweep.json").write_text(json.dumps(tree))
            assert outcome(["resume", "s"], failing="", tidy=False) in (0, 1, 2), (key, value)
            if len(values) > 3:
                assert outcome(["compare", "s"]) in (0, 2), (key, value)
            unfinished(sweep / "003_loss=uncertainty,seed=2")
            (sweep / "sweep.json").write_text(whole)


@pytest.mark.usefixtures("without_pictures")
@pytest.mark.parametrize("text", ["", "{", "null", "3", '"x"', "{}", "[]", "[3]", "[[]]", "[" * 5000, "\udce9", "[{}]"])
def test_a_plan_that_is_none_is_answered(sweep: Path, text: str) -> None:
    (sweep / "sweep.json").write_bytes(text.encode("utf-8", "surrogateescape"))
    assert outcome(["resume", "s"]) == 2
    if len(text) < 2:  # a comparison reads it as the others do
        assert outcome(["compare", "s"]) in (0, 2)


SUMMARY = ["schema", "status", "settings", "figures", "stack", "packages", "data_hash", "best"]


@pytest.mark.usefixtures("without_pictures")
@pytest.mark.parametrize("values", [pytest.param([None, "x", [1]], id="few"), MANY])
def test_a_damaged_summary_is_answered(run: Path, values: list[Any]) -> None:
    whole = (unfinished(run) / "summary.json").read_text()
    for key in SUMMARY:
        for value in values:
            damaged = json.dumps(json.loads(whole) | {key: value})
            for words in (["resume", "r"], ["compare", "r"]):
                (run / "summary.json").write_text(damaged)
                assert outcome(words, failing="", tidy=False) in (0, 1, 2), (key, value)
    (run / "summary.json").write_text(whole)


def spoil(tree: Any, rng: np.random.Generator) -> Any:
    """The same tree with one value in it left out, or another in its place."""
    if isinstance(tree, dict) and tree:
        key = list(tree)[rng.integers(len(tree))]
        inner = tree[key]
        if isinstance(inner, (dict, list)) and inner and rng.random() < 0.6:
            return {**tree, key: spoil(inner, rng)}
        if rng.random() < 0.4:
            return {k: v for k, v in tree.items() if k != key}
        return {**tree, key: [torch.zeros(3), "x", None, 7, [], {}, torch.zeros(1).expand(10**9)][rng.integers(7)]}
    if isinstance(tree, list) and tree:
        at = int(rng.integers(len(tree)))
        return [*tree[:at], *([] if rng.random() < 0.5 else [spoil(tree[at], rng)]), *tree[at + 1 :]]
    return "x"


@pytest.mark.parametrize("name", ["last.pt", "best.pt"])
@pytest.mark.parametrize(
    "seeds", [range(12), pytest.param(range(12, 120), marks=pytest.mark.slow)], ids=["few", "many"]
)
def test_a_damaged_checkpoint_is_answered(run: Path, name: str, seeds: range) -> None:
    path = unfinished(run) / "checkpoints" / name
    whole, summary = path.read_bytes(), (run / "summary.json").read_text()
    tree = checkpoint.load(path)
    for seed in seeds:
        rng = np.random.default_rng(seed)
        if seed % 4 == 0:
            at = int(rng.integers(len(whole)))
            path.write_bytes([whole[:at], whole[:at] + bytes([whole[at] ^ 255]) + whole[at + 1 :]][seed // 4 % 2])
        else:
            torch.save(spoil(tree, rng), path)
        if name == "last.pt":
            assert outcome(["resume", "r"], failing="", tidy=False) in (0, 1, 2), seed
        else:
            Path("p.csv").unlink(missing_ok=True)
            assert outcome(["predict", "r", "houses.csv", "-o", "p.csv"]) in (0, 2), seed
            assert outcome([*SMALL, "model.init_from=r", "hydra.run.dir=o"], tidy=False) in (0, 2), seed
            shutil.rmtree("o", ignore_errors=True)
        path.write_bytes(whole)
        (run / "summary.json").write_text(summary)


@pytest.mark.parametrize("content", [b"", b"x", b"PK\x03\x04"])
def test_a_checkpoint_of_a_stack_that_cannot_be_read_fails_no_run(sweep: Path, content: bytes) -> None:
    for name in (
        "000_loss=sum,seed=1",
        "001_loss=sum,seed=2",
        "002_loss=uncertainty,seed=1",
        "003_loss=uncertainty,seed=2",
    ):
        unfinished(sweep / name)
    stacks = {job["stack"] for job in json.loads((sweep / "sweep.json").read_text())}
    (sweep / ".stacks").mkdir(exist_ok=True)
    for number in stacks:
        (sweep / ".stacks" / f"{number:03d}.pt").write_bytes(content)
    assert outcome(["resume", "s"], failing="go on with") == 1
    assert [row["status"] for row in table(sweep / "results.csv")] == ["interrupted"] * 4
    shutil.rmtree(sweep / ".stacks")
    assert outcome(["resume", "s"]) == 0
