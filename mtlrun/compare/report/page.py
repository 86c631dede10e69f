"""Writes the files of a comparison: comparison.csv, pictures, and a self-contained report.html."""

import io
import re
from collections.abc import Collection, Iterable
from dataclasses import dataclass, replace
from functools import cache, partial
from html import escape
from pathlib import Path
from typing import Any

import jinja2
from matplotlib.figure import Figure

from mtlrun.compare.records import DEAD, Comparison, Row
from mtlrun.compare.report.column_blocks import in_blocks, parts
from mtlrun.compare.report.opening import PAGE, details, next_steps, opening
from mtlrun.compare.report.pictures.all_pictures import figures
from mtlrun.compare.report.pictures.style import GRID, PALETTE, PAPER, SOFT, style
from mtlrun.compare.report.render import render
from mtlrun.compare.report.result_table import Column, diagnostics, lines, mark, relative_time, table
from mtlrun.compare.report.rounding import ABSENT, number, probability, with_interval
from mtlrun.compare.report.sections import ordered, section_of
from mtlrun.compare.report.table_notes import by_kind, reading
from mtlrun.compare.report.tooltips import Tooltips
from mtlrun.storage.files import remove_abandoned, write_atomic, write_text
from mtlrun.util.errors import RequestError
from mtlrun.util.terminal import printable

SIGNATURE = "mtlrun compare"  # written into every file, to recognise our files
DPI = 200
_FAMILY = "'DejaVu Sans', Verdana, sans-serif"  # of an SVG; Verdana has the same widths
PICTURES = (".png", ".svg")

# Colours of the pictures -> CSS variables of the page, which follow its light or dark mode.
_COLOURS = dict(
    zip(
        [*PALETTE, SOFT, GRID, PAPER],
        ["blue", "vermilion", "green", "purple", "orange", "sky", "ink", "soft", "grid", "paper"],
        strict=True,
    )
)

# Explanations of the kinds of rows, shown beside their labels.
_KINDS = {
    "method": "",
    "alone": "single-task nets",
    "pre-trained": "one task, trunk trained before",
    "boosting": "gradient boosting",
    "trivial": "knows no inputs",
}

# Sections that appear only if runs logged their figures: (what it shows, the words that turn the logging on).
_LOGGED = {
    "importance": ("Importance of the inputs for each task", "trainer.importance=true"),
    "cosine": ("Conflicts of the tasks' gradients", "trainer.log_gradients=true"),
    "dead": ("Units of relu that are 0 on all of val", "trainer.log_activations=true"),
}


@dataclass(frozen=True)
class Picture:
    """A picture in the page: its name, and its SVG in the colours of the page."""

    name: str
    svg: str


def write_outputs(comparison: Comparison, out: Path) -> list[Path]:
    """Writes comparison.csv, a PNG and an SVG per picture and report.html into `out`. Returns their paths.

    Each file is written completely or not at all. Pictures of an earlier comparison that this one does not have are
    removed. Raises RequestError, before writing, if a file that mtlrun compare has not made would be overwritten.
    """
    remove_abandoned(out)
    with style():
        drawn = figures(comparison)
        table, page = out / "comparison.csv", out / PAGE
        files = [out / f"{name}{suffix}" for name in drawn for suffix in PICTURES]
        require_ours([table, page, *files])
        for old in [path for suffix in PICTURES for path in out.glob(f"*{suffix}")]:
            if old not in files and _ours(old):
                old.unlink()
        write_text(table, render(comparison, "csv"))
        pictures = []
        for name, figure in drawn.items():
            write_atomic(out / f"{name}.png", partial(save_png, figure))
            svg = as_svg(figure)
            write_text(out / f"{name}.svg", svg)
            pictures.append(Picture(name, inline(svg, name, str(figure.get_label()))))
    write_text(page, html(comparison, pictures))
    return [table, *files, page]


def require_ours(paths: Iterable[Path]) -> None:
    """Raises RequestError if a file exists at one of these paths that mtlrun compare has not made."""
    for path in paths:
        if path.exists() and not _ours(path):
            raise RequestError(
                f"{path}: is there already, and mtlrun compare has not made it\n"
                "name another folder with -o, or move the file"
            )


def save_png(figure: Figure, path: Path) -> None:
    """Writes the figure as a PNG with our signature. Its layout is then fixed: an SVG does not compute it again."""
    figure.savefig(path, format="png", dpi=DPI, metadata={"Software": SIGNATURE}, pil_kwargs={"compress_level": 1})
    figure.set_layout_engine("none")


def _ours(path: Path) -> bool:
    with open(path, "rb") as file:
        start = file.read(2000)
    return start.startswith(b"label,kind,") if path.suffix == ".csv" else SIGNATURE.encode() in start


def as_svg(figure: Figure) -> str:
    """The figure as an SVG file with our signature, without a background. Call this within `style()`."""
    file = io.StringIO()
    metadata = {"Creator": SIGNATURE, "Date": None, "Format": None, "Type": None}
    figure.savefig(file, format="svg", transparent=True, metadata=metadata)
    return file.getvalue().replace("'DejaVu Sans'", _FAMILY)


def inline(text: str, name: str, title: str) -> str:
    """An SVG file as an <svg> element for a page. Its ids begin with `name`; it uses the colours and font of the page.

    These are CSS variables: --blue … --ink, --soft, --grid, --paper and --font. title: the picture in words
    """
    text = text[text.index("<svg") :]
    text = re.sub(r"<metadata>.*?</metadata>|<style.*?</style>|<!--.*?-->", "", text, flags=re.DOTALL)
    body = text[text.index(">") + 1 :]
    box = re.search(r'viewBox="([^"]*)"', text)
    assert box is not None  # matplotlib always writes one
    # `>` and quotes in labels are escaped, so these patterns match attributes only
    body = re.sub(r'(?<=\bid=")(?=[^"]*")', f"{name}-", body)
    body = re.sub(r'(?<=href="#)', f"{name}-", body)
    body = body.replace("url(#", f"url(#{name}-")
    body = re.sub(r'(?<=style=")[^"]*', lambda match: _page_style(match[0]), body)
    width = float(box[1].split()[2]) * 4 / 3  # points to CSS pixels
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink" viewBox="{box[1]}" '
        f'width="{width:.0f}" role="img" aria-labelledby="{name}-title">'
        f'<title id="{name}-title">{escape(title)}</title>{body.strip()}'
    )


def _page_style(declarations: str) -> str:
    declarations = re.sub(r"#[0-9a-f]{6}", lambda match: _variable(match[0]), declarations)
    return declarations.replace(_FAMILY, "var(--font)")


def _variable(colour: str) -> str:
    return f"var(--{_COLOURS[colour]})" if colour in _COLOURS else colour


@cache
def _template() -> jinja2.Template:
    """The page's template, compiled."""
    source = Path(__file__).with_name("report.html.j2").read_text(encoding="utf-8")
    environment = jinja2.Environment(
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=jinja2.StrictUndefined,
        finalize=lambda value: printable(value) if type(value) is str else value,  # not Markup, which we wrote
    )
    return environment.from_string(source)


def html(comparison: Comparison, pictures: list[Picture]) -> str:
    """The whole page as HTML. All text from runs is escaped."""
    by_section: dict[str, list[Picture]] = {}
    for picture in pictures:
        by_section.setdefault(section_of(picture.name), []).append(picture)
    columns = table(comparison)
    contents = _contents(comparison, columns, by_section)
    return _template().render(
        comparison=comparison,
        opening=[sentence.partition("\n") for sentence in opening(comparison)],
        next_steps=next_steps(replace(comparison, page="")),
        details=details(comparison),
        signature=SIGNATURE,
        tips=Tooltips(),
        sections=ordered(comparison, {*by_section, *contents}),
        contents=contents,
        pictures=by_section,
        per_metric=any(column.below == "per metric" for column in columns),
        kinds=_KINDS,
        mark=lambda row: mark(comparison, row),
        tone=lambda row: _tone(comparison, row),
        parts=parts,
        absent=ABSENT,
        reading=reading,
        number=number,
        with_interval=with_interval,
        probability=probability,
        relative_time=relative_time,
    )


def _contents(comparison: Comparison, columns: list[Column], drawn: Collection[str]) -> dict[str, Any]:
    """Section -> what it shows besides pictures. Sections that have nothing to show are left out.

    drawn: the sections that have pictures
    """
    if sum(column.task for column in columns) > 3 or len(in_blocks(columns)) > 1:  # first what compares settings
        columns = sorted(columns, key=lambda column: column.task)
    findings = dict(by_kind(comparison.findings))
    measured = diagnostics(comparison)
    dead = any(entry.metric.startswith(DEAD) for entry in comparison.diagnostics)
    logged = {*drawn, *(["dead"] if dead else [])}
    contents = {
        "delta_m": [
            (block, list(zip(comparison.rows, lines(block, len(comparison.rows)), strict=True)))
            for block in in_blocks(columns)
        ],
        "warnings": findings.get("Warnings"),
        "missing": findings.get("Missing for a stronger claim"),
        "effects": comparison.effects,
        "speed": comparison.speeds,
        "diagnostics": measured if measured[0] else (),
        "cost": [row for row in comparison.rows if row.cost is not None or row.parameters is not None],
        "unlogged": {what: words for section, (what, words) in _LOGGED.items() if section not in logged},
        "settings": comparison,
        "how": comparison,
    }
    return {name: content for name, content in contents.items() if content}


def _tone(comparison: Comparison, row: Row) -> str:
    if row.label == comparison.reference:
        return "reference"
    return row.against.verdict if row.against else ""
