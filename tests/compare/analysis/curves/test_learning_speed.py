"""Steps to a target, worked out by hand."""

import pytest
from claims import compared
from folders import Outputs, lines


def test_steps_to_a_target_that_the_reference_sets(outputs: Outputs) -> None:
    # the trivial predictor has 20; the reference's best are 10 and 10: the target is 20 - .95 · 10 = 10.5
    curves = {"sum": [[15.0, 10.0, 11.0], [15.0, 12.0, 10.0]], "uncertainty": [[10.4, 9.0, 9.0], [15.0, 12.0, 11.0]]}
    for loss, own in curves.items():
        for seed, values in enumerate(own):
            outputs.run(f"{loss}{seed}", {"a": 10, "b": 0.5}, seed, flat={"loss": loss}, curve=lines(values))
    found = {speed.label: speed for speed in compared(outputs).speeds if speed.task == "a"}
    assert found["loss=sum"].target == pytest.approx(10.5)
    assert (found["loss=sum"].median, found["loss=sum"].reached, found["loss=sum"].of) == (25.0, 2, 2)
    assert (found["loss=uncertainty"].median, found["loss=uncertainty"].reached) == (10.0, 1)
