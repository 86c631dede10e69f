"""The inputs as a target: losses, gradients and figures against numpy and scikit-learn, and what is refused."""

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from sklearn import metrics as sk
from support import make_config, make_dataset, train_steps

import mtlrun
from mtlrun.config.check import check
from mtlrun.config.schema import as_mapping
from mtlrun.data.dataset import load_dataset
from mtlrun.engine.memory import COPIES, FLOAT, parameters, run_bytes
from mtlrun.runs.build import build_stack
from mtlrun.runs.preview import report
from mtlrun.runs.single import prepare
from mtlrun.tasks import Reconstruction
from mtlrun.util.errors import RequestError
from mtlrun.util.printed_sections import as_text

TASKS: dict[str, Any] = {"a": {"type": "regression"}, "x": {"type": "reconstruction"}}


def small_table(folder: Path, rows: int = 200) -> Path:
    """Numbers with gaps, a text column, and a target that half of the rows lack."""
    rng = np.random.default_rng(0)
    frame = pd.DataFrame({"u": rng.normal(3, 2, rows), "v": rng.normal(size=rows), "k": rng.choice(list("pqr"), rows)})
    frame["a"] = frame.u + (frame.k == "p")
    frame.loc[rng.random(rows) < 0.2, "v"] = np.nan
    frame.loc[rng.random(rows) < 0.5, "a"] = np.nan
    frame["w"] = rng.uniform(0.5, 2, rows)
    path = folder / "table.csv"
    frame.to_csv(path, index=False)
    return path


def on_table(folder: Path, tasks: dict[str, Any] = TASKS, **data: Any) -> Any:
    inputs = {"path": str(small_table(folder)), "inputs": ["u", "v", "k"]}
    return make_config(tasks, data=inputs | data, model={"hidden": [8]}, trainer={"batch_size": 50, "epochs": 4})


def encoded(config: Any) -> np.ndarray:
    """Inputs `[N, D]` as the network should see them, written out with pandas."""
    frame = pd.read_csv(config.data.path)
    train = load_dataset(config).split.train
    columns = []
    for name in ("u", "v"):
        mean, std = frame[name][train].mean(), frame[name][train].std(ddof=0)
        columns.append(((frame[name] - mean) / std).fillna(0.0))
    columns += [frame.v.isna(), *(frame.k == value for value in "pqr")]
    return np.stack([np.asarray(c, dtype=np.float64) for c in columns], 1)


def test_the_loss_of_a_row_is_the_mean_square_over_the_inputs() -> None:
    draw = torch.Generator().manual_seed(0)
    outputs, inputs = torch.randn(3, 5, 2, 4, generator=draw), torch.randn(3, 5, 4, generator=draw)
    losses = Reconstruction("mse", [1.0, 1.0], [4, 4]).row_losses(outputs, inputs)
    for r, b, t in np.ndindex(3, 5, 2):
        assert losses[r, b, t] == pytest.approx(float(((outputs[r, b, t] - inputs[r, b]) ** 2).sum()) / 4, rel=1e-5)


def test_gradients_are_those_of_a_network_written_out() -> None:
    """One hidden layer and two linear heads, by hand: the reconstruction trains rows without any label."""
    config = make_config(TASKS, model={"hidden": [6], "head_hidden": [], "activation": "tanh"})
    dataset = make_dataset(config, missing=0.5)
    stack = build_stack([config], [dataset])
    batch = next(stack.train.epoch(1))
    losses = stack.network.losses(batch.x, batch.targets)
    found = torch.autograd.grad(losses.sum(), stack.step.flat.network_parameters)
    weights = [p.detach().double()[0].clone().requires_grad_() for p in stack.step.flat.network_parameters]
    w, b, wa, ba, wx, bx = weights
    x = batch.x[0].double()
    h = torch.tanh(x @ w + b)
    errors = (h @ wa[:, 0] + ba[:, 0]).squeeze(-1) - batch.targets.labels[0, :, 0].double()
    observed = batch.targets.observed[0, :, 0]
    assert 0 < int(observed.sum()) < len(x)
    loss_a = errors[observed].square().mean()
    loss_x = (h @ wx[:, 0] + bx[:, 0] - x).square().mean()
    assert losses[0].tolist() == pytest.approx([loss_a.item(), loss_x.item()], rel=1e-5)
    for mine, theirs in zip(found, torch.autograd.grad(loss_a + loss_x, weights), strict=True):
        torch.testing.assert_close(mine[0].double(), theirs, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("weight", [None, "w"])
def test_figures_agree_with_scikit_learn_on_encoded_inputs(tmp_path: Path, weight: str | None) -> None:
    config = on_table(tmp_path, weight=weight)
    dataset, x = load_dataset(config), encoded(on_table(tmp_path))
    stack = build_stack([config], [dataset])
    train_steps(stack, 8)
    train, test = dataset.split.train, dataset.split.test
    numeric = torch.from_numpy(dataset.numeric[None, test])
    positions = torch.from_numpy(stack.network.encoder.positions(dataset.codes[test]))[None]
    block, i = stack.network.place["x"]
    outputs = stack.network(stack.network.encoder(numeric, positions))[stack.network.blocks.index(block)]
    weights = None if dataset.weight is None else dataset.weight[test]
    figures, trivial = stack.test()[0], stack.trivial["test"][0]
    means = np.average(x[train], axis=0, weights=None if dataset.weight is None else dataset.weight[train])
    for given, prediction in ((figures, outputs[0, :, i].detach().numpy()), (trivial, np.tile(means, (len(test), 1)))):
        mse = sk.mean_squared_error(x[test], prediction, sample_weight=weights)
        r2 = sk.r2_score(x[test], prediction, sample_weight=weights, multioutput="variance_weighted")
        assert given["x", "mse"] == pytest.approx(mse, rel=1e-5) and given["x", "loss"] == pytest.approx(mse, rel=1e-5)
        assert given["x", "r2"] == pytest.approx(r2, rel=1e-4, abs=1e-5)


def test_every_training_row_counts_or_those_that_where_names(tmp_path: Path) -> None:
    for where, of in ((None, None), ("u > 3", "u > 3")):
        config = on_table(tmp_path, {"a": {"type": "regression"}, "x": {"type": "reconstruction", "where": where}})
        dataset = load_dataset(config)
        frame = pd.read_csv(config.data.path).iloc[dataset.split.train]
        rows = np.ones(len(frame), dtype=bool) if of is None else frame.eval(of).to_numpy()
        assert dataset.trainable().tolist() == (rows | frame.a.notna().to_numpy()).tolist()
        assert dataset.targets["x"].observed[dataset.split.train].tolist() == rows.tolist()


def test_it_is_auxiliary_and_leaves_no_trace_in_selection_and_predictions(tmp_path: Path) -> None:
    config = on_table(tmp_path)
    assert config.tasks["x"].role == "auxiliary" and check(as_mapping(config)).tasks == config.tasks
    summary = prepare(config).train(tmp_path / "run")
    shown = {key for key in summary["figures"] if key.startswith("test/x/")}
    assert shown == {"test/x/loss", "test/x/mse", "test/x/r2"}
    skill = 1 - summary["figures"]["val/a/loss"] / summary["trivial"]["val/a/loss"]
    assert summary["best"]["value"] == pytest.approx(skill)
    frame = pd.read_csv(config.data.path)
    assert list(mtlrun.load(tmp_path / "run").predict(frame).columns) == ["a"]
    assert "the 6 encoded inputs are the target" in as_text(report(config))


def test_the_memory_of_a_run_counts_an_output_for_every_input(tmp_path: Path) -> None:
    config = on_table(tmp_path)
    dataset = load_dataset(config)
    assert dataset.classes() == {"a": 0, "x": 6}
    assert parameters(config, 6, 1 + 6) == build_stack([config], [dataset]).step.flat.values.shape[1]
    alone = dataclasses.replace(config, only=["a"])
    outputs = FLOAT * COPIES * (parameters(config, 6, 7) - parameters(alone, 6, 1))
    assert run_bytes(config, dataset) - run_bytes(alone, load_dataset(alone)) > outputs


WRONG: dict[str, tuple[dict[str, Any], dict[str, Any], str]] = {
    "target": ({"target": "u"}, {}, "tasks.x.target: a reconstruction has none"),
    "positive": ({"positive": 1}, {}, "tasks.x.positive: a reconstruction has none"),
    "class weights": ({"class_weights": "balanced"}, {}, "tasks.x.class_weights: a reconstruction has none"),
    "role": ({"role": "main"}, {}, "tasks.x.role: found main, and tasks.x.type is reconstruction"),
    "selection": ({}, {"trainer": {"select": "x"}}, "trainer.select: x reconstructs the inputs"),
    "labels passed on": (
        {},
        {"graph": {"receives": {"a": {"x": {"gradient": "stop", "what": "label"}}}}},
        "graph.receives.a.x.what: label, and the labels of x are the inputs",
    ),
}


@pytest.mark.parametrize("settings, groups, message", WRONG.values(), ids=WRONG)
def test_settings_without_a_meaning_are_refused(settings: dict, groups: dict, message: str) -> None:
    with pytest.raises(RequestError) as error:
        make_config({"a": TASKS["a"], "x": TASKS["x"] | settings}, **groups)
    assert str(error.value).startswith(message) and len(str(error.value).splitlines()) == 2


@pytest.mark.parametrize(
    "setting, message",
    [
        ({"loss": "l1"}, "tasks.x.loss: l1 does not fit reconstruction"),
        ({"primary": "rmse"}, "tasks.x.primary: rmse is no metric of reconstruction"),
        ({"where": "u > 1e9"}, "tasks.x: has no label at all"),
    ],
)
def test_settings_that_go_with_other_types_are_refused(tmp_path: Path, setting: dict, message: str) -> None:
    with pytest.raises(RequestError) as error:
        load_dataset(on_table(tmp_path, {"a": TASKS["a"], "x": TASKS["x"] | setting}))
    assert str(error.value).startswith(message)


# ---------------------------------------------------------------- columns that the network does not see

HIDING: dict[str, Any] = {
    "a": {"type": "regression"},
    "x": {"type": "reconstruction", "columns": ["v"]},
    "y": {"type": "reconstruction", "columns": ["k", "w"]},
    "z": {"type": "reconstruction"},
}


def all_encoded(config: Any) -> dict[str, np.ndarray]:
    """Encoded columns `[N, ...]` by name, as `encoded` writes them out, with `w`."""
    x, w = encoded(config), pd.read_csv(config.data.path).w
    train = load_dataset(config).split.train
    scaled = (w - w[train].mean()) / w[train].std(ddof=0)
    return {"u": x[:, :1], "v": x[:, 1:3], "k": x[:, 3:], "w": np.asarray(scaled)[:, None]}


def test_each_reconstructs_its_own_columns_and_the_rest_all_that_is_seen(tmp_path: Path) -> None:
    config = on_table(tmp_path, HIDING)
    dataset, columns = load_dataset(config), all_encoded(on_table(tmp_path))
    assert dataset.classes() == {"a": 0, "x": 2, "y": 4, "z": 1}
    own = {"x": columns["v"], "y": np.concatenate([columns["w"], columns["k"]], 1), "z": columns["u"]}
    stack = build_stack([config], [dataset])
    train_steps(stack, 8)
    train, test = dataset.split.train, dataset.split.test
    figures, trivial = stack.test()[0], stack.trivial["test"][0]
    trunk = [p.detach().double().numpy()[0] for p in stack.network.sharing.parameters()]
    assert trunk[0].shape == (1, 8)  # u alone
    h = np.maximum(columns["u"][test] @ trunk[0] + trunk[1], 0)
    for task, x in own.items():
        weights = [p.detach().double().numpy()[0] for p in stack.network.task_parameters(task)]
        first, last, b_first, b_last = weights
        out = np.maximum(h @ first + b_first, 0) @ last + b_last
        mse = sk.mean_squared_error(x[test], out[:, : x.shape[1]])
        means = np.tile(x[train].mean(0), (len(test), 1))
        assert figures[task, "mse"] == pytest.approx(mse, rel=1e-4)
        assert figures[task, "r2"] == pytest.approx(
            sk.r2_score(x[test], out[:, : x.shape[1]], multioutput="variance_weighted"), rel=1e-3, abs=1e-4
        )
        assert trivial[task, "mse"] == pytest.approx(sk.mean_squared_error(x[test], means), rel=1e-5)


@pytest.mark.parametrize("loss", ["sum", "pcgrad"])
def test_hidden_columns_change_nothing_but_their_own_loss(tmp_path: Path, loss: str) -> None:
    """Other values of them, with the reconstructions at weight 0 in effect: cut from the trunk."""
    graph = {"receives": {name: {"trunk": "stop"} for name in "xyz"}}
    config = dataclasses.replace(on_table(tmp_path, HIDING))
    config = make_config(
        HIDING,
        data={"path": config.data.path, "inputs": ["u", "v", "k"]},
        model={"hidden": [8]},
        loss={"name": loss},
        graph=graph,
        trainer={"batch_size": 50, "epochs": 4},
    )
    one = build_stack([config], [load_dataset(config)])
    train_steps(one, 8)
    other = tmp_path / "other.csv"
    frame = pd.read_csv(config.data.path)
    frame.assign(v=np.arange(len(frame)), k=frame.k[::-1].to_numpy(), w=7 * frame.w).to_csv(other, index=False)
    moved = dataclasses.replace(config, data=dataclasses.replace(config.data, path=str(other)))
    two = build_stack([moved], [load_dataset(moved)])
    train_steps(two, 8)
    assert one.test()[0]["a", "loss"] == two.test()[0]["a", "loss"]
    assert one.test()[0]["x", "loss"] != two.test()[0]["x", "loss"]
    alone = dataclasses.replace(config, only=["a"], graph=make_config().graph)
    network = build_stack([alone], [load_dataset(alone)]).network
    for mine, theirs in zip(
        network.sharing.parameters(),
        build_stack([config], [load_dataset(config)]).network.sharing.parameters(),
        strict=True,
    ):
        assert torch.equal(mine, theirs)


def test_a_stack_gives_each_run_its_own_figures(tmp_path: Path) -> None:
    configs = [dataclasses.replace(on_table(tmp_path, HIDING), seed=seed) for seed in (1, 2)]
    together = build_stack(configs, [load_dataset(c) for c in configs])
    train_steps(together, 6)
    for r, config in enumerate(configs):
        alone = build_stack([config], [load_dataset(config)])
        train_steps(alone, 6)
        for key, value in alone.test()[0].items():
            assert together.test()[r][key] == pytest.approx(value, rel=1e-4), key


def test_predictions_and_check_do_without_hidden_columns(tmp_path: Path) -> None:
    config = dataclasses.replace(on_table(tmp_path, HIDING))
    prepare(config).train(tmp_path / "run")
    frame, loaded = pd.read_csv(config.data.path), mtlrun.load(tmp_path / "run")
    found = loaded.predict(frame[["u"]])
    pd.testing.assert_frame_equal(found, loaded.predict(frame.assign(v=9.0, k="new", w=0.0)))
    assert list(found.columns) == ["a"] and loaded.unknown(frame.assign(k="new")) == {}
    with pytest.raises(RequestError, match="lacks 1 of 1 input columns: 'u'"):
        loaded.predict(frame[["v"]])
    text = as_text(report(config))
    assert "1 number: u\n" in text and "hidden from the network, which reconstructs them: v, k, w" in text
    assert "the 2 encoded columns v, hidden from the network, are the target" in text
    assert "1 encoded inputs; parameters: trunk 16" in text
