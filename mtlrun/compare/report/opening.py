"""The opening of a comparison: what to do in words that need no statistics, and a command for each next step."""

import re
from collections.abc import Iterator, Mapping, Sequence

from mtlrun.compare.recommendation_records import Candidate, Change, Gain, Kind, Recommendation, Verdict, Versus
from mtlrun.compare.records import TEST_ROWS, Comparison, TaskColumn
from mtlrun.compare.report.rounding import number
from mtlrun.compare.report.wording import enumerated, sentence_case
from mtlrun.util.errors import counted

PAGE = "report.html"
TASKS, FEW = 4, 2  # tasks that a sentence names; FEW if nothing is decided and there are several such sentences
GUESSING = "guessing without inputs"  # the trivial predictor
NAMES: Mapping[Kind, str] = {
    "method": "one net for all targets",
    "alone": "a net for each target",
    "pre-trained": "nets with a pre-trained trunk",
    "boosting": "gradient boosting",
}


def opening(comparison: Comparison) -> list[str]:
    """The sentences that come first; without a recommendation the verdict. A sentence may end in a command."""
    found = comparison.recommendation
    if found is None:
        return [*comparison.verdict, *comparison.remarks]
    margin, columns = comparison.margin, {column.task: column for column in comparison.columns}
    sentences = [*_what(found, margin), *found.doubts]
    if found.state not in ("untrained", "unlearnt"):
        sentences += [_gains(found, versus, columns, margin) for versus in found.versus if versus.gains]
    boosted = any(taken.kind == "boosting" for taken in (found.main, *found.takes.values())) and found.predict
    exported = ["Gradient boosting predicts, but cannot be exported."] if boosted else []
    sentences += _one_split(found, comparison)
    return [*sentences, *_change(found.change, comparison), *_absent(found), *exported, *comparison.remarks]


def details(comparison: Comparison) -> list[str]:
    """The sentences of the verdict that follow the table: those that the opening does not say."""
    if comparison.recommendation is None:
        return []
    said = comparison.recommendation.doubts
    if comparison.recommendation.state == "only":
        return []
    return [sentence for sentence in comparison.verdict if sentence not in said]


# ---------------------------------------------------------------- what to do


def _what(found: Recommendation, margin: float) -> Iterator[str]:
    """What to do, and the tasks of which nothing is known."""
    if found.state == "unlearnt":
        yield f"Nothing is shown to be learnt: no model is shown to be better than {GUESSING}."
        return
    yield WHAT[found.state](found, margin)
    if found.undecided and found.takes:
        yield f"Not decided for {enumerated(found.undecided, TASKS)}."
    if found.unlearnt:
        tasks = enumerated(found.unlearnt, TASKS)
        yield f"Nothing is shown to be learnt of {tasks}: no model is shown to be better than {GUESSING}."


def _decided(found: Recommendation, margin: float) -> str:
    small = found.versus and all(versus.within for versus in found.versus if versus.verdict == "better")
    hardly = f"; the difference is within {margin:g} %, so it hardly matters" if small and found.worse else ""
    same = [_name(other, found) for other in found.same]
    as_good = f"; {enumerated(same)} {_is(same)} as good within {margin:g} %" if same else ""
    if found.settings:
        rivals = [other.label for other in found.rivals]
        maybe = f"; {enumerated(rivals)} may be as good" if rivals else ""
        return f"Take {found.main.label}{_better_than(found)}{maybe}{as_good}{hardly}."
    parts = _by_candidate(found)
    if len(parts) == 1 and not found.undecided:
        ((candidate, tasks),) = parts.items()
        return f"{_take(candidate, tasks, found, whole=candidate == found.main)}{as_good}{hardly}."
    return sentence_case(f"{'; '.join(_for(*part, found) for part in parts.items())}.")


def _better_than(found: Recommendation) -> str:
    """The settings of one kind that the main one is shown to be better than."""
    if found.worse > 1 and not found.rivals and not found.same:
        return f", which is better than the {found.worse} others"
    against = [versus.other.label for versus in found.versus if versus.verdict == "better"]
    more = f" and {found.worse - 1} more" if found.worse > 1 else ""
    return f", which is better than {against[0]}{more}" if against else ""


def _by_candidate(found: Recommendation) -> dict[Candidate, list[str]]:
    """Candidate -> the tasks that it is taken for, the main candidate first."""
    parts: dict[Candidate, list[str]] = {}
    for task, candidate in sorted(found.takes.items(), key=lambda item: item[1] != found.main):
        parts.setdefault(candidate, []).append(task)
    return parts


def _take(candidate: Candidate, tasks: Sequence[str], found: Recommendation, whole: bool) -> str:
    """What to do if one candidate is taken for all tasks. whole: it is also the best over all tasks."""
    names = enumerated(tasks, TASKS)
    if not whole or candidate.kind == "boosting":
        return sentence_case(_for(candidate, tasks, found))
    if candidate.kind == "method":
        return f"Train {_together(candidate, tasks)} ({candidate.label})"
    apart = "each by itself" if len(tasks) > 1 else "by itself"
    return f"Train {names} {apart} ({candidate.label})" if candidate.label != "alone" else f"Train {names} {apart}"


def _together(candidate: Candidate, tasks: Sequence[str]) -> str:
    """`a and b together and c by itself`: which of the tasks learn from each other in a net for all."""
    if len(candidate.groups) < 2:
        return f"{enumerated(tasks, TASKS)} together"
    parts, single = [], []
    for group in candidate.groups:
        own, others = [t for t in tasks if t in group], [t for t in group if t not in tasks]
        if len(group) == 1:
            single += own
        elif own:
            parts.append(f"{enumerated(own, TASKS)} {'together' if own[1:] else f'with {enumerated(others, TASKS)}'}")
    if single:
        parts.append(f"{enumerated(single, TASKS)} {'each by itself' if single[1:] else 'by itself'}")
    return enumerated(parts, TASKS)


def _for(candidate: Candidate, tasks: Sequence[str], found: Recommendation) -> str:
    """What to do for some of the tasks."""
    names = enumerated(tasks, TASKS)
    label = "" if candidate.label in ("alone", "boosting") else f" ({candidate.label})"
    if candidate.kind == "method":
        return f"train the targets together{label} for {names}"
    if candidate.kind == "boosting":
        return f"take gradient boosting{label} for {names}"
    return f"train {names} {'each by itself' if len(tasks) > 1 else 'by itself'}{label}"


def _same(found: Recommendation, margin: float) -> str:
    names = [_name(candidate, found) for candidate in (found.main, *found.same)]
    return f"It does not matter within {margin:g} %: {enumerated(names)} are as good; {names[0]} will do."


def _undecided(found: Recommendation, margin: float) -> str:
    names = [_name(candidate, found) for candidate in (found.main, *(found.rivals or found.same))]
    return f"Not decided between {enumerated(names)}; for now {names[0]} is ahead."


def _untrained(found: Recommendation, margin: float) -> str:
    return "Not decided yet: the nets are not trained to the end."


def _only(found: Recommendation, margin: float) -> str:
    return f"Nothing to choose: {found.main.label} is the only setting."


WHAT = {"decided": _decided, "same": _same, "undecided": _undecided, "untrained": _untrained, "only": _only}


def _name(candidate: Candidate, found: Recommendation) -> str:
    """A candidate in words; a setting of one kind by its label."""
    if found.settings:
        return candidate.label
    name = _short(candidate, found)
    return name if candidate.label in ("alone", "boosting") else f"{name} ({candidate.label})"


def _is(names: Sequence[str]) -> str:
    return "is" if len(names) == 1 else "are"


# ---------------------------------------------------------------- what it brings


def _gains(found: Recommendation, versus: Versus, columns: Mapping[str, TaskColumn], margin: float) -> str:
    """What the main candidate brings against another: for each task by how much, in its unit, and in how many seeds.

    Undecided tasks come last.
    """
    known = [gain for gain in versus.gains if gain.task not in found.unlearnt]
    most = FEW if found.state == "undecided" and len(found.versus) > 1 else TASKS
    shown = sorted(known, key=lambda gain: gain.verdict == "undecided")[:most]
    words = [gain_words(gain, columns[gain.task], margin) for gain in shown]
    decided = sum(gain.verdict != "undecided" for gain in shown)
    parts = [", ".join(words[:decided])]
    apart = any(gain.verdict in ("better", "worse") for gain in known)
    if len(known) > 1 and not apart and versus.verdict != "undecided" and decided < len(known):
        parts.insert(0, f"{_verdict(versus.verdict, margin)} on average over the targets")
    if len(known) > most:
        words.append(f"{len(known) - most} more in the table")
    if words[decided:]:
        parts.append(f"{'not decided: ' if decided < len(shown) else ''}{', '.join(words[decided:])}")
    subject = "" if found.settings or set(found.takes.values()) == {found.main} else f"{_short(found.main, found)} "
    other = GUESSING if versus.other.kind == "trivial" else _short(versus.other, found)
    text = re.sub(r"(of \d+)\)", r"\1 seeds)", "; ".join(filter(None, parts)), count=1).replace(
        "of 1 seeds", "of 1 seed"
    )
    return sentence_case(f"{subject}against {other}{', ' if text.startswith('not') else ': '}{text}.")


def _short(candidate: Candidate, found: Recommendation) -> str:
    """A candidate in words, without the label of its row."""
    if found.settings:
        return candidate.label
    tasks = {gain.task for versus in found.versus for gain in versus.gains}
    return "a net" if candidate.kind == "alone" and len(tasks) == 1 else NAMES.get(candidate.kind, candidate.label)


def _verdict(verdict: Verdict, margin: float) -> str:
    return f"the same within {margin:g} %" if verdict == "equivalent" else verdict


def gain_words(gain: Gain, column: TaskColumn, margin: float) -> str:
    """`price better by 41 dollars rmse (8 of 8)`."""
    if gain.verdict == "equivalent":
        return f"{gain.task} {_verdict(gain.verdict, margin)}"
    if gain.amount is None:
        return f"{gain.task} {gain.verdict} over its metrics"
    word = ("worse" if gain.amount < 0 else "better") if gain.verdict == "undecided" else gain.verdict
    if not gain.amount:
        return f"{gain.task} the same on average"
    amount = number(float(f"{abs(gain.amount):.1e}"), 2)  # rounded first: 0.9999 is 1.0, not 1.00
    size = " ".join(part for part in (amount, column.unit, column.metric) if part)
    return f"{gain.task} {word} by {size} ({gain.wins} of {gain.seeds})"


# ---------------------------------------------------------------- what would change it, and the next steps


def _change(change: Change, comparison: Comparison) -> Iterator[str]:
    """What would change it, with a command where one helps."""
    have = max((len(row.seeds) for row in comparison.rows if not row.trivial), default=0)
    words = {
        "runs": "Runs are not finished; they may change this.",
        "seeds": f"{counted(have, 'seed')} cannot decide it: {change.seeds} are needed at least.",
        "more seeds": "More seeds may decide it.",
        "rows": f"More seeds will not decide it: the {change.rows:,} rows of the table are the limit.",
        "nothing": "The confirmation leaves it open; to repeat it until it pleases would undo it.",
    }
    if change.by in words:
        yield f"{words[change.by]}\n{change.command}" if change.command else words[change.by]


def _one_split(found: Recommendation, comparison: Comparison) -> Iterator[str]:
    """That the answer is of one split of the rows, if the intervals do not cover others."""
    warned = any(finding.condition == TEST_ROWS for finding in comparison.findings)
    if found.state in ("decided", "same") and warned and found.versus:
        yield "All seeds share one split of the rows: it may be otherwise with other rows."


def _absent(found: Recommendation) -> Iterator[str]:
    """The kinds of candidates that the comparison cannot judge."""
    if found.state in ("untrained", "unlearnt"):
        return
    absent = [NAMES[kind] for kind in found.absent]
    if absent:
        command = f"\n{found.change.command}" if found.state == "only" and found.change.command else ""
        yield f"Whether {enumerated(absent)} {'is' if len(absent) == 1 else 'are'} better was not tried.{command}"


def next_steps(comparison: Comparison) -> list[tuple[str, str]]:
    """What to do next, in a word, and its command; several in a row have the word once."""
    found = comparison.recommendation
    if found is None:
        return []
    steps = [("see", comparison.page), ("see", found.see), *(("use", command) for command in found.predict)]
    steps += [("export", command) for command in found.export]
    return [(word, command) for word, command in steps if command]
