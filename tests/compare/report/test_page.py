import re
import xml.etree.ElementTree as ElementTree
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import comparisons
import pytest
from PIL import Image

from mtlrun.compare.recommendation_records import Candidate, Recommendation
from mtlrun.compare.report.column_blocks import ROOM, in_blocks, least_width
from mtlrun.compare.report.page import write_outputs
from mtlrun.compare.report.render import render
from mtlrun.compare.report.result_table import table
from mtlrun.compare.report.sections import SECTIONS, ordered, section_of
from mtlrun.util.errors import RequestError

NET = Candidate("loss=uncertainty", "method")
OPEN = Recommendation("undecided", True, NET, {})


class Page(HTMLParser):
    """Elements with their attributes, the text of <pre>, and all headings in order."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict]] = []
        self.inside: list[str] = []
        self.commands: list[str] = []
        self.headings: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        self.elements.append((tag, dict(attributes)))
        self.inside.append(tag)
        if tag in ("pre", "h1", "h2"):
            (self.commands if tag == "pre" else self.headings).append("")

    def handle_endtag(self, tag):
        while self.inside and self.inside.pop() != tag:
            pass

    def handle_data(self, data):
        if "pre" in self.inside:
            self.commands[-1] += data
        elif "h1" in self.inside or "h2" in self.inside:
            self.headings[-1] += data


@pytest.fixture(scope="module")
def written(tmp_path_factory) -> tuple[Path, list[Path]]:
    out = tmp_path_factory.mktemp("compare")
    return out, write_outputs(comparisons.rich(), out)


@pytest.fixture(scope="module")
def text(written) -> str:
    return (written[0] / "report.html").read_text(encoding="utf-8")


def test_the_files_are_those_that_are_named(written):
    out, paths = written
    assert sorted(paths) == sorted(out.iterdir())
    assert (out / "comparison.csv").read_text() == render(comparisons.rich(), "csv")
    pictures = [path for path in paths if path.suffix == ".png"]
    assert len(pictures) == 20
    for path in pictures:
        svg = path.with_suffix(".svg").read_text(encoding="utf-8")
        assert "mtlrun compare" in svg and "sans-serif" in svg and ElementTree.fromstring(svg) is not None
        with Image.open(path) as image:
            assert image.width == 940
            assert image.convert("RGB").getpixel((0, 0)) == (255, 255, 255)


def test_the_page_needs_nothing_from_outside(text):
    page = Page(text)
    tags = {tag for tag, _ in page.elements}
    assert not tags & {"script", "link", "img", "iframe", "object"}
    for _, attributes in page.elements:
        for name in ("href", "xlink:href", "src"):
            assert attributes.get(name, "#").startswith("#")
    assert set(re.findall(r"https?://[^\"' <]*", text)) <= {
        "http://www.w3.org/2000/svg",
        "http://www.w3.org/1999/xlink",  # names, not addresses
    }
    assert "url(http" not in text and "@import" not in text


def test_ids_are_one_of_a_kind_and_every_reference_has_its_target(text):
    ids = [attributes["id"] for _, attributes in Page(text).elements if "id" in attributes]
    assert len(ids) == len(set(ids))
    wanted = set(re.findall(r'href="#([^"]+)"|url\(#([^)]+)\)', text))
    assert {one or other for one, other in wanted} <= set(ids)


def test_the_order_is_answer_table_what_answers_the_question_figures_how(text):
    comparison = comparisons.rich()
    page = Page(text)
    assert page.headings == [
        f"diamonds {comparison.title}",
        "All settings",
        "Which tasks help each other",
        "How figures change with a setting",
        "Main effects",
        "Before believing it",
        "What is missing for a stronger claim",
        "Each task by itself",
        "What is gained in one task and lost in another",
        "What the tasks are learnt from",
        "Learning curves",
        "Steps to a target",
        "Weights of the losses",
        "Learning rates",
        "Gradient conflicts",
        "Conflicts and dead units",
        "Cost",
        "What choosing among n trials brings",
        "Settings and versions",
        "How it was computed",
    ]
    assert f"<title>diamonds: {comparison.title}</title>" in text
    assert text.index(comparison.verdict[0]) < text.index("<table")
    assert page.commands == [comparison.findings[1].command]
    plain = re.sub(r"</?span[^>]*>", "", text)
    for shown in (
        "591.0 ± 3.0",
        "0.7714 ± 0.0038",
        "−1.50 ± 0.60",
        "88 [47, 100]",
        "equivalent",
        "not reached",
        "3 of 8",
        "sha256 9f86d081884c7d659a2feaa0c55ad015",
    ):
        assert shown in plain


def test_with_a_recommendation_warnings_come_before_contrasts():
    answered = replace(comparisons.rich(), recommendation=OPEN)
    names = [section.name for section in ordered(answered, {section.name for section in SECTIONS})]
    assert names == [section.name for section in SECTIONS]
    assert names.index("warnings") < names.index("interval") < names.index("effects") < names.index("rate")


def test_every_picture_has_a_section_and_every_link_its_heading(text):
    drawn = {section_of(name) for name in re.findall(r'aria-labelledby="([^"]+)-title"', text)}
    headings = re.findall(r'<h2 id="([^"]+)"', text)
    assert drawn <= set(headings)
    assert re.findall(r'<a href="#([^"]+)"', text) == headings


def test_a_command_that_ends_a_sentence_is_set_apart(tmp_path):
    made = replace(comparisons.minimal(), remarks=["The search has brought little.\nmtlrun tune data=diamonds"])
    write_outputs(made, tmp_path)
    page = Page((tmp_path / "report.html").read_text(encoding="utf-8"))
    assert page.commands[0] == "mtlrun tune data=diamonds"


@pytest.mark.parametrize("tasks", [1, 2, 4, 12, 40])
def test_tables_are_divided_into_blocks_that_fit_the_page(tasks):
    columns = table(comparisons.rich(6, tasks))
    blocks = in_blocks(columns)
    assert [column for block in blocks for column in block] == columns
    widths = [sum(least_width(column) for column in block) for block in blocks]
    assert max(widths) <= ROOM and (len(blocks) == 1) == (tasks <= 4)
    assert min(widths) > 0.6 * max(widths)


def test_pictures_have_titles_and_the_colours_of_the_page(text):
    svgs = re.findall(r"<svg.*?</svg>", text, flags=re.DOTALL)
    assert len(svgs) == 20
    for svg in svgs:
        root = ElementTree.fromstring(svg)
        title = root.find("{http://www.w3.org/2000/svg}title")
        assert title is not None and title.text
        assert root.get("role") == "img" and root.get("aria-labelledby") == title.get("id")
        assert not re.search(r"#(0072b2|d55e00|16191d|5c6570|d4d8dd|ffffff)", svg)
    defined = set(re.findall(r"(--[a-z]+):", text))
    assert set(re.findall(r"var\((--[a-z]+)\)", text)) <= defined
    light, dark = (
        re.findall(r"(--[a-z]+): #", part) for part in text.split("@media screen and (prefers-color-scheme: dark)")
    )
    assert set(light) == set(dark[: len(light)])


def test_conflicts_and_dead_units_are_a_table_in_percent(text, tmp_path):
    table = text[text.index('<h2 id="diagnostics">') :]
    rows = table[: table.index("</table>")].split("<tr")
    assert [re.sub(r"<[^>]*>", "", cell) for cell in re.findall(r"<th .*?</th>", rows[1])] == [
        "setting",
        "conflicts",
        "dead: trunk layer 1",
        "dead: cut layer 2",
    ]
    cells = [[re.sub(r"<[^>]*>", "", cell) for cell in re.findall(r"<td .*?</td>", row)] for row in rows[2:]]
    assert cells == [["25.0 ± 2.0", "25.0 ± 2.0", "25.0 ± 2.0"], ["—", "—", "50.0 ± 2.0"]]
    write_outputs(comparisons.minimal(), tmp_path)
    other = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert 'id="diagnostics"' not in other and "trainer.log_activations=true" in other
    assert "trainer.log_activations=true" not in text


def test_the_word_best_is_not_said_for_nothing(text):
    shown = re.sub(r"<style>.*?</style>", "", text, flags=re.DOTALL)
    assert not re.search(r"\bbest\b", shown, re.IGNORECASE)


def test_labels_are_text_and_nothing_else(tmp_path):
    write_outputs(comparisons.hostile(), tmp_path)
    page_text = (tmp_path / "report.html").read_text(encoding="utf-8")
    page = Page(page_text)
    assert "script" not in {tag for tag, _ in page.elements}
    assert page.headings[0] == " ".join([comparisons.HOSTILE.replace("\x1b", "\\x1b")] * 2)
    assert page.commands == [f"mtlrun -m '{comparisons.HOSTILE}'".replace("\x1b", "\\x1b")]
    assert not re.search(r"[\x00-\x08\x0b-\x1f]", page_text)
    for svg in re.findall(r"<svg.*?</svg>", page_text, flags=re.DOTALL):
        ElementTree.fromstring(svg)


@pytest.mark.parametrize("make", [comparisons.minimal, comparisons.with_gaps])
def test_little_is_enough(make, tmp_path):
    paths = write_outputs(make(), tmp_path / "new" / "folder")
    page = Page(paths[-1].read_text(encoding="utf-8"))
    assert "How it was computed" in page.headings
    assert "Learning curves" not in page.headings


def test_comparing_again_leaves_no_old_picture_and_no_foreign_one_touched(tmp_path):
    write_outputs(comparisons.rich(2, series=0), tmp_path)
    Image.new("RGB", (4, 4)).save(tmp_path / "mine.png")
    (tmp_path / "notes.txt").write_text("mine")
    paths = write_outputs(comparisons.minimal(), tmp_path)
    left = {path.name for path in tmp_path.iterdir()} - {path.name for path in paths}
    assert left == {"mine.png", "notes.txt"}


@pytest.mark.parametrize("name", ["report.html", "delta_m.png", "comparison.csv"])
def test_a_foreign_file_is_not_written_over(name, tmp_path):
    (tmp_path / name).write_text("somebody's own")
    with pytest.raises(RequestError, match=rf"{re.escape(name)}: is there already.*\n.*-o"):
        write_outputs(comparisons.minimal(), tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == [name]
    assert (tmp_path / name).read_text() == "somebody's own"


def test_the_same_comparison_gives_the_same_page(tmp_path):
    for name in ("one", "two"):
        write_outputs(comparisons.minimal(), tmp_path / name)
    assert (tmp_path / "one/report.html").read_bytes() == (tmp_path / "two/report.html").read_bytes()
