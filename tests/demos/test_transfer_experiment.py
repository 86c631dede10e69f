"""experiment=transfer: the problem, and how the page of evidence reads the answer."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy.stats import ttest_rel

from evidence.row import Runs
from evidence.transfer import ROWS
from mtlrun.cli.main import main
from mtlrun.data.problems import synthetic_table


def test_the_problem_is_what_its_formula_says() -> None:
    table = synthetic_table("transfer")
    assert table.shape == (60_000, 27)
    x, targets = table.iloc[:, :20].to_numpy(), table.iloc[:, 20:].to_numpy()
    # seven signals of unit variance, in four directions, and the noise of 0.3 in each
    np.testing.assert_allclose(targets.var(0), 1 + 0.3**2, rtol=0.02)
    spectrum = np.linalg.eigvalsh(np.cov(targets.T))[::-1]
    assert spectrum[3] > 3 * spectrum[4] and spectrum[4:] == pytest.approx(0.3**2, rel=0.05)
    # inputs: three directions, and noise of 0.2 in the others
    inputs = np.linalg.eigvalsh(np.cov(x.T))[::-1]
    assert inputs[:3].min() > 5 * inputs[3] and inputs[-10:].mean() == pytest.approx(0.2**2, rel=0.15)


def test_the_page_reads_the_answer_off_the_sweeps_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The row of the page against the same figures by numpy and scipy, from a sweep cut short."""
    monkeypatch.chdir(tmp_path)
    words = ["experiment=transfer", "seed=range(4)", "trainer.max_steps=60", "hydra.sweep.dir=s"]
    assert main([*words, "hydra.launcher.processes=1"]) == 0
    (row,) = ROWS
    measured = row.measure(Runs(Path("s")))
    frame = pd.read_csv("s/results.csv")
    arms = {name: own["test/new/rmse"].to_numpy() for name, own in frame.groupby(np.repeat(range(4), 4))}
    scratch, frozen, _, shuffled = arms.values()
    p = ttest_rel(frozen, scratch).pvalue
    holds = p < 0.01 and frozen.mean() < scratch.mean() and ttest_rel(frozen, shuffled).pvalue < 0.01
    assert measured.holds == bool(holds and frozen.mean() < shuffled.mean())
    assert f"{scratch.mean():.3f} from scratch" in measured.text and f"{frozen.mean():.3f} ±" in measured.text
    assert f"{shuffled.mean():.3f}" in measured.text and "4 seeds" in measured.text
