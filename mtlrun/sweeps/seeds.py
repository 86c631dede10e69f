"""The number of seeds that a comparison of a sweep's settings needs."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from mtlrun.compose import PlannedRun
from mtlrun.compose.plans import reading_of, tune_of
from mtlrun.compose.plans.affinity import PAIRS
from mtlrun.compose.question_counts import against_reference, asked, grid
from mtlrun.statistics import seeds_needed

SEED_KEYS = ("seed", "data.split.seed")
RESTART = "model.restart"


@dataclass
class _Setting:
    """A row of `mtlrun compare`: an arm, or the values of the swept keys.

    single_task: it trains a net for each task, and all of them are one setting
    net: whether it is a network, not boosting
    words: swept key -> value
    tasks: the main tasks that its runs train
    """

    arm: str
    single_task: bool
    net: bool
    train_rows: int | None
    words: Mapping[str, str]
    tasks: set[str] = field(default_factory=set)
    seeds: set[int] = field(default_factory=set)


def seeds_line(runs: Sequence[PlannedRun]) -> str | None:
    """A line on how many seeds a paired comparison of a sweep's settings needs, and how many the sweep has.

    Returns None for a single setting or a single seed. Seeds are no part of a setting, nor keys whose values are chosen
    on val (`--tune` and trials). `mtlrun compare` counts the same questions, by `compose.question_counts.asked`.
    If the table needs more seeds than these questions, the line says so too.
    """
    settings = _settings(runs)
    rows = _rows(settings)
    if not rows or max(len(setting.seeds) for setting in settings) < 2:
        return None
    questions = asked(_contrasts(settings), _main_effects(settings), _gains(settings), rows)
    needed, by_table = seeds_needed(questions.count), seeds_needed(rows)
    table = f", {against_reference(rows)} {by_table}" if by_table > needed else ""
    common = set.intersection(*(setting.seeds for setting in settings))
    shared = "" if all(setting.seeds == common for setting in settings) else " that all of them share"
    return (
        f"{questions} {'needs' if questions.count == 1 else 'need'} {needed} seeds or more for a paired test to reach "
        f"p < .05{table}; this sweep has {len(common)}{shared}"
    )


def _settings(runs: Sequence[PlannedRun]) -> list[_Setting]:
    arms = dict.fromkeys(run.arm for run in runs if run.arm)
    chosen = tune_of(arms)
    keys = dict.fromkeys(key for run in runs for key in run.overrides if key not in SEED_KEYS)
    varied = [key for key in keys if len({run.overrides.get(key) for run in runs}) > 1]
    found: dict[tuple[object, ...], _Setting] = {}
    for run in runs:
        single_task = len(run.config.active) == 1
        on_val = (*chosen.get(run.arm, ()), *run.drawn, RESTART)  # the restarts of a seed are one figure
        kept = [key for key in varied if not (single_task and key == "only") and not key.startswith(on_val)]
        words = {key: str(run.overrides[key]) for key in kept if key in run.overrides}
        own = _Setting(run.arm, single_task, not run.config.boosting, run.config.data.train_rows, words)
        setting = found.setdefault((run.arm, single_task, *words.items()), own)
        setting.tasks |= {name for name, task in run.config.active.items() if task.main}
        setting.seeds.add(run.config.seed)
    return [*found.values()]


def _rows(settings: Sequence[_Setting]) -> int:
    """The number of settings with every main task, without the reference.

    The single-task nets are references, one for each number of training rows.
    """
    every = _main_tasks(settings)
    references = {setting.train_rows for setting in settings if setting.single_task}
    return sum(setting.tasks == every for setting in settings) - max(1, len(references))


def _main_tasks(settings: Sequence[_Setting]) -> set[str]:
    return set().union(*(setting.tasks for setting in settings))


def _contrasts(settings: Sequence[_Setting]) -> int:
    """The number of contrasts between arms that a plan reads; 0 if the arms are not those of such a plan."""
    rows = Counter(setting.arm for setting in settings if setting.arm)
    return sum(rows[contrast.level] * rows[contrast.against] for contrast in reading_of(rows)[1])


def _main_effects(settings: Sequence[_Setting]) -> int:
    """The number of main effects, if the shared nets are a complete grid of settings; else 0."""
    every = _main_tasks(settings)
    if len({setting.train_rows for setting in settings if setting.single_task}) > 1:
        return 0  # a learning curve
    words = [own.words for own in settings if own.net and not own.single_task and own.tasks == every]
    keys = dict.fromkeys(key for own in words for key in own)
    found = grid(words, [key for key in keys if len({own.get(key) for own in words}) > 1])
    return sum(len(levels) - 1 for levels in found[0].values()) if found is not None else 0


def _gains(settings: Sequence[_Setting]) -> int:
    """The number of gains of a task by another: two for each pair of main tasks, if both are also trained alone."""
    every = _main_tasks(settings)
    alone = set().union(*(setting.tasks for setting in settings if setting.single_task))
    pairs = {frozenset(own.tasks) for own in settings if own.net and not own.single_task and len(own.tasks) == 2}
    if len(every) == 2 and all(setting.arm != PAIRS for setting in settings):
        return 0  # every shared net has both tasks
    return 2 * sum(pair <= alone for pair in pairs)
