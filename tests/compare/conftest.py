from pathlib import Path

import pytest
from folders import Outputs

from mtlrun.compare.report.pictures import all_pictures


@pytest.fixture
def outputs(tmp_path: Path) -> Outputs:
    """An empty folder of runs."""
    return Outputs(tmp_path / "outputs")


@pytest.fixture
def without_pictures(monkeypatch: pytest.MonkeyPatch) -> None:
    """For a test of other things: the pictures are most of what `mtlrun compare` takes."""
    monkeypatch.setattr(all_pictures, "PICTURES", ())
