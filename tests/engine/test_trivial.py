"""The losses of predictors that know no inputs are those of a run, although no network is built."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from mtlrun.compose import compose, single
from mtlrun.data.dataset import load_dataset
from mtlrun.engine.trivial import trivial_losses
from mtlrun.runs.build import build_stack


@pytest.mark.parametrize(
    "words",
    [
        [],
        ["data.standardize_targets=false", "tasks.price.loss=huber", "tasks.size.loss=l1"],
        ["tasks.kind.class_weights=balanced", "data.weight=w"],
        ["+tasks.inputs={type: reconstruction}"],
        ["+tasks.rooms={type: reconstruction, columns: ['room_*']}", "data.weight=w"],
    ],
)
def test_trivial_losses_are_those_of_a_run(words: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    random, n = np.random.default_rng(0), 200
    frame = pd.DataFrame({"a": random.normal(size=n), "room_a": random.normal(size=n), "w": random.uniform(1, 3, n)})
    frame["room_b"] = np.where(np.arange(n) % 7 == 0, None, np.array(["u", "v", "x"])[np.arange(n) % 3])
    frame["price"], frame["size"] = 1e5 * random.normal(size=n), np.where(np.arange(n) % 3, random.normal(size=n), None)
    frame["kind"], frame["sold"] = np.array(["p", "q", "r"])[random.integers(0, 3, n)], np.arange(n) % 2
    frame.to_csv("t.csv", index=False)
    types = {"price": "regression", "size": "regression", "kind": "categorical", "sold": "binary"}
    tasks = [f"tasks.{task}.type={type_}" for task, type_ in types.items()]
    config = single(compose(["data=table", "data.path=t.csv", *tasks, *words]))
    dataset = load_dataset(config)
    expected = build_stack([config], [dataset]).trivial["val"][0]
    found = trivial_losses(config, dataset, dataset.split.val)
    assert found == pytest.approx({task: expected[task, "loss"] for task in config.active}, rel=1e-9)
