"""examples/notebook.ipynb runs from its first cell to its last, with short trainings, and shows what it promises."""

import json
from pathlib import Path

import pytest

NOTEBOOK = Path(__file__).parents[1] / "examples/notebook.ipynb"
SHORTER = {
    '"sold": "binary"})': '"sold": "binary"}, trainer__max_steps=20, trainer__threads=1, model__hidden=[8])',
    "seeds=8": "seeds=2",
    "minutes=1": "runs=2, seeds=2",
}


def test_the_notebook_runs_and_shows_only_its_tables_and_pictures(tmp_path: Path) -> None:
    nbformat = pytest.importorskip("nbformat", reason="nbclient is not installed: pip install 'mtlrun[test]'")
    nbclient = pytest.importorskip("nbclient", reason="nbclient is not installed: pip install 'mtlrun[test]'")
    pytest.importorskip("ipykernel", reason="ipykernel is not installed: pip install 'mtlrun[test]'")
    notebook = nbformat.read(NOTEBOOK, as_version=4)
    for long, short in SHORTER.items():
        cells = [cell for cell in notebook.cells if cell.cell_type == "code" and long in cell.source]
        assert len(cells) == 1, long
        cells[0].source = cells[0].source.replace(long, short)
    nbclient.NotebookClient(notebook, timeout=60, resources={"metadata": {"path": str(tmp_path)}}).execute()
    outputs = [output for cell in notebook.cells for output in cell.get("outputs", [])]
    shown = [output.data for output in outputs if output.output_type in ("execute_result", "display_data")]
    assert len([data for data in shown if "image/png" in data]) == 2
    assert len([data for data in shown if "text/html" in data]) == 4, "two frames and two studies, and no other table"
    assert all(len(data["text/plain"]) < 5_000 for data in shown)
    warned = [output.text for output in outputs if output.get("name") == "stderr"]
    assert all("ConvergenceWarning" in text for text in warned), "20 steps are too few, and it says so"
    assert list(tmp_path.iterdir()) == [], "nothing is written"


def test_the_notebook_is_stored_with_its_outputs_and_is_small() -> None:
    text = NOTEBOOK.read_text(encoding="utf-8")
    outputs = [output for cell in json.loads(text)["cells"] for output in cell.get("outputs", [])]
    assert len(text) < 300_000 and sum("image/png" in output.get("data", {}) for output in outputs) == 2
    assert "/tmp" not in text and "Traceback" not in text and "Warning" not in text
