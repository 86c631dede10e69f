"""A comparison as CSV: one line per setting, in full precision. An empty cell is a missing figure."""

import csv
import io
import math
from collections.abc import Mapping, Sequence

from mtlrun.compare.records import Against, Comparison, Cost, Estimate, Row
from mtlrun.compare.report.result_table import verdict_word
from mtlrun.compare.report.rounding import ABSENT
from mtlrun.util.terminal import cell

# column -> attribute
AGAINST = {
    "wins": "wins",
    "wins/low": "wins_low",
    "wins/high": "wins_high",
    "p_permutation": "p_permutation",
    "p_t": "p_t",
    "p": "p",
    "p_holm": "p_holm",
}
COST = {"time_relative": "relative", "seconds_per_step": "seconds_per_step", "memory_bytes": "memory"}


def as_csv(comparison: Comparison) -> str:
    """The CSV text: a header and a line per setting."""
    settings = list(dict.fromkeys(key for row in comparison.rows for key in row.settings))
    chosen = list(dict.fromkeys(key for row in comparison.rows for key in row.chosen))
    lines = [_line(comparison, row, settings, chosen) for row in comparison.rows]
    file = io.StringIO()
    writer = csv.DictWriter(file, list(lines[0]) if lines else ["label", "kind"], lineterminator="\n")
    writer.writeheader()
    writer.writerows(lines)
    return file.getvalue()


def _line(comparison: Comparison, row: Row, settings: Sequence[str], chosen: Sequence[str]) -> dict[str, str]:
    """The line of a row: header -> cell. settings, chosen: the keys of all rows."""
    verdict = verdict_word(comparison, row)
    line: dict[str, object] = {"label": row.label, "kind": row.kind}
    line |= {key: row.settings.get(key) for key in settings}
    line |= {f"chosen {key}": row.chosen.get(key) for key in chosen}
    line["seeds"] = " ".join(map(str, row.seeds))
    for column in comparison.columns:
        line |= _interval(f"{column.task}/{column.metric}", row.figures.get(column.task))
    line |= _interval("delta_m", row.delta_m) | _interval("delta_m_metrics", row.delta_m_metrics)
    line["rank"] = row.rank
    line |= _interval("difference", row.against.difference if row.against else None)
    line |= _attributes(row.against, AGAINST)
    line |= {
        "verdict": None if verdict == ABSENT else verdict,
        "leader": row.label == comparison.leader,
        "like_leader": row.like_leader,
        "dominated": row.dominated,
        "dominated_by_fixed": row.dominated_by_fixed,
    }
    line |= _attributes(row.cost, COST)
    line |= {
        "parameters": row.parameters,
        "trials": row.trials,
        "failed": row.failed,
        "unfinished": row.unfinished,
        "runs": " ".join(row.runs),
    }
    return {cell(key): cell(_exact(value)) for key, value in line.items()}


def _interval(name: str, estimate: Estimate | None) -> dict[str, object]:
    return _attributes(estimate, {name: "mean", f"{name}/low": "low", f"{name}/high": "high"})


def _attributes(source: Estimate | Against | Cost | None, attributes: Mapping[str, str]) -> dict[str, object]:
    """Column -> attribute of `source`; None for each column if there is no source."""
    return {column: getattr(source, name, None) for column, name in attributes.items()}


def _exact(value: object) -> str:
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return ""
    return repr(float(value)) if isinstance(value, float) else str(value)
