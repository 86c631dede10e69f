"""The rows from which the length of a run follows: its own, and the same for seeds of one table."""

import dataclasses

import numpy as np
import pytest
from support import make_config, make_dataset

from mtlrun.config.schema import Config
from mtlrun.data.dataset import Dataset
from mtlrun.data.run_length import length_rows, run_length
from mtlrun.data.split import Split
from mtlrun.engine.stack import Stack
from mtlrun.runs.build import build_stack
from mtlrun.runs.size import size

BY_RULE = {"epochs": "auto", "batch_size": "auto"}


def table(config: Config, rows: int, missing: float = 0.5) -> Dataset:
    """A table with labels in half of its rows, the same for every seed, split at random by 70, 15 and 15 %."""
    whole = make_dataset(config, rows=rows, missing=missing, seed=7)
    order = np.random.default_rng(config.seed).permutation(rows)
    parts = np.split(order, [round(0.7 * rows), round(0.85 * rows)])
    return dataclasses.replace(whole, split=Split(*(np.sort(part) for part in parts)))


def seeded(**trainer: object) -> list[Config]:
    return [make_config({"a": {"type": "regression"}}, seed=seed, trainer=trainer) for seed in range(20)]


@pytest.mark.parametrize("rows", [83, 418, 3000, 20_000])
def test_seeds_of_a_table_with_missing_labels_can_share_a_stack(rows: int) -> None:
    runs = [(config, table(config, rows)) for config in seeded(**BY_RULE)]
    assert len({int(data.trainable().sum()) for _, data in runs}) > 3, "the problem must show it"
    assert len({run_length(*run) for run in runs}) == 1
    assert len({tuple(size(*run).shared.items()) for run in runs}) == 1


def test_numbers_count_the_actual_rows() -> None:
    for config in seeded(epochs=3, batch_size=16):
        data = table(config, 418)
        assert length_rows(config, data) == data.trainable().sum()


@pytest.mark.parametrize("kept", [30, 60])
def test_the_actual_rows_count_where_few_are_labelled(kept: int) -> None:
    (config, *_) = seeded(**BY_RULE)
    data = table(config, 418)
    observed = data.targets["a"].observed.copy()
    observed[data.split.train[data.trainable()][kept:]] = False
    data = dataclasses.replace(data, targets={"a": dataclasses.replace(data.targets["a"], observed=observed)})
    assert length_rows(config, data) == kept


def test_the_actual_rows_count_where_a_setting_holds_labels_back() -> None:
    (config,) = seeded(**BY_RULE)[:1]
    data = table(config, 418)
    actual = int(data.trainable().sum())
    assert length_rows(config, data) != actual
    held = make_config({"a": {"type": "regression", "train_labels": actual}}, trainer=BY_RULE)
    assert length_rows(held, data) == actual


def test_a_run_has_the_same_length_and_batches_alone_and_in_a_stack() -> None:
    runs = [(config, table(config, 83, missing=0.1)) for config in seeded(**BY_RULE, evaluate_every="auto")[:4]]
    assert len({int(data.trainable().sum()) for _, data in runs}) > 1, "the problem must show it"
    together = build_stack(*zip(*runs, strict=True))

    def inputs(stack: Stack, run: int) -> list[list[float]]:
        return [batch.x[run].flatten().tolist() for batch in stack.train.epoch(1)]

    for place, run in enumerate(runs):
        alone = build_stack(*([part] for part in run))
        assert alone.length == together.length
        assert inputs(alone, 0) == inputs(together, place)


def test_an_epoch_with_fewer_rows_than_expected_repeats_its_first_ones() -> None:
    run = next((c, d) for c in seeded(**BY_RULE) if (d := table(c, 83)).trainable().sum() < length_rows(c, d))
    stack = build_stack(*([part] for part in run))
    (batch,) = stack.train.epoch(1)
    rows = [tuple(row) for row in batch.x[0].tolist()]
    labelled = int(run[1].trainable().sum())
    assert stack.length.batch_size == len(rows) > labelled == len({*rows})
    assert rows[labelled:] == rows[: len(rows) - labelled]
