"""Chooses the settings that all others are compared with: the plain sum, the reference, and the baseline of Δm."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from mtlrun.compare.analysis.setting_result import SettingResult
from mtlrun.compare.collect.settings import TRAIN_ROWS, Setting, Words, named
from mtlrun.compose.plans import reading_of
from mtlrun.util.errors import RequestError, listing, nearest

SAME_ROWS = f"alone with the same {TRAIN_ROWS}"  # label of the baselines of a learning curve
PLAIN = {"lr": "single", "graph": "none"}  # options preferred for the plain sum, if some setting has them


@dataclass(frozen=True)
class Comparators:
    """What settings are compared with.

    plain: the plain sum, if there is one
    reference: differences and verdicts are against this setting
    baseline: Δm is relative to this setting, unless there are `baselines_by_rows`
    baselines_by_rows: single-task nets for several numbers of training rows. The Δm of a setting is then relative to
        those with the same number, `SettingResult.baseline`
    """

    plain: SettingResult | None
    reference: SettingResult
    baseline: SettingResult
    baselines_by_rows: Sequence[SettingResult]

    @property
    def by_rows(self) -> bool:
        """Whether Δm is relative to single-task nets with the same number of training rows."""
        return bool(self.baselines_by_rows)

    @property
    def reference_label(self) -> str:
        """The label of the reference in the table."""
        return SAME_ROWS if self.reference in self.baselines_by_rows else self.reference.label

    @property
    def baseline_label(self) -> str:
        """The label of the baseline in the table."""
        return SAME_ROWS if self.by_rows else self.baseline.label

    def tested(self, results: Sequence[SettingResult]) -> list[SettingResult]:
        """The settings that are tested against the reference: all others, except `baselines_by_rows`."""
        return [r for r in results if r is not self.reference and r not in self.baselines_by_rows]


def find_comparators(results: Sequence[SettingResult], asked: str | None) -> Comparators:
    """Finds the comparators and sets the `baseline` of each setting. Raises RequestError as `find_reference` does."""
    plain = plain_sum(results)
    reference = find_reference(results, plain, asked)
    baseline = reference if reference.setting.alone else closest_alone(results, reference) or reference
    by_rows = _baselines_by_rows(results, baseline)
    for result in results:
        result.baseline = by_rows.get(result.setting.words.get(TRAIN_ROWS), baseline)
    return Comparators(plain, reference, baseline, [result for result in by_rows.values() if result is not None])


def _baselines_by_rows(
    results: Sequence[SettingResult], baseline: SettingResult
) -> dict[str | None, SettingResult | None]:
    """data.train_rows -> the single-task nets trained on this number of rows, or None.

    Empty unless single-task nets were trained on several numbers of rows.
    """
    counts = {r.setting.words.get(TRAIN_ROWS) for r in results if r.setting.alone and r.complete}
    if not baseline.setting.alone or len(counts) < 2:
        return {}
    groups: dict[str | None, list[SettingResult]] = {}
    for result in results:
        groups.setdefault(result.setting.words.get(TRAIN_ROWS), []).append(result)
    return {count: closest_alone(group, baseline) for count, group in groups.items()}


# ---------------------------------------------------------------- the plain sum


def multi_task(results: Sequence[SettingResult]) -> list[SettingResult]:
    """The shared nets with figures of every task."""
    return [result for result in results if result.setting.multi_task and result.complete]


def plain_sum(results: Sequence[SettingResult]) -> SettingResult | None:
    """The plain sum of losses. If there are several: the one with a single rate, no edges, and else the usual values.

    The usual value of a key is the one that most settings have, and of equally frequent values the first.
    """
    shared = multi_task(results)
    usual = _usual_words([result.setting for result in shared])
    plain = {key: value for key, value in usual.items() if key in PLAIN}
    sums = [result for result in shared if result.setting.plain_sum]
    return min(sums, key=lambda r: (_unlike(r.setting, plain), _unlike(r.setting, usual)), default=None)


def most_usual(results: Sequence[SettingResult]) -> SettingResult | None:
    """The shared net with the most usual values."""
    shared = multi_task(results)
    usual = _usual_words([result.setting for result in shared])
    return min(shared, key=lambda result: _unlike(result.setting, usual), default=None)


def _usual_words(settings: Sequence[Setting]) -> Words:
    """The most frequent value of every key, except keys of the loss; PLAIN takes precedence."""
    keys = dict.fromkeys(k for s in settings for k in s.words if k.split(".")[0] != "loss" and k not in s.chosen)
    usual = {key: Counter(s.words.get(key, "") for s in settings).most_common(1)[0][0] for key in keys}
    return usual | {k: v for k, v in PLAIN.items() if any(s.words.get(k) == v for s in settings)}


def _unlike(setting: Setting, usual: Words) -> int:
    """The number of keys in which a setting differs from the usual values."""
    return sum(setting.words.get(key, "") != value for key, value in usual.items())


# ---------------------------------------------------------------- single-task nets


def closest_alone(results: Sequence[SettingResult], to: SettingResult | None) -> SettingResult | None:
    """The single-task nets that have every task. If there are several: those most similar to the setting `to`."""
    alone = [result for result in results if result.setting.alone and result.complete]
    usual = to.setting.words if to is not None else _usual_words([result.setting for result in multi_task(results)])
    usual = {k: v for k, v in usual.items() if k.split(".")[0] not in ("only", "tasks")}
    return min(alone, key=lambda result: _unlike(result.setting, usual), default=None)


# ---------------------------------------------------------------- the reference


def find_reference(results: Sequence[SettingResult], plain: SettingResult | None, asked: str | None) -> SettingResult:
    """The reference: the setting that others are compared with.

    This is the setting that `asked` names by label or by settings; else the arm that the experiment names; else the
    plain sum if losses differ; else single-task nets; else the plain sum; else the first. Raises RequestError if
    `asked` fits no row or several rows.
    """
    complete = [result for result in results if result.complete]
    if not complete:
        tasks = listing(
            dict.fromkeys(f"{{{', '.join(run.tasks)}}}" for result in results for run in result.setting.members), 6
        )
        raise RequestError(
            f"compare: no row has figures of every main task; tasks of the rows: {tasks}\n"
            "allowed: runs that train them all, or each; compare runs of other tasks apart"
        )
    if asked is not None:
        return _asked_for(asked, complete)
    if (named := _named_by_plan(complete)) is not None:
        return named
    losses = {result.setting.words.get("loss") for result in multi_task(results)}
    alone = closest_alone(results, plain)
    if plain is not None and (len(losses) > 1 or alone is None):
        return plain
    return complete[0] if alone is None else alone


def _asked_for(asked: str, complete: Sequence[SettingResult]) -> SettingResult:
    """The setting that --reference names. Raises RequestError unless exactly one fits."""
    settings = named(asked, [result.setting for result in complete])
    fitting = [result for result in complete if any(result.setting is setting for setting in settings)]
    if len(fitting) != 1:
        close = "" if fitting else nearest(asked, [result.label for result in complete])
        found = f"{len(fitting)} rows are" if fitting else "no row is"
        raise RequestError(
            f"--reference: {found} {asked}{close}\nallowed: {'; '.join(r.label for r in fitting or complete)}"
        )
    return fitting[0]


def _named_by_plan(complete: Sequence[SettingResult]) -> SettingResult | None:
    """The setting of the arm that is the reference of the plan; None unless there is exactly one."""
    reading, contrasts = reading_of([result.setting.arm for result in complete if result.setting.arm is not None])
    named = [result for result in complete if contrasts and result.setting.arm == reading.reference]
    return named[0] if len(named) == 1 else None
