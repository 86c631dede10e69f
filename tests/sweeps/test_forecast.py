"""What a sweep says before it trains: seeds that its comparison needs, and how long it takes."""

import csv
import json
import os
from pathlib import Path

import pytest
from commands import last_of, main

import mtlrun.sweeps.forecast
import mtlrun.sweeps.plan
from mtlrun.compare.analyse import analyse
from mtlrun.compare.analysis.options import Options
from mtlrun.compare.collect.folders import collect
from mtlrun.compose import PlannedRun, compose, planned_runs
from mtlrun.compose.plans import PLANS, tune_of
from mtlrun.config.schema import as_mapping
from mtlrun.statistics import seeds_needed
from mtlrun.storage.names import METRICS, PLAN, SUMMARY
from mtlrun.storage.summary import EMPTY
from mtlrun.sweeps.division import Division, Limits, divide
from mtlrun.sweeps.forecast import Line, Shape, in_words, time_line
from mtlrun.sweeps.plan import check_members
from mtlrun.sweeps.seeds import seeds_line

pytestmark = pytest.mark.forecast
THREE = "{p: {type: regression}, q: {type: regression}, r: {type: regression, target: a}}"
SMALL = ["model.hidden=[8]", "model.head_hidden=[4]", "trainer.batch_size=32", "trainer.tensorboard=false"]


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("conf/data").mkdir(parents=True)
    Path("conf/data/plots.yaml").write_text(
        "# @package _global_\ndata: {path: plots.csv}\ntasks: {p: {type: regression}, q: {type: regression}}\n"
    )
    lines = [f"{i * 37 % 101},{i * 53 % 97},{i * 37 % 101 + i % 7},{i * 53 % 97 - i % 5}\n" for i in range(200)]
    Path("plots.csv").write_text("a,b,p,q\n" + "".join(lines))


def runs(*words: str) -> list[PlannedRun]:
    return planned_runs(compose(last_of(["data=plots", *SMALL, *words]), multirun=True))


def table(folder: str) -> list[dict[str, str]]:
    with Path(folder, "results.csv").open(newline="") as file:
        return list(csv.DictReader(file))


TABLE = "for a paired test to reach p < .05"
NEED = f"{TABLE}; this sweep has"


@pytest.mark.parametrize(
    ("words", "line"),
    [
        (
            ["loss=sum,fixed,uncertainty", "seed=range(3)"],
            f"2 settings against a reference need 7 seeds or more {NEED} 3",
        ),
        (["loss=sum,uncertainty", "seed=range(8)"], f"1 setting against a reference needs 6 seeds or more {NEED} 8"),
        (
            ["lr.base=0.1,0.2,0.3", "loss=sum,uncertainty", "seed=1,2"],
            f"3 main effects need 7 seeds or more {TABLE}, 5 settings against a reference 8; this sweep has 2",
        ),
        (["only=[p],[q],[p,q]", "seed=1,2"], f"1 setting against a reference needs 6 seeds or more {NEED} 2"),
        (
            ["arms=[{label: a, loss: sum, seed: '0,1,2'},{label: b, loss: uncertainty, seed: '1,2'}]"],
            f"1 setting against a reference needs 6 seeds or more {NEED} 2 that all of them share",
        ),
        (["arms=shuffled", "seed=range(4)"], f"2 contrasts of arms need 7 seeds or more {NEED} 4"),
        (["arms=rivals", "seed=range(4)"], f"7 contrasts of arms need 9 seeds or more {NEED} 4"),  # two are narrower
        (["arms=baselines", "seed=range(4)"], f"5 settings against a reference need 8 seeds or more {NEED} 4"),
        (["arms=learning_curve", "seed=range(4)"], f"4 settings against a reference need 8 seeds or more {NEED} 4"),
        (["arms=affinity", "seed=range(4)"], f"2 gains of a task by another need 7 seeds or more {NEED} 4"),
        (
            ["arms=lessons", "seed=range(9)"],
            f"5 main effects need 8 seeds or more {TABLE}, 19 settings against a reference 10; this sweep has 9",
        ),
        (["loss=sum,uncertainty"], None),
        (["seed=range(8)"], None),
        (["only=[p],[q]", "seed=range(8)"], None),
    ],
)
def test_seeds(words: list[str], line: str | None) -> None:
    assert seeds_line(runs(*words)) == line


@pytest.mark.parametrize(
    "words",
    [
        *([f"arms={name}"] for name in sorted(PLANS)),
        ["arms=affinity", f"tasks={THREE}"],
        ["loss=sum,fixed,uncertainty"],
        ["loss=sum,uncertainty", "lr.base=0.1,0.2,0.3"],
        ["loss=sum,uncertainty", "only=[p],[q],[p,q]"],
        ["only=[p],[q],[r],[p,q],[p,r],[q,r],[p,q,r]", f"tasks={THREE}"],
        ["only=[p],[q],[r],[p,q],[p,q,r]", f"tasks={THREE}", "loss=sum,uncertainty"],
        ["graph=none,chain", "graph.gradient=stop,pass", "loss=sum,uncertainty"],
    ],
    ids=" ".join,
)
def test_compare_counts_the_questions_that_were_announced(words: list[str]) -> None:
    """The line before training, the verdict and the table of a comparison name the same questions."""
    own = runs(*words, "seed=0,1")
    jobs = []
    for number, run in enumerate(own):
        folder = Path("s", run.run)
        folder.mkdir(parents=True)
        figures = {f"{part}/{t}/rmse": 1 + 0.01 * number for part in ("val", "test") for t in run.config.active}
        losses = {f"val/{t}/loss": 1 + 0.01 * number for t in run.config.active}
        settings = as_mapping(run.config)
        summary = EMPTY | {"status": "completed", "seed": run.config.seed, "settings": settings, "steps": 10}
        summary |= {"figures": figures | losses, "trivial": figures | losses, "config_hash": str(number)}
        (folder / SUMMARY).write_text(json.dumps(summary))
        (folder / METRICS).write_text("epoch,step,split,task,metric,value\n1,1,test,p,rmse,1.0\n")
        job = {"run": run.run, "overrides": run.overrides, "arguments": run.arguments, "config": settings, "steps": 10}
        jobs.append(job | {"arm": run.arm})
    Path("s", PLAN).write_text(json.dumps(jobs))
    keys = ",".join(dict.fromkeys(key for arm_keys in tune_of(run.arm for run in own).values() for key in arm_keys))
    tune = tuple(dict.fromkeys([*keys.split(","), *(key for run in own for key in run.drawn)]))
    found = analyse(collect([Path("s")]), Options(tune=tuple(filter(None, tune))))
    line = seeds_line(own)
    assert line is not None and found.asked is not None
    needed = seeds_needed(found.asked.count)
    assert line.startswith(f"{found.asked} need{'s' * (found.asked.count == 1)} {needed} seeds or more")
    assert (f" {found.seeds_needed}; this sweep" in line) == (found.seeds_needed > needed)
    assert found.verdict[0] == f"2 seeds; {needed} are needed to show a difference."


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (0.2, "1 s"),
        (7.4, "7 s"),
        (43.0, "40 s"),
        (89.0, "90 s"),
        (100.0, "2 min"),
        (3000.0, "50 min"),
        (9000.0, "2.5 h"),
    ],
)
def test_times_for_people(seconds: float, words: str) -> None:
    assert in_words(seconds) == words


def test_stacks_are_handed_to_processes_as_they_become_free(monkeypatch: pytest.MonkeyPatch) -> None:
    lines = {0: Line(10.0, 1.0), 1: Line(0.0, 5.0)}
    monkeypatch.setattr(mtlrun.sweeps.forecast, "_measured", lambda shapes, at_once: lines)
    own = runs("seed=range(12)", "model.hidden=[8],[6]", "trainer.patience=null")
    sizes = check_members(own)
    stacks = [[0, 1, 2, 3, 4, 5], [6, 7, 8, 9], [10, 11]]  # 16, 20 and 12 or 10 seconds
    divided = Division(stacks, [0, 1, 0], [{}, {}], ["", ""])
    assert time_line(own, sizes, divided, 1) == "about 50 s"  # 16 + 20 + 12
    assert time_line(own, sizes, divided, 2) == "about 30 s on 2 processes"  # 16 + 12, 20
    assert time_line(own, sizes, divided, 8) == "about 20 s on 3 processes"
    early = runs("seed=range(12)", "model.hidden=[8],[6]", "trainer.patience=2")
    assert time_line(early, check_members(early), divided, 1) == "about 50 s, less where runs stop early"


def test_shapes_beyond_those_measured_are_like_the_nearest(monkeypatch: pytest.MonkeyPatch) -> None:
    def in_processes(shapes: dict[int, Shape], at_once: int, folder: Path) -> dict[int, Line]:
        assert len(shapes) == 8
        return {group: Line(0.0, float(shape.bytes)) for group, shape in shapes.items()}

    monkeypatch.setattr(mtlrun.sweeps.forecast, "_in_processes", in_processes)
    (run,) = runs()
    found = mtlrun.sweeps.forecast._measured({n: Shape([run.config], n) for n in range(15)}, 2)
    assert {n: line.each for n, line in found.items() if n % 2 == 0} == {n: float(n) for n in range(0, 15, 2)}
    assert all(abs(line.each - n) == 1 for n, line in found.items() if n % 2)


def test_measuring_changes_no_figure_and_leaves_nothing(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    words = [
        "-m",
        "data=plots",
        *SMALL,
        "loss=sum,uncertainty",
        "seed=0,1",
        "trainer.epochs=3",
        "model.dropout=0.3",
        "hydra.launcher.processes=1",
    ]
    assert main([*words, "hydra.sweep.dir=measured"]) == 0
    assert "\nabout 1 s\n" in capsys.readouterr().out
    monkeypatch.setattr(mtlrun.sweeps.plan.SweepPlan, "forecast", lambda plan: [])
    assert main([*words, "hydra.sweep.dir=plain"]) == 0
    for path in Path("plain").glob("*/metrics.csv"):
        assert path.read_bytes() == Path("measured", *path.parts[1:]).read_bytes()
    assert [row["test/p/rmse"] for row in table("measured")] == [row["test/p/rmse"] for row in table("plain")]
    assert sorted(p.name for p in Path("measured").iterdir()) == sorted(p.name for p in Path("plain").iterdir())


@pytest.mark.parametrize("where", ["an exception", "the end of its process"])
def test_a_sweep_that_cannot_be_measured_is_trained_all_the_same(
    where: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def rehearse(*given: object) -> float:
        if where == "an exception":
            raise ValueError("no such\nluck")
        os._exit(9)

    monkeypatch.setattr(mtlrun.sweeps.forecast, "rehearse", rehearse)
    assert main(["-m", "data=plots", *SMALL, "seed=0,1", "trainer.epochs=1", "hydra.sweep.dir=s"]) == 0
    why = "ValueError: no such; luck" if where == "an exception" else "the end of its process"
    line = f"how long it takes is not known: a few steps of it ended with {why}"
    assert capsys.readouterr().out.splitlines()[1] == line
    assert [row["status"] for row in table("s")] == ["completed"] * 2


@pytest.mark.parametrize("words", [["trainer.log_gradients=true", "trainer.importance=true"], ["model=boosting"]])
def test_everything_that_a_run_does_can_be_measured(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    given = ["data=plots", *(SMALL if words[0] != "model=boosting" else []), *words]
    assert main(["check", "-m", *given, "seed=0,1"]) == 0
    assert capsys.readouterr().out.splitlines()[1].startswith("about ")


@pytest.mark.slow
@pytest.mark.parametrize("words", [[*SMALL, "loss=sum,uncertainty"], ["model=boosting", "model.iterations=60"]])
def test_what_is_foretold_is_about_what_it_takes(words: list[str]) -> None:
    words = [*words, "seed=range(2)", "trainer.epochs=3", "trainer.patience=null"]
    own = planned_runs(compose(words, multirun=True))  # of the diamonds, whose stacks take seconds
    divided = divide(check_members(own), Limits(1))
    groups = {group: stack for stack, group in zip(divided.stacks, divided.group, strict=True)}
    lines = mtlrun.sweeps.forecast._measured({g: Shape([own[n].config for n in s], 1) for g, s in groups.items()}, 1)
    foretold = sum(lines[group](len(stack)) for stack, group in zip(divided.stacks, divided.group, strict=True))
    assert main(["-m", *words, "hydra.launcher.processes=1", "hydra.sweep.dir=s"]) == 0
    taken = sum(float(row["seconds"]) for row in table("s"))
    assert foretold / 3 < taken < foretold * 3
