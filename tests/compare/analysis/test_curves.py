"""What is drawn over steps and settings, against figures worked out by hand."""

import math
from pathlib import Path
from typing import Any

import pytest
from folders import Outputs

from mtlrun.compare.analysis.analyse import analyse
from mtlrun.compare.analysis.options import Options
from mtlrun.compare.collect.folders import collect
from mtlrun.compare.records import Comparison


def compared(outputs: Outputs, **options: Any) -> Comparison:
    return analyse(collect([outputs.root]), Options(**options))


def lines(values: list[float], what: str = "val,a,rmse") -> list[str]:
    return [f"{epoch},{10 * epoch},{what},{value}" for epoch, value in enumerate(values, 1)]


def test_curves_are_means_with_t_bands_over_the_steps_that_half_the_seeds_reach(outputs: Outputs) -> None:
    for seed, values in enumerate([[16.0, 12.0, 8.0, 4.0], [18.0, 12.0], [20.0, 12.0, 11.0]]):
        weights = lines([0.1 * (seed + 1), 0.5], "train,a,weight") + lines([1.0] * 2, "train,b,weight")
        outputs.run(f"s{seed}", {"a": 10, "b": 0.5}, seed, curve=lines(values) + weights)
    found = {(s.what, s.task, s.metric): s for s in compared(outputs).series}
    curve = found["curve", "a", "rmse"]
    assert (list(curve.x), list(curve.mean), curve.n) == ([10, 20, 30], [18.0, 12.0, 9.5], 3)
    half = 4.302652730 * 2 / math.sqrt(3)  # t(2) at .975
    assert curve.high[0] - 18 == pytest.approx(half) and 18 - curve.low[0] == pytest.approx(half)
    assert curve.high[1] == 12.0
    assert curve.high[2] - 9.5 == pytest.approx(12.70620474 * 1.5)  # two seeds: s/√2 is 1.5
    assert found["weight", "a", "weight"].mean == pytest.approx([0.2, 0.5])
    assert ("weight", "b", "weight") not in found, "a flat line, which the settings say"


def test_steps_to_a_target_that_the_reference_sets(outputs: Outputs) -> None:
    # the trivial predictor has 20; the reference's best are 10 and 10: the target is 20 - .95 · 10 = 10.5
    curves = {"sum": [[15.0, 10.0, 11.0], [15.0, 12.0, 10.0]], "uncertainty": [[10.4, 9.0, 9.0], [15.0, 12.0, 11.0]]}
    for loss, own in curves.items():
        for seed, values in enumerate(own):
            outputs.run(f"{loss}{seed}", {"a": 10, "b": 0.5}, seed, flat={"loss": loss}, curve=lines(values))
    found = {speed.label: speed for speed in compared(outputs).speeds if speed.task == "a"}
    assert found["loss=sum"].target == pytest.approx(10.5)
    assert (found["loss=sum"].median, found["loss=sum"].reached, found["loss=sum"].of) == (25.0, 2, 2)
    assert (found["loss=uncertainty"].median, found["loss=uncertainty"].reached) == (10.0, 1)


def test_iterations_of_boosting_are_no_steps(outputs: Outputs) -> None:
    for name, flat in (("sum", {}), ("boost", {"model": "boosting"})):
        outputs.run(name, {"a": 10, "b": 0.5}, flat=flat, curve=lines([15.0, 10.0]))
    found = compared(outputs)
    assert {s.label for s in found.series} == {s.label for s in found.speeds} == {"loss=sum"}


def test_errors_over_training_rows_together_and_alone(outputs: Outputs) -> None:
    for rows, together, alone in [(10, 12.0, 14.0), (20, 11.0, 12.0), (None, 10.0, 10.5)]:
        flat = {"data.train_rows": rows}
        counts = {"table": 100, "train": rows or 70, "val": 15, "test": 15}
        outputs.setting(f"t{rows}", [together, together + 1], [0.5, 0.6], flat=flat, rows=counts)
        outputs.alone([alone, alone + 1], [0.5, 0.6], f"a{rows}", flat=flat, rows=counts)
    found = {(s.label, s.task): s for s in compared(outputs).series if s.what == "trend"}
    assert set(found) == {(label, task) for label in ("together", "alone") for task in ("a", "b")}
    assert found["together", "a"].key == "data.train_rows"
    assert list(found["together", "a"].x) == [10, 20, 70] and list(found["together", "a"].mean) == [12.5, 11.5, 10.5]
    assert list(found["alone", "a"].mean) == [14.5, 12.5, 11.0]
    # Δm is relative to the nets of the same rows: (1 − 12/14 + 1 − 13/15)/2 halved, as b is the same
    whole = compared(outputs)
    rows = {row.label: row for row in whole.rows}
    assert rows["data.train_rows=10"].delta_m.values == pytest.approx({0: -100 / 14, 1: -100 / 15})
    assert rows["alone data.train_rows=20"].delta_m.values == {0: 0.0, 1: 0.0}
    assert rows["alone data.train_rows=20"].against is None and whole.leader is None
    assert whole.baseline == "alone with the same data.train_rows" and whole.seeds_needed == 7  # three rows are held


def test_from_how_many_rows_on_training_together_does_not_help(outputs: Outputs) -> None:
    noise = [0.01 * s for s in range(8)]
    for rows, gain in [(10, 1.0), (20, 0.5), (40, 0.0)]:
        flat = {"data.train_rows": rows}
        base = [10.0 + e for e in noise]
        together = [x - gain + (e - 0.035) / 5 for x, e in zip(base, noise, strict=True)]
        outputs.setting(f"t{rows}", together, [0.5] * 8, flat=flat)
        outputs.alone(base, [0.5] * 8, f"a{rows}", flat=flat)
    said = compared(outputs).verdict
    assert said == ["From 40 training rows on, training together is not shown to help."]


def test_a_trend_is_drawn_over_the_only_number_that_varies(outputs: Outputs) -> None:
    for rate in (0.001, 0.01, 0.1):
        outputs.setting(f"{rate}", [10, 11], [0.5, 0.6], flat={"lr.base": rate})
    assert {s.key for s in compared(outputs).series if s.what == "trend"} == {"lr.base"}
    for clip in (1.0, 2.0, 3.0):
        outputs.setting(f"clip{clip}", [10, 11], [0.5, 0.6], flat={"trainer.clip": clip})
    assert not [s for s in compared(outputs).series if s.what == "trend"]


def test_importance_is_read_where_runs_have_it_and_damage_is_named(outputs: Outputs) -> None:
    header = "task,metric,input,value\n"
    for seed, text in enumerate(
        [f"{header}a,rmse,x,1.0\nb,accuracy,x,0.1\n", f"{header}a,rmse,x,3.0\n", "task,met\na,"]
    ):
        folder: Path = outputs.run(f"s{seed}", {"a": 10, "b": 0.5}, seed)
        (folder / "importance.csv").write_text(text)
    found = compared(outputs)
    assert [(i.task, i.input, i.estimate.mean, i.estimate.n) for i in found.importances] == [
        ("a", "x", 2.0, 2),
        ("b", "x", 0.1, 1),
    ]
    assert "importance.csv cannot be read: s2" in [f.text for f in found.findings]


def test_conflicts_and_dead_units_are_those_of_the_last_evaluation_as_means_over_seeds(outputs: Outputs) -> None:
    for seed, (rate, dead) in enumerate([(0.2, 0.5), (0.4, 0.25)]):
        curve = [
            *lines([0.9, rate], "train,,conflict_rate"),
            *lines([0.0, dead], "val,,dead_layer1"),
            *lines([1.0, 0.75], "val,b,dead_layer2"),
        ]
        outputs.run(f"s{seed}", {"a": 10, "b": 0.5}, seed, curve=curve)
    for task, share in (("a", 0.1), ("b", 0.3)):  # a seed of single-task nets: two runs
        outputs.run(f"alone-{task}", {task: 10.0}, 0, curve=lines([share], "val,,dead_layer1"))
    found = {(d.label, d.task, d.metric): d.estimate for d in compared(outputs).diagnostics}
    assert {key: e.mean for key, e in found.items()} == pytest.approx(
        {
            ("loss=sum", "", "conflict_rate"): 0.3,
            ("loss=sum", "", "dead_layer1"): 0.375,
            ("loss=sum", "b", "dead_layer2"): 0.75,
            ("alone", "", "dead_layer1"): 0.2,
        }
    )
    half = 12.70620474 * 0.1  # t(1) at .975 times the standard error of .2 and .4
    assert found["loss=sum", "", "conflict_rate"].high == pytest.approx(0.3 + half)


def shares_of(outputs: Outputs, by_seed: list[dict[str, float]]) -> dict[tuple[Any, ...], Any]:
    """Shares by level, reader, what is read and seed, of runs whose last evaluation has these values."""
    for seed, values in enumerate(by_seed):
        curve = [line for name, value in values.items() for line in lines([0.9, value], name)]
        outputs.run(f"s{seed}", {"a": 10, "b": 0.5}, seed, curve=curve)
    found = compared(outputs).shares
    assert {s.label for s in found} == {"loss=sum"}
    return {(s.level, s.reader, s.read, s.seed): s.estimate for s in found}


def test_stitches_and_groups_of_experts_are_means_over_seeds_of_the_last_evaluation(outputs: Outputs) -> None:
    names = {
        "val,b,gate_level2_shared0": ("level 2", "b", "shared", None),
        "val,b,gate_level2_own0": ("level 2", "b", "b: own", None),
        "val,a_own,gate_level1_own0": ("level 1", "a_own", "a_own: own", None),
        "val,,gate_level1_all_shared0": ("level 1", "shared gate", "shared", None),
        "val,,gate_level1_all_a_own_own0": ("level 1", "shared gate", "a_own: own", None),
        "train,b,stitch_layer2_a_own": ("layer 2", "b", "a_own", None),
    }
    found = shares_of(outputs, [{name: 0.1 * i + 0.02 * s for i, name in enumerate(names)} for s in range(2)])
    expected = {name: 0.1 * i + 0.01 for i, name in enumerate(names.values())}
    assert {key: e.mean for key, e in found.items()} == pytest.approx(expected)
    assert found["layer 2", "b", "a_own", None].values == pytest.approx({0: 0.5, 1: 0.52})


def test_experts_without_an_order_are_one_seeds_one_by_one_and_a_sum_over_seeds(outputs: Outputs) -> None:
    """Both seeds read one of two shared experts, not the one of the same number: their means would be .4 and .4."""
    found = shares_of(
        outputs,
        [
            {"val,a,gate_shared0": 0.7, "val,a,gate_shared1": 0.1, "val,a,gate_own0": 0.2},
            {"val,a,gate_shared0": 0.1, "val,a,gate_shared1": 0.5, "val,a,gate_own0": 0.4},
        ],
    )
    assert {key: e.mean for key, e in found.items()} == pytest.approx(
        {
            ("", "a", "shared", None): 0.7,
            ("", "a", "a: own", None): 0.3,
            ("", "a", "shared 0", 0): 0.7,
            ("", "a", "shared 1", 0): 0.1,
            ("", "a", "a: own 0", 0): 0.2,
        }
    )
    assert found["", "a", "shared", None].values == pytest.approx({0: 0.8, 1: 0.6})
    assert found["", "a", "shared 1", 0].low is None


def test_experts_that_all_tasks_read_are_shown_of_the_first_seed(outputs: Outputs) -> None:
    found = shares_of(
        outputs,
        [
            {"val,a,gate_expert0": 0.9, "val,a,gate_expert1": 0.1},
            {"val,a,gate_expert0": 0.2, "val,a,gate_expert1": 0.8},
        ],
    )
    assert {key: e.mean for key, e in found.items()} == {("", "a", "expert 0", 0): 0.9, ("", "a", "expert 1", 0): 0.1}


def test_a_line_that_is_not_whole_ends_a_curve_with_a_warning(outputs: Outputs) -> None:
    folder = outputs.run("s", {"a": 10, "b": 0.5}, curve=lines([12.0, 11.0]))
    path = folder / "metrics.csv"
    path.write_text(path.read_text().replace("2,20,val,a,rmse,11.0", "2,20,val,a,rm"))
    found = compared(outputs)
    assert any(f.condition == "damaged file" and f.text.endswith(": s") for f in found.findings)
    assert [list(s.mean) for s in found.series if s.what == "curve"] == [[12.0]]


def test_time_is_relative_to_the_sum_between_like_stacks_only(outputs: Outputs) -> None:
    def stack(number: int, size: int = 2) -> dict[str, Any]:
        return {"stack": {"id": number, "size": size}, "sweep": "s"}

    outputs.setting("sum", [10, 10], [0.5, 0.6], seconds=3.0, **stack(0))
    outputs.setting("unc", [10, 10], [0.5, 0.6], seconds=4.5, flat={"loss": "uncertainty"}, **stack(1))
    outputs.setting("big", [10, 10], [0.5, 0.6], flat={"loss": "fixed"}, **stack(2, size=3))
    for label, flat in (("x", {"lr": "per_head"}), ("y", {"lr": "per_head", "loss": "uncertainty"})):
        outputs.run(label, {"a": 10, "b": 0.5}, 0, flat=flat, **stack(3))
    cost = {row.label: row.cost for row in compared(outputs).rows if row.cost is not None}
    assert cost["loss=uncertainty lr=single"].relative == pytest.approx(1.5)
    assert cost["loss=sum lr=single"].seconds_per_step == pytest.approx(0.1)
    for label in ("loss=fixed lr=single", "loss=sum lr=per_head"):
        assert cost[label].relative is None and "stacks hold runs of several settings" in cost[label].why


def test_runs_that_are_too_short_are_not_timed_against_each_other(outputs: Outputs) -> None:
    for number, (loss, seconds) in enumerate([("sum", 2.6), ("uncertainty", 2.4), ("fixed", 2.5)]):
        outputs.setting(
            loss, [10, 10], [0.5, 0.6], seconds=seconds, flat={"loss": loss}, sweep="s", stack={"id": number, "size": 2}
        )
    cost = {row.label: row.cost for row in compared(outputs).rows if row.cost is not None}
    assert cost["loss=uncertainty"].relative is None and cost["loss=uncertainty"].why == "too short to be compared"
    assert cost["loss=fixed"].relative == pytest.approx(2.5 / 2.6)  # 5.0 and 5.2 s in all
