"""The sentences below the table: how to read it, its signs, and what is missing for a stronger claim."""

from collections.abc import Callable, Iterable, Iterator, Sequence

from mtlrun.compare.records import Comparison, Effect, Finding, Row, TaskColumn
from mtlrun.compare.report.result_table import LEADER, LIKE_LEADER, has_fixed_weights, has_tests, mark, timed
from mtlrun.compare.report.rounding import ABSENT, probability, with_interval
from mtlrun.statistics import seeds_needed
from mtlrun.util.errors import listing


def reading(comparison: Comparison) -> list[str]:
    """How to read the table: the figures, the baseline of Δm, the reference and the signs."""
    return [line for note in NOTES for line in note(comparison)]


def effect_text(effect: Effect) -> str:
    """`+1.2 ± 0.4 (Holm p 0.012)`: a difference of Δm in percent, positive is worse; and whether it is equivalent."""
    within = ", equivalent" if effect.equivalent else ""
    return f"{with_interval(effect.estimate, signed=True)} (Holm p {probability(effect.p_holm)}{within})"


def by_kind(findings: Iterable[Finding]) -> list[tuple[str, list[Finding]]]:
    """Title -> findings: warnings, then what is missing. Titles without findings are left out."""
    titles = {"warning": "Warnings", "missing": "Missing for a stronger claim"}
    groups: dict[str, list[Finding]] = {kind: [] for kind in titles}
    for finding in findings:
        groups[finding.kind].append(finding)
    return [(titles[kind], group) for kind, group in groups.items() if group]


def seeds_text(seeds: Sequence[int]) -> str:
    """`0–7` for consecutive seeds, else `0, 3, 5`."""
    ordered = sorted(seeds)
    if len(ordered) > 2 and ordered[-1] - ordered[0] == len(ordered) - 1:
        return f"{ordered[0]}–{ordered[-1]}"
    return ", ".join(map(str, ordered))


# ---------------------------------------------------------------- how the table is read


def _seeds(comparison: Comparison) -> Iterator[str]:
    seeds = sorted({seed for row in comparison.rows if not row.trivial for seed in row.seeds})
    splits = ""
    if len(seeds) > 1:
        splits = "; each has a split of its own" if comparison.split_varies else "; all share one split"
    yield f"Figures on {comparison.split}; {len(seeds)} seed{'s' * (len(seeds) != 1)} ({seeds_text(seeds)}){splits}."


def _intervals(comparison: Comparison) -> Iterator[str]:
    if any(estimate.low is not None for row in comparison.rows for estimate in row.figures.values()):
        yield f"± is half of the 95 % interval: {comparison.interval}."
    else:
        yield "No intervals: they need two seeds at least."


def _differences(comparison: Comparison) -> Iterator[str]:
    yield f"Δm: the drop against {comparison.baseline}, in percent, mean over the tasks; below 0 is better."
    if any(row.rank is not None for row in comparison.rows):
        yield "Mean rank: the place among all rows, mean over tasks; 1 is first."
    if not has_tests(comparison):
        return
    asked, needed = comparison.asked, comparison.seeds_needed
    others = seeds_needed(asked.count) if asked is not None else needed
    yield (
        f"P(better), the share of seeds; Holm p, the chance of as much in any row by luck alone; and verdict: "
        f"against {comparison.reference}, paired by seed; "
        f"margin {comparison.margin:g} %; p below 0.05 is possible from {needed} seeds on"
        f"{f', for the {asked} from {others}' if others != needed else ''}."
    )


def _signs(comparison: Comparison) -> Iterator[str]:
    if comparison.leader is None:
        return
    name = "best" if comparison.best else "leader, the lowest mean Δm"
    alike = any(mark(comparison, row) == LIKE_LEADER for row in comparison.rows)
    yield f"{LEADER} {name}." + (f" {LIKE_LEADER} not to be told apart from it." if alike else "")


def _below_trivial(comparison: Comparison) -> Iterator[str]:
    trivial = next((row for row in comparison.rows if row.trivial), None)
    if trivial is None:
        return
    worse = []
    for row in comparison.rows:
        tasks = [column.task for column in comparison.columns if not row.trivial and _no_better(row, trivial, column)]
        worse += [f"{row.label} ({listing(tasks)})"] if tasks else []
    if worse:
        yield f"No better than the trivial predictor, which knows no inputs: {'; '.join(worse)}."


def _no_better(row: Row, trivial: Row, column: TaskColumn) -> bool:
    """Whether the mean figure of a row is no better than that of the trivial predictor, over the seeds of both."""
    one, other = row.figures.get(column.task), trivial.figures.get(column.task)
    seeds = one.values.keys() & other.values.keys() if one is not None and other is not None else ()
    if one is None or other is None or not seeds:
        return False
    gain = sum(one.values[seed] - other.values[seed] for seed in seeds)
    return gain <= 0 if column.higher else gain >= 0


def _restarts(comparison: Comparison) -> Iterator[str]:
    if any(row.restarts > 1 for row in comparison.rows):
        yield (
            "Restarts of a seed count as one: its figure is their mean. --by model.restart has a row for each, "
            "--ensemble one for their mean prediction."
        )


def _ensembles(comparison: Comparison) -> Iterator[str]:
    ensembles = [row for row in comparison.rows if row.ensemble]
    if ensembles:
        yield "Ensemble: the mean prediction of so many runs; intervals over seeds, Holm p over ensembles alone."
    if any(not row.seeds for row in ensembles):
        yield "One ensemble of all seeds has no interval and no verdict; -m model.restart=0,1,2,3 gives each seed one."


def _below_fixed(comparison: Comparison) -> Iterator[str]:
    if has_fixed_weights(comparison):
        yield (
            "below fixed: whether some setting of the sweep of fixed weights is nowhere worse, and "
            "somewhere better, in the mean."
        )


def _absent(comparison: Comparison) -> Iterator[str]:
    if any(column.task not in row.figures for column in comparison.columns for row in comparison.rows):
        yield f"{ABSENT} under a task: no run of the setting has this figure."
    untimed = "; ".join(dict.fromkeys(row.cost.why for row in comparison.rows if row.cost and row.cost.why))
    if untimed:
        yield f"{ABSENT} under time: {untimed}." if timed(comparison) else f"No times: {untimed}."


def _chosen(comparison: Comparison) -> Iterator[str]:
    for row in comparison.rows:
        chosen = " ".join(f"{key}={value}" for key, value in row.chosen.items())
        if chosen and row.trials > 1:
            yield f"Chosen on val for {row.label}: {chosen} ({row.trials} trials)."
        elif chosen:
            yield f"Tried for {row.label}, and nothing else: {chosen}."


NOTES: tuple[Callable[[Comparison], Iterator[str]], ...] = (
    _seeds,
    _intervals,
    _differences,
    _signs,
    _below_trivial,
    _restarts,
    _ensembles,
    _below_fixed,
    _absent,
    _chosen,
)
