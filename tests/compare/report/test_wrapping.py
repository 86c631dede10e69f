from mtlrun.compare.report.table_notes import seeds_text
from mtlrun.compare.report.wrapping import wrap


def test_wrap_says_what_is_cut():
    assert wrap("one two three", 7, 2, "[4]") == (["one two", "three"], False)
    lines, cut = wrap("abcdefghij klmnop", 8, 1, "[4]")
    assert cut and lines == ["abc… [4]"]


def test_seeds_that_follow_each_other_are_a_range():
    assert seeds_text((0, 1, 2, 3)) == "0–3"
    assert seeds_text((4, 0)) == "0, 4"
