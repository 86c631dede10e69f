"""Condition: a row is one setting. Its seeds have the same settings; its single-task nets differ only in the task."""

from collections.abc import Iterator, Mapping

from mtlrun.compare.analysis.conditions.context import Context
from mtlrun.compare.collect.run_record import RunRecord
from mtlrun.compare.collect.settings import NOT_A_SETTING, ONLY, SPLIT, Setting, in_order
from mtlrun.compare.collect.settings import text as text_of
from mtlrun.compare.collect.shell_commands import origin, with_values
from mtlrun.compare.records import Finding
from mtlrun.util.errors import listing

BY_TASK = ("loss.weights.", "lr.heads.", "graph.receives.")  # mappings whose keys are tasks
OF_ONE_TASK = (*NOT_A_SETTING, SPLIT, "data.path", "trainer.select")  # keys in which single-task nets may differ


def one_setting_per_row(context: Context) -> Iterator[Finding]:
    """Every row is one setting."""
    for result in context.results:
        yield from _not_mixed(context, result.setting)
        if result.setting.single_task and result.row.figures:
            yield from _alike_but_for_tasks(context, result.setting)


def _not_mixed(context: Context, setting: Setting) -> Iterator[Finding]:
    """Runs of the same seed and task do not differ in their settings."""
    if setting.mixed:
        text = (
            f"{setting.label}: its runs differ in {listing(setting.mixed, 4)}, and the first count: {setting.doubled}"
        )
        by = ",".join([*context.options.by, *setting.mixed])
        command = context.compare_with("--by", by, *context.options.tune_words)
        yield Finding("missing", "a seed twice in one row", text, command)


def _alike_but_for_tasks(context: Context, setting: Setting) -> Iterator[Finding]:
    """The single-task nets of a row have the same settings, except for their tasks."""
    nets = {run.tasks[0]: run for run in setting.members}  # task -> one of its nets
    differing: dict[str, dict[str, frozenset[str]]] = {}  # key -> task -> values
    for key in _comparable_keys(context, nets):
        values = {task: frozenset(text_of(run.settings.get(key)) for run in setting.of(task).values()) for task in nets}
        if len(set(values.values())) > 1:
            differing[key] = values
    if differing:
        shown = "; ".join(
            f"{key}: {', '.join(f'{listing(sorted(of_task))} for {task}' for task, of_task in values.items())}"
            for key, values in [*differing.items()][:3]
        )
        first = next(iter(nets))
        unlike = next(t for values in differing.values() for t, own in values.items() if own != values[first])
        wanted = {key: text_of(nets[first].settings.get(key)) for key in differing}
        text = f"{setting.label}: single-task nets differ between tasks: {shown}"
        yield Finding("missing", "unlike single-task nets", text, with_values(origin(nets[unlike]), wanted))


def _comparable_keys(context: Context, nets: Mapping[str, RunRecord]) -> list[str]:
    """The keys in which nets of different tasks should agree: not keys of a task, and not keys that --tune chooses."""
    keys = in_order(dict.fromkeys(key for run in nets.values() for key in run.settings))
    return [
        key
        for key in keys
        if key.split(".")[0] not in ("tasks", ONLY)
        and not key.startswith(BY_TASK)
        and key not in OF_ONE_TASK
        and not context.is_tuned(key)
    ]
