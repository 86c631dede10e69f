"""The recommendation of a comparison as data: the candidates, the verdicts on them, and what to do."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

Verdict = Literal["better", "worse", "equivalent", "undecided", "untrained"]
Kind = Literal["method", "alone", "pre-trained", "boosting", "trivial"]
State = Literal["decided", "same", "undecided", "unlearnt", "untrained", "only"]  # of a recommendation


@dataclass(frozen=True)
class Candidate:
    """One of the ways to get predictions among which a comparison chooses: a row.

    groups: the tasks that learn from each other in a net for all tasks; empty for other kinds
    """

    label: str
    kind: Kind
    groups: tuple[tuple[str, ...], ...] = ()


@dataclass(frozen=True)
class Gain:
    """What one candidate brings for a task against another.

    amount: the mean difference in the unit of the primary metric, positive if the candidate is better; None if the task
        has several metrics whose mean has another sign
    wins, seeds: in so many of these seeds the difference has the sign of `amount`
    verdict: on the candidate, with Holm's adjustment over the tasks
    """

    task: str
    amount: float | None
    wins: int
    seeds: int
    verdict: Verdict


@dataclass(frozen=True)
class Versus:
    """The recommended candidate against another: the verdict over all tasks, and the gain in each.

    within: the difference over all tasks is shown to be within the margin, even if the verdict is "better"
    """

    other: Candidate
    verdict: Verdict
    gains: Sequence[Gain]
    within: bool = False


@dataclass(frozen=True)
class Change:
    """What would change a recommendation.

    by: "runs": those that are not finished; "training": nets trained to the end; "seeds": `seeds` of them at least;
        "more seeds": there are enough to show a large difference; "rows": no number of seeds would, with `rows` in the
        table; "nothing": a confirmation leaves it open; None: it is decided
    command: the command that trains them
    """

    by: Literal["runs", "training", "seeds", "more seeds", "rows", "nothing"] | None
    seeds: int = 0
    rows: int = 0
    command: str | None = None


@dataclass(frozen=True)
class Recommendation:
    """What to do, by the tests of the table and of the tasks.

    state: "decided": for some task at least; "same": all candidates are equivalent; "undecided"; "unlearnt": no
        candidate is shown to be better than the trivial predictor in any task; "untrained": a candidate is not trained
        to the end; "only": there is one candidate
    settings: the candidates are settings of one kind, such as two losses
    main: the candidate that is recommended; if undecided, the one with the lowest Δm
    takes: task -> what is recommended for it, for the tasks of which it is decided
    undecided, unlearnt: the tasks of which it is undecided, and those in which nothing is shown to be learnt
    rivals: candidates that are not shown to be worse or equivalent; same: those that are equivalent
    worse: the number of candidates that are shown to be worse
    versus: `main` against the others; for a single candidate, against the trivial predictor
    absent: the kinds of candidates that nobody trained
    doubts: sentences on nets that nobody should conclude from
    see: the command that shows the runs
    predict, export: the commands that use the recommended settings; boosting is not exported
    """

    state: State
    settings: bool
    main: Candidate
    takes: Mapping[str, Candidate]
    undecided: Sequence[str] = ()
    unlearnt: Sequence[str] = ()
    rivals: Sequence[Candidate] = ()
    same: Sequence[Candidate] = ()
    worse: int = 0
    versus: Sequence[Versus] = ()
    absent: Sequence[Kind] = ()
    change: Change = Change(None)
    doubts: Sequence[str] = ()
    see: str | None = None
    predict: Sequence[str] = ()
    export: Sequence[str] = ()
