"""Pairs of tasks with known groups: what is shown, with how many seeds, and which tasks are proposed to be together."""

from itertools import combinations

import numpy as np
import pytest
from claims import compared, missing
from folders import Outputs

from mtlrun.compare.analysis.task_groups import propose
from mtlrun.compare.records import Comparison
from mtlrun.compare.report.render import render
from mtlrun.statistics import holm, seeds_needed, sign_flip

TASKS = ("a", "g", "d", "e", "f")  # a and g, d and e are related; f harms a and g
RELATED = [("a", "g"), ("d", "e")]
TRUE = {("a", "g"): 5.0, ("g", "a"): 4.0, ("d", "e"): 6.0, ("e", "d"): 3.0, ("a", "f"): -3.0, ("g", "f"): -4.0}
NUMBERS = {f"tasks.{task}": {"type": "regression", "role": "main"} for task in TASKS}


def draws(seeds: int, noise: float = 0.8) -> dict[tuple[str, str], np.ndarray]:
    """(task, other) -> gains in percent `[seeds]`: the true gain and noise of 0 mean."""
    random = np.random.default_rng(3)
    found = {}
    for pair in ((a, b) for a in TASKS for b in TASKS if a != b):
        spread = random.normal(size=seeds)
        found[pair] = TRUE.get(pair, 0.0) + noise * (spread - spread.mean())
    return found


def trained(outputs: Outputs, gains: dict[tuple[str, str], np.ndarray]) -> Comparison:
    """Every task alone (error 10), every pair with these gains, and all together."""
    for seed in range(len(gains["a", "g"])):
        for task in TASKS:
            outputs.run(f"{task}-{seed}", {task: 10.0}, seed, sweep="s", arm="alone", flat=NUMBERS | {"only": [task]})
        for a, b in combinations(TASKS, 2):
            values = {a: 10 - gains[a, b][seed] / 10, b: 10 - gains[b, a][seed] / 10}
            curve = [f"1,10,train,{a},cosine_{b},{0.5 if (a, b) in RELATED else 0.0}"]
            flat = NUMBERS | {"only": [a, b]}
            outputs.run(f"{a}{b}-{seed}", values, seed, sweep="s", arm="pairs", flat=flat, curve=curve)
        everything = dict.fromkeys(TASKS, 10.0 - 0.01 * seed)
        outputs.run(f"all-{seed}", everything, seed, sweep="s", arm="all together", flat=NUMBERS)
    return compared(outputs)


def test_gains_are_tested_as_by_hand(outputs: Outputs) -> None:
    gains = draws(11)
    found = trained(outputs, gains).affinity
    assert found is not None
    pairs = [*gains]
    by_hand = dict(zip(pairs, holm([sign_flip(gains[pair]) for pair in pairs]), strict=True))
    means = {task: np.mean([gains[task, b] for b in TASKS if b != task], axis=0) for task in TASKS}
    of_tasks = dict(zip(means, holm([sign_flip(mean) for mean in means.values()]), strict=True))
    shown = {pair for pair, word in found.verdicts.items() if word in ("better", "worse")}
    assert shown == {p for p in pairs if by_hand[p] <= 0.05} | {(t,) for t in TASKS if of_tasks[t] <= 0.05}
    assert {pair for pair in shown if len(pair) == 2} == TRUE.keys()
    assert {names[0] for names in shown if len(names) == 1} == {"d", "e"} | {t for t in "ag" if of_tasks[t] <= 0.05}
    for task, mean in means.items():
        assert found.mean_gains[task].mean == pytest.approx(mean.mean())
    assert found.groups == (("a", "g"), ("d", "e"), ("f",))


def test_a_task_that_gains_by_one_and_loses_by_another_is_not_hidden_by_its_mean(outputs: Outputs) -> None:
    gains = draws(11)
    gains["a", "f"] = gains["a", "f"] - gains["a", "f"].mean() - gains["a", "g"].mean()  # their sum is 0
    found = trained(outputs, gains).affinity
    assert found is not None and found.verdicts["a",] not in ("better", "worse")
    assert (found.verdicts["a", "g"], found.verdicts["a", "f"]) == ("better", "worse")


def test_the_terminal_says_gains_losses_groups_and_both_tables(outputs: Outputs) -> None:
    found = trained(outputs, draws(11))
    first, second, third = found.verdict[:3]
    assert first.startswith("Trained with another task, on average over them, d gains (+1.50 ± ")
    assert second.startswith("In pairs, d gains by e (+6.00 ± ") and "3 more" in second
    expected = "Proposed from the pairs: train together a and g; d and e; alone: f"
    assert third == f"{expected}: sharing=groups 'sharing.groups=[[a,g],[d,e],[f]]'."
    text = render(found, "text")
    gains, cosines = (text.index(title) for title in ("Gain of a task with another", "Cosine of the gradients"))
    rows = {
        line.split()[0]: line for line in text[gains:cosines].splitlines() if line[:1] in TASKS and line[1:2] == " "
    }
    assert rows.keys() == set(TASKS) and rows["a"].count("* ") == 2
    assert "+5.00 ±" in rows["a"] and "−3.00 ±" in rows["a"]
    assert "0.5" in text[cosines:]
    assert "| task | with a | with g |" in render(found, "markdown")


def test_unrelated_tasks_are_not_put_together(outputs: Outputs) -> None:
    gains = {pair: own - TRUE.get(pair, 0.0) for pair, own in draws(11).items()}
    found = trained(outputs, gains)
    assert found.verdict[1] == "In pairs, no task is shown to gain or lose by another."
    assert found.verdict[2] == "No tasks are proposed to be trained together: no two are shown to gain by it."


def test_the_numbers_of_seeds_are_those_of_the_rule(outputs: Outputs) -> None:
    """20 gains of 5 tasks need 10 seeds, the mean gains of 5 tasks 8. With 9, the tasks are answered and no pair."""
    assert (seeds_needed(20), seeds_needed(5)) == (10, 8)
    found = trained(outputs, draws(9))
    assert found.verdict[0] == "9 seeds; 10 are needed to show a gain in a single pair of tasks."
    assert found.asked is not None and str(found.asked) == "20 gains of a task by another"
    text = render(found, "text").replace("\n  ", " ")
    assert "possible from 6 seeds on, for the 20 gains of a task by another from 10." in text
    seeds = missing(found)["seeds"]
    assert seeds.text.startswith("9 seeds; no gain of a task by another can be significant below 10")


@pytest.mark.parametrize(
    ("gains", "groups"),
    [
        ({}, "a/b/c/d"),
        ({("a", "b"): 5, ("b", "a"): 4}, "ab/c/d"),
        ({("a", "b"): 5, ("b", "a"): 4, ("c", "d"): 1, ("d", "c"): 1}, "ab/cd"),
        ({("a", "b"): 5, ("b", "a"): -1}, "a/b/c/d"),  # b would lose
        ({("a", "b"): 5}, "ab/c/d"),  # a gains and b is not shown to lose
        ({("b", "c"): 1.79, ("c", "a"): 1.98, ("d", "b"): -1}, "abc/d"),  # nothing is shown of a and b
        (dict.fromkeys(((a, b) for a in "abcd" for b in "abcd" if a != b), 2), "abcd"),
        # a and b, a and c gain by each other, b and c lose more: a goes where the sum is larger
        ({("a", "b"): 3, ("b", "a"): 3, ("a", "c"): 4, ("c", "a"): 4, ("b", "c"): -9, ("c", "b"): -9}, "ac/b/d"),
    ],
)
def test_groups(gains: dict[tuple[str, str], float], groups: str) -> None:
    assert "/".join("".join(group) for group in propose("abcd", gains)) == groups


def test_many_tasks_are_joined_step_by_step() -> None:
    tasks = [f"t{i}" for i in range(12)]
    gains = {(a, b): 2.0 for i, a in enumerate(tasks) for j, b in enumerate(tasks) if i != j and i % 3 == j % 3}
    assert propose(tasks, gains) == tuple(tuple(tasks[i::3]) for i in range(3))
