"""Whether a run was still improving on val when its training ended, and the settings that train it longer."""

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from mtlrun.results.names import METRICS
from mtlrun.tasks import higher_is_better

END, MATTERS = 0.2, 0.01  # last share of the evaluations; share of the whole gain above which their gain matters
LONGER = 10  # times as long


def still_improving(folder: Path, summary: Mapping[str, Any]) -> bool:
    """Whether a completed net was still improving when its budget was used up.

    The last fifth of its evaluations on val, at least one, brought more than 1 % of the whole gain over the trivial
    predictor, in the score of `trainer.select`; so does a single evaluation. False for a run that ended by patience,
    for runs with `trainer.goal` or `trainer.select=last`, for gradient boosting, and if metrics.csv cannot be read.
    """
    best, trainer = summary.get("best"), (summary.get("settings") or {}).get("trainer")
    if summary.get("status") != "completed" or not isinstance(best, dict) or not isinstance(trainer, dict):
        return False
    by, step = best.get("by"), best.get("step")
    if not isinstance(by, str) or by == "last" or not isinstance(step, int) or trainer.get("goal") is not None:
        return False
    scores = _scores(folder / METRICS, summary, by) if 2 * step > summary.get("steps", 0) else []
    if not scores:
        return False
    patience = trainer.get("patience")
    waited = len(scores) - 1 - scores.index(max(scores))
    return (patience is None or waited < patience) and _matters(scores, _trivial_score(summary, by))


def _matters(scores: Sequence[float], trivial: float | None) -> bool:
    """Whether the last evaluations brought more than a small share of the whole gain. Higher scores are better."""
    best, before = max(scores), scores[: len(scores) - math.ceil(END * len(scores))]
    if not before:
        return True
    start = scores[0] if trivial is None else trivial
    return best - max(before) > max(0.0, MATTERS * (best - start))


def _scores(path: Path, summary: Mapping[str, Any], by: str) -> list[float]:
    """The score of each evaluation on val, higher is better; none if the file cannot be read."""
    figures: dict[int, dict[str, float]] = {}
    try:
        for line in path.read_text(encoding="utf-8").splitlines()[1:]:
            cells = line.split(",")
            if len(cells) == 6 and cells[2] == "val":
                figures.setdefault(int(cells[1]), {})["/".join(cells[2:5])] = float(cells[5])
    except (OSError, ValueError):
        return []
    found = [_score(of_step, summary, by) for of_step in figures.values()]
    return [score for score in found if score is not None and math.isfinite(score)]


def _trivial_score(summary: Mapping[str, Any], by: str) -> float | None:
    return _score(summary.get("trivial") or {}, summary, by)


def _score(figures: Mapping[str, float], summary: Mapping[str, Any], by: str) -> float | None:
    """The score as `engine.select` defines it; None if it is undefined."""
    if "/" in by:
        sign = 1 if higher_is_better(by.rpartition("/")[2]) else -1
        return sign * figures[by] if by in figures else None
    settings, trivial = summary["settings"], summary.get("trivial") or {}
    only, tasks = settings.get("only"), settings.get("tasks") or {}
    main = [t for t, c in tasks.items() if (c or {}).get("role", "main") == "main" and (only is None or t in only)]
    keys = [f"val/{task}/loss" for task in main]
    skills = [1 - figures[key] / trivial[key] for key in keys if key in figures and trivial.get(key, 0) > 0]
    if not skills:
        return None
    return min(skills) if by == "worst" else sum(skills) / len(skills)


def longer(steps: int, epochs: int, max_steps: int | None, times: int = LONGER) -> dict[str, str]:
    """The settings that train a run of so many steps `times` as long."""
    if max_steps is not None and steps >= max_steps:
        return {"trainer.epochs": str(times * epochs), "trainer.max_steps": str(times * max_steps)}
    return {"trainer.epochs": str(times * epochs)}


def in_words(settings: Mapping[str, str]) -> str:
    """Settings as a user types them."""
    return " ".join(f"{key}={value}" for key, value in settings.items())
