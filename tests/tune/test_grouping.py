"""Groups of tasks from the gradients of a joint run: against autograd, against SciPy's linkage, and on known groups."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from scipy.cluster.hierarchy import cut_tree, linkage
from support import make_config, make_dataset

from mtlrun.config.schema import Config
from mtlrun.data.dataset import Dataset
from mtlrun.engine.batches import Batch
from mtlrun.network.supervision import Targets
from mtlrun.runs.build import build_stack
from mtlrun.tune import grouping
from mtlrun.tune.grouping import affinities, can_be_grouped, divisions, propose

NAMES = [f"t{i}" for i in range(6)]
TASKS: dict[str, Any] = {name: {"type": "regression"} for name in NAMES}


def runs_of(blocks: Sequence[Sequence[int]], within: float, between: float, noise: float, runs: int = 5) -> np.ndarray:
    """Affinities `[R, T, T]` that are `within` in blocks of tasks and `between` elsewhere, and noise."""
    of = {task: b for b, block in enumerate(blocks) for task in block}
    mean = np.array([[within if of[a] == of[b] else between for b in sorted(of)] for a in sorted(of)])
    return mean + noise * np.random.default_rng(0).normal(size=(runs, *mean.shape))


@pytest.mark.parametrize("blocks", [[[0, 2, 4], [1, 3, 5]], [[0, 5], [1, 2], [3, 4]], [[0, 1, 2, 3], [4, 5]]], ids=str)
@pytest.mark.parametrize(("within", "between"), [(0.1, 0.0), (0.1, -0.05), (0.02, 0.0), (0.3, 0.05)])
def test_blocks_are_the_first_proposal(blocks: list[list[int]], within: float, between: float) -> None:
    found = divisions(NAMES, runs_of(blocks, within, between, noise=0.005))
    assert found[0] == [[NAMES[i] for i in block] for block in blocks]
    assert len(found) == 3 and len({len(division) for division in found}) == 3


@pytest.mark.parametrize("count", [3, 4, 7])
def test_every_proposal_is_a_division_and_neither_hard_nor_none(count: int) -> None:
    for seed in range(20):
        runs = np.random.default_rng(seed).normal(size=(1 + seed % 3, count, count))
        names = [f"t{i}" for i in range(count)]
        found = divisions(names, runs)
        assert len(found) == min(3, count - 2)
        for division in found:
            assert sorted(task for group in division for task in group) == names and 1 < len(division) < count
            assert all(group == sorted(group) for group in division) and division == sorted(division)


def test_joins_are_those_of_average_linkage() -> None:
    runs = np.random.default_rng(3).normal(size=(4, 12, 12))
    mean = runs.mean(0)
    distance = 10 - (mean + mean.T) / 2
    tree = linkage(distance[np.triu_indices(12, 1)], "average")
    joins = list(grouping._joins(runs))
    np.testing.assert_allclose([join.affinity for join in joins], 10 - tree[:, 2])
    for join in joins[1:]:
        labels = cut_tree(tree, n_clusters=len(join.groups))[:, 0]
        assert {frozenset(group) for group in join.groups} == {
            frozenset(np.flatnonzero(labels == k).tolist()) for k in set(labels.tolist())
        }
    pair = joins[0].groups, joins[1].groups
    (joined,) = [group for group in pair[1] if len(group) == 2]
    per_run = (runs[:, joined[0], joined[1]] + runs[:, joined[1], joined[0]]) / 2
    assert joins[0].error == pytest.approx(per_run.std(ddof=1) / 2)


@pytest.mark.parametrize("seed", [0, 1])
def test_affinities_are_cosines_of_gradients_by_autograd(seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """At the initial values, of the whole of val and the first batch of train, with missing labels.

    Edges and weights of the configuration do not count.
    """
    monkeypatch.setattr(grouping, "RUNS", 1)
    graph, loss = {"name": "chain", "gradient": "pass"}, {"name": "fixed", "weights": {"a": 5.0}}
    config = make_config(seed=seed, graph=graph, loss=loss, sharing={"name": "none"})
    dataset = make_dataset(config, missing=0.4)
    (found,) = affinities([config], [dataset], steps=1)
    stack = build_stack([make_config(seed=seed)], [dataset])
    val = dataset.split.val[dataset.labelled()[dataset.split.val]]
    x, labels, weights, observed = stack.train.rows.batch(torch.from_numpy(val)[None])
    assert weights is not None and observed is not None
    held_out = Batch(x, Targets(labels, weights / weights.sum(1, keepdim=True), observed))
    sides = []
    for batch in (held_out, next(iter(stack.train.epoch(1)))):
        losses = stack.network.losses(batch.x, batch.targets)
        for t in range(3):
            parts = torch.autograd.grad(losses[:, t].sum(), list(stack.network.sharing.parameters()), retain_graph=True)
            sides.append(torch.cat([p.flatten() for p in parts]))
    unit = torch.nn.functional.normalize(torch.stack(sides), dim=1)
    assert stack.network.tasks == ["a", "b", "c"]
    np.testing.assert_allclose(found, (unit[:3] @ unit[3:].mT).numpy(), atol=1e-5)


def two_groups(tasks: int, rows: int = 2000) -> tuple[np.ndarray, np.ndarray]:
    """Inputs `[N, 16]` and targets `[N, T]`: even ones of three features, odd ones of three others."""
    rng = np.random.default_rng(1)
    x = rng.normal(size=(rows, 16))
    features = [np.tanh(x @ (0.5 * rng.normal(size=(16, 3)))) for _ in range(2)]
    y = np.stack([features[t % 2] @ rng.normal(size=3) for t in range(tasks)], 1)
    return x, y + 0.3 * y.std(0) * rng.normal(size=y.shape)


def known(config: Config) -> Dataset:
    """The data set of `two_groups`, with a tenth of the rows as training rows."""
    x, y = two_groups(len(config.active))
    dataset = make_dataset(config, rows=len(x), inputs=16)
    targets = {n: replace(t, values=y[:, i]) for i, (n, t) in enumerate(dataset.targets.items())}
    split = dataset.split
    return replace(dataset, numeric=x, targets=targets, split=replace(split, train=split.train[:300]))


def test_groups_that_share_features_are_found() -> None:
    configs = [
        make_config(TASKS, seed=s, model={"hidden": [32, 32], "head_hidden": [16]}, trainer={"batch_size": 64})
        for s in (0, 1)
    ]
    found = propose(configs, [known(c) for c in configs])
    assert [["t0", "t2", "t4"], ["t1", "t3", "t5"]] in found.proposals
    assert found.affinity.shape == found.spread.shape == (6, 6)
    own, same = np.eye(6, dtype=bool), (np.arange(6) % 2)[:, None] == np.arange(6) % 2
    assert found.affinity[own].min() > found.affinity[same & ~own].mean() > 2 * found.affinity[~same].mean()
    for value, division in zip(found.values(), found.proposals, strict=True):
        assert value == str(division).replace("'", "").replace(" ", "")
        assert make_config(TASKS, sharing={"name": "groups", "groups": division}).notes == ()
    assert found.values()[[len(d) for d in found.proposals].index(2)] == "[[t0,t2,t4],[t1,t3,t5]]"


def test_steps_without_labels_of_a_task_are_left_out() -> None:
    config = make_config(TASKS)
    dataset = make_dataset(config, missing=0.2)
    few = dataset.targets["t1"].observed & (np.cumsum(dataset.targets["t1"].observed) % 20 == 1)
    found = affinities(
        [config], [replace(dataset, targets=dataset.targets | {"t1": replace(dataset.targets["t1"], observed=few)})]
    )
    assert found.shape == (grouping.RUNS, 6, 6) and np.isfinite(found).all() and found.all()


def test_fewer_runs_are_trained_where_memory_is_short(monkeypatch: pytest.MonkeyPatch) -> None:
    config = make_config(TASKS)
    monkeypatch.setattr(grouping, "MOST_BYTES", 1)
    found = propose([config], [make_dataset(config)])
    assert np.isnan(found.spread).all() and len(found.proposals) == 3


def test_splits_that_cannot_share_a_stack_are_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(grouping, "RUNS", 2)
    configs = [make_config(TASKS, seed=s) for s in (0, 1)]
    datasets = [make_dataset(c, rows=rows) for c, rows in zip(configs, (120, 240), strict=True)]
    found, first = affinities(configs, datasets, steps=3), affinities(configs[:1], datasets[:1], steps=3)
    np.testing.assert_array_equal(found, first)


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({}, True),
        ({"only": ["t0", "t1"]}, False),
        ({"model": {"hidden": [], "head_hidden": []}}, False),
        ({"model": {"freeze": True}}, False),
        ({"model": {"name": "tabm", "members": 2}}, True),
        ({"tasks": TASKS | {"t5": {"type": "regression", "role": "adversarial"}}}, False),
        ({"tasks": TASKS | {"t5": {"type": "regression", "role": "auxiliary"}}}, True),
    ],
)
def test_where_there_are_groups_to_find(changes: dict[str, Any], expected: bool) -> None:
    assert can_be_grouped(make_config(**({"tasks": TASKS} | changes))) is expected
