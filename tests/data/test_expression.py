"""Conditions: what they select, and that nothing outside the whitelist gets through."""

import contextlib

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mtlrun.data.expression import condition, parse
from mtlrun.util.errors import RequestError

FRAME = pd.DataFrame(
    {
        "a": [1.0, 2.0, np.nan, 4.0],
        "b": [4, 3, 2, 1],
        "city": ["Ulm", "Bonn", None, "Köln"],
        "flag": [True, False, True, False],
        "maybe": pd.Series([True, None, False, True], dtype=object),
        "day": pd.to_datetime(["2024-01-01", "2024-02-01", None, "2025-01-01"]),
        "size in m²": [10, 20, 30, 40],
        "class": [0, 1, 0, 1],
        "big": [2**60, 2**60 + 1, 0, 1],
        "gap": pd.array([2**60, 2**60 + 1, None, 1], dtype="Int64"),
        "huge": pd.Series([2**70, 2**70 + 1, None, 1], dtype=object),
    }
)


@pytest.mark.parametrize(
    ("text", "rows"),
    [
        ("a == 1", [0]),
        ("a != 1", [1, 3]),  # a missing value in a comparison gives False
        ("not a == 1", [1, 2, 3]),
        ("a == null", [2]),
        (f"gap == {2**60}", [0]),
        (f"gap != {2**60}", [1, 3]),
        ("gap == 0", []),  # nor is a missing number 0
        ("gap - 1 == 0", [3]),
        ("huge == 1", [3]),
        ("huge > gap", [0, 1]),
        (f"gap in [{2**60 + 1}, 1]", [1, 3]),
        ("city != null", [0, 1, 3]),
        ("1 < a <= 4", [1, 3]),
        ("a < b", [0, 1]),
        ("a + b * 2 >= 8", [0, 1]),
        ("-a > -3", [0, 1]),
        ("b % 2 == 0 and b ** 2 > 4", [0]),
        ("b / 2 > 1 or flag", [0, 1, 2]),
        ("city == 'Köln'", [3]),
        ('city in ["Ulm", "Bonn"]', [0, 1]),
        ("city not in ['Ulm']", [1, 3]),
        ("a in (1, 4)", [0, 3]),
        ("b not in [-1, 1]", [0, 1, 2]),
        ("flag", [0, 2]),
        ("not flag", [1, 3]),
        ("maybe", [0, 3]),
        ("maybe == false", [2]),
        ("flag == true", [0, 2]),
        ("`size in m²` > 20", [2, 3]),
        ("`class` == 1", [1, 3]),
        ("day >= '2024-02-01'", [1, 3]),
        ("city == '`'", []),
        ("big == 1152921504606846977", [1]),  # beyond float64
        ("a / 0 > 1", [0, 1, 3]),
        ("true", [0, 1, 2, 3]),
        ("9 ** 9 ** 9 > 0 and b == 1", [3]),
    ],
)
def test_selects(text: str, rows: list[int]) -> None:
    assert np.flatnonzero(condition(text, FRAME, "tasks.t.where")).tolist() == rows


def test_names_and_arithmetic() -> None:
    expression = parse("`size in m²` + b > a and not `class`==1", "k")
    assert expression.names == ("size in m²", "b", "a", "class")
    values = parse("a * b", "k").evaluate(FRAME)
    assert values.dtype == np.float64
    assert values[:2].tolist() == [4.0, 6.0] and np.isnan(values[2])


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("__import__('os').system('true')", "a call"),
        (
            "a.sum > 1",
            "an attribute (a.b) is not allowed in 'a.sum > 1'\na column of that name goes in backticks: `a.sum`",
        ),
        ("age.in.years > 1", "is no expression"),
        ("not (x.age.years > 1)", "a column of that name goes in backticks: `x.age.years`"),
        ("a.__class__ == 1", "an attribute (a.b) is not allowed in 'a.__class__ == 1'\nallowed: column names"),
        ("'a'.upper == 'A'", "an attribute (a.b) is not allowed in"),
        ("a[0] > 1", "an index"),
        ("(lambda: 1)()", "a call"),
        ("[x for x in a]", "ListComp"),
        ("a if b else 1", "IfExp"),
        ("f'{a}' == 'x'", "JoinedStr"),
        ("a == 1 & b == 2", "`&`"),
        ("a // 2 == 1", "`//`"),
        ("a is null", "`is`"),
        ("b'x' == city", "constant"),
        ("1j == a", "constant"),
        ("a in b", "without a list"),
        ("a in [b]", "other than a constant"),
        ("a = 1", "no expression"),
        ("a ==", "no expression"),
        ("", "no expression"),
        ("@a", "no expression"),
        ("a; b", "no expression"),
        ("(" * 300 + "a" + ")" * 300, "no expression"),
        ("-" * 200 + "a > 1", "nesting"),
        ("a > 1 " + "or a > 1 " * 400, "characters"),
        ("aa > 1", "did you mean a?"),
        ("city > 3", "compares text with a number"),
        ("a > 'x'", "compares a number with text"),
        ("a and flag", "needs conditions"),
        ("city + 1 == 2", "needs numbers"),
        ("a < null", "null goes with"),
        ("a in [null]", "null in a list"),
        ("day > 'soon'", "is no date"),
        ("a + 1", "no true or false"),
        ("null", "no value"),
        (f"a == {10**30}", "64 bits"),
    ],
)
def test_refuses(text: str, named: str) -> None:
    with pytest.raises(RequestError) as error:
        condition(text, FRAME, "tasks.sold.where")
    assert str(error.value).startswith("tasks.sold.where: ")
    assert named in str(error.value)
    assert str(error.value).count("\n") == 1 and len(str(error.value)) < 400


@given(st.text(max_size=40))
def test_any_text_gives_booleans_or_a_request_error(text: str) -> None:
    with contextlib.suppress(RequestError):
        assert condition(text, FRAME, "k").dtype == bool
