"""The evidence page: its rows are there, it shows what fails, and it has not fallen behind the rows."""

import json
import re
from pathlib import Path

import pandas as pd
import pytest

from evidence import __main__ as command_line
from evidence import formulas
from evidence.measuring import TESTS, Ran, Result, all_pass, command, measure, same_command
from evidence.page import duration, render
from evidence.reading import average, chance, number
from evidence.row import Measured, Row, Runs, paired
from evidence.sections import Section, chosen, sections
from mtlrun.config.extensions import yaml_of

ROOT = Path(__file__).parents[1]
ROWS = [row for section in sections() for row in section.rows]


def made_up(name: str = "one", mechanism: str = "One", measure=lambda runs: Measured("all .5 ± .1", True)) -> Row:
    return Row(name, mechanism, "Somebody 1999", "above .4", measure, "shuffled", ("seed=range(2)",))


# ---------------------------------------------------------------- rows and sections


def test_every_section_has_a_title_and_rows_of_names_of_their_own() -> None:
    assert {s.name for s in sections()} >= {"losses", "rates", "estimates", "extra_data", "further"}
    assert all(isinstance(s.title, str) and s.title and s.rows for s in sections())
    assert len({row.mechanism for row in ROWS}) == len(ROWS)


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.mechanism)
def test_a_row_names_an_experiment_that_there_is(row: Row) -> None:
    if row.experiment:
        assert yaml_of("experiment", row.experiment)
    else:
        assert row.measure is all_pass
        assert all((ROOT / word).exists() for word in row.words if word.startswith("tests"))
    assert row.criterion and row.source


def test_names_choose_experiments_sections_and_mechanisms() -> None:
    every = [Section("a", "A", [made_up(), made_up("two", "Two")]), Section("b", "B", [made_up("three", "Three")])]
    assert [r.mechanism for r in chosen(every, [])] == ["One", "Two", "Three"]
    assert [r.mechanism for r in chosen(every, ["b", "two", "Three"])] == ["Three", "Two"]
    with pytest.raises(ValueError, match="no row is named 'four'"):
        chosen(every, ["four"])


def test_a_command_of_several_rows_runs_once() -> None:
    rows = [made_up(), made_up(mechanism="Other"), made_up("two", "Two")]
    assert command(rows[0]) == ["mtlrun", "experiment=one", "seed=range(2)"]
    assert [[r.mechanism for r in same] for same in same_command(rows).values()] == [["One", "Other"], ["Two"]]


# ---------------------------------------------------------------- the page


def test_the_page_shows_what_holds_what_fails_and_what_was_not_run() -> None:
    rows = [made_up(), made_up("two", "Two"), made_up("three", "Three")]
    results = {
        "One": Result(".5 | .6", True, 12.4, "abc"),
        "Two": Result(".1", False, 130.0, "abc"),
    }
    page = render([Section("a", "Section A", rows)], results, "2 cores.")
    assert "**1 of 2 hold, 1 was not run yet.** All commands together: 2 min 22 s. 2 cores." in page
    assert "Failing: Two.\n" in page and "Code: abc." in page
    lines = [line for line in page.splitlines() if line.startswith("| ")]
    start = "| {} | Somebody 1999 | `experiment={} 'seed=range(2)'` | above .4 | "
    assert lines[1:] == [
        start.format("One", "one") + ".5 \\| .6 | shuffled | 12 s | holds |",
        start.format("Two", "two") + ".1 | shuffled | 2 min 10 s | **fails** |",
        start.format("Three", "three") + "– | shuffled | – | not run yet |",
    ]
    nothing = render([Section("a", "Section A", rows)], {}, "2 cores.")
    assert "**0 of 0 hold, 3 were not run yet.**" in nothing and "Failing" not in nothing
    every = render([Section("a", "Section A", rows[:1])], results, "2 cores.")
    assert "**1 of 1 hold.**" in every and "not run yet" not in every
    assert duration(119.4) == "119 s" and duration(200) == "3 min 20 s"


def test_a_row_that_crashes_fails_with_its_reason(tmp_path: Path) -> None:
    def broken(runs: Runs) -> Measured:
        raise KeyError("no such figure")

    found = measure(made_up(measure=broken), Ran(tmp_path, 0, "", 3.0), "abc")
    assert not found.holds and found.text.startswith("KeyError: 'no such figure' (test_evidence.py:")
    ended = measure(made_up(), Ran(tmp_path, 2, "mtlrun: a\nallowed: b", 3.0), "abc")
    assert not ended.holds and ended.text == "the command ended with 2: allowed: b"
    assert measure(made_up(), Ran(tmp_path, 0, "", 3.0), "abc") == Result("all .5 ± .1", True, 3.0, "abc")


def test_some_rows_are_brought_up_to_date_and_the_others_kept(tmp_path: Path, monkeypatch, capsys) -> None:
    rows = [made_up(), made_up("two", "Two", lambda runs: Measured("now .2", False))]
    monkeypatch.setattr(command_line, "sections", lambda: [Section("a", "A", rows)])
    monkeypatch.setattr(command_line, "run", lambda row, folder: Ran(folder, 0, "", 1.0))
    page, beside = tmp_path / "page.md", tmp_path / "page.json"
    assert command_line.main(["--out", str(page), "one"]) == 0
    assert "**1 of 1 hold, 1 was not run yet.**" in page.read_text() and list(json.loads(beside.read_text())) == ["One"]
    beside.write_text(beside.read_text().replace("all .5", "before .5"))
    assert command_line.main(["--out", str(page), "--keep", str(tmp_path / "kept"), "two"]) == 1
    assert "before .5 ± .1" in page.read_text() and "now .2" in page.read_text()
    assert "Two: FAILS" in capsys.readouterr().out


def test_a_row_of_tests_counts_what_passes(tmp_path: Path) -> None:
    def of(text: str) -> Measured:
        (tmp_path / TESTS).write_text(f"<testsuites><testsuite {text}></testsuite></testsuites>")
        return all_pass(Runs(tmp_path))

    assert of('tests="12" failures="0" errors="0" skipped="0"') == Measured("12 tests pass", True)
    assert of('tests="12" failures="1" errors="1" skipped="0"') == Measured("10 tests pass, 2 fail", False)
    assert of('tests="12" failures="0" errors="0" skipped="3"') == Measured("9 tests pass, 3 skipped", False)
    assert not of('tests="0" failures="0" errors="0" skipped="0"').holds


def test_the_page_in_the_documents_has_every_row_and_no_other() -> None:
    page = (ROOT / "docs/evidence.md").read_text()
    shown = re.findall(r"^\| (.+?) \| .* \| (?:holds|\*\*fails\*\*|not run yet) \|$", page, re.M)
    assert shown == [row.mechanism.replace("|", "\\|") for row in ROWS], "make evidence brings it up to date"
    for section in sections():
        assert f"\n## {section.title}\n" in page
    assert set(json.loads((ROOT / "docs/evidence.json").read_text())) <= {row.mechanism for row in ROWS}


# ---------------------------------------------------------------- figures


def test_figures_in_words() -> None:
    assert [number(v) for v in (0.5031, -0.0119, 12.34567, 0.0)] == [".503", "−.012", "12.346", ".000"]
    assert number(-0.0001, 2) == ".00"
    assert chance(0.0312) == "p = .031" and chance(2.3e-5) == "p = 2e-5"
    assert average(pd.Series([1.0, 2.0, 3.0]), 2) == "2.00 ± 2.48"  # t(2, .975) = 4.3027, s/√3 = .5774
    found = paired(pd.Series([1.0, 2.0], index=[0, 1]), pd.Series([3.0, 3.0], index=[1, 0]))
    assert (found.mean, found.wins, found.n) == (-1.5, 2, 2)


def test_formulas_that_the_page_computes_anew() -> None:
    """Two gradients (1, 0) and (−1, 2): by hand."""
    import numpy as np

    G = np.array([[1.0, -1.0], [-1.0, 5.0]])
    assert formulas.mgda(G) == pytest.approx([0.75, 0.25])  # shortest: (½, ½)
    assert list(map(list, formulas.pcgrad(G))) == [pytest.approx([2.0, 1.2])]  # 1 + 1/1, 1 + 1/5
    assert formulas.dualproj(G) == pytest.approx([0.5, 0.5])  # inside: the products with (0, 1) are 0 and 2
    assert formulas.upgrad(G) == pytest.approx([1.0, 0.6])  # ½e₁ + .1e₂, and ½e₁ + ½e₂
    assert formulas.gls(np.array([1.0, 4.0])) == pytest.approx([1.0, 0.25])  # √4/2 over L
    assert formulas.shares(np.array([1.0, 3.0])) == pytest.approx([0.75, 0.25])
