import csv
import io
import re
from dataclasses import replace

import comparisons
import pytest
from rich.cells import cell_len

from mtlrun.compare.records import Comparison
from mtlrun.compare.report.render import render


def every() -> list[Comparison]:
    made = [comparisons.rich(), comparisons.minimal(), comparisons.with_gaps(), comparisons.hostile()]
    return [*made, comparisons.rich(30, 4, 0), comparisons.rich(7, 12, 0)]


@pytest.mark.parametrize("width", [60, 100, 200])
@pytest.mark.parametrize("which", range(6))
def test_no_line_of_text_is_wider_than_the_terminal_but_commands(which, width):
    comparison = every()[which]
    commands = {f"    {finding.command}" for finding in comparison.findings}
    lines = render(comparison, "text", width).split("\n")
    too_wide = [line for line in lines if cell_len(line) > width and line.replace("\\x1b", "\x1b") not in commands]
    assert too_wide == []
    assert not any(ord(character) < 32 for line in lines for character in line)


def table_lines(text: str) -> list[str]:
    lines = text.split("\n")
    return lines[next(i for i, line in enumerate(lines) if line.startswith("  setting")) :]


def test_text_has_the_verdict_first_then_the_table_then_findings():
    comparison = comparisons.rich()
    text = render(comparison, "text", 200)
    command = f"\n    {comparison.findings[1].command}\n"
    parts = [*comparison.verdict, "  setting", "Figures on test", "Effects on", "Warnings", "Missing for", command]
    found = [text.index(part) for part in parts]
    assert found == sorted(found)
    assert "Δm: the drop against loss=sum, in percent, mean over the tasks; below 0 is better." in " ".join(
        text.split()
    )


def test_text_on_a_wide_terminal_is_one_table_with_every_figure():
    lines = table_lines(render(comparisons.rich(), "text", 200))
    assert re.split(r"\s{2,}", lines[0].strip()) == [
        "setting",
        "price",
        "cut",
        "Δm %",
        "mean",
        "P(better)",
        "Holm",
        "verdict",
        "time",
        "failures",
    ]
    assert re.split(r"\s{2,}", lines[1].strip()) == ["rmse ↓ (dollars)", "accuracy ↑", "rank", "%", "p", "× sum"]
    assert re.split(r"\s{2,}", lines[4].strip()) == [
        "* loss=uncertainty",
        "591.0 ± 3.0",
        "0.7714 ± 0.0038",
        "−1.50 ± 0.60",
        "1.50",
        "88 [47, 100]",
        "0.023",
        "better",
        "1.20",
        "—",
    ]
    assert re.split(r"\s{2,}", lines[5].strip())[-3:] == ["worse", "1.20", "2 failed"]
    assert lines[6].startswith("~ boosting")


def test_a_pipe_gets_one_table_of_whole_lines():
    comparison = comparisons.rich(30, 12, 0)
    lines = table_lines(render(comparison, "text"))
    heading = [line for line in lines if line.startswith("  setting")]
    assert len(heading) == 1 and all(column.task in heading[0] for column in comparison.columns)
    row = next(line for line in lines if line.startswith("* loss=uncertainty"))
    assert cell_len(row) > 200 and len(re.split(r"\s{2,}", row.strip())) == 20, "a cell for each column"


def test_tasks_that_do_not_fit_stand_below():
    comparison = comparisons.rich(7, 12, 0)
    text = render(comparison, "text", 100)
    text = text[: text.index("Gain of a task with another")]
    assert text.count("  setting") > 2
    for column in comparison.columns:
        assert len(re.findall(rf"\b{column.task}\b", text)) == 1
    assert text.count("* loss=uncertainty") == text.count("  setting")


def test_a_label_that_is_cut_is_whole_in_the_legend():
    text = render(comparisons.hostile(), "text", 80)
    assert "… [6]" in text
    legend = text[text.index("\n[6] ") : text.index("Figures on test")]
    assert " ".join(legend.split()) == "[6] " + " ".join(comparisons.LONG.split())


@pytest.mark.parametrize("format", ["text", "markdown", "latex"])
def test_best_is_said_only_where_it_may_be(format):
    comparison = comparisons.rich()
    assert not re.search(r"\bbest\b", render(comparison, format, 100), re.IGNORECASE)
    assert re.search(r"\bbest\b", render(replace(comparison, best=True), format, 100))


def test_gaps_are_named():
    text = render(comparisons.with_gaps(), "text", 200)
    assert "no run of the setting has this figure" in text
    assert "2 failed, 1 unfinished" in text
    lines = table_lines(text)
    assert re.split(r"\s{2,}", lines[5].strip())[:2] == ["loss=mixed", "0"]  # no seeds


def test_one_seed_has_no_intervals_and_no_signs():
    text = render(comparisons.minimal(), "text", 120)
    assert "No intervals" in text
    assert "±" not in text
    assert "* leader" not in text


def test_equivalence_states_its_margin():
    comparison = comparisons.rich()
    rows = [*comparison.rows[:5], comparisons.row("loss=near", 0.2, comparison.columns)]
    text = render(replace(comparison, rows=rows, margin=2.5), "text", 200)
    assert "equivalent within 2.5 %" in text


def test_csv_holds_every_figure_exactly():
    comparison = comparisons.rich(8, 3)
    read = list(csv.DictReader(io.StringIO(render(comparison, "csv"))))
    assert [line["label"] for line in read] == [row.label for row in comparison.rows]
    for line, row in zip(read, comparison.rows, strict=True):
        for column in comparison.columns:
            figure = row.figures[column.task]
            name = f"{column.task}/{column.metric}"
            assert [float(line[key]) for key in (name, f"{name}/low", f"{name}/high")] == [
                figure.mean,
                figure.low,
                figure.high,
            ]
        assert float(line["delta_m"]) == row.delta_m.mean
        assert line["loss"] == row.settings["loss"]
        assert line["seeds"] == "0 1 2 3 4 5 6 7"
        assert line["runs"].split() == list(row.runs)
        if row.against is None:
            assert line["p_holm"] == line["wins"] == ""
        else:
            assert float(line["p_holm"]) == row.against.p_holm
            assert float(line["wins/low"]) == row.against.wins_low
    assert read[0]["verdict"] == "reference"
    assert read[1]["leader"] == "True"


def test_csv_keeps_labels_as_they_are():
    read = list(csv.DictReader(io.StringIO(render(comparisons.hostile(), "csv"))))
    assert read[0]["label"] == comparisons.HOSTILE


def test_latex_escapes_and_every_row_has_as_many_cells():
    text = render(comparisons.hostile(), "latex")
    tabular = text[text.index("\\toprule") : text.index("\\bottomrule")]
    rows = [line for line in tabular.split("\n") if line.endswith("\\\\")]
    columns = re.search(r"\\begin\{tabular\}\{(\w+)\}", text)[1]
    assert len(rows) == 2 + 7
    assert {len(re.split(r"(?<!\\)&", line)) for line in rows} == {len(columns)}
    assert r"$<$script$>$alert(1)$<$/script$>$ \& \$x\_1\$ $|$ \textbackslash{}textbf\{a\}" in text
    body = [line for line in text.split("\n") if not line.startswith("%")]
    assert not any(re.search(r"(?<!\\)[#%](?!$)", line) for line in body)


def test_markdown_has_one_table_and_escaped_labels():
    text = render(comparisons.hostile(), "markdown")
    rows = [line for line in text.split("\n") if line.startswith("|")]
    assert {len(re.split(r"(?<!\\)\|", line)) for line in rows[:9]} == {12}
    outside = re.sub(r"```sh.*?```", "", text, flags=re.DOTALL)
    assert "<script>" not in outside
    assert "&lt;script&gt;" in outside


def test_labels_are_narrower_where_that_saves_a_block() -> None:
    """In 80 columns the verdict stands beside Δm: the rows are not torn into a third block."""
    columns = comparisons.columns(2)
    labels = ["loss=uncertainty lr.base=0.001", "loss=sum lr.base=0.0000000001", "sum"]
    found = comparisons.comparison(
        [comparisons.row(label, delta, columns) for delta, label in enumerate(labels)], columns
    )
    lines = table_lines(render(found, "text", 80))
    headings = [line.split() for line in lines if line.startswith("  setting")]
    assert len(headings) == 2 and "verdict" in headings[0] and "Δm" in headings[0]
    assert "  lr.base=0.001" in lines
    wide = [line for line in table_lines(render(found, "text", 200)) if line.startswith("  setting")]
    assert len(wide) == 1 and "loss=uncertainty lr.base=0.001 " in render(found, "text", 200)
