"""Groups runs into rows: a row is one setting with its seeds, and single-task nets are one row."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import NamedTuple

from mtlrun.compare.collect.choice import Trial
from mtlrun.compare.collect.damage import first_few
from mtlrun.compare.collect.row_labels import label
from mtlrun.compare.collect.run_record import RunRecord, mean_of
from mtlrun.compare.collect.settings import (
    NOT_A_SETTING,
    ONLY,
    RESTART,
    SPLIT,
    Runs,
    Setting,
    Words,
    agreed,
    in_order,
    text,
)
from mtlrun.compare.recommendation_records import Kind
from mtlrun.compare.records import SINGLE_TASK, Finding
from mtlrun.compose.plans import restarts_of
from mtlrun.config.schema import GROUPS
from mtlrun.util.errors import RequestError, listing, nearest

ARM = "arm"
OF_BOOSTING = ("model", "data", "tasks", ONLY)  # groups whose settings matter for gradient boosting


class RowKey(NamedTuple):
    """The settings that the runs of one row have in common."""

    kind: Kind
    arm: str | None
    values: tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class FoldedRun:
    """A run with all that may distinguish its row: its settings as text, its kind and its arm."""

    run: RunRecord
    words: Words
    kind: Kind
    arm: str | None

    def row(self, keys: Iterable[str], with_arm: bool = True) -> RowKey:
        """The row of the run if rows are distinguished by these keys."""
        telling = [k for k in sorted(keys) if k in self.words and not (self.kind in SINGLE_TASK and k == ONLY)]
        return RowKey(self.kind, self.arm if with_arm else None, tuple((key, self.words[key]) for key in telling))


def fold(
    runs: Sequence[RunRecord], by: Sequence[str] = (), tuned: Sequence[str] = ()
) -> tuple[list[Setting], list[Finding]]:
    """The rows in the order of their first runs, and a warning for each row that has a seed twice.

    Rows are distinguished by the keys in which runs differ, or by the keys `by` (also prefixes of keys, or `arm`).
    `tuned` keys distinguish no rows. Nor does `model.restart`, unless `by` names it or a plan compares restarts: the
    figures of a seed are means over its restarts. Single-task nets that agree otherwise are one row, with a run per
    task and seed. Raises RequestError for a key that no run has.
    """
    folded = _folded_runs(runs)
    known = list(dict.fromkeys(key for one in folded for key in one.words))
    chosen = expand(by, [*known, ARM], "--by") if by else []
    tune = expand(tuned, known, "--tune")
    if ARM in chosen and all(run.arm is None for run in runs):
        raise RequestError("--by: found arm, and no run here belongs to a named arm\nallowed: keys of settings")
    keys = _rows_by(folded, chosen) if by else _rows(folded, tune)
    rows: dict[RowKey, list[FoldedRun]] = {}
    for key, one in zip(keys, folded, strict=True):
        rows.setdefault(key, []).append(one)
    findings: list[Finding] = []
    settings = [_setting(key, members, tune, findings) for key, members in rows.items()]
    label(settings)
    return settings, findings


def expand(keys: Sequence[str], known: Sequence[str], option: str) -> list[str]:
    """Replaces prefixes of keys by the keys. Raises RequestError with `option` for an unknown key or prefix."""
    expanded: list[str] = []
    for key in keys:
        below = [k for k in known if k == key or k.startswith(f"{key}.")]
        if not below:
            raise RequestError(
                f"{option}: no run here has a setting {key}{nearest(key, known)}\n"
                f"allowed: {listing(in_order(known), 30)}"
            )
        expanded += below
    return list(dict.fromkeys(expanded))


# ---------------------------------------------------------------- runs with their settings as text


def _folded_runs(runs: Sequence[RunRecord]) -> list[FoldedRun]:
    """The runs with their settings. A run without an arm gets the arm of a run with the same settings."""
    folded = [FoldedRun(run, words, _kind(run), run.arm) for run, words in zip(runs, _words(runs), strict=True)]
    arms = {frozenset(one.words.items()): one.arm for one in folded if one.arm is not None}
    return [replace(one, arm=one.arm or arms.get(frozenset(one.words.items()))) for one in folded]


def _words(runs: Sequence[RunRecord]) -> list[Words]:
    """The settings of each run as text, without those that change no figure.

    The seed of the split counts only if it does not follow the seed and is not the same for all runs. The path of the
    table counts only if the tables differ.
    """
    omitted = set(NOT_A_SETTING)
    if all(run.split_seed == run.seed for run in runs) or len({run.split_seed for run in runs}) == 1:
        omitted.add(SPLIT)
    if len({run.data_hash for run in runs if run.data_hash is not None}) == 1:
        omitted.add("data.path")
    return [_words_of(run, omitted) for run in runs]


def _words_of(run: RunRecord, omitted: set[str]) -> Words:
    words = {key: text(v) for key, v in run.settings.items() if key not in omitted and not key.endswith(".unit")}
    if SPLIT in words and run.split_seed == run.seed:
        words[SPLIT] = "seed"
    if run.boosting:
        return {key: value for key, value in words.items() if key.split(".")[0] in OF_BOOSTING}
    return words


def _kind(run: RunRecord) -> Kind:
    if run.boosting:
        return "boosting"
    if not run.single_task:
        return "method"
    return "pre-trained" if run.pretrained else "alone"


# ---------------------------------------------------------------- what distinguishes rows


def _rows_by(runs: Sequence[FoldedRun], keys: Sequence[str]) -> list[RowKey]:
    """The row of each run by the keys of --by that differ between runs; by all of them if none differs."""
    differing = _differing_runs(runs)
    telling = [key for key in keys if key == ARM or key in differing] or keys
    return [one.row([key for key in telling if key != ARM], with_arm=ARM in telling) for one in runs]


def _rows(runs: Sequence[FoldedRun], tuned: Sequence[str]) -> list[RowKey]:
    """The row of each run by the keys in which runs of its kind and arm differ, except those that --tune chooses."""
    keys: dict[tuple[Kind, str | None], set[str]] = {}
    compared = restarts_of(one.arm for one in runs if one.arm is not None)  # arms whose restarts a plan compares
    for kind, arm in dict.fromkeys((one.kind, one.arm) for one in runs):
        # runs without an arm are compared with all runs of their kind
        peers = [one for one in runs if one.kind == kind and arm in (None, one.arm)]
        differing = _differing_per_task(peers) if kind in SINGLE_TASK else _differing_runs(peers)
        keys[kind, arm] = differing - {*tuned, *([] if arm in compared else [RESTART])}
    return [one.row(keys[one.kind, one.arm]) for one in runs]


def _differing_per_task(runs: Sequence[FoldedRun]) -> set[str]:
    """The keys in which runs differ from others of the same task."""
    by_task: dict[tuple[str, ...], list[FoldedRun]] = {}
    for one in runs:
        by_task.setdefault(one.run.tasks, []).append(one)
    return set[str]().union(*map(_differing_runs, by_task.values())) - {ONLY}


def _differing_runs(runs: Sequence[FoldedRun]) -> set[str]:
    return _differing([one.words for one in runs])


def _differing(settings: Sequence[Words]) -> set[str]:
    """The keys in which settings differ.

    A key differs if two settings have different values, or if one of two settings with the same option of the group
    lacks the key (for example a weight that only one of them sets).
    """
    values: dict[str, set[str]] = {}
    for words in settings:
        for key, value in words.items():
            values.setdefault(key, set()).add(value)
    differing = {key for key, known in values.items() if len(known) > 1}
    for option, prefix in {**dict.fromkeys(GROUPS), ONLY: "tasks"}.items():
        alike: dict[str, list[Words]] = {}  # by option of the group
        for words in settings:
            alike.setdefault(words.get(option, ""), []).append(words)
        for same in alike.values():
            differing |= _not_in_all(same, prefix or option)
    return differing


def _not_in_all(settings: Sequence[Words], group: str) -> set[str]:
    """The keys of a group that some of these settings have and some lack."""
    keys = {key for words in settings for key in words if key.split(".")[0] == group}
    return {key for key in keys if not all(key in words for words in settings)}


# ---------------------------------------------------------------- a row


def _setting(key: RowKey, members: Sequence[FoldedRun], tune: Sequence[str], findings: list[Finding]) -> Setting:
    """The row of these runs. If two completed runs have the same seed, task and trial, the first counts."""
    tried, repeats = _tried(members, tune)
    doubled = first_few([f"{one.run.name} beside {first.run.name}" for one, first in repeats])
    mixed = {
        key
        for one, first in repeats
        for key in one.words.keys() | first.words.keys()
        if one.words.get(key) != first.words.get(key)
    }
    if repeats and not mixed:
        findings.append(Finding("warning", "a seed twice in one row", f"the first counts: {doubled}"))
    choice = next((one.run.choice for one in members if one.run.choice is not None), None)
    return Setting(
        label="",
        kind=key.kind,
        arm=key.arm,
        words=agreed([one.words for one in members]),
        values=dict(key.values),
        tried=tried,
        runs=next(iter(tried.values())) if len(tried) == 1 else {},
        failed=sum(one.run.failed for one in members),
        unfinished=sum(one.run.unfinished for one in members),
        trials=len(choice.tried) if choice else 1,
        chosen=dict(choice.chosen) if choice else {},
        before=choice.tried if choice else (),
        mixed=tuple(in_order(mixed)),
        doubled=doubled,
    )


def _tried(
    members: Sequence[FoldedRun], tune: Sequence[str]
) -> tuple[dict[Trial, Runs], list[tuple[FoldedRun, FoldedRun]]]:
    """The completed runs by trial, seed and task; and pairs of a repeated run and the first run, which counts.

    Restarts of a run are no repeats: their figures are averaged.
    """
    first: dict[tuple[Trial, int, str], FoldedRun] = {}
    restarts: dict[Path, dict[str, RunRecord]] = {}  # folder of a first run -> value of model.restart -> run
    repeats: list[tuple[FoldedRun, FoldedRun]] = []
    for one in members:
        if not one.run.completed:
            continue
        trial = tuple((key, one.words[key]) for key in tune if key in one.words)
        places = [(trial, one.run.seed, task) for task in one.run.tasks]
        taken = [first[place] for place in places if place in first]
        known = restarts.setdefault((taken[0] if taken else one).run.folder, {})
        if taken and not (_is_restart(one, taken[0]) and one.words[RESTART] not in known):
            repeats.append((one, taken[0]))
            continue
        known[one.words.get(RESTART, "")] = one.run
        for place in places:
            first.setdefault(place, one)
    means = {folder: mean_of([*runs.values()]) for folder, runs in restarts.items()}
    tried: dict[Trial, Runs] = {}
    for (trial, seed, task), one in first.items():
        tried.setdefault(trial, {}).setdefault(seed, {})[task] = means[one.run.folder]
    return tried, repeats


def _is_restart(one: FoldedRun, first: FoldedRun) -> bool:
    """Whether a run differs from the first of its seed only in its initial parameters."""
    differing = {key for key, value in one.words.items() ^ first.words.items()}
    return differing == {RESTART} and one.run.tasks == first.run.tasks
