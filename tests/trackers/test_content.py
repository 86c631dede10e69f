"""What is sent of runs and sweeps, without any tool."""

import csv
import json
import shutil
from pathlib import Path

import pytest
from sent import contents

from mtlrun.trackers.content import as_text, content_of_sweep, in_batches
from mtlrun.util.errors import RequestError


def test_settings_final_figures_and_files(sweep: Path) -> None:
    run = contents(sweep)[2]
    summary = json.loads((run.folder / "summary.json").read_text())
    assert run.name == "002_loss=uncertainty,seed=0" and run.project == "diamonds"
    assert run.params["loss"] == "uncertainty" and run.params["model.hidden"] == [64, 64]
    assert None not in run.params.values()
    assert run.figures["test/price/rmse"] == summary["figures"]["test/price/rmse"]
    assert run.figures["val_selected/price/rmse"] == summary["figures"]["val/price/rmse"]
    assert run.figures["trivial/test/price/rmse"] == summary["trivial"]["test/price/rmse"]
    assert run.figures["steps"] == summary["steps"] and run.figures["seconds"] == summary["seconds"]
    assert run.tags["mtlrun.config_hash"] == summary["config_hash"]
    assert run.tags["mtlrun.folder"] == str(run.folder.resolve())
    assert [path.name for path in run.files[""]] == ["summary.json", "metrics.csv"] and len(run.files) == 1
    assert [path.name for path in contents(sweep, checkpoints=True)[2].files["checkpoints"]] == ["best.pt"]


def test_curves_are_metrics_csv_step_by_step(sweep: Path) -> None:
    run = contents(sweep)[0]
    with (run.folder / "metrics.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    curves = run.curves()
    assert list(curves) == sorted({int(row["step"]) for row in rows})
    assert sum(map(len, curves.values())) == len(rows)
    for row in rows:
        tag = "/".join(part for part in (row["split"], row["task"], row["metric"]) if part)
        assert curves[int(row["step"])][tag] == float(row["value"])


@pytest.mark.parametrize("line", ["1,2,val,price,rmse", "1,two,val,price,rmse,3.0", "1,2,val,price,rmse,x", '1,"'])
def test_a_damaged_line_is_named(sweep: Path, line: str) -> None:
    run = contents(sweep)[0]
    lines = (run.folder / "metrics.csv").read_text().splitlines()
    (run.folder / "metrics.csv").write_text("\n".join([lines[0], lines[1], line]) + "\n")
    with pytest.raises(RequestError, match=r"metrics.csv: line 3 is no row of epoch,step,split.*\n.*another folder"):
        run.curves()


def test_a_copy_has_the_same_key_and_other_data_another(sweep: Path, tmp_path: Path) -> None:
    before = contents(sweep)
    assert len({run.key for run in before}) == 4
    moved = Path(shutil.copytree(sweep, tmp_path / "elsewhere" / "sweep"))
    assert [run.key for run in contents(moved)] == [run.key for run in before]
    assert content_of_sweep(moved, contents(moved)).key == content_of_sweep(sweep, before).key
    file = before[0].folder / "summary.json"
    file.write_text(file.read_text().replace(json.loads(file.read_text())["data_hash"], "0" * 16))
    after = contents(sweep)
    assert after[0].key != before[0].key and after[1].key == before[1].key


def test_of_a_sweep_what_its_runs_share_and_its_comparison(sweep: Path) -> None:
    (sweep / "compare").mkdir()
    (sweep / "compare/report.html").write_text("a page")
    content = content_of_sweep(sweep, contents(sweep))
    assert content.ended - content.seconds == min(run.ended - run.seconds for run in contents(sweep))
    assert content.name == "sweep" and content.figures == {} and content.curves() == {}
    assert content.params["lr"] == "single" and not {"loss", "seed"} & set(content.params)
    assert [path.name for path in content.files[""]] == ["results.csv", "command.txt"]
    assert [path.name for path in content.files["compare"]] == ["report.html"]


def test_a_batch_of_a_search_has_a_name_of_its_own(sweep: Path, tmp_path: Path) -> None:
    search = tmp_path / "search_of_today"
    batches = [Path(shutil.copytree(sweep, search / f"search/{number}/split_0")) for number in ("000", "001")]
    (search / "tune.json").write_text("{}")
    sent = [content_of_sweep(batch, contents(batch)) for batch in batches]
    assert [content.name for content in sent] == [
        f"search_of_today/search/{number}/split_0" for number in ("000", "001")
    ]
    assert sent[0].key != sent[1].key
    assert not {run.key for run in contents(batches[0])} & {run.key for run in contents(batches[1])}


@pytest.mark.parametrize(("count", "sizes"), [(0, []), (1, [1]), (3, [3]), (4, [3, 1]), (6, [3, 3])])
def test_batches(count: int, sizes: list[int]) -> None:
    batches = list(in_batches(range(count), 3))
    assert [len(batch) for batch in batches] == sizes
    assert [item for batch in batches for item in batch] == list(range(count))


def test_settings_as_text() -> None:
    assert as_text("sum", 10) == "sum" and as_text([64, 64], 10) == "[64, 64]" and as_text(True, 10) == "true"
    assert as_text("x" * 11, 10) == "x" * 9 + "…"
