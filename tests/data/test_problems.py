"""Tables that packages generate: hashed as any other, and known by name."""

from pathlib import Path

import numpy as np
import pytest

from mtlrun.data.paths import require_files, resolve_path
from mtlrun.data.problems import PROBLEMS
from mtlrun.data.table import load_tables
from mtlrun.util.errors import RequestError
from mtlrun.util.registry import REFERENCES, Reference


@pytest.fixture(autouse=True)
def spirals(monkeypatch: pytest.MonkeyPatch) -> None:
    """A problem of a package."""
    monkeypatch.setitem(REFERENCES["problem"], "spirals", Reference("m:spirals", "p 1"))
    monkeypatch.setitem(PROBLEMS, "spirals", lambda: {"x": np.arange(5.0)})


def test_the_digest_tells_tables_apart(monkeypatch: pytest.MonkeyPatch) -> None:
    def digest(shift: float) -> str:
        monkeypatch.setitem(PROBLEMS, "spirals", lambda: {"x": np.arange(5.0) / 7 + shift})
        monkeypatch.setattr("mtlrun.data.table._TABLES", {})
        return load_tables([resolve_path("synthetic:spirals")], ["data.path"]).digest

    assert digest(0.0) == digest(1e-14) != digest(1e-5)  # below the sixth decimal nothing counts


def test_a_synthetic_path_is_no_file() -> None:
    require_files("synthetic:spirals", {})
    assert resolve_path("synthetic:spirals") == Path("synthetic:spirals")
    with pytest.raises(RequestError, match=r"no synthetic problem is named 'spiral'; did you mean spirals\?"):
        resolve_path("synthetic:spiral")
