"""Modules that are imported late, or while something else is done."""

import sys
import threading

import pytest

from mtlrun.util.lazy import importing


def test_a_module_is_there_after_the_block_whatever_happens_in_it() -> None:
    before = threading.active_count()
    sys.modules.pop("colorsys", None)
    with pytest.raises(KeyError, match="mistake"), importing("colorsys"):
        raise KeyError("mistake")
    assert "colorsys" in sys.modules and threading.active_count() == before
