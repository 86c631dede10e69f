"""The length of a training by the rule behind `auto`, and by numbers."""

from dataclasses import replace
from typing import Any

import pytest
from support import make_config

from mtlrun.config.length import Length, length_notes, length_of, length_of_boosting, steps_by_rule
from mtlrun.config.schema import BoostingConfig, TrainerConfig


def of(rows: int, **trainer: Any) -> Length:
    return length_of(TrainerConfig(**trainer), rows)


# rows -> rows per batch, steps, steps between evaluations, steps of patience
BY_RULE = {
    1: (1, 2000, 50, 667),
    50: (50, 2000, 50, 667),
    64: (64, 2000, 50, 667),
    293: (64, 2000, 50, 667),
    999: (64, 2000, 50, 667),
    1_000: (128, 2000, 50, 667),
    3_000: (128, 2000, 50, 667),
    5_000: (128, 3120, 78, 1040),
    9_999: (128, 6240, 156, 2080),
    10_000: (256, 3120, 78, 1040),
    20_000: (256, 6240, 156, 2080),
    37_758: (256, 8000, 200, 2667),
    100_000: (512, 8000, 200, 2667),
    1_000_000: (1024, 8000, 200, 2667),
    50_000_000: (1024, 48_828, 1221, 16_276),
}


@pytest.mark.parametrize("rows", BY_RULE)
def test_the_rule(rows: int) -> None:
    found = of(rows)
    assert (found.batch_size, found.steps, found.evaluate_every, found.patience_steps) == BY_RULE[rows]
    assert found.rows == rows and found.steps_per_epoch == rows // found.batch_size


def test_any_table_has_a_length_that_trains() -> None:
    for rows in [*range(1, 3000, 7), *(int(10 ** (e / 9)) for e in range(70))]:
        found = of(rows)
        assert found.batch_size <= rows and found.steps >= max(2000, found.steps_per_epoch)
        assert found.steps <= max(8000, found.steps_per_epoch)
        assert 39 <= found.steps / found.evaluate_every <= 41
        assert found.patience_steps is not None and found.patience_steps >= 500


def test_numbers_mean_themselves() -> None:
    assert of(1000, epochs=3, batch_size=100, evaluate_every=7, patience=2) == Length(1000, 100, 30, 7, 14)
    assert of(1000, epochs=3, batch_size=100, evaluate_every=None, patience=2) == Length(1000, 100, 30, 10, 20)
    assert of(1000, epochs=3, batch_size=5000, evaluate_every=None, patience=None) == Length(1000, 1000, 3, 1, None)
    assert of(1000, epochs=30, batch_size=100, max_steps=12).steps == 12
    assert of(1000, max_steps=12).steps == 12 and of(1000, max_steps=10_000).steps == 2000
    assert of(1000, batch_size=100).steps == 2000 and of(1000, epochs=3).steps == 21
    assert of(1000, evaluate_every=None).evaluate_every == 7


@pytest.mark.parametrize(("epochs", "every"), [(3, 10), (100, 10), (101, 20), (1000, 100), (2000, 200)])
def test_given_epochs_are_evaluated_at_their_ends_but_a_hundred_times_at_most(epochs: int, every: int) -> None:
    assert of(1000, epochs=epochs, batch_size=100).evaluate_every == every
    assert of(1000, epochs=10_000, batch_size=100, max_steps=10 * epochs).evaluate_every == every


def test_single_step_epochs_cannot_end_a_run() -> None:
    found = of(50, epochs=1000, batch_size=256)
    assert found.steps == 1000 and found.evaluate_every == 10 and found.patience_steps == 500


def test_boosting_counts_iterations() -> None:
    for patience, expected in (("auto", 10), (None, None), (3, 3)):
        settings = BoostingConfig(name="boosting")
        config = replace(make_config(trainer={"patience": patience}), model=settings)
        assert length_of_boosting(config, 70) == Length(70, 70, 500, 1, expected)


def test_in_words() -> None:
    assert of(293).in_words() == (
        "trains 2,000 steps of 64 rows, about 500 epochs; evaluates every 50 steps; "
        "stops after 667 steps without a better figure"
    )
    assert of(1000, epochs=1, batch_size=100).in_words() == (
        "trains 10 steps of 100 rows, 1 epoch; evaluates at the end; does not stop early"
    )


def test_few_steps_by_a_setting_are_noted() -> None:
    for trainer, settings in (
        ({"epochs": 2}, "trainer.epochs=2"),
        ({"epochs": "auto", "max_steps": 30}, "trainer.max_steps=30"),
        ({"epochs": 9, "max_steps": 30}, "trainer.epochs=9 trainer.max_steps=30"),
    ):
        config = make_config(trainer={"batch_size": "auto", **trainer})
        length = length_of(config.trainer, 640)
        (note,) = length_notes(config, length)
        assert note == f"few steps: {settings} makes {length.steps}; trainer.epochs=auto makes {steps_by_rule(10):,}"
    beyond = make_config(trainer={"epochs": "auto", "max_steps": 20_000})
    (note,) = length_notes(beyond, length_of(beyond.trainer, 640))
    assert note.startswith("trainer.max_steps=20000 has no effect: trainer.epochs=auto makes ")
    beyond = make_config(trainer={"epochs": "auto", "max_steps": 20_000})
    (note,) = length_notes(beyond, length_of(beyond.trainer, 640))
    assert note.startswith("trainer.max_steps=20000 has no effect: trainer.epochs=auto makes ")
    whole = make_config(trainer={"epochs": "auto"})
    assert length_notes(whole, length_of(whole.trainer, 640)) == []
    debug = make_config(trainer={"debug": True, "epochs": 2})
    assert length_notes(debug, length_of(debug.trainer, 640)) == []
