"""Conditions: all completed runs have the same data, splits, versions and code."""

from collections import Counter
from collections.abc import Iterator, Sequence

from mtlrun.compare.analysis.conditions.context import Context
from mtlrun.compare.collect.settings import SPLIT
from mtlrun.compare.collect.shell_commands import origin, with_seeds
from mtlrun.compare.records import Finding


def same_data(context: Context) -> Iterator[Finding]:
    """The tables have the same contents."""
    hashes = [run.data_hash for run in context.completed_runs]
    yield from _same("different data", "tables with different contents (data_hash)", context, hashes)


def same_splits(context: Context) -> Iterator[Finding]:
    """Splits are made in the same way, and a seed has the same split in all runs."""
    runs = context.completed_runs
    schemes = [
        tuple((k, str(v)) for k, v in sorted(run.settings.items()) if k.startswith("data.split.") and k != SPLIT)
        for run in runs
    ]
    yield from _same("different splits", "splits made in different ways (data.split)", context, schemes)
    if len(set(schemes)) == 1 and len({run.split_seed for run in runs}) > 1:
        seeds = ["the seed" if run.split_seed == run.seed else str(run.split_seed) for run in runs]
        yield from _same("different splits", "different splits of one seed (data.split.seed)", context, seeds)


def same_versions(context: Context) -> Iterator[Finding]:
    """The versions of mtlrun and torch are the same."""
    versions = [tuple(run.versions.get(name) for name in ("mtlrun", "torch")) for run in context.completed_runs]
    yield from _same("different versions", "different versions of mtlrun or torch", context, versions)


def same_code(context: Context) -> Iterator[Finding]:
    """The commit of the working directory is the same."""
    commits = [run.git["commit"] if run.git else None for run in context.completed_runs]
    yield from _same("different code", "different commits of the working directory", context, commits)


def committed_code(context: Context) -> Iterator[Finding]:
    """Either no run or every run was made with uncommitted changes."""
    runs = context.completed_runs
    changed = sum(bool(run.git and run.git.get("dirty")) for run in runs)
    if 0 < changed < len(runs):
        text = f"{changed} of {len(runs)} runs were made with changes that were not committed"
        yield Finding("warning", "different code", text)


def _same(condition: str, what: str, context: Context, values: Sequence[object]) -> Iterator[Finding]:
    """The `values` of the completed runs are all the same. Otherwise the command trains the rarest ones again."""
    counted = Counter(values).most_common()
    if len(counted) > 1:
        rarest = counted[-1][0]
        runs = context.completed_runs
        unlike = [run for run, value in zip(runs, values, strict=True) if value == rarest]
        text = f"{what}: {len(unlike)} of {len(runs)} runs differ from most ({unlike[0].name})"
        command = with_seeds(origin(unlike[0]), sorted({run.seed for run in unlike}))
        yield Finding("missing", condition, text, command)
