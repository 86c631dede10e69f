"""Writes the files of a comparison: comparison.csv, pictures, and a self-contained report.html."""

import io
import re
from collections.abc import Iterable
from dataclasses import dataclass, replace
from functools import cache, partial
from html import escape
from pathlib import Path

import jinja2
from matplotlib.figure import Figure

from mtlrun.compare.records import DEAD, Comparison, Row
from mtlrun.compare.report.opening import PAGE, details, next_steps, opening
from mtlrun.compare.report.pictures.all_pictures import figures
from mtlrun.compare.report.pictures.style import GRID, PALETTE, PAPER, SOFT, style
from mtlrun.compare.report.render import render
from mtlrun.compare.report.result_table import diagnostics, lines, mark, relative_time, table
from mtlrun.compare.report.rounding import number, probability, with_interval
from mtlrun.compare.report.table_notes import by_kind, reading
from mtlrun.storage.files import remove_abandoned, write_atomic, write_text
from mtlrun.util.errors import RequestError
from mtlrun.util.terminal import printable

SIGNATURE = "mtlrun compare"  # written into every file, to recognise our files
DPI = 100

# Colours of the pictures -> CSS variables of the page, which follow its light or dark mode.
_COLOURS = dict(
    zip(
        [*PALETTE, SOFT, GRID, PAPER],
        ["blue", "vermilion", "green", "purple", "orange", "sky", "ink", "soft", "grid", "paper"],
        strict=True,
    )
)

# Sections of pictures: (title, beginnings of the names of its pictures, how to read them).
_SECTIONS = {
    "delta_m": ("Δm of every setting", "Dot: mean over seeds; line: its 95 % interval; dashed: the baseline."),
    "interval": (
        "Each task by itself",
        "Dot: mean over seeds; line: its 95 % interval; dashed: the baseline. "
        "Colours and signs are those of the verdict on Δm, over all tasks.",
    ),
    "effects": ("Main effects", "Each contrast is paired by seed and averages over all other factors."),
    "front": (
        "What is gained in one task and lost in another",
        "Lines: 95 % intervals; rings, joined by a dotted line: the Pareto front of the means.",
    ),
    "curve": (
        "Learning curves",
        "Line: mean over seeds on val; band: 95 % interval. Of many settings the leader, the "
        "reference, the baseline and the first of the table.",
    ),
    "weight": (
        "Weights of the losses",
        "Line: mean over seeds; band: 95 % interval. Weights that stay what they were are left out.",
    ),
    "sigma": (
        "Learnt noise",
        "Sigma of loss=uncertainty, to be held against the error. Line: mean over seeds; band: 95 % interval.",
    ),
    "rate": ("Learning rates", "Line: mean over seeds; band: 95 % interval."),
    "cosine": ("Gradient conflicts", "Cosine of two tasks' gradients in the trunk; below 0 they pull apart."),
    "importance": (
        "What the tasks are learnt from",
        "One input at a time is permuted in test; thin line: 95 % interval; longer: relied on more.",
    ),
    "affinity": (
        "Which tasks help each other",
        "Row: the task whose figure it is; column: the task trained with it. ±: half of the 95 % interval.",
    ),
    "shares": (
        "What the tasks read",
        "Row: who reads; column: what is read. Gates: their mean over val; stitches: as they are. At the last "
        "evaluation, mean over seeds, ±: half of the 95 % interval. Experts of one kind have another order in "
        "every seed: one by one they are shown of the first seed only, and over seeds as the sum of their kind. "
        "Of many settings the first six.",
    ),
    "trend": ("How figures change with a setting", "Line: mean over seeds; band: 95 % interval."),
    "expected": (
        "What choosing among n trials brings",
        "Expected value of the highest val skill among n trials drawn from those made (Dodge et al. 2019).",
    ),
    "cost": ("Cost", "Dashed: the plain sum."),
}

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
    """Writes comparison.csv, a PNG per picture and report.html into `out`. Returns their paths.

    Each file is written completely or not at all. Pictures of an earlier comparison that this one does not have are
    removed. Raises RequestError, before writing, if a file that mtlrun compare has not made would be overwritten.
    """
    remove_abandoned(out)
    with style():
        drawn = figures(comparison)
        table, page = out / "comparison.csv", out / PAGE
        paths = {name: out / f"{name}.png" for name in drawn}
        require_ours([table, page, *paths.values()])
        for old in out.glob("*.png"):
            if old not in paths.values() and _ours(old):
                old.unlink()
        write_text(table, render(comparison, "csv"))
        for name, path in paths.items():
            write_atomic(path, partial(save_png, drawn[name]))
        pictures = [Picture(name, inline_svg(figure, name)) for name, figure in drawn.items()]
    write_text(page, html(comparison, pictures))
    return [table, *paths.values(), page]


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


def inline_svg(figure: Figure, name: str) -> str:
    """The figure as an <svg> element for a page. Its ids begin with `name`; it uses the colours and font of the page.

    These are CSS variables: --blue … --ink, --soft, --grid, --paper and --font. Call this within `style()`.
    """
    file = io.StringIO()
    empty = {"Date": None, "Creator": None, "Format": None, "Type": None}
    figure.savefig(file, format="svg", transparent=True, metadata=empty)
    text = file.getvalue()
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
    title = escape(str(figure.get_label()))
    width = float(box[1].split()[2]) * 4 / 3  # points to CSS pixels
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink" viewBox="{box[1]}" '
        f'width="{width:.0f}" role="img" aria-labelledby="{name}-title"><title id="{name}-title">{title}</title>'
        f"{body.strip()}"
    )


def _page_style(declarations: str) -> str:
    declarations = re.sub(r"#[0-9a-f]{6}", lambda match: _variable(match[0]), declarations)
    return declarations.replace("'DejaVu Sans'", "var(--font)")


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
    columns = table(comparison)
    if sum(column.task for column in columns) > 3:  # first what compares settings; the tasks may need scrolling
        columns = sorted(columns, key=lambda column: column.task)
    by_section: dict[str, list[Picture]] = {}
    for picture in pictures:
        by_section.setdefault(_section(picture.name), []).append(picture)
    dead = any(entry.metric.startswith(DEAD) for entry in comparison.diagnostics)
    logged = {*by_section, *(["dead"] if dead else [])}
    return _template().render(
        comparison=comparison,
        opening=opening(comparison),
        next_steps=next_steps(replace(comparison, page="")),
        details=details(comparison),
        signature=SIGNATURE,
        headings=columns,
        rows=list(zip(comparison.rows, lines(columns, len(comparison.rows)), strict=True)),
        pictures=by_section,
        sections=_SECTIONS,
        findings=dict(by_kind(comparison.findings)),
        costs=[row for row in comparison.rows if row.cost is not None or row.parameters is not None],
        diagnostics=diagnostics(comparison),
        unlogged={what: words for section, (what, words) in _LOGGED.items() if section not in logged},
        kinds=_KINDS,
        mark=lambda row: mark(comparison, row),
        tone=lambda row: _tone(comparison, row),
        reading=reading,
        number=number,
        with_interval=with_interval,
        probability=probability,
        relative_time=relative_time,
    )


def _section(name: str) -> str:
    return next(section for section in _SECTIONS if name == section or name.startswith(f"{section}_"))


def _tone(comparison: Comparison, row: Row) -> str:
    if row.label == comparison.reference:
        return "reference"
    return row.against.verdict if row.against else ""
