"""Generated problems: the same table each time, as their formulas say, split as any other."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from mtlrun_demos.extension import EXTENSION
from scipy.stats import ttest_rel
from support import by_rule

from mtlrun.cli.main import main
from mtlrun.compose import compose, single
from mtlrun.data.dataset import load_dataset
from mtlrun.data.problems import DECIMALS, PROBLEMS, synthetic_table


@pytest.mark.parametrize("name", EXTENSION.problems)
def test_a_problem_is_the_same_table_each_time(name: str) -> None:
    one, two = synthetic_table(name), synthetic_table(name)
    assert one.equals(two) and not np.isinf(one.to_numpy()).any()
    np.testing.assert_array_equal(one, np.round(one, DECIMALS))
    assert PROBLEMS[name].__doc__


def test_extra_data_is_what_its_formula_says() -> None:
    table = synthetic_table("extra_data")
    assert table.shape == (100_000, 32)
    x, a, b = table.iloc[:, :30].to_numpy(), table["a"].to_numpy(), table["b"].to_numpy()
    assert a.var() == pytest.approx(1 + 0.2**2, rel=0.02) and b.var() == pytest.approx(1 + 0.5**2, rel=0.03)
    # signals of unit variance that share 0.8 of it
    assert np.cov(a, b)[0, 1] == pytest.approx(0.8, abs=0.03)
    # three directions and the noise of 0.2 in each of the others
    spectrum = np.linalg.eigvalsh(np.cov(x.T))[::-1]
    assert spectrum[:3].min() > 10 * spectrum[3] > 0
    assert spectrum[-20:].mean() == pytest.approx(0.2**2, rel=0.15)
    # what a line explains of a is little: the features are nonlinear
    inputs = np.column_stack([x, np.ones(len(x))])
    left = a - inputs @ np.linalg.lstsq(inputs, a, rcond=None)[0]
    assert 0.2 < left.var() < 0.9


def test_two_groups_are_what_their_formula_says() -> None:
    table = synthetic_table("two_groups")
    assert table.shape == (3_000, 22)
    tasks = table[["a0", "a1", "a2", "b0", "b1", "b2"]].to_numpy()
    angles = np.corrcoef(tasks.T)
    within = [angles[i, j] for i in range(6) for j in range(i) if i // 3 == j // 3]
    between = [angles[i, j] for i in range(6) for j in range(i) if i // 3 != j // 3]
    assert min(within) > 0.6 and np.abs(between).max() < 0.4
    x = table.iloc[:, :16].to_numpy()
    assert x.std(0) == pytest.approx(np.ones(16), rel=0.05)
    slopes = np.linalg.lstsq(x, tasks, rcond=None)[0]  # [16, 6]
    assert np.linalg.matrix_rank(slopes, tol=0.1) == 6  # no task says what another does


def test_a_synthetic_table_is_split_by_the_seed_as_any_other() -> None:
    one, two = (load_dataset(single(compose(["data=extra_data", f"seed={s}"]))) for s in (0, 1))
    assert {p: len(r) for p, r in one.split.parts().items()} == {"train": 600, "val": 600, "test": 2000}
    assert one.hash == two.hash and len(one.spec.columns) == 30
    assert one.targets["a"].observed[one.split.train].sum() == 60
    assert one.targets["b"].observed[one.split.train].sum() == 600
    both = len(np.intersect1d(one.split.train, two.split.train))
    assert both < 15  # 3.6 by chance


def test_check_shows_what_is_left_of_training_labels_that_were_cut(capsys: pytest.CaptureFixture[str]) -> None:
    words = ["tasks.a.shuffle=true", "tasks.a.unit=metres", "tasks.b.train_rows_of=a", *by_rule()]
    assert main(["check", "data=extra_data", *words]) == 0
    text = capsys.readouterr().out
    rows = {line.split()[0]: line.split()[1:5] for line in text.splitlines() if " regression " in line}
    assert rows == {name: ["regression", "60", "600", "2,000"] for name in "ab"}
    assert " a: 60 labels of train kept at random; labels of train shuffled\n" in text
    assert " metres, std " in text
    assert " b: only labels of train in rows with one of a\n" in text
    assert text.startswith("warnings  none\n")


@pytest.mark.slow
def test_the_arms_of_extra_data_differ_as_they_are_made_to(tmp_path: Path) -> None:
    """Each against `a` alone, paired by seed: Student's t-test over 30 seeds that share few rows."""
    words = ["experiment=extra_data", "data=extra_data", "seed=range(30)", "trainer.tensorboard=false"]
    assert main([*words, f"hydra.sweep.dir={tmp_path / 'out'}"]) == 0
    arms = [job["arm"] for job in json.loads((tmp_path / "out" / "sweep.json").read_text())]
    table = pd.read_csv(tmp_path / "out" / "results.csv").assign(arm=arms)
    rmse = {
        arm if arm.startswith("1 alone,") else arm[0]: own.sort_values("seed")["test/a/rmse"].to_numpy()
        for arm, own in table.groupby("arm")
    }
    assert {"1", "2", "3", "4", "5", "6"} < set(rmse) and all(len(values) == 30 for values in rmse.values())
    gain = {arm: (rmse["1"] - values).mean() for arm, values in rmse.items()}
    p = {arm: ttest_rel(rmse["1"], values).pvalue for arm, values in rmse.items() if arm != "1"}
    assert p["2"] > 0.01 and abs(gain["2"]) < 0.5 * gain["3"]
    assert gain["3"] > 0 and p["3"] < 0.002
    assert p["4"] > 0.05
    assert gain["5"] > 0 and p["5"] < 0.01
    assert gain["6"] > 5 * gain["3"] and p["6"] < 1e-9
    assert main(["compare", str(tmp_path / "out"), "--format", "csv"]) == 0
    told = pd.read_csv(tmp_path / "out" / "compare" / "comparison.csv").set_index("label")["verdict"]
    assert told[["3 with b", "5 with inputs of b", "6 alone, all labels of a"]].tolist() == ["better"] * 3
    assert not told[["2 with b on rows of a", "4 with b shuffled"]].isin(["better", "worse"]).any()
