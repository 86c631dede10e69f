"""Contrasts of a factorial against its ingredients and against least squares."""

from itertools import product

import numpy as np
import pytest

from mtlrun.statistics import interactions, main_effects

FACTORS = {"loss": ["sum", "uncertainty", "fixed"], "lr": ["single", "per_head"], "edge": ["none", "pass"]}


@pytest.fixture
def table():
    """Δm = loss's + lr's + edge's, and 4 more for uncertainty at per_head; every seed has an effect of its own."""
    loss, lr, edge = {"sum": 0, "uncertainty": -2, "fixed": 1}, {"single": 0, "per_head": -3}, {"none": 0, "pass": 5}
    seeds = np.array([0.0, 10, 20, 70])

    def cell(a, b, c):
        spread = np.array([1.0, -1, 2, -2]) * (a == "uncertainty")
        return seeds + loss[a] + lr[b] + edge[c] + 4 * (a == "uncertainty" and b == "per_head") + spread

    return {key: cell(*key) for key in product(*FACTORS.values())}


def test_main_effects_by_hand(table):
    found = {(c.factor, c.level): (c.against, c.values) for c in main_effects(table, FACTORS)}
    assert list(found) == [("loss", "uncertainty"), ("loss", "fixed"), ("lr", "per_head"), ("edge", "pass")]
    against, values = found["loss", "uncertainty"]  # −2, half of the 4, and the spread of the seeds
    assert against == "sum" and values == pytest.approx([1, -1, 2, -2])
    assert found["loss", "fixed"][1] == pytest.approx([1] * 4)
    assert found["lr", "per_head"][1] == pytest.approx([-3 + 4 / 3] * 4)
    assert found["edge", "pass"][1] == pytest.approx([5] * 4)


def test_interactions_by_hand(table):
    found = {(c.factor, c.level, c.against): c.values for c in interactions(table, FACTORS, [("loss", "lr")])}
    assert found[("loss × lr", "uncertainty × per_head", "sum × single")] == pytest.approx([4] * 4)
    assert found[("loss × lr", "fixed × per_head", "sum × single")] == pytest.approx([0] * 4)
    back = {c.level: c.values for c in interactions(table, FACTORS, [("lr", "loss")])}
    assert back["per_head × uncertainty"] == pytest.approx([4] * 4)


def test_as_the_coefficients_of_least_squares():
    """A complete 2 × 3 grid in effect coding; the contrasts are sums of the regression's coefficients."""
    factors = {"a": ["p", "q"], "b": ["x", "y", "z"]}
    generator = np.random.default_rng(0)
    table = {key: generator.normal(size=1) for key in product(*factors.values())}
    codes = {"p": [-1.0], "q": [1.0], "x": [-1.0, -1.0], "y": [1.0, 0.0], "z": [0.0, 1.0]}
    design = [[1, *codes[a], *codes[b], *np.outer(codes[a], codes[b]).ravel()] for a, b in table]
    _, q, y, z, qy, qz = np.linalg.solve(np.array(design), np.concatenate(list(table.values())))
    main = {c.level: c.values[0] for c in main_effects(table, factors)}
    assert main == pytest.approx({"q": 2 * q, "y": y - (-y - z), "z": z - (-y - z)})
    crossed = {c.level: c.values[0] for c in interactions(table, factors, [("a", "b")])}
    assert crossed == pytest.approx({"q × y": 2 * (qy - (-qy - qz)), "q × z": 2 * (qz - (-qy - qz))})


def test_a_grid_with_holes_is_refused(table):
    with pytest.raises(ValueError, match="3 × 2 × 2 is not complete"):
        main_effects(dict(list(table.items())[:-1]), FACTORS)
    with pytest.raises(ValueError, match="unequal numbers"):
        main_effects({**table, ("sum", "single", "none"): np.zeros(3)}, FACTORS)
    with pytest.raises(ValueError, match="two of loss, lr, edge"):
        interactions(table, FACTORS, [("loss", "seed")])
