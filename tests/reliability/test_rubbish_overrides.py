"""Any words on the command line: a run is trained, or a line or two say what is wrong with which of them."""

import dataclasses
import random
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from outcomes import outcome, workplace

from mtlrun.config.schema import GROUPS, TOP_LEVEL, SplitConfig, TaskConfig

ALONE = [
    "trainer.max_steps=2",
    "trainer.batch_size=8",
    "model.hidden=[4]",
    "model.head_hidden=[4]",
    "trainer.tensorboard=false",
    "hydra.launcher.processes=1",
]
YAML = """\
# @package _global_
data: {path: t.csv}
tasks:
  y: {type: regression}
  k: {type: binary}
  c: {type: categorical}
"""
VALUES = [
    "0",
    "1",
    "-1",
    "3",
    "0.5",
    "-0.0",
    "1e400",
    "nan",
    "inf",
    "1" + "0" * 400,
    "9" * 5000,
    "true",
    "null",
    "",
    "''",
    "a",
    "y",
    "k",
    "'a b'",
    '"a"',
    "é",
    "😀",
    "[1]",
    "[]",
    "[[1]]",
    "[y,k]",
    "{}",
    "{a: 1}",
    "{y: 1}",
    "{y: {k: stop}}",
    "${seed}",
    "${a.b}",
    "${oc.env:HOME}",
    "${oc.env:NOPE}",
    "${oc.decode:'1'}",
    "${",
    "???",
    "1,2",
    "range(3)",
    "choice(1,2)",
    "interval(0,1)",
    "glob(*)",
    "sort(3,1)",
    "shuffle(1,2)",
    "tag(a,1)",
    "int(1.5)",
    "str(3)",
    "foo(1)",
    "stop",
    "pass",
    "reverse",
    "sum",
    "mlp",
    "../x",
    "/dev/null",
    "x" * 300,
    "=1",
    "[",
    "}",
    "a:b",
    "\\",
    "\x01",
    "\t",
]
WORDS = [
    "-m",
    "--multirun",
    "-o",
    "--targets",
    "--",
    "-",
    "",
    " ",
    "~",
    "+",
    "=",
    "a=",
    "=a",
    "check",
    "resume",
    "loss=sum",
    "los=sum",
    "loss@x=sum",
    "loss=sum,uncertainty",
    "seed=1,2",
    "arms=[{loss: sum},{loss: fixed}]",
    "arms=baselines",
    "arms=[]",
    "trials=2",
    "trials=x",
    "focus=y",
    "focus=z",
    "only=[y]",
    "only=z",
    "tasks={}",
    "tasks.z={type: binary}",
    "graph.receives={y: {y: stop}}",
    "graph.receives={y: {k: stop}, k: {y: stop}}",
    "graph=chain",
    "lr=0.01",
    "lr=per_head",
    "model=boosting",
    "data=diamonds",
    "experiment=hints",
    "experiment=nope",
    "hydra.run.dir=${seed}",
    "hydra.verbose=true",
    "hydra.mode=MULTIRUN",
    "hydra/launcher=basic",
    "+hydra.callbacks.a={_target_: os.mkdir}",
    "hydra.job_logging.root.level=NOPE",
    "hydra.sweeper.params={seed: '1,2'}",
    "hydra.job.env_copy=[HOME]",
    "\udcff",
    "seed=1\n",
    "a\0b",
    "~seed",
    "~loss",
    "~tasks.k",
    "name=../x",
    "--config-dir=nope",
]


def keys() -> Iterator[str]:
    """Every key of the schema."""
    yield from TOP_LEVEL
    for group, options in GROUPS.items():
        for kind in options.values():
            yield from (f"{group}.{field.name}" for field in dataclasses.fields(kind))
    yield from (f"data.split.{field.name}" for field in dataclasses.fields(SplitConfig))
    yield from (f"tasks.y.{field.name}" for field in dataclasses.fields(TaskConfig))


KEYS = sorted(set(keys()))


def spoiled(word: str, seed: int) -> str:
    """A word with one sign left out, doubled, swapped with the next, or another in its place."""
    rng = random.Random(seed)
    at = rng.randrange(len(word) + 1)
    return rng.choice(
        [
            word[:at] + word[at + 1 :],
            word[:at] + word[at : at + 1] * 2 + word[at + 1 :],
            word[:at] + word[at + 1 : at + 2] + word[at : at + 1] + word[at + 2 :],
            word[:at] + rng.choice("=,.[]{}()'\"$~+@/:; \\é") + word[at + 1 :],
        ]
    )


SETTING = st.tuples(st.sampled_from(["", "", "", "+", "++", "~"]), st.sampled_from(KEYS), st.sampled_from(VALUES)).map(
    lambda parts: f"{parts[0]}{parts[1]}={parts[2]}"
)
WORD = st.one_of(SETTING, SETTING, st.sampled_from(WORDS))
LINE = st.lists(st.one_of(WORD, WORD, st.tuples(WORD, st.integers(0, 999)).map(lambda p: spoiled(*p))), max_size=4)


def one_line(words: list[str]) -> None:
    with workplace():
        rng = np.random.default_rng(0)
        Path("conf/data").mkdir(parents=True)
        Path("conf/data/t.yaml").write_text(YAML)
        pd.DataFrame(
            {
                "a": rng.normal(size=60),
                "y": rng.normal(size=60),
                "k": rng.integers(0, 2, 60),
                "c": ["p", "q", "r"] * 20,
            }
        ).to_csv("t.csv", index=False)
        before = sorted(map(str, Path().rglob("*")))
        checked = outcome(["check", "data=t", *words])
        assert sorted(map(str, Path().rglob("*"))) == before, "check writes nothing"
        sweep = [word for word in words if word.startswith(("arms", "trials", "experiment", "-", "seed=", "data="))]
        if checked == 0 and not sweep:
            assert outcome(["data=t", *ALONE, *words, "trainer.max_steps=2"]) in (0, 1, 2)


TOO = [HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.filter_too_much]


@settings(max_examples=40, derandomize=True, deadline=None, database=None, suppress_health_check=TOO)
@given(words=LINE)
@example(words=["lr.base=1" + "0" * 5000])
@example(words=["only=[[y]]"])
@example(words=["tasks.y.class_weights={p: 1" + "0" * 400 + "}"])
@example(words=["hydra.mode=???"])
@example(words=["-m", "name=${oc.decode:'1'}", "seed=0,1"])
@example(words=["optimizer.betas={y: 1}"])
@example(words=["trainer.threads=2147483648"])
@example(words=["trainer.device=hpu"])
@example(words=["tasks.y.bins=1000000000"])
@example(words=["hydra.job.config.override_dirname.kv_sep=${oc.env:NOPE}"])
@example(words=["tasks.k.where=a in [1] in [2]"])
@example(words=["experiment=range(0,1,0)"])
def test_any_words_are_followed_or_answered(words: list[str]) -> None:
    one_line(words)


@pytest.mark.slow
@settings(max_examples=2500, deadline=None, database=None, suppress_health_check=TOO)
@given(words=LINE)
def test_many_words_are_followed_or_answered(words: list[str]) -> None:
    one_line(words)


@pytest.mark.parametrize(
    "words",
    [
        ["hydra.verbose=${seed}"],
        ["hydra.job_logging.root.level=NOPE"],
        ["hydra.job_logging.handlers.file.filename=."],
        ["+hydra.callbacks.x={_target_: nope.Nope}"],
    ],
)
def test_what_hydra_refuses_late_leaves_no_folder(words: list[str]) -> None:
    with workplace():
        Path("conf/data").mkdir(parents=True)
        Path("conf/data/t.yaml").write_text(YAML)
        pd.DataFrame({"a": range(60), "y": range(60), "k": [0, 1] * 30, "c": ["p", "q", "r"] * 20}).to_csv("t.csv")
        assert outcome(["data=t", *ALONE, *words]) in (1, 2)
        assert not list(Path().glob("outputs/*/*"))
        Path("mine").mkdir()
        Path("mine/run.log").write_text("mine")
        assert outcome(["data=t", *ALONE, *words, "hydra.run.dir=mine"]) in (1, 2)
        assert [(p.name, p.read_text()) for p in Path("mine").iterdir()] == [("run.log", "mine")]
