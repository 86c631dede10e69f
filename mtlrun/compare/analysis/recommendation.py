"""The recommendation: which candidate to take for which task, what that brings, and what would change it.

Candidates are a shared net, single-task nets (also with a pre-trained trunk) and boosting, one row of each kind; or the
settings of one kind, if all rows have it. Nothing is tested here that the table or `questions` test otherwise: over all
tasks the table's test counts where it has one, and each task has the test of "together or alone", Holm over the tasks.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property

import numpy as np

from mtlrun import statistics
from mtlrun.compare.analysis import questions
from mtlrun.compare.analysis.answers import Answers
from mtlrun.compare.analysis.comparison_table import Table
from mtlrun.compare.analysis.conditions import UNFINISHED
from mtlrun.compare.analysis.inference import paired_difference
from mtlrun.compare.analysis.questions import Tested
from mtlrun.compare.analysis.reference import closest_alone, most_usual
from mtlrun.compare.analysis.setting_result import Figures, SettingResult, trivial_figures
from mtlrun.compare.collect.members import words_for
from mtlrun.compare.collect.original_words import is_confirmation
from mtlrun.compare.collect.run_record import Collection, RunRecord
from mtlrun.compare.collect.shell_commands import origin
from mtlrun.compare.recommendation_records import Candidate, Change, Gain, Kind, Recommendation, State, Verdict, Versus
from mtlrun.compare.records import Finding, TaskColumn
from mtlrun.config.schema import SHARINGS
from mtlrun.config.values import from_mapping
from mtlrun.runs.logs import tensorboard_command
from mtlrun.util.shell import quoted

MAIN_KINDS: tuple[Kind, ...] = ("method", "alone", "boosting")
ROUNDING = 1e-9  # share of a figure below which a mean difference is a rounding error
NEW, PREDICTIONS, MODEL = "new.csv", "predictions{}.csv", "model{}.onnx"  # in the commands for the user


def recommend(
    table: Table, answers: Answers, collection: Collection, doubts: Sequence[str], missing: Sequence[Finding]
) -> Recommendation | None:
    """The recommendation of a comparison; None if its runs answer another question.

    doubts: sentences on nets that nobody should conclude from; missing: what is missing for a stronger claim
    """
    gains = answers.affinity is not None and answers.affinity.gains
    if table.comparators.by_rows or gains or (answers.contrasts is not None and answers.contrasts.effects):
        return None
    contest = Contest.of(table)
    if not contest.candidates:
        return None
    needed = statistics.seeds_needed(answers.asked(table.tested).count)
    found = contest.recommendation()
    usable = found.state not in ("untrained", "unlearnt")
    predict, export = _use(contest, found, collection) if usable else ((), ())
    return replace(
        found,
        change=_change(contest, found, needed, collection, missing),
        doubts=doubts,
        see=tensorboard_command(collection.folders[0]) if _has_events(collection) else None,
        predict=predict,
        export=export,
    )


@dataclass(frozen=True, eq=False)
class Contest:
    """The candidates, each against each. settings: they are all of one kind."""

    table: Table
    candidates: Sequence[SettingResult]
    settings: bool
    _tests: dict[tuple[SettingResult, SettingResult | None], Mapping[str, Tested]] = field(default_factory=dict)

    @classmethod
    def of(cls, table: Table) -> "Contest":
        """The candidates of a table, in the order of preference if they are equivalent."""
        results = [result for result in table.results if result.complete and result.delta_m is not None]
        of_kind: dict[Kind, list[SettingResult]] = {}
        for result in results:
            of_kind.setdefault(result.setting.kind, []).append(result)
        if len(of_kind) < 2:
            reference = table.comparators.reference
            return cls(table, sorted(results, key=lambda result: result is not reference), True)
        shared = _representative(of_kind.get("method"), table.comparators.plain or most_usual(results), table)
        alone = _representative(of_kind.get("alone"), closest_alone(results, shared), table)
        before = min(of_kind.get("pre-trained", ()), key=_mean, default=None)
        found = [shared, alone, before, questions.best_boosting(results)]
        return cls(table, [result for result in found if result is not None], False)

    def recommendation(self) -> Recommendation:
        """The recommendation, without commands."""
        main, columns = self.main, self.table.criteria.columns
        verdicts = {other: self.whole(main, other) for other in self.candidates if other is not main}
        if any(result.row.untrained for result in self.candidates):
            return Recommendation("untrained", self.settings, _candidate(main), {})
        learnt = {column.task: self._learnt(column) for column in columns}
        picks = {task: self._pick(task, verdicts) for task in learnt if learnt[task]}
        takes = {task: pick for task, pick in picks.items() if pick is not None}
        undecided = [task for task in picks if task not in takes]
        state = self._state(takes, undecided, verdicts)
        return Recommendation(
            state,
            self.settings,
            _candidate(main),
            {} if state == "undecided" else {task: _candidate(pick) for task, pick in takes.items()},
            undecided=undecided,
            unlearnt=[task for task in learnt if not learnt[task]],
            rivals=_of_verdict(verdicts, "undecided", "worse"),
            same=_of_verdict(verdicts, "equivalent"),
            worse=len(_of_verdict(verdicts, "better")),
            versus=[*self._versus(verdicts)],
            absent=_absent(self.table.results, len(columns)),
        )

    def _state(
        self,
        takes: Mapping[str, SettingResult],
        undecided: Sequence[str],
        verdicts: Mapping[SettingResult, Verdict],
    ) -> State:
        """What is known, by the candidates to take and the undecided tasks, of the tasks that are learnt."""
        if not takes and not undecided:
            return "unlearnt"
        if not verdicts:
            return "only"
        if not takes or (undecided and not any(self._proven(task, pick) for task, pick in takes.items())):
            return "undecided"
        one = all(pick is self.main for pick in takes.values())
        return "same" if one and set(verdicts.values()) == {"equivalent"} else "decided"

    # ---------------------------------------------------------------- over all tasks

    @cached_property
    def main(self) -> SettingResult:
        """The candidate that none is better than: of several the first if all are equivalent, else the lowest Δm."""
        free = [
            one for one in self.candidates if not any(self.whole(two, one) == "better" for two in self.candidates)
        ] or [*self.candidates]
        if all(self.whole(one, two) == "equivalent" for one in free for two in free if one is not two):
            return free[0]
        return self.table.leader if self.table.leader in free else min(free, key=_mean)

    def whole(self, one: SettingResult, other: SettingResult) -> Verdict:
        """The verdict on `one` against `other` over all tasks."""
        if one is other:
            return "equivalent"
        found = questions.of_table(one, other, self.table.comparators)
        if found is None and not self.settings:
            found = self._apart_from_table(one, other)
        verdict: Verdict = "undecided" if found is None else found.verdict
        leader = self.table.leader
        if verdict == "undecided" and leader is one and other.row.like_leader is False:
            return "better"
        if verdict == "undecided" and leader is other and one.row.like_leader is False:
            return "worse"
        return verdict

    def _apart_from_table(self, one: SettingResult, other: SettingResult) -> Tested | None:
        """The test of two candidates neither of which is the reference."""
        if other in self._boosting and one.setting.boosting:
            return self._boosting[other]
        if one in self._boosting and other.setting.boosting:
            return questions.turned(self._boosting[one])
        return questions.tested(paired_difference(one.delta_m, other.delta_m), self.table.criteria)

    @cached_property
    def _boosting(self) -> Mapping[SettingResult, Tested]:
        return questions.boosting_against_nets(self.table.results, self.table.comparators, self.table.criteria)

    # ---------------------------------------------------------------- by task

    def by_task(self, one: SettingResult, other: SettingResult) -> Mapping[str, Tested]:
        """Task -> the test of `one` against `other`, with Holm's adjustment over the tasks.

        The drop is relative to the later candidate, so that a pair has one test.
        """
        if self.candidates.index(one) > self.candidates.index(other):
            return {task: questions.turned(result) for task, result in self.by_task(other, one).items()}
        return self._tested(one, other)

    def _tested(self, one: SettingResult, other: SettingResult | None) -> Mapping[str, Tested]:
        """The tests by task, each made once. other None: the trivial predictor."""
        if (one, other) not in self._tests:
            base = self._trivial if other is None else other.complete
            self._tests[one, other] = questions.by_task(one.complete, base, self.table.criteria)
        return self._tests[one, other]

    def _pick(self, task: str, verdicts: Mapping[SettingResult, Verdict]) -> SettingResult | None:
        """The candidate to take for a task; None if that is undecided.

        It is the main one unless another is better in this task. Where the task's own test is undecided, the verdict
        over all tasks counts. Settings of one kind are judged over all tasks only; those that nothing tells apart from
        the main one count as rivals if it is better than the reference.
        """
        main = self.main
        if self.settings:
            reference = self.table.comparators.reference
            proven = verdicts.get(reference) == "better"
            return main if proven or "undecided" not in verdicts.values() else None
        of_task = {other: self._of_task(main, other, task) for other in verdicts}
        if better := [other for other, verdict in of_task.items() if verdict == "worse"]:
            column = next(column for column in self.table.criteria.columns if column.task == task)
            sign = -1 if column.higher else 1
            return min(better, key=lambda other: sign * other.row.figures[task].mean)
        settled = ("better", "equivalent")
        open_ones = [o for o, verdict in of_task.items() if verdict not in settled and verdicts[o] not in settled]
        return None if open_ones else main

    def _proven(self, task: str, pick: SettingResult) -> bool:
        """Whether a candidate is shown to be better than another in a task, not only equivalent."""
        others = [other for other in self.candidates if other is not pick]
        return any("better" in (self._of_task(pick, other, task), self.whole(pick, other)) for other in others)

    def _of_task(self, one: SettingResult, other: SettingResult, task: str) -> Verdict:
        result = self.by_task(one, other).get(task)
        return "undecided" if result is None else result.verdict

    def _versus(self, verdicts: Mapping[SettingResult, Verdict]) -> Iterator[Versus]:
        """The main candidate against the others: of settings of one kind, against the reference or the next best."""
        main, others, criteria = self.main, [*verdicts], self.table.criteria
        if not others:
            gains = _gains(main.complete, self._trivial, self._tested(main, None), criteria.columns)
            yield from [Versus(Candidate("trivial", "trivial"), "undecided", gains)] if gains else []
            return
        reference = self.table.comparators.reference
        if self.settings:
            others = [reference] if reference is not main else [min(others, key=_mean)]
        for other in others:
            tests = self.by_task(main, other)
            gains = _gains(main.complete, other.complete, tests, criteria.columns)
            differences = [*paired_difference(main.delta_m, other.delta_m).values()]
            within = bool(differences) and criteria.inference.equivalent(differences, criteria.margin)
            yield Versus(_candidate(other), verdicts[other], gains, within)

    # ---------------------------------------------------------------- what is learnt

    @cached_property
    def _trivial(self) -> Figures:
        return trivial_figures([result.setting for result in self.candidates], self.table.criteria)

    def _learnt(self, column: TaskColumn) -> bool:
        """Whether some candidate is better than the trivial predictor; with too few seeds for a test, in the mean."""
        known = [found for r in self.candidates if (found := self._tested(r, None).get(column.task)) is not None]
        enough = statistics.seeds_needed(len(self.table.criteria.columns))
        return not known or any(
            found.verdict == "better" if found.difference.n >= enough else found.difference.mean < 0 for found in known
        )


def _representative(
    rows: Sequence[SettingResult] | None, usual: SettingResult | None, table: Table
) -> SettingResult | None:
    """The row that stands for its kind: the usual one, unless the table shows that another one is better."""
    if not rows or usual is None:
        return None
    if table.leader in rows and usual.row.like_leader is False:
        return table.leader
    better = [r for r in rows if r.row.against is not None and r.row.against.verdict == "better"]
    return usual if usual in better or not better else min(better, key=_mean)


def _mean(result: SettingResult) -> float:
    return float("inf") if result.delta_m is None else result.delta_m.mean


def _candidate(result: SettingResult) -> Candidate:
    setting = result.setting
    groups = _groups(setting.members[0]) if setting.kind == "method" and setting.members else ()
    return Candidate(result.label, setting.kind, groups)


def _groups(run: RunRecord) -> tuple[tuple[str, ...], ...]:
    """The groups of tasks that learn from each other in a net; empty for a sharing scheme of a package."""
    scheme = SHARINGS.get(str(run.settings.get("sharing")))
    if scheme is None:
        return ()
    own = {"groups": run.settings["sharing.groups"]} if "sharing.groups" in run.settings else {}
    config = from_mapping(scheme, own, "sharing", "sharing")
    return tuple(map(tuple, config.division([*run.roles])))


def _of_verdict(verdicts: Mapping[SettingResult, Verdict], *wanted: Verdict) -> list[Candidate]:
    """The candidates against which the main one has one of these verdicts."""
    return [_candidate(other) for other, verdict in verdicts.items() if verdict in wanted]


def _absent(results: Sequence[SettingResult], tasks: int) -> list[Kind]:
    """The main kinds of candidates that nobody trained. With a single task, no net can have several."""
    trained = {result.setting.kind for result in results}
    return [kind for kind in MAIN_KINDS if kind not in trained and (tasks > 1 or kind != "method")]


def _gains(figures: Figures, base: Figures, tests: Mapping[str, Tested], columns: Sequence[TaskColumn]) -> list[Gain]:
    """The gain of each task, over the seeds of both sides."""
    found = []
    for column in columns:
        seeds = sorted(figures.keys() & base.keys())
        gains = [figures[seed][column.primary] - base[seed][column.primary] for seed in seeds]
        values = np.array(gains) * (1 if column.higher else -1)
        if not len(values):
            continue
        amount, test = float(values.mean()), tests.get(column.task)
        if abs(amount) <= ROUNDING * max(abs(figures[seed][column.primary]) for seed in seeds):
            amount = 0.0
        verdict: Verdict = "undecided" if test is None else test.verdict
        sign = {"better": 1, "worse": -1}.get(verdict, 0)
        agrees = int((np.sign(values) == (np.sign(amount) or 1)).sum())
        found.append(Gain(column.task, None if sign * amount < 0 else amount, agrees, len(seeds), verdict))
    return found


# ---------------------------------------------------------------- what would change it


def _change(
    contest: Contest, found: Recommendation, needed: int, collection: Collection, missing: Sequence[Finding]
) -> Change:
    """What would change the recommendation, with the command that `missing` has for it."""

    def command(*conditions: str) -> str | None:
        return next((f.command for f in missing if f.condition.split(":")[0] in conditions and f.command), None)

    if any(finding.condition == UNFINISHED for finding in missing):
        return Change("runs", command=command(UNFINISHED))
    if found.state == "untrained":
        return Change("training")  # the doubts have the command
    if found.state == "only":
        return Change(None, command=command("baselines"))
    if not found.undecided:
        return Change(None)
    fewest = min(len(result.complete) for result in contest.candidates)
    if fewest < needed:
        return Change("seeds", needed, command=command("seeds"))
    if any(is_confirmation(origin(run)) for run in collection.runs):
        return Change("nothing")
    rivals = [r for r in contest.candidates if _candidate(r) in found.rivals]
    differences = [[*paired_difference(contest.main.delta_m, rival.delta_m).values()] for rival in rivals]
    if differences and all(map(contest.table.criteria.inference.limited, differences)):
        rows = max((run.rows.get("table", 0) for run in collection.runs), default=0)
        return Change("rows", rows=rows)
    return Change("more seeds", command=command("a clear leader"))


# ---------------------------------------------------------------- commands


def _has_events(collection: Collection) -> bool:
    return any(run.settings.get("trainer.tensorboard", True) for run in collection.runs)


def _use(contest: Contest, found: Recommendation, collection: Collection) -> tuple[list[str], list[str]]:
    """The commands that predict with what is recommended, and export it; none without checkpoints.

    If tasks are taken from different candidates, there is a command for each of them.
    """
    takes = found.takes or {column.task: found.main for column in contest.table.criteria.columns}
    predict, export = [], []
    for taken in dict.fromkeys(takes.values()):
        result = next(result for result in contest.candidates if result.label == taken.label)
        words = words_for(result.setting.members, collection.runs)
        if words is None:
            continue
        tasks = [task for task, candidate in takes.items() if candidate == taken]
        several = len(set(takes.values())) > 1
        option, name = (["--tasks", ",".join(tasks)], f"_{taken.kind}") if several else ([], "")
        folder, *setting = words
        predict.append(quoted("mtlrun", "predict", folder, NEW, *setting, *option, "-o", PREDICTIONS.format(name)))
        if taken.kind != "boosting":
            export.append(quoted("mtlrun", "export", folder, *setting, *option, "-o", MODEL.format(name)))
    return predict, export
