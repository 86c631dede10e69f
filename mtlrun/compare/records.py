"""A comparison as data: everything that the table, the pictures and the report show, and nothing about how they look.

Differences are in percent of the baseline and *positive where a setting is worse* (Δm of Maninis et al., CVPR 2019).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from mtlrun.tasks import higher_is_better

Verdict = Literal["better", "worse", "equivalent", "undecided"]
Kind = Literal["method", "alone", "pre-trained", "boosting", "trivial"]
SINGLE_TASK: tuple[Kind, ...] = ("alone", "pre-trained")  # nets, with a run for each task


@dataclass(frozen=True)
class Estimate:
    """A mean over seeds with its 95 % interval (None for one seed); `values`: the figure of every seed."""

    mean: float
    low: float | None
    high: float | None
    values: Mapping[int, float]

    @property
    def n(self) -> int:
        """How many seeds."""
        return len(self.values)


@dataclass(frozen=True)
class TaskColumn:
    """One main task as the table shows it: its primary metric (first of `metrics`), the metric's direction and unit."""

    task: str
    metric: str
    higher: bool
    unit: str = ""  # "" for shares and other figures without one
    metrics: tuple[str, ...] = ()  # all that enter Δm per metric; (metric,) unless --metric names several

    @property
    def primary(self) -> tuple[str, str]:
        """By what its figures are found: task and primary metric."""
        return self.task, self.metric

    @property
    def keys(self) -> list[tuple[str, str]]:
        """The same of all its metrics."""
        return [(self.task, metric) for metric in self.metrics]

    @property
    def directions(self) -> list[bool]:
        """Of each of its metrics whether higher is better."""
        return [higher_is_better(metric) for metric in self.metrics]


@dataclass(frozen=True)
class Against:
    """A row against the reference, paired by seed: the difference of Δm in percent, and what it can be taken for.

    `wins`: share of seeds in which it is better, ties ½, with its Clopper-Pearson interval. `p`: the two-sided p
    that Holm adjusts to `p_holm`; `p_permutation` (exact sign flips) and `p_t` are what it is made from.
    """

    difference: Estimate
    wins: float
    wins_low: float
    wins_high: float
    p_permutation: float
    p_t: float
    p: float
    p_holm: float
    equivalent: bool  # two one-sided tests within the margin
    verdict: Verdict


@dataclass(frozen=True)
class Cost:
    """Wall time per step relative to the plain sum's (None where stacks are not alike, `why` says so)."""

    relative: float | None
    seconds_per_step: float | None
    memory: int | None  # bytes, of the process or device that trained it, with whatever else it held
    why: str = ""


@dataclass(frozen=True)
class Row:
    """One setting with its seeds folded.

    kind: "alone" are single-task nets, one run per task and seed; "pre-trained" likewise, but no baseline, as their
        trunk was trained before, on other tasks or by another run; "boosting" likewise; "trivial" knows no inputs
    settings: what tells it from other rows, by full key; chosen: values that --tune chose
    delta_m: percent, mean over tasks of the mean over a task's metrics; delta_m_metrics: mean over all metrics
    like_leader: not to be told apart from the leading row (None where nothing can be said)
    """

    label: str
    kind: Kind
    settings: Mapping[str, str]
    seeds: tuple[int, ...]
    figures: Mapping[str, Estimate]  # by task; absent where no run has it
    delta_m: Estimate | None
    delta_m_metrics: Estimate | None
    rank: float | None
    against: Against | None  # None for the reference itself and for the trivial predictor
    like_leader: bool | None
    cost: Cost | None
    parameters: int | None = None
    trials: int = 1
    chosen: Mapping[str, str] = field(default_factory=dict)
    failed: int = 0
    unfinished: int = 0
    runs: tuple[str, ...] = ()
    dominated: bool | None = None  # by another row, in every task
    dominated_by_fixed: bool | None = None  # by some setting of the sweep of fixed weights; None where there is none

    @property
    def trivial(self) -> bool:
        """Is the trivial predictor, which knows no inputs."""
        return self.kind == "trivial"

    @property
    def boosting(self) -> bool:
        """Is no net but gradient boosting."""
        return self.kind == "boosting"


@dataclass(frozen=True)
class Effect:
    """A contrast of a factorial, or of two arms, paired by seed, in percent of Δm: positive where `level` is worse.

    factor: a key or a group, or two with × between them for an interaction; of arms, what their difference means
    equivalent: two one-sided tests within the margin
    """

    factor: str
    level: str
    against: str
    estimate: Estimate
    p: float
    p_holm: float
    equivalent: bool = False


@dataclass(frozen=True)
class Finding:
    """Something to know before believing the table. kind: "missing" keeps the word best from being printed.

    condition: a few words (`seeds`, `baseline: boosting`, `rate at the edge`, …); command: what supplies it
    """

    kind: Literal["warning", "missing"]
    condition: str
    text: str
    command: str | None = None


@dataclass(frozen=True)
class Series:
    """A figure over training steps, or over another number: mean and band over seeds.

    what: "curve" (val figure of a task), "weight", "rate", "cosine" (of the gradients of `task` and of
        the task `metric`), "trend" (over `key`)
    """

    what: Literal["curve", "weight", "rate", "cosine", "trend"]
    label: str
    task: str
    metric: str
    x: Sequence[float]
    mean: Sequence[float]
    low: Sequence[float]
    high: Sequence[float]
    n: int
    key: str = "step"


@dataclass(frozen=True)
class Speed:
    """Steps until the val figure of a task first reaches a target: median over the seeds that reach it."""

    label: str
    task: str
    target: float
    median: float | None
    reached: int
    of: int


@dataclass(frozen=True)
class Importance:
    """How much worse a task's metric on test gets when an input is permuted, in the metric's unit (positive: worse)."""

    label: str
    task: str
    input: str
    estimate: Estimate


CONFLICTS, DEAD = "conflict_rate", "dead_layer"  # metrics, the second as the beginning of its name


GATE, STITCH = "gate_", "stitch_"  # how metrics begin that say what tasks read of each other


@dataclass(frozen=True)
class Share:
    """With what share a reader, a task or the shared gate, reads an expert or a task's features at the last evaluation.

    level: of the trunk, where there are several; signed: it may be below 0 and above 1
    seed: the one whose value it is, where another seed's has another meaning; None: a mean over seeds
    """

    label: str
    level: str
    reader: str
    read: str
    estimate: Estimate
    signed: bool
    seed: int | None = None


@dataclass(frozen=True)
class Diagnostic:
    """What a setting's runs say of their training: a figure at the last evaluation, with task "" that of the trunk.

    metric: CONFLICTS (of the tasks' gradients), or DEAD and a number (share of that layer's units, of trunk or head)
    """

    label: str
    task: str
    metric: str
    estimate: Estimate


@dataclass(frozen=True)
class Affinity:
    """Tasks by tasks, from every pair trained together: gains[a, b] in percent of a's figure alone (positive: better)
    when b is trained with it; cosine of their gradients; distance of the trunks of the single-task nets."""

    tasks: tuple[str, ...]
    gains: Mapping[tuple[str, str], Estimate]
    cosines: Mapping[tuple[str, str], Estimate]
    distances: Mapping[tuple[str, str], Estimate]


@dataclass(frozen=True)
class Comparison:
    """Everything that is shown.

    verdict: plain words, the most important first
    reference, baseline: labels of the row that others are held against, and of what Δm is relative to
    split: whose figures; margin: percent within which settings count as equivalent
    split_varies: seeds have splits of their own, and intervals the corrected variance; interval: how they are made
    seeds_needed: from how many seeds on anything can be significant
    leader: the row with the lowest mean Δm; best: whether it may be called so
    expected_best: by label, the expected best val skill of 1, 2, … trials (Dodge et al. 2019)
    tuned: keys of --tune, here or before --confirm
    shared: settings that all runs have in common; provenance: versions, hashes, hardware, folders
    """

    title: str
    verdict: Sequence[str]
    columns: Sequence[TaskColumn]
    rows: Sequence[Row]
    reference: str
    baseline: str
    split: str
    margin: float
    split_varies: bool
    interval: str
    seeds_needed: int
    leader: str | None
    best: bool
    findings: Sequence[Finding]
    effects: Sequence[Effect] = ()
    series: Sequence[Series] = ()
    speeds: Sequence[Speed] = ()
    importances: Sequence[Importance] = ()
    diagnostics: Sequence[Diagnostic] = ()
    shares: Sequence[Share] = ()
    affinity: Affinity | None = None
    expected_best: Mapping[str, Sequence[float]] = field(default_factory=dict)
    tuned: Sequence[str] = ()
    shared: Mapping[str, str] = field(default_factory=dict)
    provenance: Mapping[str, str] = field(default_factory=dict)
