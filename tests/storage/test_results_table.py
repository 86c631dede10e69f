"""The table of a sweep, derived from its plan and from what its runs have come to."""

import csv
import json
import threading
from pathlib import Path
from typing import Any

from mtlrun.storage.files import write_text
from mtlrun.storage.results_table import Best, best, rebuild
from mtlrun.storage.summary import EMPTY, record_end
from mtlrun.storage.sweep_folder import read_plan, write_plan

PLAN = [
    {"run": "000_loss=sum", "overrides": {"loss": "sum", "seed": "0"}},
    {
        "run": "001_loss=fixed",
        "overrides": {"loss": "fixed", "loss.weights.a": "2", "~tasks.c": "null", "hydra.x": "1"},
    },
    {"run": "002_loss=fixed", "overrides": {"loss": "fixed", "only": "[a,b]"}},
]


def summary(folder: Path, **content: Any) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    write_text(folder / "summary.json", json.dumps({"schema": 1, "status": "completed", "error": None, **content}))


def table(folder: Path) -> list[dict[str, str]]:
    with open(folder / "results.csv", newline="") as file:
        return list(csv.DictReader(file))


def test_before_the_start_all_are_pending(tmp_path: Path) -> None:
    write_plan(tmp_path / "s", PLAN)
    rebuild(tmp_path / "s")
    rows = table(tmp_path / "s")
    assert list(rows[0]) == ["run", "status", "loss", "seed", "loss.weights.a", "only", "seconds", "error"]
    assert [row["status"] for row in rows] == ["pending"] * 3
    assert rows[1]["loss.weights.a"] == "2" and rows[0]["loss.weights.a"] == "" and rows[2]["only"] == "[a,b]"
    assert read_plan(tmp_path / "s") == PLAN


def test_rows_follow_the_summaries(tmp_path: Path) -> None:
    write_plan(tmp_path, PLAN)
    summary(tmp_path / "000_loss=sum", figures={"val/a/rmse": 0.1, "test/a/rmse": 1 / 3}, seconds=1.5)
    (tmp_path / "001_loss=fixed").mkdir()
    summary(tmp_path / "002_loss=fixed", status="failed", error="no\n  luck", figures={"val/b/auroc": 0.5})
    rebuild(tmp_path)
    rows = table(tmp_path)
    assert list(rows[0])[-5:] == ["val/a/rmse", "test/a/rmse", "val/b/auroc", "seconds", "error"]
    assert [row["status"] for row in rows] == ["completed", "running", "failed"]
    assert float(rows[0]["test/a/rmse"]) == 1 / 3 and rows[0]["seconds"] == "1.5" and rows[0]["val/b/auroc"] == ""
    assert rows[2]["error"] == "no luck"
    assert [row["status"] for row in rebuild(tmp_path, ended=True)] == ["completed", "interrupted", "failed"]
    assert sorted(p.name for p in tmp_path.iterdir() if p.is_file()) == [".results.lock", "results.csv", "sweep.json"]


def test_many_writers_leave_a_whole_table(tmp_path: Path) -> None:
    plan = [{"run": f"{i:03d}", "overrides": {"seed": str(i)}} for i in range(20)]
    write_plan(tmp_path, plan)

    def work(job: dict[str, Any]) -> None:
        summary(tmp_path / job["run"], figures={"val/a/rmse": 1.0})
        rebuild(tmp_path)
        assert len(table(tmp_path)) == 20

    threads = [threading.Thread(target=work, args=[job]) for job in plan]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [row["status"] for row in table(tmp_path)] == ["completed"] * 20


def test_record_end_keeps_a_final_status(tmp_path: Path) -> None:
    record_end(tmp_path, "failed", "boom")
    written = json.loads((tmp_path / "summary.json").read_text())
    assert written == {**EMPTY, "status": "failed", "error": "boom"}
    record_end(tmp_path, "interrupted")
    assert json.loads((tmp_path / "summary.json").read_text())["status"] == "failed"
    summary(tmp_path, status="running", seed=4)
    record_end(tmp_path, "interrupted")
    written = json.loads((tmp_path / "summary.json").read_text())
    assert written == {**EMPTY, "status": "interrupted", "seed": 4}


def completed(run: str, figures: dict[str, float], **overrides: str) -> dict[str, Any]:
    """A row of a completed run."""
    return {"run": run, "status": "completed", "overrides": overrides, "figures": figures}


def test_best_follows_the_direction_of_the_metric() -> None:
    rows = [
        completed("0", {"val/a/rmse": 2.0, "val/b/auroc": 0.6, "val/a/r2": 0.1}, loss="sum"),
        completed("1", {"val/a/rmse": 1.0, "val/b/auroc": 0.5, "val/a/r2": 0.9}, loss="dwa"),
        completed("2", {"val/a/rmse": 0.0, "val/b/auroc": 1.0}, loss="gls") | {"status": "failed"},
    ]
    assert best(rows, "a", None) == Best("1", "val/a/rmse", 1.0, 1, 2)
    assert best(rows, "a", "r2") == Best("1", "val/a/r2", 0.9, 1, 2)
    assert best(rows, "b", None) == Best("0", "val/b/auroc", 0.6, 1, 2)
    assert best(rows, "c", None) is None


def test_the_best_setting_is_best_in_the_mean_over_the_seeds_that_all_share() -> None:
    """A lucky seed wins nothing, nor does a setting whose difficult seed failed."""
    figures = {"sum": [1.0, 9.0, 9.0], "dwa": [4.0, 4.0, 4.0], "gls": [3.0, None, 9.0]}
    rows = [
        completed(f"{loss},seed={seed}", {} if value is None else {"val/a/rmse": value}, loss=loss, seed=str(seed))
        for loss, values in figures.items()
        for seed, value in enumerate(values)
    ]
    assert best(rows, "a", None) == Best("dwa,seed=0", "val/a/rmse", 4.0, 2, 3)
    apart = [completed("0", {"val/a/rmse": 1.0}, loss="sum", seed="0"), completed("1", {"val/a/rmse": 2.0}, seed="1")]
    assert best(apart, "a", None) is None
