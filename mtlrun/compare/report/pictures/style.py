"""How pictures look: colours, markers, sizes; and the sign by which a setting is known in all of them."""

import math
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import matplotlib

from mtlrun.compare.records import Comparison, Estimate, Row
from mtlrun.compare.report.wrapping import wrap

# Ink, soft ink and grid, none of which is a colour of the palette: a page may put colours of its own in their place.
INK, SOFT, GRID, PAPER = "#16191d", "#5c6570", "#d4d8dd", "#ffffff"
# Okabe and Ito's palette without its yellow, which is lost on white; the seventh is ink.
PALETTE = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", INK)
MARKERS = "osD^vPX"
DASHES: tuple[Any, ...] = ("-", (0, (5, 2)), (0, (1, 1.5)), (0, (6, 2, 1, 2)))

LINE = 0.165  # inches that a line of text takes
LETTER = 0.074  # inches that a letter of an axis' name takes, on average
STYLE: Any = {
    "font.size": 8.5,
    "font.family": "DejaVu Sans",
    "text.color": INK,
    "text.parse_math": False,
    "figure.facecolor": PAPER,
    "svg.fonttype": "none",
    "svg.hashsalt": "mtlrun",
    "text.hinting": "none",  # a fifth faster
}


@contextmanager
def style() -> Iterator[None]:
    """Within it, figures are made and saved: labels are text and never formulas, SVG keeps text as text."""
    with matplotlib.rc_context(STYLE), warnings.catch_warnings():
        # a PNG shows a box for a letter that its font has not; the report's page takes another font
        warnings.filterwarnings("ignore", "Glyph .* missing from font")
        yield


@dataclass(frozen=True)
class Sign:
    """How a setting, or a verdict, is drawn: its name, colour, marker and, where it is a line, dashes."""

    name: str
    colour: str
    marker: str
    dashes: Any = None


class Names:
    """Labels of settings as pictures show them, and the colour, marker and dashes that a setting has in all of them.

    settings: how many there are, without the trivial predictor
    """

    def __init__(self, rows: Sequence[Row], note: str = "") -> None:
        """`note`: what titles of pictures say where they show some of the rows alone."""
        self.note = note
        self.order = {row.label: index for index, row in enumerate(rows)}
        self.settings = sum(not row.trivial for row in rows)

    def lines(self, label: str, width: int = 26, lines: int = 3) -> str:
        """The label in a few lines; what does not fit gives way to the row's number in the table."""
        return in_lines(label, width, lines, f"[{self._index(label) + 1}]")

    def colour(self, label: str) -> str:
        """One of seven colours."""
        return PALETTE[self._index(label) % len(PALETTE)]

    def marker(self, label: str) -> str:
        """A marker that differs from its colour's previous one."""
        index = self._index(label)
        return MARKERS[(index + index // len(PALETTE)) % len(MARKERS)]

    def dashes(self, label: str) -> Any:
        """A line style that differs from its neighbour's and from its colour's previous one."""
        index = self._index(label)
        return DASHES[(index + index // len(PALETTE)) % len(DASHES)]

    def sign(self, label: str, line: bool = True) -> Sign:
        """How the setting is drawn, with its label in lines fit for a legend."""
        return Sign(self.lines(label, 34), self.colour(label), self.marker(label), self.dashes(label) if line else None)

    def _index(self, label: str) -> int:
        return self.order.setdefault(label, len(self.order))


def verdict_sign(comparison: Comparison, row: Row) -> Sign:
    """How a row is drawn by its verdict against the reference."""
    if row.label == comparison.reference:
        return Sign("reference", INK, "P")
    if row.against is None:
        return Sign("no verdict", INK, "o")
    return {
        "better": Sign("better", PALETTE[0], "o"),
        "worse": Sign("worse", PALETTE[1], "X"),
        "equivalent": Sign(f"equivalent within {comparison.margin:g} %", INK, "D"),
        "undecided": Sign("undecided", SOFT, "s"),
    }[row.against.verdict]


# ---------------------------------------------------------------- sizes of labels


def in_lines(label: str, width: int, lines: int, name: str = "") -> str:
    """A label in at most so many lines of so many letters; what does not fit gives way to `… name`."""
    return "\n".join(wrap(label, width, lines, name)[0])


def longest_line(label: str) -> int:
    """Letters in the longest line of a label."""
    return max(map(len, label.split("\n")))


def label_height(label: str) -> float:
    """Inches that the lines of a label take."""
    return 0.03 + LINE * (label.count("\n") + 1)


# ---------------------------------------------------------------- estimates


def is_finite(estimate: Estimate | None) -> bool:
    """Whether there is a figure to draw."""
    return estimate is not None and math.isfinite(estimate.mean)


def ends(estimate: Estimate) -> list[float]:
    """What an axis has to hold: the mean and its interval."""
    return [end for end in (estimate.low, estimate.mean, estimate.high) if end is not None]


def whisker(estimate: Estimate) -> tuple[float, float] | None:
    """The interval as the ends of a line; None where there is none."""
    return None if estimate.low is None or estimate.high is None else (estimate.low, estimate.high)
