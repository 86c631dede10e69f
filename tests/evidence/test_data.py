"""What the rows of real tables read off a sweep's files."""

from pathlib import Path

import pandas as pd
import pytest

from evidence.data import ALONE, SHARED, mean_auc, tox21, yeast
from evidence.row import Runs


def runs(shared: float, alone: float, seeds: int = 5) -> Runs:
    """Two tasks: a net for both with AUCs about `shared`, and one for each about `alone`."""
    rows = []
    for seed in range(seeds):
        shift = 0.001 * seed
        rows.append({"label": SHARED, "test/a/auroc": shared + shift, "test/b/auroc": shared - 0.02})
        rows += [{"label": ALONE, f"test/{task}/auroc": alone - shift + at} for task, at in (("a", 0.1), ("b", -0.1))]
        for row in rows[-3:]:
            row |= {"seed": seed, "test/a/loss": 0.5}
    found = Runs(Path("nowhere"))
    found.__dict__["frame"] = pd.DataFrame(rows)
    return found


def test_the_mean_is_over_tasks_whether_one_run_has_them_or_each_its_own() -> None:
    found = runs(0.8, 0.7)
    assert mean_auc(found, SHARED).tolist() == pytest.approx([0.79 + 0.0005 * seed for seed in range(5)])
    assert mean_auc(found, ALONE).tolist() == pytest.approx([0.7 - 0.001 * seed for seed in range(5)])
    found.frame.loc[1, "test/a/auroc"] = None
    with pytest.raises(KeyError, match="alone"):
        mean_auc(found, ALONE)


def test_criteria() -> None:
    text, holds = tox21(runs(0.8, 0.7))
    assert holds and text.startswith(
        "mean AUC .791 ± .001 hard sharing, .698 ± .002 alone; difference +.093 ± .003 (5/5,"
    )
    assert not tox21(runs(0.78, 0.7)).holds
    assert yeast(runs(0.8, 0.79)).holds and not yeast(runs(0.7, 0.72)).holds
