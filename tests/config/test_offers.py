"""What a message offers works when it is typed: commands, settings, and words in quotes."""

import re
import shlex
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from commands import main

DATA = ["data.path=houses.csv", "tasks={price: {type: regression}, kind: {type: categorical}}"]

# What is typed beside DATA, and what the message offers in place of its last word.
INSTEAD: list[tuple[list[str], str]] = [
    (["lr=0.01"], "lr.base=0.01"),
    (["-m", "lr=0.1,0.2"], "lr.base=0.1,0.2"),
    (["optimizer=0.1"], "lr.base=0.1"),
    (["learning_rate=0.1"], "lr.base"),
    (["model=[8,8]"], "model.hidden=[8,8]"),
    (["model=16"], "model.hidden=[16]"),
    (["trainer=5"], "trainer.epochs=5"),
    (["graph=stop"], "graph.gradient=stop"),
    (["loss=[sum,fixed]"], "mtlrun -m loss=sum,fixed"),
    (["epochs=3"], "trainer.epochs"),
    (["warmup=2"], "lr.warmup"),
    (["weights.price=3"], "loss.weights.price"),
    (["momentum=0.9"], "optimizer.momentum, with optimizer=sgd"),
    (["iterations=3"], "model.iterations, with model=boosting"),
    (["experts=3"], "sharing.experts, with sharing=mmoe"),
    (["class_weights=balanced"], "tasks.TASK.class_weights"),
    (["tasks.kind.where=rooms == 1"], "'tasks.kind.where=\"rooms == 1\"'"),
    (["data.split.by=größe"], "'data.split.by=\"größe\"'"),
    (["loss.name=pcgrad"], "loss=pcgrad"),
]

# What is typed beside DATA, and what the message offers to add.
ADDED: list[tuple[list[str], str]] = [
    (["optimizer=sgd", "optimizer.nesterov=true"], "optimizer.momentum=0.9"),
    (["model.hidden=[]", "loss=pcgrad"], "model.hidden=[64]"),
    (["model.hidden=[]", "loss=pcgrad"], "loss=sum"),
    (["model.hidden=[]", "trainer.log_gradients=true"], "trainer.log_gradients=false"),
    (["model.freeze=true", "trainer.gradient_noise=0.1"], "trainer.gradient_noise=0"),
    (["lr=per_head", "~lr.heads.default"], "lr.heads.default=1e-3"),
    (["tasks.price.discard=true"], "tasks.price.role=auxiliary"),
    (["trainer.device=cuda:77"], "trainer.device=cpu"),
    (["seed=1,2"], "-m"),
    (["arms=baselines"], "-m"),
    (["-m", "trials=3"], "'lr.base=tag(log,interval(1e-4,1e-1))'"),
    (["-m", "focus=price"], "arms=shuffled"),
    (["-m", "lr.base=interval(0.1,1)"], "trials=16"),
]


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    rng = np.random.default_rng(0)
    frame = pd.DataFrame({"area": rng.normal(size=90), "rooms": rng.integers(1, 4, 90), "größe": np.arange(90) % 9})
    frame.assign(price=rng.normal(size=90), kind=rng.choice(["x", "y"], 90)).to_csv("houses.csv", index=False)
    frame.assign(price=frame.area).to_csv("my houses.csv", index=False)
    return tmp_path


def answer(words: list[str], capsys: pytest.CaptureFixture[str]) -> str:
    assert main(["check", *words]) == 2
    return capsys.readouterr().err


@pytest.mark.parametrize(("words", "offered"), INSTEAD, ids=lambda value: str(value))
def test_what_is_offered_instead(words: list[str], offered: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert offered in answer([*DATA, *words], capsys)
    typed = [
        word.rstrip(",") for word in shlex.split(offered.replace("TASK", "kind")) if word not in ("mtlrun", "with")
    ]
    if not re.search(r"[=-]", typed[0]):
        typed[0] += "=" + words[-1].partition("=")[2]
    assert main(["check", *DATA, *words[:-1], *typed]) == 0


@pytest.mark.parametrize(("words", "offered"), ADDED, ids=lambda value: str(value))
def test_what_is_offered_to_add(words: list[str], offered: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert offered in answer([*DATA, *words], capsys)
    (typed,) = shlex.split(offered)
    key = typed.lstrip("~").partition("=")[0]
    rest = [word for word in words if word.lstrip("~").partition("=")[0] != key]
    assert main(["check", *DATA, *rest, typed]) == 0


@pytest.mark.parametrize(
    "words",
    [
        ["model=mlp,boosting", "model.iterations=5"],
        ["optimizer=adam,sgd,rmsprop", "optimizer.momentum=0.9"],
        ["loss=sum,fixed", "loss.weights.price=0.5", "sharing=hard,mmoe", "sharing.experts=3"],
    ],
)
def test_arms_for_a_key_that_only_some_swept_options_have(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    offer = answer(["-m", *DATA, *words], capsys).partition("an arm for each: ")[2]
    (arms,) = shlex.split(offer)
    group = words[-1].partition(".")[0]
    rest = [word for word in words if not word.startswith(group)]
    assert main(["check", "-m", *DATA, *rest, arms]) == 0


def test_a_name_in_other_capitals_is_near(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["init", "houses.csv", "--targets", "PRICE"]) == 2
    assert "did you mean price?" in capsys.readouterr().err


@pytest.mark.parametrize("file", ["houses.csv", "my houses.csv"])
def test_from_a_file_to_a_run(file: str, capsys: pytest.CaptureFixture[str]) -> None:
    """data=FILE, then what the message offers, then what that message offers."""
    _, offer = answer([f"data={file}"], capsys).split("did you mean ")
    typed = shlex.split(offer.partition("?")[0])
    offer = answer(typed, capsys).partition("name some: ")[2]
    (tasks,) = shlex.split(offer.partition(", or ")[0])
    assert main(["check", *typed, tasks]) == 0
    assert main(["check", *typed[1:], tasks]) == 0  # without data=table
