"""What a person sees of a sweep: its words, on a terminal and without one."""

import os
import pty
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from mtlrun.storage import progress
from mtlrun.storage.progress import SweepProgress
from mtlrun.storage.training_end import TrainingEnd, stalled_advice


def display(**settings: bool) -> SweepProgress:
    return SweepProgress(8, 2, {0: 300, 1: 300}, lambda numbers: [f"run {n} has ended" for n in numbers], **settings)


def test_runs_steps_rate_and_time_left(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [100.0]
    monkeypatch.setattr(progress.time, "monotonic", lambda: now[0])
    shown = display()
    assert shown.text() == "2 of 8 runs  0 of at most 600 steps"
    shown.steps(0, 1000, 300)  # resumed: what was taken before does not count
    now[0] += 10
    shown.steps(0, 1200, 100)
    assert shown.text() == "2 of 8 runs  200 of at most 600 steps  20 steps/s  0:00:20 left"
    shown.stack_ended(0)  # earlier than at most
    assert shown.text() == "2 of 8 runs  200 of at most 500 steps  20 steps/s  0:00:15 left"


def test_halves_share_what_their_stack_had_left() -> None:
    shown = display()
    shown.halved(0, {2: 1, 3: 2})
    assert shown.left == {1: 300, 2: 100, 3: 200}
    shown.stack_ended(0)  # its process ends after that
    assert shown.left == {1: 300, 2: 100, 3: 200} and not shown.taken


def test_lines_without_a_terminal(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    now = [0.0]
    monkeypatch.setattr(progress.time, "monotonic", lambda: now[0])
    with display() as shown:
        assert shown.bar is None
        shown.ended([4])
        shown.refresh()  # too early for a line
        now[0] = progress.LINE_SECONDS + 1
        shown.steps(1, 0, 300)
        shown.refresh()
        shown.refresh()
    assert capsys.readouterr().out == "run 4 has ended\n3 of 8 runs  0 of at most 600 steps\n"


@pytest.mark.parametrize("alone", [True, False])
def test_a_bar_where_no_other_process_writes(alone: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    with display(alone=alone) as shown:
        assert (shown.bar is not None) is alone


def test_on_a_terminal_lines_stay_whole(tmp_path: Path) -> None:
    terminal, end = pty.openpty()
    words = [
        "-m",
        "data=diamonds",
        "data.train_rows=500",
        "only=[price]",
        "seed=range(4)",
        "trainer.epochs=2",
        "trainer.threads=1",
        "hydra.launcher.processes=2",
        "hydra.sweep.dir=s",
    ]
    environment = os.environ | {"TERM": "xterm", "COLUMNS": "200", "PYTHONPATH": os.pathsep.join(sys.path)}
    command = [sys.executable, "-m", "mtlrun", *words]
    process = subprocess.Popen(command, cwd=tmp_path, stdin=end, stdout=end, stderr=end, env=environment)
    os.close(end)
    shown = b""
    while True:
        try:
            chunk = os.read(terminal, 1 << 16)
        except OSError:  # Linux says so where nobody has the other side any more
            break
        if not chunk:
            break
        shown += chunk
    os.close(terminal)
    assert process.wait() == 0
    text = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", shown.decode())
    lines = [line.strip() for line in re.split(r"[\r\n]+", text) if line.strip()]
    assert not [line for line in lines if line.startswith("run ")]
    assert any(re.fullmatch(r"all seeds +4/4 +-?[\d.]+ +\d+", line) for line in lines)
    log = (tmp_path / "s/sweep.log").read_text().splitlines()
    assert len(log) == 4 and all(
        re.search(r" INFO run \d of 4: 00\d_seed=\d  price rmse \d+  \(\d\.\d s\)$", line) for line in log
    )
    assert any(re.search(r"\d of 4 runs  [\d,]+ of at most [\d,]+ steps", line) for line in lines)
    assert "Traceback" not in text


ENDS: dict[str, tuple[int | None, TrainingEnd, list[str]]] = {
    "trained": (None, TrainingEnd(), []),
    "improving": (
        None,
        TrainingEnd(improving=True),
        ["still improving when it ended: train longer: trainer.epochs=40"],
    ),
    "improving, limited": (
        40,
        TrainingEnd(improving=True),
        ["still improving when it ended: train longer: trainer.epochs=40 trainer.max_steps=400"],
    ),
    "few": (80, TrainingEnd(few_steps=True), ["only 40 steps: train longer: trainer.epochs=40"]),
    "stalled": (
        None,
        TrainingEnd(stalled=True),
        ["val was best at step 40, at the beginning, and stopped improving: a smaller lr.base may help"],
    ),
    "below": (
        None,
        TrainingEnd(skills={"a": -0.25, "b": 0.25}),
        ["below the trivial predictor on val, which knows no inputs: a (skill -0.25)"],
    ),
}


@pytest.mark.parametrize(
    ("models", "said"),
    [
        ([{"dropout": 0.1}, {"dropout": 0.0}], "a smaller lr.base or a larger model.dropout may help"),
        ([{"dropout": 0.1}, {"name": "point"}], "a smaller lr.base may help"),
    ],
)
def test_dropout_is_advised_where_every_model_has_it(models: list[dict[str, Any]], said: str) -> None:
    assert stalled_advice([model or {} for model in models]) == said


@pytest.mark.parametrize("case", ENDS)
def test_a_run_ends_with_what_is_to_be_said_of_its_training(case: str) -> None:
    most, end, said = ENDS[case]
    summary = {
        "settings": {"trainer": {"epochs": 4, "max_steps": most}},
        "steps": 40,
        "seconds": 1.0,
        "best": {"step": 40, "epoch": 4, "by": "skill", "value": 0.5},
        "figures": {"test/a/rmse": 1.0},
        "trivial": {"test/a/rmse": 2.0},
    }
    lines = progress.closing_lines(summary, end, {"a": "regression"}, {"a": "rmse"})
    assert lines[2:] == said
