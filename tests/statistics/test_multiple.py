"""Holm's adjustment against the step-down procedure itself; how many seeds a family needs."""

import numpy as np
import pytest

from mtlrun.statistics import holm, seeds_needed, sign_flip


def step_down(p, level):
    """Which hypotheses Holm rejects: the smallest p against α/m, the next against α/(m − 1), … until one fails."""
    rejected = np.zeros(len(p), bool)
    for place, index in enumerate(np.argsort(p)):
        if p[index] > level / (len(p) - place):
            break
        rejected[index] = True
    return rejected


def test_by_hand():
    assert holm([0.01, 0.04, 0.03]) == pytest.approx([0.03, 0.06, 0.06])
    assert holm([0.6, 0.7]) == pytest.approx([1, 1])
    assert holm([0.02]) == 0.02 and holm([]).shape == (0,)


def test_rejects_as_the_procedure():
    generator = np.random.default_rng(0)
    for _ in range(300):
        p = generator.beta(0.3, 2, size=generator.integers(1, 9))
        level = generator.uniform(0.01, 0.2)
        assert ((holm(p) <= level) == step_down(p, level)).all()


@pytest.mark.parametrize("wrong", [[0.1, 1.2], [-0.1], [np.nan, 0.1]])
def test_what_is_no_p(wrong):
    with pytest.raises(ValueError):
        holm(wrong)


def test_seeds_needed():
    assert {m: seeds_needed(m) for m in (1, 3, 5, 10, 17)} == {1: 6, 3: 7, 5: 8, 10: 9, 17: 10}
    for methods in range(1, 40):  # n ≥ 1 + log₂(20·M)
        assert seeds_needed(methods) == int(np.ceil(1 + np.log2(20 * methods)))
    with pytest.raises(ValueError):
        seeds_needed(0)


@pytest.mark.parametrize("methods", [1, 4, 9])
def test_with_one_seed_less_nothing_can_be_significant(methods):
    enough = seeds_needed(methods)
    clearest = [sign_flip(np.linspace(1, 2, n)) for n in (enough - 1, enough)]
    one_short, just = (holm([p] + [1.0] * (methods - 1))[0] for p in clearest)
    assert one_short > 0.05 >= just
