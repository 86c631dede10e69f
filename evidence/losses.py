"""Loss strategies: their formulas, their optima, and what they are blind to."""

from collections.abc import Callable

import numpy as np
import pandas as pd

from evidence import formulas
from evidence.measuring import all_pass
from evidence.reading import average, curve, number, runs_of, small
from evidence.row import Measured, Row, Runs, paired

TITLE = "Losses"

# ---------------------------------------------------------------- learnt noise


def noise_optimum(runs: Runs) -> Measured:
    worst, texts = 0.0, []
    for task in ("y1", "y2"):
        ratios = []
        for run in runs.frame["run"]:
            metrics = runs.metrics(run)
            weight, mse = (curve(metrics, "train", task, m).iloc[-1] for m in ("weight", "loss"))
            ratios.append(float(np.sqrt(1 / (2 * weight)) / np.sqrt(mse)))
        worst = max(worst, *(abs(r - 1) for r in ratios))
        texts.append(f"{task} {average(ratios, 4)}")
    text = f"σ̂/√MSE: {', '.join(texts)} ({len(runs.frame)} seeds); at most {number(100 * worst, 2)} % off"
    return Measured(text, worst < 0.03)


def noise_optimum_classes(runs: Runs) -> Measured:
    holds, texts = True, []
    for task, p in (("a", 0.2), ("b", 0.1)):
        entropy = -p * np.log(p) - (1 - p) * np.log(1 - p)
        found = [1 / curve(runs.metrics(run), "train", task, "weight").iloc[-1] for run in runs.frame["run"]]
        off = max(abs(v / (2 * entropy) - 1) for v in found)
        holds = holds and bool(off < 0.02)
        texts.append(f"σ̂² {average(found)} for {number(2 * entropy)} ({number(100 * off, 1)} % off at most)")
    return Measured(f"{'; '.join(texts)}; {len(runs.frame)} seeds", holds)


def raw_targets(runs: Runs) -> Measured:
    arms = {label: runs.of(label, "test/cut/accuracy") for label in ("cut alone", "sum", "uncertainty", "closed form")}
    r2 = pd.concat([runs.of(label, "test/price/r2") for label in ("sum", "uncertainty", "closed form")])
    seeds = len(arms["sum"])
    holds = (
        arms["cut alone"].mean() >= 0.77
        and arms["sum"].mean() <= 0.66
        and min(arms["uncertainty"].min(), arms["closed form"].min()) >= 0.74
        and r2.min() >= 0.85
    )
    figures = ", ".join(f"{average(values)} {label}" for label, values in arms.items())
    return Measured(f"{figures}; r² {number(r2.min())} to {number(r2.max())}; {seeds} seeds", bool(holds))


# ---------------------------------------------------------------- scales and symmetry


def loss_scale(runs: Runs) -> Measured:
    off = {}
    for optimizer in ("adam", "sgd"):
        one, other = (runs_of(runs, f"{optimizer}{suffix}") for suffix in ("", ", 100 L"))
        ways = [[curve(runs.metrics(arm[seed]), "val", "a", "loss") for arm in (one, other)] for seed in one]
        off[optimizer] = [float((a / b - 1).abs().max()) for a, b in ways]
        moved = min(abs(float(a.iloc[-1] / a.iloc[0]) - 1) for a, _ in ways)
        if moved < 0.01:
            return Measured(f"{optimizer}: the head hardly moves", False)
    text = (
        f"val losses along {len(ways[0][0])} evaluations differ by {small(max(off['adam']))} at most under Adam, "
        f"by {number(min(off['sgd']), 2)} at least under SGD; {len(ways)} seeds"
    )
    return Measured(text, max(off["adam"]) < 1e-5 and min(off["sgd"]) > 0.01)


BLIND, SEEING = ("imtl_g", "nash_mtl", "config"), ("mgda", "aligned_mtl")


def combined_direction(runs: Runs) -> Measured:
    angles: dict[str, list[float]] = {}
    for label in (*BLIND, *SEEING):
        rows = runs.frame[runs.frame["label"] == label]
        for seed, pair in rows.groupby("seed"):
            steps = []
            for run in pair.sort_values("tasks.L1.scale")["run"]:
                begin, metrics = np.array(runs.settings(run)["model"]["starts"][seed]), runs.metrics(run)
                point = [metrics[metrics["metric"] == name]["value"].iloc[-1] for name in ("x1", "x2")]
                steps.append(np.array(point) - begin)
            one, other = (step / np.linalg.norm(step) for step in steps)
            turn = np.arctan2(abs(one[0] * other[1] - one[1] * other[0]), one @ other)
            angles.setdefault(label, []).append(float(np.degrees(turn)))
    still, turned = max(max(angles[k]) for k in BLIND), {k: (min(angles[k]), max(angles[k])) for k in SEEING}
    shown = ", ".join(f"{k} by {number(low, 1)}° to {number(high, 1)}°" for k, (low, high) in turned.items())
    text = f"{', '.join(BLIND)} turn by {small(still)}° at most; {shown}; {len(angles['mgda'])} starts"
    return Measured(text, still < 0.01 and min(low for low, _ in turned.values()) > 1)


def symmetry(runs: Runs) -> Measured:
    off: dict[str, float] = {}
    for _, pair in runs.frame.groupby(["loss", "seed"]):
        loss = str(pair["loss"].iloc[0])
        one, other = (runs.metrics(run) for run in pair.sort_values("label")["run"])
        for task in "abc":
            for split, metric in (("train", "weight"), ("train", "loss"), ("val", "loss")):
                a, b = (curve(m, split, task, metric) for m in (one, other))
                off[loss] = max(off.get(loss, 0.0), float((a - b).abs().max() / a.abs().max()))
    worst = max(off, key=lambda loss: off[loss])
    text = f"{len(off)} strategies: weights and losses agree to {small(off[worst])} ({worst}) over 30 steps; 2 seeds"
    return Measured(text, len(off) == 20 and off[worst] < 1e-3)


# ---------------------------------------------------------------- formulas

EPOCH = 3  # steps of one in experiment=definitions
# What is held against a formula of strategies whose state, or chance, the files do not tell in every step.
PARTLY = {
    "imtl": "direction in every step, scale in the first",
    "imtl_l": "first step",
    "gradvac": "first step, while its targets are 0",
    "gradnorm": "first two steps, then the sum of the weights",
    "famo": "every step, with ξ = 0",
    "excess_mtl": "warm-up, then the sum of the weights",
    "rlw": "the weights' sum and sign, and that they are new in every step",
}


def definitions(runs: Runs) -> Measured:
    off: dict[str, float] = {}
    for label, run in zip(runs.frame["label"], runs.frame["run"], strict=True):
        w, L, G = _steps(runs.metrics(run))
        off[label] = max(off.get(label, 0.0), _gap(label, w, L, G))
    worst = sorted(off, key=lambda label: -off[label])
    shown = ", ".join(f"{label} {small(off[label])}" for label in worst[:3])
    failing = [label for label in worst if off[label] > 1e-3]
    whole = len(off) - sum(label in off for label in PARTLY)
    partly = ", ".join(f"{label} {what}" for label, what in PARTLY.items() if label in off)
    text = (
        f"{len(off) - len(failing)} of {len(off)} strategies agree to 1e-3, 4 seeds: {whole} are compared in every "
        f"step, the others in part ({partly}); largest: {shown}"
    )
    return Measured(text + (f"; not: {', '.join(failing)}" if failing else ""), len(off) == 24 and not failing)


def _steps(metrics: pd.DataFrame) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Weights and losses `[n, T]` and the gradients' products `[n, T, T]` of a run that was evaluated every step."""
    tasks = ["a", "b", "d"]
    w, L, norms = (
        np.stack([curve(metrics, "train", t, m).to_numpy() for t in tasks], 1) for m in ("weight", "loss", "grad_norm")
    )
    G = np.zeros((len(w), 3, 3))
    for i, a in enumerate(tasks):
        G[:, i, i] = norms[:, i] ** 2
        for j in range(i + 1, 3):
            cosine = curve(metrics, "train", a, f"cosine_{tasks[j]}").to_numpy()
            G[:, i, j] = G[:, j, i] = cosine * norms[:, i] * norms[:, j]
    return w, L, G


Gap = Callable[[np.ndarray, np.ndarray, np.ndarray], float]  # weights, losses [n, T], products [n, T, T] -> a gap
ONE = np.ones(3)


def _from_losses(formula: Callable[[np.ndarray], np.ndarray]) -> Gap:
    return lambda w, L, G: _apart(w, [formula(row) for row in L])


def _from_products(formula: Callable[[np.ndarray], np.ndarray]) -> Gap:
    return lambda w, L, G: _apart(w, [formula(product) for product in G])


def _imtl(w: np.ndarray, L: np.ndarray, G: np.ndarray) -> float:
    """IMTL-G's direction. In the first step s is at its optimum, so that α is that of the gradients of L/L."""
    first = np.linalg.solve(G[0], np.sqrt(G[0].diagonal()))
    direction = _apart(w / np.abs(w.sum(1, keepdims=True)), [formulas.impartial(product) for product in G])
    return max(direction, _apart(w[:1], [first / abs(first @ L[0])]))


def _stationary(power: float) -> Gap:
    """w^power G w = 1: Nash-MTL for 1, FairGrad with α = 2 for ½."""
    return lambda w, L, G: _apart([v**power * (product @ v) for v, product in zip(w, G, strict=True)], np.ones_like(w))


def _projected(steps: int | None) -> Gap:
    """One of the results of PCGrad's orders, in the first `steps` steps or in all."""
    return lambda w, L, G: max(
        min(_apart(v[None], [option]) for option in formulas.pcgrad(product))
        for v, product in list(zip(w, G, strict=True))[:steps]
    )


def _dwa(w: np.ndarray, L: np.ndarray, G: np.ndarray) -> float:
    means = L.reshape(-1, EPOCH, 3).mean(1)
    later = [3 * formulas.softmax(means[e - 1] / means[e - 2] / 2) for e in range(2, len(means))]
    return _apart(w, np.repeat([ONE, ONE, *later], EPOCH, 0))


def _stch(w: np.ndarray, L: np.ndarray, G: np.ndarray) -> float:
    nadir = L[4 * EPOCH : 5 * EPOCH].mean(0)
    later = [3 * formulas.softmax(np.log(row / nadir)) / row for row in L[5 * EPOCH :]]
    return _apart(w, [*(1 / L[: 5 * EPOCH]), *later])


def _rlw(w: np.ndarray, L: np.ndarray, G: np.ndarray) -> float:
    """Random weights: positive, of sum 1, drawn anew in every step."""
    fresh = len(np.unique(w[:, 0])) == len(w) and (w > 0).all()
    return float(np.abs(w.sum(1) - 1).max()) if fresh else 1.0


def _excess_mtl(w: np.ndarray, L: np.ndarray, G: np.ndarray) -> float:
    """Equal weights during the warm-up of three epochs; the sum is 1."""
    return max(_apart(w[: 3 * EPOCH], np.full((3 * EPOCH, 3), 1 / 3)), float(np.abs(w.sum(1) - 1).max()))


def _gradnorm(w: np.ndarray, L: np.ndarray, G: np.ndarray) -> float:
    """Adam's first step is the rate, against the sign of ‖g‖ − mean ‖g‖."""
    norms = np.sqrt(G[0].diagonal())
    second = ONE - 0.025 * np.sign(norms - norms.mean())
    return max(_apart(w[:2], [ONE, 3 * second / second.sum()]), float(np.abs(w.sum(1) / 3 - 1).max()))


GAPS: dict[str, Gap] = {
    "sum": lambda w, L, G: _apart(w, np.ones_like(w)),
    "fixed": lambda w, L, G: _apart(w, np.tile([2.0, 0.5, 1.0], (len(w), 1))),
    "uncertainty": _from_losses(formulas.closed_form),
    "gls": _from_losses(formulas.gls),
    "famo": _from_losses(formulas.shares),
    "db_mtl": _from_losses(formulas.inverse),
    "mgda": _from_products(formulas.mgda),
    "imtl_g": _from_products(formulas.impartial),
    "config": _from_products(formulas.conflict_free),
    "aligned_mtl": _from_products(formulas.aligned),
    "upgrad": _from_products(formulas.upgrad),
    "dualproj": _from_products(formulas.dualproj),
    "imtl": _imtl,
    "imtl_l": lambda w, L, G: _apart(w[:1], 1 / L[:1]),  # s starts at the optimum of the first batch
    "nash_mtl": _stationary(1.0),
    "fairgrad": _stationary(0.5),
    "cagrad": lambda w, L, G: max(formulas.cagrad_gap(product, v, 0.4) for v, product in zip(w, G, strict=True)),
    "pcgrad": _projected(None),
    "gradvac": _projected(1),  # its targets are 0 in the first step only
    "dwa": _dwa,
    "stch": _stch,
    "rlw": _rlw,
    "excess_mtl": _excess_mtl,
    "gradnorm": _gradnorm,
}


def _gap(label: str, w: np.ndarray, L: np.ndarray, G: np.ndarray) -> float:
    """How far the weights of a run are from the strategy's definition, relative to the largest of a step."""
    return GAPS[label](w, L, G)


def _apart(found: object, expected: object) -> float:
    a, b = np.asarray(found), np.asarray(expected)
    return float((np.abs(a - b) / np.abs(b).max(1, keepdims=True)).max())


# ---------------------------------------------------------------- toys


def _ends(runs: Runs) -> pd.DataFrame:
    """results.csv of a toy with `front`, whether the last point is on the Pareto front, and `goal`, the steps before
    the goal was reached, infinite where it never was."""
    ends = []
    for run in runs.frame["run"]:
        metrics = runs.metrics(run)
        ends.append([float(metrics[metrics["metric"] == name]["value"].iloc[-1]) for name in ("x1", "x2")])
    x1, x2 = np.array(ends).T
    frame = runs.frame.assign(front=(abs(x2 + 8.355) < 0.1) & (abs(x1) <= 7.05))
    goal = frame["train//goal_step"] if "train//goal_step" in frame else pd.Series(np.nan, frame.index)
    return frame.assign(goal=goal.fillna(np.inf))


def toy_a(runs: Runs) -> Measured:
    frame = _ends(runs)
    reached = {loss: int(np.isfinite(own["goal"]).sum()) for loss, own in frame.groupby("loss")}
    front = {loss: int(own["front"].sum()) for loss, own in frame.groupby("loss")}
    slowest = frame[frame["loss"] == "cagrad"]["goal"].max()
    text = (
        f"minimum reached: sum {reached['sum']}, cagrad {reached['cagrad']}, mgda {reached['mgda']}, pcgrad "
        f"{reached['pcgrad']} of 3; on the front: mgda {front['mgda']}, pcgrad {front['pcgrad']}; cagrad's worst "
        f"start takes {slowest:,.0f} steps (published 57,700)"
    )
    expected = {"sum": 1, "cagrad": 3, "mgda": 0, "pcgrad": 0}
    return Measured(text, reached == expected and front["mgda"] == front["pcgrad"] == 3)


ON_FRONT = {"sum": 3, "pcgrad": 4, "cagrad": 3, "mgda": 5, "imtl_g": 5, "nash_mtl": 5}


def toy_b(runs: Runs) -> Measured:
    front = {str(loss): int(own["front"].sum()) for loss, own in _ends(runs).groupby("loss")}
    text = ", ".join(f"{loss} {front[loss]}" for loss in [*ON_FRONT, "famo"])
    return Measured(f"{text} of 5", all(front[loss] == count for loss, count in ON_FRONT.items()))


PUBLISHED: dict[str, dict[float, int]] = {
    "sum": {10: 26, 1: 22, 0.1: 709, 0.01: 9015},
    "pcgrad": {10: 25, 1: 56},
    "cagrad": {10: 27, 1: 32, 0.1: 802, 0.01: 11239},
}


def toy_c(runs: Runs) -> Measured:
    worst = _ends(runs).groupby(["loss", "lr.base"])["goal"].max()
    texts: list[str] = []
    off: dict[tuple[str, float], float] = {}
    for loss, rates in PUBLISHED.items():
        steps = {rate: float(worst[loss, float(rate)]) for rate in rates}
        off |= {(loss, rate): abs(steps[rate] / published - 1) for rate, published in rates.items()}
        texts.append(f"{loss} {', '.join(f'{s:,.0f}' for s in steps.values())}")
    same = all(off[loss, rate] == 0 for loss in PUBLISHED for rate in (10, 1))
    first = all(bool(worst["sum", r] <= worst["cagrad", r] < worst["pcgrad", r]) for r in (0.1, 0.01))
    text = f"{'; '.join(texts)}; others at most {number(100 * max(off.values()), 0)} % off"
    return Measured(text, same and first and max(off.values()) < 0.3)


def gradnorm_toy(runs: Runs) -> Measured:
    frame = runs.frame
    total = sum((1 - frame[f"test/t{task:02d}/r2"] for task in range(10)), start=pd.Series(0.0, frame.index))
    frame = frame.assign(total=total)
    equal = frame[frame["loss"] == "sum"].set_index("seed")["total"]
    texts, holds = [f"{average(equal, 2)} equal weights"], True
    for alpha, own in frame[frame["loss"] == "gradnorm"].groupby("loss.alpha"):
        values = own.set_index("seed")["total"]
        found = paired(values, equal)
        texts.append(f"{average(values, 2)} α = {alpha:g} ({found.wins}/{found.n})")
        holds = holds and bool((values < 0.75 * equal.reindex(values.index)).all())
    return Measured("Σ(1 − r²): " + ", ".join(texts), holds and len(texts) == 3)


ROWS = [
    Row(
        "noise_optimum",
        "Learnt noise, regression",
        "Kendall 2018, eq. 7",
        "σ̂ within 3 % of √(train MSE), both tasks",
        noise_optimum,
    ),
    Row(
        "noise_optimum_classes",
        "Learnt noise, classification",
        "Kendall 2018, eq. 10",
        "σ̂² within 2 % of 2 H(p): 1.001 where 20 % of labels are flipped",
        noise_optimum_classes,
    ),
    Row(
        "raw_targets",
        "Uncertainty on real data",
        "Kendall 2018; diamonds, price in dollars",
        "accuracy of cut: alone ≥ .77, sum ≤ .66, uncertainty, closed form ≥ .74 in every seed; r² of price ≥ .85",
        raw_targets,
        "plain sum; cut alone",
    ),
    Row(
        "loss_scale",
        "A loss times 100, to its head",
        "Kingma & Ba 2015",
        "same way under Adam to 1e-5, not under SGD",
        loss_scale,
        "SGD",
    ),
    Row(
        "combined_direction",
        "One task's loss times 10: direction",
        "Liu 2021; Navon 2022; Liu 2024; Désidéri 2012; Senushkin 2023",
        "IMTL-G, Nash-MTL, ConFIG: turns by < .01°; MGDA, Aligned-MTL: by > 1°",
        combined_direction,
        "the two that see the scale",
    ),
    Row(
        "symmetry",
        "Tasks in another order",
        "–",
        "the same weights and losses to 1e-3, all 20 without random numbers",
        symmetry,
    ),
    Row(
        "definitions",
        "Weights of 24 strategies",
        "docs/losses.md",
        f"formula computed anew, agreement to 1e-3: {24 - len(PARTLY)} strategies in every step, {len(PARTLY)} in part",
        definitions,
    ),
    Row(
        "",
        "Against an independent library",
        "torchjd 0.18",
        "the same weights on sampled losses and gradients: tests pass",
        all_pass,
        words=("tests/loss", "-k", "torchjd"),
    ),
    Row(
        "toy_a",
        "Two-objective toy, three starts",
        "Liu 2021 (CAGrad)",
        "minimum reached: sum 1, CAGrad 3 of 3; MGDA and PCGrad stop elsewhere on the front",
        toy_a,
        "sum",
        ("trainer.max_steps=75000",),
    ),
    Row(
        "toy_b",
        "Two-objective toy, unequal scales",
        "Navon 2022",
        "on the front: sum 3, PCGrad 4, CAGrad 3, MGDA, IMTL-G, Nash-MTL 5 of 5",
        toy_b,
        "sum",
    ),
    Row(
        "toy_c",
        "Two-objective toy, four rates",
        "Elich 2024",
        "worst start as published: sum 26, 22, 709, 9,015, PCGrad 25, 56, CAGrad 27, 32, 802, 11,239 steps; at 10 and "
        "1 to the step, else within 30 %; the sum first at .1 and .01",
        toy_c,
        "sum",
        ("trainer.max_steps=12000", "lr.base=10,1,0.1,0.01"),
    ),
    Row(
        "gradnorm_toy",
        "GradNorm's ten scales",
        "Chen 2018, 4",
        "Σ(1 − r²) a quarter below equal weights', in every seed",
        gradnorm_toy,
        "equal weights",
        ("seed=range(4)",),
    ),
]
