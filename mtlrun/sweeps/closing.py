"""The lines that report the end of a run in a sweep, and the end of the sweep."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from statistics import fmean
from typing import Any

from mtlrun.compose.plans import tune_of
from mtlrun.config.schema import Config, TaskConfig
from mtlrun.runs.folder import say_how_to_go_on
from mtlrun.runs.logs import tensorboard_command
from mtlrun.storage.names import RESULTS
from mtlrun.storage.results_table import best, causes, primary_metric, seed_groups
from mtlrun.storage.summary import ENDED, read
from mtlrun.storage.sweep_folder import read_plan, without_seed
from mtlrun.storage.training_end import (
    below_words,
    in_words,
    longer_run,
    stalled_advice,
    training_end,
    untrained_words,
)
from mtlrun.tasks import higher_is_better
from mtlrun.util.errors import counted
from mtlrun.util.shell import compare_command, quoted
from mtlrun.util.terminal import say, shown
from mtlrun.util.text_tables import table_lines

ERROR_WIDTH = 160  # characters of an error in the last lines of a sweep
Row = Mapping[str, Any]  # a row of results.csv


def place(number: int, count: int, folder: Path) -> str:
    """The beginning of a line about a run: its number, the number of runs, its folder."""
    return f"run {number + 1} of {count}: {folder.name}"


def run_line(number: int, count: int, folder: Path, config: Config) -> str:
    """The line on a run that has ended."""
    here, summary = place(number, count, folder), read(folder)
    if summary is None:
        return f"{here}  failed: its folder cannot be written"
    if summary["status"] == "failed":
        return f"{here}  failed: {summary['error']}"
    return f"{here}  {headline(config, summary)}"


def headline(config: Config, summary: Mapping[str, Any]) -> str:
    """The primary test figures of a run in one line, its seconds, and the number of skipped steps."""
    words, figures = [], summary["figures"]
    for name, task in config.active.items():
        metric = primary_metric(figures, "test", name, task.primary_metric)
        if task.role == "main" and metric is not None:
            words.append(f"{name} {metric} {figures[f'test/{name}/{metric}']:.4g}")
    skipped = f", {summary['skipped']} of {summary['steps']} steps skipped" if summary.get("skipped") else ""
    return f"{'  '.join(words)}  ({summary['seconds']:.1f} s{skipped})"


def close_sweep(folder: Path, rows: list[dict[str, Any]], configs: Sequence[Config]) -> int:
    """Prints the result of a sweep. Returns the exit status."""
    completed = sum(row["status"] == "completed" for row in rows)
    one_table = len({config.data.path for config in configs}) == 1
    tasks = _main_tasks(configs) if completed and one_table else {}
    if not one_table:
        say("runs of different tables: compare those of one table only")
    for line in [*_outcome(folder, rows, tasks), *_ends(folder, rows), *_splits(configs, completed), *_failures(rows)]:
        say(line)
    unfinished = sum(row["status"] not in ENDED for row in rows)
    if unfinished:  # their workers were stopped
        say(f"{unfinished} of {len(rows)} runs are left")
        say_how_to_go_on(folder)
    say(f"results: {shown(folder / RESULTS)}")
    if completed and _untested(configs):
        say(f"predict with their mean: {quoted('mtlrun', 'predict', shown(folder), 'TABLE', '-o', 'OUT.csv')}")
    elif len(rows) > 1 and tasks:
        say(_how_to_compare(folder))
    if any(config.trainer.tensorboard for config in configs):
        say(tensorboard_command(folder))
    return 0 if completed == len(rows) else 1


def _untested(configs: Sequence[Config]) -> bool:
    """Whether the runs have no test rows, so that there are no figures to compare."""
    return all(config.data.split.untested for config in configs)


def _main_tasks(configs: Sequence[Config]) -> dict[str, TaskConfig]:
    return {name: task for config in configs for name, task in config.active.items() if task.role == "main"}


def _outcome(folder: Path, rows: Sequence[Row], tasks: Mapping[str, TaskConfig]) -> Iterator[str]:
    """The test figures over the seeds of a single setting, beside the trivial predictor's; else the best settings."""
    groups = seed_groups(rows)
    if len(groups) == 1 and len(groups[0]) > 1:
        yield from _over_seeds(folder, [*groups[0].values()], tasks)
        return
    for name, task in tasks.items():
        found = best(rows, name, task.primary_metric)
        if found is not None and found.seeds > 1:
            setting = without_seed(found.run)
            yield f"best for {name}: {setting} ({found.metric} {found.figure:.6g}, mean over {found.seeds} seeds)"
        elif found is not None:
            yield f"best for {name}: {found.run} ({found.metric} {found.figure:.6g})"


def _over_seeds(folder: Path, rows: Sequence[Row], tasks: Mapping[str, TaskConfig]) -> Iterator[str]:
    """A table of each primary test figure: mean and range over runs, and the mean of the trivial predictor."""
    trivials = [(read(folder / row["run"]) or {}).get("trivial") or {} for row in rows]
    cells = []
    for name, task in tasks.items():
        metric = primary_metric(rows[0]["figures"], "test", name, task.primary_metric)
        key = f"test/{name}/{metric}"
        values = [row["figures"][key] for row in rows if key in row["figures"]]
        if metric is None or len(values) < len(rows):
            continue
        known = [trivial[key] for trivial in trivials if key in trivial]
        trivial = f"{fmean(known):.4g}" if len(known) == len(rows) else "-"
        arrow = "↑" if higher_is_better(metric) else "↓"
        spread = f"{min(values):.4g} to {max(values):.4g}"
        cells.append([f"  {name} {metric} {arrow}", f"{fmean(values):.4g}", spread, trivial])
    if cells:
        yield from table_lines(["test", f"mean of {len(rows)} seeds", "range", "trivial"], cells)


def _ends(folder: Path, rows: Sequence[Row]) -> Iterator[str]:
    """Lines on nets that are not trained to the end, with the settings that train them longer, and on bad figures."""
    summaries = [(folder / row["run"], read(folder / row["run"])) for row in rows if row["status"] == "completed"]
    nets = [(run, s) for run, s in summaries if s is not None and "iterations" not in (s.get("best") or {})]
    ends = [(training_end(run, summary), summary) for run, summary in nets]
    if short := [summary for end, summary in ends if end.untrained]:
        last = max(short, key=lambda summary: summary["steps"])
        yield f"{untrained_words([end for end, _ in ends])}: train longer: {in_words(longer_run(last))}"
    if stalled := [summary for end, summary in ends if end.stalled and not end.untrained]:
        of = f"{len(stalled)} of {counted(len(nets), 'net')}"
        models = [summary["settings"].get("model") or {} for summary in stalled]
        yield f"{of}: val was best at the first evaluations; {stalled_advice(models)}"
    yield from below_words([end for end, _ in ends])


def _splits(configs: Sequence[Config], completed: int) -> Iterator[str]:
    """A line if seeds draw different test rows."""
    splits = [config.data.split for config in configs]
    seeds = {split.seed for split in splits if split.column is None and "test" not in (split.files or {})}
    if len(seeds) > 1 and completed and not _untested(configs):
        yield "seeds have different splits: compare settings by their means over seeds"


def _failures(rows: Sequence[Row]) -> Iterator[str]:
    """Lines on the number of failed runs and their errors."""
    failed = sum(row["status"] == "failed" for row in rows)
    if failed:
        yield f"{failed} of {len(rows)} runs failed; why is in the run.log of each:"
        for count, error, run in causes(rows):
            yield f"  {count} × {error[:ERROR_WIDTH]}{'…'[: len(error) > ERROR_WIDTH]}  ({run})"


def _how_to_compare(folder: Path) -> str:
    """The command that compares a sweep. `--tune` names the keys whose values its arms list or its trials draw."""
    plan = read_plan(folder)
    arms = dict.fromkeys(job["arm"] for job in plan if "arm" in job)
    keys = dict.fromkeys(key for listed in tune_of(arms).values() for key in listed)
    keys |= dict.fromkeys(key for job in plan for key in job.get("drawn", ()))
    return f"compare: {compare_command([shown(folder)], *(['--tune', ','.join(keys)] if keys else []))}"
