"""From folders to runs: what is found, and what damaged files are called."""

import json
import shutil

import pytest
from folders import Outputs

from mtlrun.compare.collect.folders import collect
from mtlrun.util.errors import RequestError


def conditions(outputs: Outputs, *below: str) -> dict[str, str]:
    collection = collect([outputs.root / name for name in below] if below else [outputs.root])
    return {finding.condition: finding.text for finding in collection.findings}


def test_runs_sweeps_and_folders_of_them_are_found_but_not_reports_and_hidden_folders(outputs: Outputs) -> None:
    outputs.run("one", {"a": 1.0, "b": 0.5})
    outputs.run("000_x", {"a": 1.0, "b": 0.5}, 1, sweep="deep/sweep", arm="B shuffled")
    shutil.copytree(outputs.root / "one", outputs.root / "deep/sweep/compare/one")
    shutil.copytree(outputs.root / "one", outputs.root / ".stacks/one")
    found = collect([outputs.root])
    assert [(run.name, run.arm, run.seed) for run in found.runs] == [("sweep/000_x", "B shuffled", 1), ("one", None, 0)]
    assert [run.sweep for run in found.runs] == [outputs.root / "deep/sweep", None]
    assert found.findings == ()
    single = collect([outputs.root / "deep/sweep/000_x"]).runs
    assert [(run.name, run.arm) for run in single] == [("sweep/000_x", "B shuffled")]


def test_settings_are_flat_without_nulls_and_without_tasks_that_are_not_trained(outputs: Outputs) -> None:
    outputs.run("one", {"a": 1.0}, 3, flat={"trainer.clip": None}, split_seed=None)
    run = collect([outputs.root]).runs[0]
    assert run.single_task and run.tasks == ("a",) and run.split_seed == 3
    assert run.settings["loss"] == "sum" and run.settings["only"] == ["a"] and run.settings["lr.base"] == 0.001
    assert "trainer.clip" not in run.settings and not any(key.startswith("tasks.b") for key in run.settings)


def test_what_is_wrong_with_files_is_named(outputs: Outputs) -> None:
    for name in ("whole", "cut", "short", "gone", "figureless", "damaged", "old"):
        outputs.run(name, {"a": 1.0, "b": 0.5})
    csv = {name: outputs.root / name / "metrics.csv" for name in ("cut", "short", "gone")}
    csv["cut"].write_text(csv["cut"].read_text()[:-4])
    csv["short"].write_text("epoch,step,split,task,metric,value\n1,10,val,a,rmse,1.0\n")
    csv["gone"].unlink()
    path = outputs.root / "figureless" / "summary.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"figures": {"val/a/rmse": 1.0}}))
    (outputs.root / "damaged" / "summary.json").write_text('{"schema": 1, ')
    (outputs.root / "old" / "summary.json").unlink()
    found = conditions(outputs)
    assert found == {
        "unfinished file": "cut: metrics.csv ends in the middle of a line; gone: there is no metrics.csv; "
        "short: metrics.csv ends before the figures on test",
        "no test figures": "figureless: completed, and has no figures on test",
        "unreadable": "damaged: summary.json cannot be read; damaged: no summary.json that can be read; "
        "old: no summary.json that can be read",
    }


def test_runs_of_a_plan_that_have_not_begun_or_ended_are_unfinished(outputs: Outputs) -> None:
    for name, status in (("000", "completed"), ("001", "interrupted"), ("002", "failed"), ("003", "running")):
        outputs.run(name, {"a": 1.0, "b": 0.5}, int(name), sweep="s", status=status)
    outputs.run("004", {"a": 1.0, "b": 0.5}, 4, sweep="s")
    shutil.rmtree(outputs.root / "s/004")
    statuses = [run.status for run in collect([outputs.root / "s"]).runs]
    assert statuses == ["completed", "unfinished", "failed", "unfinished", "unfinished"]


def test_the_same_run_counts_once_and_a_completed_one_before_others(outputs: Outputs) -> None:
    outputs.run("x/one", {"a": 1.0, "b": 0.5}, config_hash="h", status="interrupted")
    outputs.run("y/one", {"a": 2.0, "b": 0.5}, config_hash="h")
    outputs.run("z/one", {"a": 3.0, "b": 0.5}, config_hash="h")
    found = collect([outputs.root])
    assert [run.figures["test/a/rmse"] for run in found.runs] == [2.0]
    assert [f.condition for f in found.findings] == ["the same run twice"]
    assert collect([outputs.root / "y", outputs.root / "y/one"]).findings == ()  # the very same folder


def test_folders_that_hold_nothing(outputs: Outputs) -> None:
    with pytest.raises(RequestError, match=r"compare: there is no folder .*\nallowed: folders of runs"):
        collect([outputs.root / "none"])
    (outputs.root / "empty").mkdir(parents=True)
    with pytest.raises(RequestError, match="empty holds no runs\nallowed: "):
        collect([outputs.root / "empty"])
    outputs.run("new", {"a": 1.0, "b": 0.5}, schema=99)
    with pytest.raises(RequestError, match="schema 99, this mtlrun reads up to 1\nuse a newer mtlrun"):
        collect([outputs.root])


def test_remarks_of_a_search_belong_to_its_confirmation_alone(outputs: Outputs) -> None:
    for name in ("one", "other"):
        outputs.run(name, {"a": 1.0, "b": 0.5}, seed=len(name), sweep=name)
    remarks = outputs.root / "one/remarks.json"
    remarks.write_text('["The search paid."]')
    assert collect([outputs.root / "one"]).remarks == ("The search paid.",)
    assert collect([outputs.root / "one", outputs.root / "other"]).remarks == collect([outputs.root]).remarks == ()
    for damaged in ("", "{}", "[1]", "[" * 100_000, "\0"):
        remarks.write_text(damaged)
        found = collect([outputs.root / "one"])
        assert found.remarks == () and "remarks.json cannot be read" in found.findings[0].text
