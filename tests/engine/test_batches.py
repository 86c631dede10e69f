from dataclasses import replace

import numpy as np
import pytest
import torch
from support import make_config, make_dataset, make_stack

from mtlrun.runs.build import build_stack


def epoch_rows(stack, epoch, start=0):
    """The labels of all batches `[steps, R, B, T]`: enough to tell rows apart."""
    return torch.stack([b.targets.labels for b in stack.train.epoch(epoch, start)])


def test_every_batch_is_full_and_an_epoch_visits_no_row_twice():
    stack = make_stack([make_config({"a": {"type": "regression"}})], rows=120)
    labels = epoch_rows(stack, 1)
    assert labels.shape == (72 // 16, 1, 16, 1)
    assert len(labels.unique()) == labels.numel()


def test_a_batch_larger_than_the_training_rows_is_all_of_them():
    stack = make_stack([make_config(trainer={"batch_size": 5000})], rows=120)
    assert (stack.train.batch_size, stack.train.steps) == (72, 1)


def test_order_depends_on_seed_and_epoch_alone():
    split = {"path": "memory", "split": {"seed": 3}}
    one = make_stack([make_config({"a": {"type": "regression"}}, seed=1, data=split)])
    again = make_stack([make_config({"a": {"type": "regression"}}, seed=1, data=split, loss={"name": "uncertainty"})])
    other = make_stack([make_config({"a": {"type": "regression"}}, seed=2, data=split)])
    assert torch.equal(epoch_rows(one, 1), epoch_rows(again, 1))
    assert not torch.equal(epoch_rows(one, 1), epoch_rows(one, 2))
    assert not torch.equal(epoch_rows(one, 1), epoch_rows(other, 1))


def test_members_of_a_stack_get_the_rows_they_would_get_alone():
    configs = [make_config(seed=s) for s in (1, 2, 3)]
    together = epoch_rows(make_stack(configs), 2)
    for r, config in enumerate(configs):
        assert torch.equal(together[:, r : r + 1], epoch_rows(make_stack([config]), 2))


@pytest.mark.parametrize("start", [1, 3, 4])
def test_an_epoch_entered_in_the_middle_goes_on_with_the_same_batches(start):
    stack = make_stack([make_config()])
    stack.train.chunk = 3
    rest = [b.targets.labels for b in stack.train.epoch(1, start)]
    assert len(rest) == 4 - start
    assert all(torch.equal(a, b) for a, b in zip(epoch_rows(stack, 1)[start:], rest, strict=True))


def test_label_weights_sum_to_one_over_observed_rows_and_vanish_elsewhere():
    stack = make_stack([make_config()], missing=0.6, weighted=True)
    for batch in stack.train.epoch(1):
        targets = batch.targets
        assert torch.equal(targets.weights > 0, targets.observed)
        torch.testing.assert_close(targets.weights.sum(1), targets.present.float())
        assert torch.equal(targets.present, targets.observed.any(1))


def test_complete_unweighted_labels_need_no_weights():
    batch = next(make_stack([make_config()]).train.epoch(1))
    assert batch.targets.weights is None and batch.targets.present is None


def test_rows_without_any_label_are_not_trained_on():
    config = make_config({"a": {"type": "regression"}})
    dataset = make_dataset(config, missing=0.5)
    rows = dataset.split.train[dataset.trainable()]
    assert set(rows) == set(dataset.split.train) & set(np.flatnonzero(dataset.targets["a"].observed))
    assert build_stack([config], [dataset]).train.steps == len(rows) // 16


def test_leaving_out_a_task_keeps_the_order_of_the_rows():
    both = make_config({"a": {"type": "regression"}, "b": {"type": "binary"}}, trainer={"batch_size": 1})
    alone = make_config({"a": {"type": "regression"}, "b": {"type": "binary"}}, only="a", trainer={"batch_size": 1})
    dataset = make_dataset(both, missing=0.5)
    fewer = replace(dataset, targets={"a": dataset.targets["a"]})
    joint = epoch_rows(build_stack([both], [dataset]), 1)[:, 0, 0, 0]
    lone = epoch_rows(build_stack([alone], [fewer]), 1)[:, 0, 0, 0]
    missing = joint.new_tensor(float(build_stack([both], [dataset]).train.rows.add[0, 0]))  # the label 0, standardised
    assert len(lone) < len(joint)
    assert torch.equal(joint[joint != missing], lone)


def test_class_weights_multiply_the_weight_of_a_label():
    given = make_stack([make_config({"c": {"type": "categorical", "class_weights": [1.0, 2.0, 5.0]}})])
    batch = next(given.train.epoch(1))
    classes = batch.targets.labels[0, :, 0].long()
    expected = torch.tensor([1.0, 2.0, 5.0])[classes]
    torch.testing.assert_close(batch.targets.weights[0, :, 0], expected / expected.sum())


def test_balanced_class_weights_make_every_class_count_the_same_in_training():
    config = make_config({"c": {"type": "categorical", "class_weights": "balanced"}}, trainer={"batch_size": 72})
    dataset = make_dataset(config)
    batch = next(build_stack([config], [dataset]).train.epoch(1))
    shares = torch.zeros(3).scatter_add_(0, batch.targets.labels[0, :, 0].long(), batch.targets.weights[0, :, 0])
    torch.testing.assert_close(shares, torch.full((3,), 1 / 3))


def test_standardised_labels_have_mean_0_and_spread_1_over_the_training_rows():
    config = make_config({"a": {"type": "regression"}}, trainer={"batch_size": 72})
    batch = next(make_stack([config]).train.epoch(1))
    assert abs(float(batch.targets.labels.mean())) < 1e-6
    assert float(batch.targets.labels.std(correction=0)) == pytest.approx(1, abs=1e-6)


def test_raw_labels_keep_their_unit():
    config = make_config(
        {"a": {"type": "regression"}}, trainer={"batch_size": 72}, data={"path": "memory", "standardize_targets": False}
    )
    dataset = make_dataset(config)
    target = dataset.targets["a"]
    raw = target.values[dataset.split.train]
    batch = next(build_stack([config], [dataset]).train.epoch(1))
    assert np.sort(batch.targets.labels[0, :, 0].numpy()) == pytest.approx(np.sort(raw), rel=1e-5)
