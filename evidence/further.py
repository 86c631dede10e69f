"""Further measurements: how much data, how fast, which tasks, which inputs, dead units, capacity."""

from collections.abc import Sequence
from itertools import combinations

import numpy as np
import pandas as pd

from evidence.reading import average, chance, curve, difference, number
from evidence.row import PLAIN_NET, Measured, Paired, Row, Runs, paired

TITLE = "Further measurements"
FAMILY = ("a", "b", "c")


def _mean(frame: pd.DataFrame, split: str = "test") -> pd.Series:
    """By seed, the mean RMSE of the tasks of the family over the rows that have one of each."""
    columns = [frame.groupby("seed")[f"{split}/{task}/rmse"].mean() for task in FAMILY]
    return _average(columns)


def _average(columns: Sequence[pd.Series]) -> pd.Series:
    mean: pd.Series = sum(columns[1:], columns[0]) / len(columns)
    return mean


def _percent(found: Paired, base: pd.Series) -> str:
    scale = 100 / base.mean()
    return f"{number(scale * found.mean, 1)} ± {number(scale * found.half, 1)} % ({found.wins}/{found.n})"


def learning_curve(runs: Runs) -> Measured:
    frame = runs.frame
    shown: list[str] = []
    gains: dict[int, Paired] = {}
    means: dict[int, tuple[float, float]] = {}
    for rows in sorted(int(value) for value in frame["data.train_rows"].unique()):
        part = frame[frame["data.train_rows"] == rows]
        together, alone = (_mean(part[part["label"] == label]) for label in ("together", "alone"))
        gains[rows] = paired(together, alone)
        means[rows] = float(together.mean()), float(alone.mean())
        shown.append(f"{rows} rows {_percent(gains[rows], alone)}")
    most, fewer = max(means), [rows for rows in means if rows <= max(means) / 2]
    falling = all(np.diff([means[rows][k] for rows in sorted(means)]).max() < 0 for k in (0, 1))
    holds = gains[most].mean < 0 and gains[max(fewer)].p < 0.05 and gains[max(fewer)].mean < 0 and falling
    text = f"together against alone: {'; '.join(shown)}; errors fall with rows: {'yes' if falling else 'no'}"
    return Measured(text, bool(holds))


def learning_speed(runs: Runs) -> Measured:
    frame, right = runs.frame, 0
    steps: dict[str, dict[str, list[int]]] = {task: {"together": [], "alone": []} for task in FAMILY}
    for _, of_seed in frame.groupby("seed"):
        curves: dict[str, dict[str, pd.Series]] = {task: {} for task in FAMILY}
        for label, run in of_seed[["label", "run"]].itertuples(index=False):
            metrics = runs.metrics(run)
            tasks = [task for task in FAMILY if ((metrics["task"] == task) & (metrics["metric"] == "loss")).any()]
            for task in tasks:
                curves[task][label] = curve(metrics, "val", task, "loss")
            total = pd.concat([curve(metrics, "train", task, "loss") for task in tasks], axis=1).sum(axis=1)
            goal = 1.8 if label == "together" else 0.6
            met = np.flatnonzero(total <= goal)
            logged = metrics[metrics["metric"] == "goal_step"]["value"]
            right += logged.tolist() == [float(step) for step in met[:1]]
        for task, both in curves.items():  # 95 % of the way from the start to where alone is at its best
            target = both["alone"].iloc[0] + 0.95 * (both["alone"].min() - both["alone"].iloc[0])
            for label, values in both.items():
                reached = values[values <= target]
                steps[task][label].append(int(reached.index[0]) if len(reached) else int(values.index[-1]) + 1)
    seeds = frame["seed"].nunique()
    shown = ", ".join(f"{t} {np.median(s['together']):g} and {np.median(s['alone']):g}" for t, s in steps.items())
    differences = [
        float(np.mean([steps[t]["together"][i] - steps[t]["alone"][i] for t in FAMILY])) for i in range(seeds)
    ]
    found = paired(pd.Series(differences), pd.Series(np.zeros(seeds)))
    text = (
        f"goal_step is the first step at the goal in {right}/{len(frame)} runs; median steps together and alone: "
        f"{shown}; difference {number(found.mean, 1)} ± {number(found.half, 1)} ({found.wins}/{found.n}, "
        f"{chance(found.p)})"
    )
    return Measured(text, right == len(frame) and found.mean < 0 and found.p < 0.05)


def affinity(runs: Runs) -> Measured:
    frame = runs.frame
    alone, pairs = frame[frame["label"] == "alone"], frame[frame["label"] == "pairs"]
    errors: dict[str, pd.DataFrame] = {}  # by pair, percent of the error alone: a column for each of its tasks
    cosines: dict[str, pd.Series] = {}
    for one, other in combinations("abcd", 2):
        both = pairs[pairs["only"].map(_names) == {one, other}].set_index("seed")
        cosines[one + other] = both["run"].map(
            lambda run, a=one, b=other: float(curve(runs.metrics(run), "train", a, f"cosine_{b}").mean())
        )
        lone = {t: alone[alone["only"].map(_names) == {t}].set_index("seed")[f"test/{t}/rmse"] for t in (one, other)}
        errors[one + other] = pd.DataFrame({t: 100 * both[f"test/{t}/rmse"] / lone[t] - 100 for t in lone})
    shown = [
        f"{pair} {', '.join(number(v, 1) for v in errors[pair].mean())} % ({number(cosines[pair].mean(), 2)})"
        for pair in errors
    ]
    inside, outside = ([pair for pair in errors if ("d" in pair) == strange] for strange in (False, True))
    gain, alike = (
        paired(_average([found[p] for p in inside]), _average([found[p] for p in outside]))
        for found in ({p: table.mean(axis=1) for p, table in errors.items()}, cosines)
    )
    text = (
        f"change of error, and cosine: {'; '.join(shown)}; pairs of the family against those with d: error "
        f"{difference(gain, 1)} %, cosine {difference(alike)}"
    )
    holds = gain.mean < 0 and gain.p < 0.05 and alike.mean > 0 and alike.wins == 0
    return Measured(text, holds and max(float(errors[p].mean().mean()) for p in inside) < 0)


def _names(only: str) -> set[str]:
    return set(only.strip("[]").replace(" ", "").split(","))


def importance(runs: Runs) -> Measured:
    worst: dict[str, float] = {}
    noise = 0.0
    for run in runs.frame["run"]:
        table = pd.read_csv(runs.folder / run / "importance.csv")
        for task, own in table.groupby("task"):
            values = own.set_index("input")["value"]
            mine = {f"x{j:02d}" for j in (range(5, 10) if task == "d" else range(5))}
            share = values[values.index.isin(mine)].sum() / values.clip(lower=0).sum()
            worst[str(task)] = min(worst.get(str(task), 1.0), float(share))
            noise = max(noise, float(values[~values.index.isin(mine)].max() / values.max()))
    text = (
        f"share of importance on the inputs that count, least of {len(runs.frame)} seeds: "
        f"{', '.join(f'{task} {number(share, 2)}' for task, share in sorted(worst.items()))}; largest of the "
        f"others {number(noise, 2)} of the largest"
    )
    return Measured(text, min(worst.values()) >= 0.9)


def dead_units(runs: Runs) -> Measured:
    shares: dict[float, dict[int, float]] = {}
    for rate, seed, run in runs.frame[["lr.base", "seed", "run"]].itertuples(index=False):
        metrics = runs.metrics(run)
        layers = [curve(metrics, "val", "", f"dead_layer{k}").iloc[-1] for k in (1, 2)]
        shares.setdefault(float(rate), {})[seed] = float(np.mean(layers))
    rates = sorted(shares)
    table = np.array([[shares[rate][seed] for seed in sorted(shares[rate])] for rate in rates])
    rising = int((np.diff(table, axis=0) >= 0).all(0).sum())
    shown = ", ".join(f"{average(list(row), 2)} at {rate:g}" for rate, row in zip(rates, table, strict=True))
    seeds = table.shape[1]
    text = f"dead share of the trunk: {shown}; never falls with the rate in {rising}/{seeds} seeds"
    return Measured(text, rising == seeds and bool((table[-1] > table[0] + 0.1).all()))


def capacity(runs: Runs) -> Measured:
    frame = runs.frame.assign(width=runs.frame["model.hidden"].map(lambda text: int(text.strip("[]").split(",")[0])))
    means: dict[str, dict[int, pd.Series]] = {"together": {}, "alone": {}}
    widths = sorted(int(width) for width in frame["width"].unique())
    for label, of_width in means.items():
        for width in widths:
            of_width[width] = _mean(frame[(frame["label"] == label) & (frame["width"] == width)])
    found = [paired(means["together"][width], means["alone"][width]) for width in widths]
    shown = ", ".join(
        f"{width} wide {average(means['together'][width])} and {average(means['alone'][width])} ({chance(p.p)})"
        for width, p in zip(widths, found, strict=True)
    )
    text = f"mean RMSE together and alone: {shown}; {found[0].n} seeds"
    holds = all(p.mean < 0 and p.p < 0.05 for p in found)
    return Measured(text, len(found) == 5 and holds)


ROWS = [
    Row(
        "learning_curve",
        "Error over training rows",
        "Caruana 1997",
        "errors fall with rows; together below alone on all rows, and at .05 on half of them",
        learning_curve,
        "alone",
        ("data=family", "only=[a,b,c]", "trainer.epochs=30", "trainer.batch_size=30", "seed=range(6)", *PLAIN_NET),
    ),
    Row(
        "learning_speed",
        "Steps to a figure",
        "Caruana 1997",
        "goal_step exact in every run; together sooner at 95 % of the way, at .05",
        learning_speed,
        "alone",
    ),
    Row(
        "affinity",
        "Which tasks go together",
        "Standley 2020; Fifty 2021",
        "each pair of the family gains on average; against pairs with d less error at .05, a higher cosine in every "
        "seed",
        affinity,
        "d, of another family",
        ("data=family", "trainer.epochs=30", "trainer.batch_size=30", "seed=range(8)", *PLAIN_NET),
    ),
    Row(
        "importance",
        "Importance of inputs",
        "Breiman 2001, 10",
        "≥ .9 of the importance on the five inputs that count for a task, in every seed",
        importance,
        "ten inputs that count for none",
    ),
    Row(
        "dead_units",
        "Dead ReLUs",
        "Lu 2019",
        "share never falls with the rate, and rises by > .1, in every seed",
        dead_units,
        "the lowest of three rates",
    ),
    Row(
        "capacity",
        "Hard sharing is no matter of capacity",
        "Caruana 1993",
        "together better at .05 than alone at each of five widths",
        capacity,
        "alone at the same widths",
    ),
]
