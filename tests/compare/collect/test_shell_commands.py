"""Words for a shell."""

from pathlib import Path

import pytest

from mtlrun.compare.collect.original_words import words_of
from mtlrun.compare.collect.shell_commands import (
    is_sweep,
    quoted,
    seed_words,
    with_seeds,
    with_values,
    without_sweeps,
)
from mtlrun.storage.sweep_folder import COMMAND


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


def test_a_sweep_of_tune_has_commands_that_can_be_typed(tmp_path: Path) -> None:
    """Its command has the words of one run, and no words that train the same arms on other seeds."""
    (tmp_path / COMMAND).write_text("mtlrun tune data=houses lr.base=0.01 hydra.sweep.dir=found\n")
    assert words_of(tmp_path) == ["data=houses", "lr.base=0.01"]
    assert with_seeds(tmp_path, [8, 9]) == f"mtlrun compare {tmp_path} --confirm"
    assert with_values(tmp_path, {"trainer.patience": "null"}) == (
        "mtlrun tune data=houses lr.base=0.01 trainer.patience=null"
    )
    assert without_sweeps(tmp_path, "experiment=baselines", [3, 4]) == (
        "mtlrun data=houses lr.base=0.01 experiment=baselines seed=3,4"
    )
