"""The seeds that the comparison of a sweep's settings needs."""

from collections import Counter
from collections.abc import Mapping, Sequence

from mtlrun.compose import PlannedRun
from mtlrun.compose.plans import reading_of, restarts_of, tune_of
from mtlrun.statistics import seeds_needed

SEED_KEYS = ("seed", "data.split.seed")
Setting = tuple[str, ...]  # label of the arm, whether it is a single-task net, the values of swept keys


def seeds_line(runs: Sequence[PlannedRun]) -> str | None:
    """How many seeds a paired comparison of the settings of a sweep needs, and how many it has.

    None where there is one setting, or one seed. A setting is what `mtlrun compare` shows in a row: an arm, or the
    values of the swept keys but for seeds and for those that are chosen on val (`--tune`), trials' among them;
    single-task nets of all tasks are one, and are nothing to be tested where each number of training rows has its own.
    Of a plan whose arms are contrasted with each other, the contrasts count.
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
    """How many contrasts of arms a plan reads; 0 where the arms are none of a plan's."""
    of_restarts = dict.fromkeys(restarts_of(arms), 1)  # of an arm's draws the best is one row
    rows = {**Counter(arm for arm, *_ in settings), **of_restarts}
    return sum(rows[contrast.level] * rows[contrast.against] for contrast in reading_of(arms)[1])
