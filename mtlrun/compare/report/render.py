"""A comparison as text for the terminal, as Markdown, as a LaTeX table and as CSV; and how its figures are rounded."""

import csv
import io
import math
import shutil
import textwrap
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

from rich.cells import cell_len

from mtlrun.compare.records import CONFLICTS, DEAD, Comparison, Cost, Effect, Estimate, Finding, Row, TaskColumn
from mtlrun.util.terminal import cell, printable

Format = Literal["text", "markdown", "latex", "csv"]

ABSENT = "—"
BEYOND = 2  # digits that a wide interval may show beyond its two, for the sake of narrow ones in its column
LEADER, LIKE_LEADER = "*", "~"
KINDS = {
    "method": "",
    "alone": "single-task nets",
    "pre-trained": "one task, trunk trained before",
    "boosting": "gradient boosting",
    "trivial": "knows no inputs",
}


@dataclass(frozen=True)
class Heading:
    """A column of the table: its heading in two lines, and whether it shows a task's figure."""

    top: str
    below: str
    task: bool = False

    @property
    def text(self) -> str:
        """Both lines in one."""
        return f"{self.top} {self.below}".strip()


def render(comparison: Comparison, format: Format, width: int | None = None) -> str:
    """The comparison in a format, with a newline at its end; `width` in columns is for text (None: the terminal's)."""
    match format:
        case "text":
            return _text(comparison, width or shutil.get_terminal_size((100, 24)).columns)
        case "markdown":
            return _markdown(comparison)
        case "latex":
            return _latex(comparison)
        case "csv":
            return _csv(comparison)


# Figures as words


def number(value: float, digits: int = 4, signed: bool = False) -> str:
    """`value` with that many significant digits, at least those before the point; with a power of ten if far off."""
    if not math.isfinite(value):
        return "∞" if value == math.inf else "−∞" if value == -math.inf else ABSENT
    size = abs(value)
    if size and not 1e-4 <= size < 1e7:
        return _minus(f"{value:{'+' if signed else ''}.{digits - 1}e}")
    decimals = max(0, digits - 1 - math.floor(math.log10(size))) if size else 0
    return _minus(f"{value:{'+' if signed and value else ''}.{decimals}f}")


def with_interval(estimate: Estimate | None, signed: bool = False, decimals: int | None = None) -> str:
    """`0.7634 ± 0.0031`: half of the interval with two significant digits, the mean with as many decimals, or both
    with those of its column.

    `0.76 [0.70, 0.78]` where the mean is not the interval's middle; the mean alone where there is no interval.
    """
    if estimate is None or math.isnan(estimate.mean):
        return ABSENT
    mean, low, high = estimate.mean, estimate.low, estimate.high
    if low is None or high is None or not math.isfinite(high - low):
        return number(mean, 4, signed)
    half = (high - low) / 2
    if half <= 1e-9 * max(abs(mean), abs(high)):
        if decimals is None or not mean or _power(mean, half):
            return f"{number(mean, 4, signed)} ± 0" if mean else "0"
        return f"{_minus(f'{mean:+.{decimals}f}' if signed else f'{mean:.{decimals}f}')} ± 0"
    power = _power(mean, half)
    mean, low, high, half = (value / 10.0**power for value in (mean, low, high, half))
    own = _decimals(mean, half)
    # an interval that the column's decimals would round to nothing keeps its own
    decimals = own if decimals is None or power or round(half, decimals) == 0 else decimals
    sign = "+" if signed and round(mean, decimals) else ""
    middle = _minus(f"{mean:{sign}.{decimals}f}")
    if abs(mean - (low + high) / 2) > 0.1 * half:
        shown = f"{middle} [{_minus(f'{low:.{decimals}f}')}, {_minus(f'{high:.{decimals}f}')}]"
    else:
        narrow = f"{half:.{decimals}f}"
        shown = f"{middle} ± {narrow if float(narrow) else f'{half:.0e}'}"
    return f"({shown})e{power}" if power else shown


def _power(mean: float, half: float) -> int:
    """The power of ten that stands behind a figure far from 1; else 0."""
    largest = max(abs(mean), half)
    return math.floor(math.log10(largest)) if not 1e-4 <= largest < 1e7 else 0


def _decimals(mean: float, half: float) -> int:
    """Those of two significant digits of half an interval, but no more than seven digits of the mean."""
    return min(max(0, 1 - math.floor(math.log10(half))), max(0, 6 - math.floor(math.log10(max(abs(mean), half)))))


def _column(estimates: Sequence[Estimate | None], signed: bool = False) -> list[str]:
    """Figures of one column with one number of decimals: what the narrowest interval needs, but no more than two beyond
    what the widest one does."""
    needed = []
    for own in estimates:
        if own is None or own.low is None or own.high is None or not math.isfinite(own.mean + own.high - own.low):
            continue
        half = (own.high - own.low) / 2
        if half > 1e-9 * max(abs(own.mean), abs(own.high)) and not _power(own.mean, half):
            needed.append(_decimals(own.mean, half))
    decimals = min(max(needed), min(needed) + BEYOND) if needed else None
    return [with_interval(own, signed, decimals) for own in estimates]


def probability(value: float) -> str:
    """A p value: three decimals, `<0.001` below them."""
    return ABSENT if math.isnan(value) else "<0.001" if value < 0.001 else f"{value:.3f}"


def wins(row: Row) -> str:
    """Percent of the seeds in which the row is better than the reference, with the interval."""
    against = row.against
    if against is None or math.isnan(against.wins):
        return ABSENT
    return f"{100 * against.wins:.0f} [{100 * against.wins_low:.0f}, {100 * against.wins_high:.0f}]"


def verdict_word(comparison: Comparison, row: Row) -> str:
    """`better`, `worse`, `equivalent within 1 %`, `undecided`; `reference` for the reference itself."""
    if row.label == comparison.reference:
        return "reference"
    if row.against is None:
        return ABSENT
    word = row.against.verdict
    return f"equivalent within {comparison.margin:g} %" if word == "equivalent" else word


def failures(row: Row) -> str:
    """`2 failed, 1 unfinished`, or an empty string."""
    counted = ((row.failed, "failed"), (row.unfinished, "unfinished"))
    return ", ".join(f"{count} {word}" for count, word in counted if count)


def mark(comparison: Comparison, row: Row) -> str:
    """The leader's sign, the sign of a row not to be told apart from it, or an empty string."""
    if row.label == comparison.leader:
        return LEADER
    return LIKE_LEADER if row.like_leader and comparison.leader is not None else ""


def relative_time(cost: Cost | None) -> str:
    """Time per step as a multiple of the plain sum's."""
    return ABSENT if cost is None or cost.relative is None else f"{cost.relative:.2f}"


def timed(comparison: Comparison) -> bool:
    """Whether some row's time per step can be held against the plain sum's."""
    return any(row.cost is not None and row.cost.relative is not None for row in comparison.rows)


def direction(column: TaskColumn) -> str:
    """`rmse ↓ (dollars)`: the metric, which way is better, and the unit."""
    return f"{column.metric} {'↑' if column.higher else '↓'}" + (f" ({column.unit})" if column.unit else "")


def seeds_text(seeds: Sequence[int]) -> str:
    """`0–7` where seeds follow each other, else `0, 3, 5`."""
    ordered = sorted(seeds)
    if len(ordered) > 2 and ordered[-1] - ordered[0] == len(ordered) - 1:
        return f"{ordered[0]}–{ordered[-1]}"
    return ", ".join(map(str, ordered))


def _minus(text: str) -> str:
    return text.replace("-", "−")


# What every format shows


def table(comparison: Comparison) -> tuple[list[Heading], list[list[str]]]:
    """Headings, and by row the cells beside the label. Columns that would say the same of every row are left out."""
    rows = comparison.rows
    shown: list[tuple[Heading, list[str]]] = []
    if len({row.seeds for row in rows if not row.trivial}) > 1:
        shown.append((Heading("seeds", ""), [str(len(row.seeds)) for row in rows]))
    for column in comparison.columns:
        cells = _column([row.figures.get(column.task) for row in rows])
        shown.append((Heading(column.task, direction(column), task=True), cells))
    shown.append((Heading("Δm %", ""), _column([row.delta_m for row in rows], signed=True)))
    if any(len(column.metrics) > 1 for column in comparison.columns):
        cells = _column([row.delta_m_metrics for row in rows], signed=True)
        shown.append((Heading("Δm %", "per metric"), cells))
    shown.append((Heading("mean", "rank"), [ABSENT if row.rank is None else f"{row.rank:.2f}" for row in rows]))
    shown.append((Heading("P(better)", "%"), [wins(row) for row in rows]))
    adjusted = [ABSENT if row.against is None else probability(row.against.p_holm) for row in rows]
    shown.append((Heading("Holm", "p"), adjusted))
    shown.append((Heading("verdict", ""), [verdict_word(comparison, row) for row in rows]))
    if any(row.dominated_by_fixed is not None for row in rows):
        words = {None: ABSENT, True: "yes", False: "no"}
        shown.append((Heading("below", "fixed"), [words[row.dominated_by_fixed] for row in rows]))
    if any(row.trials > 1 for row in rows):
        shown.append((Heading("trials", ""), [str(row.trials) for row in rows]))
    if timed(comparison):
        shown.append((Heading("time", "× sum"), [relative_time(row.cost) for row in rows]))
    if any(failures(row) for row in rows):
        shown.append((Heading("failures", ""), [failures(row) or ABSENT for row in rows]))
    return [heading for heading, _ in shown], [[cells[i] for _, cells in shown] for i in range(len(rows))]


def diagnostics(comparison: Comparison) -> tuple[list[str], list[tuple[str, list[str]]]]:
    """Conflicts and dead units: what the columns are; and of every setting its label and cells, in percent."""
    found = {(entry.label, entry.task, entry.metric): entry.estimate for entry in comparison.diagnostics}
    figures = list(dict.fromkeys((task, metric) for _, task, metric in found))
    labels = list(dict.fromkeys(label for label, _, _ in found))
    columns = [_column([_percent(found.get((label, *figure))) for label in labels]) for figure in figures]
    headings = []
    for task, metric in figures:
        layer = metric.removeprefix(DEAD)
        headings.append("conflicts" if metric == CONFLICTS else f"dead: {task or 'trunk'} layer {layer}")
    return headings, [(label, [column[i] for column in columns]) for i, label in enumerate(labels)]


def _percent(share: Estimate | None) -> Estimate | None:
    if share is None:
        return None
    low, high = (None if end is None else 100 * end for end in (share.low, share.high))
    return Estimate(100 * share.mean, low, high, {seed: 100 * value for seed, value in share.values.items()})


def reading(comparison: Comparison) -> list[str]:
    """How the table is read: whose figures, what Δm is relative to, against what, and its signs."""
    rows = [row for row in comparison.rows if not row.trivial]
    seeds = sorted({seed for row in rows for seed in row.seeds})
    own = len(seeds) > 1 and ("; each has a split of its own" if comparison.split_varies else "; all share one split")
    lines = [
        f"Figures on {comparison.split}; {len(seeds)} seed{'s' * (len(seeds) != 1)} ({seeds_text(seeds)}){own or ''}.",
        f"± is half of the 95 % interval: {comparison.interval}."
        if _has_intervals(comparison)
        else "No intervals: they need two seeds at least.",
        f"Δm: percent of {comparison.baseline}, positive is worse.",
        f"P(better), Holm p and verdict: against {comparison.reference}, paired by seed; "
        f"margin {comparison.margin:g} %; p below 0.05 is possible from {comparison.seeds_needed} seeds on.",
    ]
    if comparison.leader is not None:
        name = "best" if comparison.best else "leader, the lowest mean Δm"
        lines.append(
            f"{LEADER} {name}."
            + (
                f" {LIKE_LEADER} not to be told apart from it."
                if any(mark(comparison, row) == LIKE_LEADER for row in comparison.rows)
                else ""
            )
        )
    if any(row.dominated_by_fixed is not None for row in comparison.rows):
        lines.append(
            "below fixed: whether some setting of the sweep of fixed weights is nowhere worse, and "
            "somewhere better, in the mean."
        )
    if any(column.task not in row.figures for column in comparison.columns for row in comparison.rows):
        lines.append(f"{ABSENT} under a task: no run of the setting has this figure.")
    untimed = "; ".join(dict.fromkeys(row.cost.why for row in comparison.rows if row.cost and row.cost.why))
    if untimed:
        lines.append(f"{ABSENT} under time: {untimed}." if timed(comparison) else f"No times: {untimed}.")
    for row in comparison.rows:
        if row.chosen:
            chosen = " ".join(f"{key}={value}" for key, value in row.chosen.items())
            lines.append(
                f"Chosen on val for {row.label}: {chosen} ({row.trials} trials)."
                if row.trials > 1
                else f"Tried for {row.label}, and nothing else: {chosen}."
            )
    return lines


def effect_text(effect: Effect) -> str:
    """`+1.2 ± 0.4 (Holm p 0.012)`: a contrast in percent of Δm, positive is worse; whether it is next to none."""
    within = ", equivalent" if effect.equivalent else ""
    return f"{with_interval(effect.estimate, signed=True)} (Holm p {probability(effect.p_holm)}{within})"


def by_kind(findings: Iterable[Finding]) -> list[tuple[str, list[Finding]]]:
    """Findings under their titles: warnings, then what is missing; titles without findings are left out."""
    found = list(findings)
    titles = (("Warnings", "warning"), ("Missing for a stronger claim", "missing"))
    groups = [(title, [finding for finding in found if finding.kind == kind]) for title, kind in titles]
    return [(title, group) for title, group in groups if group]


def _has_intervals(comparison: Comparison) -> bool:
    return any(estimate.low is not None for row in comparison.rows for estimate in row.figures.values())


# Text


def wrap(label: str, width: int, lines: int, name: str) -> tuple[list[str], bool]:
    """`label` in at most `lines` lines of `width`; what does not fit gives way to `… name`, and the flag is true."""
    wrapped = textwrap.wrap(printable(label), width, break_on_hyphens=False) or [""]
    if len(wrapped) <= lines:
        return wrapped, False
    tail = f"… {name}"
    return [*wrapped[: lines - 1], wrapped[lines - 1][: max(1, width - len(tail))] + tail], True


def _text(comparison: Comparison, width: int) -> str:
    width = max(width, 50)
    headings, cells = table(comparison)
    out = [*_filled(comparison.title, width), ""]
    for sentence in comparison.verdict:
        out += _filled(sentence, width)
    blocks, limit = _blocks(comparison, headings, cells, width)
    names, legend = [], []
    for index, row in enumerate(comparison.rows, start=1):
        lines, cut = wrap(row.label, limit, 3, f"[{index}]")
        names.append(lines)
        if cut:
            legend += textwrap.wrap(f"[{index}] {printable(row.label)}", width, break_on_hyphens=False)
    for block in blocks:
        out += ["", *_block(comparison, headings, cells, names, block)]
    out.append("")
    for line in [*legend, *reading(comparison)]:
        out += _filled(line, width, "  ")
    if comparison.effects:
        out += ["", "Effects on Δm, in percent (positive: the first is worse)"]
        for effect in comparison.effects:
            contrast = f"{effect.factor}: {effect.level} against {effect.against}"
            out += _filled(f"  {contrast}: {effect_text(effect)}", width, "    ")
    for title, findings in by_kind(comparison.findings):
        out += ["", title]
        for finding in findings:
            out += _filled(f"- {finding.condition}: {finding.text}", width, "  ")
            if finding.command:
                out.append(f"    {printable(finding.command)}")  # in one line, however long, to be copied
    return "\n".join(out) + "\n"


def _filled(text: str, width: int, indent: str = "") -> list[str]:
    return textwrap.wrap(printable(text), width, subsequent_indent=indent, break_on_hyphens=False)


def _widths(headings: Sequence[Heading], cells: Sequence[Sequence[str]]) -> list[int]:
    return [
        max(
            cell_len(printable(heading.top)),
            cell_len(printable(heading.below)),
            *(cell_len(row[i]) for row in cells),
            0,
        )
        for i, heading in enumerate(headings)
    ]


def _blocks(
    comparison: Comparison, headings: list[Heading], cells: list[list[str]], width: int
) -> tuple[list[list[int]], int]:
    """Which columns stand beside each other, and how wide labels may be: all in one block if they fit, else what
    compares settings in the first block and the tasks below."""
    widths = _widths(headings, cells)
    longest = max((cell_len(printable(row.label)) for row in comparison.rows), default=10)
    every = list(range(len(headings)))
    spare = width - 2 - sum(widths[i] + 2 for i in every)
    if spare >= min(longest, 24):
        return [every], min(longest, spare)
    judged = [i for i in every if not headings[i].task]
    spare = width - 2 - sum(widths[i] + 2 for i in judged)
    limit = min(longest, spare if spare >= 16 else max(16, 2 * width // 5 - 2))
    blocks: list[list[int]] = []
    for group in (judged, [i for i in every if headings[i].task]):
        room = -1
        for i in group:
            if room < widths[i] + 2:
                blocks.append([])
                room = width - 2 - limit
            blocks[-1].append(i)
            room -= widths[i] + 2
    return blocks, limit


def _block(
    comparison: Comparison, headings: list[Heading], cells: list[list[str]], names: list[list[str]], block: list[int]
) -> list[str]:
    widths = _widths(headings, cells)
    first = max((cell_len(line) for lines in names for line in lines), default=0)
    first = max(first, len("setting"))

    def line(sign: str, label: str, texts: Sequence[str]) -> str:
        padded = [" " * (widths[i] - cell_len(text)) + text for i, text in zip(block, texts, strict=True)]
        return "  ".join([f"{sign:1} {label}{' ' * (first - cell_len(label))}", *padded]).rstrip()

    out = [line("", "setting", [printable(headings[i].top) for i in block])]
    if any(headings[i].below for i in block):
        out.append(line("", "", [printable(headings[i].below) for i in block]))
    out.append("─" * (2 + first + sum(widths[i] + 2 for i in block)))
    for row, label, figures in zip(comparison.rows, names, cells, strict=True):
        out.append(line(mark(comparison, row), label[0], [figures[i] for i in block]))
        out += [line("", more, ["" for _ in block]) for more in label[1:]]
    return out


# Markdown


def _escape_markdown(text: str) -> str:
    text = printable(text).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    for character in "\\`*_[]|~$":
        text = text.replace(character, f"\\{character}")
    return text


def _markdown(comparison: Comparison) -> str:
    escape = _escape_markdown
    headings, cells = table(comparison)
    out = [f"## {escape(comparison.title)}", "", " ".join(escape(sentence) for sentence in comparison.verdict), ""]
    out.append("| setting | " + " | ".join(escape(heading.text) for heading in headings) + " |")
    out.append("|---|" + "---:|" * len(headings))
    for row, figures in zip(comparison.rows, cells, strict=True):
        sign = mark(comparison, row)
        label = escape(row.label) + (f" {escape(sign)}" if sign else "")
        out.append(f"| {label} | " + " | ".join(escape(figure) for figure in figures) + " |")
    out += ["", *(f"- {escape(line)}" for line in reading(comparison))]
    if comparison.effects:
        out += ["", "| effect on Δm, percent | level | against | estimate | Holm p |", "|---|---|---|---:|---:|"]
        for effect in comparison.effects:
            texts = [effect.factor, effect.level, effect.against, with_interval(effect.estimate, signed=True)]
            out.append("| " + " | ".join(escape(text) for text in [*texts, probability(effect.p_holm)]) + " |")
    for title, findings in by_kind(comparison.findings):
        out += ["", f"### {title}", ""]
        for finding in findings:
            out.append(f"- {escape(finding.condition)}: {escape(finding.text)}")
            if finding.command:
                out += ["", "  ```sh", f"  {printable(finding.command)}", "  ```", ""]
    return "\n".join(out).rstrip() + "\n"


# LaTeX

_TEX = {
    "\\": r"\textbackslash{}",
    "{": r"\{",
    "}": r"\}",
    "$": r"\$",
    "&": r"\&",
    "#": r"\#",
    "_": r"\_",
    "%": r"\%",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "<": r"$<$",
    ">": r"$>$",
    "|": r"$|$",
    "±": r"$\pm$",
    "−": r"$-$",
    "×": r"$\times$",
    "Δ": r"$\Delta$",
    "↑": r"$\uparrow$",
    "↓": r"$\downarrow$",
    "∞": r"$\infty$",
    "—": "---",
    "–": "--",
    "…": r"\ldots{}",
    "·": r"$\cdot$",
    "≥": r"$\geq$",
    "≤": r"$\leq$",
    "²": r"$^2$",
    "½": r"$\frac12$",
    "[": "{[}",
    "]": "{]}",
    "*": "{*}",
}


def _escape_latex(text: str) -> str:
    return "".join(_TEX.get(character, character) for character in printable(text))


def _latex(comparison: Comparison) -> str:
    """A table for a paper (packages booktabs and graphicx); verdict and findings stand in it as comments."""
    escape = _escape_latex
    headings, cells = table(comparison)
    out = [f"% {printable(line)}" for line in [comparison.title, *comparison.verdict]]
    out += [
        r"\begin{table}",
        r"  \centering",
        f"  \\caption{{{escape(' '.join(reading(comparison)))}}}",
        r"  \resizebox{\ifdim\width>\linewidth\linewidth\else\width\fi}{!}{%",
        f"  \\begin{{tabular}}{{l{'r' * len(headings)}}}",
        r"    \toprule",
        "    " + " & ".join(["setting", *(escape(heading.top) for heading in headings)]) + r" \\",
        "    " + " & ".join(["", *(escape(heading.below) for heading in headings)]) + r" \\",
        r"    \midrule",
    ]
    for row, figures in zip(comparison.rows, cells, strict=True):
        sign = mark(comparison, row)
        label = escape(row.label) + (f"$^{{{'*' if sign == LEADER else chr(92) + 'sim'}}}$" if sign else "")
        out.append("    " + " & ".join([label, *map(escape, figures)]) + r" \\")
    out += [r"    \bottomrule", r"  \end{tabular}}", r"\end{table}"]
    for title, findings in by_kind(comparison.findings):
        out.append(f"% {title}")
        for finding in findings:
            out.append(f"% - {printable(finding.condition)}: {printable(finding.text)}")
            out += [f"%     {printable(finding.command)}"] if finding.command else []
    return "\n".join(out) + "\n"


# CSV


def _csv(comparison: Comparison) -> str:
    """One line per setting in full precision; an empty cell is a figure that is not there."""
    settings = list(dict.fromkeys(key for row in comparison.rows for key in row.settings))
    chosen = list(dict.fromkeys(key for row in comparison.rows for key in row.chosen))
    lines = []
    for row in comparison.rows:
        line: dict[str, object] = {"label": row.label, "kind": row.kind}
        line |= {key: row.settings.get(key) for key in settings}
        line |= {f"chosen {key}": row.chosen.get(key) for key in chosen}
        line["seeds"] = " ".join(map(str, row.seeds))
        for column in comparison.columns:
            line |= _spread(f"{column.task}/{column.metric}", row.figures.get(column.task))
        line |= _spread("delta_m", row.delta_m) | _spread("delta_m_metrics", row.delta_m_metrics)
        line["rank"] = row.rank
        against = row.against
        line |= _spread("difference", against.difference if against else None)
        line |= {
            "wins": against and against.wins,
            "wins/low": against and against.wins_low,
            "wins/high": against and against.wins_high,
            "p_permutation": against and against.p_permutation,
            "p_t": against and against.p_t,
            "p": against and against.p,
            "p_holm": against and against.p_holm,
            "verdict": None if verdict_word(comparison, row) == ABSENT else verdict_word(comparison, row),
            "leader": row.label == comparison.leader,
            "like_leader": row.like_leader,
            "dominated": row.dominated,
            "dominated_by_fixed": row.dominated_by_fixed,
            "time_relative": row.cost and row.cost.relative,
            "seconds_per_step": row.cost and row.cost.seconds_per_step,
            "memory_bytes": row.cost and row.cost.memory,
            "parameters": row.parameters,
            "trials": row.trials,
            "failed": row.failed,
            "unfinished": row.unfinished,
            "runs": " ".join(row.runs),
        }
        lines.append({cell(key): cell(_exact(value)) for key, value in line.items()})
    file = io.StringIO()
    writer = csv.DictWriter(file, list(lines[0]) if lines else ["label", "kind"], lineterminator="\n")
    writer.writeheader()
    writer.writerows(lines)
    return file.getvalue()


def _spread(name: str, estimate: Estimate | None) -> dict[str, object]:
    if estimate is None:
        return {name: None, f"{name}/low": None, f"{name}/high": None}
    return {name: estimate.mean, f"{name}/low": estimate.low, f"{name}/high": estimate.high}


def _exact(value: object) -> str:
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return ""
    return repr(float(value)) if isinstance(value, float) else str(value)
