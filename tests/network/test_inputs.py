"""The encoding of raw columns, with statistics of each run's own training rows."""

import numpy as np
import pandas as pd
import pytest
import torch
from support import make_config, make_stack

from mtlrun.config.schema import ModelConfig
from mtlrun.data.columns import MISSING, UNKNOWN, InputColumn, InputSpec
from mtlrun.network.inputs import InputEncoder
from mtlrun.runs.predictor import NetworkPredictor

NAN = float("nan")


def encode(encoder: InputEncoder, numeric: np.ndarray, codes: np.ndarray) -> torch.Tensor:
    """The whole table for every run `[R, N, D]`."""
    runs = encoder.mean.shape[0]
    positions = torch.from_numpy(encoder.positions(codes)).expand(runs, -1, -1) if codes.shape[1] else None
    return encoder(torch.from_numpy(numeric).expand(runs, -1, -1), positions)


PLAIN = ModelConfig(hidden=[], head_hidden=[])


def fitted(
    columns: list[InputColumn],
    numeric: np.ndarray,
    codes: np.ndarray,
    train: list[np.ndarray],
    net: ModelConfig = PLAIN,
) -> InputEncoder:
    encoder = InputEncoder(InputSpec(columns), len(train), net)
    encoder.fit(numeric, encoder.positions(codes), train)
    return encoder


def test_numbers_are_scaled_by_each_runs_training_rows() -> None:
    stream = np.random.default_rng(0)
    numeric = (stream.normal(size=(60, 2)) * [3, 0.01] + [10, -5]).astype(np.float32)
    train = [np.arange(40), np.arange(20, 50)]
    columns = [InputColumn("a", "numeric"), InputColumn("b", "numeric")]
    x = encode(fitted(columns, numeric, np.empty((60, 0), int), train), numeric, np.empty((60, 0), int))
    assert x.shape == (2, 60, 2)
    for r, rows in enumerate(train):
        expected = (numeric - numeric[rows].mean(0, dtype=np.float64)) / numeric[rows].std(0, dtype=np.float64)
        assert x[r].numpy() == pytest.approx(expected, abs=2e-3)
        assert x[r, rows].mean(0).numpy() == pytest.approx(0, abs=1e-3)
        assert x[r, rows].std(0, correction=0).numpy() == pytest.approx(1, abs=1e-3)


def test_missing_numbers_get_the_training_mean_and_an_indicator() -> None:
    numeric = np.array([[1, 5], [3, NAN], [NAN, 7], [100, 9]], dtype=np.float32)
    columns = [InputColumn("a", "numeric", missing=True), InputColumn("b", "numeric", missing=True)]
    empty = np.empty((4, 0), int)
    # run 0 has no gap of b in training, so that b's indicator can teach it nothing
    x = encode(fitted(columns, numeric, empty, [np.array([0, 2, 3]), np.array([0, 1])]), numeric, empty)
    means, stds = numeric[[0, 3], 0].mean(), numeric[[0, 3], 0].std()
    assert x[0, :, 0].tolist() == pytest.approx([(1 - means) / stds, (3 - means) / stds, 0, (100 - means) / stds])
    assert x[0, 1, 1] == 0  # the mean
    assert x[0, :, 2:].tolist() == [[0, 0], [0, 0], [1, 0], [0, 0]]
    assert x[1, :, 0].tolist() == pytest.approx([-1, 1, 0, 98])
    assert x[1, :, 1].tolist() == [0, 0, 0, 0]  # a single training value: constant
    assert x[1, :, 2:].tolist() == [[0, 0], [0, 1], [0, 0], [0, 0]]


def test_a_column_constant_in_training_is_0_everywhere() -> None:
    numeric = np.array([[0.1], [0.1], [0.1], [5]], dtype=np.float32)
    x = encode(
        fitted([InputColumn("a", "numeric")], numeric, np.empty((4, 0), int), [np.arange(3)]),
        numeric,
        np.empty((4, 0), int),
    )
    assert x.flatten().tolist() == [0, 0, 0, 0]


def test_categories_are_one_hot_and_unseen_ones_unknown() -> None:
    columns = [
        InputColumn("a", "category", missing=True, categories=["p", "q", "r"]),
        InputColumn("b", "category", categories=["u", "v"]),
    ]
    codes = np.array([[0, 0], [1, 1], [2, 0], [MISSING, 1], [UNKNOWN, UNKNOWN], [0, MISSING]])
    numeric = np.empty((6, 0), np.float32)
    encoder = fitted(columns, numeric, codes, [np.arange(6), np.array([0, 2]), np.array([3, 1])])
    x = encode(encoder, numeric, codes)
    full = [[1, 0, 0, 0, 1, 0], [0, 1, 0, 0, 0, 1], [0, 0, 1, 0, 1, 0], [0, 0, 0, 1, 0, 1], [0] * 6, [1, 0, 0, 0, 0, 0]]
    assert encoder.width == 6
    assert x[0].tolist() == full
    assert x[1].tolist() == (np.array(full) * [1, 0, 1, 0, 1, 0]).tolist()  # trained on p, r and u
    assert x[2].tolist() == (np.array(full) * [0, 1, 0, 1, 0, 1]).tolist()  # trained on q, missing and v


def test_kinds_of_columns_together_have_fixed_places() -> None:
    columns = [
        InputColumn("c", "category", categories=["p", "q"]),
        InputColumn("a", "numeric", missing=True),
        InputColumn("b", "numeric"),
    ]
    numeric, codes = np.array([[1, 2], [NAN, 4]], dtype=np.float32), np.array([[1], [0]])
    x = encode(fitted(columns, numeric, codes, [np.arange(2)]), numeric, codes)
    assert x[0].tolist() == [[0, -1, 0, 0, 1], [0, 1, 1, 1, 0]]  # a, b, is a missing?, p, q


def test_a_stack_encodes_as_its_members_alone() -> None:
    stream = np.random.default_rng(1)
    numeric = stream.normal(size=(30, 3)).astype(np.float32)
    numeric[stream.random((30, 3)) < 0.2] = NAN
    codes = stream.integers(-2, 4, (30, 1))
    columns = [InputColumn(f"n{i}", "numeric", missing=True) for i in range(3)]
    columns.append(InputColumn("c", "category", missing=True, categories=list("wxyz")))
    train = [np.arange(4), np.arange(10, 30)]
    together = encode(fitted(columns, numeric, codes, train), numeric, codes)
    for r, rows in enumerate(train):
        assert torch.equal(together[r], encode(fitted(columns, numeric, codes, [rows]), numeric, codes)[0])


def test_prediction_imputes_where_training_had_no_gaps() -> None:
    config = make_config({"a": {"type": "regression"}})
    stack = make_stack([config])
    dataset = stack.datasets[0]
    predictor = NetworkPredictor(config, dataset.spec, stack.network, {"a": []}, {"a": [1.0, 0.0]})
    mean = dataset.numeric[dataset.split.train].mean(0)
    frame = pd.DataFrame(np.tile(mean, (2, 1)), columns=[c.name for c in dataset.spec.columns])
    frame.iloc[1, 2] = NAN
    found = predictor.predict(frame)["a"]
    assert np.isfinite(found).all() and found[1] == pytest.approx(found[0], abs=1e-6)
