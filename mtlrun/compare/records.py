"""A comparison as data: everything that the table, the pictures and the report show, without layout.

Differences are in percent of the baseline. A *positive difference means worse* (Δm of Maninis et al., CVPR 2019).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from mtlrun.compare.recommendation_records import Kind, Recommendation, Verdict
from mtlrun.compose.question_counts import Asked
from mtlrun.tasks import higher_is_better

TEST_ROWS = "test rows"  # condition of the finding that intervals do not cover other test rows
UNTRAINED = "not trained to the end"  # the verdict "untrained" in words
SINGLE_TASK: tuple[Kind, ...] = ("alone", "pre-trained")  # nets with one run per task


@dataclass(frozen=True)
class Estimate:
    """A mean over seeds with its 95 % interval (None for one seed). values: seed -> figure."""

    mean: float
    low: float | None
    high: float | None
    values: Mapping[int, float]

    @property
    def n(self) -> int:
        """The number of seeds."""
        return len(self.values)


@dataclass(frozen=True)
class TaskColumn:
    """The column of one main task: its primary metric (the first of `metrics`), with direction and unit."""

    task: str
    metric: str
    higher: bool
    unit: str = ""  # "" for shares and other figures without one
    metrics: tuple[str, ...] = ()  # all metrics that enter Δm; (metric,) unless --metric names several

    @property
    def primary(self) -> tuple[str, str]:
        """The key of its figures: task and primary metric."""
        return self.task, self.metric

    @property
    def keys(self) -> list[tuple[str, str]]:
        """The keys of all its metrics."""
        return [(self.task, metric) for metric in self.metrics]

    @property
    def directions(self) -> list[bool]:
        """For each of its metrics, whether higher is better."""
        return [higher_is_better(metric) for metric in self.metrics]


@dataclass(frozen=True)
class Against:
    """A row against the reference, paired by seed: the difference of Δm in percent, and the verdict on it.

    wins: share of seeds in which the row is better (ties count ½), with its Clopper-Pearson interval.
    p: the two-sided p, from `p_permutation` (sign flips) and `p_t`. Holm adjusts it to `p_holm`.
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
    """Wall time per step, also relative to that of the plain sum; `relative` is None if `why` forbids a comparison."""

    relative: float | None
    seconds_per_step: float | None
    memory: int | None  # bytes, of the process or device that trained it, including other data there
    why: str = ""


@dataclass(frozen=True)
class Row:
    """One setting, with its seeds combined.

    kind: "method" is a net of several tasks; "alone" are single-task nets, one run per task and seed; "pre-trained" are
        single-task nets whose trunk was trained before, on other tasks or by another run, so that they are no baseline;
        "boosting" is gradient boosting; "trivial" is the predictor that knows no inputs
    settings: full key -> value, for the keys that distinguish the rows
    chosen: the values that --tune chose
    delta_m: percent, mean over tasks of the mean over the metrics of a task
    delta_m_metrics: percent, mean over all metrics
    like_leader: cannot be distinguished from the leading row; None if unknown
    ensemble: the number of runs whose mean prediction it is, in each seed; 0 for a row of single runs
    restarts: the number of runs whose mean figures are those of a seed
    """

    label: str
    kind: Kind
    settings: Mapping[str, str]
    seeds: tuple[int, ...]
    figures: Mapping[str, Estimate]  # by task; absent if no run has the figure
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
    untrained: bool = False  # more than half of its runs are not trained to the end
    ensemble: int = 0
    restarts: int = 1
    dominated_by_fixed: bool | None = None  # by a setting of the sweep of fixed weights; None without such a sweep

    @property
    def trivial(self) -> bool:
        """Whether it is the trivial predictor, which knows no inputs."""
        return self.kind == "trivial"

    @property
    def boosting(self) -> bool:
        """Whether it is gradient boosting instead of a net."""
        return self.kind == "boosting"


@dataclass(frozen=True)
class Effect:
    """A contrast of a factorial or of two arms, paired by seed, as a difference of Δm in percent. Positive: worse.

    factor: a key or a group; two joined by × for an interaction; for arms, the meaning of their difference
    level, against: `level` is compared with `against`
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
    """Something to know before trusting the table.

    kind: with a finding of kind "missing", the word best is not printed
    condition: a few words (`seeds`, `baselines`, `rate at the edge`, …)
    command: the command that supplies what is missing
    """

    kind: Literal["warning", "missing"]
    condition: str
    text: str
    command: str | None = None


@dataclass(frozen=True)
class Series:
    """A figure over training steps, or over another number: mean and band over seeds.

    what: "curve" (val figure of a task), "weight", "sigma" (learnt noise), "rate", "cosine" (of the gradients of the
        tasks `task` and `metric`) or "trend" (figure over the setting `key`)
    """

    what: Literal["curve", "weight", "sigma", "rate", "cosine", "trend"]
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
    """Steps until the val figure of a task first reaches a target.

    median: over the seeds that reach it; reached: their number; of: the number of all seeds
    """

    label: str
    task: str
    target: float
    median: float | None
    reached: int
    of: int


@dataclass(frozen=True)
class Importance:
    """How much worse the test metric of a task gets if an input is permuted, in the unit of the metric."""

    label: str
    task: str
    input: str
    estimate: Estimate


CONFLICTS, DEAD = "conflict_rate", "dead_layer"  # a metric, and the beginning of the names of metrics


GATE, STITCH = "gate_", "stitch_"  # beginnings of the names of metrics on what tasks read from each other


@dataclass(frozen=True)
class Share:
    """The share with which a reader reads an expert or the features of a task, at the last evaluation.

    reader: a task or the shared gate
    level: the level of the trunk, if there are several
    signed: the share may be below 0 or above 1
    seed: the seed of the value, if values of different seeds have different meanings; None for a mean over seeds
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
    """A figure on the training of a setting, at the last evaluation. task "" means the trunk.

    metric: CONFLICTS (rate of conflicts between the gradients of the tasks), or DEAD and the number of a layer (share
        of dead units in this layer of the trunk or head)
    """

    label: str
    task: str
    metric: str
    estimate: Estimate


@dataclass(frozen=True)
class Affinity:
    """Figures for every pair of tasks, from runs that train the pair together.

    gains[a, b]: how much better a is with b than alone, in percent of the figure alone (positive: better)
    cosines: cosine of the gradients of the two tasks
    distances: distance between the trunks of the two single-task nets
    mean_gains[a]: the mean of the gains of a, over the tasks that it was trained with; for tasks with several
    verdicts: of the gains by pair, with Holm's adjustment over all of them, and of the mean gains by task, likewise
    groups: the tasks that the shown gains put together, `task_groups.propose`
    """

    tasks: tuple[str, ...]
    gains: Mapping[tuple[str, str], Estimate]
    cosines: Mapping[tuple[str, str], Estimate]
    distances: Mapping[tuple[str, str], Estimate]
    mean_gains: Mapping[str, Estimate] = field(default_factory=dict)
    verdicts: Mapping[tuple[str, ...], Verdict] = field(default_factory=dict)
    groups: tuple[tuple[str, ...], ...] = ()


@dataclass(frozen=True)
class Comparison:
    """Everything that is shown.

    title: the names of the compared folders
    data: the name of the table; of several tables their names
    verdict: sentences, the most important first
    recommendation: what to do; None if the runs answer another question (a learning curve, contrasts, pairs of tasks)
    reference: label of the row that other rows are compared with
    baseline: label of what Δm is relative to
    split: the split of the figures
    margin: percent within which settings count as equivalent
    split_varies: each seed has a different split; intervals then have the corrected variance
    interval: the kind of interval in words
    seeds_needed: the fewest seeds with which a row of the table can differ significantly from the reference
    asked: the questions that the runs were made for; None: those of the table
    leader: the row with the lowest mean Δm
    best: whether the leader may be called best
    expected_best: label -> expected best val skill of 1, 2, … trials (Dodge et al. 2019)
    tuned: keys of --tune, here or before --confirm
    shared: settings that all runs have in common
    provenance: versions, hashes, hardware, folders
    page: the path of report.html, for the terminal
    remarks: sentences that end the opening, such as what a search has brought; one may end in a command
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
    recommendation: Recommendation | None = None
    effects: Sequence[Effect] = ()
    series: Sequence[Series] = ()
    speeds: Sequence[Speed] = ()
    importances: Sequence[Importance] = ()
    diagnostics: Sequence[Diagnostic] = ()
    shares: Sequence[Share] = ()
    affinity: Affinity | None = None
    asked: Asked | None = None
    expected_best: Mapping[str, Sequence[float]] = field(default_factory=dict)
    tuned: Sequence[str] = ()
    shared: Mapping[str, str] = field(default_factory=dict)
    provenance: Mapping[str, str] = field(default_factory=dict)
    page: str = ""
    remarks: Sequence[str] = ()
    data: str = ""
