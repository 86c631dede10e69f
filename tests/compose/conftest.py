"""A working directory with two data options of its own."""

from pathlib import Path

import pytest

TABLE = """\
# @package _global_
data:
  path: houses.csv
tasks:
  price: {type: regression}
  kind: {type: categorical}
"""


@pytest.fixture(autouse=True)
def here(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path_factory.mktemp("here")
    (folder / "conf/data").mkdir(parents=True)
    (folder / "conf/experiment").mkdir()
    for name in ("houses", "barns"):
        (folder / f"conf/data/{name}.yaml").write_text(TABLE.replace("houses", name))
    monkeypatch.chdir(folder)
    return folder
