"""`mtlrun init --add-target`: a target comes to a YAML, and nothing else in it changes."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import yaml

from mtlrun.cli.main import main

N = 80
FILE = Path("conf/data/homes.yaml")


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A working directory with a table whose YAML init has written for one target."""
    monkeypatch.chdir(tmp_path)
    random = np.random.default_rng(0)
    frame = pd.DataFrame(
        {
            "id": np.arange(N) + 7,
            "area": random.normal(size=N),
            "rooms": random.integers(1, 6, N),
            "price in €": random.normal(size=N),
            "${x}": random.normal(size=N),
            "sold": random.choice(["yes", "no"], N),
            "nothing": None,
            "cost": [f"1.{i:03},50 €" for i in range(N)],
            "price": random.normal(size=N),
        }
    )
    frame.to_csv("homes.csv", index=False)
    assert main(["init", "homes.csv", "--targets", "price"]) == 0


def plain() -> dict[str, Any]:
    return yaml.safe_load(FILE.read_text(encoding="utf-8"))


def test_init_prints_types_and_what_it_left_out_and_why(capsys: pytest.CaptureFixture[str]) -> None:
    FILE.unlink()
    capsys.readouterr()
    assert main(["init", "homes.csv", "--targets", "price,sold,rooms"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == str(FILE) and lines[-1] == "look at it, then: mtlrun check data=homes"
    assert {line[10:].split("  ")[0]: line[10:].split()[1] for line in lines[2:5]} == {
        "price": "regression",
        "sold": "binary",
        "rooms": "categorical",
    }
    text = "\n".join(line[10:] for line in lines)
    assert 'sold: "yes" is the positive class, as it means yes' in text and "rooms: {type: count}  # instead" in text
    assert "4 number columns" in text and "cost: numbers such as '1.000,50 €'" in text
    assert "id: like an identifier: nearly every value is different" in text and "nothing: empty" in text


EDITS = {
    "untouched": lambda text: text,
    "settings and comments": lambda text: (
        text.replace("data:\n", "# mine\ndata:\n")
        .replace("train_rows: null", "train_rows: 40  # for now")
        .replace("regression}", "regression, loss: l1}")
    ),
    "blank lines and a comment at the end": lambda text: f"{text}\n\n# the end\n",
    "no line break at the end": lambda text: text.rstrip("\n"),
    "line breaks of Windows": lambda text: text.replace("\n", "\r\n"),
    "tasks before data": lambda text: "\n".join(
        ["# @package _global_", text[text.index("tasks:") :], text[text.index("data:") : text.index("tasks:")]]
    ),
    "a task in lines of its own": lambda text: text.replace(
        "  price: {type: regression}", "  price:\n    type: regression\n    huber_delta: 2\n"
    ),
    "wider indents": lambda text: (
        text[: text.index("tasks:")] + text[text.index("tasks:") :].replace("\n  ", "\n      ")
    ),
    "all columns are inputs": lambda text: (
        text[: text.index("  inputs:")] + "  inputs: null\n" + text[text.index("  future:") :]
    ),
}


@pytest.mark.parametrize("column", ["sold", "price in €", "${x}", "id", "rooms", "cost"])
@pytest.mark.parametrize("edit", EDITS)
def test_only_the_target_comes_and_its_input_goes(edit: str, column: str, capsys: pytest.CaptureFixture[str]) -> None:
    FILE.write_bytes(EDITS[edit](FILE.read_text(encoding="utf-8")).encode())
    before, old = plain(), FILE.read_bytes().decode()
    assert main(["init", "homes.csv", "--add-target", f'"{column}"']) == 0, capsys.readouterr().err
    now, new = plain(), FILE.read_bytes().decode()
    ((added, task),) = _new(before, now)
    assert (task.get("target") or added) == column.replace("${", "\\${") and task["type"]
    inputs = before["data"]["inputs"]
    left = None if inputs is None else [name for name in inputs if name != column.replace("${", "\\${")]
    assert now == before | {"data": before["data"] | {"inputs": left}, "tasks": before["tasks"] | {added: task}}
    gone = [line for line in old.splitlines() if line not in new.splitlines()]
    assert len(gone) <= 1 and all(line.lstrip().startswith("- ") for line in gone)
    assert ("\r\n" in new) == ("\r\n" in old) and new.count("\n") - new.count("\r\n") in (0, new.count("\n"))
    assert main(["check", "data=homes", "model.hidden=[4]"]) == 0


def _new(before: dict[str, Any], now: dict[str, Any]) -> list[tuple[str, Any]]:
    return [(name, task) for name, task in now["tasks"].items() if name not in before["tasks"]]


def test_several_at_a_time_by_the_option(capsys: pytest.CaptureFixture[str]) -> None:
    capsys.readouterr()
    assert main(["init", "homes", "--add-target", "sold,rooms"]) == 0
    assert list(plain()["tasks"]) == ["price", "sold", "rooms"]
    assert capsys.readouterr().out.splitlines()[-1] == "look at it, then: mtlrun check data=homes"


REFUSED = {
    "a target already": (lambda text: text, "price", "--add-target: price is a target in"),
    "no column": (lambda text: text, "solt", "--add-target: no column is named 'solt'; did you mean sold?"),
    "tasks in one line": (
        lambda text: text[: text.index("tasks:")] + "tasks: {price: {type: regression}}\n",
        "sold",
        "init: conf/data/homes.yaml is laid out in another way than init does, and stays as it is\n"
        "add below tasks: sold: {",
    ),
    "inputs in one line": (
        lambda text: text[: text.index("  inputs:")] + "  inputs: [area, sold]\n" + text[text.index("  future:") :],
        "sold",
        "init: conf/data/homes.yaml is laid out in another way",
    ),
    "no input left": (
        lambda text: text[: text.index("  inputs:")] + "  inputs:\n    - sold\n" + text[text.index("  future:") :],
        "sold",
        "--add-target: no input is left",
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_refused_changes_nothing(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    edit, column, answer = REFUSED[name]
    FILE.write_text(edit(FILE.read_text(encoding="utf-8")), encoding="utf-8")
    before = FILE.read_bytes()
    assert main(["init", "homes.csv", "--add-target", column]) == 2
    error = capsys.readouterr().err
    assert error.startswith(f"mtlrun: {answer}") and len(error.splitlines()) == 2
    assert FILE.read_bytes() == before


@pytest.mark.parametrize(
    ("words", "answer"),
    [
        (["init", "none.csv", "--add-target", "a"], "init: there is no conf/data/none.yaml\n"),
        (["init", "homes.csv"], "init: --targets is missing\n"),
        (["init", "homes.csv", "--targets", "a", "--add-target", "b"], "init: found --targets and --add-target\n"),
        (["init", "homes.csv", "--targets", "sold"], "init: conf/data/homes.yaml exists already"),
    ],
)
def test_wrong_requests(words: list[str], answer: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(words) == 2
    assert capsys.readouterr().err.startswith(f"mtlrun: {answer}")
