import io
import os
import subprocess
import sys
from pathlib import Path

import pytest

from mtlrun.util.terminal import PLAIN, encodable, say

SHOWN = "Δm −1.5 ± 0.3 … σ² ↑ 価\udcff"


CASES = {
    "utf-8": "Δm −1.5 ± 0.3 … σ² ↑ 価\\udcff",
    "ascii": "Dm -1.5 +- 0.3 ... sigma2 ^ ?\\udcff",
    "latin-1": "Dm -1.5 ± 0.3 ... sigma² ^ ?\\udcff",
    "cp1252": "Dm -1.5 ± 0.3 … sigma² ^ ?\\udcff",
}


@pytest.mark.parametrize(("encoding", "printed"), CASES.items())
def test_a_terminal_gets_what_it_can_show(encoding: str, printed: str, monkeypatch: pytest.MonkeyPatch) -> None:
    out = io.TextIOWrapper(io.BytesIO(), encoding=encoding)
    monkeypatch.setattr(sys, "stdout", out)
    with encodable():
        say(SHOWN)
    assert out.buffer.getvalue().decode(encoding) == f"{printed}{os.linesep}"
    assert out.errors == "strict", "as before"


def test_what_stands_for_a_character_is_ascii() -> None:
    assert all(text.isascii() and not character.isascii() for character, text in PLAIN.items())


def test_without_utf_8_nothing_is_lost(tmp_path: Path) -> None:
    """The table of a run is on the screen and whole in its log; compare prints its table."""
    rows = "\n".join(f"{i % 7},{i % 5},{'no' if i % 3 else 'yes'}" for i in range(60))
    (tmp_path / "t.csv").write_text(f"a,b,c\n{rows}\n")
    environment = os.environ | {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0", "OMP_NUM_THREADS": "1"}
    environment |= {"PYTHONIOENCODING": "ascii:strict"}
    tasks = "tasks={a: {type: regression}, c: {type: categorical}}"
    words = ["data=table", "data.path=t.csv", tasks, "model.hidden=[4]", "trainer.epochs=1", "hydra.run.dir=r"]
    code = f"""
import sys
from mtlrun.cli.main import main
from mtlrun.compare.report.pictures import all_pictures
all_pictures.PICTURES = ()
sys.exit(main({words}) or print("compared") or main(["compare", "r"]))
"""
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, env=environment, capture_output=True)
    assert (done.returncode, done.stderr) == (0, b"")
    trained, compared = done.stdout.decode("ascii").split("compared\n")
    assert "a rmse* v" in trained and "rmse v" in compared
    assert "a rmse* ↓" in (tmp_path / "r/run.log").read_text(encoding="utf-8")
