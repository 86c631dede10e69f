"""What a comparison says in sentences, and the contrasts, pairs and sweeps of weights that it says it from."""

import re
import shlex
from typing import Any

import numpy as np
import pytest
from folders import Outputs

from mtlrun.compare.analyse import analyse
from mtlrun.compare.analysis.options import Options
from mtlrun.compare.collect.folders import collect
from mtlrun.compare.records import Comparison, Row
from mtlrun.compare.report.render import render
from mtlrun.compare.report.wording import enumerated
from mtlrun.util.errors import listing

SEEDS = 10
NOISE = [0.02 * (s - 4.5) for s in range(SEEDS)]  # of mean 0


def compared(outputs: Outputs, **options: Any) -> Comparison:
    return analyse(collect([outputs.root]), Options(**options))


def rows(comparison: Comparison) -> dict[str, Row]:
    return {row.label: row for row in comparison.rows}


def conditions(comparison: Comparison) -> dict[str, Any]:
    return {finding.condition: finding for finding in comparison.findings}


# ---------------------------------------------------------------- together or alone, the reference, boosting


def test_together_is_said_to_be_worse_and_in_which_tasks(outputs: Outputs) -> None:
    a, b = [10.0] * SEEDS, [0.5] * SEEDS
    outputs.alone(a, b)
    # the sum: a 10 % worse give or take, b 2 % better; uncertainty is halfway
    outputs.setting("sum", [11 + e for e in NOISE], [0.51] * SEEDS)
    outputs.setting("unc", [10.5 + e for e in NOISE], [0.505] * SEEDS, flat={"loss": "uncertainty"})
    said = compared(outputs).verdict
    # Δm of the sum: (10 − 2)/2 = 4 %, of a's noise 0.2 % · s halved
    half = 2.262157163 * np.std([5 * e for e in NOISE], ddof=1) / np.sqrt(SEEDS)
    change = f"+4.00 ± {half:.2f} %, Holm p = 0.004"
    assert said[0] == f"Training together (loss=sum) is worse than single-task nets: {change}."
    assert said[1].startswith("b (−2.0") and said[1].endswith(" %) gains by it.")
    assert said[2].startswith("a (+10.00 ± ") and said[2].endswith(" %) loses by it.")
    assert said[3].startswith("Better than loss=sum: loss=uncertainty (−2.00")
    assert said[4] == "alone has the lowest Δm, 0 %, and is told apart from all others."
    assert not re.search(r"-\d", " ".join(said)), "one way of writing numbers"


def test_too_few_seeds_come_first_and_nothing_is_equivalent(outputs: Outputs) -> None:
    outputs.setting("sum", [10.0, 11.0], [0.5, 0.5])
    outputs.setting("unc", [10.001, 11.0], [0.5, 0.5], flat={"loss": "uncertainty"})
    found = compared(outputs)
    held = rows(found)["loss=uncertainty"].against
    assert held is not None and not held.equivalent and held.verdict == "undecided"
    assert found.verdict[:2] == [
        "2 seeds; 6 are needed to show a difference.",
        "No setting is shown to differ from loss=sum.",
    ]


def test_few_seeds_of_one_row_do_not_make_all_rows_inconclusive(outputs: Outputs) -> None:
    outputs.setting("sum", [10 + e for e in NOISE], [0.5] * SEEDS)
    outputs.setting("unc", [9 + e for e in NOISE], [0.5] * SEEDS, flat={"loss": "uncertainty"})
    outputs.setting("mixed", [9.5, 9.6], [0.5] * 2, flat={"loss": "mixed"})
    found = compared(outputs)
    assert found.verdict[0].startswith("Better than loss=sum: loss=uncertainty (−5.00"), "7 needed, 10 there"
    finding = conditions(found)["seeds"]
    assert finding.text == "loss=mixed: 2 seeds; no row can be significant below 7" and finding.command is None


def test_boosting_is_held_against_every_net(outputs: Outputs) -> None:
    outputs.alone([10 + e for e in NOISE], [0.5] * SEEDS)
    outputs.setting("sum", [11 + e for e in NOISE], [0.5] * SEEDS)
    outputs.setting("boost", [9 + e / 2 for e in NOISE], [0.5] * SEEDS, flat={"model": "boosting"})
    assert "Gradient boosting is better than every net, by 5.0 % or more on average." in compared(outputs).verdict
    outputs.setting("unc", [5 + e / 2 for e in NOISE], [0.5] * SEEDS, flat={"loss": "uncertainty"})
    assert "Gradient boosting is better than 2 and worse than 1 of 3 nets." in compared(outputs).verdict


def test_failures_come_last(outputs: Outputs) -> None:
    outputs.setting("sum", [10.0, 11.0], [0.5, 0.5])
    outputs.setting("unc", [10.0, 11.5], [0.5, 0.5], flat={"loss": "uncertainty"})
    for seed, status in ((2, "failed"), (3, "failed"), (4, "running")):
        outputs.run(f"x{seed}", {"a": 1.0, "b": 1.0}, seed, status=status, figures={})
    assert compared(outputs).verdict[-1] == "2 runs failed and 1 run is not finished."


def test_what_is_enumerated_is_cut() -> None:
    assert enumerated(["a"]) == "a" and enumerated(["a", "b"]) == "a and b"
    assert enumerated([*"abcdef"]) == "a, b, c and 3 more"
    assert enumerated(["500", "1,000"]) == "500 and 1,000"
    assert listing(["sum, single", "sum, per_head", "fixed"]) == "sum, single; sum, per_head; fixed"
    assert enumerated(["chain, stop", "chain, pass"]) == "chain, stop; and chain, pass"


# ---------------------------------------------------------------- factorials and plans


def test_main_effects_come_first_where_rows_are_a_grid(outputs: Outputs) -> None:
    edges = {
        "no edges": {"graph": "none"},
        "stop": {"graph": "chain"},
        "pass": {"graph": "chain", "graph.gradient": "pass"},
    }
    for loss, extra in (("sum", 0.0), ("uncertainty", 1.0)):
        for number, (word, edge) in enumerate(edges.items()):
            values = [10 + extra + 0.001 * number * (-1) ** s + e for s, e in enumerate(NOISE)]
            outputs.setting(
                f"{loss}-{number}", values, [0.5] * SEEDS, flat={"loss": loss, **edge}, sweep="s", arm=f"{loss}, {word}"
            )
    found = compared(outputs)
    effect = next(e for e in found.effects if e.factor == "loss")
    assert effect.estimate.mean == pytest.approx(np.mean([50 / (10 + e) for e in NOISE]), rel=1e-3)
    assert found.verdict[0].startswith("Loss strategy: uncertainty is worse than sum (+5.00")
    assert found.verdict[1] == "Edges: chain, stop; and chain, pass are equivalent to none within 1 %."


def arm(outputs: Outputs, label: str, a: list[float], lone: bool = False, **flat: Any) -> None:
    for seed, value in enumerate(a):
        values = {"a": value} if lone else {"a": value, "b": 0.5}
        outputs.run(
            f"{label}-{seed}".replace(" ", "-"), values, seed, arm=label, sweep="s", flat=flat, roles={"b": "auxiliary"}
        )


def test_transfer_is_claimed_where_auxiliary_tasks_beat_both_controls(outputs: Outputs) -> None:
    arm(outputs, "alone", [10.0] * SEEDS, lone=True)
    arm(outputs, "with auxiliary tasks", [9.0 + e for e in NOISE])
    arm(outputs, "auxiliary labels shuffled", [9.8 + e for e in NOISE], **{"trainer.clip": 2.0})
    found = compared(outputs)
    named = {(e.level, e.against): e for e in found.effects}
    alone, other = named["alone", "with auxiliary tasks"], named["auxiliary labels shuffled", "with auxiliary tasks"]
    assert alone.estimate.mean == pytest.approx(10.0) and other.estimate.mean == pytest.approx(8.0)
    assert alone.p == 2 / 2**SEEDS and alone.p_holm == 2 * alone.p and len(named) == 2
    assert found.verdict[0] == "There is transfer: better than alone, and than with shuffled labels."
    assert found.verdict[2].startswith("What the auxiliary labels say: gain +8.00")


def test_no_transfer_where_shuffled_labels_do_as_well(outputs: Outputs) -> None:
    arm(outputs, "alone", [10.0] * SEEDS, lone=True)
    arm(outputs, "with auxiliary tasks", [9.0 + e for e in NOISE])
    arm(outputs, "auxiliary labels shuffled", [9.0 - e for e in NOISE], **{"trainer.clip": 2.0})
    assert compared(outputs).verdict[0] == (
        "No transfer may be claimed: better than alone, not than with shuffled labels."
    )


def test_extra_data_says_what_the_gain_comes_from(outputs: Outputs) -> None:
    arm(outputs, "1 alone", [10.0] * SEEDS, lone=True)
    arms = {"2 with b on rows of a": 10.0, "3 with b": 9.0, "4 with b shuffled": 10.0, "5 with inputs of b": 9.5}
    for number, (label, level) in enumerate(arms.items()):
        sign = -1 if number % 2 else 1
        arm(outputs, label, [level + sign * e for e in NOISE], **{"trainer.clip": float(number)})
    found = compared(outputs)
    means = {e.factor: e.estimate.mean for e in found.effects}
    assert means == pytest.approx(
        {
            "data and sharing": 10.0,
            "sharing alone": 0.0,
            "information in the labels of b": 10.0,
            "information in the inputs of b": 5.0,
        },
        abs=1e-9,
    )
    assert found.verdict[0] == (
        "The gain comes from information in the labels of b and from information in the inputs of b."
    )
    assert any(s.startswith("Sharing alone: gain ") and s.endswith("none within 1 %.") for s in found.verdict)


# ---------------------------------------------------------------- fixed weights


def grid(outputs: Outputs) -> None:
    """The sum, uncertainty, and three weights: with 3, b is best on val and on test, and a worst."""
    outputs.setting("sum", [10 + e for e in NOISE], [0.5] * SEEDS, sweep="s", arm="plain sum")
    outputs.setting(
        "unc", [11 + e for e in NOISE], [0.45] * SEEDS, sweep="s", arm="uncertainty", flat={"loss": "uncertainty"}
    )
    for weight, a, b, val in [(0.1, 10.5, 0.5, 0.6), (3, 12.0, 0.6, 0.3), (10, 13.0, 0.4, 0.7)]:
        outputs.setting(
            f"fixed{weight}",
            [a + e for e in NOISE],
            [b] * SEEDS,
            sweep="s",
            arm="fixed weights",
            flat={"loss": "fixed", "loss.weights.b": weight},
            val={"a": val, "b": val},
        )


def test_a_grid_of_weights_is_named_and_folds_into_one_method(outputs: Outputs) -> None:
    grid(outputs)
    found = compared(outputs)
    assert found.seeds_needed == 8  # four rows against the sum
    assert shlex.split(conditions(found)["a grid as rows"].command or "") == [
        "mtlrun",
        "compare",
        str(outputs.root),
        "--tune",
        "loss.weights",
    ]
    folded = compared(outputs, tune=("loss.weights",))
    assert folded.seeds_needed == 7 and "a grid as rows" not in conditions(folded)
    row = rows(folded)["fixed weights"]
    assert (row.trials, row.chosen, row.figures["b"].mean) == (3, {"loss.weights.b": "3"}, 0.6)
    assert folded.expected_best["fixed weights"][0] == pytest.approx((0.4 + 0.7 + 0.3) / 3)
    assert "equal trials" not in conditions(folded), "the others have no weights to choose"
    assert conditions(folded)["trials"].text.startswith("fixed weights is the best of 3 tried weightings; 2 other rows")


def test_at_the_edge_of_a_grid_of_weights_there_is_no_command(outputs: Outputs) -> None:
    grid(outputs)
    for seed in range(SEEDS):
        outputs.run(
            f"more-{seed}",
            {"a": 9.0, "b": 0.7},
            seed,
            sweep="s",
            arm="fixed weights",
            flat={"loss": "fixed", "loss.weights.b": 30},
            val={"a": 0.1, "b": 0.1},
        )
    finding = conditions(compared(outputs, tune=("loss.weights",)))["value at the edge"]
    assert finding.text == "fixed weights: loss.weights.b=30 is the highest that was tried" and finding.command is None


def test_the_plain_sum_is_weight_1_of_a_grid_of_weights(outputs: Outputs) -> None:
    outputs.setting("sum", [10 + e for e in NOISE], [0.5] * SEEDS)
    for weight, val in [(3, 0.3), (10, 0.7)]:
        outputs.setting(
            f"fixed{weight}",
            [11 + e for e in NOISE],
            [0.5] * SEEDS,
            val={"a": val, "b": val},
            flat={"loss": "fixed", "loss.weights.b": weight},
        )
    found = compared(outputs, tune=("loss.weights",))
    assert rows(found)["loss=fixed"].chosen == {"loss.weights.b": "3"} and "value at the edge" not in conditions(found)


def test_rows_that_the_sweep_of_fixed_weights_dominates(outputs: Outputs) -> None:
    grid(outputs)
    for options in ({}, {"tune": ("loss.weights",)}):
        own = {label: row.dominated_by_fixed for label, row in rows(compared(outputs, **options)).items()}
        # (10.5, 0.5) is better than uncertainty's (11, 0.45) in both; the sum's (10, 0.5) is better in a
        assert (own["plain sum"], own["uncertainty"]) == (False, True)
        assert all(own[label] is None for label in own if label.startswith("fixed"))


# ---------------------------------------------------------------- without common seeds


def test_rows_without_common_seeds_have_a_bootstrap_and_nothing_is_decided(outputs: Outputs) -> None:
    outputs.setting("sum", [10.0, 12.0, 11.0], [0.5] * 3, sweep="s")
    for seed, value in ((5, 5.0), (6, 5.2), (7, 5.1)):
        outputs.run(f"unc-{seed}", {"a": value, "b": 0.5}, seed, flat={"loss": "uncertainty"}, sweep="s")
    (outputs.root / "s/command.txt").write_text("mtlrun -m loss=uncertainty seed=5,6,7\n")
    found = compared(outputs)
    held = rows(found)["loss=uncertainty"].against
    assert held is not None and held.verdict == "undecided" and held.difference.n == 0
    # 5.1 against 11, halved; the bootstrap draws three of each with replacement
    assert held.difference.mean == pytest.approx(100 * (5.1 - 11) / 11 / 2)
    generator = np.random.default_rng(1)
    drawn = [
        (generator.choice([5.0, 5.2, 5.1], 3).mean() - generator.choice([10.0, 12.0, 11.0], 3).mean()) / 11 * 50
        for _ in range(4000)
    ]
    low, high = np.quantile(drawn, [0.025, 0.975])
    assert held.difference.low == pytest.approx(low, abs=0.4) and held.difference.high == pytest.approx(high, abs=0.4)
    finding = conditions(found)["not paired"]
    assert finding.kind == "missing" and finding.command == "mtlrun -m loss=uncertainty 'seed=range(0,3)'"
    assert found.verdict[0] == "No seeds in common: nothing can be concluded."
    assert "nan" not in render(found, "csv") and "nan" not in render(found, "text")


def test_the_lowest_of_those_that_share_their_seeds(outputs: Outputs) -> None:
    outputs.alone([10.0, 11.0], [0.5] * 2)
    outputs.setting("sum", [10.5, 11.0], [0.5] * 2)
    for seed in (5, 6):
        outputs.run(f"unc-{seed}", {"a": 5.0 + seed, "b": 0.9}, seed, flat={"loss": "uncertainty"})
    assert any(
        s.startswith("Of those that share their seeds, alone has the lowest Δm, 0 %;")
        for s in compared(outputs).verdict
    )
