"""Shares of dead units, against a network in numpy."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from support import make_config, make_stack

from mtlrun.engine.diagnostics import dead_units
from mtlrun.engine.loop import Training
from mtlrun.engine.stack import Stack
from mtlrun.storage.progress import Progress
from mtlrun.util.errors import RequestError

DEEP = {"hidden": [12, 9], "head_hidden": [7, 5]}


def unlucky_stack() -> Stack:
    """Three runs with splits of their own whose layers have lost some units, each run others."""
    configs = [make_config(model=DEEP, seed=s, data={"split": {"seed": s}}) for s in range(3)]
    stack = make_stack(configs)
    draw = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for name, value in stack.network.named_parameters():
            if "bias" in name:
                value -= 3 * value.abs().amax() * torch.rand(value.shape, generator=draw).pow(3)
    return stack


def by_hand(stack: Stack, r: int) -> dict[tuple[str, str], float]:
    """The same of run r, a row at a time."""
    network, dataset = stack.network, stack.datasets[r]
    train, val = dataset.numeric[dataset.split.train], dataset.numeric[dataset.split.val]
    x = (val - train.mean(0)) / train.std(0)
    parameters = {n: p.detach()[r].double().numpy() for n, p in network.named_parameters()}
    h, shares = x, {}

    def note(task: str, layer: int, h: np.ndarray) -> None:
        shares[task, f"dead_layer{layer}"] = sum(all(row[u] <= 0 for row in h) for u in range(h.shape[1])) / h.shape[1]

    for layer in (1, 2):
        at = f"sharing.trunk.layers.{layer - 1}"
        h = np.maximum(h @ parameters[f"{at}.weight"] + parameters[f"{at}.bias"], 0)
        note("", layer, h)
    for b, block in enumerate(network.blocks):
        w = [parameters[f"heads.{b}.weights.{i}"] for i in (0, 1)]
        c = [parameters[f"heads.{b}.biases.{i}"] for i in (0, 1)]
        for t, task in enumerate(block.tasks):
            first = np.maximum(h @ w[0][:, t] + c[0][:, t], 0)
            note(task, 1, first)
            note(task, 2, np.maximum(first @ w[1][t] + c[1][t], 0))
    return shares


def test_shares_are_those_of_a_network_written_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mtlrun.engine.evaluate.ROWS_AT_ONCE", 3 * 7)  # several parts of the 24 rows of val
    stack = unlucky_stack()
    found = dead_units(stack.val)
    for r, figures in enumerate(found):
        assert figures == pytest.approx(by_hand(stack, r), abs=1e-12)
    shares = [v for figures in found for v in figures.values()]
    assert min(shares) < 0.2 and max(shares) > 0.5 and len(set(shares)) > 8
    assert found[0] != found[1] != found[2]


def test_they_are_rows_of_val_at_every_evaluation_and_change_nothing_else(tmp_path: Path) -> None:
    tables = []
    for name, on in (("on", True), ("off", False)):
        config = make_config(trainer={"log_activations": on}, model=DEEP | {"dropout": 0.3})
        stack, summary = make_stack([config], missing=0.2), {"settings": {}, "status": "running"}
        run = Training(stack, [tmp_path / name], [summary], tmp_path / "last.pt", None, lambda line: None)
        run.train(Progress(run.total, stack.network.tasks))
        tables.append(pd.read_csv(tmp_path / name / "metrics.csv", keep_default_na=False))
        if on:
            last = {
                (task, metric): v
                for task, metric, v in tables[0][tables[0].step == run.state.step][
                    ["task", "metric", "value"]
                ].itertuples(index=False)
                if metric.startswith("dead")
            }
            assert last == pytest.approx(by_hand(stack, 0))  # the network as it stands after the last evaluation
    on, off = tables
    own = on.metric.str.startswith("dead_layer")
    assert set(on[own].split) == {"val"} and own.sum() == 3 * (2 + 3 * 2)  # epochs × (trunk + heads)
    assert on[~own].reset_index(drop=True).equals(off)


@pytest.mark.parametrize(
    ("model", "said"),
    [
        ({"activation": "tanh"}, "counts units of relu that are 0, and model.activation is tanh"),
        ({"hidden": [], "head_hidden": []}, "the network has no hidden layer"),
    ],
)
def test_what_has_no_such_units_is_refused(model: dict[str, Any], said: str) -> None:
    with pytest.raises(RequestError, match=f"trainer.log_activations: {said}"):
        make_config(model=model, trainer={"log_activations": True})
