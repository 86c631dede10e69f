"""Columns that look like something else than what they are read as."""

from typing import Any

import numpy as np
import pandas as pd
import pytest

from mtlrun.data.doubts import dates_as_text, is_identifier, nearly_numbers

ROWS = 600
RANDOM = np.random.default_rng(0)


@pytest.mark.parametrize(
    ("values", "words", "dates"),
    [
        (["1", "2.5", "-3e4"] * 4 + ["n.a.?"], ["n.a.?"], False),
        (["1", "2"] * 20 + ["x", "?", "?"], ["?", "x"], False),
        (["1", "x"] * 20, [], False),
        (["1", "2"] * 20, [], False),
        ([1, 2], [], False),
        (["2020-09-22", "2020-09-23 10:30:00", None], [], True),
        ([f"2020-09-{d:02}" for d in range(1, 21)] + ["later"], [], True),
        (["2020-09-31", "2020-09-01"], [], False),
        (["2020", "2021"], [], False),
        (["22.9.2020", "23.9.2020"], [], False),
    ],
)
def test_text_that_is_something_else(values: list[Any], words: list[str], dates: bool) -> None:
    assert nearly_numbers(pd.Series(values)) == words
    assert dates_as_text(pd.Series(values)) == dates


def test_identifiers() -> None:
    assert is_identifier(pd.Series(RANDOM.permutation(ROWS)), "n")
    assert is_identifier(pd.Series(RANDOM.choice(10**9, ROWS, replace=False)), "customer_id")
    assert not is_identifier(pd.Series(RANDOM.choice(10**9, ROWS, replace=False)), "income")
    assert not is_identifier(pd.Series(RANDOM.normal(size=ROWS)), "id")
