"""How the training of a run ended: whether that was too early, and the settings that train it longer."""

import math
from collections import Counter
from collections.abc import Container, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from mtlrun.config.length import FEW_STEPS, steps_by_rule
from mtlrun.storage.names import METRICS
from mtlrun.tasks import higher_is_better
from mtlrun.util.errors import counted

END, MATTERS = 0.2, 0.01  # last share of the evaluations; share of the whole gain above which their gain matters
FEWEST_STEPS = 100  # with fewer steps a net counts as untrained, whatever its curve
FIRST = 2  # evaluations that are the first ones
HASTY_STEPS = 50  # so few steps without a better evaluation are no reason to stop
LONGER = 10  # times as long


@dataclass(frozen=True)
class TrainingEnd:
    """What is to be said of a completed run.

    improving: it was still improving on val when its budget was used up
    few_steps: it took fewer than 100 steps
    stalled: val was best at its first two evaluations, and the patience ended it
    gave_up: the patience ended it before step 500, and it stalled, or its best evaluation was less than 50 steps before
    skills: main task -> its skill on val at the selected evaluation, 1 − loss / loss of the trivial predictor
    """

    improving: bool = False
    few_steps: bool = False
    stalled: bool = False
    gave_up: bool = False
    skills: Mapping[str, float] = field(default_factory=dict)

    @property
    def below(self) -> list[str]:
        """The tasks that are below the trivial predictor."""
        return [task for task, skill in self.skills.items() if skill < 0]

    @property
    def untrained(self) -> bool:
        """Whether nothing may be concluded from the run."""
        return self.improving or self.few_steps or self.gave_up


def training_end(folder: Path, summary: Mapping[str, Any]) -> TrainingEnd:
    """How the training of a run ended. All is well of a run that is not completed.

    A net was still improving if the last fifth of its evaluations on val, at least one, brought more than 1 % of the
    whole gain over the trivial predictor, in the score of `trainer.select`; so was one with a single evaluation. Only
    `skills` are looked at for gradient boosting, for runs with `trainer.goal` or `trainer.select=last`, and if
    metrics.csv cannot be read.
    """
    best, trainer = summary.get("best"), (summary.get("settings") or {}).get("trainer")
    if summary.get("status") != "completed" or not isinstance(best, dict) or not isinstance(trainer, dict):
        return TrainingEnd()
    skills = _skills(summary.get("figures") or {}, summary)
    by, step, steps = best.get("by"), best.get("step"), summary.get("steps", 0)
    if not isinstance(by, str) or not isinstance(step, int) or by == "last" or "iterations" in best:
        return TrainingEnd(skills=skills)
    scores = _scores(folder / METRICS, summary, by) if trainer.get("goal") is None else []
    if not scores:
        return TrainingEnd(skills=skills)
    first = scores.index(max(scores))
    by_patience = _by_patience(summary, trainer, len(scores) - 1 - first)
    improving = 2 * step > steps and not by_patience and _matters(scores, _trivial_score(summary, by))
    stalled = by_patience and first < FIRST
    gave_up = by_patience and steps < FEW_STEPS and (stalled or steps - step < HASTY_STEPS)
    return TrainingEnd(improving, steps < FEWEST_STEPS, stalled, gave_up, skills)


def closing_words(end: TrainingEnd, summary: Mapping[str, Any]) -> list[str]:
    """A line on each thing that is to be said of a completed run."""
    lines, words = [], in_words(longer_run(summary)) if end.untrained else ""
    if end.improving:
        lines.append(f"still improving when it ended: train longer: {words}")
    elif end.few_steps:
        lines.append(f"only {summary['steps']} steps: train longer: {words}")
    if end.stalled:
        models = [summary["settings"].get("model") or {}]
        more = f"; train longer: {words}" if end.untrained else ""
        lines.append(
            f"val was best at step {summary['best']['step']:,}, at the beginning, and stopped improving: "
            f"{stalled_advice(models)}{more}"
        )
    elif end.gave_up and not end.few_steps:
        waited = summary["steps"] - summary["best"]["step"]
        lines.append(f"stopped {waited} steps after its best evaluation: train longer: {words}")
    if end.below:
        tasks = ", ".join(f"{task} (skill {end.skills[task]:.3g})" for task in end.below)
        lines.append(f"below the trivial predictor on val, which knows no inputs: {tasks}")
    return lines


def stalled_advice(models: Iterable[Container[str]]) -> str:
    """What may help runs that stopped improving at the beginning; dropout only where every model has it.

    models: of each run the keys of its model's settings
    """
    more = " or a larger model.dropout" if all("dropout" in model for model in models) else ""
    return f"a smaller lr.base{more} may help"


def untrained_words(ends: Sequence[TrainingEnd]) -> str:
    """How many of these nets are not trained to the end, and why: `5 of 8 nets were still improving …`."""
    improving = sum(end.improving for end in ends)
    few = sum(end.few_steps and not end.improving for end in ends)
    gave_up = sum(end.gave_up and not end.improving and not end.few_steps for end in ends)
    were = "was still improving when it stopped" if improving == 1 else "were still improving when they stopped"
    parts = [
        (improving, were),
        (few, f"took fewer than {FEWEST_STEPS} steps"),
        (gave_up, f"gave up before step {FEW_STEPS} (trainer.patience)"),
    ]
    (first, words), *others = [(count, words) for count, words in parts if count]
    return "; ".join([f"{first} of {counted(len(ends), 'net')} {words}", *(f"{n} {why}" for n, why in others)])


def below_words(ends: Sequence[TrainingEnd]) -> list[str]:
    """A line on the tasks in which runs are below the trivial predictor on val; [] if there is none."""
    tasks = Counter(task for end in ends for task in end.below)
    of = Counter(task for end in ends for task in end.skills)
    counts = ", ".join(f"{task} in {count} of {counted(of[task], 'run')}" for task, count in tasks.items())
    return [f"below the trivial predictor on val: {counts}"] if counts else []


def _by_patience(summary: Mapping[str, Any], trainer: Mapping[str, Any], waited: int) -> bool:
    """Whether the patience ended the run. waited: evaluations after the best one."""
    length = summary.get("length")
    if isinstance(length, dict):
        patience = length.get("patience_steps")
        return patience is not None and summary["steps"] - summary["best"]["step"] >= patience
    return isinstance(trainer.get("patience"), int) and waited >= trainer["patience"]


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
    skills = [*_skills(figures, summary).values()]
    if not skills:
        return None
    return min(skills) if by == "worst" else sum(skills) / len(skills)


def _skills(figures: Mapping[str, float], summary: Mapping[str, Any]) -> dict[str, float]:
    """Main task -> skill 1 − L/L₀ on val, where both losses are known."""
    settings, trivial = summary["settings"], summary.get("trivial") or {}
    only, tasks = settings.get("only"), settings.get("tasks") or {}
    main = [t for t, c in tasks.items() if (c or {}).get("role", "main") == "main" and (only is None or t in only)]
    keys = {task: f"val/{task}/loss" for task in main}
    return {t: 1 - figures[k] / trivial[k] for t, k in keys.items() if k in figures and trivial.get(k, 0) > 0}


# ---------------------------------------------------------------- longer


def longer_run(summary: Mapping[str, Any]) -> dict[str, str]:
    """`longer` for a run with this summary."""
    return longer(summary["settings"]["trainer"], summary["steps"], summary.get("length"))


def longer(trainer: Mapping[str, Any], steps: int, length: Mapping[str, Any] | None = None) -> dict[str, str]:
    """The settings that train a run of so many `steps` longer, from its trainer settings.

    `auto`, where the rule gives at least twice as many steps, so that a patience in evaluations cannot end it early;
    otherwise ten times the epochs. length: as in summary.json, None if a run of an older version has none
    """
    epochs, most = trainer.get("epochs"), trainer.get("max_steps")
    limit = {"trainer.max_steps": "null"} if most is not None and steps >= most else {}
    if length is not None:
        per_epoch = length["rows"] // length["batch_size"]
        if steps_by_rule(per_epoch) >= 2 * steps:
            given = [key for key in ("epochs", "patience") if trainer.get(key) not in ("auto", None)]
            lifted = {f"trainer.{key}": "auto" for key in given} | limit
            if lifted:
                return lifted
        epochs = math.ceil(length["steps"] / per_epoch) if epochs == "auto" else epochs
    if not isinstance(epochs, int):  # an older run, whose summary.json is damaged
        return {"trainer.epochs": "auto"} | limit
    return {"trainer.epochs": str(LONGER * epochs)} | dict.fromkeys(limit, str(LONGER * (most or 0)))


def in_words(settings: Mapping[str, str]) -> str:
    """Settings as a user types them."""
    return " ".join(f"{key}={value}" for key, value in settings.items())
