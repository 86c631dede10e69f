"""What keeps the word best from being printed, and the commands that supply it."""

import shlex
from typing import Any

import pytest
from folders import Outputs

from mtlrun.compare.analysis.analyse import analyse
from mtlrun.compare.analysis.inference import Inference
from mtlrun.compare.analysis.options import Options
from mtlrun.compare.collect.folders import collect
from mtlrun.compare.collect.original_words import words_of
from mtlrun.compare.collect.shell_commands import is_sweep, quoted, seed_words
from mtlrun.compare.records import Comparison, Finding
from mtlrun.util.errors import RequestError


def compared(outputs: Outputs, **options: Any) -> Comparison:
    return analyse(collect([outputs.root]), Options(**options))


def missing(comparison: Comparison) -> dict[str, Finding]:
    return {finding.condition: finding for finding in comparison.findings if finding.kind == "missing"}


def whole(outputs: Outputs, seeds: int = 9) -> None:
    """Everything that a claim needs: uncertainty is 10 % better than all others in both tasks, with every seed."""
    base = [10.0 + 0.01 * s for s in range(seeds)]
    b = [0.5] * seeds
    outputs.alone([x * 1.02 for x in base], b, sweep="s")
    outputs.alone([x * 1.03 for x in base], b, "narrow", flat={"model.hidden": [32, 32]}, sweep="s")
    outputs.setting("boost", [x * 1.04 for x in base], b, flat={"model": "boosting"}, sweep="s")
    outputs.setting("sum", base, b, sweep="s")
    for weight in (0.1, 3, 10):
        outputs.setting(
            f"fixed{weight}", [x * 1.01 for x in base], b, sweep="s", flat={"loss": "fixed", "loss.weights.a": weight}
        )
    outputs.setting("unc", [x * 0.9 for x in base], [0.55] * seeds, flat={"loss": "uncertainty"}, sweep="s")
    (outputs.root / "s/command.txt").write_text("mtlrun -m data=houses 'arms=[{loss: sum}]' 'seed=range(9)'\n")


def test_best_is_said_where_every_condition_holds(outputs: Outputs) -> None:
    whole(outputs, seeds=9)
    found = compared(outputs)
    assert missing(found) == {} and found.best and found.leader == "loss=uncertainty"
    assert found.verdict[0] == "loss=uncertainty is the best of 8 settings."


@pytest.mark.parametrize(
    ("change", "condition", "command"),
    [
        ({"status": "interrupted"}, "unfinished runs", "mtlrun resume {s}"),
        ({"data_hash": "e" * 16}, "different data", "mtlrun -m data=houses 'arms=[{{loss: sum}}]' seed=8"),
        (
            {"versions": {"mtlrun": "9", "torch": "2"}},
            "different versions",
            "mtlrun -m data=houses 'arms=[{{loss: sum}}]' seed=8",
        ),
        (
            {"git": {"commit": "abc", "dirty": False}},
            "different code",
            "mtlrun -m data=houses 'arms=[{{loss: sum}}]' seed=8",
        ),
        ({"split_seed": 5}, "different splits", "mtlrun -m data=houses 'arms=[{{loss: sum}}]' seed=8"),
    ],
)
def test_one_run_that_is_not_like_the_others(
    outputs: Outputs, change: dict[str, Any], condition: str, command: str
) -> None:
    whole(outputs, seeds=8)
    for name, flat in (("sum", {}), ("unc", {"loss": "uncertainty"})):
        outputs.run(f"{name}-8", {"a": 9, "b": 0.5}, 8, flat=flat, sweep="s", **(change if name == "sum" else {}))
    found = missing(compared(outputs))
    assert found[condition].command == command.format(s=outputs.root / "s")


def test_a_reader_learns_what_is_missing_and_how_to_supply_it(outputs: Outputs) -> None:
    outputs.setting("sum", [10, 11], [0.5, 0.5], sweep="s")
    outputs.setting("unc", [9, 10], [0.5, 0.5], flat={"loss": "uncertainty"}, sweep="s")
    words = "mtlrun -m loss=sum,uncertainty 'seed=range(2)' data=houses 'only=[a,b]' '~tasks.c' hydra.sweep.dir=x\n"
    (outputs.root / "s/command.txt").write_text(words)
    found = compared(outputs)
    assert found.seeds_needed == 6 and not found.best
    assert found.verdict[0] == "Too few seeds to conclude anything: 2 of 6."
    assert missing(found)["seeds"].text == (
        "2 seeds; no row can be significant below 6; then compare both, B the folder that the command prints: "
        f"mtlrun compare {outputs.root} B"
    )
    assert missing(found)["seeds"].command == (
        "mtlrun -m loss=sum,uncertainty data=houses 'only=[a,b]' '~tasks.c' 'seed=range(2,6)'"
    )
    assert missing(found)["baselines"].command == (
        "mtlrun data=houses 'only=[a,b]' '~tasks.c' experiment=baselines seed=0,1"
    )
    assert "gradient boosting, single-task nets, width-matched" in missing(found)["baselines"].text


def test_without_its_words_a_sweep_is_written_down_from_its_plan(outputs: Outputs) -> None:
    outputs.setting("sum", [10, 11], [0.5, 0.5], sweep="s")
    assert missing(compared(outputs))["seeds"].command == "mtlrun -m 'seed=range(2,6)'"


def test_choosing_on_the_reported_seeds_asks_for_confirmation(outputs: Outputs) -> None:
    whole(outputs)
    assert "fresh seeds" not in missing(compared(outputs, tune=("lr.base",))), "one rate each: nothing was chosen"
    for loss in ("sum", "uncertainty"):
        outputs.setting(f"slow-{loss}", [12.0] * 9, [0.5] * 9, flat={"loss": loss, "lr.base": 0.0003}, sweep="s")
    command = missing(compared(outputs, tune=("lr.base",)))["fresh seeds"].command
    assert command is not None and shlex.split(command) == [
        "mtlrun",
        "compare",
        str(outputs.root),
        "--tune",
        "lr.base",
        "--confirm",
    ]


@pytest.mark.parametrize(
    ("word", "several"),
    [
        ("loss=sum,fixed", True),
        ("only=[a,b]", False),
        ("only=[a],[b]", True),
        ("seed=range(3)", True),
        ("x='a,b'", False),
        ("lr.base=tag(log,interval(1e-4,1e-1))", True),
        ("name=rangefinder", False),
    ],
)
def test_words_that_list_several_values(word: str, several: bool) -> None:
    assert is_sweep(word) is several


def test_words_for_a_shell() -> None:
    assert quoted("mtlrun", "=x", "only=[a]", "~tasks.b", "a=1,2") == "mtlrun '=x' 'only=[a]' '~tasks.b' a=1,2"
    assert [seed_words(s) for s in ([3], [1, 2], [4, 5, 6], [1, 3, 4])] == ["3", "1,2", "range(4,7)", "1,3,4"]


# ---------------------------------------------------------------- trials and rates


def test_rates_that_stand_as_rows_of_their_own_are_trials_that_test_chose(outputs: Outputs) -> None:
    whole(outputs)
    outputs.setting(
        "fast", [8.0 + 0.01 * s for s in range(9)], [0.6] * 9, sweep="s", flat={"loss": "uncertainty", "lr.base": 0.003}
    )
    found = compared(outputs)
    assert not found.best and found.leader == "loss=uncertainty lr.base=0.003"
    own = missing(found)
    assert own.keys() == {"equal trials", "rate at the edge"}
    assert own["equal trials"].text.startswith("unequal trials: 2 rows differ from ")
    assert own["rate at the edge"].text.startswith("loss=uncertainty lr.base=0.003 leads with the highest lr.base")
    tune = ["mtlrun", "compare", str(outputs.root), "--tune", "lr.base"]
    assert all(shlex.split(finding.command or "") == tune for finding in own.values())
    assert not {"equal trials", "rate at the edge"} - missing(compared(outputs, tune=("lr.base",))).keys()


def test_three_rates_of_every_row_are_chosen_on_val_too(outputs: Outputs) -> None:
    for loss in ("sum", "uncertainty"):
        for rate, a in [(0.001, 10.0), (0.01, 9.0), (0.1, 11.0)]:
            outputs.setting(f"{loss}{rate}", [a, a + 1], [0.5] * 2, flat={"loss": loss, "lr.base": rate})
    own = missing(compared(outputs))
    assert own["rates as rows"].text.startswith("values of lr.base stand as rows of their own")
    assert not {"equal trials", "rate at the edge"} & own.keys()


@pytest.mark.parametrize(("a", "leads"), [(9.5, False), (5.0, True)])
def test_a_sweep_of_weights_is_a_baseline_unless_it_leads(outputs: Outputs, a: float, leads: bool) -> None:
    whole(outputs)
    outputs.setting(
        "light",
        [a + 0.01 * s for s in range(9)],
        [0.5] * 9,
        sweep="s",
        flat={"loss": "fixed", "loss.weights.a": 0.01},
        val={"a": 0.1, "b": 0.1},
    )
    for options in ({}, {"tune": ("loss.weights",)}):
        found = compared(outputs, **options)
        conditions = [f.condition for f in found.findings if f.kind == "warning"]
        assert ("equal trials" in missing(found)) is leads
        assert ("trials" if options else "a grid as rows") in conditions or leads
    command = missing(found)["equal trials"].command if leads else None
    assert command is None or command == (
        "mtlrun -m data=houses loss=sum,uncertainty 'seed=range(0,9)' lr.base=0.0001,0.000464,0.00215,0.01"
    )


def test_a_method_with_a_grid_that_others_lack_has_unequal_trials(outputs: Outputs) -> None:
    outputs.setting("sum", [10, 11], [0.5] * 2)
    for rate in (0.01, 0.025, 0.1):
        outputs.setting(f"unc{rate}", [9, 10], [0.5] * 2, flat={"loss": "uncertainty", "loss.lr": rate})
    text = missing(compared(outputs, tune=("loss.lr",)))["equal trials"].text
    assert text == "unequal trials: 3 of loss=uncertainty, 1 of loss=sum"


# ---------------------------------------------------------------- what a row is


def test_figures_of_val_and_no_trivial_predictor_keep_best_away(outputs: Outputs) -> None:
    whole(outputs)
    own = missing(compared(outputs, split="val"))
    assert own.keys() == {"test figures"}
    assert own["test figures"].command == f"mtlrun compare {outputs.root}"
    for path in outputs.root.glob("s/*/summary.json"):
        path.write_text(path.read_text().replace('"trivial"', '"trifling"'))
    assert missing(compared(outputs)).keys() == {"trivial predictor"}


def test_several_settings_in_one_row_are_named_with_what_tells_them_apart(outputs: Outputs) -> None:
    whole(outputs)
    outputs.setting("clip", [9.0] * 9, [0.5] * 9, flat={"loss": "uncertainty", "trainer.clip": 1.0}, sweep="s")
    finding = missing(compared(outputs, by=("loss", "model")))["a seed twice in one row"]
    assert finding.text.startswith("loss=uncertainty model=mlp model.hidden=[64,64]: its runs differ in trainer.clip, ")
    assert finding.command == f"mtlrun compare {outputs.root} --by loss,model,trainer.clip"


def test_nets_that_train_longer_are_no_fair_comparison(outputs: Outputs) -> None:
    outputs.setting("sum", [10, 11], [0.5] * 2, sweep="s")
    outputs.setting("fix", [10, 11], [0.5] * 2, sweep="s", flat={"loss": "fixed"})
    outputs.setting("unc", [9, 10], [0.5] * 2, flat={"loss": "uncertainty", "trainer.epochs": 300}, sweep="t")
    (outputs.root / "t/command.txt").write_text("mtlrun -m loss=uncertainty trainer.epochs=300 seed=0,1\n")
    finding = missing(compared(outputs))["equal budget"]
    assert finding.text.endswith(" is trained with trainer.epochs=300 instead of 3")
    assert finding.command == "mtlrun -m loss=uncertainty seed=0,1 trainer.epochs=3"
    assert "equal budget" not in missing(compared(outputs, tune=("trainer.epochs",)))


def test_steps_that_differ_by_more_than_half_are_named(outputs: Outputs) -> None:
    outputs.alone([10, 11], [0.5] * 2, sweep="s", steps=6)
    outputs.setting("sum", [10, 11], [0.5] * 2, sweep="s", steps=38)
    outputs.setting("boost", [10, 11], [0.5] * 2, sweep="s", steps=500, flat={"model": "boosting"})
    (outputs.root / "s/command.txt").write_text("mtlrun -m 'only=[a],[b],[a,b]' seed=0,1\n")
    finding = next(f for f in compared(outputs).findings if f.condition == "unequal steps")
    assert finding.text.startswith("alone takes 6 steps where loss=sum takes 38")
    assert finding.command == (
        "mtlrun -m 'only=[a],[b],[a,b]' seed=0,1 trainer.max_steps=38 trainer.epochs=38 trainer.patience=null"
    )


def test_a_row_has_the_seeds_with_every_task(outputs: Outputs) -> None:
    whole(outputs, seeds=10)
    folder = next(outputs.root.glob("s/alone-b-9"))
    text = (folder / "summary.json").read_text().replace('"status": "completed"', '"status": "failed"')
    (folder / "summary.json").write_text(text)
    found = compared(outputs)
    row = next(row for row in found.rows if row.label == "alone model.hidden=[64,64]")
    assert row.seeds == tuple(range(9)) and row.figures["a"].n == 10
    assert missing(found).keys() == {"equal seeds"}
    assert missing(found)["equal seeds"].command == "mtlrun -m data=houses 'arms=[{loss: sum}]' seed=9"


def test_single_task_nets_that_differ_in_more_than_their_tasks(outputs: Outputs) -> None:
    outputs.setting("sum", [10, 11], [0.5] * 2)
    for seed in range(2):
        outputs.run(f"a{seed}", {"a": 10 + seed}, seed, flat={"lr.base": 0.01, "loss.weights.a": 3})
        outputs.run(f"b{seed}", {"b": 0.5}, seed, flat={"model.hidden": [8]})
    text = missing(compared(outputs))["unlike single-task nets"].text
    assert text == (
        "alone: single-task nets differ between tasks: lr.base: 0.01 for a, 0.001 for b; "
        "model.hidden: [64,64] for a, [8] for b"
    )
    assert "lr.base" not in missing(compared(outputs, tune=("lr.base",)))["unlike single-task nets"].text


# ---------------------------------------------------------------- commands


def test_printed_baselines_keep_what_was_not_swept(outputs: Outputs) -> None:
    outputs.setting("sum", [10, 11], [0.5] * 2, sweep="s")
    words = (
        "mtlrun -m loss=sum,uncertainty 'only=[a,b]' lr.base=0.003 lr.schedule=cosine model.dropout=0,0.1 seed=0,1\n"
    )
    (outputs.root / "s/command.txt").write_text(words)
    assert missing(compared(outputs))["baselines"].command == (
        "mtlrun 'only=[a,b]' lr.base=0.003 lr.schedule=cosine experiment=baselines seed=0,1"
    )


def test_runs_of_single_tasks_do_not_narrow_the_baselines(outputs: Outputs) -> None:
    outputs.setting("sum", [10, 11], [0.5] * 2, sweep="s")
    outputs.alone([10, 11] * 3, [0.5] * 6, sweep="t")  # more runs than the sweep of both tasks
    (outputs.root / "t/command.txt").write_text("mtlrun -m 'only=[a]' trainer.clip=1 'seed=range(6)'\n")
    (outputs.root / "s/command.txt").write_text("mtlrun -m 'only=[a,b]' seed=0,1\n")
    command = missing(compared(outputs))["baselines"].command
    assert command == "mtlrun 'only=[a,b]' experiment=baselines 'seed=range(0,6)'"


def test_no_command_changes_a_value_that_the_arms_set(outputs: Outputs) -> None:
    outputs.setting("sum", [10, 11], [0.5] * 2, sweep="s")
    plan = outputs.root / "s/sweep.json"
    plan.write_text(plan.read_text().replace('"overrides": {', '"overrides": {"lr.base": "0.001", '))
    for words, command in [
        ("'arms=[{lr.base: 0.001}]'", None),
        ("lr.base=0.001", "mtlrun -m seed=0,1 lr.base=0.0003,0.001,0.003"),
    ]:
        (outputs.root / "s/command.txt").write_text(f"mtlrun -m {words} seed=0,1\n")
        words_of.cache_clear()
        found = next(f for f in compared(outputs).findings if f.condition == "rates not tuned")
        assert found.command == command


def test_an_experiment_that_is_no_plan_is_spelled_out_for_the_baselines(outputs: Outputs) -> None:
    outputs.setting("sum", [10, 11], [0.5] * 2, sweep="s")
    (outputs.root / "s/command.txt").write_text("mtlrun experiment=raw_targets trainer.epochs=2\n")
    assert missing(compared(outputs))["baselines"].command == (
        "mtlrun trainer.epochs=2 data=diamonds data.standardize_targets=false experiment=baselines seed=0,1"
    )


# ---------------------------------------------------------------- why nothing leads


def leaders(outputs: Outputs, **options: Any) -> list[Finding]:
    return [f for f in compared(outputs, **options).findings if f.condition == "a clear leader"]


def test_what_is_equivalent_to_the_leader_is_not_offered_more_seeds(outputs: Outputs) -> None:
    outputs.setting("sum", [10 + 0.01 * (-1) ** s for s in range(8)], [0.5] * 8, sweep="s")
    outputs.setting(
        "unc", [10 - 0.01 * (-1) ** s for s in range(8)], [0.5] * 8, sweep="s", flat={"loss": "uncertainty"}
    )
    (finding,) = leaders(outputs)
    assert " is equivalent within 1 % to " in finding.text and finding.command is None


def test_where_splits_share_rows_no_number_of_seeds_may_be_enough(outputs: Outputs) -> None:
    # the difference is 0.5 % of a, ± 5 % by turns: Δm 0.25 ± 2.5 with s = 2.67; 1.96 · s · √(15/70) = 2.43
    noise = [0.5 * (-1) ** s for s in range(8)]
    for seed, e in enumerate(noise):
        outputs.run(f"sum-{seed}", {"a": 10.0, "b": 0.5}, seed, split_seed=None, sweep="s")
        outputs.run(
            f"unc-{seed}", {"a": 9.95 + e, "b": 0.5}, seed, split_seed=None, sweep="s", flat={"loss": "uncertainty"}
        )
    (finding,) = leaders(outputs)
    assert "nor could it with any number of seeds: their splits share rows" in finding.text
    assert finding.command is None
    assert Inference(True, 15 / 70).limited([2.43 + e for e in (-2.5, 2.5) * 4]) is False
    assert Inference(True, 15 / 70).limited([2.42 + e for e in (-2.5, 2.5) * 4]) is True
    assert not Inference(False, None).limited([0.0, 1.0])


@pytest.mark.parametrize("confirmed", [False, True])
def test_a_confirmation_is_not_repeated_until_one_pleases(outputs: Outputs, confirmed: bool) -> None:
    noise = [0.5 * (-1) ** s for s in range(8)]
    outputs.setting("sum", [10.0] * 8, [0.5] * 8, sweep="s")
    outputs.setting("unc", [9.8 + e for e in noise], [0.5] * 8, flat={"loss": "uncertainty"}, sweep="s")
    words = "compare outputs/first --tune lr.base --confirm" if confirmed else "-m loss=sum,uncertainty 'seed=range(8)'"
    (outputs.root / "s/command.txt").write_text(f"mtlrun {words}\n")
    (finding,) = leaders(outputs)
    assert finding.text.startswith("loss=uncertainty cannot be told apart from loss=sum: ")
    if confirmed:
        assert "the confirmation leaves it open, and training further ones" in finding.text and finding.command is None
    else:
        assert "more seeds may do it; then compare both" in finding.text
        assert finding.command == "mtlrun -m loss=sum,uncertainty 'seed=range(8,16)'"


# ---------------------------------------------------------------- nothing to compare, and what all have in common


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
