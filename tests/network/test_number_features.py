"""The scaling of numbers and their embeddings, with statistics of each run's own training rows."""

import itertools
import math
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from support import make_config, make_dataset, make_stack, train_steps

from mtlrun.config.schema import SHARINGS, ModelConfig
from mtlrun.data.columns import MISSING, InputColumn, InputSpec
from mtlrun.engine.memory import parameters
from mtlrun.network.inputs import InputEncoder
from mtlrun.runs.build import build_stack

NAN = float("nan")
EMBEDDINGS = ("none", "piecewise", "periodic", "both")
VARIANTS = list(itertools.product(("standard", "robust"), EMBEDDINGS))
PLAIN = ModelConfig(hidden=[], head_hidden=[], bins=5, frequencies=[0.3, 0.6, 1.0, 2.0], gain=0.7)


def net(**settings: Any) -> ModelConfig:
    return replace(PLAIN, **settings)


def table(rows: int = 80, seed: int = 0) -> tuple[InputSpec, np.ndarray, np.ndarray]:
    """Columns of every kind: gaps, ties, few values, constants, an outlier, timestamps, categories, hidden ones."""
    stream = np.random.default_rng(seed)
    normal = stream.normal(size=rows)
    ties = np.where(stream.random(rows) < 0.8, 0, stream.gamma(1, 5, rows))
    numbers = {
        "normal": normal,
        "gaps": np.where(stream.random(rows) < 0.3, NAN, 3 + 2 * stream.normal(size=rows)),
        "ties": ties,
        "levels": stream.integers(0, 4, rows),
        "two": stream.integers(0, 2, rows) * 7.0,
        "constant": np.full(rows, 0.1),
        "empty": np.full(rows, NAN),
        "heavy": np.exp(4 * stream.normal(size=rows)),
        "time": 1.7e12 + np.arange(rows),
        "secret": stream.normal(size=rows),
    }
    columns = [
        InputColumn(n, "numeric", missing=bool(np.isnan(v).any()), two_valued=n in ("two", "constant", "empty"))
        for n, v in numbers.items()
    ]
    columns.append(InputColumn("city", "category", missing=True, categories=["p", "q", "r"]))
    columns.append(InputColumn("hidden", "category", categories=["u", "v"], hidden=True))
    columns[9] = replace(columns[9], hidden=True)
    codes = np.stack([stream.choice([MISSING, 0, 1, 2], rows), stream.integers(0, 2, rows)], 1)
    return InputSpec([*columns[:9], columns[10], columns[9], columns[11]]), np.stack([*numbers.values()], 1), codes


def encode(encoder: InputEncoder, numeric: np.ndarray, codes: np.ndarray) -> torch.Tensor:
    """The whole table for every run `[R, N, D]`."""
    runs = encoder.mean.shape[0]
    positions = torch.from_numpy(encoder.positions(codes)).expand(runs, -1, -1)
    return encoder(torch.from_numpy(numeric).expand(runs, -1, -1), positions)


def fitted(spec: InputSpec, numeric: np.ndarray, codes: np.ndarray, train: list[np.ndarray], of: ModelConfig) -> Any:
    encoder = InputEncoder(replace(spec, embedding=of.embedding), len(train), of)
    encoder.fit(numeric, encoder.positions(codes), train)
    return encoder


# ---------------------------------------------------------------- independent references, a number at a time


def scaled(value: float, known: np.ndarray) -> float:
    """RealMLP's scaling before the clip."""
    q25, median, q75 = (float(np.quantile(known, q)) for q in (0.25, 0.5, 0.75))
    if q75 > q25:
        return (value - median) / (q75 - q25)
    return 2 * (value - median) / (known.max() - known.min()) if known.max() > known.min() else 0.0


def clipped(z: float) -> float:
    return z / math.sqrt(1 + (z / 3) ** 2)


def piecewise(value: float, known: np.ndarray, bins: int) -> list[float]:
    """The piecewise linear encoding in the number's own unit; ends at −1 and 2."""
    edges = sorted({float(np.quantile(known, t / bins)) for t in range(bins + 1)})
    out = [0.0] * bins
    if len(edges) < 3 or len(set(known.tolist())) < 3:
        return out
    value = float(np.median(known)) if math.isnan(value) else value
    for t, (low, high) in enumerate(itertools.pairwise(edges)):
        least, most = -1 if t == 0 else 0, 2 if t == len(edges) - 2 else 1
        out[t] = min(max((value - low) / (high - low), least), most)
    return out


def periodic(value: float, known: np.ndarray, of: ModelConfig) -> list[float]:
    if math.isnan(value) or len(set(known.tolist())) < 3:
        return [0.0] * of.per_number(of.embedding)
    angles = [2 * math.pi * f * clipped(scaled(value, known)) for f in of.frequencies]
    return [of.gain * wave(a) for wave in (math.sin, math.cos) for a in angles]


def test_robust_scaling_equals_the_formula() -> None:
    spec, numeric, codes = table()
    train = [np.arange(50), np.arange(30, 80)]
    encoder = fitted(spec, numeric, codes, train, net(scaling="robust"))
    x = encode(encoder, numeric, codes).numpy()
    for r, rows in enumerate(train):
        for j, column in enumerate(numeric.T):
            known = column[rows][~np.isnan(column[rows])]
            expected = [0 if math.isnan(v) or not len(known) else clipped(scaled(v, known)) for v in column]
            assert x[r, :, j] == pytest.approx(expected, abs=1e-5)
            assert np.abs(x[r, :, j]).max() <= 3


@pytest.mark.parametrize("scaling", ["standard", "robust"])
@pytest.mark.parametrize("embedding", ["piecewise", "periodic"])
def test_embeddings_equal_the_formula(scaling: Any, embedding: Any) -> None:
    spec, numeric, codes = table()
    of = net(scaling=scaling, embedding=embedding)
    train = [np.arange(50), np.arange(30, 80)]
    x = encode(fitted(spec, numeric, codes, train, of), numeric, codes).numpy()
    embedded = ["normal", "gaps", "ties", "levels", "heavy", "time"]
    assert [spec.numeric[i].name for i in spec.embeddable] == embedded
    for r, rows in enumerate(train):
        found = x[r, :, -len(embedded) * of.per_number(of.embedding) :]
        if embedding == "piecewise":
            found = found.reshape(len(numeric), len(embedded), of.per_number(of.embedding))
        else:
            found = found.reshape(len(numeric), of.per_number(of.embedding), len(embedded)).swapaxes(1, 2)
        for i, j in enumerate(spec.embeddable):
            known = numeric[rows, j][~np.isnan(numeric[rows, j])]
            for n, value in enumerate(numeric[:, j]):
                expected = piecewise(value, known, of.bins) if embedding == "piecewise" else periodic(value, known, of)
                assert found[n, i] == pytest.approx(expected, abs=2e-5), (spec.numeric[j].name, value)


def test_both_are_the_bins_and_then_the_waves() -> None:
    spec, numeric, codes = table()
    train = [np.arange(50), np.arange(30, 80)]
    bins, waves, both = (
        encode(fitted(spec, numeric, codes, train, net(embedding=name)), numeric, codes)
        for name in ("piecewise", "periodic", "both")
    )
    width = len(spec.embeddable) * net(embedding="periodic").per_number("periodic")
    assert torch.equal(both, torch.cat([bins, waves[..., -width:]], -1))


@pytest.mark.parametrize(
    ("values", "used"), [([1, 1, 1, 1], 0), ([1, 2, 1, 2], 0), ([1, 2, 3], 5), ([0] * 98 + [1, 2], 0)]
)
def test_few_values_have_few_bins(values: list[float], used: int) -> None:
    numeric = np.array(values, dtype=np.float64)[:, None]
    empty = np.empty((len(values), 0), int)
    encoder = fitted(
        InputSpec([InputColumn("a", "numeric")]), numeric, empty, [np.arange(len(values))], net(embedding="piecewise")
    )
    x = encoder(torch.from_numpy(numeric)[None], None)[0, :, 1:]
    assert int((x != 0).any(0).sum()) == used


# ---------------------------------------------------------------- properties of all variants


@pytest.mark.parametrize(("scaling", "embedding"), VARIANTS)
def test_every_variant_keeps_the_layout(scaling: Any, embedding: Any) -> None:
    spec, numeric, codes = table()
    of = net(scaling=scaling, embedding=embedding)
    train = [np.arange(50), np.arange(30, 80), np.arange(50), np.array([3])]
    encoder = fitted(spec, numeric, codes, train, of)
    x = encode(encoder, numeric, codes)
    shown = encoder.shown(x)
    without = fitted(spec, numeric, codes, train, net(scaling=scaling))
    plain = encode(without, numeric, codes)
    assert bool(x.isfinite().all()) and x.shape[-1] == encoder.width
    assert shown.shape[-1] == replace(spec, embedding=of.embedding).width_in(of)
    # the plain inputs come first, in the same places
    assert torch.equal(x[..., : plain.shape[-1]], plain)
    assert torch.equal(encoder.places(["gaps", "hidden"]), without.places(["gaps", "hidden"]))
    places = encoder.reconstructed(None)
    assert places is not None and torch.equal(x[..., places], without.shown(plain))
    assert len(places) == spec.width
    # runs do not depend on each other, nor on the stack
    assert torch.equal(x[0], x[2])
    for r, rows in enumerate(train):
        assert torch.equal(x[r], encode(fitted(spec, numeric, codes, [rows], of), numeric, codes)[0])
    # the network sees nothing of hidden columns
    other, coded = numeric.copy(), codes.copy()
    other[:, 9], coded[:, 1] = 1e9, 1 - coded[:, 1]
    assert torch.equal(encoder.shown(encode(encoder, other, coded)), shown)
    # an outlier, and a gap where there was none, change their own row
    for value in (1e6 * np.abs(numeric[7, 0]), -1e30, 1e30, NAN):
        wrong = numeric.copy()
        wrong[7, [0, 7, 8]] = value
        encoder.imputes = True
        found = encode(encoder, wrong, codes)
        same = np.arange(len(x[0])) != 7
        assert torch.equal(found[:, same], x[:, same]) and bool(found.isfinite().all())
        if scaling == "robust":
            assert float(found.abs().max()) <= 3


def test_the_encoding_of_a_part_is_the_part_of_the_encoding() -> None:
    """Batches of any size and place hold the same bits."""
    spec, numeric, codes = table(300)
    for scaling, embedding in VARIANTS:
        encoder = fitted(spec, numeric, codes, [np.arange(200)], net(scaling=scaling, embedding=embedding))
        whole = encode(encoder, numeric, codes)[0]
        for start, stop in ((0, 1), (3, 20), (17, 300)):
            part = encode(encoder, numeric[start:stop], codes[start:stop])[0]
            assert torch.equal(part, whole[start:stop]), (scaling, embedding, start)


@pytest.mark.parametrize("embedding", EMBEDDINGS)
def test_an_outlier_does_bounded_harm(embedding: str) -> None:
    config = make_config(
        {"a": {"type": "regression"}},
        model={"scaling": "robust", "embedding": embedding, "gain": 1.0},
        trainer={"epochs": 4},
    )
    dataset = make_dataset(config)
    stack = build_stack([config], [dataset])
    train_steps(stack, 20)
    before = stack.test.outputs()[0][0, :, 0, 0].clone()
    row = int(stack.test.index[0, 3])
    stack.test.rows.table[row, 0] *= 1e6
    after = stack.test.outputs()[0][0, :, 0, 0]
    moved = (after - before).abs()
    assert float(moved[3]) < 10 and float(moved[3]) > 0  # in standard deviations of the labels
    moved[3] = 0
    assert float(moved.max()) == 0


@pytest.mark.parametrize("sharing", SHARINGS)
def test_every_scheme_learns_from_embedded_inputs(sharing: str) -> None:
    linear = sharing in ("joint_features", "l1", "trace_norm", "mean_regularized")
    sizes = {"hidden": [], "head_hidden": []} if linear else {}
    config = make_config(
        {"a": {"type": "regression"}, "b": {"type": "regression"}, "r": {"type": "reconstruction"}}
        if not linear
        else {"a": {"type": "regression"}, "b": {"type": "regression"}},
        model={"scaling": "robust", "embedding": "periodic", **sizes},
        sharing={"name": sharing} | ({"groups": [["a", "r"]]} if sharing == "groups" else {}),
        loss={"name": "upgrad" if sharing in ("hard", "cgc") else "sum"},
    )
    stack = make_stack([config], inputs=3)
    before = stack.val()[0]["a", "loss"]
    train_steps(stack, 30)
    assert stack.val()[0]["a", "loss"] < before
    if sharing == "hard":
        outputs = sum(stack.network.place[t][0].outputs for t in stack.network.tasks)
        assert stack.network.parameter_count() == parameters(config, 3 + 3 * 8, outputs)
