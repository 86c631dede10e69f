"""What a comparison says first: what to do, what it brings, what would change it, and the commands for it."""

import re
import shlex
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from folders import Outputs

from mtlrun.compare.analyse import analyse
from mtlrun.compare.analysis.options import Options
from mtlrun.compare.collect.folders import collect
from mtlrun.compare.collect.members import members_in
from mtlrun.compare.recommendation_records import Candidate
from mtlrun.compare.records import Comparison
from mtlrun.compare.report.opening import _together, details, next_steps, opening
from mtlrun.compare.report.page import html
from mtlrun.compare.report.render import render
from mtlrun.storage.names import BEST

SEEDS = 8
SIGNS = [1, -1, -1, 1, 1, -1, 1, -1]  # of mean 0
BOOSTING, UNCERTAINTY = {"model": "boosting"}, {"loss": "uncertainty"}


def figures(level: float, noise: float = 0.001, seeds: int = SEEDS) -> list[float]:
    return [level * (1 + noise * sign) for sign in SIGNS[:seeds]]


def compared(outputs: Outputs, **options: Any) -> Comparison:
    return analyse(collect([outputs.root]), Options(**options))


def net(outputs: Outputs, a: float, b: float, name: str = "sum", seeds: int = SEEDS, **given: Any) -> None:
    outputs.setting(name, figures(a, 0.002, seeds), figures(b, 0.002, seeds), **given)


def alone(outputs: Outputs, a: float = 10.0, b: float = 0.5, seeds: int = SEEDS) -> None:
    outputs.alone(figures(a, seeds=seeds), figures(b, seeds=seeds))


def boosting(outputs: Outputs, a: float, b: float, seeds: int = SEEDS) -> None:
    net(outputs, a, b, "boost", seeds, flat=BOOSTING)


LIKE_ALONE = [10 * (1 + 0.001 * sign) for sign in [1, 1, -1, -1, 1, -1, -1, 1]]  # no difference in the mean


def equal(outputs: Outputs) -> None:
    outputs.setting("sum", LIKE_ALONE, figures(0.5))
    alone(outputs)


def noisy(outputs: Outputs, seeds: int = SEEDS) -> None:
    outputs.setting("sum", figures(9.9, 0.1, seeds), [0.5] * seeds)
    alone(outputs, seeds=seeds)


def single(outputs: Outputs) -> None:
    for seed, (ours, boosted) in enumerate(zip(figures(10.0), figures(9.9, 0.1), strict=True)):
        outputs.run(f"net-{seed}", {"a": ours}, seed)
        outputs.run(f"boost-{seed}", {"a": boosted}, seed, flat=BOOSTING)


def two(outputs: Outputs, a: float, seeds: int = SEEDS) -> None:
    net(outputs, 10.0, 0.5, seeds=seeds)
    net(outputs, a, 0.5, "unc", seeds, flat=UNCERTAINTY)


def three(outputs: Outputs) -> None:
    two(outputs, 9.0)
    net(outputs, 11.0, 0.5, "pc", flat={"loss": "pcgrad"})


CASES: dict[str, tuple[Callable[[Outputs], Any], str, list[str]]] = {
    "together wins": (
        lambda o: (net(o, 9.0, 0.55), alone(o), boosting(o, 9.5, 0.52)),
        "Train a and b together (loss=sum).",
        ["Against a net for each target: a better by 1.0 rmse (8 of 8 seeds), b better by 0.050 accuracy (8 of 8)."],
    ),
    "a trunk for each wins": (
        lambda o: (net(o, 9.0, 0.55, "none", flat={"sharing": "none"}), alone(o)),
        "Train a and b each by itself (loss=sum).",
        ["Against a net for each target: a better by 1.0 rmse (8 of 8 seeds), b better by 0.050 accuracy (8 of 8)."],
    ),
    "groups win": (
        lambda o: (
            net(o, 9.0, 0.55, "groups", flat={"sharing": "groups", "sharing.groups": [["b"], ["a"]]}),
            net(o, 9.5, 0.52),
            alone(o),
        ),
        "Train b and a each by itself (sharing=groups).",
        ["Against a net for each target: a better by 1.0 rmse (8 of 8 seeds), b better by 0.050 accuracy (8 of 8)."],
    ),
    "alone wins": (
        lambda o: (net(o, 11.0, 0.45), alone(o)),
        "Train a and b each by itself.",
        [
            "Against one net for all targets: a better by 1.0 rmse (8 of 8 seeds), "
            "b better by 0.050 accuracy (8 of 8).",
            "Whether gradient boosting is better was not tried.",
        ],
    ),
    "boosting wins": (
        lambda o: (net(o, 10.0, 0.5), alone(o, 10.1, 0.49), boosting(o, 9.0, 0.55)),
        "Take gradient boosting for a and b.",
        [
            "Against one net for all targets: a better by 1.0 rmse (8 of 8 seeds), "
            "b better by 0.050 accuracy (8 of 8).",
            "Against a net for each target: a better by 1.1 rmse (8 of 8 seeds), b better by 0.060 accuracy (8 of 8).",
        ],
    ),
    "each target has its own": (
        lambda o: (net(o, 8.0, 0.45), alone(o)),
        "Train the targets together (loss=sum) for a; train b by itself.",
        [
            "One net for all targets against a net for each target: a better by 2.0 rmse (8 of 8 seeds), "
            "b worse by 0.050 accuracy (8 of 8)."
        ],
    ),
    "boosting for one": (
        lambda o: (net(o, 8.0, 0.5), alone(o, 9.0, 0.45), boosting(o, 10.0, 0.55)),
        "Train the targets together (loss=sum) for a; take gradient boosting for b.",
        [],
    ),
    "no difference": (
        equal,
        "It does not matter within 1 %: one net for all targets (loss=sum) and a net for each target are as good; "
        "one net for all targets (loss=sum) will do.",
        ["Against a net for each target: a the same within 1 %, b the same within 1 %."],
    ),
    "nothing learnt": (
        lambda o: (net(o, 20.5, 0.24), alone(o, 20.2, 0.25), boosting(o, 20.1, 0.25)),
        "Nothing is shown to be learnt: no model is shown to be better than guessing without inputs.",
        [],
    ),
    "too few seeds to show that anything is learnt": (
        lambda o: (net(o, 9.0, 0.5, seeds=6), alone(o, seeds=6)),
        "Train a and b together (loss=sum).",
        [
            "Against a net for each target: better on average over the targets; b the same within 1 %; "
            "not decided: a better by 1.0 rmse (6 of 6 seeds)."
        ],
    ),
    "one target not learnt": (
        lambda o: (net(o, 9.0, 0.249), alone(o, 10.0, 0.249)),
        "Train a together (loss=sum).",
        ["Nothing is shown to be learnt of b: no model is shown to be better than guessing without inputs."],
    ),
    "undecided": (
        noisy,
        "Not decided between one net for all targets (loss=sum) and a net for each target; for now one net for all "
        "targets (loss=sum) is ahead.",
        ["More seeds may decide it."],
    ),
    "undecided against one, as good as the other": (
        lambda o: (equal(o), o.setting("boost", figures(10.1, 0.1), figures(0.5), flat=BOOSTING)),
        "Not decided between a net for each target and gradient boosting; for now a net for each target is ahead.",
        ["A net for each target against one net for all targets: a the same within 1 %, b the same within 1 %."],
    ),
    "a single target": (
        single,
        "Not decided between gradient boosting and a net; for now gradient boosting is ahead.",
        ["Gradient boosting against a net, not decided: a better by 0.10 rmse (4 of 8 seeds)."],
    ),
    "two seeds": (
        lambda o: (net(o, 9.0, 0.5, seeds=2), alone(o, seeds=2)),
        "Not decided between one net for all targets (loss=sum) and a net for each target; for now one net for all "
        "targets (loss=sum) is ahead.",
        ["2 seeds cannot decide it: 6 are needed at least."],
    ),
    "one seed": (
        lambda o: (net(o, 9.0, 0.5, seeds=1), alone(o, seeds=1), boosting(o, 11.0, 0.5, seeds=1)),
        "Not decided between one net for all targets (loss=sum), a net for each target and gradient boosting; for now "
        "one net for all targets (loss=sum) is ahead.",
        ["1 seed cannot decide it: 7 are needed at least."],
    ),
    "two losses": (
        lambda o: two(o, 9.0),
        "Take loss=uncertainty, which is better than loss=sum.",
        ["Whether a net for each target and gradient boosting are better was not tried."],
    ),
    "two losses, the plain one better": (
        lambda o: two(o, 11.0),
        "Take loss=sum, which is better than loss=uncertainty.",
        ["Against loss=uncertainty: a better by 1.0 rmse (8 of 8 seeds), b the same within 1 %."],
    ),
    "two losses, the same": (
        lambda o: (net(o, 10.0, 0.5), o.setting("unc", LIKE_ALONE, figures(0.5, 0.002), flat=UNCERTAINTY)),
        "It does not matter within 1 %: loss=sum and loss=uncertainty are as good; loss=sum will do.",
        [],
    ),
    "two losses, all but the same": (
        lambda o: two(o, 10.01),
        "Take loss=sum, which is better than loss=uncertainty; the difference is within 1 %, so it hardly matters.",
        [],
    ),
    "three losses": (three, "Take loss=uncertainty, which is better than the 2 others.", []),
    "two losses, one seed": (
        lambda o: two(o, 9.0, 1),
        "Not decided between loss=uncertainty and loss=sum; for now loss=uncertainty is ahead.",
        ["1 seed cannot decide it: 6 are needed at least."],
    ),
    "one setting": (
        lambda o: net(o, 9.0, 0.55),
        "Nothing to choose: loss=sum is the only setting.",
        ["Against guessing without inputs: a better by 11 rmse (8 of 8 seeds), b better by 0.30 accuracy (8 of 8)."],
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_what_to_do(case: str, outputs: Outputs) -> None:
    make, first, others = CASES[case]
    make(outputs)
    found = compared(outputs)
    said = opening(found)
    texts = [sentence.partition("\n")[0] for sentence in said]
    assert texts[0] == first, said
    assert set(others) <= set(texts), said
    assert not re.search(r"Δm|Holm|\bp [=<]|±", " ".join(said)), "no statistics"
    shown = render(found, "text", 100)
    start = shown.partition("  setting")[0]
    assert len(start.splitlines()) <= 14 and " ".join(start.split()).startswith(f"outputs {first}")
    assert all(detail.split()[0] in shown.partition("  setting")[2] for detail in details(found))


@pytest.mark.parametrize(
    ("groups", "expected"),
    [
        ((), "a, b, c and d together"),
        (("abcd",), "a, b, c and d together"),
        (("ab", "cd"), "a and b together and c and d together"),
        (("abc", "d"), "a, b and c together; and d by itself"),
        (("ac", "b", "d"), "a and c together and b and d each by itself"),
        (("ax", "b", "cd"), "a with x, c and d together and b by itself"),  # nothing is learnt of x
    ],
)
def test_a_net_with_groups_says_who_learns_with_whom(groups: tuple[str, ...], expected: str) -> None:
    candidate = Candidate("tuned", "method", tuple(map(tuple, groups)))
    assert _together(candidate, list("abcd")) == expected


def test_the_rows_of_the_table_may_be_the_limit(outputs: Outputs) -> None:
    """With a split for each seed there are differences that no number of seeds shows."""
    signs = SIGNS * 5
    outputs.setting("sum", [10 + s for s in signs], [0.5] * 40, split_seed=None)
    outputs.alone([10.05] * 40, [0.5] * 40, split_seed=None)
    assert "More seeds will not decide it: the 100 rows of the table are the limit." in opening(compared(outputs))


def test_one_split_of_the_rows_is_said(outputs: Outputs) -> None:
    words = "All seeds share one split of the rows: it may be otherwise with other rows."
    two(outputs, 9.0)
    assert words in opening(compared(outputs))
    varying = Outputs(outputs.root / "varying")
    varying.setting("sum", figures(10.0), figures(0.5), split_seed=None)
    varying.setting("unc", figures(9.0, 0.002), figures(0.5, 0.002), split_seed=None, flat=UNCERTAINTY)
    said = opening(compared(varying))
    assert said[0].startswith("Take loss=uncertainty") and words not in said


def test_on_average_over_the_targets(outputs: Outputs) -> None:
    """Each target is too noisy by itself, and their noises cancel."""
    noise = [0.4 * sign for sign in SIGNS]
    outputs.setting("sum", [9.7 + n for n in noise], [0.505 + n / 20 for n in noise])
    outputs.alone([10.0] * SEEDS, [0.5] * SEEDS)
    found = compared(outputs)
    assert opening(found)[0] == "Train a and b together (loss=sum)."
    assert opening(found)[1].startswith(
        "Against a net for each target: better on average over the targets; not decided: a better by 0.30 rmse"
    )


def test_the_commands_name_the_runs_that_are_recommended(outputs: Outputs) -> None:
    """`predict` and `export` find exactly the runs of the row, whatever its label, and the tasks that they are for."""
    for seed in range(SEEDS):
        given = {"seed": seed, "sweep": "my sweep"}
        outputs.run(f"s{seed}", {"a": 8 + seed / 100, "b": 0.45}, arm="plain sum", **given)
        outputs.run(f"u{seed}", {"a": 11 + seed / 100, "b": 0.4}, arm="uncertainty", flat=UNCERTAINTY, **given)
        outputs.run(f"a{seed}", {"a": 10 + seed / 100}, arm="alone", **given)
        outputs.run(f"b{seed}", {"b": 0.5}, arm="alone", **given)
    sweep = outputs.root / "my sweep"
    assert compared(outputs).recommendation.predict == [], "without checkpoints there is no model"
    for folder in sweep.glob("*/"):
        (folder / "checkpoints").mkdir()
        (folder / BEST).touch()
    found = compared(outputs)
    steps = dict.fromkeys(word for word, _ in next_steps(found))
    assert list(steps) == ["see", "use", "export"]
    commands = [shlex.split(command) for word, command in next_steps(found) if word != "see"]
    assert [(words[1], words[words.index("--tasks") + 1]) for words in commands] == [
        ("predict", "a"),
        ("predict", "b"),
        ("export", "a"),
        ("export", "b"),
    ]
    rows = {row.label: set(row.runs) for row in found.rows}
    for words, label in zip(commands, ["plain sum", "alone"] * 2, strict=True):
        setting = words[4 if words[1] == "predict" else 3 : words.index("--tasks")]
        members = members_in(Path(words[2]), " ".join(setting)).folders
        assert {folder.resolve() for folder in members} == {Path(run).resolve() for run in rows[label]}


def test_a_run_and_a_sweep_of_one_setting_need_no_words(outputs: Outputs) -> None:
    for seed in range(2):
        (outputs.run(f"r{seed}", {"a": 8.0, "b": 0.45}, seed, sweep="s") / "checkpoints").mkdir()
        (outputs.root / f"s/r{seed}" / BEST).touch()
    sweep, run = outputs.root / "s", outputs.root / "s/r0"
    for folder in (sweep, run):
        (command,) = analyse(collect([folder]), Options()).recommendation.predict
        assert members_in(Path(shlex.split(command)[2])).folders[0].resolve() == run.resolve()
        assert shlex.split(command)[3:] == ["new.csv", "-o", "predictions.csv"]


def test_the_page_and_markdown_open_in_the_same_words(outputs: Outputs) -> None:
    two(outputs, 9.0)
    found = compared(outputs)
    page = re.sub("</?abbr[^>]*>", "", html(found, []))
    for text, table in ((page, "<table"), (render(found, "markdown"), "| setting")):
        start = text.partition(table)[0].replace("\\", "")
        assert all(sentence in start for sentence in opening(found))
        assert all(command in start for _, command in next_steps(found))
        assert details(found)[0].split(":")[0] in text.partition(table)[2]


def test_runs_that_are_not_finished_come_before_more_seeds(outputs: Outputs) -> None:
    net(outputs, 9.0, 0.5, seeds=2, sweep="s")
    outputs.setting("unc", [9.5, 9.5], [0.5, 0.5], flat=UNCERTAINTY, sweep="s")
    outputs.run("late", {"a": 1.0, "b": 1.0}, 2, sweep="s", status="running", figures={})
    said = next(sentence for sentence in opening(compared(outputs)) if sentence.startswith("Runs are not finished"))
    assert re.search(r"\nmtlrun resume \S*s$", said)
