"""A working directory with a table of three tasks: two numbers and a class, each with labels in some rows only."""

from pathlib import Path

import pytest
from plots import write_plots


@pytest.fixture(autouse=True)
def here(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working directory with the table."""
    folder = tmp_path_factory.mktemp("here")
    write_plots(folder)
    monkeypatch.chdir(folder)
    return folder
