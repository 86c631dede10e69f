"""What `mtlrun check` prints of a run: short by default, whole if asked."""

import os
import pty
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml

from mtlrun.cli.main import main

ROWS = 300
WIDE = [f"column_{i:03}" for i in range(260)]


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A working directory with a usual table and one of 300 columns, of which twelve are constant."""
    monkeypatch.chdir(tmp_path)
    rng = np.random.default_rng(0)
    area, kinds = rng.normal(60, 20, ROWS), rng.choice(["flat", "house", "villa", "hut", "tent"], ROWS)
    usual = {"area": area, "rooms": rng.integers(1, 6, ROWS), "city": rng.choice(["Bonn", "Rom"], ROWS)}
    usual |= {"price": area + rng.normal(0, 20, ROWS), "kind": kinds, "sold": rng.choice(["no", "yes"], ROWS)}
    pd.DataFrame(usual).to_csv("usual.csv", index=False)
    wide = {name: rng.normal(size=ROWS) for name in WIDE} | {f"flat_{i}": 1.0 for i in range(12)}
    wide |= {f"word_{i}": rng.choice(["a", "b"], ROWS) for i in range(8)}
    wide |= {f"y{i}": rng.normal(size=ROWS) for i in range(20)}
    pd.DataFrame(wide).to_csv("wide.csv", index=False)


USUAL = ["data.path=usual.csv", "tasks={price: {type: regression}, kind: {}, sold: {}}"]
TASKS = [f"y{i}" for i in range(20)]
WIDE_TABLE = ["data.path=wide.csv", f"tasks={{{', '.join(f'{name}: {{}}' for name in TASKS)}}}"]


def shown(words: list[str], capsys: pytest.CaptureFixture[str]) -> str:
    assert main(["check", *words]) == 0
    return capsys.readouterr().out


def titles(text: str) -> list[str]:
    return [line.split()[0] for line in text.splitlines() if not line.startswith(" ")]


@pytest.mark.parametrize("words", [USUAL, WIDE_TABLE], ids=["usual", "wide"])
def test_a_table_takes_15_to_30_lines_and_problems_come_first(
    words: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    text = shown(words, capsys)
    assert titles(text)[:7] == ["warnings", "table", "tasks", "inputs", "split", "graph", "training"]
    assert 15 <= len(text.splitlines()) <= (25 if words is USUAL else 30)
    assert "null" not in text and not Path("outputs").exists()


def test_what_is_learnt_from_what(capsys: pytest.CaptureFixture[str]) -> None:
    lines = [line[10:] for line in shown(USUAL, capsys).splitlines()]
    assert lines[2].split() == ["task", "type", "train", "val", "test", "labels", "of", "train"]
    assert [line.split()[:5] for line in lines[3:6]] == [
        [task, kind, "210", "45", "45"]
        for task, kind in {"price": "regression", "kind": "categorical", "sold": "binary"}.items()
    ]
    assert "  5 classes: " in lines[4] and lines[4].endswith(" and 2 more") and lines[5].endswith("; positive: yes")
    assert {"2 numbers: area, rooms", "1 text column (number of categories): city 2"} <= set(lines)
    assert "train 210, val 45, test 45 rows; at random, data.split.seed=0" in lines


def test_long_lists_are_shortened_unless_all_is_asked_for(capsys: pytest.CaptureFixture[str]) -> None:
    text = shown(WIDE_TABLE, capsys)
    assert "272 numbers: column_000, column_001" in text and " and 266 more\n" in text
    assert "flat_5 and 6 more: every value is 1\n" in text and "and 10 more: mtlrun check --all\n" in text
    whole = shown([*WIDE_TABLE, "--all"], capsys)
    assert all(name in whole for name in WIDE)
    assert all(f" {name} " in whole for name in TASKS) and " more" not in whole


def test_the_configuration_is_printed_if_asked_for(capsys: pytest.CaptureFixture[str]) -> None:
    text = shown([*USUAL, "--config"], capsys)
    assert titles(text)[-1] == "settings"
    settings = yaml.safe_load("\n".join(line[10:] for line in text[text.index("\nsettings ") + 1 :].splitlines()))
    assert settings["tasks"]["price"]["type"] == "regression" and settings["data"]["split"]["train"] == 0.7


@pytest.mark.parametrize("colours", [True, False])
def test_a_terminal_shows_problems_in_colour_and_breaks_lines(colours: bool) -> None:
    parent, child = pty.openpty()
    environment = {k: v for k, v in os.environ.items() if k not in ("NO_COLOR", "FORCE_COLOR")} | {
        "COLUMNS": "80",
        "TERM": "xterm",
        **({} if colours else {"NO_COLOR": "1"}),
    }
    code = "import sys; from mtlrun.cli.main import main; sys.exit(main(sys.argv[1:]))"
    done = subprocess.Popen([sys.executable, "-c", code, "check", *WIDE_TABLE], stdout=child, env=environment)
    os.close(child)
    text = b""
    while chunk := _read(parent):
        text += chunk
    assert done.wait() == 0
    assert (b"\x1b[1;33mwarnings" in text) == colours
    plain = [_without_codes(line) for line in text.decode().splitlines()]
    assert plain[0].startswith("warnings  flat_0, flat_1") and max(map(len, plain)) <= 80


def _read(descriptor: int) -> bytes:
    """What a terminal shows next; nothing once its program has ended."""
    try:
        return os.read(descriptor, 65_536)
    except OSError:
        return b""


def _without_codes(line: str) -> str:
    return re.sub(r"\x1b\[[0-9;]*m", "", line)
