"""Published tables recomputed: Δm, mean ranks, and that a sign can hang on how metrics are averaged.

published_tables.csv holds figures of Liu et al. (FAMO, NeurIPS 2023) and Navon et al. (Nash-MTL, ICML 2022), each row
with its source.
"""

import csv
from pathlib import Path

import numpy as np
import pytest

from mtlrun.statistics import delta_m_per_metric, delta_m_per_task, mean_rank, relative_drop

ROWS = list(csv.DictReader((Path(__file__).parent / "published_tables.csv").open()))


class Published:
    """One table: methods, figures `[M, K]`, directions `[K]`, each metric's task, what was published per method."""

    def __init__(self, name):
        rows = [row for row in ROWS if row["table"] == name]
        self.methods = list(dict.fromkeys(row["method"] for row in rows))
        columns = list(dict.fromkeys((row["task"], row["metric"]) for row in rows))
        self.tasks = [task for task, _ in columns]
        directions = {(row["task"], row["metric"]): row["higher_is_better"] == "1" for row in rows}
        self.higher = np.array([directions[column] for column in columns])
        found = {(row["method"], row["task"], row["metric"]): float(row["value"]) for row in rows}
        self.values = np.array([[found[method, *column] for column in columns] for method in self.methods])
        told = {row["method"]: row for row in rows if row["method"] != "STL"}
        self.delta_m = {method: float(row["published_delta_m_percent"]) for method, row in told.items()}
        self.ranks = {method: float(row["published_mean_rank"]) for method, row in told.items()}

    def drops(self):
        """One array `[M, J_k]` per task, against the single-task nets."""
        all_drops = relative_drop(self.values, self.values[self.methods.index("STL")], self.higher)
        return [all_drops[:, [t == task for t in self.tasks]] for task in dict.fromkeys(self.tasks)]


@pytest.fixture(scope="module", params=["nyuv2", "cityscapes", "qm9"])
def table(request):
    return request.param, Published(request.param)


def test_delta_m_per_metric(table):
    name, published = table
    found = dict(zip(published.methods, delta_m_per_metric(published.drops()), strict=True))
    assert found["STL"] == 0
    within = {"nyuv2": 0.02, "cityscapes": 0.10, "qm9": 1.7}[name]  # QM9's figures have two or three digits
    rounded = {m: round(float(found[m]), 2) for m in published.delta_m}  # as many digits as were published
    off = {m: rounded[m] for m, told in published.delta_m.items() if round(abs(rounded[m] - told), 2) > within}
    assert off == ({"IMTLG": -0.60} if name == "nyuv2" else {})
    assert len(published.delta_m) == {"nyuv2": 12, "cityscapes": 11, "qm9": 11}[name]


def test_what_the_sign_hangs_on():
    published = Published("nyuv2")
    plain_sum = published.methods.index("LS")
    assert delta_m_per_metric(published.drops())[plain_sum] == pytest.approx(5.59, abs=0.005)
    assert delta_m_per_task(published.drops())[plain_sum] == pytest.approx(-0.88, abs=0.005)


def test_mean_ranks_of_nyuv2_exactly():
    """Among the twelve multi-task methods; the single-task row does not take part."""
    published = Published("nyuv2")
    methods = [m for m in published.methods if m != "STL"]
    found = mean_rank(published.values[[published.methods.index(m) for m in methods]], published.higher)
    assert {m: round(r, 2) for m, r in zip(methods, found, strict=True)} == published.ranks


def test_which_published_ranks_can_be_ranks():
    """They average (M + 1)/2 where they are 1-based ranks; QM9's do not, by 1."""
    averages = {name: np.mean(list(Published(name).ranks.values())) for name in ("nyuv2", "cityscapes", "qm9")}
    assert averages == pytest.approx({"nyuv2": 13 / 2, "cityscapes": 12 / 2, "qm9": 12 / 2 - 1}, abs=0.01)
