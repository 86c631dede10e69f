from pathlib import Path

import pytest
from folders import Outputs


@pytest.fixture
def outputs(tmp_path: Path) -> Outputs:
    """An empty folder of runs."""
    return Outputs(tmp_path / "outputs")
