"""A strategy that would never begin says so."""

from typing import Any

import pytest
from support import make_config


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
    (note,) = make_config(loss=loss, trainer={"epochs": epochs}).notes
    assert note.startswith(f"loss={loss['name']}: warms up for {epochs} epochs, and trainer.epochs is {epochs}")
    assert make_config(loss=loss, trainer={"epochs": epochs + 1}).notes == ()


def test_others_have_nothing_to_say() -> None:
    for loss in ({"name": "sum"}, {"name": "stch", "nadir": "none"}, {"name": "excess_mtl", "warmup": 0}):
        assert make_config(loss=loss, trainer={"epochs": 1}).notes == ()
