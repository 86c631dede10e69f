"""Comparisons made by hand, for what shows them; their figures are plausible, not trained."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from mtlrun.compare.records import (
    Affinity,
    Against,
    Comparison,
    Cost,
    Diagnostic,
    Effect,
    Estimate,
    Finding,
    Importance,
    Row,
    Series,
    Speed,
    TaskColumn,
)

HOSTILE = "<script>alert(1)</script> & $x_1$ | \\textbf{a}\x1b[31m"
LONG = "loss=uncertainty lr=per_head graph.receives.price.cut=stop model.trunk.layers=[512,512,512] " * 3


def estimate(mean: float, half: float | None = None, n: int = 8) -> Estimate:
    """A mean and half an interval, with seeds spread evenly about the mean."""
    values = {seed: mean + (half or 0.0) * (seed - (n - 1) / 2) / n for seed in range(n)}
    if half is None:
        return Estimate(mean, None, None, values)
    return Estimate(mean, mean - half, mean + half, values)


def against(delta: float, half: float = 0.6, n: int = 8) -> Against:
    """A row that is `delta` percent worse than the reference."""
    verdict = "equivalent" if abs(delta) + half < 1 else "worse" if delta > half else "undecided"
    p = 0.0078125 if abs(delta) > half else 0.4
    return Against(
        difference=estimate(delta, half, n),
        wins=0.875 if delta < 0 else 0.125,
        wins_low=0.4735 if delta < 0 else 0.0032,
        wins_high=0.9968 if delta < 0 else 0.5265,
        p_permutation=p,
        p_t=p / 2,
        p=p,
        p_holm=min(1.0, 3 * p),
        equivalent=verdict == "equivalent",
        verdict="better" if delta < -half else verdict,
    )


def row(label: str, delta: float, columns: Sequence[TaskColumn], n: int = 8, **more: object) -> Row:
    """A setting that is `delta` percent worse than the baseline in every task."""
    half = None if n == 1 else 0.6
    figures = {}
    for index, column in enumerate(columns):
        level = 0.76 if column.higher else 600.0 / 10**index
        figures[column.task] = estimate(
            level * (1 + delta / 100 * (-1 if column.higher else 1)), None if n == 1 else level / 200, n
        )
    made = Row(
        label=label,
        kind="method",
        settings={"loss": label.split("=")[-1]},
        seeds=tuple(range(n)),
        figures=figures,
        delta_m=estimate(delta, half, n),
        delta_m_metrics=None,
        rank=2.0,
        against=against(delta) if n > 1 else None,
        like_leader=abs(delta) < 1 if n > 1 else None,
        cost=Cost(relative=1.2, seconds_per_step=0.0031, memory=250_000_000),
        parameters=41_000,
        runs=tuple(f"runs/{label[:8]}_{seed}" for seed in range(n)),
    )
    return replace(made, **more)


def columns(tasks: int = 2) -> list[TaskColumn]:
    """`price` in dollars (lower is better), `cut` (higher is better), then as many others as asked for."""
    made = [TaskColumn("price", "rmse", False, "dollars"), TaskColumn("cut", "accuracy", True)]
    return (made + [TaskColumn(f"target_{i}", "rmse", False, "mm") for i in range(2, tasks)])[:tasks]


def comparison(rows: Sequence[Row], tasks: Sequence[TaskColumn], **more: object) -> Comparison:
    """A comparison of rows, the first of which is the reference and baseline, the second the leader."""
    made = Comparison(
        title="two_settings",
        data="diamonds",
        verdict=["uncertainty is better than sum by 1.5 % (0.9 to 2.1).", "Nothing else can be told apart."],
        columns=tasks,
        rows=rows,
        reference=rows[0].label,
        baseline=rows[0].label,
        split="test",
        margin=1.0,
        split_varies=True,
        interval="t with the corrected variance (Nadeau and Bengio 2003)",
        seeds_needed=7,
        leader=rows[1].label,
        best=False,
        findings=[],
    )
    return replace(made, **more)


def minimal() -> Comparison:
    """One seed, two rows, no intervals."""
    tasks = columns()
    rows = [row("loss=sum", 0.0, tasks, 1, rank=1.5), row("loss=fixed", 2.0, tasks, 1, rank=1.5, cost=None)]
    more = {"leader": None, "split_varies": False, "verdict": ["One seed says nothing about luck."]}
    return comparison(rows, tasks, findings=[SEEDS], **more)


SEEDS = Finding("missing", "seeds", "8 seeds are needed, 1 is there", "mtlrun -m 'loss=sum,fixed' seed=1,2,3,4,5,6,7")


def curve(what: str, label: str, task: str, metric: str, start: float, end: float, key: str = "step") -> Series:
    """A figure that falls or rises from start to end, with a band."""
    x = np.array([100, 1000, 10_000, 50_000]) if what == "trend" else np.linspace(100, 3000, 30)
    share = np.linspace(0, 1, len(x))
    mean = end + (start - end) * np.exp(-4 * share)
    band = abs(start - end) * 0.05 * (1.2 - share)
    return Series(
        what, label, task, metric, x.tolist(), mean.tolist(), (mean - band).tolist(), (mean + band).tolist(), 8, key
    )


def rich(rows: int = 6, tasks: int = 2, series: int = 6) -> Comparison:
    """Everything that can be shown."""
    heads = columns(tasks)
    losses = [f"loss=mixed loss.share={i} lr=per_head lr.trunk={i}e-4" for i in range(max(0, rows - 5))]
    made = [
        row("loss=sum", 0.0, heads, against=None, like_leader=False, rank=4.0),
        row("loss=uncertainty", -1.5, heads, like_leader=None, rank=1.5, dominated=False),
        row("alone", 3.4, heads, kind="alone", failed=2, dominated=True),
        row("boosting", -0.8, heads, kind="boosting", cost=Cost(None, None, None, "boosting takes no steps")),
        row("trivial", 81.0, heads, kind="trivial", against=None, cost=None, like_leader=None, rank=None),
        *(row(label, -1.2 + 0.3 * i, heads, dominated=i > 2) for i, label in enumerate(losses)),
    ][:rows]
    drawn = []
    for index, entry in enumerate(made[:series]):
        for column in heads[:4]:
            start, end = (0.3, 0.76 - 0.01 * index) if column.higher else (900.0, 600.0 + 9 * index)
            drawn.append(curve("curve", entry.label, column.task, column.metric, start, end))
            drawn.append(curve("weight", entry.label, column.task, "weight", 1.0, 0.2 + 0.03 * index))
            drawn.append(curve("trend", entry.label, column.task, column.metric, start, end, "data.train_rows"))
        drawn.append(curve("rate", entry.label, "trunk", "rate", 1e-3, 1e-5 * (index + 1)))
        drawn.append(curve("cosine", entry.label, "price", "cut", 0.4, -0.1 + 0.02 * index))
    names = [column.task for column in heads]
    pairs = {
        (a, b): estimate((i - j) * 0.7 + 0.3, 0.5) for i, a in enumerate(names) for j, b in enumerate(names) if a != b
    }
    angles = {pair: estimate(math.tanh(gain.mean / 3), 0.05) for pair, gain in pairs.items()}
    return comparison(
        made,
        heads,
        findings=[
            Finding("warning", "rate at the edge", "lr.base=0.01 is the largest of its grid for loss=uncertainty"),
            Finding(
                "missing",
                "baseline: boosting",
                "no gradient boosting beside the nets",
                "mtlrun -m experiment=baselines data=diamonds 'seed=range(0,8)' hydra.sweep.dir=/tmp/baselines",
            ),
        ],
        effects=[
            Effect("loss", "uncertainty", "sum", estimate(-1.5, 0.4), 0.0078, 0.0234),
            Effect("lr", "per_head", "single", estimate(0.4, 0.5), 0.21, 0.42),
            Effect("loss × lr", "uncertainty, per_head", "sum, single", estimate(0.1, 0.8), 0.7, 0.7),
        ],
        series=drawn,
        speeds=[Speed("loss=sum", "price", 612.0, 1400, 8, 8), Speed("loss=uncertainty", "price", 612.0, None, 3, 8)],
        importances=[
            Importance(entry.label, column.task, name, estimate(size, size / 8))
            for entry in made[:2]
            for column in heads[:4]
            for name, size in (("carat", 410.0), ("depth", 12.0), ("table_width", 3.1), ("x", 85.0))
        ],
        diagnostics=[
            Diagnostic(entry.label, task, metric, estimate(share, 0.02))
            for entry, share in zip(made[:2], (0.25, 0.5), strict=True)
            for task, metric in (("", "conflict_rate"), ("", "dead_layer1"), ("cut", "dead_layer2"))
            if entry is made[0] or task
        ],
        affinity=Affinity(tuple(names), pairs, angles, {p: estimate(1 - a.mean, 0.04) for p, a in angles.items()}),
        expected_best={entry.label: [0.5, 0.55, 0.58, 0.59] for entry in made[:3]},
        tuned=["lr.base"],
        shared={"data": "diamonds", "trainer.steps": "3000", "model.trunk.layers": "[64,64]"},
        provenance={"mtlrun": "0.4.0", "data": "sha256 9f86d081884c7d659a2feaa0c55ad015", "hardware": "cpu"},
    )


def with_gaps() -> Comparison:
    """Failures, a task that one row lacks, figures that are not finite, an uneven number of seeds."""
    heads = columns(3)
    whole = row("loss=sum", 0.0, heads, against=None)
    partial = row("loss=uncertainty", -1.0, heads, failed=2, unfinished=1, seeds=(0, 1, 4))
    figures: Mapping[str, Estimate] = {"price": partial.figures["price"], "cut": Estimate(math.nan, None, None, {})}
    lost = row("loss=mixed", 2.0, heads, 1, figures={}, delta_m=None, rank=None, failed=8, seeds=())
    return comparison([whole, replace(partial, figures=figures), lost], heads)


def hostile() -> Comparison:
    """Labels that would break the page, the table or the terminal, and one of several hundred characters."""
    made = rich(7)
    rows = list(made.rows)
    rows[0] = replace(rows[0], label=HOSTILE, settings={"loss": HOSTILE})
    rows[5] = replace(rows[5], label=LONG)
    drawn = [replace(entry, label=HOSTILE) if entry.label == "loss=sum" else entry for entry in made.series]
    finding = Finding("missing", HOSTILE, HOSTILE, f"mtlrun -m '{HOSTILE}'")
    return replace(
        made,
        rows=rows,
        reference=HOSTILE,
        baseline=HOSTILE,
        title=HOSTILE,
        data=HOSTILE,
        verdict=[HOSTILE],
        series=drawn,
        findings=[finding],
        shared={"notes": HOSTILE},
    )


def long_names() -> Comparison:
    """Tasks, metrics and units whose names fill more than a line."""
    made = rich(6, 3)
    heads = [
        replace(
            column,
            task=f"{column.task}_of_the_house_next_door_in_the_street",
            metric=f"{column.metric}_per_mile",
            unit="thousands of dollars of 2026",
        )
        for column in made.columns
    ]
    renamed = {old.task: new for old, new in zip(made.columns, heads, strict=True)}
    rows = [replace(r, figures={renamed[t].task: e for t, e in r.figures.items()}) for r in made.rows]
    drawn = [
        replace(s, task=renamed[s.task].task, metric=renamed[s.task].metric if s.what == "curve" else s.metric)
        for s in made.series
        if s.task in renamed
    ]
    weights = [replace(i, task=renamed[i.task].task, input=f"{i.input}_as_measured_by_hand") for i in made.importances]
    affinity = replace(
        made.affinity,
        tasks=tuple(renamed[task].task for task in made.affinity.tasks),
        gains={(renamed[a].task, renamed[b].task): gain for (a, b), gain in made.affinity.gains.items()},
    )
    return replace(made, columns=heads, rows=rows, series=drawn, importances=weights, affinity=affinity)
