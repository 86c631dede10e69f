"""GradNorm on its paper's synthetic problem."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from mtlrun.cli.main import main


def normalised_loss(table: pd.DataFrame) -> pd.Series:
    """Σ_t L_t / L_t(0) on test of each run: a network's outputs are near 0 at first, as the targets' means are."""
    return 10 - table[[f"test/t{i:02d}/r2" for i in range(10)]].sum(axis=1)


@pytest.mark.slow
def test_gradnorm_is_below_equal_weights_on_ten_tasks_of_different_scales(tmp_path: Path) -> None:
    words = ["experiment=gradnorm_toy", "seed=range(3)", "trainer.tensorboard=false"]
    assert main([*words, f"hydra.sweep.dir={tmp_path / 'out'}"]) == 0
    table = pd.read_csv(tmp_path / "out" / "results.csv")
    lost = normalised_loss(table).groupby([table["loss"], table["loss.alpha"].fillna(0)]).agg(["min", "max"])
    assert len(table) == 9 and np.isfinite(lost).all(axis=None)
    equal = lost.loc["sum", 0.0]
    for alpha in (0.12, 1.5):
        assert lost.loc["gradnorm", alpha]["max"] < 0.75 * equal["min"]
