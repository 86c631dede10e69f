"""Figures of a comparison against what is worked out by hand."""

import math
import re
from typing import Any, get_args

import pytest
from folders import Outputs

from mtlrun.compare.analyse import analyse
from mtlrun.compare.analysis.options import Options
from mtlrun.compare.collect.folders import collect
from mtlrun.compare.records import Comparison, Row
from mtlrun.compare.report.render import Format, render
from mtlrun.util.errors import RequestError


def compared(outputs: Outputs, **options: Any) -> Comparison:
    return analyse(collect([outputs.root]), Options(**options))


def rows(comparison: Comparison) -> dict[str, Row]:
    return {row.label: row for row in comparison.rows}


def conditions(comparison: Comparison) -> set[str]:
    return {finding.condition for finding in comparison.findings}


@pytest.fixture
def three(outputs: Outputs) -> Outputs:
    """Alone 10 and 0.5; the sum 10 % worse in a, uncertainty 10 % better in both; a doubles in the second seed."""
    outputs.alone([10, 20], [0.5, 0.5])
    outputs.setting("sum", [11, 22], [0.5, 0.5])
    outputs.setting("unc", [9, 18], [0.55, 0.55], flat={"loss": "uncertainty"})
    return outputs


def test_drops_are_percent_of_the_single_task_nets_of_the_same_seed(three: Outputs) -> None:
    found = compared(three)
    assert (found.baseline, found.reference) == ("alone", "loss=sum")
    own = rows(found)
    assert own["loss=sum"].delta_m is not None and own["loss=uncertainty"].delta_m is not None
    assert own["loss=sum"].delta_m.values == pytest.approx({0: 5.0, 1: 5.0})  # (10 + 0) / 2
    assert own["loss=uncertainty"].delta_m.values == pytest.approx({0: -10.0, 1: -10.0})
    assert own["alone"].delta_m is not None and own["alone"].delta_m.values == {0: 0.0, 1: 0.0}
    # the trivial predictor: 20 against 10 and 20, 0.25 against 0.5
    assert own["trivial"].delta_m is not None
    assert own["trivial"].delta_m.values == pytest.approx({0: 75.0, 1: 25.0})
    assert own["loss=sum"].figures["a"].mean == 16.5
    # t(1) at .975 is 12.7062; s/√n = 5.5
    assert own["loss=sum"].figures["a"].high == pytest.approx(16.5 + 12.70620474 * 5.5)
    assert [column.unit for column in found.columns] == ["", ""]


def test_ranks_average_ties_and_the_front_is_what_nothing_dominates(three: Outputs) -> None:
    own = rows(compared(three))
    assert {label: row.rank for label, row in own.items()} == {
        "loss=uncertainty": 1.0,
        "alone": (2 + 2.5) / 2,
        "loss=sum": (3 + 2.5) / 2,
        "trivial": None,
    }
    assert {label: row.dominated for label, row in own.items() if label != "trivial"} == {
        "loss=uncertainty": False,
        "alone": True,
        "loss=sum": True,
    }


def test_rows_stand_in_the_order_of_their_mean_and_the_first_leads(three: Outputs) -> None:
    found = compared(three)
    assert [row.label for row in found.rows] == ["loss=uncertainty", "alone", "loss=sum", "trivial"]
    assert found.leader == "loss=uncertainty" and not found.best


def test_half_of_the_most_seeds_is_enough_to_lead_and_to_have_a_rank(outputs: Outputs) -> None:
    for loss, value, seeds in [("sum", 10.0, 4), ("gls", 9.0, 2), ("rlw", 8.0, 1)]:
        outputs.setting(loss, [value] * seeds, [0.5] * seeds, flat={"loss": loss})
    found = compared(outputs)
    assert found.leader == "loss=gls"
    assert [rows(found)[f"loss={loss}"].rank for loss in ("gls", "sum", "rlw")] == [1.25, 1.75, None]  # b is a tie


def test_eight_seeds_that_agree_are_significant_and_holm_counts_the_rows(outputs: Outputs) -> None:
    outputs.alone([10.0] * 8, [0.5] * 8)
    outputs.setting("sum", [10.0 + 0.1 * s for s in range(8)], [0.5] * 8)
    outputs.setting("unc", [9.0 + 0.1 * s for s in range(8)], [0.5] * 8, flat={"loss": "uncertainty"})
    found = compared(outputs)
    held = rows(found)["loss=uncertainty"].against
    assert held is not None and not found.split_varies
    assert held.difference.mean == pytest.approx(-5.0)  # -10 % of a, halved
    assert held.p == held.p_permutation == 2 / 2**8
    assert held.p_holm == pytest.approx(2 * 2 / 2**8)  # two rows against the reference
    assert held.verdict == "better" and held.wins == 1.0 and held.wins_low == pytest.approx(0.025 ** (1 / 8))
    assert found.seeds_needed == 7
    alone = rows(found)["alone"].against  # 0 to -3.5 % of Δm, mean -1.75, zero of the first seed
    assert alone is not None and alone.difference.mean == pytest.approx(-1.75) and alone.wins == 7.5 / 8


def test_where_the_split_varies_the_greater_p_counts_and_intervals_are_wider(outputs: Outputs) -> None:
    a = [10.0, 12.0, 11.0, 13.0]
    outputs.setting("sum", a, [0.5] * 4, split_seed=None)
    better = [9.9, 11.7, 10.8, 12.8]
    outputs.setting("unc", better, [0.5] * 4, flat={"loss": "uncertainty"}, split_seed=None)
    found = compared(outputs)
    assert found.split_varies and found.baseline == found.reference == "loss=sum"
    held = rows(found)["loss=uncertainty"].against
    assert held is not None
    assert held.p == max(held.p_permutation, held.p_t) and held.p_permutation == 2 / 2**4
    drops = [50 * (x - y) / y for x, y in zip(better, a, strict=True)]
    mean = sum(drops) / 4
    spread = math.sqrt(sum((d - mean) ** 2 for d in drops) / 3)
    assert held.difference.high == pytest.approx(mean + 3.182446305 * spread * math.sqrt(1 / 4 + 15 / 70))
    fixed = rows(compared(outputs))["loss=sum"].figures["a"]
    assert fixed.high == pytest.approx(11.5 + 3.182446305 * math.sqrt(5 / 3) * math.sqrt(1 / 4 + 15 / 70))


def test_rows_that_the_split_leaves_out_count_as_train(outputs: Outputs) -> None:
    rows_of = {"table": 1000, "train": 70, "val": 15, "test": 15}
    outputs.setting("sum", [1.0, 3.0], [0.5, 0.5], split_seed=None, rows=rows_of)
    figure = rows(compared(outputs))["loss=sum"].figures["a"]
    assert figure.high == pytest.approx(2 + 12.70620474 * math.sqrt(2) * math.sqrt(1 / 2 + 15 / 970))


def test_auxiliary_tasks_enter_where_they_are_asked_for(outputs: Outputs) -> None:
    outputs.setting("sum", [10, 10], [0.5, 0.5], roles={"b": "auxiliary"})
    outputs.setting("unc", [9, 9], [0.25, 0.25], flat={"loss": "uncertainty"}, roles={"b": "auxiliary"})
    found = compared(outputs, metrics={"b": ("accuracy",)})
    assert [column.task for column in found.columns] == ["a", "b"]
    assert rows(found)["loss=uncertainty"].delta_m.mean == pytest.approx((-10 + 50) / 2)


def test_auxiliary_tasks_never_enter(outputs: Outputs) -> None:
    outputs.setting("sum", [10, 10], [0.5, 0.5], roles={"b": "auxiliary"})
    outputs.setting("unc", [9, 9], [0.1, 0.1], flat={"loss": "uncertainty"}, roles={"b": "auxiliary"})
    found = compared(outputs)
    assert [column.task for column in found.columns] == ["a"]
    assert rows(found)["loss=uncertainty"].delta_m.mean == pytest.approx(-10)


def test_several_metrics_of_a_task_count_per_task_and_per_metric(outputs: Outputs) -> None:
    for seed in range(2):
        for name, mae, loss in (("sum", 1.0, "sum"), ("unc", 1.3, "uncertainty")):
            outputs.run(
                f"{name}-{seed}",
                {"a": 10.0 if name == "sum" else 11.0, "b": 0.5, "test/a/mae": mae},
                seed,
                flat={"loss": loss},
            )
    own = rows(compared(outputs, metrics={"a": ("rmse", "mae")}))["loss=uncertainty"]
    assert own.delta_m is not None and own.delta_m.mean == pytest.approx(((10 + 30) / 2 + 0) / 2)
    assert own.delta_m_metrics is not None and own.delta_m_metrics.mean == pytest.approx((10 + 30 + 0) / 3)


def test_a_baseline_of_zero_is_named_and_left_out_of_the_mean(outputs: Outputs) -> None:
    outputs.setting("sum", [10, 10], [0.0, 0.0])
    outputs.setting("unc", [11, 11], [0.3, 0.3], flat={"loss": "uncertainty"})
    found = compared(outputs)
    assert rows(found)["loss=uncertainty"].delta_m.mean == pytest.approx(10)
    text = next(f.text for f in found.findings if f.condition == "a baseline of 0")
    assert "accuracy of b" in text and "seed 0, 1" in text


def test_gaps_are_named(outputs: Outputs) -> None:
    outputs.alone([10, 10, 10], [0.5, 0.5, 0.5])
    outputs.setting("sum", [11, 11, 12, 12], [0.5] * 4)
    outputs.setting("unc", [11, 12], [0.5] * 2, flat={"loss": "uncertainty"})
    outputs.run(
        "broken", {"a": 1.0, "b": 1.0}, 2, flat={"loss": "uncertainty"}, status="failed", error="diverged", figures={}
    )
    outputs.run("left", {"a": 1.0, "b": 1.0}, 3, flat={"loss": "uncertainty"}, status="running", figures={})
    found = compared(outputs)
    own = rows(found)["loss=uncertainty"]
    assert (own.failed, own.unfinished, own.seeds) == (1, 1, (0, 1))
    assert {"missing pairs", "failed runs", "unfinished runs", "equal seeds"} <= conditions(found)
    assert "seed 3" in next(f.text for f in found.findings if f.condition == "missing pairs")
    assert rows(found)["loss=sum"].delta_m.n == 3


def test_one_seed_has_no_intervals_and_seeds_that_say_the_same_are_named(outputs: Outputs) -> None:
    outputs.setting("sum", [10], [0.5])
    outputs.setting("unc", [9], [0.5], flat={"loss": "uncertainty"})
    found = compared(outputs)
    held = rows(found)["loss=uncertainty"].against
    assert held is not None and (held.p, held.verdict, held.difference.low) == (1.0, "undecided", None)
    assert "no variance" not in conditions(found)
    outputs.run("sum-1", {"a": 10, "b": 0.5}, 1)
    outputs.run("unc-1", {"a": 9.5, "b": 0.5}, 1, flat={"loss": "uncertainty"})
    found = compared(outputs)
    texts = [f.text for f in found.findings if f.condition == "no variance"]
    assert any(text.startswith("loss=sum: every seed has the same figure of a, b") for text in texts)


# ---------------------------------------------------------------- what is held against what


def test_together_or_alone_is_held_against_alone_and_strategies_against_the_sum(outputs: Outputs) -> None:
    outputs.alone([10, 10], [0.5, 0.5])
    outputs.setting("sum", [11, 12], [0.5, 0.5])
    assert compared(outputs).reference == "alone"
    outputs.setting("unc", [11, 12], [0.4, 0.5], flat={"loss": "uncertainty"})
    assert compared(outputs).reference == "loss=sum"


def test_the_plain_sum_has_one_rate_and_no_edges_whatever_most_rows_have(outputs: Outputs) -> None:
    edges = [{"graph": "chain"}, {"graph": "chain", "graph.gradient": "pass"}, {"graph": "none"}]
    for number, edge in enumerate(edges):
        for loss in ("sum", "uncertainty"):
            outputs.setting(f"{number}-{loss}", [10, 11], [0.5, 0.5], flat={"loss": loss, "trainer.clip": 1, **edge})
    assert compared(outputs).reference == "loss=sum graph=none"


def test_the_reference_is_the_plain_sum_that_is_most_like_the_others(outputs: Outputs) -> None:
    for loss in ("uncertainty", "sum"):
        for lr in ("per_head", "single"):
            outputs.setting(f"{loss}-{lr}", [10, 11], [0.5, 0.5], flat={"loss": loss, "lr": lr})
    outputs.setting("third", [10, 11], [0.5, 0.5], flat={"loss": "fixed", "lr": "single"})
    assert compared(outputs).reference == "loss=sum lr=single"
    assert compared(outputs, reference="loss=sum lr=per_head").reference == "loss=sum lr=per_head"
    assert compared(outputs, reference="loss=fixed").reference == "loss=fixed lr=single"
    with pytest.raises(RequestError, match=r"--reference: 2 rows are loss=sum\nallowed: loss=sum lr=per_head; loss=su"):
        compared(outputs, reference="loss=sum")
    with pytest.raises(RequestError, match="--reference: no row is alone\nallowed: "):
        compared(outputs, reference="alone")


def test_options_that_name_what_is_not_there(three: Outputs) -> None:
    for options, message in [
        ({"metrics": {"c": ("mae",)}}, "--metric: no task is named c\nallowed: a, b"),
        ({"metrics": {"a": ("mea",)}}, "--metric: no run has mea of a on test\nallowed: rmse"),
        ({"split": "tset"}, "--split: found tset; did you mean test\\?\nallowed: test, val"),
        ({"by": ("los",)}, "--by: no run here has a setting los; did you mean loss\\?\n"),
        ({"tune": ("lr.bsae",)}, "--tune: no run here has a setting lr.bsae; did you mean lr.base\\?\n"),
        ({"by": ("arm",)}, "--by: found arm, and no run here belongs to a named arm\n"),
    ]:
        with pytest.raises(RequestError, match=message):
            compared(three, **options)


def test_a_metric_unknown_to_a_run_is_named(outputs: Outputs) -> None:
    outputs.setting("sum", [10, 11], [0.5, 0.6])
    outputs.run("unc-0", {"a": 9.0, "b": 0.5}, 0, flat={"loss": "uncertainty"})
    outputs.run("unc-1", {"a": 9.0, "b": 0.5}, 1, flat={"loss": "uncertainty"}, figures={"test/b/accuracy": 0.5})
    found = compared(outputs)
    assert "rmse of a on test: unc-1" in next(f.text for f in found.findings if "unknown" in f.condition)
    assert rows(found)["loss=uncertainty"].delta_m.n == 1


# ---------------------------------------------------------------- grids, trials, pairs


def test_a_grid_of_two_factors_is_read_as_a_factorial(outputs: Outputs) -> None:
    # Δm of a halved: loss adds 10 %, lr 4 %, both together 2 % more; seeds differ by noise that pairs cancel
    for loss, lr, factor in [
        ("sum", "single", 1.0),
        ("uncertainty", "single", 1.1),
        ("sum", "per_head", 1.04),
        ("uncertainty", "per_head", 1.16),
    ]:
        outputs.setting(f"{loss}-{lr}", [10 * factor, 12 * factor], [0.5, 0.5], flat={"loss": loss, "lr": lr})
    found = {(e.factor, e.level, e.against): e for e in compared(outputs).effects}
    assert found["loss", "uncertainty", "sum"].estimate.mean == pytest.approx((10 + 12) / 2 / 2)
    assert found["lr", "per_head", "single"].estimate.mean == pytest.approx((4 + 6) / 2 / 2)
    both = found["loss × lr", "uncertainty × per_head", "sum × single"]
    assert both.estimate.mean == pytest.approx(1.0) and len(found) == 3
    outputs.setting("more", [10, 12], [0.5, 0.5], flat={"loss": "fixed", "lr": "single"})
    assert not compared(outputs).effects


def test_keys_of_one_group_that_hang_together_are_one_factor(outputs: Outputs) -> None:
    edges = [{"graph": "none"}, {"graph": "chain"}, {"graph": "chain", "graph.gradient": "pass"}]
    for loss in ("sum", "uncertainty"):
        for number, edge in enumerate(edges):
            outputs.setting(f"{loss}-{number}", [10.0 + number, 11], [0.5, 0.5], flat={"loss": loss, **edge})
    found = compared(outputs).effects
    levels = {(e.level, e.against) for e in found if e.factor == "graph"}
    assert levels == {("chain, stop", "none"), ("chain, pass", "none")}


def test_tuning_chooses_on_val_and_reports_test(outputs: Outputs) -> None:
    for rate, loss, test in [(0.001, 0.6, 10.0), (0.01, 0.4, 12.0), (0.1, 0.9, 8.0)]:
        for name in ("sum", "uncertainty"):
            outputs.setting(
                f"{name}-{rate}",
                [test, test + 1],
                [0.5, 0.5],
                flat={"loss": name, "lr.base": rate},
                val={"a": loss, "b": loss},
            )
    found = compared(outputs, tune=("lr.base",))
    own = rows(found)
    assert set(own) == {"loss=sum", "loss=uncertainty", "trivial"}
    assert own["loss=sum"].chosen == {"lr.base": "0.01"} and own["loss=sum"].trials == 3
    assert own["loss=sum"].figures["a"].mean == 12.5
    # skills 0.4, 0.6, 0.1: of one trial their mean, of three Σ v [(i/3)³ − ((i−1)/3)³]
    assert found.expected_best["loss=sum"] == pytest.approx(
        [1.1 / 3, (0.1 * 1 + 0.4 * 3 + 0.6 * 5) / 9, (0.1 * 1 + 0.4 * 7 + 0.6 * 19) / 27]
    )
    assert "fresh seeds" in conditions(found) and "rate at the edge" not in conditions(found)


def test_a_row_whose_loss_was_chosen_on_val_is_called_tuned(outputs: Outputs) -> None:
    for name, loss in [("sum", 0.6), ("uncertainty", 0.4)]:
        outputs.setting(name, [10.0, 11.0], [0.5, 0.5], flat={"loss": name}, val={"a": loss, "b": loss})
    own = rows(compared(outputs, tune=("loss",)))
    assert own["tuned"].chosen["loss"] == "uncertainty"


def test_a_trial_with_fewer_seeds_than_others_is_not_chosen(outputs: Outputs) -> None:
    for rate, loss, seeds in [(0.001, 0.6, 2), (0.01, 0.4, 1), (0.1, 0.7, 2)]:
        val = {"a": loss, "b": loss}
        outputs.setting(f"sum-{rate}", [10.0 + rate] * seeds, [0.5] * seeds, flat={"lr.base": rate}, val=val)
    found = compared(outputs, tune=("lr.base",))
    (own,) = (row for row in found.rows if row.trials == 3)
    assert own.chosen == {"lr.base": "0.001"} and own.figures["a"].mean == 10.001 and own.seeds == (0, 1)
    assert any("fewer seeds than others, not to be chosen: lr.base=0.01" in f.text for f in found.findings)


def test_a_rate_at_the_edge_and_unequal_trials_are_noticed(outputs: Outputs) -> None:
    for rate, loss in [(0.001, 0.6), (0.01, 0.4)]:
        outputs.setting(
            f"sum-{rate}", [10, 11], [0.5, 0.5], flat={"lr.base": rate}, val={"a": loss, "b": loss}, sweep="s"
        )
    outputs.setting("unc", [10, 11], [0.5, 0.5], flat={"loss": "uncertainty"}, sweep="s")
    (outputs.root / "s" / "command.txt").write_text("mtlrun -m loss=sum lr.base=0.001,0.01 'seed=range(2)'\n")
    found = {f.condition: f for f in compared(outputs, tune=("lr.base",)).findings}
    assert "lr.base=0.01 is the highest" in found["rate at the edge"].text
    assert found["rate at the edge"].command == "mtlrun -m loss=sum 'seed=range(2)' lr.base=0.1"
    assert found["equal trials"].text == "unequal trials: 2 of loss=sum, 1 of loss=uncertainty"


def test_single_task_nets_choose_for_each_task(outputs: Outputs) -> None:
    for rate, one, two in [(0.001, 0.6, 0.2), (0.01, 0.4, 0.7)]:
        outputs.alone([10 + rate] * 2, [0.5] * 2, f"alone-{rate}", flat={"lr.base": rate}, val={"a": one, "b": two})
    own = rows(compared(outputs, tune=("lr.base",)))["alone"]
    assert own.chosen == {"lr.base (a)": "0.01", "lr.base (b)": "0.001"}
    assert own.figures["a"].mean == 10.01


def test_every_pair_of_tasks_makes_a_matrix_of_gains(outputs: Outputs) -> None:
    for seed in range(2):
        for task, value in (("a", 10.0), ("b", 0.5), ("c", 0.8)):
            outputs.run(f"{task}-{seed}", {task: value}, seed)
        curve = ["1,10,train,a,cosine_b,0.2", "2,20,train,a,cosine_b,0.4"]
        outputs.run(
            f"ab-{seed}",
            {"a": 9.0, "b": 0.45},
            seed,
            curve=curve,
            flat={"tasks.c": {"type": "binary", "role": "main"}, "only": ["a", "b"]},
        )
        outputs.run(f"all-{seed}", {"a": 9.5, "b": 0.5, "c": 0.8}, seed)
    found = compared(outputs).affinity
    assert found is not None and found.tasks == ("a", "b", "c")
    assert found.gains["a", "b"].mean == pytest.approx(10.0) and found.gains["b", "a"].mean == pytest.approx(-10.0)
    assert found.cosines["b", "a"].mean == pytest.approx(0.3)


def test_pairs_that_gain_are_named(outputs: Outputs) -> None:
    for seed in range(9):
        noise = 0.01 * (seed - 4)
        for task, value in (("a", 10.0), ("b", 0.5), ("c", 0.8)):
            outputs.run(f"{task}-{seed}", {task: value}, seed)
        outputs.run(
            f"ab-{seed}",
            {"a": 9.0 + noise, "b": 0.5 + noise},
            seed,
            flat={"tasks.c": {"type": "binary", "role": "main"}, "only": ["a", "b"]},
        )
        outputs.run(f"all-{seed}", {"a": 10.0, "b": 0.5, "c": 0.8}, seed)
    assert compared(outputs).verdict[0].startswith("In pairs, a gains by b (+10.00 ± ")


def test_pairs_are_held_against_the_baseline_and_two_tasks_are_a_pair_by_name(outputs: Outputs) -> None:
    for name, hidden, a in [("narrow", [8, 8], 20.0), ("wide", [64, 64], 10.0)]:  # the narrower nets come first
        outputs.alone([a] * 2, [0.5] * 2, name, flat={"model.hidden": hidden}, sweep="s", arm=f"alone, {name}")
    outputs.setting("sum", [9.0] * 2, [0.5] * 2, sweep="s", arm="plain sum")
    assert compared(outputs).affinity is None
    outputs.setting(
        "unc", [9.0] * 2, [0.6] * 2, sweep="s", arm="pairs", flat={"trainer.log_gradients": True, "trainer.clip": 1.0}
    )
    found = compared(outputs)
    assert found.baseline == "alone, wide" and found.affinity is not None
    assert found.affinity.gains["a", "b"].mean == pytest.approx(10.0)
    assert found.affinity.gains["b", "a"].mean == pytest.approx(20.0)


@pytest.mark.parametrize(("arm", "named"), [("pairs", False), ("other", True)])
def test_pairs_are_meant_to_lack_tasks(outputs: Outputs, arm: str, named: bool) -> None:
    for seed in range(2):
        for task, value in (("a", 10.0), ("b", 0.5), ("c", 0.8)):
            outputs.run(f"{task}-{seed}", {task: value}, seed, sweep="s", arm="alone")
        outputs.run(
            f"ab-{seed}",
            {"a": 9.0, "b": 0.45},
            seed,
            sweep="s",
            arm=arm,
            flat={"tasks.c": {"type": "binary", "role": "main"}, "only": ["a", "b"]},
        )
    assert ("missing cells" in conditions(compared(outputs))) is named


def test_a_task_that_is_main_in_some_runs_only_is_named(outputs: Outputs) -> None:
    outputs.setting("sum", [10, 11], [0.5] * 2)
    outputs.setting("unc", [10, 11], [0.5] * 2, flat={"loss": "uncertainty"}, roles={"b": "auxiliary"})
    found = compared(outputs)
    assert [column.task for column in found.columns] == ["a"]
    finding = next(f for f in found.findings if f.condition == "different roles")
    assert finding.text == "b is main in some runs and auxiliary in others: it has no column"


def test_restarts_are_one_row_of_the_best_draws_on_val(outputs: Outputs) -> None:
    outputs.setting("with", [9.0, 9.0], [0.5] * 2, sweep="s", arm="with auxiliary tasks", roles={"b": "auxiliary"})
    # losses on val by draw and seed: the first draw is best with seed 0, the second restart with seed 1
    for draw, arm, test, val in [
        (0, "alone", 10.0, (0.2, 0.5)),
        (1, "alone, restarted", 8.0, (0.4, 0.4)),
        (2, "alone, restarted", 12.0, (0.3, 0.1)),
    ]:
        for seed in range(2):
            outputs.run(
                f"{draw}-{seed}",
                {"a": test},
                seed,
                sweep="s",
                arm=arm,
                val={"a": val[seed]},
                flat={"model.restart": draw},
                roles={"b": "auxiliary"},
            )
    found = compared(outputs)
    row = rows(found)["alone, restarted (of 3, chosen on val)"]
    assert row.figures["a"].values == {0: 10.0, 1: 12.0} and row.trials == 3
    assert set(rows(found)) == {"with auxiliary tasks", "alone", row.label, "trivial"}
    effect = next(e for e in found.effects if e.factor == "other initial parameters")
    assert effect.estimate.values == pytest.approx({0: 10.0, 1: 30.0})
    assert not any(f.condition == "unlike single-task nets" for f in found.findings)
    assert not found.best
    for form in get_args(Format):
        assert not re.search(r"\bbest\b", render(found, form)), form


def test_the_plain_sum_has_one_rate_though_as_many_rows_have_two(outputs: Outputs) -> None:
    for loss in ("sum", "uncertainty"):
        for lr in ({"lr": "per_head", "lr.trunk": "1x"}, {"lr": "single"}):
            outputs.setting(f"{loss}-{lr['lr']}", [10, 11], [0.5, 0.5], flat={"loss": loss, **lr})
    assert compared(outputs).reference == "loss=sum lr=single"


@pytest.mark.parametrize(
    ("status", "how"),
    [
        ("failed", "why is in {root}/s/sum-0/run.log"),
        ("running", "go on with: mtlrun resume {root}/s"),
    ],
)
def test_without_completed_runs_the_answer_fits_what_is_there(outputs: Outputs, status: str, how: str) -> None:
    outputs.setting("sum", [10, 11], [0.5] * 2, sweep="s", status=status)
    with pytest.raises(RequestError) as caught:
        compared(outputs)
    assert str(caught.value).splitlines()[1] == how.format(root=outputs.root)


def test_what_runs_have_in_common_every_run_has(outputs: Outputs) -> None:
    outputs.setting("sum", [10, 11], [0.5] * 2)
    outputs.alone([10, 11], [0.5] * 2, flat={"trainer.epochs": 9})
    outputs.setting("boost", [9, 9], [0.5] * 2, flat={"model": "boosting"})
    shared = compared(outputs).shared
    assert shared["data.split.train"] == "0.7" and not {"trainer.epochs", "loss", "model"} & shared.keys()


ALONE: dict[str, dict[str, Any]] = {
    "boosting": {"model": "boosting"},
    "boosting, two rows": {"model": "boosting", "model.rounds": "seed"},
    "a net": {},
    "fixed weights": {"loss": "fixed", "loss.weights.a": 3},
    "pre-trained": {"model.pretrain": ["b"]},
}


@pytest.mark.parametrize("seeds", [1, 3])
@pytest.mark.parametrize("kind", [*ALONE, "single-task nets", "one task"])
def test_any_kind_of_row_can_stand_alone(kind: str, seeds: int, outputs: Outputs) -> None:
    """`mtlrun compare` of boosting runs alone ended in a traceback."""
    if kind == "single-task nets":
        outputs.alone([10.0 + s for s in range(seeds)], [0.5] * seeds, sweep="s")
    for seed in range(seeds) if kind != "single-task nets" else ():
        flat = {key: f"{value}{seed % 2}" if value == "seed" else value for key, value in ALONE.get(kind, {}).items()}
        values = {"a": 10.0 + seed} if kind in ("pre-trained", "one task") else {"a": 10.0 + seed, "b": 0.5}
        outputs.run(f"run{seed}", values, seed, flat, sweep="s")
    for options in (Options(), Options(tune=("data.split",)), Options(split="val")):
        comparison = analyse(collect([outputs.root]), options)
        for format in ("text", "markdown", "latex", "csv"):
            assert render(comparison, format)
        assert comparison.rows and comparison.verdict


def test_the_advice_on_seeds_names_a_command_for_every_setting(outputs: Outputs) -> None:
    for name, loss in (("one", "sum"), ("two", "uncertainty")):
        folder = outputs.run(name, {"a": 10.0, "b": 0.5}, flat={"loss": loss})
        (folder / "command.txt").write_text(f"mtlrun loss={loss}\n")
        (folder / ".hydra").mkdir()
        (folder / ".hydra/overrides.yaml").write_text(f"- loss={loss}\n")
    findings = analyse(collect([outputs.root / "one", outputs.root / "two"]), Options()).findings
    seeds = [finding for finding in findings if finding.condition == "seeds"]
    assert [finding.command for finding in seeds] == [
        "mtlrun -m loss=sum 'seed=range(1,6)'",
        "mtlrun -m loss=uncertainty 'seed=range(1,6)'",
    ]
    assert "then compare all" in seeds[0].text and seeds[1].text == "loss=uncertainty: the same seeds"


@pytest.mark.parametrize(
    ("seeds", "reference", "advised"), [(1, None, False), (3, None, True), (3, "boosting", False), (3, "alone", True)]
)
def test_other_rows_are_advised_where_they_can_be_scored(
    seeds: int, reference: str | None, advised: bool, outputs: Outputs
) -> None:
    values = [10.0 + seed for seed in range(seeds)], [0.5] * seeds
    outputs.setting("sum", *values)
    outputs.setting("boost", *values, flat={"model": "boosting"})
    if reference == "alone":
        outputs.alone(*values)
    found = analyse(collect([outputs.root]), Options(reference=reference)).findings
    command = next(finding.command for finding in found if finding.condition == "test rows")
    assert command == (f"mtlrun compare {outputs.root} --rows" if advised else None)


def test_rows_no_better_than_the_trivial_predictor_are_named(outputs: Outputs) -> None:
    outputs.setting("sum", [10.0, 11.0], [0.2, 0.25])  # trivial: 20 and 0.25
    outputs.setting("unc", [25.0, 20.0], [0.25, 0.25], flat={"loss": "uncertainty"})
    outputs.setting("pc", [10.0, 11.0], [0.3, 0.3], flat={"loss": "pcgrad"})
    text = " ".join(render(analyse(collect([outputs.root]), Options()), "text").split())
    assert "No better than the trivial predictor, which knows no inputs: loss=sum (b); loss=uncertainty (a, b)." in text
