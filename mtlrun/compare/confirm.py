"""`mtlrun compare DIR --confirm`: trains the compared settings again, on seeds that were not used to choose them."""

import glob
import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from mtlrun.compare.analysis.rows import refuse_varying
from mtlrun.compare.collect.choice import Choice, write_choices
from mtlrun.compare.collect.folders import collect
from mtlrun.compare.collect.run_record import Collection, RunRecord
from mtlrun.compare.collect.settings import Setting
from mtlrun.compose.request import PlannedRun
from mtlrun.config.check import check_stored
from mtlrun.config.schema import Config
from mtlrun.runs.folder import claimed, to_be_resumed
from mtlrun.storage.files import at_work
from mtlrun.storage.names import PLAN
from mtlrun.storage.results_table import rebuild
from mtlrun.storage.summary import read
from mtlrun.storage.sweep_folder import folder_name, write_plan
from mtlrun.sweeps.launchers import StackSettings
from mtlrun.sweeps.local_stacks import train_stacks
from mtlrun.sweeps.plan import sweep_plan
from mtlrun.util.errors import RequestError, counted
from mtlrun.util.shell import compare_command, quoted
from mtlrun.util.terminal import say, shown


def confirm(collection: Collection, settings: Sequence[Setting], needed: int, words: Sequence[str]) -> Path:
    """Trains every setting on fresh seeds, as one sweep in a free folder DIR-confirm. Returns the folder.

    The number of seeds is that of the comparison, or `needed` if that is larger: the fewest with which a difference can
    be significant. `words` are the options of the command, for the record. chosen.json records what was tried and
    chosen for each setting. Raises RequestError if a setting can no longer be trained, and with --rows if the seeds
    would have different splits.
    """
    first = collection.folders[0]
    earlier = _earlier(first)
    count = max(needed, *(len(setting.seeds) for setting in settings))
    start = max(run.seed for runs in (collection.runs, *earlier.values()) for run in runs) + 1
    seeds = range(start, start + count)
    wanted = [(s, template, seed) for s in settings for template in _templates(s) for seed in seeds]
    planned = [
        (s, _member(number, len(wanted), s, template, seed, _one_split(s.members) or _one_split(collection.runs)))
        for number, (s, template, seed) in enumerate(wanted)
    ]
    runs = [run for _, run in planned]
    splits = {run.config.data.split.seed for run in runs if _is_drawn(run.config)}
    if "--rows" in words and len(splits) > 1:
        raise refuse_varying(len(splits))
    plan, processes = _plan(runs)
    folder = _free(first)
    with to_be_resumed(folder), claimed(folder, "--confirm"):
        # before the plan: a sweep must not exist without the record of what was tried
        write_choices(folder, _choices(settings, planned))
        write_plan(folder, plan, quoted("mtlrun", "compare", *collection.folders, *words))
        rebuild(folder)
    say(f"{len(runs)} runs with seeds {seeds[0]} to {seeds[-1]} in {shown(folder)}")
    with to_be_resumed(folder):
        try:
            with at_work(folder):
                train_stacks(folder, sorted({job["stack"] for job in plan}), processes)
        finally:
            rebuild(folder, ended=True)
    say(f"go on comparing it with: {compare_command([folder])}\n")
    return folder


def _earlier(first: Path) -> Mapping[Path, Sequence[RunRecord]]:
    """The runs of earlier confirmations of a folder. Prints each confirmation."""
    earlier = {folder: collect([folder]).runs for folder in _confirmations(first) if (folder / PLAN).is_file()}
    for folder, runs in earlier.items():
        number = len({run.seed for run in runs})
        say(f"an earlier confirmation is in {shown(folder)}: {counted(number, 'seed')}")
    return earlier


def _plan(runs: list[PlannedRun]) -> tuple[list[dict[str, Any]], int]:
    """The jobs of a sweep of these runs, divided into stacks, and in how many processes they train."""
    plan = sweep_plan(runs, StackSettings(None, {}, None, None), "stack")
    assert plan.stacks is not None, "the launcher is stack"
    return plan.jobs(), plan.stacks.limits.processes


def _choices(
    settings: Sequence[Setting], planned: Sequence[tuple[Setting, PlannedRun]]
) -> list[tuple[Choice, list[str]]]:
    """The values tried and chosen for each setting, with the names of the runs that train it now."""
    return [
        (Choice(tuple(setting.tries), setting.chosen), [run.run for trained, run in planned if trained is setting])
        for setting in settings
        if any(setting.tries)
    ]


def _confirmations(first: Path) -> list[Path]:
    """The existing folders DIR-confirm, DIR-confirm-2 and so on."""
    return sorted(first.resolve().parent.glob(f"{glob.escape(first.resolve().name)}-confirm*"))


def _free(first: Path) -> Path:
    """The folder of the next confirmation: the next number whose folder does not exist."""
    number = len(_confirmations(first))
    while True:
        number += 1
        folder = Path(f"{os.path.normpath(first.resolve())}-confirm{f'-{number}' if number > 1 else ''}")
        if not folder.exists():
            return folder


def _templates(setting: Setting) -> list[RunRecord]:
    """One run for each set of tasks that the setting trains together."""
    return list({run.tasks: run for run in reversed(setting.members)}.values())[::-1]


def _one_split(runs: Sequence[RunRecord]) -> bool:
    """Whether several seeds share one split."""
    return len({run.split_seed for run in runs}) == 1 < len({run.seed for run in runs})


def _is_drawn(config: Config) -> bool:
    """Whether the test rows are drawn with the seed, and not given by a column or a file."""
    return config.data.split.column is None and "test" not in (config.data.split.files or {})


def _member(number: int, count: int, setting: Setting, template: RunRecord, seed: int, one_split: bool) -> PlannedRun:
    """A run like `template` with another seed. The split follows the seed if that of the template did."""
    config = _config(template, seed, one_split)
    of_run = _chosen(setting, template) | ({"only": f"[{template.tasks[0]}]"} if template.single_task else {})
    of_run["seed"] = str(seed)
    overrides = {k: v for k, v in setting.values.items() if k not in of_run} | of_run
    arguments = [f"{key}={value}" for key, value in overrides.items()]
    arm = setting.arm or setting.label
    return PlannedRun(folder_name(number, count, of_run, setting.label), arguments, overrides, config, arm)


def _chosen(setting: Setting, template: RunRecord) -> dict[str, str]:
    """The values that --tune chose for a run. Single-task nets have separate values per task."""
    chosen = {}
    for key, value in setting.chosen.items():
        name, _, task = key.partition(" (")
        if not task or task.rstrip(")") in template.tasks:
            chosen[name] = value
    return chosen


def _config(template: RunRecord, seed: int, one_split: bool) -> Config:
    summary = read(template.folder)
    if summary is None:
        raise RequestError(f"{template.folder}: its summary.json is gone\nrestore it, or compare without --confirm")
    tree = json.loads(json.dumps(summary["settings"]))
    tree["seed"] = seed
    if template.split_seed == template.seed and not one_split:
        tree["data"]["split"]["seed"] = None
    try:
        return check_stored(tree)
    except RequestError as error:
        raise RequestError(f"{error} (in {template.name})") from error
