"""The problems of auxiliary tasks and of depth are what their formulas say."""

import numpy as np
import pandas as pd
import pytest
from scipy.stats import norm

from mtlrun.data.problems import synthetic_table


def inputs(table: pd.DataFrame) -> np.ndarray:
    return table[[c for c in table if str(c).startswith("x")]].to_numpy()


def residual(x: np.ndarray, y: np.ndarray) -> float:
    """The variance that a line leaves of y."""
    x = np.column_stack([x, np.ones(len(x))])
    return float((y - x @ np.linalg.lstsq(x, y, rcond=None)[0]).var())


def test_hints_are_the_halves_of_a_parity() -> None:
    table = synthetic_table("hints")
    x = inputs(table)
    assert set(np.unique(x)) == {-1.0, 1.0} and x.shape[1] == 30
    assert (table["main"] == ((x[:, 0] == x[:, 1]) == (x[:, 2] == x[:, 3]))).all()
    assert np.abs(np.corrcoef(x.T, table["main"])[-1, :-1]).max() < 0.02  # no input tells anything


def test_three_inputs_matter_to_all_tasks_of_focusing() -> None:
    table = synthetic_table("focusing")
    x = inputs(table)
    assert 0.5**2 / table["a"].var() == pytest.approx(0.75, abs=0.03)  # the share of noise
    for task in "abcd":
        y = table[task].to_numpy()
        assert np.abs(np.corrcoef(x[:, 3:].T, y)[-1, :-1]).max() < 0.02
        assert np.abs(np.corrcoef(x[:, :3].T, y)[-1, :-1]).max() > 0.2


def test_the_label_of_quantised_is_a_threshold_on_another_reading() -> None:
    table = synthetic_table("quantised")
    scale = np.sqrt(1.25)
    assert table["high"].mean() == pytest.approx(norm.sf(1.2 / scale), abs=0.005)
    assert table["level"].std() == pytest.approx(scale, rel=0.02)
    assert residual(inputs(table), table["level"].to_numpy()) == pytest.approx(0.25, rel=0.03)
    # E[level | high] = ρ σ φ(a)/P(high), ρ = 1/1.25, a = 1.2/σ
    expected = scale / 1.25 * norm.pdf(1.2 / scale) / norm.sf(1.2 / scale)
    assert table.loc[table["high"] == 1, "level"].mean() == pytest.approx(expected, rel=0.03)


def test_the_future_has_less_noise_than_the_outcome() -> None:
    table = synthetic_table("future")
    x, later, y = inputs(table), table["later"].to_numpy(), table["y"].to_numpy()
    assert residual(x, later) / later.var() < 0.5 < residual(x, y) / y.var()
    assert residual(np.column_stack([x, later]), y) < residual(x, y)  # as an input it would tell more


def test_tasks_share_a_direction_and_have_noise_of_their_own() -> None:
    table = synthetic_table("augmentation")
    tasks = table[[c for c in table if str(c).startswith("t")]].to_numpy()
    assert tasks.shape[1] == 16
    signal = np.tanh(norm.ppf((np.arange(20_000) + 0.5) / 20_000)).var()  # of tanh of a standard normal number
    covariance = np.cov(tasks.T)
    assert np.diag(covariance) == pytest.approx(np.full(16, signal + 1), rel=0.03)
    assert covariance[~np.eye(16, dtype=bool)] == pytest.approx(np.full(240, signal), abs=0.04)
    slopes = np.linalg.lstsq(inputs(table), tasks, rcond=None)[0]
    directions = slopes / np.linalg.norm(slopes, axis=0)
    assert (directions.T @ directions).min() > 0.99


def test_tasks_of_shared_features_have_three_features_and_other_directions() -> None:
    table = synthetic_table("shared_features")
    tasks = table[[c for c in table if str(c).startswith("t")]].to_numpy()
    spectrum = np.linalg.eigvalsh(np.cov(tasks.T))[::-1]
    assert spectrum[3:] == pytest.approx(np.full(5, 0.36), rel=0.05)
    assert spectrum[2] > 0.5


def test_random_labels_have_nothing_to_do_with_anything() -> None:
    table = synthetic_table("random_labels")
    for name in ("r0", "r1", "r2", "r3"):
        others = table.drop(columns=name).to_numpy()
        assert residual(others, table[name].to_numpy()) == pytest.approx(1, abs=0.03)


def test_views_are_noisy_views_of_two_numbers() -> None:
    table = synthetic_table("views")
    spectrum = np.linalg.eigvalsh(np.cov(inputs(table).T))[::-1]
    assert spectrum.shape == (12,) and spectrum[2:] == pytest.approx(np.ones(10), rel=0.05)
    assert spectrum[1] > 4


def test_what_serves_in_the_source_domain_fails_in_the_target() -> None:
    train, val, test = (synthetic_table(name) for name in ("domains", "domains_source", "domains_target"))
    assert (train["labelled"] == train["source"]).all() and 0.49 < train["source"].mean() < 0.51
    assert (val["source"] == 1).all() and (test["source"] == 0).all() and (test["labelled"] == 1).all()

    def line(table: pd.DataFrame) -> np.ndarray:
        x = np.column_stack([inputs(table), np.ones(len(table))])
        return np.linalg.lstsq(x, table["y"] - 0.5, rcond=None)[0]

    def accuracy(weights: np.ndarray, table: pd.DataFrame) -> float:
        x = np.column_stack([inputs(table), np.ones(len(table))])
        return float(((x @ weights > 0) == (table["y"] == 1)).mean())

    known = train[train["source"] == 1]
    assert accuracy(line(test), test) == pytest.approx(norm.cdf(1.2), abs=0.01)  # 0.6 · √4
    assert accuracy(line(known), val) == pytest.approx(norm.cdf(2), abs=0.01)  # √(4 · 0.6² + 4 · 0.8²)
    assert accuracy(line(known), test) < 0.75


def test_xor_is_no_matter_of_one_input() -> None:
    table = synthetic_table("xor")
    x = inputs(table)
    assert (table["y"] == (np.sign(x[:, 0]) == np.sign(x[:, 1]))).all()
    assert np.abs(x).mean() == pytest.approx(1, abs=0.01)
    assert np.abs(np.corrcoef(x.T, table["y"])[-1, :-1]).max() < 0.03
