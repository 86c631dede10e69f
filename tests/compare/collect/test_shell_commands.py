"""Words for a shell."""

import pytest

from mtlrun.compare.collect.shell_commands import is_sweep, quoted, seed_words


@pytest.mark.parametrize(
    ("word", "several"),
    [
        ("loss=sum,fixed", True),
        ("only=[a,b]", False),
        ("only=[a],[b]", True),
        ("seed=range(3)", True),
        ("x='a,b'", False),
        ("lr.base=tag(log,interval(1e-4,1e-1))", True),
        ("name=rangefinder", False),
    ],
)
def test_words_that_list_several_values(word: str, several: bool) -> None:
    assert is_sweep(word) is several


def test_words_for_a_shell() -> None:
    assert quoted("mtlrun", "=x", "only=[a]", "~tasks.b", "a=1,2") == "mtlrun '=x' 'only=[a]' '~tasks.b' a=1,2"
    assert [seed_words(s) for s in ([3], [1, 2], [4, 5, 6], [1, 3, 4])] == ["3", "1,2", "range(4,7)", "1,3,4"]
