"""The answers of a comparison besides its table: contrasts of a plan, effects of a factorial, pairs of tasks."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from mtlrun import statistics
from mtlrun.compare.analysis import questions
from mtlrun.compare.analysis.comparison_table import Table
from mtlrun.compare.analysis.effects import Contrasts, contrasts, effects, main
from mtlrun.compare.analysis.questions import Tested, Together
from mtlrun.compare.analysis.task_affinity import affinity
from mtlrun.compare.records import TEST_ROWS, Affinity, Effect, Estimate, Finding, Row
from mtlrun.compose.question_counts import Asked, asked


@dataclass(frozen=True)
class Answers:
    """The answers of a comparison besides its table.

    contrasts: contrasts of a plan, if the rows are its arms
    factorial: effects of rows that form a complete grid, if there are no contrasts
    affinity: figures of tasks that were trained in pairs
    """

    contrasts: Contrasts | None
    factorial: Sequence[Effect]
    affinity: Affinity | None

    @property
    def effects(self) -> Sequence[Effect]:
        """All named differences."""
        return self.factorial if self.contrasts is None else self.contrasts.effects

    def asked(self, rows: int) -> Asked:
        """The questions that the runs were made for. rows: the number of rows that the table tests."""
        return asked(
            contrasts=0 if self.contrasts is None else len(self.contrasts.effects),
            main_effects=len(main(self.factorial)),
            gains=0 if self.affinity is None else len(self.affinity.gains),
            rows=rows,
        )

    @property
    def answers(self) -> Sequence[Estimate]:
        """The estimates that answer these questions; none if only the table answers them."""
        effects = main(self.factorial) if self.contrasts is None else self.contrasts.effects
        gains = [] if self.affinity is None else [*self.affinity.gains.values()]
        return [effect.estimate for effect in effects] or gains


def find_answers(table: Table, over_test_rows: bool, findings: list[Finding]) -> Answers:
    """Computes the answers. over_test_rows: the table covers other test rows; the answers do not."""
    criteria, comparators, results = table.criteria, table.comparators, table.results
    settings = [result.setting for result in results]
    pairs = affinity(settings, comparators.baseline.setting, criteria, findings)
    arms = contrasts(results, criteria)
    factorial = arms is None and not comparators.by_rows
    grid = effects(results, comparators.reference, criteria) if factorial else []
    if over_test_rows and (arms is not None or grid or comparators.by_rows):
        text = "contrasts, effects and learning curves hold for other seeds on these test rows"
        findings.append(Finding("warning", TEST_ROWS, text))
    return Answers(arms, grid, pairs)


@dataclass(frozen=True)
class Facts:
    """The facts from which the sentences of the verdict are made.

    rows: in the order of the table, without the trivial predictor
    seeds: the largest number of seeds of a paired difference
    needed: the fewest seeds with which a difference can be significant
    effects: main effects and interactions of a factorial
    curve: number of training rows -> the shared net against single-task nets with the same rows
    affinity: gains of tasks in pairs
    boosting: the label of its row, and its difference to every net
    doubts: what is said before anything else: nets that are not trained to the end, or below the trivial predictor
    ensembles: rows of ensembles
    """

    rows: Sequence[Row]
    reference: Row
    leader: str | None
    best: bool
    margin: float
    seeds: int
    needed: int
    contrasts: Contrasts | None = None
    effects: Sequence[Effect] = ()
    together: Together | None = None
    curve: Mapping[int, Tested] = field(default_factory=dict)
    affinity: Affinity | None = None
    boosting: tuple[str, Sequence[Tested]] | None = None
    doubts: Sequence[str] = ()
    ensembles: Sequence[Row] = ()


def facts(answers: Answers, table: Table, best: bool, doubts: Sequence[str]) -> Facts:
    """Collects the facts for the verdict, without answers on rows that are not trained to the end.

    best: whether the leader may be called best; doubts: what is said first
    """
    criteria, results = table.criteria, table.results
    rows = [result.row for result in table.ordered]
    needed = statistics.seeds_needed(answers.asked(table.tested).count)
    seeds = _seeds(rows, answers.answers, needed)
    trained = not any(row.untrained for row in rows)
    together = questions.together(results, table.comparators, criteria)
    pair = [row for row in rows if together and row.label in (together.label, together.alone)]
    curve = questions.curve(results, table.comparators, criteria) if table.comparators.by_rows else {}
    return Facts(
        rows=rows,
        reference=table.comparators.reference.row,
        leader=table.leader_label,
        best=best,
        margin=criteria.margin,
        seeds=seeds,
        needed=needed,
        contrasts=answers.contrasts if trained else None,
        effects=answers.factorial if trained else (),
        together=None if any(row.untrained for row in pair) else together,
        curve=curve if trained else {},
        affinity=answers.affinity if trained else None,
        boosting=questions.boosting(results, table.comparators, criteria) if trained else None,
        doubts=doubts,
        ensembles=[ensemble.row for ensemble in table.ensembles],
    )


def _seeds(rows: Sequence[Row], asked: Sequence[Estimate], needed: int) -> int:
    """The largest number of seeds of a paired difference in the answers, or else of a row against the reference."""
    if asked:
        return max(estimate.n for estimate in asked)
    paired = [row.against.difference.n for row in rows if row.against is not None and row.against.difference.n]
    return max(paired, default=needed if len(rows) < 2 else 0)
