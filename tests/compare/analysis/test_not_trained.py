"""Short trainings are not concluded from; trained ones are concluded as before."""

import io
import json
import random
import re
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from folders import Outputs

from mtlrun.compare.analyse import analyse
from mtlrun.compare.analysis.options import Options
from mtlrun.compare.collect.folders import collect
from mtlrun.compare.command import compare
from mtlrun.compare.records import UNTRAINED, Comparison
from mtlrun.compare.report.page import html
from mtlrun.compare.report.render import render
from mtlrun.storage.training_end import TrainingEnd, longer, training_end

CONCLUDES = re.compile(r"[Bb]etter|[Ww]orse|\bbest of|told apart|gains?\b|loses?\b|equivalent")
SHORT, TRAINED = [0.9, 0.8, 0.7, 0.6, 0.5], [0.9, 0.5, 0.4, 0.4, 0.4]  # losses on val; the trivial predictor has 1


def ended(losses: list[float], **trainer: Any) -> dict[str, Any]:
    """What `Outputs.run` needs for a run with these losses of both tasks on val."""
    best = 100 * (1 + losses.index(min(losses)))
    curve = [f"{n},{100 * n},val,{t},loss,{v}" for n, v in enumerate(losses, 1) for t in "ab"]
    record = {"step": best, "epoch": best // 100, "by": "skill", "value": 1 - min(losses)}
    flat = {"trainer.epochs": len(losses), **{f"trainer.{key}": value for key, value in trainer.items()}}
    return {"best": record, "curve": curve, "steps": 100 * len(losses), "flat": flat}


def sweep(outputs: Outputs, luck: random.Random, losses: list[float]) -> Comparison:
    """The comparison of some of the usual rows, with effects that seeds would show; boosting far ahead."""
    given = ended(losses)
    nets = {"unc": {"loss": "uncertainty"}, "pc": {"loss": "pcgrad"}, "sum": {}}
    for name, flat in nets.items():
        level = luck.choice([9.0, 10.0, 11.0])
        figures = [level + luck.gauss(0, 0.05) for _ in range(8)]
        outputs.setting(name, figures, [0.5] * 8, **{**given, "flat": {**given["flat"], **flat}})
    if luck.random() < 0.5:
        outputs.alone([luck.gauss(12, 0.05) for _ in range(8)], [0.5] * 8, **given)
    outputs.setting("boost", [luck.gauss(5, 0.05) for _ in range(8)], [0.9] * 8, flat={"model": "boosting"})
    return analyse(collect([outputs.root]), Options())


def test_sweeps_of_short_trainings_are_not_concluded_from(tmp_path: Path) -> None:
    for number in range(20):
        found = sweep(Outputs(tmp_path / str(number)), random.Random(number), SHORT)
        first, *others = found.verdict
        nets = sum(len(row.runs) for row in found.rows if row.kind in ("method", "alone"))
        assert first.startswith(f"{nets} of {nets} nets were still improving when they stopped: "), first
        assert not any(CONCLUDES.search(sentence) for sentence in others), others
        assert {row.against.verdict for row in found.rows if row.against} == {"untrained"}
        assert not found.best and not any(row.like_leader for row in found.rows)
        tests = [c for c in pd.read_csv(io.StringIO(render(found, "csv", None))) if c.startswith(("p_", "wins"))]
        cells = pd.read_csv(io.StringIO(render(found, "csv", None)))[[*tests, "p"]]
        assert len(tests) == 6 and cells.isna().all(axis=None)
        shown = render(found, "text", None)
        assert UNTRAINED in shown and not re.search(r"  (better|worse)\b", shown)


def test_trained_sweeps_are_concluded_as_before(tmp_path: Path) -> None:
    for number in range(5):
        found = sweep(Outputs(tmp_path / str(number)), random.Random(number), TRAINED)
        assert not any("still improving" in sentence for sentence in found.verdict)
        assert any(sentence.startswith("Gradient boosting is better than every net") for sentence in found.verdict)
        assert not any(row.untrained for row in found.rows)


def test_the_first_lines_hold_the_command_of_a_longer_training(outputs: Outputs) -> None:
    for seed in range(2):
        outputs.run(f"run{seed}", {"a": 10.0, "b": 0.5}, seed, sweep="sweep", **ended(SHORT))
    found = analyse(collect([outputs.root / "sweep"]), Options())
    command = "mtlrun -m seed=0,1 trainer.epochs=50"
    assert found.verdict[0].endswith(f"Train longer:\n{command}")
    for width in (60, None):  # the command stays on one line
        shown = render(found, "text", width).splitlines()
        assert shown[2] == "Not decided yet: the nets are not trained to the end."
        assert shown[3].startswith("2 of 2 nets were still improving") and f"    {command}" in shown[4:7]
        assert sum(command in line for line in shown) == 1, "it is said once"


def test_a_confirmation_of_short_trainings_says_so(
    outputs: Outputs, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for seed in range(2):
        outputs.run(f"run{seed}", {"a": 10.0, "b": 0.5}, seed, sweep="sweep", **ended(SHORT))
        outputs.run(f"long{seed}", {"a": 10.0, "b": 0.5}, seed, sweep="trained", **ended(TRAINED))
    monkeypatch.setattr("mtlrun.compare.command.confirm", lambda *_: outputs.root / "trained")
    assert compare([outputs.root / "sweep"], {"confirm": "yes"}) == 0
    first = capsys.readouterr().out.partition("\n\n")[0]
    assert first.startswith("--confirm trains the settings at the same length. 2 of 2 nets were still improving when")
    assert "\nmtlrun -m seed=0,1 trainer.epochs=50" in first
    assert compare([outputs.root / "trained"], {"confirm": "yes"}) == 0
    assert "at the same length" not in capsys.readouterr().out


def test_rows_of_different_lengths_compare_just_this(outputs: Outputs) -> None:
    for name, losses, level in (("short", SHORT, 12.0), ("long", [*SHORT, *TRAINED[2:], *TRAINED[2:]], 9.0)):
        outputs.setting(name, [level + 0.01 * seed for seed in range(8)], [0.5] * 8, **ended(losses))
    found = analyse(collect([outputs.root]), Options())
    assert not any("still improving" in sentence for sentence in found.verdict)
    assert any(finding.condition == "trained to the end" and finding.kind == "warning" for finding in found.findings)


def test_only_some_runs_of_a_row_are_a_warning(outputs: Outputs) -> None:
    for seed in range(8):
        for name, flat in {"sum": {}, "unc": {"loss": "uncertainty"}}.items():
            given = ended(SHORT if seed < 3 else TRAINED)
            level = 10.0 if name == "sum" else 9.0
            values = {"a": level + 0.01 * seed, "b": 0.5}
            outputs.run(f"{name}-{seed}", values, seed, **{**given, "flat": {**given["flat"], **flat}})
    found = analyse(collect([outputs.root]), Options())
    assert found.verdict[0].startswith("Better than loss=sum: loss=uncertainty")
    (text,) = [finding.text for finding in found.findings if finding.condition == "trained to the end"]
    assert text == "6 of 16 nets were still improving when they stopped"


PLATEAU = [0.9, 0.5, 0.4, 0.3, 0.3, 0.3, 0.3, 0.3, 0.3, 0.299]
CASES: dict[str, tuple[list[float], dict[str, Any], dict[str, Any], bool]] = {
    "improves to its end": (SHORT, {}, {}, True),
    "a single evaluation": ([0.9], {}, {}, True),
    "best at the last evaluation, by little": (PLATEAU, {}, {}, False),
    "best before the end": (TRAINED, {}, {}, False),
    "best just before the end": ([0.9, 0.8, 0.7, 0.6, 0.5, 0.45, 0.4, 0.35, 0.3, 0.31], {}, {}, True),
    "ended by patience": ([0.9, 0.8, 0.7, 0.6, 0.5, 0.45, 0.4, 0.35, 0.3, 0.31], {"patience": 1}, {}, False),
    "trained to a goal": (SHORT, {"goal": 0.1}, {}, False),
    "the last checkpoint is taken": (SHORT, {}, {"best": {"step": 500, "epoch": 5, "by": "last", "value": 1.0}}, False),
    "by a metric": (SHORT, {}, {"best": {"step": 500, "epoch": 5, "by": "val/a/loss", "value": 0.5}}, True),
    "the worst task": (SHORT, {}, {"best": {"step": 500, "epoch": 5, "by": "worst", "value": 0.5}}, True),
    "boosting": (SHORT, {}, {"best": {"by": "loss", "iterations": {"a": 3}}}, False),
    "failed": (SHORT, {}, {"status": "failed"}, False),
    "a damaged record": (SHORT, {}, {"best": "none"}, False),
}


def end_of(folder: Path) -> TrainingEnd:
    """How the training of a run ended."""
    return training_end(folder, json.loads((folder / "summary.json").read_text()))


@pytest.mark.parametrize("case", CASES)
def test_a_net_is_still_improving_if_its_last_evaluations_brought_much(case: str, outputs: Outputs) -> None:
    losses, trainer, summary, improving = CASES[case]
    folder = outputs.run("run", {"a": 10.0, "b": 0.5}, **{**ended(losses, **trainer), **summary})
    assert end_of(folder).improving is improving


def test_longer_lifts_the_limit_that_ended_the_run() -> None:
    assert longer({"epochs": 20}, 20) == {"trainer.epochs": "200"}
    assert longer({"epochs": 20, "max_steps": 30}, 20) == {"trainer.epochs": "200"}
    assert longer({"epochs": 90, "max_steps": 30}, 30) == {"trainer.epochs": "900", "trainer.max_steps": "300"}
    length = {"rows": 640, "batch_size": 64, "steps": 30}
    given = {"epochs": 3, "max_steps": None, "patience": 10}
    assert longer(given, 30, length) == {"trainer.epochs": "auto", "trainer.patience": "auto"}
    assert longer(given | {"max_steps": 30}, 30, length)["trainer.max_steps"] == "null"
    assert longer(given | {"patience": None}, 30, length) == {"trainer.epochs": "auto"}
    assert longer({}, 30) == {"trainer.epochs": "auto"}
    whole = {"epochs": "auto", "max_steps": None, "patience": "auto"}
    assert longer(whole, 2000, length | {"steps": 2000}) == {"trainer.epochs": "2000"}


def test_the_command_is_code_in_markdown(outputs: Outputs) -> None:
    for seed in range(2):
        outputs.run(f"run{seed}", {"a": 10.0, "b": 0.5}, seed, sweep="sweep", **ended(SHORT))
    shown = render(analyse(collect([outputs.root / "sweep"]), Options()), "markdown", None)
    assert "Train longer: `mtlrun -m seed=0,1 trainer.epochs=50`\n" in shown


FIRST_BEST = [0.4, 0.5, 0.6]
LENGTH = {"rows": 640, "batch_size": 64, "steps": 3000, "evaluate_every": 100, "patience_steps": 200}
ABOVE = {"a": 0.5, "b": 0.5}
ENDS: dict[str, tuple[list[float], dict[str, Any], TrainingEnd]] = {
    "trained": (TRAINED, {}, TrainingEnd(skills=ABOVE)),
    "few steps": ([0.4, 0.5], {"steps": 99}, TrainingEnd(few_steps=True, skills=ABOVE)),
    "patience in steps": (FIRST_BEST, {"length": LENGTH}, TrainingEnd(stalled=True, gave_up=True, skills=ABOVE)),
    "patience in evaluations": (
        FIRST_BEST,
        {"flat": {"trainer.patience": 2}},
        TrainingEnd(stalled=True, gave_up=True, skills=ABOVE),
    ),
    "a hasty patience": (
        TRAINED,
        {"steps": 310, "length": LENGTH | {"patience_steps": 10}},
        TrainingEnd(gave_up=True, skills=ABOVE),
    ),
    "long patience": ([0.4, *[0.5] * 9], {"flat": {"trainer.patience": 9}}, TrainingEnd(stalled=True, skills=ABOVE)),
    "patience not at an end": (FIRST_BEST, {"length": LENGTH | {"patience_steps": 500}}, TrainingEnd(skills=ABOVE)),
    "below the trivial predictor": (TRAINED, {"val": {"b": 1.25}}, TrainingEnd(skills={"a": 0.5, "b": -0.25})),
}


@pytest.mark.parametrize("case", ENDS)
def test_the_end_of_a_training(case: str, outputs: Outputs) -> None:
    losses, given, expected = ENDS[case]
    assert end_of(outputs.run("run", {"a": 10.0, "b": 0.5}, **{**ended(losses), **given})) == expected


UNTRAINED_ENDS = {
    "few steps": ([0.4, 0.5], {"steps": 20}, "took fewer than 100 steps: "),
    "gave up": (FIRST_BEST, {"length": LENGTH}, "gave up before step 500 (trainer.patience): "),
}


@pytest.mark.parametrize("case", UNTRAINED_ENDS)
def test_other_untrained_nets_are_not_concluded_from_either(case: str, outputs: Outputs) -> None:
    losses, given, words = UNTRAINED_ENDS[case]
    for name, level in (("sum", 10.0), ("unc", 9.0)):
        flat = {"loss": "sum" if name == "sum" else "uncertainty"}
        own = {**ended(losses), **given}
        outputs.setting(name, [level + 0.01 * s for s in range(8)], [0.5] * 8, **{**own, "flat": own["flat"] | flat})
    found = analyse(collect([outputs.root]), Options())
    first, *others = found.verdict
    assert first.startswith(f"16 of 16 nets {words}") and not any(CONCLUDES.search(text) for text in others)
    assert not found.best


def test_rows_below_the_trivial_predictor_are_called_that_first(outputs: Outputs) -> None:
    for seed in range(8):
        for name, loss, flat in (("sum", 1.5, {}), ("unc", 0.5, {"loss": "uncertainty"})):
            given = ended(TRAINED)
            values = {"a": 10.0 + 0.01 * seed - (name == "unc"), "b": 0.5}
            val = {"b": loss if seed < 6 else 0.5}
            outputs.run(f"{name}-{seed}", values, seed, val=val, **{**given, "flat": given["flat"] | flat})
    found = analyse(collect([outputs.root]), Options())
    assert found.verdict[0] == "Below the trivial predictor on val: b in 6 of 16 runs."
    assert any(sentence.startswith("Better than loss=sum: loss=uncertainty") for sentence in found.verdict)


def test_a_leader_below_the_trivial_predictor_is_not_called_best(outputs: Outputs) -> None:
    for name, level, flat in (("sum", 9.0, {}), ("unc", 10.0, {"loss": "uncertainty"})):
        given = ended(TRAINED)
        val = {"b": 1.5} if name == "sum" else {}
        figures = [level + 0.01 * seed for seed in range(8)]
        outputs.setting(name, figures, [0.5] * 8, val=val, **{**given, "flat": given["flat"] | flat})
    found = analyse(collect([outputs.root]), Options())
    assert "above the trivial predictor" in {f.condition for f in found.findings if f.kind == "missing"}
    assert not found.best


@pytest.mark.parametrize("seeds", [1, 8])
def test_a_single_setting_has_no_columns_and_legends_of_a_comparison(outputs: Outputs, seeds: int) -> None:
    outputs.setting("sum", [10.0 + 0.01 * s for s in range(seeds)], [0.5] * seeds, sweep="s", **ended(TRAINED))
    (outputs.root / "s/command.txt").write_text("mtlrun -m 'seed=range(8)'\n")
    found = analyse(collect([outputs.root]), Options())
    said = [render(found, "text", 100), render(found, "markdown"), html(found, [])]
    for text in said:
        assert not re.search(r"P\(better\)|Holm|[Mm]ean rank|Verdict", text), text
    baselines = [finding for finding in found.findings if "experiment=baselines" in (finding.command or "")]
    assert len(baselines) == 1, "the command is offered once"


def test_two_settings_have_these_columns(outputs: Outputs) -> None:
    for name, flat in {"sum": {}, "unc": {"loss": "uncertainty"}}.items():
        outputs.setting(name, [10.0 + 0.01 * s for s in range(8)], [0.5] * 8, flat=flat)
    shown = render(analyse(collect([outputs.root]), Options()), "text", None)
    assert all(word in shown for word in ("P(better), the share", "Holm", "Mean rank: ", "verdict"))


def test_nets_that_were_best_at_the_first_evaluations_are_a_warning(outputs: Outputs) -> None:
    for name, losses, flat in (("sum", [0.4, *[0.5] * 9], {"trainer.patience": 9}), ("unc", TRAINED, {})):
        given, own = ended(losses), {"loss": "uncertainty"} if name == "unc" else {}
        outputs.setting(name, [10.0] * 8, [0.5] * 8, **{**given, "flat": {**given["flat"], **flat, **own}})
    found = analyse(collect([outputs.root]), Options())
    (text,) = [finding.text for finding in found.findings if finding.condition == "best at the beginning"]
    assert text.startswith("val was best at the first evaluations of 8 of 16 nets; a smaller lr.base")


def test_a_warning_says_its_condition_once(outputs: Outputs) -> None:
    for seed in range(8):
        given = {**ended(TRAINED), "val": {"b": 1.5}} if not seed else ended(TRAINED)
        outputs.run(f"run{seed}", {"a": 10.0, "b": 0.5}, seed, **given)
    found = analyse(collect([outputs.root]), Options())
    assert all(not finding.text.startswith(finding.condition) for finding in found.findings)
    assert any(
        f.condition == "below the trivial predictor" and f.text == "on val: b in 1 of 8 runs" for f in found.findings
    )
