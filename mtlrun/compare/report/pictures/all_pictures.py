"""All pictures of a comparison by name."""

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace

from matplotlib.figure import Figure

from mtlrun.compare.records import Comparison
from mtlrun.compare.report.pictures import bar_charts, fronts, heat_maps, intervals, line_charts
from mtlrun.compare.report.pictures.style import Names

MOST_ROWS = 30  # largest number of rows in a picture: nobody reads more, and they would take most of the time
PICTURES: tuple[Callable[[Comparison, Names], Iterator[tuple[str, Figure]]], ...] = (
    intervals.delta_m,
    intervals.by_task,
    intervals.effects,
    fronts.fronts,
    line_charts.series,
    bar_charts.importances,
    heat_maps.affinity,
    heat_maps.shares,
    line_charts.expected,
    bar_charts.cost,
)


def figures(comparison: Comparison) -> dict[str, Figure]:
    """Name -> picture, for the pictures that have something to show. Names are valid file names.

    Call this within `style()`. `get_label()` of a figure is its title in words.
    """
    foremost = _foremost(comparison)
    shown, whole = len(foremost.rows), len(comparison.rows)
    names = Names(comparison.rows, f" ({shown} of {whole} settings)" if shown < whole else "")
    made: dict[str, Figure] = {}
    for pictures in PICTURES:
        for name, figure in pictures(foremost, names):
            made[_file_name(name, made)] = figure
    return made


def _foremost(comparison: Comparison) -> Comparison:
    """The comparison with only the first 30 rows, the reference, the baseline and the trivial predictor."""
    kept = (comparison.reference, comparison.baseline)
    rows = [row for i, row in enumerate(comparison.rows) if i < MOST_ROWS or row.label in kept or row.trivial]
    return replace(comparison, rows=rows)


def _file_name(name: str, taken: Mapping[str, object]) -> str:
    """A valid file name that is not taken."""
    name = re.sub(r"[^A-Za-z0-9_.-]+", "-", name).strip("-._")[:80] or "picture"
    folded = {other.lower() for other in taken}  # some file systems ignore case
    return next(free for i in range(len(taken) + 1) if (free := f"{name}_{i + 1}" if i else name).lower() not in folded)
