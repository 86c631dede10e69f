"""A setting with its completed runs, and settings as text: keys and values as the user types them."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from mtlrun.compare.collect.choice import Trial
from mtlrun.compare.collect.run_record import RunRecord
from mtlrun.compare.recommendation_records import Kind
from mtlrun.compare.records import SINGLE_TASK

# Keys that change no figure or that identify a run.
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
ONLY, SPLIT, TRAIN_ROWS, RESTART = "only", "data.split.seed", "data.train_rows", "model.restart"

Words = dict[str, str]  # settings as text, by key
Runs = dict[int, dict[str, RunRecord]]  # seed -> task -> the run that trained it


@dataclass
class Setting:
    """One row: the settings that distinguish it, and its completed runs.

    words: all settings in which its runs agree, as text
    values: the settings that distinguish it from other rows
    tried: trial (the values of the keys of --tune) -> runs; one entry with an empty key if nothing is tuned
    runs: the runs that count; with --tune those of the chosen trial
    chosen: the values that --tune chose, here or before --confirm trained it
    trials: the number of trials
    before: the trials before --confirm trained it
    mixed: keys in which runs of the same seed and task differ (possible with --by); the first run counts
    doubled: these runs in words
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
        """Whether it trains several tasks in one net."""
        return self.kind == "method"

    @property
    def plain_sum(self) -> bool:
        """Whether it trains several tasks with the sum of their losses."""
        return self.multi_task and self.words.get("loss") == "sum"

    @property
    def alone(self) -> bool:
        """Whether it trains a net from scratch for each task. Only such a setting may be a baseline."""
        return self.kind == "alone"

    @property
    def single_task(self) -> bool:
        """Whether it trains a net for each task, from scratch or with a trunk that was trained before."""
        return self.kind in SINGLE_TASK

    @property
    def boosting(self) -> bool:
        """Whether it is gradient boosting instead of nets."""
        return self.kind == "boosting"

    @property
    def tries(self) -> tuple[Trial, ...]:
        """The trials, here or before --confirm."""
        return self.before or tuple(self.tried)

    @property
    def seeds(self) -> tuple[int, ...]:
        """The seeds with a completed run."""
        return tuple(sorted(self.runs))

    @property
    def members(self) -> list[RunRecord]:
        """Its runs, each once, by seed; all restarts."""
        return [draw for seed in self.seeds for run in self.of_seed(seed) for draw in run.draws]

    def of_seed(self, seed: int) -> list[RunRecord]:
        """The runs of one seed, each once; of several restarts the one with their mean figures."""
        return list({id(run): run for run in self.runs[seed].values()}.values())

    @property
    def parameters(self) -> int | None:
        """The total parameters of the nets of one seed, the largest over seeds; None if unknown for every seed."""
        counts = [[run.parameters for run in self.of_seed(seed)] for seed in self.seeds]
        known = [sum(n for n in nets if n is not None) for nets in counts if None not in nets]
        return max(known, default=None)

    def of(self, task: str) -> dict[int, RunRecord]:
        """Seed -> the run that trained a task."""
        return {seed: self.runs[seed][task] for seed in self.seeds if task in self.runs[seed]}

    def tried_values(self, key: str) -> list[str]:
        """The values of a key of --tune that were tried, in order of size."""
        values = dict.fromkeys(value for trial in self.tries for tried, value in trial if tried == key)
        return sorted(values, key=lambda value: (x if (x := number(value)) is not None else 0.0, value))


def named(asked: str, settings: Sequence[Setting]) -> list[Setting]:
    """The settings that a user names: by their label, or by some of their settings, as in "loss=sum lr=single"."""
    label = asked.strip().casefold()
    if fitting := [setting for setting in settings if setting.label.casefold() == label]:
        return fitting
    words = [word.partition("=") for word in asked.split()]
    return [s for s in settings if all(equals and s.words.get(key) == value for key, equals, value in words)]


def in_order(keys: Iterable[str]) -> list[str]:
    """Keys in the order of labels: losses and rates first."""
    return sorted(keys, key=lambda k: (ORDER.index(g) if (g := k.split(".")[0]) in ORDER else len(ORDER), k))


def text(value: Any) -> str:
    """A value as the user types it."""
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
    """The number in the text of a setting, or None."""
    try:
        return float(value)
    except ValueError:
        return None


def shared(settings: Sequence[Setting]) -> Mapping[str, str]:
    """The settings that every run has with the same value."""
    return agreed([setting.words for setting in settings])


def agreed(words: Sequence[Words]) -> Words:
    """The settings that all have with the same value, in the order of the first; {} for an empty sequence."""
    first, *others = words or [{}]
    return {key: value for key, value in first.items() if all(other.get(key) == value for other in others)}
