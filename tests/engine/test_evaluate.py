import numpy as np
import pytest
import torch
from sklearn import metrics as sk
from support import make_config, make_dataset, make_stack, train_steps

from mtlrun.engine.evaluate import rows_at_once
from mtlrun.network.inputs import InputEncoder
from mtlrun.runs.build import build_stack


def raw_outputs(stack, task, split):
    """Outputs `[N, K]` of one task on a split, by the network row block by row block."""
    block, i = stack.network.place[task]
    outputs = getattr(stack, split).outputs()[stack.network.blocks.index(block)]
    return outputs[0, :, i, : block.specs[i].outputs].double().numpy()


@pytest.mark.parametrize("missing, weighted", [(0.0, False), (0.3, False), (0.3, True)])
def test_figures_agree_with_scikit_learn_in_the_targets_own_unit(missing, weighted):
    config = make_config()
    dataset = make_dataset(config, rows=300, missing=missing, weighted=weighted)
    stack = build_stack([config], [dataset])
    train_steps(stack, 20)
    figures = stack.test()[0]
    for task, target in dataset.targets.items():
        rows = dataset.split.test
        seen = target.observed[rows]
        weight = None if dataset.weight is None else dataset.weight[rows][seen]
        out, labels = raw_outputs(stack, task, "test")[seen], target.values[rows][seen].astype(float)
        if task == "a":
            train = target.values[dataset.split.train][target.observed[dataset.split.train]].astype(float)
            y = labels
            predicted = out[:, 0] * train.std() + train.mean()
            expected = {
                "mse": sk.mean_squared_error(y, predicted, sample_weight=weight),
                "rmse": sk.root_mean_squared_error(y, predicted, sample_weight=weight),
                "mae": sk.mean_absolute_error(y, predicted, sample_weight=weight),
                "r2": sk.r2_score(y, predicted, sample_weight=weight),
            }
        elif task == "b":
            p = 1 / (1 + np.exp(-out[:, 0]))
            expected = {
                "accuracy": sk.accuracy_score(labels, p > 0.5, sample_weight=weight),
                "auroc": sk.roc_auc_score(labels, p, sample_weight=weight),
                "auprc": sk.average_precision_score(labels, p, sample_weight=weight),
                "logloss": sk.log_loss(labels, p, sample_weight=weight),
                "brier": sk.brier_score_loss(labels, p, sample_weight=weight),
            }
        else:
            p = np.exp(out - out.max(1, keepdims=True))
            p /= p.sum(1, keepdims=True)
            expected = {
                "accuracy": sk.accuracy_score(labels, p.argmax(1), sample_weight=weight),
                "logloss": sk.log_loss(labels, p, sample_weight=weight, labels=[0, 1, 2]),
                "brier": sk.brier_score_loss(labels, p, sample_weight=weight, labels=[0, 1, 2]),
            }
        for metric, value in expected.items():
            assert figures[task, metric] == pytest.approx(value, rel=1e-5), (task, metric)


def test_a_stack_s_figures_are_those_of_its_members_alone():
    configs = [make_config(seed=s) for s in (1, 2)]
    together = make_stack(configs, missing=0.2).val()
    for config, figures in zip(configs, together, strict=True):
        alone = make_stack([config], missing=0.2).val()[0]
        assert figures == pytest.approx(alone, rel=1e-6)


def test_splits_of_different_sizes_share_a_stack():
    config = make_config({"a": {"type": "regression"}})
    short, long = make_dataset(config), make_dataset(config)
    object.__setattr__(short, "split", type(short.split)(short.split.train, short.split.val[:7], short.split.test))
    together = build_stack([config, config], [short, long]).val()
    assert together[0] == pytest.approx(build_stack([config], [short]).val()[0], rel=1e-6)
    assert together[1] == pytest.approx(build_stack([config], [long]).val()[0], rel=1e-6)


def test_a_figure_of_a_task_without_labels_is_left_out():
    config = make_config()
    dataset = make_dataset(config)
    dataset.targets["b"].observed[dataset.split.val] = False
    figures = build_stack([config], [dataset]).val()[0]
    assert not any(task == "b" for task, _ in figures)
    assert ("a", "loss") in figures and ("c", "loss") in figures


def test_the_trivial_predictor_knows_the_mean_and_the_class_rates_of_the_training_rows():
    config = make_config()
    dataset = make_dataset(config, rows=300)
    figures = build_stack([config], [dataset]).trivial["test"][0]
    train, test = dataset.split.train, dataset.split.test
    a, b, c = (dataset.targets[t] for t in "abc")
    y = a.values
    assert figures["a", "mse"] == pytest.approx(np.mean((y[test] - y[train].mean()) ** 2), rel=1e-5)
    rate = b.values[train].mean()
    assert figures["b", "logloss"] == pytest.approx(sk.log_loss(b.values[test], np.full(len(test), rate)), rel=1e-5)
    assert figures["b", "auroc"] == 0.5
    rates = np.bincount(c.values[train].astype(int)) / len(train)
    assert figures["c", "logloss"] == pytest.approx(-np.log(rates)[c.values[test].astype(int)].mean(), rel=1e-5)
    assert figures["c", "accuracy"] == pytest.approx(np.mean(c.values[test] == rates.argmax()))


def test_the_trivial_loss_is_finite_for_a_class_that_no_training_row_has():
    config = make_config({"c": {"type": "categorical"}})
    dataset = make_dataset(config)
    train = dataset.split.train
    dataset.targets["c"].values[train] = np.minimum(dataset.targets["c"].values[train], 1)
    figures = build_stack([config], [dataset]).trivial["test"][0]
    assert np.isfinite(figures["c", "loss"]) and figures["c", "loss"] > 1


def test_evaluation_leaves_no_gradient_and_no_trace_in_the_network():
    stack = make_stack([make_config(model={"dropout": 0.5})])
    before = stack.step.flat.values.clone()
    first, second = stack.val(), stack.val()
    assert first == second
    assert torch.equal(before, stack.step.flat.values)


def test_a_stack_is_built_without_encoding_a_row(monkeypatch):
    # the trivial predictor reads no inputs: a column of 100,000 categories took 10 GB to look at
    configs = [make_config(seed=s) for s in (1, 2)]
    expected = make_stack(configs, missing=0.2).trivial
    with monkeypatch.context() as patched:
        patched.setattr(InputEncoder, "forward", lambda *_: pytest.fail("encodes inputs"))
        stack = make_stack(configs, missing=0.2)
    assert stack.trivial == expected
    assert len(stack.val()) == 2 and stack.val() == make_stack(configs, missing=0.2).val()


def test_few_rows_of_a_wide_input_are_encoded_at_once():
    encoder = make_stack([make_config()]).network.encoder
    assert rows_at_once(encoder, 1) == 1 << 13 and rows_at_once(encoder, 4) == 1 << 11
    encoder.width = 100_000
    assert rows_at_once(encoder, 1) * 100_000 * 4 <= 1 << 28 and rows_at_once(encoder, 10**6) == 1
