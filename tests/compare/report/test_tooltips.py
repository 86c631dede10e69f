"""The page explains words in headings, and where they stand first."""

import re
from html import unescape

import comparisons

from mtlrun.compare.report.page import html
from mtlrun.compare.report.pair_tables import pair_tables
from mtlrun.compare.report.result_table import diagnostics, table
from mtlrun.compare.report.tooltips import Tooltips
from mtlrun.util.glossary import term_of

BARE = {"setting", "task"}  # headings that name no statistics


def test_each_heading_of_the_tables_of_compare_is_explained() -> None:
    comparison = comparisons.rich()
    for column in table(comparison):
        assert term_of(column.below if column.task else column.text) is not None, column.text
    for heading in diagnostics(comparison)[0]:
        assert term_of(heading) is not None, heading
    for pairs in pair_tables(comparison):
        assert term_of(pairs.title.partition(" with")[0].partition(" of the gradients")[0]) is not None, pairs.title
    page = html(comparison, [])
    headings = re.findall(r'<th scope="col"[^>]*>(.*?)</th>', page)
    without = {re.sub("<br>", " ", heading) for heading in headings if "<abbr title=" not in heading}
    assert headings and without <= BARE


def test_a_word_is_explained_where_it_stands_first_and_in_headings_only_after_that() -> None:
    tips = Tooltips()
    first = tips.sentence("Undecided: Holm p < 0.05 & <b>")
    assert first.count("<abbr title=") == 2 and "&lt; 0.05 &amp; &lt;b&gt;" in first
    assert re.search(r'<abbr title="The chance that luck alone [^"]*">Holm p</abbr>', first)
    assert "<abbr" not in tips.sentence("Holm p again, undecided") and "<abbr" in tips.heading("Holm p")


def test_the_title_is_the_text_of_explain() -> None:
    term = term_of("equivalent")
    assert term is not None
    title = re.search(r'title="([^"]*)"', Tooltips().sentence("equivalent"))
    assert title is not None and unescape(title[1]) == term.text
