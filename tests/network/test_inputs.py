"""The encoding of raw columns, with statistics of each run's own training rows."""

from dataclasses import replace

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
    encoder = InputEncoder(InputSpec(columns, net.embedding), len(train), net)
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


@pytest.mark.parametrize("columns", [1, 2, 5])
@pytest.mark.parametrize("gaps", [False, True])
def test_statistics_in_parts_are_those_of_all_rows_to_the_last_bit(
    columns: int, gaps: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    stream = np.random.default_rng(0)
    numeric = stream.normal(size=(3000, columns)) * np.exp(stream.normal(size=columns))
    if gaps:
        numeric[stream.random(numeric.shape) < 0.1] = NAN
    rows = stream.permutation(3000)[:2000]
    monkeypatch.setattr("mtlrun.network.number_scales.CACHED", 64)
    spec = [InputColumn(f"x{i}", "numeric", missing=gaps) for i in range(columns)]
    encoder = fitted(spec, numeric, np.empty((3000, 0), int), [rows])
    values = numeric[rows]
    present = ~np.isnan(values)
    count = present.sum(0) if gaps else len(rows)
    mean = np.where(present, values, 0).sum(0) / count
    std = np.sqrt((np.where(present, values - mean, 0) ** 2).sum(0) / count)
    for found, expected in ((encoder.mean, mean), (encoder.inverse, 1 / std)):
        np.testing.assert_array_equal(found[0].numpy(), expected)
    np.testing.assert_array_equal(encoder.low[0].numpy(), np.nanmin(values, 0))
    np.testing.assert_array_equal(encoder.high[0].numpy(), np.nanmax(values, 0))


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


@pytest.mark.parametrize(
    "net",
    [
        PLAIN,
        replace(PLAIN, scaling="robust", embedding="piecewise", bins=3),
        replace(PLAIN, scaling="robust", embedding="periodic"),
    ],
    ids=["plain", "piecewise", "periodic"],
)
def test_an_input_without_spread_in_training_is_0_everywhere(net: ModelConfig) -> None:
    """In the rows that a run learns from: all others hold other values, gaps, categories and days of the week."""
    columns = [
        InputColumn("number", "numeric"),
        InputColumn("empty", "numeric", missing=True),
        InputColumn("no gaps", "numeric", missing=True),
        InputColumn("monday", "numeric", date=True, cycles=["week", "day"]),
        InputColumn("one word", "category", missing=True, categories=["p", "q"]),
        InputColumn("no word", "category", missing=True, categories=["p", "q"]),
    ]
    learnt, others = np.arange(5), np.arange(5, 10)
    days = 18628.0 + 7 * np.arange(10)
    days[others] += 3
    numeric = np.full((10, 8), 5.0)
    numeric[:, 3:] = np.stack([days, *(f(2 * np.pi * days / p) for p in (7, 1) for f in (np.sin, np.cos))], 1)
    numeric[learnt, 1], numeric[others, 0], numeric[others, 2] = NAN, 7, [NAN, 1, 2, 3, 4]
    codes = np.array([[0, MISSING]] * 5 + [[1, 0], [MISSING, 1], [UNKNOWN, 0], [1, 1], [0, 0]])
    encoder = InputEncoder(InputSpec(columns, net.embedding), 1, net)
    encoder.fit(numeric, encoder.positions(codes), [np.arange(10)], [learnt])
    x = encode(encoder, numeric, codes)[0].numpy()
    plain, embedded = x[:, :16], (x[:, 16:] != 0).any(0)
    assert encoder.masked and set(np.flatnonzero((plain != 0).any(0))) == {3}  # the number of days alone
    of_number = np.arange(8).repeat(net.per_number(net.embedding))
    if net.embedding == "periodic":
        of_number = np.tile(np.arange(8), net.per_number(net.embedding))
    assert set(of_number[embedded]) == ({3} if net.per_number(net.embedding) else set())
    old = {name: value for name, value in encoder.state_dict().items() if name not in ("varies", "low", "high")}
    again = InputEncoder(InputSpec(columns, net.embedding), 1, net)
    again.load_state_dict(old)
    again.refresh()
    before = encode(again, numeric, codes)[0, :, :16].numpy()  # an older version used every input that was seen
    assert np.flatnonzero((before != 0).any(0)).tolist() == [3, 8, 10, 15] and bool(torch.isinf(again.low).all())


def test_categories_are_one_hot_and_unseen_ones_unknown() -> None:
    columns = [
        InputColumn("a", "category", missing=True, categories=["p", "q", "r"]),
        InputColumn("b", "category", categories=["u", "v"]),
    ]
    codes = np.array([[0, 0], [1, 1], [2, 0], [MISSING, 1], [UNKNOWN, UNKNOWN], [0, MISSING]])
    numeric = np.empty((6, 0), np.float32)
    encoder = fitted(columns, numeric, codes, [np.arange(6), np.array([0, 2, 5]), np.array([3, 1])])
    x = encode(encoder, numeric, codes)
    full = [[1, 0, 0, 0, 1, 0], [0, 1, 0, 0, 0, 1], [0, 0, 1, 0, 1, 0], [0, 0, 0, 1, 0, 1], [0] * 6, [1, 0, 0, 0, 0, 0]]
    assert encoder.width == 6
    assert x[0].tolist() == full
    assert x[1].tolist() == (np.array(full) * [1, 0, 1, 0, 1, 0]).tolist()  # trained on p, r and u
    assert x[2].tolist() == (np.array(full) * [0, 1, 0, 1, 0, 0]).tolist()  # on q and missing, and on v in every row


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
