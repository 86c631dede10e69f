"""A strategy that would never begin says so."""

from typing import Any

import pytest
from support import make_config

from mtlrun.config.length import length_notes, length_of


def notes(loss: dict[str, Any], **trainer: int) -> list[str]:
    """The notes on the length of a run with epochs of 1,000 steps."""
    config = make_config(loss=loss, trainer=trainer)
    return length_notes(config, length_of(config.trainer, 16_000))


@pytest.mark.parametrize(
    "loss, epochs",
    [
        ({"name": "dwa"}, 2),
        ({"name": "stch"}, 5),
        ({"name": "stch", "warmup": 1}, 1),
        ({"name": "excess_mtl"}, 3),
    ],
    ids=str,
)
def test_a_run_no_longer_than_the_warm_up_is_noted(loss: dict[str, Any], epochs: int) -> None:
    (note,) = notes(loss, epochs=epochs)
    assert note.startswith(f"loss={loss['name']}: warms up for {epochs} epochs, and the run has {epochs}")
    assert notes(loss, epochs=epochs + 1) == []
    (note,) = notes(loss, epochs=epochs + 1, max_steps=1000 * epochs)  # the limit ends it before
    assert f"the run has {epochs}, so that it never begins" in note


def test_others_have_nothing_to_say() -> None:
    for loss in ({"name": "sum"}, {"name": "stch", "nadir": "none"}, {"name": "excess_mtl", "warmup": 0}):
        assert notes(loss, epochs=1) == []
