"""The positive class of two, and what init writes about it."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import yaml

from mtlrun.data.init_yaml import write_yaml
from mtlrun.data.positive import positive_of


@pytest.mark.parametrize(
    ("positive", "other"),
    [
        *[("yes", "no"), ("Y", "N"), ("True", "False"), ("t", "f"), ("positive", "negative"), ("pos", "neg")],
        *[("ja", "nein"), ("Ja", "Nein"), ("oui", "non"), ("sí", "no"), ("sim", "não"), ("tak", "nie"), ("да", "нет")],
        *[("evet", "hayır"), ("kyllä", "ei"), ("ano", "ne"), ("はい", "いいえ"), ("是", "否"), ("+", "-")],
        *[("1", "0"), (1, 0), (1.0, 0.0), (1, -1), (True, False)],
        *[("yes", "unknown"), ("perhaps", "no"), ("ja", "?")],
    ],
)
def test_a_word_for_yes_is_positive(positive: Any, other: Any) -> None:
    """In any order, and however often it occurs."""
    for counts in ([1, 9], [9, 1]):
        assert positive_of([positive, other], np.array(counts)) == (0, "it means yes")
        assert positive_of([other, positive], np.array(counts)) == (1, "it means yes")


@pytest.mark.parametrize(
    "pair", [("m", "f"), (1, 2), ("a", "b"), ("yes", "ja"), (0.5, 1.5), ("n", "w"), ("no", "nein")]
)
def test_else_the_rarer_one(pair: tuple[Any, Any]) -> None:
    assert positive_of(pair, np.array([3, 7])) == (0, "the rarer one")
    assert positive_of(pair, np.array([7, 3])) == (1, "the rarer one")
    assert positive_of(pair, np.array([5, 5])) == (1, "the last one")


def test_init_says_which_was_taken(tmp_path: Path) -> None:
    columns = {"x": range(8), "buys": ["ja", "nein"] * 4, "ok": ["yes", "no"] * 4, "ill": [True] * 7 + [False]}
    pd.DataFrame(columns | {"sex": ["m"] * 3 + ["f"] * 5, "n": [7, 9] * 4}).to_csv(tmp_path / "t.csv", index=False)
    targets = ["buys", "ok", "ill", "sex", "n"]
    text = write_yaml(tmp_path / "t.csv", targets, tmp_path).path.read_text(encoding="utf-8")
    tasks = yaml.safe_load(text)["tasks"]
    assert [tasks[name]["positive"] for name in targets] == ["ja", "yes", True, "m", 9]
    assert "  # ja is the positive class, as it means yes; to change it: positive: nein\n" in text
    assert '  # "yes" is the positive class, as it means yes; to change it: positive: "no"\n' in text
    assert "  # m is the positive class, as the rarer one; to change it: positive: f\n" in text
