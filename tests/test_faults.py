"""The list of faults is true: each can be put into the code as it is, and each names tests that are there."""

from pathlib import Path

import pytest
from faults import FAULTS, changed

ROOT = Path(__file__).parents[1]


def test_every_fault_fits_the_code_and_names_its_tests() -> None:
    assert len(FAULTS) == len({fault.what for fault in FAULTS}) == 60
    for fault in FAULTS:
        text = (ROOT / "mtlrun" / fault.file).read_text(encoding="utf-8")
        compile(changed(fault, text), fault.file, "exec")
        assert all((ROOT / "tests" / name).exists() for name in fault.tests.split()), fault.what


def test_a_fragment_that_is_gone_or_there_twice_is_named() -> None:
    fault = FAULTS[0]
    for text, times in (("", 0), (f"{fault.old} {fault.old}", 2)):
        with pytest.raises(ValueError, match=f"occurs {times} times"):
            changed(fault, text)
