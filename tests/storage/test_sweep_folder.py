"""The folders of a sweep's runs."""

import pytest

from mtlrun.storage.sweep_folder import RUN, folder_name


def test_names_are_numbered_safe_and_short() -> None:
    assert folder_name(7, 12, {"loss": "uncertainty", "seed": "2"}) == "007_loss=uncertainty,seed=2"
    assert folder_name(7, 12345, {"seed": "2"}) == "00007_seed=2"
    assert folder_name(0, 1, {}) == "000"
    assert folder_name(1, 2, {"data.path": "/a b/ü.csv", "only": "['x', y]"}) == "001_data.path=-ab--.csv,only=x,y"
    assert folder_name(1, 2, {"g": "[[a, b], [c]]", "seed": "2"}) == "001_g=a+b,c,seed=2"
    assert len({folder_name(1, 2, {"g": g}) for g in ("[[a,b,c]]", "[[a,b],[c]]", "[[a],[b],[c]]")}) == 3
    assert len(folder_name(1, 2, {"k": "v" * 500})) == 80


@pytest.mark.parametrize(
    "label", ["", "a label that is as long as a sentence, and longer than the name of a folder may be"]
)
def test_a_name_that_is_cut_ends_with_the_seed(label: str) -> None:
    settings = {f"loss.weights.a_task_with_a_long_name_{i}": "0.123456789" for i in range(9)}
    names = []
    for number in range(24):
        swept = {"loss": "fixed", "seed": str(number % 3), **settings, "lr.base": str(number // 3)}
        names.append(folder_name(number, 24, swept, label))
        assert names[-1].startswith(f"{number:03}_") and names[-1].endswith(f"..,seed={number % 3}")
        assert len(names[-1]) <= 80 and RUN.fullmatch(names[-1])
    assert len(set(names)) == 24
    both = folder_name(1, 2, {"data.split.seed": "4", **settings, "seed": "12"})
    assert both.endswith("..,data.split.seed=4,seed=12") and len(both) <= 80
    long = folder_name(1, 2, {"seed": "'" + "1," * 100 + "'", **settings})  # no number: cut like any other value
    assert len(long) == 80
