"""From runs to rows: what tells settings apart, seeds folded, single-task nets as one row."""

import functools
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import yaml

from mtlrun.compare.collect.choice import Trial
from mtlrun.compare.collect.folders import RunRecord
from mtlrun.compare.records import SINGLE_TASK, Finding, Kind
from mtlrun.config.extensions import yaml_of
from mtlrun.config.schema import GROUPS
from mtlrun.results.summary import flatten
from mtlrun.util.errors import RequestError, listing, nearest

# Keys that change no figure, or that name a run.
NOT_A_SETTING = (
    "seed",
    "name",
    "notes",
    "trainer.device",
    "trainer.threads",
    "trainer.tensorboard",
    "trainer.debug",
    "trainer.deterministic",
    "trainer.log_gradients",
    "trainer.log_activations",
    "trainer.importance",
)
ORDER = ("loss", "lr", "graph", "model", "sharing", "optimizer", "trainer", "data", "tasks", "only")
ARM, ONLY, SPLIT, TRAIN_ROWS = "arm", "only", "data.split.seed", "data.train_rows"

Words = dict[str, str]
Runs = dict[int, dict[str, RunRecord]]  # seed -> task -> the run that trained it


@dataclass
class Setting:
    """A row to be: what tells it from others, and its completed runs.

    words: all its settings as text, those that its runs agree in; values: those that tell it from other rows
    tried: values of the keys of --tune -> runs; one entry with an empty key where nothing is tuned
    runs: those that count (of what was tried, the choice)
    before: what had been tried for it when --confirm trained it; chosen, trials: of that too
    mixed: keys in which runs of one seed and task differ, of which the first count (--by); doubled: these runs
    """

    label: str
    kind: Kind
    arm: str | None
    words: Words
    values: Words
    tried: dict[Trial, Runs]
    runs: Runs = field(default_factory=dict)
    failed: int = 0
    unfinished: int = 0
    trials: int = 1
    chosen: Words = field(default_factory=dict)
    before: tuple[Trial, ...] = ()
    mixed: tuple[str, ...] = ()
    doubled: str = ""

    @property
    def multi_task(self) -> bool:
        """Trains several tasks in one net."""
        return self.kind == "method"

    @property
    def plain_sum(self) -> bool:
        """Trains several tasks with the sum of their losses."""
        return self.multi_task and self.words.get("loss") == "sum"

    @property
    def alone(self) -> bool:
        """Trains a net from scratch for each task: what a baseline may be."""
        return self.kind == "alone"

    @property
    def single_task(self) -> bool:
        """Trains a net for each task, from scratch or with a trunk that was trained before."""
        return self.kind in SINGLE_TASK

    @property
    def boosting(self) -> bool:
        """Is no net but gradient boosting."""
        return self.kind == "boosting"

    @property
    def tries(self) -> tuple[Trial, ...]:
        """The values of the keys of --tune that were tried for it, here or before."""
        return self.before or tuple(self.tried)

    @property
    def seeds(self) -> tuple[int, ...]:
        """Seeds with a completed run."""
        return tuple(sorted(self.runs))

    @property
    def members(self) -> list[RunRecord]:
        """Its runs, each once, by seed."""
        return list({id(run): run for seed in self.seeds for run in self.runs[seed].values()}.values())

    def of_seed(self, seed: int) -> list[RunRecord]:
        """The runs of one seed, each once."""
        return list({id(run): run for run in self.runs[seed].values()}.values())

    @property
    def parameters(self) -> int | None:
        """How many parameters its nets of one seed have together, at most; None where no seed's runs all tell."""
        counts = [[run.parameters for run in self.of_seed(seed)] for seed in self.seeds]
        known = [sum(n for n in own if n is not None) for own in counts if None not in own]
        return max(known, default=None)

    def of(self, task: str) -> dict[int, RunRecord]:
        """The run of each seed that trained a task."""
        return {seed: self.runs[seed][task] for seed in self.seeds if task in self.runs[seed]}

    def tried_values(self, key: str) -> list[str]:
        """The values of a key of --tune that were tried for it, in order of size."""
        values = dict.fromkeys(value for trial in self.tries for tried, value in trial if tried == key)
        return sorted(values, key=lambda value: (x if (x := number(value)) is not None else 0.0, value))


def fold(
    runs: Sequence[RunRecord], by: Sequence[str] = (), tuned: Sequence[str] = ()
) -> tuple[list[Setting], list[Finding]]:
    """Rows in the order of their first runs, and what was odd about them.

    Rows are told apart by the keys in which runs differ, or by the keys `by` (or all keys below them, or `arm`).
    Single-task nets that agree otherwise are one row, with a run per task and seed. `tuned` keys tell nothing apart.
    Raises RequestError for a key that no run has.
    """
    words = _all_words(runs)
    every = list(dict.fromkeys(key for own in words for key in own))
    chosen = expand(by, [*every, ARM], "--by") if by else None
    if chosen is not None:  # of all keys below a prefix, those that tell any runs apart
        telling = _differing(runs, words, False)
        chosen = [k for k in chosen if k == ARM or k in telling] or chosen
    tune = expand(tuned, every, "--tune")
    if chosen is not None and ARM in chosen and all(run.arm is None for run in runs):
        raise RequestError("--by: found arm, and no run here belongs to a named arm\nallowed: keys of settings")
    arms = _arms(runs, words)
    kinds = [_kind(run) for run in runs]
    told: dict[Any, set[str]] = {}  # keys in which the runs of a kind and arm differ
    for group in {(kind, arm) for kind, arm in zip(kinds, arms, strict=True)}:
        # those without an arm are told from all others of their kind
        own = [i for i in range(len(runs)) if kinds[i] == group[0] and group[1] in (None, arms[i])]
        told[group] = _differing([runs[i] for i in own], [words[i] for i in own], group[0] in SINGLE_TASK) - set(tune)
    rows: dict[Any, list[int]] = {}
    for i, mine in enumerate(words):
        keys = told[kinds[i], arms[i]] if chosen is None else [k for k in chosen if k != ARM]
        arm = arms[i] if chosen is None or ARM in chosen else None
        values = tuple((k, mine[k]) for k in sorted(keys) if k in mine and not (kinds[i] in SINGLE_TASK and k == ONLY))
        rows.setdefault((kinds[i], arm, values), []).append(i)
    findings: list[Finding] = []
    settings = [
        _setting(kind, arm, dict(values), [runs[i] for i in own], [words[i] for i in own], tune, findings)
        for (kind, arm, values), own in rows.items()
    ]
    _name(settings)
    return settings, findings


def expand(keys: Sequence[str], known: Sequence[str], option: str) -> list[str]:
    """Keys and prefixes of keys as keys. Raises RequestError, which names the `option`, for one that is neither."""
    found = []
    for key in keys:
        own = [k for k in known if k == key or k.startswith(f"{key}.")]
        if not own:
            raise RequestError(
                f"{option}: no run here has a setting {key}{nearest(key, known)}\n"
                f"allowed: {listing(in_order(known), 30)}"
            )
        found += own
    return list(dict.fromkeys(found))


def in_order(keys: Iterable[str]) -> list[str]:
    """Keys as labels show them: losses and rates first."""
    return sorted(keys, key=lambda k: (ORDER.index(g) if (g := k.split(".")[0]) in ORDER else len(ORDER), k))


def text(value: Any) -> str:
    """A setting as it is typed."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float):
        return f"{value:g}"
    if isinstance(value, (list, tuple)):
        return "[" + ",".join(text(v) for v in value) + "]"
    return str(value)


def number(value: str) -> float | None:
    """The number that a setting's text stands for, if it does."""
    try:
        return float(value)
    except ValueError:
        return None


# ---------------------------------------------------------------- what tells runs apart


def _all_words(runs: Sequence[RunRecord]) -> list[Words]:
    """Each run's settings as text, without those that change no figure.

    The split's seed counts only where it neither follows the seed nor is one for all; the table's path only where
    the tables differ.
    """
    omitted = set(NOT_A_SETTING)
    if all(r.split_seed == r.seed for r in runs) or len({r.split_seed for r in runs}) == 1:
        omitted.add(SPLIT)
    hashes = {r.data_hash for r in runs if r.data_hash is not None}
    if len(hashes) == 1:
        omitted.add("data.path")
    found = []
    for run in runs:
        own = {k: text(v) for k, v in run.settings.items() if k not in omitted and not k.endswith(".unit")}
        if SPLIT in own and run.split_seed == run.seed:
            own[SPLIT] = "seed"
        if run.boosting:
            kept = ("model", "data", "tasks", ONLY)
            own = {k: v for k, v in own.items() if k.split(".")[0] in kept}
        found.append(own)
    return found


def _kind(run: RunRecord) -> Kind:
    if run.boosting:
        return "boosting"
    if not run.single_task:
        return "method"
    return "pre-trained" if run.pretrained else "alone"


def _arms(runs: Sequence[RunRecord], words: Sequence[Words]) -> list[str | None]:
    """The arm of each run; one without takes that of a run with the same settings."""
    known = {tuple(sorted(own.items())): run.arm for run, own in zip(runs, words, strict=True) if run.arm is not None}
    return [run.arm or known.get(tuple(sorted(own.items()))) for run, own in zip(runs, words, strict=True)]


def _differing(runs: Sequence[RunRecord], words: Sequence[Words], per_task: bool) -> set[str]:
    """The keys in which runs differ, of those that have the key.

    A key that only some runs have counts as well where they chose the same option of its group (a weight that one
    of them does not set). With `per_task`, runs are compared with those of the same task.
    """
    groups: dict[Any, list[Words]] = {}
    for run, own in zip(runs, words, strict=True):
        groups.setdefault(run.tasks if per_task else None, []).append(own)
    found: set[str] = set()
    for members in groups.values():
        having: dict[str, set[str]] = {}
        options: dict[tuple[str, str], list[Words]] = {}
        for own in members:
            for key, value in own.items():
                having.setdefault(key, set()).add(value)
            for group in (*GROUPS, ONLY):
                options.setdefault((group, own.get(group, "")), []).append(own)
        found |= {key for key, values in having.items() if len(values) > 1}
        for (group, _), same in options.items():
            keys = {k for own in same for k in own if k.split(".")[0] == ("tasks" if group == ONLY else group)}
            found |= {key for key in keys if not all(key in own for own in same)}
    return found - {ONLY} if per_task else found


# ---------------------------------------------------------------- rows


def _setting(
    kind: Kind,
    arm: str | None,
    values: Words,
    runs: Sequence[RunRecord],
    words: Sequence[Words],
    tune: Sequence[str],
    findings: list[Finding],
) -> Setting:
    """One row from its runs; of two completed ones of a seed, task and trial the first counts."""
    agreed = dict(words[0])
    for own in words[1:]:
        agreed = {k: v for k, v in agreed.items() if own.get(k) == v}
    tried: dict[Trial, Runs] = {}
    first: dict[int, Words] = {}
    twice, mixed = [], set[str]()
    for run, own in zip(runs, words, strict=True):
        if not run.completed:
            continue
        trial = tried.setdefault(tuple((k, own[k]) for k in tune if k in own), {})
        seen = trial.setdefault(run.seed, {})
        first[id(run)] = own
        if (other := next((seen[task] for task in run.tasks if task in seen), None)) is not None:
            twice.append(f"{run.name} beside {other.name}")
            known = first[id(other)]
            mixed |= {key for key in own.keys() | known.keys() if own.get(key) != known.get(key)}
        for task in run.tasks:
            seen.setdefault(task, run)
    doubled = "; ".join(twice[:3]) + (f"; and {len(twice) - 3} more" if len(twice) > 3 else "")
    if twice and not mixed:
        findings.append(Finding("warning", "a seed twice in one row", f"the first counts: {doubled}"))
    failed = sum(run.failed for run in runs)
    unfinished = sum(run.unfinished for run in runs)
    only = next(iter(tried.values())) if len(tried) == 1 else {}
    setting = Setting("", kind, arm, agreed, values, tried, only, failed, unfinished)
    setting.mixed, setting.doubled = tuple(in_order(mixed)), doubled
    choice = next((run.choice for run in runs if run.choice is not None), None)
    if choice is not None:
        setting.before, setting.chosen, setting.trials = choice.tried, dict(choice.chosen), len(choice.tried)
    return setting


def _name(settings: Sequence[Setting]) -> None:
    """Labels: the arm, `alone`, `pre-trained`, `boosting`, or what tells a row from the others of its kind."""
    for setting in settings:
        keys = [key for key in in_order(setting.values) if not _follows(key, setting, settings)]
        words = " ".join(f"{key}={setting.values[key]}" for key in keys)
        if setting.arm is not None:
            setting.label = setting.arm
        elif setting.multi_task:
            setting.label = words or f"loss={setting.words.get('loss', '?')}"
        else:
            setting.label = setting.kind
        peers = [s for s in settings if (s.kind, s.arm) == (setting.kind, setting.arm)]
        if len(peers) > 1 and words and setting.label != words:
            setting.label += f" {words}"
    seen: dict[str, int] = {}
    for setting in settings:
        seen[setting.label] = seen.get(setting.label, 0) + 1
        if seen[setting.label] > 1:
            setting.label += f" ({seen[setting.label]})"


def _follows(key: str, setting: Setting, settings: Sequence[Setting]) -> bool:
    """Whether a value says nothing beyond the option of its group, which the label has: it is the option's default,
    and that of every row with this option."""
    group = key.split(".")[0]
    option = setting.values.get(group)
    if option is None or key == group:
        return False
    default = _defaults(group, option).get(key)
    return all(own.words.get(key) == default for own in settings if own.words.get(group) == option)


@functools.cache
def _defaults(group: str, option: str) -> Words:
    """The settings of a group's option as its YAML has them; none where there is no such file."""
    path = yaml_of(group, option)
    if option not in GROUPS.get(group, {}) or path is None:
        return {}
    return {key: text(v) for key, v in flatten({group: yaml.safe_load(path.read_text(encoding="utf-8"))}).items()}


def shared(settings: Sequence[Setting]) -> Mapping[str, str]:
    """The settings that every run has, with the same value."""
    rows = [s.words for s in settings]
    return {k: v for k, v in rows[0].items() if all(own.get(k) == v for own in rows)} if rows else {}
