"""CONTRIBUTING.md is true: the rooms are those of the package, and each row of its table fits an option."""

import re
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
TEXT = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
EXAMPLES = {
    "loss strategy": "pcgrad",
    "sharing scheme": "soft_l2",
    "trunk": "tabm",
    "task type": "reconstruction",
    "data set, shipped": "tox21",
    "data set, fetched": "yeast",
    "data set, generated": "gan",
    "plan of an experiment": "shuffled",
}


def rows() -> dict[str, list[str]]:
    """The cells of each row of the table after the first, by the first."""
    section = TEXT.split("## Adding something")[1].split("\n## ")[0]
    lines = [line.strip("|").split(" | ") for line in section.splitlines() if line.startswith("| ")]
    return {line[0].strip(): [cell.strip() for cell in line[1:]] for line in lines[1:]}


def test_every_row_has_an_example() -> None:
    assert list(rows()) == list(EXAMPLES)


@pytest.mark.parametrize(("row", "name"), EXAMPLES.items())
def test_the_files_of_a_row_are_there(row: str, name: str) -> None:
    patterns = [p for cell in rows()[row] for p in re.findall(r"`([^`]+)`", cell) if "/" in p]
    paths = [ROOT / pattern.replace("NAME", name) for pattern in patterns]
    assert len(paths) >= 3
    assert not [str(path.relative_to(ROOT)) for path in paths if not path.exists()]


@pytest.mark.parametrize(("row", "name"), EXAMPLES.items())
def test_an_entry_names_the_option(row: str, name: str) -> None:
    """`TABLE` in `FILE` is a mapping in that file, and the option is one of its keys."""
    entries = re.findall(r"`(\w+)` in `([^`]+)`", rows()[row][-1])
    assert entries or rows()[row][-1].startswith("none")
    for table, file in entries:
        text = (ROOT / file.replace("NAME", name)).read_text(encoding="utf-8")
        mapping = re.search(rf"^{table}\b[^\n]*= \{{(.*?)\}}$", text, flags=re.MULTILINE | re.DOTALL)
        assert mapping and f'"{name}":' in mapping[1], f"{name} is not in {table} of {file}"


def test_the_rooms_are_the_layers_from_the_top_to_the_bottom() -> None:
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    contract = next(c for c in settings["tool"]["importlinter"]["contracts"] if c["containers"] == ["mtlrun"])
    layers = [room for layer in contract["layers"] for room in layer.split(" | ")]
    tree = TEXT.split("    mtlrun/\n")[1].split("    conf/")[0]
    assert re.findall(r"^      (\w+)/ ", tree, flags=re.MULTILINE) == layers
    assert sorted(layers) == sorted(p.name for p in (ROOT / "mtlrun").iterdir() if (p / "__init__.py").exists())
