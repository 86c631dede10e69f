"""Explains words of statistics on the page: in headings, and where a word stands first in a sentence."""

from markupsafe import Markup, escape

from mtlrun.compare.report.result_table import Column
from mtlrun.util.glossary import Term, term_of, terms_in
from mtlrun.util.terminal import printable


class Tooltips:
    """Turns texts of one page into HTML with tooltips, in the order in which they stand on the page."""

    def __init__(self) -> None:
        self._explained: set[str] = set()

    def heading(self, text: str) -> Markup:
        """The heading of a column or a section, with a tooltip if it is a known word."""
        return self._word(escape(printable(text)), term_of(text))

    def column(self, column: Column) -> Markup:
        """The heading of a column of the main table, in two lines. The metric of a task is explained below its name."""
        top, below = escape(printable(column.top)), escape(printable(column.below))
        if column.task:
            return Markup("{}<br>{}").format(top, self._word(below, term_of(column.below)))
        return self._word(Markup("{}<br>{}").format(top, below), term_of(column.text))

    def sentence(self, text: str) -> Markup:
        """A sentence, with a tooltip at each known word that no text before has explained."""
        text, html, end = printable(text), Markup(), 0
        for start, stop, term in terms_in(text):
            if term.name not in self._explained:
                html += escape(text[end:start]) + self._word(escape(text[start:stop]), term)
                end = stop
        return html + escape(text[end:])

    def _word(self, html: Markup, term: Term | None) -> Markup:
        if term is None:
            return html
        self._explained.add(term.name)
        return Markup('<abbr title="{}">{}</abbr>').format(term.text, html)
