"""The style of pictures: colours, markers, sizes, and the sign of a setting, which is the same in all pictures."""

import math
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import matplotlib

from mtlrun.compare.records import UNTRAINED, Comparison, Estimate, Row
from mtlrun.compare.report.wrapping import wrap

# Ink, soft ink and grid. They differ from all colours of the palette, so that a page can replace them.
INK, SOFT, GRID, PAPER = "#16191d", "#5c6570", "#d4d8dd", "#ffffff"
# Okabe and Ito's palette without yellow, which is invisible on white. The seventh colour is ink.
PALETTE = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", INK)
MARKERS = "osD^vPX"
DASHES: tuple[Any, ...] = ("-", (0, (5, 2)), (0, (1, 1.5)), (0, (6, 2, 1, 2)))

LINE = 0.165  # height of a line of text in inches
LETTER = 0.074  # mean width of a letter in the name of an axis, in inches
STYLE: Any = {
    "font.size": 8.5,
    "font.family": "DejaVu Sans",
    "text.color": INK,
    "figure.titlesize": 9.5,
    "figure.titleweight": "bold",
    "figure.constrained_layout.w_pad": 0.08,
    "figure.constrained_layout.h_pad": 0.04,
    "axes.labelsize": 8.5,
    "axes.labelcolor": INK,
    "axes.edgecolor": SOFT,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": GRID,
    "grid.linewidth": 0.6,
    "xtick.labelsize": 8,
    "ytick.labelsize": 8,
    "xtick.major.size": 0,
    "ytick.major.size": 0,
    "xtick.labelcolor": INK,
    "ytick.labelcolor": INK,
    "legend.frameon": False,
    "legend.fontsize": 8,
    "lines.markersize": 4.5,
    "lines.linewidth": 1.4,
    "text.parse_math": False,
    "figure.facecolor": PAPER,
    "svg.fonttype": "none",
    "svg.hashsalt": "mtlrun",
    "text.hinting": "none",  # a fifth faster
}


@contextmanager
def style() -> Iterator[None]:
    """Context in which figures are made and saved. Labels are never parsed as formulas, and SVG keeps text as text."""
    with matplotlib.rc_context(STYLE), warnings.catch_warnings():
        # a PNG shows a box for a letter that its font lacks; the page of the report uses another font
        warnings.filterwarnings("ignore", "Glyph .* missing from font")
        yield


@dataclass(frozen=True)
class Sign:
    """How a setting or a verdict is drawn: name, colour, marker and, for a line, dashes."""

    name: str
    colour: str
    marker: str
    dashes: Any = None


class Names:
    """Labels of settings as pictures show them, and the colour, marker and dashes of a setting in all pictures.

    settings: the number of settings, without the trivial predictor
    """

    def __init__(self, rows: Sequence[Row], note: str = "") -> None:
        """note: added to the titles of pictures that show only some of the rows."""
        self.note = note
        self.order = {row.label: index for index, row in enumerate(rows)}
        self.settings = sum(not row.trivial for row in rows)

    def lines(self, label: str, width: int = 26, lines: int = 3) -> str:
        """The label in at most `lines` lines. If it is too long, it ends with the number of the row in the table."""
        return in_lines(label, width, lines, f"[{self._index(label) + 1}]")

    def colour(self, label: str) -> str:
        """One of seven colours."""
        return PALETTE[self._index(label) % len(PALETTE)]

    def marker(self, label: str) -> str:
        """A marker that differs from that of the previous setting with the same colour."""
        index = self._index(label)
        return MARKERS[(index + index // len(PALETTE)) % len(MARKERS)]

    def dashes(self, label: str) -> Any:
        """A line style that differs from that of the neighbour and of the previous setting with the same colour."""
        index = self._index(label)
        return DASHES[(index + index // len(PALETTE)) % len(DASHES)]

    def sign(self, label: str, line: bool = True) -> Sign:
        """The sign of a setting, with its label in lines for a legend."""
        return Sign(self.lines(label, 34), self.colour(label), self.marker(label), self.dashes(label) if line else None)

    def _index(self, label: str) -> int:
        return self.order.setdefault(label, len(self.order))


def verdict_sign(comparison: Comparison, row: Row) -> Sign:
    """The sign of a row, by its verdict against the reference."""
    if row.label == comparison.reference:
        return Sign("reference", INK, "P")
    if row.against is None:
        return Sign("no verdict", INK, "o")
    return {
        "better": Sign("better", PALETTE[0], "o"),
        "worse": Sign("worse", PALETTE[1], "X"),
        "equivalent": Sign(f"equivalent within {comparison.margin:g} %", INK, "D"),
        "undecided": Sign("undecided", SOFT, "s"),
        "untrained": Sign(UNTRAINED, SOFT, "v"),
    }[row.against.verdict]


# ---------------------------------------------------------------- sizes of labels


def in_lines(label: str, width: int, lines: int, name: str = "") -> str:
    """A label in at most `lines` lines of `width` letters. If it is too long, it ends with `… name`."""
    return "\n".join(wrap(label, width, lines, name)[0])


def line_count(label: str) -> int:
    """The number of lines of a label."""
    return label.count("\n") + 1


def longest_line(label: str) -> int:
    """The number of letters in the longest line of a label."""
    return max(map(len, label.split("\n")))


def label_height(label: str) -> float:
    """The height in inches of the lines of a label."""
    return 0.03 + LINE * line_count(label)


# ---------------------------------------------------------------- estimates


def is_finite(estimate: Estimate | None) -> bool:
    """Whether there is a figure to draw."""
    return estimate is not None and math.isfinite(estimate.mean)


def ends(estimate: Estimate) -> list[float]:
    """The values that an axis has to include: the mean and the ends of the interval."""
    return [end for end in (estimate.low, estimate.mean, estimate.high) if end is not None]


def whisker(estimate: Estimate) -> tuple[float, float] | None:
    """The two ends of the interval; None if there is no interval."""
    return None if estimate.low is None or estimate.high is None else (estimate.low, estimate.high)
