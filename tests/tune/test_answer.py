"""What a search has brought, in words, by the comparison of its confirmation."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pytest

from mtlrun.compare.recommendation_records import Candidate, Kind, Recommendation
from mtlrun.compare.records import Comparison, TaskColumn
from mtlrun.compose import compose
from mtlrun.tune import answer
from mtlrun.tune.search import SearchResult
from mtlrun.tune.setting_runs import Base
from mtlrun.tune.tried import Tried
from tests.compare.comparisons import against, comparison, row

COLUMNS = (TaskColumn("price", "rmse", False, "dollars", ("rmse",)), TaskColumn("cut", "accuracy", True))
BEST = Tried(5, {"lr.base": "0.004"}, [-3.0, -1.0])
FOUND = SearchResult([BEST] * 16, BEST, 28)


def compared(difference: float, main: str = "default", takes: tuple[str, ...] = ()) -> Comparison:
    """A comparison in which the tuned setting is `difference` percent worse than the default."""
    default = replace(row("default", 0.0, COLUMNS), against=None)
    tuned = replace(row("tuned", difference, COLUMNS), against=against(difference))
    chosen = {column.task: candidate(label) for column, label in zip(COLUMNS, takes, strict=False)}
    found = Recommendation("decided", False, candidate(main), chosen)
    return comparison([default, tuned], COLUMNS, recommendation=found)


def candidate(label: str) -> Candidate:
    kinds: Mapping[str, Kind] = {"alone": "alone", "boosting": "boosting"}
    return Candidate(label, kinds.get(label, "method"))


@pytest.mark.parametrize(
    ("difference", "headline"),
    [
        (-4.0, "The search paid: on fresh seeds the tuned settings are better than the default: price better by"),
        (0.1, "The search brought nothing that matters: on fresh seeds the tuned settings, 2.0 % ahead"),
        (0.55, "The search is not shown to have brought anything"),
        (4.0, "The search brought nothing: on fresh seeds the tuned settings, 2.0 % ahead of the default on val"),
    ],
)
def test_what_a_search_has_brought_is_the_verdict_on_fresh_seeds(difference: float, headline: str) -> None:
    first, second = answer._brought(FOUND, compared(difference))
    assert first.startswith(headline)
    assert "dollars rmse (8 of 8)" in first and ("worse by" in first) == (difference > 0)
    assert second == "Tuned, the best of 16 settings in 28 runs: lr.base=0.004."


def test_a_search_that_found_nothing_says_so() -> None:
    found = replace(FOUND, best=None)
    assert [*answer._brought(found, compared(0.0))] == [
        "The search brought nothing: of 16 settings in 28 runs none was better than the default on val."
    ]


@pytest.mark.parametrize(
    ("main", "takes", "trained"),
    [
        ("default", (), [""]),
        ("tuned", ("tuned", "tuned"), ["lr.base=0.004 "]),
        ("tuned", ("tuned", "boosting"), ["lr.base=0.004 "]),
        ("alone", ("alone", "alone"), ["'only=[price]' loss=sum ", "'only=[cut]' loss=sum "]),
        ("default", ("default", "alone"), ["", "'only=[cut]' loss=sum "]),
        ("boosting", ("boosting", "boosting"), []),
    ],
)
def test_there_is_a_command_for_all_rows_for_each_net_that_is_recommended(
    main: str, takes: tuple[str, ...], trained: list[str]
) -> None:
    base = Base(compose(["only=[price,cut]"], None, True))
    commands = [*answer._on_all_rows(base, BEST, compared(-4.0, main, takes), Path("confirm"))]
    expected = []
    for words in trained:
        own = "" if words.startswith("'only") else "'only=[price,cut]' "
        expected.append(f"mtlrun {own}{words}data.split.val=0 data.split.test=0 trainer.length_of=confirm")
    assert commands == expected
