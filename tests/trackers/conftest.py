"""A finished sweep of four runs, and copies of it."""

import shutil
from pathlib import Path

import pytest

from mtlrun.cli.main import main


@pytest.fixture(scope="session")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("trackers") / "sweep"
    words = ["data.train_rows=300", "loss=sum,uncertainty", "seed=0,1", "trainer.epochs=2"]
    assert main(["-m", *words, "trainer.tensorboard=false", f"hydra.sweep.dir={folder}"]) == 0
    return folder


@pytest.fixture
def sweep(trained: Path, tmp_path: Path) -> Path:
    """A sweep that the test may change."""
    return Path(shutil.copytree(trained, tmp_path / "sweep"))
