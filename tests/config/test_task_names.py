"""Names of tasks: what is refused says what to type, and what is allowed means nothing else anywhere."""

import csv
import json
import shlex
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from mtlrun.cli.main import main
from mtlrun.compare.analyse import analyse
from mtlrun.compare.analysis.options import Options
from mtlrun.compare.collect.folders import collect
from mtlrun.compare.report.writers.csv_lines import as_csv
from mtlrun.compose import compose, single
from mtlrun.config.check import check
from mtlrun.config.schema import as_mapping
from mtlrun.util.errors import RequestError

COLUMNS = ("visits per day", "größe", "a/b", "a.b", "a=b", "2nd", "skill", "worst", "last", "trunk", "on", "price")
TABLE = ["data.path=t.csv", "data.inputs=[x,y]"]
# names with a meaning elsewhere: figures, splits, options, columns of tables, keys of edges, parts of metric names
FIGURES = ("loss", "weight", "rate", "rmse", "grad_norm", "cosine_x", "gate_x", "train", "val", "test", "all", "total")
FILES = ("run", "status", "seconds", "error", "label", "kind", "seeds", "verdict", "trivial", "alone", "arm", "task")
KEYS = ("only", "sum", "shared", "stop", "pass", "at", "gradient", "what", "base", "hidden", "epochs", "seed", "nan")
NAMES = (*FIGURES, *FILES, *KEYS)


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A table with a column of every name."""
    monkeypatch.chdir(tmp_path)
    random = np.random.default_rng(0)
    x, y = random.normal(size=(2, 120))
    targets = {column: x - number * y for number, column in enumerate((*COLUMNS, *NAMES))}
    pd.DataFrame({"x": x, "y": y} | targets).to_csv("t.csv", index=False)


@pytest.mark.parametrize(
    ("word", "column"),
    [
        ("tasks.visits per day.type=regression", "visits per day"),
        ("+tasks.visits per day.type=regression", "visits per day"),
        ("tasks.'visits per day'.type=regression", "visits per day"),
        ("tasks={visits per day: {type: regression}}", "visits per day"),
        ("tasks.größe.type=regression", "größe"),
        ("tasks.a/b.type=regression", "a/b"),
        ("tasks.2nd.type=regression", "2nd"),
        ("tasks.skill.type=regression", "skill"),
        ("tasks.worst.type=regression", "worst"),
        ("tasks.last.type=regression", "last"),
        ("tasks.trunk.type=regression", "trunk"),
    ],
)
def test_the_words_that_a_refusal_proposes_work(word: str, column: str) -> None:
    """The last words of the message, typed into a shell, make a task of this column."""
    with pytest.raises(RequestError) as caught:
        single(compose([*TABLE, word]))
    message = str(caught.value)
    assert len(message.splitlines()) == 2
    (task,) = single(compose([*TABLE, *shlex.split(message.rpartition("apart: ")[2])])).tasks.values()
    assert task.target == column


def test_another_key_with_a_blank_goes_into_braces() -> None:
    with pytest.raises(RequestError, match=r"write it in braces: 'data.x={visits per day: 3}'"):
        compose([*TABLE, "data.x.visits per day=3"])


def test_a_name_that_yaml_reads_as_a_value_is_to_be_quoted() -> None:
    Path("conf/data").mkdir(parents=True)
    text = "# @package _global_\ndata: {path: t.csv}\ntasks: {NAME: {type: regression, target: x}}\n"
    Path("conf/data/own.yaml").write_text(text.replace("NAME", "on"))
    with pytest.raises(RequestError, match="on, yes, true, off, no, false, null and nan are read as values"):
        single(compose(["data=own"]))
    Path("conf/data/own.yaml").write_text(text.replace("NAME", "'on'"))
    assert [*single(compose(["data=own"])).tasks] == ["on"]


def test_stored_runs_with_a_reserved_name_stay_readable() -> None:
    tree = as_mapping(single(compose([*TABLE, "tasks.price.type=regression"])))
    tree["tasks"] = {"skill": tree["tasks"]["price"]}
    assert [*check(tree).tasks] == ["skill"]


def test_names_with_a_meaning_elsewhere_are_tasks_like_others(capsys: pytest.CaptureFixture[str]) -> None:
    """A run, its files, its predictions and a comparison have every task once, with figures of its own."""
    words = [*TABLE, *(f"tasks.{name}.type=regression" for name in NAMES), "trainer.max_steps=2", "trainer.select=loss"]
    words += ["loss=fixed", "loss.weights.base=2", "lr=per_head", "lr.heads.at=0.01", "trainer.threads=1"]
    words += ["graph.receives.gradient.what=stop", "trainer.tensorboard=false", "model.hidden=[4]", "hydra.run.dir=one"]
    assert main(words) == 0, capsys.readouterr().err
    summary = json.loads(Path("one/summary.json").read_text())
    assert {key.split("/")[1] for key in summary["figures"] if key.startswith("test/")} == set(NAMES)
    assert summary["best"]["by"] == "val/loss/rmse"
    with Path("one/metrics.csv").open(newline="") as file:
        rows = [(row["epoch"], row["step"], row["split"], row["task"], row["metric"]) for row in csv.DictReader(file)]
    assert len(rows) == len(set(rows)) and {row[3] for row in rows} == {"", *NAMES}
    assert main(["predict", "one", "t.csv", "-o", "p.csv"]) == 0
    assert [*pd.read_csv("p.csv").columns] == [*NAMES]
    (header, *_) = csv.reader(as_csv(analyse(collect([Path("one")]), Options())).splitlines())
    assert len(header) == len(set(header)) and {f"{name}/rmse" for name in NAMES} <= set(header)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["loss=fixed", "loss.weights.visits per day=2"], "name the task, not its column"),
        (["lr=per_head", "lr.heads.visits per day=2x"], "lr.heads.visits_per_day=2x"),
        (["only=[visits per day]"], "the column 'visits per day' is the target of visits"),
    ],
)
def test_a_column_in_place_of_its_task_is_answered_with_the_task(words: list[str], said: str) -> None:
    with pytest.raises(RequestError, match=said):
        single(compose([*TABLE, "tasks.visits.target='visits per day'", *words]))
