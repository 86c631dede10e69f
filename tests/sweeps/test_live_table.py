"""The table of settings while a sweep trains."""

import io
from typing import Any

import pytest
from rich.console import Console
from support import make_config

from mtlrun.sweeps.live_table import LiveTable

TASKS = {
    "price": {"type": "regression"},
    "sold": {"type": "binary"},
    "hint": {"type": "regression", "role": "auxiliary"},
}


def plan(settings: int = 3, seeds: int = 2, keys: int = 1) -> list[dict[str, Any]]:
    runs = [(value, seed) for value in range(settings) for seed in range(seeds)]
    return [
        {
            "run": f"{number:03d}_" + ",".join([*(f"key{k}={value}" for k in range(keys)), f"seed={seed}"]),
            "overrides": {**{f"key{k}": str(value) for k in range(keys)}, "seed": str(seed)},
        }
        for number, (value, seed) in enumerate(runs)
    ]


def summary(price: float, sold: float, skill: float = 0.5, by: str = "skill") -> dict[str, Any]:
    figures = {"test/price/rmse": price, "test/sold/auroc": sold, "test/hint/rmse": 9.0, "val/price/rmse": 7.0}
    return {"status": "completed", "figures": figures, "best": {"by": by, "value": skill}}


def table(jobs: list[dict[str, Any]]) -> LiveTable:
    return LiveTable(jobs, [make_config(tasks=TASKS)])


def shown(live: LiveTable, width: int = 80, height: int = 24, colours: bool = False) -> list[str]:
    out = io.StringIO()
    Console(file=out, width=width, force_terminal=colours, color_system="standard" if colours else None).print(
        live.table(width, height)
    )
    return [line.rstrip() for line in out.getvalue().splitlines()]


def test_seeds_are_folded_and_the_best_mean_is_bold() -> None:
    live = table(plan())
    assert [line.split() for line in shown(live)] == [["setting", "runs"], *([f"key0={i}", "0/2"] for i in range(3))]
    for number, (price, sold, skill) in enumerate([(10, 0.6, 0.2), (12, 0.8, 0.4), (8, 0.6, 0.5)]):
        live.ended(number, summary(price, sold, skill))
    assert [line.split() for line in shown(live)] == [
        ["skill", "price", "sold"],
        ["setting", "runs", "val", "↑", "rmse", "↓", "auroc", "↑"],
        ["key0=0", "2/2", "0.3", "11", "0.7"],
        ["key0=1", "1/2", "0.5", "8", "0.6"],
        ["key0=2", "0/2"],
    ]
    bold = [line for line in shown(live, colours=True) if "\x1b[1m" in line]
    assert len(bold) == 2 and bold[0].count("\x1b[1m") == 1 and bold[1].count("\x1b[1m") == 2


def test_failures_are_counted_and_the_last_is_named() -> None:
    live = table(plan())
    live.ended(0, {"status": "failed", "error": "diverged: the loss of price is nan\x1b[31m"})
    live.ended(2, None)
    text = "\n".join(shown(live))
    assert "failed" in text and "last failure: run 3: failed" in text and "\x1b" not in text
    assert shown(live)[1].split() == ["key0=0", "1/2", "1"]


@pytest.mark.parametrize(("width", "height"), [(80, 24), (60, 12), (120, 40)])
@pytest.mark.parametrize("keys", [1, 12])
def test_it_fits_any_terminal(width: int, height: int, keys: int) -> None:
    live = table(plan(settings=60, keys=keys))
    for number in range(120):
        live.ended(number, summary(100 - number, 0.5 + number / 1000, number / 120))
    lines = shown(live, width, height)
    assert len(lines) < height and max(map(len, lines)) <= width
    assert "key0=59" in "\n".join(lines) if keys == 1 else "=59" in "\n".join(lines)  # the best is among them
    assert any(line.startswith("and ") and "more settings" in line for line in lines)


def test_scores_of_another_kind_and_runs_without_test_rows() -> None:
    live = table(plan())
    found = summary(1, 0.5, by="price")
    found["figures"] = {"val/price/rmse": 7.0}
    live.ended(0, found)
    assert [line.split() for line in shown(live)][:3] == [
        ["price"],
        ["setting", "runs", "rmse", "↓"],
        ["key0=0", "1/2", "7"],
    ]
