"""No headline contradicts the table, whatever the figures, the reference and the split."""

import random
import re
from collections.abc import Callable

import pytest
from folders import Outputs

from mtlrun.compare.analyse import analyse
from mtlrun.compare.analysis.options import Options
from mtlrun.compare.collect.folders import collect
from mtlrun.compare.recommendation_records import Versus
from mtlrun.compare.records import Comparison, Row
from mtlrun.compare.report.opening import opening


def random_outputs(outputs: Outputs, luck: random.Random) -> Options:
    """Some of the usual rows, with effects from none to large, few or many seeds, some of which rows lack."""
    count, varies = luck.choice([2, 6, 7, 8, 10, 12]), luck.random() < 0.5
    given = {"split_seed": None} if varies else {}
    noise = luck.choice([0.01, 0.05, 0.3])

    def figures(level: float) -> list[float]:
        return [level + luck.gauss(0, noise) for _ in range(count - luck.choice([0, 0, 0, 1]))]

    levels = [10.0, 10.0, 10.1, 9.95, 9.0, 11.0]
    rows: list[tuple[str, dict[str, str]]] = [("boost", {"model": "boosting"}), ("unc", {"loss": "uncertainty"})]
    rows += [("pc", {"loss": "pcgrad"}), ("rate", {"lr": "per_head"}), ("both", {"loss": "pcgrad", "lr": "per_head"})]
    if luck.random() < 0.9:
        outputs.setting("sum", a := figures(10.0), [0.5] * len(a), **given)
    for name, flat in rows:
        if luck.random() < 0.6:
            a = figures(luck.choice(levels))
            outputs.setting(name, a, [0.5 + luck.gauss(0, 0.002) for _ in a], flat=flat, **given)
    if luck.random() < 0.6 or not outputs.root.exists():
        a = figures(luck.choice(levels))
        outputs.alone(a, [0.5] * len(a), **given)
    labels = ["boosting", "alone", "loss=uncertainty"] if luck.random() < 0.4 else []
    present = {row.label for row in analyse(collect([outputs.root]), Options()).rows if row.delta_m}
    return Options(reference=next((label for label in labels if label in present), None))


def named(sentence: str, rows: dict[str, Row]) -> tuple[set[str], int]:
    """The rows that an enumeration names, and the number that it only counts."""
    more = re.search(r"and (\d+) more\.$", sentence)
    listed = re.split(r", |; | and ", sentence.split(": ", 1)[1].rstrip("."))
    words = {re.sub(r" \([^)]*\)$", "", re.sub(r"^and ", "", part)) for part in listed}
    return words & rows.keys(), int(more[1]) if more else 0


def contradictions(comparison: Comparison) -> list[str]:
    """The headlines that say other things than the table."""
    rows = {row.label: row for row in comparison.rows}
    verdicts = {label: row.against.verdict for label, row in rows.items() if row.against}
    decided = {label for label, verdict in verdicts.items() if verdict in ("better", "worse")}
    reference = comparison.reference
    together = next((s for s in comparison.verdict if s.startswith("Training together (")), "")
    apart = {label for label in verdicts if f"({label})" in together or label == "alone"} if together else set()
    if reference not in {"alone", *(label for label in rows if f"({label})" in together)}:
        apart = set()
    checks: list[tuple[str, Callable[[re.Match[str]], bool]]] = [
        (r"\d+ seeds?; \d+ are needed to show a difference", lambda _: not decided),
        (r"No seeds in common", lambda _: not decided),
        (r"No (other |single )?setting is shown to differ", lambda _: not decided - apart),
        (
            r"(Better|Worse) than ",
            lambda m: _lists(m.string, {n for n, v in verdicts.items() if v == m[1].lower()} - apart, rows),
        ),
        (
            r"Undecided against ",
            lambda m: _lists(m.string, {n for n in verdicts if verdicts[n] == "undecided"} - apart, rows),
        ),
        (
            r"Training together \((.*?)\) (is better|is worse|is equivalent|against)",
            lambda m: _agrees(m[2].removeprefix("is "), _pair(m[1], "alone", verdicts, reference)),
        ),
        (
            r"Gradient boosting is (better|worse|undecided)(?: than| against) (every net|the net)",
            lambda m: _agrees(m[1], _pair("boosting", reference, verdicts, reference)),
        ),
        (
            r"(.*) is told apart from (?:all others|the other)",
            lambda _: not any(row.like_leader for row in comparison.rows),
        ),
    ]
    found = []
    for sentence in comparison.verdict:
        for pattern, holds in checks:
            match = re.match(pattern, sentence)
            if match and not holds(match):
                found.append(sentence)
    leader = comparison.leader
    for label, row in rows.items():  # the sign ~ is a headline too
        if row.like_leader is not None and reference in (leader, label) and label != leader:
            told_apart = (label if reference == leader else leader) in decided
            found += [f"~ {label}"] if row.like_leader == told_apart else []
    return found


def against_the_table(comparison: Comparison) -> list[str]:
    """What the recommendation says that the table or the verdict below it does not."""
    found = comparison.recommendation
    if found is None:
        return ["no recommendation"]
    verdicts = {row.label: row.against.verdict for row in comparison.rows if row.against}
    main, reference, said = found.main.label, comparison.reference, opening(comparison)[0]
    wrong = [
        f"{main} {versus.verdict} {versus.other.label}"
        for versus in found.versus
        if not _versus(versus, main, verdicts, reference)
    ]
    compared = {main, *(versus.other.label for versus in found.versus)}
    if reference in compared and verdicts.get(main) == "worse":
        wrong.append(f"{main} is worse than the reference")
    if main == reference and any(verdicts.get(label) == "better" for label in compared):
        wrong.append(f"some row is better than {main}")
    every = set(found.takes.values()) == {found.main}
    if said.startswith("It does not matter") and any(versus.verdict != "equivalent" for versus in found.versus):
        wrong.append(said)
    for sentence in comparison.verdict:
        match = re.match(r"(.*) has the lowest Δm, .* told apart from (?:all others|the other)", sentence)
        if match and (every or found.state == "undecided") and (main != match[1] or found.state == "undecided"):
            wrong.append(f"{said} | {sentence}")
        match = re.match(r"(.*) (gains?|loses?) by it\.$", sentence)
        together = next((s for s in comparison.verdict if s.startswith("Training together (")), "")
        for versus in found.versus if match and f"({main})" in together and "alone" in compared else ():
            tasks = {
                gain.task for gain in versus.gains if gain.verdict == ("better" if match[2][0] == "g" else "worse")
            }
            named_tasks = {task for task in ("a", "b") if re.search(rf"\b{task} \(", match[1])}
            wrong += [sentence] if versus.other.label == "alone" and named_tasks - tasks else []
    return wrong


def _versus(versus: Versus, main: str, verdicts: dict[str, str], reference: str) -> bool:
    table = _pair(main, versus.other.label, verdicts, reference)
    return versus.other.kind == "trivial" or table is None or versus.verdict == table


def _lists(sentence: str, due: set[str], rows: dict[str, Row]) -> bool:
    words, more = named(sentence, rows)
    return words <= due and len(words) + more == len(due)


def _pair(one: str, other: str, verdicts: dict[str, str], reference: str) -> str | None:
    """The table's verdict on `one` against `other`; None if the table has none."""
    turned = {"better": "worse", "worse": "better"}
    if other == reference:
        return verdicts.get(one)
    return turned.get(verdicts.get(other, ""), verdicts.get(other)) if one == reference else None


def _agrees(said: str, verdict: str | None) -> bool:
    return verdict is None or {"against": "undecided"}.get(said, said) == verdict


@pytest.mark.parametrize("start", [0, pytest.param(100, marks=pytest.mark.slow)])
def test_no_headline_contradicts_the_table(start: int, outputs: Outputs, tmp_path) -> None:
    said, states = set(), set()
    for number in range(start, start + (20 if start == 0 else 400)):
        made = Outputs(tmp_path / f"case{number}")
        options = random_outputs(made, random.Random(number))
        comparison = analyse(collect([made.root]), options)
        assert contradictions(comparison) == [], (number, comparison.verdict, comparison.rows)
        assert against_the_table(comparison) == [], (number, opening(comparison), comparison.verdict, comparison.rows)
        states.add(comparison.recommendation.state if comparison.recommendation else None)
        said |= {" ".join(sentence.split()[:2]) for sentence in comparison.verdict}
    assert {"2 seeds;", "No setting", "Training together", "Gradient boosting"} <= said, "the cases are of every kind"
    assert {"decided", "undecided"} <= states <= {"decided", "undecided", "same", "only"}, "all have learnt"


def test_boosting_alone_is_a_setting_that_differs(outputs: Outputs) -> None:
    """`compare --confirm` said that no setting differs above a table where boosting is better at p = 0.031."""
    noise = [0.01 * (seed - 2.5) for seed in range(6)]
    outputs.setting("sum", [10 + e for e in noise], [0.5] * 6)
    outputs.setting("boost", [9 + e for e in noise], [0.5] * 6, flat={"model": "boosting"})
    found = analyse(collect([outputs.root]), Options())
    assert found.verdict[0].startswith("Better than loss=sum: boosting (−")
    assert not any("differ" in sentence for sentence in found.verdict)
