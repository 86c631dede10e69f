import pytest
from rich.cells import cell_len

from mtlrun.util.text_tables import table_lines, table_width

HEADINGS = ["  setting\n", "price\nrmse ↓ (円/㎡)", "cut"]
ROWS = [["* [bold]a[/]\n  b", "1 ± 2", "x\x1b[31m"], ["  " + "c" * 300, "—", ":smile:"]]


def test_a_table_shows_every_cell_as_it_is_and_in_its_column() -> None:
    lines = table_lines(HEADINGS, ROWS)
    assert lines[0].split() == ["setting", "price"] and lines[1].split() == ["rmse", "↓", "(円/㎡)", "cut"]
    assert set(lines[2]) == {"─"} and len(lines) == 6
    assert lines[3].startswith("* [bold]a[/] ") and lines[3].endswith("1 ± 2  x\\x1b[31m") and lines[4] == "  b"
    assert lines[5].split() == ["c" * 300, "—", ":smile:"], "wider than any terminal, and whole"
    assert {cell_len(line) for line in lines[2:] if line != "  b"} == {table_width(HEADINGS, ROWS)}


@pytest.mark.parametrize("variable", ["COLUMNS", "FORCE_COLOR", "TTY_COMPATIBLE"])
def test_a_table_does_not_depend_on_the_terminal(variable: str, monkeypatch: pytest.MonkeyPatch) -> None:
    before = table_lines(HEADINGS, ROWS)
    monkeypatch.setenv(variable, "40" if variable == "COLUMNS" else "1")
    assert table_lines(HEADINGS, ROWS) == before


def test_a_table_in_a_notebook_is_text_too(monkeypatch: pytest.MonkeyPatch) -> None:
    """There rich would show it, whatever the file of the console."""
    expected = table_lines(HEADINGS, ROWS)
    monkeypatch.setattr("rich.console._is_jupyter", lambda: True)
    assert table_lines(HEADINGS, ROWS) == expected != []
