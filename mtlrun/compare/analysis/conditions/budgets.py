"""Condition: all nets are trained with the same epochs, steps and batches."""

from collections import Counter
from collections.abc import Iterator, Sequence

from mtlrun.compare.analysis.conditions.context import Context
from mtlrun.compare.collect.run_record import RunRecord
from mtlrun.compare.collect.settings import text as text_of
from mtlrun.compare.collect.shell_commands import origin, with_values
from mtlrun.compare.records import Finding
from mtlrun.compose.plans import reading_of
from mtlrun.util.errors import listing

KEYS = ("trainer.epochs", "trainer.max_steps", "trainer.batch_size")
UNEQUAL = 1.5  # above this ratio of steps there is a warning
Budget = tuple[str, ...]  # the values of the KEYS that --tune does not choose


def equal_budgets(context: Context) -> Iterator[Finding]:
    """All nets have the same budget; with the same budget, their numbers of steps do not differ much.

    The numbers of steps and of rows per batch count where all runs have recorded them; otherwise the settings do. A
    plan whose arms are contrasts sets the budgets itself and is not checked.
    """
    _, contrasts = reading_of(setting.arm for setting in context.nets if setting.arm is not None)
    if not contrasts:
        yield from [*_unequal_budgets(context)] or _unequal_steps(context)


def _unequal_budgets(context: Context) -> Iterator[Finding]:
    """A finding for the first net whose budget differs from the most frequent one."""
    if _equal_lengths([run for setting in context.nets for run in setting.members]):
        return
    keys = [key for key in KEYS if not context.is_tuned(key)]
    budgets = [(setting, {_budget(run, keys) for run in setting.members}) for setting in context.nets]
    counted = Counter(budget for _, of_setting in budgets for budget in of_setting)
    usual = max(counted, key=lambda budget: counted[budget], default=())
    for setting, of_setting in budgets:
        for budget in sorted(of_setting - {usual}):
            run = next(run for run in setting.members if _budget(run, keys) == budget)
            differing = [(k, v, most) for k, v, most in zip(keys, budget, usual, strict=True) if v != most]
            differs = listing(f"{key}={value} instead of {most}" for key, value, most in differing)
            command = with_values(origin(run), {key: most for key, _, most in differing})
            yield Finding("missing", "equal budget", f"{setting.label} is trained with {differs}", command)
            return


def _equal_lengths(runs: Sequence[RunRecord]) -> bool:
    """Whether all runs have recorded their steps and rows per batch, and these are the same."""
    lengths = [run.length for run in runs]
    return None not in lengths and len({(n["steps"], n["batch_size"]) for n in lengths if n is not None}) == 1


def _budget(run: RunRecord, keys: Sequence[str]) -> Budget:
    return tuple(text_of(run.settings.get(key)) for key in keys)


def _unequal_steps(context: Context) -> Iterator[Finding]:
    """A finding if a net takes far more steps than another (mean over seeds, each single-task net separately)."""
    steps: list[tuple[float, str]] = []
    for setting in context.nets:
        by_tasks: dict[tuple[str, ...], list[int]] = {}
        for run in setting.members:
            by_tasks.setdefault(run.tasks, []).append(run.steps)
        steps += [(sum(of_runs) / len(of_runs), setting.label) for of_runs in by_tasks.values()]
    if not steps:  # boosting alone
        return
    (low, short), (high, long) = min(steps), max(steps)
    if 0 < UNEQUAL * low < high:
        most = str(max(run.steps for setting in context.nets for run in setting.members))
        text = (
            f"{short} takes {low:.0f} steps where {long} takes {high:.0f}: fewer rows with labels, or an earlier "
            "stop, and not what is compared, may make the difference"
        )
        longer = {"trainer.max_steps": most, "trainer.epochs": most, "trainer.patience": "null"}
        yield Finding("warning", "unequal steps", text, with_values(context.largest_sweep, longer))
