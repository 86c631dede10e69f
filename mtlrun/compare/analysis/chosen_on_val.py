"""Chooses the best trial of each row by its figures on val."""

from collections.abc import Iterable, Sequence
from dataclasses import replace

import numpy as np

from mtlrun import statistics
from mtlrun.compare.collect.choice import Trial
from mtlrun.compare.collect.settings import Runs, Setting
from mtlrun.compare.records import Finding
from mtlrun.compose.plans import restarts_of
from mtlrun.util.errors import listing


def choose(
    settings: Sequence[Setting], tasks: Sequence[str], tuned: Sequence[str], findings: list[Finding]
) -> dict[str, list[float]]:
    """Sets `runs`, `chosen` and `trials` of every row to those of its best trial. Single-task nets choose per task.

    The best trial has the highest skill on val among the trials with the most seeds. The skill 1 − L/L₀ is averaged
    over the main tasks and then over seeds. Returns label -> expected best skill of 1, 2, … trials, for rows with
    several trials. Without `tuned` keys every row has one trial, and nothing is chosen.
    """
    expected: dict[str, list[float]] = {}
    for setting in settings:
        if not tuned or not setting.tried or (setting.before and len(setting.tried) == 1):
            continue  # nothing to choose, or already chosen before --confirm
        trained = _trained(setting.tried.values())
        groups = [[task] for task in trained] if setting.single_task else [trained]
        setting.runs, setting.chosen, setting.trials, setting.before = {}, {}, 0, ()
        for group in groups:
            suffix = f" ({group[0]})" if len(groups) > 1 else ""
            skills = _choose_for(setting, group, suffix, tasks, findings)
            if len(skills) > 1:
                expected[f"{setting.label}{suffix}"] = statistics.expected_best(skills).tolist()
    return expected


def _choose_for(
    setting: Setting, group: Sequence[str], suffix: str, tasks: Sequence[str], findings: list[Finding]
) -> list[float]:
    """Adds the runs of the best trial, for the tasks in `group`, to the row. Returns the skills of the compared trials.

    suffix: added to the chosen keys to distinguish groups that choose separately.
    """
    by_trial = {trial: _skills(runs, [t for t in group if t in tasks]) for trial, runs in setting.tried.items()}
    most = max(map(len, by_trial.values()))
    skills = {
        trial: float(np.mean([*by_seed.values()]))
        for trial, by_seed in by_trial.items()
        if by_seed and len(by_seed) == most
    }
    if not skills:
        text = f"{setting.label}: no figures of {listing(group)} on val to choose by"
        findings.append(Finding("warning", "tuning", text))
        return []
    if fewer := [trial for trial, by_seed in by_trial.items() if 0 < len(by_seed) < most]:
        text = "; ".join(_words(trial) for trial in fewer[:3])
        findings.append(
            Finding("warning", "tuning", f"{setting.label}: fewer seeds than others, not to be chosen: {text}")
        )
    best = max(skills, key=lambda trial: skills[trial])
    for seed, by_task in setting.tried[best].items():
        setting.runs.setdefault(seed, {}).update({task: run for task, run in by_task.items() if task in group})
    setting.chosen |= {f"{key}{suffix}": value for key, value in best}
    setting.trials = max(setting.trials, sum(map(bool, by_trial.values())))
    return [*skills.values()]


def best_of_restarts(settings: Sequence[Setting], tasks: Sequence[str]) -> list[Setting]:
    """The settings, with all settings of an arm of restarts as one row.

    For each seed this row has the draw with the highest skill on val, among the restarts and the draw that they
    restart. Seeds that some draw lacks are left out.
    """
    found = list(settings)
    for arm, first in restarts_of(s.arm for s in settings if s.arm is not None).items():
        restarts = [s for s in found if s.arm == arm and s.runs]
        draws = [s for s in found if s.arm == first and s.runs] + restarts
        runs = _best_draws(draws, tasks) if restarts else {}
        if runs:
            row = _row_of_restarts(restarts, draws, runs)
            found = [row if s is restarts[0] else s for s in found if s is restarts[0] or s.arm != arm or not s.runs]
    return found


def _best_draws(draws: Sequence[Setting], tasks: Sequence[str]) -> Runs:
    """For each seed that all draws have, the runs of the draw with the highest skill on val."""
    trained = [task for task in _trained([draw.runs for draw in draws]) if task in tasks]
    skills = [_skills(draw.runs, trained) for draw in draws]
    seeds = sorted(set.intersection(*map(set, skills)))
    best = {seed: max(range(len(draws)), key=lambda i: skills[i][seed]) for seed in seeds}
    return {seed: draws[i].runs[seed] for seed, i in best.items()}


def _row_of_restarts(restarts: Sequence[Setting], draws: Sequence[Setting], runs: Runs) -> Setting:
    """The row that stands for all draws, with the chosen runs."""
    first = restarts[0]
    return replace(
        first,
        label=f"{first.arm} (of {len(draws)}, chosen on val)",
        words={k: v for k, v in first.words.items() if all(s.words.get(k) == v for s in restarts)},
        values={},
        tried={(): runs},
        runs=runs,
        trials=len(draws),
        failed=sum(s.failed for s in restarts),
        unfinished=sum(s.unfinished for s in restarts),
    )


def _trained(every: Iterable[Runs]) -> list[str]:
    """The tasks that any of the runs trained, in order."""
    return list(dict.fromkeys(task for runs in every for by_task in runs.values() for task in by_task))


def _skills(runs: Runs, tasks: Sequence[str]) -> dict[int, float]:
    """Seed -> mean skill on val over the tasks, for the seeds in which all tasks have a defined skill."""
    found = {}
    for seed, by_task in runs.items():
        if not all(task in by_task for task in tasks) or not tasks:
            continue
        names = [f"val/{task}/loss" for task in tasks]
        losses = [by_task[t].figures.get(name, np.nan) for t, name in zip(tasks, names, strict=True)]
        trivial = [by_task[t].trivial.get(name, np.nan) for t, name in zip(tasks, names, strict=True)]
        skill = float(statistics.skill(losses, trivial).mean())
        if np.isfinite(skill):
            found[seed] = skill
    return found


def _words(trial: Trial) -> str:
    return " ".join(f"{key}={value}" for key, value in trial)
