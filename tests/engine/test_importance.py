"""Permutation importance against predictions of the trained run on a table whose cells were exchanged with pandas."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from sklearn import metrics as sk
from support import make_config, train_in_folders

import mtlrun
from mtlrun.data.dataset import load_dataset
from mtlrun.engine.importance import PERMUTATIONS
from mtlrun.model.layers import generator
from mtlrun.runs.single import prepare
from mtlrun.storage.progress import Progress

TASKS: dict[str, Any] = {
    "a": {"type": "regression"},
    "b": {"type": "binary", "primary": "accuracy"},
    "c": {"type": "categorical"},
    "d": {"type": "regression", "primary": "r2", "role": "auxiliary"},
    "x": {"type": "reconstruction"},
}
PRIMARY = {"a": "rmse", "b": "accuracy", "c": "accuracy"}


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Text between numbers, gaps, row weights, missing labels; `noise` tells nothing."""
    rng = np.random.default_rng(0)
    n = 700
    frame = pd.DataFrame(
        {
            "u": rng.normal(3, 2, n),
            "k": rng.choice(list("pqr"), n),
            "v": rng.normal(size=n),
            "noise": rng.normal(size=n),
            "m": rng.choice(["s", None], n),
        }
    )
    frame["a"] = 10 * (frame.u + 3 * (frame.k == "p"))
    frame["b"] = np.where(frame.v > 0, "yes", "no")
    frame["c"] = frame.k.str.upper()
    frame["d"] = frame.u - frame.v
    frame.loc[rng.random(n) < 0.2, "v"] = np.nan
    frame.loc[rng.random(n) < 0.3, "a"] = np.nan
    frame["w"] = rng.uniform(0.5, 2, n)
    path = tmp_path_factory.mktemp("table") / "table.csv"
    frame.to_csv(path, index=False)
    return path


def config_of(path: Path, seed: int = 0, **trainer: Any) -> Any:
    data = {"path": str(path), "inputs": ["u", "k", "v", "noise", "m"], "weight": "w"}
    settings = {"batch_size": 50, "epochs": 15, "importance": True} | trainer
    return make_config(TASKS, data=data, seed=seed, trainer=settings)


def by_hand(config: Any, folder: Path) -> dict[tuple[str, str], float]:
    """(task, input) -> how much worse, of the main tasks, through `predict`."""
    rows = load_dataset(config).split.test
    frame = pd.read_csv(config.data.path).iloc[rows].reset_index(drop=True)
    predictor = mtlrun.load(folder)

    def scores(inputs: pd.DataFrame) -> dict[str, float]:
        found = predictor.predict(inputs)
        seen = frame.a.notna()
        error = sk.root_mean_squared_error(frame.a[seen], found.a[seen], sample_weight=frame.w[seen])
        right = {t: sk.accuracy_score(frame[t], found[t], sample_weight=frame.w) for t in ("b", "c")}
        return {"a": -error} | right  # higher is better

    plain, worse = scores(frame), {}
    for column in config.data.inputs:
        draw = generator(config.seed, "importance", column)
        drops = []
        for _ in range(PERMUTATIONS):
            order = torch.randperm(len(frame), generator=draw).numpy()
            permuted = frame.assign(**{column: frame[column].to_numpy()[order]})
            drops.append({t: plain[t] - v for t, v in scores(permuted).items()})
        worse |= {(t, column): float(np.mean([d[t] for d in drops])) for t in plain}
    return worse


def test_it_is_how_much_worse_predictions_get_on_exchanged_cells(path: Path, tmp_path: Path) -> None:
    config = config_of(path)
    prepare(config).train(tmp_path)
    table = pd.read_csv(tmp_path / "importance.csv")
    assert list(table.columns) == ["task", "metric", "input", "value"]
    assert dict(zip(table.task, table.metric, strict=True)) == PRIMARY | {"d": "r2"}  # and no reconstruction
    found = {(t, i): v for t, i, v in table[["task", "input", "value"]].itertuples(index=False)}
    expected = by_hand(config, tmp_path)
    assert len(found) == len(table) == 4 * 5
    for key, value in expected.items():
        assert found[key] == pytest.approx(value, rel=1e-4, abs=1e-5), key
    assert found["a", "u"] > 10 > abs(found["a", "noise"])  # in the target's unit
    assert found["b", "v"] > 0.1 and found["c", "k"] > 0.3 and found["d", "u"] > 0.5  # r2 is better the larger


def test_a_stack_gives_every_run_its_own_and_a_stop_before_the_end_changes_nothing(path: Path, tmp_path: Path) -> None:
    """Runs that end at different times, each on its own split, as alone."""
    configs = [config_of(path, seed=s, patience=1, epochs=40) for s in range(3)]
    folders = [tmp_path / str(s) for s in range(3)]
    train_in_folders(
        configs,
        [load_dataset(c) for c in configs],
        folders,
        tmp_path / "stack.pt",
        0,
        lambda *_: Progress(0, []),
        lambda members: None,
    )
    steps = [json.loads((f / "summary.json").read_text())["steps"] for f in folders]
    assert len(set(steps)) > 1
    for config, folder in zip(configs, folders, strict=True):
        table = pd.read_csv(folder / "importance.csv").set_index(["task", "input"]).value
        for key, value in by_hand(config, folder).items():
            # a class may change where two probabilities are all but equal
            assert table[key] == pytest.approx(value, rel=1e-3, abs=1e-4 if key[0] == "a" else 0.005), key


def test_a_task_without_test_labels_has_no_importance(path: Path, tmp_path: Path) -> None:
    table = pd.read_csv(path)
    config = config_of(path)
    table.loc[load_dataset(config).split.test, "a"] = np.nan
    other = tmp_path / "other.csv"
    table.to_csv(other, index=False)
    prepare(config_of(other, epochs=1)).train(tmp_path / "run")
    assert sorted(set(pd.read_csv(tmp_path / "run/importance.csv").task)) == ["b", "c", "d"]
