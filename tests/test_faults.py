"""The list of faults is true: each can be put into the code as it is, and each names tests that are there."""

import ast
from pathlib import Path

import pytest

from faults import FAULTS, Fault, changed

ROOT = Path(__file__).parents[1]


def test_there_are_sixty() -> None:
    assert len(FAULTS) == len({fault.what for fault in FAULTS}) == 60


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.file)
def test_a_fault_fits_the_code(fault: Fault) -> None:
    text = (ROOT / "mtlrun" / fault.file).read_text(encoding="utf-8")
    assert ast.dump(ast.parse(changed(fault, text))) != ast.dump(ast.parse(text))  # more than a comment changes
    assert all((ROOT / "tests" / name).exists() for name in fault.tests.split())
