"""Of what was tried for each row, the settings with the best figures on val."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from mtlrun import statistics
from mtlrun.compare.collect.choice import Trial
from mtlrun.compare.collect.settings import Runs, Setting
from mtlrun.compare.records import SINGLE_TASK, Finding
from mtlrun.compose.plans import restarts_of
from mtlrun.util.errors import listing


def choose(
    settings: Sequence[Setting], tasks: Sequence[str], tuned: Sequence[str], findings: list[Finding]
) -> dict[str, list[float]]:
    """Sets `runs`, `chosen` and `trials` of every row to those of its best trial; single-task nets choose per task.

    The best has the highest skill on val, 1 − L/L₀ averaged over the main tasks and then over seeds, among the
    trials with the most seeds. Returns for each row with several trials the expected best skill of 1, 2, … of them.
    Without `tuned` keys every row has one trial, and nothing is chosen.
    """
    expected: dict[str, list[float]] = {}
    for setting in settings:
        if not tuned or not setting.tried or (setting.before and len(setting.tried) == 1):
            continue  # nothing to choose, or chosen before
        trained = list(dict.fromkeys(t for runs in setting.tried.values() for own in runs.values() for t in own))
        groups = [[t] for t in trained] if setting.kind in SINGLE_TASK else [trained]
        setting.runs, setting.chosen, setting.trials, setting.before = {}, {}, 0, ()
        for group in groups:
            skills = {trial: _skills(runs, [t for t in group if t in tasks]) for trial, runs in setting.tried.items()}
            most = max(map(len, skills.values()))
            fair = {trial: float(np.mean([*own.values()])) for trial, own in skills.items() if own and len(own) == most}
            if not fair:
                findings.append(
                    Finding("warning", "tuning", f"{setting.label}: no figures of {listing(group)} on val to choose by")
                )
                continue
            if dropped := [trial for trial, own in skills.items() if 0 < len(own) < most]:
                text = "; ".join(_words(trial) for trial in dropped[:3])
                findings.append(
                    Finding("warning", "tuning", f"{setting.label}: fewer seeds than others, not to be chosen: {text}")
                )
            best = max(fair, key=lambda trial: fair[trial])
            for seed, own in setting.tried[best].items():
                setting.runs.setdefault(seed, {}).update({t: run for t, run in own.items() if t in group})
            suffix = f" ({group[0]})" if len(groups) > 1 else ""
            setting.chosen |= {f"{key}{suffix}": value for key, value in best}
            setting.trials = max(setting.trials, sum(map(bool, skills.values())))
            if len(fair) > 1:
                expected[f"{setting.label}{suffix}"] = statistics.expected_best([*fair.values()]).tolist()
    return expected


def best_of_restarts(settings: Sequence[Setting], tasks: Sequence[str]) -> list[Setting]:
    """The settings, with those of an arm of restarts as one row: of each seed the draw with the highest skill on val,
    the draw that they restart among them. Seeds that not all draws have are left out."""
    found = list(settings)
    for arm, first in restarts_of(s.arm for s in settings if s.arm is not None).items():
        again = [s for s in found if s.arm == arm and s.runs]
        draws = [s for s in found if s.arm == first and s.runs] + again
        trained = [t for t in dict.fromkeys(t for s in draws for own in s.runs.values() for t in own) if t in tasks]
        skills = [_skills(s.runs, trained) for s in draws]
        runs: Runs = {}
        for seed in sorted(set.intersection(*map(set, skills))) if again else ():
            best = max(range(len(draws)), key=lambda i: skills[i][seed])
            runs[seed] = draws[best].runs[seed]
        if not runs:
            continue
        words = {k: v for k, v in again[0].words.items() if all(s.words.get(k) == v for s in again)}
        row = replace(
            again[0],
            label=f"{arm} (of {len(draws)}, chosen on val)",
            words=words,
            values={},
            tried={(): runs},
            runs=runs,
            trials=len(draws),
            failed=sum(s.failed for s in again),
            unfinished=sum(s.unfinished for s in again),
        )
        found = [row if s is again[0] else s for s in found if s.arm != arm or s is again[0] or not s.runs]
    return found


def _skills(runs: Runs, tasks: Sequence[str]) -> dict[int, float]:
    """Mean skill over tasks on val of each seed, where all of them have a defined one."""
    found = {}
    for seed, own in runs.items():
        if not all(task in own for task in tasks) or not tasks:
            continue
        names = [f"val/{task}/loss" for task in tasks]
        losses = [own[t].figures.get(name, np.nan) for t, name in zip(tasks, names, strict=True)]
        trivial = [own[t].trivial.get(name, np.nan) for t, name in zip(tasks, names, strict=True)]
        skill = float(statistics.skill(losses, trivial).mean())
        if np.isfinite(skill):
            found[seed] = skill
    return found


def _words(trial: Trial) -> str:
    return " ".join(f"{key}={value}" for key, value in trial)
