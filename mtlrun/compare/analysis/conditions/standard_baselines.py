"""Condition: the comparison has boosting, single-task nets, the plain sum and a sweep of fixed weights."""

from collections.abc import Iterator

from mtlrun.compare.analysis.conditions.context import Context
from mtlrun.compare.analysis.questions import FIXED_WEIGHTS, weights_tried
from mtlrun.compare.collect.settings import Setting, number
from mtlrun.compare.records import Finding
from mtlrun.util.errors import listing


def baselines(context: Context) -> Iterator[Finding]:
    """All baselines are present. Single-task nets count only if they have every task."""
    settings = [result.setting for result in context.completed]
    tasks = set().union(*(result.row.figures for result in context.results))
    alone = [
        result.setting for result in context.completed if result.setting.alone and set(result.row.figures) == tasks
    ]
    hidden = next((s.words.get("model.hidden") for s in settings if s.multi_task), None)
    narrower = [_is_narrower(s, hidden) for s in alone]
    fixed = weights_tried(settings)
    present = {
        "gradient boosting": any(s.boosting for s in settings),
        "single-task nets": not all(narrower),
        "width-matched single-task nets": any(narrower),
        "the plain sum": any(s.plain_sum for s in settings),
        f"fixed weights ({fixed} of {FIXED_WEIGHTS} settings)" if fixed else "fixed weights": fixed >= FIXED_WEIGHTS,
    }
    absent = [name for name, is_present in present.items() if not is_present]
    if absent:
        seeds = sorted({seed for result in context.results for seed in result.row.seeds})
        text = f"not there to be compared with: {listing(absent)}"
        yield Finding("missing", "baselines", text, context.baselines_command(seeds))


def _is_narrower(setting: Setting, hidden: str | None) -> bool:
    """Whether single-task nets are narrower than the shared net with layers `hidden`.

    The name of the arm says so, or all layers are narrower.
    """
    if setting.arm is not None and "width" in setting.arm:
        return True
    layers = {run.settings.get("model.hidden") and tuple(run.settings["model.hidden"]) for run in setting.members}
    shared = [number(part) for part in (hidden or "").strip("[]").split(",")]
    return bool(layers) and all(
        widths
        and len(widths) == len(shared)
        and all(width < (of_shared or 0) for width, of_shared in zip(widths, shared, strict=True))
        for widths in layers
    )
