"""The answer: what to do, by the comparison of the confirmation, and what the search has brought."""

import math
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path

from mtlrun.compare.analyse import analyse
from mtlrun.compare.analysis.options import Options
from mtlrun.compare.collect.folders import collect
from mtlrun.compare.recommendation_records import Gain, Verdict
from mtlrun.compare.records import Comparison, Row, TaskColumn
from mtlrun.compare.report.opening import PAGE, gain_words
from mtlrun.compare.report.writers.terminal_text import opening_text, table_text
from mtlrun.storage.files import write_json
from mtlrun.storage.names import REMARKS
from mtlrun.tune.experiment_file import write_experiment
from mtlrun.tune.finalists import TUNED, finalists
from mtlrun.tune.search import DEFAULT, SearchResult
from mtlrun.tune.setting_runs import Base
from mtlrun.tune.tried import Tried
from mtlrun.util.errors import counted
from mtlrun.util.shell import quoted
from mtlrun.util.terminal import columns, say, shown

MOST = 4  # tasks that a sentence names, and commands for nets on all rows


def say_answer(base: Base, found: SearchResult, confirmed: Path, command: str) -> None:
    """Compares the confirmation, writes its report, prints its table, what to do, and a command for each next step."""
    comparison = analyse(collect([confirmed]), Options())
    remarks = [*_brought(found, comparison), *_next(base, found, comparison, confirmed, command)]
    write_json(confirmed / REMARKS, remarks)
    out = confirmed / "compare"
    comparison = replace(comparison, page=shown(out / PAGE), remarks=remarks)
    from mtlrun.compare.report.page import write_outputs  # matplotlib, jinja2

    write_outputs(comparison, out)
    say(f"{table_text(comparison, columns())}\n{opening_text(comparison, columns())}")


def search_words(found: SearchResult) -> str:
    """What the search has found, on val: `Of 64 settings in 112 runs the best on val, 2.1 % ahead …`."""
    if found.minutes is not None:
        return _no_time(found.minutes)
    tried = _tried(found)
    if found.best is None:
        return f"The search tried {tried}; none was better than the default on val."
    splits = counted(len(found.best.drops), "split")
    ahead = f"{-found.best.mean:.1f} % ahead of the default on {splits}"
    return f"Of {tried} the best on val, {ahead}: {_values(found.best)}."


def _no_time(minutes: float) -> str:
    """What a search says that had no time to train a setting on all splits."""
    enough = math.ceil(10 * minutes) / 10
    return f"The search had no time to train a setting on all splits: tune.minutes={enough:g} is enough for two."


def _learnt(comparison: Comparison) -> bool:
    return comparison.recommendation is None or comparison.recommendation.state != "unlearnt"


def _tried(found: SearchResult) -> str:
    return f"{counted(len(found.tried), 'setting')} in {counted(found.runs, 'run')}"


def _values(best: Tried) -> str:
    return " ".join(f"{key}={value}" for key, value in best.values.items())


# ---------------------------------------------------------------- what the search has brought


def _brought(found: SearchResult, comparison: Comparison) -> Iterator[str]:
    """What the search has brought, by the test of the tuned setting against the default in the comparison.

    Nothing if no model has learnt anything.
    """
    if not _learnt(comparison):
        return
    if found.minutes is not None:
        yield _no_time(found.minutes)
        return
    if found.best is None:
        yield f"The search brought nothing: of {_tried(found)} none was better than the default on val."
        return
    rows = {row.label: row for row in comparison.rows}
    tuned, default = rows.get(TUNED), rows.get(DEFAULT)
    if tuned is None or default is None or comparison.recommendation is None:
        return
    if comparison.recommendation.state != "untrained":
        headline = _headline(_verdict(tuned, comparison), found.best, comparison.margin)
        yield f"{headline}: {_gains(tuned, default, comparison)}."
    yield f"Tuned, the best of {_tried(found)}: {_values(found.best)}."


def _verdict(tuned: Row, comparison: Comparison) -> Verdict:
    if comparison.reference != DEFAULT or tuned.against is None:
        return "undecided"
    return tuned.against.verdict


def _headline(verdict: Verdict, best: Tried, margin: float) -> str:
    tuned = f"the tuned settings, {-best.mean:.1f} % ahead of the default on val of the search"
    if verdict == "better":
        return "The search paid: on fresh seeds the tuned settings are better than the default"
    if verdict == "equivalent":
        return f"The search brought nothing that matters: on fresh seeds {tuned}, are as good as it within {margin:g} %"
    if verdict == "worse":
        return f"The search brought nothing: on fresh seeds {tuned}, are worse"
    return f"The search is not shown to have brought anything: on fresh seeds {tuned}, may be better or worse"


def _gains(tuned: Row, default: Row, comparison: Comparison) -> str:
    """What the tuned setting brings for each task against the default, in its unit and in how many seeds."""
    words = []
    for column in comparison.columns[:MOST]:
        gain = _gain(tuned, default, column)
        if gain is not None:
            words.append(gain_words(gain, column, comparison.margin))
    more = len(comparison.columns) - MOST
    return ", ".join([*words, *([f"{more} more in the table"] if more > 0 else [])])


def _gain(tuned: Row, default: Row, column: TaskColumn) -> Gain | None:
    """The gain in a task, which has no test of its own here; None if no seed has both."""
    ours, theirs = (row.figures.get(column.task) for row in (tuned, default))
    if ours is None or theirs is None or not (seeds := ours.values.keys() & theirs.values.keys()):
        return None
    sign = 1 if column.higher else -1
    gains = [sign * (ours.values[seed] - theirs.values[seed]) for seed in seeds]
    amount = sum(gains) / len(gains)
    wins = sum(gain * amount > 0 for gain in gains)
    return Gain(column.task, amount, wins, len(gains), "undecided")


# ---------------------------------------------------------------- what comes next


def _next(base: Base, found: SearchResult, comparison: Comparison, confirmed: Path, command: str) -> Iterator[str]:
    """Keeps the tuned setting as an experiment; and the commands that train what is recommended on all rows."""
    best = found.best
    if best is not None and _learnt(comparison) and (path := write_experiment(base, best, command)) is not None:
        yield f"To train the tuned settings again:\n{quoted('mtlrun', f'experiment={path.stem}')}"
    commands = [*_on_all_rows(base, best, comparison, confirmed)]
    if commands and len(commands) <= MOST:
        nets = "the recommended net" if len(commands) == 1 else "the recommended nets"
        yield f"To train {nets} on all rows, without rows for val and test:\n{commands[0]}"
        yield from (f"\n{command}" for command in commands[1:])


def _on_all_rows(base: Base, best: Tried | None, comparison: Comparison, confirmed: Path) -> Iterator[str]:
    found = comparison.recommendation
    if found is None or found.state in ("untrained", "unlearnt"):
        return
    tasks = [column.task for column in comparison.columns]
    takes = found.takes or dict.fromkeys(tasks, found.main)
    for label in dict.fromkeys(taken.label for taken in takes.values() if taken.kind != "boosting"):
        ours = {f"[{task}]" for task, taken in takes.items() if taken.label == label}
        for setting in finalists(base, best):
            if setting.label == label and setting.values.get("only", min(ours)) in ours:
                yield _all_rows_command(base, setting.values, confirmed)


def _all_rows_command(base: Base, values: Mapping[str, str], confirmed: Path) -> str:
    length = f"trainer.length_of={shown(confirmed)}"
    return quoted("mtlrun", *base.arguments(values), "data.split.val=0", "data.split.test=0", length)
