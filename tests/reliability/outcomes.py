"""What may come of any command whatever: a trained run, a named failure, or an answer of a line or two."""

import contextlib
import io
import os
import shutil
import signal
import tempfile
import warnings
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import FrameType

from commands import main

LIMIT = 60  # seconds: what takes longer hangs


@contextlib.contextmanager
def workplace() -> Iterator[Path]:
    """An empty working directory for one command, or a few."""
    before, folder = os.getcwd(), Path(tempfile.mkdtemp())
    os.chdir(folder)
    try:
        yield folder
    finally:
        os.chdir(before)
        shutil.rmtree(folder)


@contextlib.contextmanager
def limited(seconds: int) -> Iterator[None]:
    def hangs(signum: int, frame: FrameType | None) -> None:
        raise TimeoutError(f"still at work after {seconds} s")

    before = signal.signal(signal.SIGALRM, hangs)
    signal.alarm(seconds)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)


def outcome(words: Sequence[str], failing: str = "the run failed: diverged: the ", tidy: bool = True) -> int:
    """Runs a command; its exit status. Asserts that it ends in one of the ways in which one may.

    `failing`: how the words of one begin that has failed; `tidy`: a wrong request leaves nothing in outputs/
    """
    out, err = io.StringIO(), io.StringIO()
    with (
        contextlib.redirect_stdout(out),
        contextlib.redirect_stderr(err),
        limited(LIMIT),
        warnings.catch_warnings(record=True) as warned,
    ):
        warnings.simplefilter("always")
        warnings.simplefilter("ignore", DeprecationWarning)  # of libraries, for their own developers
        warnings.simplefilter("ignore", ResourceWarning)
        status = main(list(words))
    said = err.getvalue()
    assert status in (0, 1, 2), (status, said)
    assert "Traceback" not in said + out.getvalue(), said
    assert not warned, [str(w.message) for w in warned]
    assert all(line.isprintable() for line in (said + out.getvalue()).split("\n")), said
    lines = said.splitlines()
    if status == 0:
        assert not lines, said
    else:
        assert lines and lines[0].startswith("mtlrun: ") and len(lines) <= 2, said
        assert len(lines[0]) > len("mtlrun: x: "), said
    if status == 1:
        assert any(line.startswith(f"mtlrun: {failing}") for line in lines), said
    if status == 2 and tidy:
        assert not list(Path().glob("outputs/*/*")), "files were left behind"
    return status
