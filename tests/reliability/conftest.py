"""A working directory with a small table."""

from pathlib import Path

import pytest
from small_table import YAML, houses


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working directory with the table and a data option for it."""
    monkeypatch.chdir(tmp_path)
    Path("conf/data").mkdir(parents=True)
    Path("conf/data/houses.yaml").write_text(YAML)
    houses().to_csv("houses.csv", index=False)
    return tmp_path
