"""Wrong requests, end to end: exit status 2, an answer of one or two lines that names the key, nothing on disk."""

import math
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from mtlrun.cli.main import main

TABLE = """\
# @package _global_
data: {path: houses.csv, inputs: [area, rooms, city]}
tasks:
  price: {type: regression}
  kind: {type: categorical}
  sold: {type: binary}
"""


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working directory with a small table, and a data option for it."""
    monkeypatch.chdir(tmp_path)
    rng = np.random.default_rng(0)
    n = 60
    frame = pd.DataFrame(
        {
            "area": rng.normal(size=n),
            "rooms": rng.integers(1, 9, n),
            "city": rng.choice(["a", "b"], n),
            "price": rng.normal(size=n),
            "kind": rng.choice(["x", "y", "z"], n),
            "sold": rng.integers(0, 2, n),
            "words": rng.choice(["cheap", "dear"], n),
            "one": "same",
            "none": np.nan,
            "endless": [*rng.normal(size=n - 1), math.inf],
            "infinite_input": [math.inf, *rng.normal(size=n - 1)],
            "part": ["train"] * 40 + ["val", "test"] * 10,
            "late": [np.nan] * 40 + ["u", "v"] * 10,
            "weight": -1.0,
        }
    )
    frame.to_csv("houses.csv", index=False)
    frame.to_csv("stays.csv", index=False)
    Path("empty.csv").write_text("a,b\n")
    Path("conf/data").mkdir(parents=True)
    Path("conf/data/houses.yaml").write_text(TABLE)
    Path("conf/data/hooks.yaml").write_text(TABLE + "hydra: {callbacks: {a: {_target_: os.mkdir, path: executed}}}\n")
    return tmp_path


# What is typed after `mtlrun data=houses`, what the answer must begin with, and what it must hold.
REQUESTS: dict[str, tuple[list[str], str, str]] = {
    # spelling
    "key": (["lr.bas=0.1"], "lr.bas: lr=single has no such key; did you mean base?", "allowed: base"),
    "nested key": (["data.split.tran=0.5"], "data.split.tran: data.split has no such key; did you mean train?", "val"),
    "key of a task": (["tasks.price.los=l1"], "tasks.price.los: tasks.price has no such key; did you mean loss?", ""),
    "key of another option": (["loss.alpha=2"], "loss.alpha: loss=sum has no such key", ""),
    "word of a search": (["tune.runs=9"], "tune.runs: no key of a run", "mtlrun tune"),
    "group": (["los=sum"], "los: no such key; did you mean loss?", "allowed: data, model"),
    "group of a key": (["traner.epochs=2"], "traner.epochs: no such key; did you mean trainer.epochs?", ""),
    "launcher without its key": (["over=joblib"], "over: no such key; did you mean hydra.launcher.over?", ""),
    "key without its group": (["epochs=2"], "epochs: no such key; did you mean trainer.epochs?", ""),
    "name of an option": (
        ["loss.name=pcgrad"],
        "loss.name: the option sets it",
        "choose the option: loss=pcgrad",
    ),
    "option in capitals": (["loss=PCGrad"], "loss: found PCGrad", "did you mean pcgrad?"),
    "option": (
        ["loss=uncertanty"],
        "loss: found uncertanty, which is no option of this group",
        "did you mean uncertainty?\noptions of loss: ",
    ),
    "own option": (
        ["data=huses"],
        "data: found huses, which is no option of this group; did you mean houses?",
        "options of data: ",
    ),
    "no own option, but a table": (
        ["data=stays"],
        "data: found stays, which is no option of this group\noptions of data: ",
        "; for a table of your own: mtlrun init stays.csv --targets a,b",
    ),
    "no own option": (
        ["data=visitors_of_ours"],
        "data: found visitors_of_ours",
        "; for a table of your own: mtlrun init FILE --targets a,b",
    ),
    "ensemble of separate trunks": (
        ["model=tabm", "sharing=none"],
        "sharing=none: model=tabm is an ensemble of trunks, each of which all tasks share\n",
        "set sharing=hard, or model=tabular",
    ),
    "no groups": (
        ["sharing=groups"],
        "sharing.groups: missing\n",
        "allowed: lists of tasks that share a trunk: 'sharing.groups=[[price,kind],[sold]]'",
    ),
    "an empty group": (
        ["sharing=groups", "sharing.groups=[[price,kind],[]]"],
        "sharing.groups: found [[price,kind],[]]\n",
        "allowed: lists of tasks",
    ),
    "a list of tasks": (["sharing=groups", "sharing.groups=[price]"], "sharing.groups[0]: found 'price'", "a list"),
    "a task in place of groups": (
        ["sharing=groups", "sharing.groups=price"],
        "sharing.groups: found 'price'\n",
        "allowed: a list of lists: [[..., ...], [...]]",
    ),
    "an unknown task in a group": (
        ["sharing=groups", "sharing.groups=[[price,knd]]"],
        "sharing.groups: no task is named 'knd'",
        "did you mean kind?",
    ),
    "a task in two groups": (
        ["sharing=groups", "sharing.groups=[[price,kind],[kind]]"],
        "sharing.groups: kind is named twice\n",
        "allowed: each task once",
    ),
    "ensemble without layers": (
        ["model=tabm", "model.hidden=[]"],
        "model.hidden: is empty, and the members of model=tabm",
        "set model.hidden=[64]",
    ),
    "members": (["model=tabm", "model.members=1"], "model.members: found 1\n", "2"),
    # a list where a mapping belongs
    "list of constants": (
        ["graph.constants=[price]"],
        "graph.constants: found [price]\n",
        "allowed: a mapping: {TASK: [layer1]}",
    ),
    "text of constants": (["graph.constants=price"], "graph.constants: found 'price'\n", "{TASK: [layer1]}"),
    "list of edges": (["graph.receives=[price]"], "graph.receives: found [price]\n", "{TASK: {SOURCE: stop}}"),
    "list of weights": (["loss=fixed", "loss.weights=[1,2]"], "loss.weights: found [1, 2]\n", "{TASK: 0.1}"),
    "list of rates": (["lr=per_head", "lr.heads=[1]"], "lr.heads: found [1]\n", "{default: 3x, TASK: 1x}"),
    "list of a task": (["tasks.price=[binary]"], "tasks.price: found [binary]\n", "{type: regression}"),
    "list of parts": (["data.split=[0.5,0.5]"], "data.split: found [0.5, 0.5]\n", "{train: 0.7, val: 0.15"),
    "sweep of lists": (["-m", "graph.constants=[kind],[sold]"], "graph.constants: found [kind]\n", "a mapping"),
    "list in an arm": (["-m", "arms=[{graph.constants: [price]}]"], "graph.constants: found [price]\n", "a mapping"),
    "classes of a regression": (
        ["tasks.price.bins=3"],
        "tasks.price.bins: makes classes, and tasks.price.type is regression\nset tasks.price.type=categorical",
        "",
    ),
    "sub-command": (["chek"], "chek: no override", "sub-command"),
    "option of the command line": (["--multirn"], "--multirn: no such option; did you mean --multirun?", ""),
    "word of the schema": (["trainer.select=skil"], "trainer.select", "price"),
    "literal": (["model.activation=rely"], "model.activation: found 'rely'; did you mean relu?", "tanh"),
    "task of only": (["only=[price,knd]"], "only: no task is named 'knd'; did you mean kind?", "price, kind, sold"),
    "task of a weight": (
        ["loss=fixed", "loss.weights.prce=2"],
        "loss.weights.prce: no task is named 'prce'; did you mean price?",
        "",
    ),
    "task of a rate": (["lr=per_head", "lr.heads.prce=2"], "lr.heads.prce: no task is named 'prce'", "mean price?"),
    "task to remove": (["~tasks.prce"], "~tasks.prce: no such key; did you mean price?", ""),
    "launcher": (["-m", "hydra/launcher=basc"], "hydra/launcher: found basc; did you mean basic?", "installed: basic"),
    # a value for a group
    "lr=0.01": (["lr=0.01"], "lr: found 0.01, which is no option of this group; did you mean lr.base=0.01?", "single"),
    "loss=0.1": (["loss=0.1"], "loss: found 0.1", "loss=fixed loss.weights.TASK=0.1"),
    "optimizer=0.1": (["optimizer=0.1"], "optimizer: found 0.1", "did you mean lr.base=0.1?"),
    "model=[8,8]": (["model=[8,8]"], "model: found [8,8]", "did you mean model.hidden=[8,8]?"),
    "trainer=5": (["trainer=5"], "trainer: found 5", "did you mean trainer.epochs=5?"),
    "data=houses.csv": (["data=houses.csv"], "data: found houses.csv", "did you mean data=houses?"),
    "data=stays.csv": (["data=stays.csv"], "data: found stays.csv", "did you mean data=table data.path=stays.csv?"),
    "lr=0.1,0.2": (["-m", "lr=0.1,0.2"], "lr: found 0.1", "lr.base=0.1,0.2"),
    "loss=[sum,fixed]": (["loss=[sum,fixed]"], "loss: found [sum,fixed]", "mtlrun -m loss=sum,fixed"),
    # types and sizes
    "text for a number": (["lr.base=fast"], "lr.base: found 'fast'", "allowed: a number"),
    "number for a switch": (["trainer.tensorboard=2"], "trainer.tensorboard: found 2", "true or false"),
    "fraction for a count": (["trainer.epochs=1.5"], "trainer.epochs: found 1.5", "a whole number"),
    "negative rate": (["lr.base=-1"], "lr.base: found -1", "at least 0"),
    "infinite rate": (["lr.base=inf"], "lr.base: found inf", "allowed"),
    "no layer size": (["model.hidden=[8,0]"], "model.hidden[1]: found 0", "at least 1"),
    "no batch": (["trainer.batch_size=0"], "trainer.batch_size: found 0", "at least 1"),
    "negative steps": (["trainer.max_steps=-5"], "trainer.max_steps: found -5", "at least 1"),
    "key below a value": (["seed.a=1"], "the configuration cannot be composed", "seed.a"),
    "reference to nothing": (["seed=${nothing}"], "seed: Interpolation key 'nothing' not found", ""),
    "no list": (["lr.base=["], "lr.base=[", "quotes"),
    # a decimal comma
    "0,01": (["lr.base=0,01"], "lr.base: found 0,01, with a decimal comma\n", "decimal point: lr.base=0.01"),
    "0,01 in a sweep": (["-m", "lr.base=0,01,0,1"], "lr.base: found 0,01,0,1, with a decimal comma\n", "=0.01,0.1"),
    "0,01 in an arm": (["-m", "arms=[{lr.base: '0,01'}]"], "lr.base: found 0,01, with a decimal comma\n", "=0.01 (in"),
    "0,5": (["model.dropout=0,5"], "model.dropout: found 0,5, which is a sweep", "point, not comma: model.dropout=0.5"),
    "0,5 in a sweep": (["-m", "model.dropout=0,5"], "model.dropout: found 5.0", "point, not comma: model.dropout=0.5"),
    "'0,5'": (["lr.base='0,5'"], "lr.base: found '0,5'\n", "allowed: a number, with a decimal point: 0.5"),
    "0,7 in braces": (["data.split={train: 0,7}"], "data.split={train: 0,7}: brackets", "a decimal point, not a comma"),
    "two whole numbers": (["seed=0,1"], "seed: found 0,1, which is a sweep", "; for a list write seed=[a,b]"),
    # a key given twice
    "key twice": (
        ["lr.base=.1", "lr.base=.2"],
        "lr.base: given twice, lr.base=.1 and lr.base=.2\n",
        "leave one out, or train both: mtlrun -m lr.base=.1,.2",
    ),
    "key twice, + before it": (["seed=1", "+seed=2"], "seed: given twice, seed=1 and seed=2\n", "leave one out"),
    "option twice": (["loss=sum", "loss=gls"], "loss: given twice, loss=sum and loss=gls\n", "mtlrun -m loss=sum,gls"),
    "sweep and value": (["-m", "seed=1,2", "seed=3"], "seed: given twice, seed=1,2 and seed=3\n", "leave one out"),
    "mapping twice": (["tasks={a: {}}", "tasks={b: {}}"], "tasks: given twice, tasks={a: {}} and", "leave one out"),
    "folder twice": (["hydra.run.dir=a", "hydra.run.dir=b"], "hydra.run.dir: given twice, ", "leave one out"),
    # sweeps
    "-m forgotten": (["seed=1,2"], "seed: found 1,2, which is a sweep", "add -m"),
    "-m forgotten, range": (["seed=range(3)"], "seed: found range(3), which is a sweep", "add -m"),
    "-m forgotten, options": (["loss=sum,fixed"], "loss: found sum,fixed, which is a sweep", "add -m"),
    "a sweep without an end": (["-m", "lr.base=interval(0,1)"], "lr.base: found interval(0,1)", "commas"),
    "a sweep of Hydra's": (["-m", "hydra.verbose=true,false"], "hydra.verbose: found true,false", "cannot be swept"),
    "another sweeper": (["-m", "hydra/sweeper=optuna"], "hydra/sweeper: found optuna", "allowed: basic"),
    "one member wrong": (["-m", "lr.base=0.1,-1"], "lr.base: found -1", "in 001_lr.base=-1"),
    "one member's data wrong": (["-m", "data.path=houses.csv,no.csv"], "data.path", "(in 001_data.path=no.csv)"),
    # from outside
    "hydra in a YAML": (["data=hooks"], "conf/data/hooks.yaml: hydra: a YAML from outside", "allowed: data, tasks"),
    "no such --config-dir": (["--config-dir", "nowhere"], "--config-dir: nowhere is no folder", ""),
    # the rest
    "a cycle": (["graph.receives={price:{kind:pass},kind:{price:pass}}"], "graph.receives", "price"),
    "an edge to oneself": (["graph.receives.price.price=pass"], "graph.receives.price", ""),
    "a split above one": (["data.split.train=0.9"], "data.split: train 0.9, val 0.15, test 0.15 add up to 1.2", "1"),
}

# Those that are seen once the table is read.
OF_THE_DATA: dict[str, tuple[list[str], str, str]] = {
    "missing file": (["data.path=house.csv"], "data.path", "houses.csv"),
    "empty table": (["data.path=empty.csv"], "data.path", ""),
    "missing target": (["tasks.price.target=prize"], "tasks.price.target", "price"),
    "missing input": (["data.inputs=[area,room]"], "data.inputs", "rooms"),
    "missing group column": (["data.split.by=cty"], "data.split.by", "city"),
    "one class": (["tasks.kind.target=one"], "tasks.kind", ""),
    "no label": (["tasks.price.target=none"], "tasks.price", ""),
    "no label in train": (["tasks.kind.target=late", "data.split.column=part"], "tasks.kind", ""),
    "empty split": (["data.split.val=0.001"], "data.split", ""),
    "text for a regression": (["tasks.price.target=words"], "tasks.price", "cheap"),
    "infinite target": (["tasks.price.target=endless"], "tasks.price", "inf"),
    "infinite input": (["data.inputs=[area,infinite_input]"], "data", "infinite_input"),
    "negative row weights": (["data.weight=weight"], "data.weight", ""),
    "no expression": (["tasks.kind.where='rooms >'"], "tasks.kind.where", ""),
    "an expression that calls": (['tasks.kind.where=\'__import__("os").mkdir("executed")\''], "tasks.kind.where", ""),
    "cuda without one": (["trainer.device=cuda:77"], "trainer.device", ""),
}


@pytest.mark.parametrize("name", REQUESTS)
def test_a_wrong_request(name: str, here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert_answered([], *REQUESTS[name], here, capsys)


@pytest.mark.parametrize("name", OF_THE_DATA)
def test_a_wrong_request_about_the_data(name: str, here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert_answered([], *OF_THE_DATA[name], here, capsys)


@pytest.mark.parametrize("name", ["missing file", "one class", "infinite target"])
def test_check_gives_the_same_answer(name: str, here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert_answered(["check"], *OF_THE_DATA[name], here, capsys)


def assert_answered(
    command: list[str], words: list[str], begin: str, held: str, here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = sorted(here.rglob("*"))
    option = [] if any(word.startswith("data=") for word in words) else ["data=houses"]
    assert main([*command, *option, *words]) == 2
    shown = capsys.readouterr()
    assert shown.out == ""
    answer = shown.err
    assert answer.startswith(f"mtlrun: {begin}") and held in answer, answer
    assert 1 <= len(answer.splitlines()) <= 2, answer
    assert "Traceback" not in answer
    assert sorted(here.rglob("*")) == before


def test_the_same_word_twice_is_one(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check", "data=houses", "lr.base=.1", "lr.base=.1"]) == 0
    assert main(["check", "-m", "data=houses", "lr.base=0,5"]) == 0  # both are allowed, and one may not be meant
    assert "lr.base: a sweep over 0 and 5; decimal point, not comma: lr.base=0.5\n" in capsys.readouterr().out
    assert main(["check", "-m", "data=houses", "seed=0,1", "lr.base=0.1,1"]) == 0
    assert "decimal" not in capsys.readouterr().out
    assert main(["houses.csv"]) == 2 and "type: mtlrun data=houses\n" in capsys.readouterr().err


def test_the_table_itself_is_fine(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["data=houses", "trainer=debug", "trainer.tensorboard=false", "hydra.run.dir=run"]) == 0
    assert main(["data=houses", "hydra.run.dir=run"]) == 2
    assert "hydra.run.dir: run holds a run already (.hydra)" in capsys.readouterr().err


def test_predict_refuses_what_it_cannot_use(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["data=houses", "trainer=debug", "trainer.tensorboard=false", "hydra.run.dir=run"]) == 0
    capsys.readouterr()
    assert main(["predict", "run", "houses.csv", "-o", "out.csv"]) == 0
    assert len(pd.read_csv("out.csv")) == 60
    before = Path("out.csv").read_text()
    pd.read_csv("houses.csv").drop(columns=["area", "city"]).to_csv("narrow.csv")
    for words, held in [
        (["run", "houses.csv", "-o", "out.csv"], "-o: out.csv exists already"),
        (["run", "houses.csv", "-o", "no/out.csv"], "-o: there is no folder no"),
        (["nowhere", "houses.csv", "-o", "new.csv"], "predict: there is no folder nowhere"),
        (["conf", "houses.csv", "-o", "new.csv"], "conf"),
        (["run", "none.csv", "-o", "new.csv"], "none.csv"),
        (["run", "narrow.csv", "-o", "new.csv"], "area"),
    ]:
        assert main(["predict", *words]) == 2
        answer = capsys.readouterr().err
        assert held in answer and len(answer.splitlines()) <= 2
    assert not Path("new.csv").exists() and Path("out.csv").read_text() == before
