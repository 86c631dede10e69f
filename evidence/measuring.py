"""A row's command, run, and what its measure function reads off."""

import os
import subprocess
import sys
import time
import traceback
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

from evidence.row import Measured, Row, Runs

ROOT = Path(__file__).resolve().parents[1]
EVENTS = "trainer.tensorboard"
TESTS = "tests.xml"  # what pytest found, in the folder of a row whose command is a test


@dataclass(frozen=True)
class Result:
    """What a row came to. text: the figures, or why there are none; seconds: of its command; commit: of the code."""

    text: str
    holds: bool
    seconds: float
    commit: str

    def to_plain(self) -> dict[str, Any]:
        return asdict(self)


@dataclass
class Ran:
    """A command that was run: its folder, its exit status, the end of what it said, and how long it took."""

    folder: Path
    status: int
    said: str
    seconds: float


def command(row: Row) -> list[str]:
    """What is typed: `mtlrun experiment=NAME WORDS`; `pytest WORDS` of a row without an experiment."""
    return ["mtlrun", f"experiment={row.experiment}", *row.words] if row.experiment else ["pytest", *row.words]


def run(row: Row, folder: Path) -> Ran:
    """Runs the row's command with this code and without event files, into a folder that does not exist yet."""
    program, *words = command(row)
    if program == "mtlrun":
        quiet = [] if any(word.startswith(f"{EVENTS}=") for word in words) else [f"{EVENTS}=false"]
        words = [*words, *quiet, f"hydra.sweep.dir={folder}"]
    else:
        words = ["-q", "-p", "no:cacheprovider", f"--junitxml={folder / TESTS}", *words]
    paths = [str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])]
    began = time.monotonic()
    ended = subprocess.run(
        [sys.executable, "-m", program, *words],
        cwd=ROOT,
        capture_output=True,
        text=True,
        env=os.environ | {"PYTHONPATH": os.pathsep.join(paths)},
    )
    return Ran(folder, ended.returncode, ended.stderr.strip() or ended.stdout.strip(), time.monotonic() - began)


def measure(row: Row, ran: Ran, commit: str) -> Result:
    """The row's figures from a finished command; a command or function that fails gives a row that does not hold."""
    if ran.status and row.experiment:  # of tests the figures say more than the exit status
        last = ran.said.splitlines()[-1] if ran.said else "it said nothing"
        return Result(f"the command ended with {ran.status}: {last}", False, ran.seconds, commit)
    try:
        found = row.measure(Runs(ran.folder))
    except Exception as error:  # whatever is wrong with one row, the page is complete
        where = traceback.extract_tb(error.__traceback__)[-1]
        text = f"{type(error).__name__}: {error} ({Path(where.filename).name}:{where.lineno})"
        return Result(" ".join(text.split()), False, ran.seconds, commit)
    return Result(found.text, bool(found.holds), ran.seconds, commit)


def all_pass(runs: Runs) -> Measured:
    """The measure function of a row whose command is a test: some pass and none fails. None is skipped."""
    suite = next(ElementTree.parse(runs.folder / TESTS).iter("testsuite"))
    count, bad, skipped = (
        sum(int(suite.get(key, 0)) for key in keys) for keys in [("tests",), ("failures", "errors"), ("skipped",)]
    )
    passed = count - bad - skipped
    text = f"{passed} tests pass" + (f", {bad} fail" if bad else "") + (f", {skipped} skipped" if skipped else "")
    return Measured(text, passed > 0 and bad == skipped == 0)


def same_command(rows: Sequence[Row]) -> dict[tuple[str, ...], list[Row]]:
    """Rows by their command, which runs once for all of them."""
    by_command: dict[tuple[str, ...], list[Row]] = {}
    for row in rows:
        by_command.setdefault(tuple(command(row)), []).append(row)
    return by_command
