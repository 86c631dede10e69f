"""The number of seeds that a comparison of a sweep's settings needs."""

from collections import Counter
from collections.abc import Mapping, Sequence

from mtlrun.compose import PlannedRun
from mtlrun.compose.plans import reading_of, restarts_of, tune_of
from mtlrun.statistics import seeds_needed

SEED_KEYS = ("seed", "data.split.seed")
Setting = tuple[str, ...]  # label of the arm, "True" for a single-task net, KEY=VALUE of swept keys


def seeds_line(runs: Sequence[PlannedRun]) -> str | None:
    """A line on how many seeds a paired comparison of a sweep's settings needs, and how many the sweep has.

    Returns None for a single setting or a single seed. A setting is a row of `mtlrun compare`: an arm, or the values of
    the swept keys. Seeds do not count, nor keys whose values are chosen on val (`--tune` and trials). The single-task
    nets of all tasks are one setting. Each setting is one comparison, except the reference. The single-task nets are
    references, one for each number of training rows. If a plan contrasts its arms, its contrasts are the comparisons.
    """
    seeds = _seeds_of_settings(runs)
    single_task = {run.config.data.train_rows for run in runs if len(run.config.active) == 1}
    others = len(seeds) - max(1, len(single_task))
    if not others or max(map(len, seeds.values())) < 2:
        return None
    contrasts = _contrasts(dict.fromkeys(run.arm for run in runs if run.arm), seeds)
    if contrasts:
        words = f"{contrasts} contrasts of arms need"
    elif others == 1:
        words = "1 setting against a reference needs"
    else:
        words = f"{others} settings against a reference need"
    common = set.intersection(*seeds.values())
    shared = "" if all(each == common for each in seeds.values()) else " that all of them share"
    needed = seeds_needed(contrasts or others)
    return f"{words} {needed} seeds or more for a paired test to reach p < .05; this sweep has {len(common)}{shared}"


def _seeds_of_settings(runs: Sequence[PlannedRun]) -> dict[Setting, set[int]]:
    """The seeds of each setting."""
    chosen = tune_of(dict.fromkeys(run.arm for run in runs if run.arm))
    keys = dict.fromkeys(key for run in runs for key in run.overrides if key not in SEED_KEYS)
    varied = [key for key in keys if len({run.overrides.get(key) for run in runs}) > 1]
    seeds: dict[Setting, set[int]] = {}
    for run in runs:
        single_task = len(run.config.active) == 1
        on_val = (*chosen.get(run.arm, ()), *run.drawn)
        kept = [key for key in varied if not (single_task and key == "only") and not key.startswith(on_val)]
        values = [f"{key}={run.overrides.get(key)}" for key in kept]
        seeds.setdefault((run.arm, str(single_task), *values), set()).add(run.config.seed)
    return seeds


def _contrasts(arms: Mapping[str, None], settings: Mapping[Setting, object]) -> int:
    """The number of contrasts between arms that a plan reads; 0 if the arms are not those of such a plan."""
    of_restarts = dict.fromkeys(restarts_of(arms), 1)  # all draws of an arm are one row, that of the best
    rows = {**Counter(arm for arm, *_ in settings), **of_restarts}
    return sum(rows[contrast.level] * rows[contrast.against] for contrast in reading_of(arms)[1])
