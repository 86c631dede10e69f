"""Folders as they are found in practice: every kind of damage gets a named warning or a two-line error."""

import csv
import json
import os
import random
import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from folders import Outputs

from mtlrun.cli.main import main
from mtlrun.compare.analyse import analyse
from mtlrun.compare.analysis.options import Options
from mtlrun.compare.collect.folders import collect
from mtlrun.compare.records import Comparison, Estimate
from mtlrun.compare.report.render import render
from mtlrun.util.errors import RequestError

Damage = Callable[[Outputs, Path], "list[str] | None"]


def change(path: Path, **values: Any) -> None:
    """Other values of some keys of a JSON file."""
    path.write_text(json.dumps(json.loads(path.read_text(encoding="utf-8")) | values), encoding="utf-8")


@pytest.fixture
def table(outputs: Outputs) -> Outputs:
    """A sweep of two losses and single-task nets, three seeds each."""
    for seed in range(3):
        for name, loss, a, b in (("sum", "sum", 10 + seed, 0.5), ("unc", "uncertainty", 9 + 1.1 * seed, 0.52)):
            outputs.run(f"{name}-{seed}", {"a": a, "b": b + seed / 100}, seed, flat={"loss": loss}, sweep="s")
        outputs.run(f"a-{seed}", {"a": 9.5 + seed}, seed, sweep="s")
        outputs.run(f"b-{seed}", {"b": 0.55 - seed / 100}, seed, sweep="s")
    return outputs


@dataclass(frozen=True)
class Case:
    """What is damaged (the folder `s` of `o`; gives other words than that folder), what must be said, how many seeds
    rows then have: the sum, uncertainty, and single-task nets; none where the command is answered with status 2."""

    damage: Damage
    said: str
    seeds: tuple[int, int, int] | None = (3, 3, 3)


FEWER = (3, 2, 3)  # uncertainty has lost a seed


def summary(run: str, **values: Any) -> Damage:
    return lambda o, s: change(s / run / "summary.json", **values)


def everyone(values: Callable[[str], dict[str, Any]]) -> Damage:
    def write(o: Outputs, s: Path) -> None:
        for path in s.glob("*/summary.json"):
            change(path, **values(path.parent.name))

    return write


def holds(name: str, content: bytes) -> Damage:
    def write(o: Outputs, s: Path) -> None:
        (s / name).write_bytes(content)

    return write


def cut(name: str, share: float) -> Damage:
    def write(o: Outputs, s: Path) -> None:
        path = s / name
        path.write_bytes(path.read_bytes()[: int(share * path.stat().st_size)])

    return write


def figure(run: str, name: str, value: Any) -> Damage:
    def write(o: Outputs, s: Path) -> None:
        path = s / run / "summary.json"
        figures = json.loads(path.read_text())["figures"]
        change(path, figures={k: v for k, v in figures.items() if k != name} | ({} if value is None else {name: value}))

    return write


def gone(name: str) -> Damage:
    return lambda o, s: shutil.rmtree(s / name) if (s / name).is_dir() else (s / name).unlink()


def task(run: str, name: str, **values: Any) -> Damage:
    def write(o: Outputs, s: Path) -> None:
        path = s / run / "summary.json"
        settings = json.loads(path.read_text())["settings"]
        settings["tasks"][name] |= values
        change(path, settings=settings)

    return write


def another_loss(o: Outputs, s: Path) -> None:
    path = s / "unc-2/summary.json"
    settings = json.loads(path.read_text())["settings"]
    settings["loss"]["name"] = "pcgrad"
    change(path, settings=settings)


def words(make: Callable[[Path], list[Path]]) -> Damage:
    return lambda o, s: [str(path) for path in make(s)]


def a_folder_instead(o: Outputs, s: Path) -> None:
    (s / "unc-2/summary.json").unlink()
    (s / "unc-2/summary.json").mkdir()


def loop(o: Outputs, s: Path) -> list[str]:
    (s / "sum-0/again").symlink_to(s)
    (o.root / "up").symlink_to(o.root)
    return [str(o.root)]


def empty(o: Outputs, s: Path) -> list[str]:
    (o.root / "e/f").mkdir(parents=True)
    return [str(o.root / "e")]


def table_alone(o: Outputs, s: Path) -> list[str]:
    empty(o, s)
    (o.root / "e/results.csv").write_text("run,status\n000,completed\n")
    return [str(o.root / "e")]


def constant(run: str) -> dict[str, Any]:
    trained = run[0] if run[0] in "ab" else "ab"
    return {"figures": {f"test/{name}": 0.5 for name in ("a/rmse", "b/accuracy") if name[0] in trained}}


ODD, OUT = "unc-2: summary.json has no usable", "damaged summary: unc-2: summary.json has"
CSV, SUMMARY, PLAN = "sum-0/metrics.csv", "unc-2/summary.json", "sweep.json"
NO_PLAN = "s: sweep.json cannot be read"
CASES = {
    "nothing": Case(lambda o, s: None, "seeds: 3 seeds"),
    "unfinished csv": Case(cut(CSV, 0.8), "sum-0: metrics.csv ends"),
    "empty csv": Case(cut(CSV, 0), "sum-0: metrics.csv ends"),
    "no csv": Case(gone(CSV), "sum-0: there is no metrics.csv"),
    "csv of bytes": Case(holds(CSV, bytes(range(255, 0, -1)) * 9), "sum-0: metrics.csv ends"),
    "no test figures": Case(summary("unc-2", figures={}), "no test figures: unc-2", FEWER),
    "figures on val": Case(summary("unc-2", figures={"val/a/rmse": 1.0}), "no test figures: unc-2", FEWER),
    "figures null": Case(summary("unc-2", figures=None), f"{ODD} figures", FEWER),
    "figures a list": Case(summary("unc-2", figures=[1]), f"{ODD} figures", FEWER),
    "figure is text": Case(figure("unc-2", "test/a/rmse", "bad"), f"{ODD} figures test/a/rmse", FEWER),
    "figure nan": Case(figure("unc-2", "test/a/rmse", float("nan")), f"{ODD} figures test/a/rmse", FEWER),
    "figure infinite": Case(figure("unc-2", "test/a/rmse", 1e999), f"{ODD} figures test/a/rmse", FEWER),
    "unknown metric": Case(figure("unc-2", "test/a/rmse", None), "unknown to a run: rmse of a on test: s/unc-2", FEWER),
    "summary empty": Case(holds(SUMMARY, b""), "unreadable: unc-2", FEWER),
    "summary a list": Case(holds(SUMMARY, b"[1, 2]"), "unreadable: unc-2", FEWER),
    "summary a number": Case(holds(SUMMARY, b"3"), "unreadable: unc-2", FEWER),
    "summary {}": Case(holds(SUMMARY, b"{}"), "unfinished runs: 1 run is not finished", FEWER),
    "summary cut": Case(cut(SUMMARY, 0.5), "unreadable: unc-2", FEWER),
    "summary deep": Case(holds(SUMMARY, b"[" * 100_000), "unreadable: unc-2", FEWER),
    "summary not utf-8": Case(holds(SUMMARY, b"\xff\xfe{"), "unreadable: unc-2", FEWER),
    "summary a folder": Case(a_folder_instead, "unreadable: unc-2", FEWER),
    "no such metric": Case(task("unc-2", "b", primary="x"), f"{OUT} tasks.b.primary='x'", FEWER),
    "a metric is a list": Case(task("unc-2", "b", primary=["x"]), f"{OUT} tasks.b.primary=['x']", FEWER),
    "another loss": Case(another_loss, f"{OUT} loss='pcgrad', where sweep.json has 'uncertainty'", FEWER),
    "no such role": Case(task("unc-2", "b", role="x"), f"{OUT} tasks.b.role='x'", FEWER),
    "no such type": Case(task("unc-2", "b", type=3), f"{OUT} tasks.b.type=3", FEWER),
    "another figure": Case(
        figure("unc-2", "test/a/rmse", 5.0),
        "contradicting files: unc-2: test/a/rmse is in summary.json 5.0 and metrics",
    ),
    "a figure is gone": Case(figure("unc-2", "test/a/rmse", None), "in summary.json none and metrics.csv 11.2", FEWER),
    "settings null": Case(summary("unc-2", settings=None), f"{ODD} settings"),
    "settings a list": Case(summary("unc-2", settings=[]), f"{ODD} settings"),
    "tasks a list": Case(summary("unc-2", settings={"tasks": ["a"]}), "unreadable: unc-2", FEWER),
    "status odd": Case(summary("unc-2", status=3), f"{ODD} status", FEWER),
    "odd keys": Case(summary("unc-2", stack=None, rows=None, versions=None, trivial=None), f"{ODD} trivial"),
    "odd types": Case(summary("unc-2", stack=[1], git="x", hardware=[], seconds="x", error={}), f"{ODD} error"),
    "schema odd": Case(summary("unc-2", schema="x"), "unreadable: unc-2", FEWER),
    "zero variance": Case(everyone(constant), "no variance: loss=sum: every seed has the same figure of a, b"),
    "a baseline of 0": Case(figure("b-0", "test/b/accuracy", 0.0), "accuracy of b is next to 0 for alone, seed 0"),
    "a failed run": Case(summary("unc-2", status="failed", error="nan\n" * 500), "failed runs: 1 of 12", FEWER),
    "a run that is gone": Case(gone("unc-2"), "unfinished runs: 1 run", FEWER),
    "plan cut": Case(cut(PLAN, 0.5), NO_PLAN),
    "plan empty": Case(cut(PLAN, 0), NO_PLAN),
    "plan a number": Case(holds(PLAN, b"3"), NO_PLAN),
    "plan of numbers": Case(holds(PLAN, b"[3, 4]"), NO_PLAN),
    "plan of empty jobs": Case(holds(PLAN, b"[{}]"), NO_PLAN),
    "plan {}": Case(holds(PLAN, b"{}"), NO_PLAN),
    "plan []": Case(holds(PLAN, b"[]"), NO_PLAN),
    "plan not utf-8": Case(holds(PLAN, b"\xff\xfe["), NO_PLAN),
    "links": Case(loop, "seeds: 3 seeds"),
    "folder twice": Case(words(lambda s: [s, s, s / "sum-0", s.parent]), "seeds: 3 seeds"),
    "other versions": Case(summary("unc-2", versions={"mtlrun": "9", "torch": "1"}), "different versions"),
    "other data": Case(summary("unc-2", data_hash="e" * 16), "different data"),
    "no folder": Case(words(lambda s: [s / "none"]), "compare: there is no folder", None),
    "a file": Case(words(lambda s: [s / PLAN]), "compare: there is no folder", None),
    "no runs": Case(empty, "holds no runs", None),
    "results.csv alone": Case(table_alone, "holds no runs", None),
    "newer schema": Case(summary("unc-2", schema=99), "schema 99, this mtlrun reads up to 1", None),
    "none completed": Case(everyone(lambda _: {"status": "failed"}), "no run is completed (12 failed)", None),
    "no figures": Case(everyone(lambda _: {"figures": {}}), "no run has figures of a main task on test", None),
}


DRAWN = ("zero variance", "a baseline of 0", "other data")  # of the others the pictures are those of any folder


@pytest.mark.parametrize("case", CASES)
def test_damage_is_named_and_seeds_are_counted(
    table: Outputs, case: str, capsys: pytest.CaptureFixture[str], request: pytest.FixtureRequest
) -> None:
    if case not in DRAWN:
        request.getfixturevalue("without_pictures")
    damage, said, seeds = CASES[case].damage, CASES[case].said, CASES[case].seeds
    folders = damage(table, table.root / "s") or [str(table.root / "s")]
    status = 2 if seeds is None else 0
    out = table.root / "out"
    assert main(["compare", *folders, "-o", str(out)]) == status
    shown = capsys.readouterr()
    flat = " ".join((shown.out if status == 0 else shown.err).split())
    assert said in flat, flat
    if seeds is None:
        assert len(shown.err.splitlines()) <= 2 and shown.err.startswith("mtlrun: ")
        return
    with open(out / "comparison.csv", encoding="utf-8", newline="") as file:
        rows = {row["label"]: row for row in csv.DictReader(file)}
    labels = ("loss=sum", "loss=uncertainty", "alone")
    assert tuple(len(rows[label]["seeds"].split()) for label in labels) == seeds


@pytest.mark.usefixtures("without_pictures")
@pytest.mark.parametrize("run", ["sum-0", "unc-2"])
def test_a_primary_metric_that_one_run_names_decides_nothing(
    table: Outputs, run: str, capsys: pytest.CaptureFixture[str]
) -> None:
    (table.root / "s/sweep.json").unlink()
    for name in ("sum-1", "sum-2", "unc-0", "unc-1", "b-0", "sum-0", "unc-2"):
        task(name, "b", primary="mae" if name == run else "accuracy")(table, table.root / "s")
    assert main(["compare", str(table.root / "s"), "-o", str(table.root / "out")]) == 0
    said = " ".join(capsys.readouterr().out.split())
    assert f"different primary metrics: b: accuracy, mae (mae in {run}); accuracy is shown" in said


def test_a_metric_that_no_run_has_is_replaced(outputs: Outputs) -> None:
    """A test split with one class has no AUROC."""
    outputs.run("one", {"a": 1.0, "c": 0.9}, figures={"test/a/rmse": 1.0, "test/c/accuracy": 1.0})
    task("one", "c", primary="auroc")(outputs, outputs.root)
    comparison = analyse(collect([outputs.root]), Options())
    assert [column.metric for column in comparison.columns] == ["rmse", "accuracy"]
    assert "c: no run has auroc on test; accuracy is shown, --metric c=... chooses" in [
        finding.text for finding in comparison.findings
    ]


@pytest.mark.usefixtures("without_pictures")
@pytest.mark.skipif(os.geteuid() == 0, reason="root reads everything")
def test_what_may_not_be_read_is_named(table: Outputs, capsys: pytest.CaptureFixture[str]) -> None:
    (table.root / "s/unc-1/summary.json").chmod(0)
    (table.root / "closed").mkdir(mode=0)
    assert main(["compare", str(table.root), "-o", str(table.root / "out")]) == 0
    said = " ".join(capsys.readouterr().out.split())
    assert "unc-1: summary.json cannot be read" in said and "closed: the folder cannot be read" in said


def test_links_that_lead_back_are_followed_once(table: Outputs) -> None:
    for i in range(6):  # followed again and again, these would be 6^40 folders
        (table.root / f"up{i}").symlink_to(table.root)
    (table.root / "self").symlink_to(table.root / "self")
    assert len(collect([table.root]).runs) == 12


@pytest.mark.usefixtures("without_pictures")
def test_sweeps_of_other_tasks_beside_each_other(table: Outputs, capsys: pytest.CaptureFixture[str]) -> None:
    for seed in range(3):
        table.run(f"c-{seed}", {"c": 0.8, "b": 0.5}, seed, sweep="t", data_hash="e" * 16, flat={"data.path": "t.csv"})
    assert main(["compare", str(table.root / "s"), str(table.root / "t"), "-o", str(table.root / "out")]) == 2
    assert capsys.readouterr().err.startswith(
        "mtlrun: compare: no row has figures of every main task; tasks of the rows: {"
    )
    for seed in range(3):  # tasks that some rows have beside those that all have
        table.run(f"abc-{seed}", {"a": 9.0 + seed, "b": 0.5, "c": 0.8}, seed, sweep="t", data_hash="e" * 16)
    assert main(["compare", str(table.root / "s"), str(table.root / "t"), "-o", str(table.root / "out")]) == 0
    said = " ".join(capsys.readouterr().out.split())
    assert "different data: tables with different contents" in said
    assert "no figures of a, and so no Δm" in said and "no figures of c, and so no Δm" in said


def test_labels_of_ten_thousand_characters_and_units_in_other_scripts(
    outputs: Outputs, capsys: pytest.CaptureFixture[str]
) -> None:
    outputs.run("long", {"a": 9.0, "b": 0.5}, sweep="s", arm="ж" * 10_000, flat={"loss": "uncertainty"})
    path = outputs.run("sum", {"a": 10.0, "b": 0.5}, sweep="s", arm="sum") / "summary.json"
    settings = json.loads(path.read_text(encoding="utf-8"))["settings"]
    settings["tasks"]["a"] |= {"unit": "円/㎡ ↑ <b>"}
    change(path, settings=settings)
    plan = json.loads((outputs.root / "s/sweep.json").read_text(encoding="utf-8"))
    plan[1]["config"] = settings
    (outputs.root / "s/sweep.json").write_text(json.dumps(plan), encoding="utf-8")
    assert main(["compare", str(outputs.root / "s"), "-o", str(outputs.root / "out")]) == 0
    said = capsys.readouterr().out
    assert "rmse ↓ (円/㎡ ↑ <b>)" in said and "seeds: 1 seed;" in said
    page = (outputs.root / "out/report.html").read_text(encoding="utf-8")
    assert "円/㎡ ↑ &lt;b&gt;" in page and "<b>)" not in page
    with open(outputs.root / "out/comparison.csv", encoding="utf-8", newline="") as file:
        assert {row["label"] for row in csv.DictReader(file)} == {"ж" * 10_000, "sum", "trivial"}


@pytest.mark.usefixtures("without_pictures")
def test_one_run_by_itself(table: Outputs, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["compare", str(table.root / "s/unc-1"), "-o", str(table.root / "out")]) == 0
    assert "Nothing to choose: loss=uncertainty is the only setting." in capsys.readouterr().out


JUNK: list[Any] = [None, True, -1, 0, 1e400, "x", "9" * 5000, [], {}, [1], {"a": 1}, "\u202e", "../..", 2**80]


def spoil(root: Path, luck: random.Random) -> str:
    """Damages one file somehow; what was done."""
    path = luck.choice(sorted(p for p in root.rglob("*") if p.is_file()))
    way = luck.choice(["cut", "bytes", "value", "value", "value", "gone"])
    if way == "cut":
        path.write_bytes(path.read_bytes()[: luck.randrange(path.stat().st_size + 1)])
    elif way == "bytes":
        data = bytearray(path.read_bytes())
        for _ in range(5 if data else 0):
            data[luck.randrange(len(data))] = luck.randrange(256)
        path.write_bytes(data)
    elif way == "gone":
        path.unlink()
    else:
        try:
            tree = json.loads(path.read_text(encoding="utf-8"))
        except ValueError:
            return "nothing"
        node, junk = tree, luck.choice(JUNK)
        while isinstance(node, (dict, list)) and node:
            key = luck.choice(list(node)) if isinstance(node, dict) else luck.randrange(len(node))
            if not isinstance(node[key], (dict, list)) or not node[key] or luck.random() < 0.2:
                node[key] = junk
                way += f" {key} {junk!r:.20}"
                break
            node = node[key]
        path.write_text(json.dumps(tree), encoding="utf-8")
    return f"{path.relative_to(root)}: {way}"


@pytest.mark.parametrize("start", [0, pytest.param(1000, marks=pytest.mark.slow)])
def test_whatever_is_spoiled_there_is_a_table_or_an_answer(table: Outputs, tmp_path: Path, start: int) -> None:
    for number in range(start, start + (40 if start == 0 else 1200)):
        luck = random.Random(number)
        shutil.copytree(table.root, tmp_path / "x")
        done = [spoil(tmp_path / "x", luck) for _ in range(luck.randrange(1, 4))]
        try:
            collection = collect([tmp_path / "x"])
            comparison = analyse(collection, Options())
            seeds = {run.seed for run in collection.runs}
            for format in ("text", "csv"):
                assert render(comparison, format, 100), done
            for row in comparison.rows:
                assert all(set(estimate.values) <= seeds for estimate in row.figures.values()), done
        except RequestError as error:
            assert len(str(error).splitlines()) <= 2, done
        except Exception as error:
            raise AssertionError(f"{number}: {done}: {error!r}") from error
        shutil.rmtree(tmp_path / "x")


def leaves(tree: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """The places of all values in a tree, the trees below included."""
    below = tree.items() if isinstance(tree, dict) else enumerate(tree) if isinstance(tree, list) else ()
    return [*([path] if path else []), *(place for key, value in below for place in leaves(value, (*path, key)))]


def of_undamaged(comparison: Comparison) -> list[tuple[tuple[int, ...], Mapping[str, Estimate]]]:
    """Seeds and figures of the sum and of the single-task nets. Their labels name what a damaged run has otherwise."""
    rows = [row for row in comparison.rows if any(run.endswith(("sum-0", "a-0")) for run in row.runs)]
    return sorted(((row.seeds, row.figures) for row in rows), key=lambda row: row[1]["a"].mean)


@pytest.mark.parametrize("each", [1, pytest.param(len(JUNK), marks=pytest.mark.slow)])
def test_a_damaged_summary_costs_its_run_and_not_the_comparison(table: Outputs, each: int) -> None:
    """Each value of one summary is replaced by junk: the other runs are compared as before."""
    path = table.root / "s/unc-2/summary.json"
    whole, luck = path.read_text(encoding="utf-8"), random.Random(0)
    before = of_undamaged(analyse(collect([table.root]), Options()))
    for place in leaves(json.loads(whole)):
        if place == ("schema",):
            continue  # a newer one is refused: this mtlrun may not understand its figures
        for junk in luck.sample(JUNK, each):
            tree = json.loads(whole)
            *above, last = place
            node = tree
            for key in above:
                node = node[key]
            node[last] = junk
            path.write_text(json.dumps(tree), encoding="utf-8")
            comparison = analyse(collect([table.root]), Options())
            assert of_undamaged(comparison) == before, (place, junk)
            assert comparison.columns[1].metric == "accuracy", (place, junk)
