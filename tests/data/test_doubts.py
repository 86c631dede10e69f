"""Columns that look like something else than what they are read as."""

from typing import Any

import numpy as np
import pandas as pd
import pytest

from mtlrun.data.doubts import declaration, in_words, is_identifier, notations_of

ROWS = 600
RANDOM = np.random.default_rng(0)


@pytest.mark.parametrize(
    ("values", "words", "line"),
    [
        (
            ["1", "2.5", "-3e4"] * 4 + ["n.a.?"],
            "numbers such as '-3e4' beside 'n.a.?'",
            '{number: {}, missing: ["n.a.?"]}',
        ),
        (
            ["1", "2", "3"] * 20 + ["x", "?", "?"],
            "numbers such as '1' beside '?', 'x'",
            '{number: {}, missing: ["?", x]}',
        ),
        (["1,5", "12,25", "3,0"], "numbers such as '12,25'", '{number: {decimal: ","}}'),
        (["1", "x"] * 20, None, ""),
        (["1", "2"] * 20, None, ""),
        ([1, 2], None, ""),
        (["2020-09-22", "2020-09-23 10:30:00", None], "dates such as '2020-09-23 10:30:00'", "{date: ISO8601}"),
        ([f"2020-09-{d:02}" for d in range(1, 21)] + ["later"], "dates such as '2020-09-01' beside 'later'", ""),
        (["2020-09-31", "2020-09-01"], None, ""),
        (["2020", "2021"], None, ""),
        (["22.9.2020", "23.9.2020", "24.9.2020"], "dates such as '22.9.2020'", '{date: "%d.%m.%Y"}'),
        ([20200900 + d for d in range(1, 31)], "dates such as '20200901'", '{date: "%Y%m%d"}'),
        ([20200900 + d for d in range(1, 33)], None, ""),
        ([20200900.5 + d for d in range(1, 31)], None, ""),
        ([12_000_000 + 7 * d for d in range(60)], None, ""),
        (["8:05", "12:30", "9:15"], "times such as '12:30'", '{time: "%H:%M"}'),
    ],
)
def test_text_that_is_something_else(values: list[Any], words: str | None, line: str) -> None:
    found = notations_of(pd.Series(values))
    assert (in_words(found, values) if found else None) == words
    if found:
        assert line in declaration("c", found) and declaration("c", found).startswith("'data.columns={c: {")


def test_identifiers() -> None:
    assert is_identifier(pd.Series(RANDOM.permutation(ROWS)), "n")
    assert is_identifier(pd.Series(RANDOM.choice(10**9, ROWS, replace=False)), "customer_id")
    assert not is_identifier(pd.Series(RANDOM.choice(10**9, ROWS, replace=False)), "income")
    assert not is_identifier(pd.Series(RANDOM.normal(size=ROWS)), "id")
