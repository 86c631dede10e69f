"""Ways of sharing: a trunk for each task, and a penalty that ties their weights."""

from collections.abc import Callable

import numpy as np
import pandas as pd
from mtlrun_demos.problems.linear import true_weights

import mtlrun
from evidence.row import Measured, Paired, Row, Runs, paired
from mtlrun.sharing.trace_norm import RANK_FROM
from mtlrun.statistics import t_interval

TITLE = "Sharing"
SETTINGS = ["sharing.strength", "sharing.ridge"]


def chosen(runs: Runs, label: str) -> pd.DataFrame:
    """The runs of an arm with the settings of the penalty that have the least squared error on val, in the mean over
    tasks and seeds, as `mtlrun compare --tune` chooses; by seed."""
    rows = runs.frame[runs.frame["label"] == label]
    settings = [key for key in SETTINGS if key in rows and rows[key].notna().any()]
    if not settings:
        return rows.set_index("seed")
    errors = rows.filter(regex=r"^val/.*/mse$").mean(axis=1).groupby([rows[key] for key in settings]).mean()
    best = errors.idxmin()
    wanted = dict(zip(settings, best if isinstance(best, tuple) else (best,), strict=True))
    for key, value in wanted.items():
        rows = rows[rows[key] == value]
    return rows.set_index("seed")


def weights(runs: Runs, run: str) -> np.ndarray:
    """The weights `[T, D]` of a linear net, on the inputs as the table has them."""
    network = mtlrun.load(runs.folder / run).network
    (block,) = network.blocks
    return (block.weights[0].detach()[0, :, :, 0].T * network.encoder.inverse[0]).double().numpy()


def over_seeds(runs: Runs, label: str, figure: Callable[[np.ndarray], float]) -> pd.Series:
    """A figure of the weights of an arm's chosen runs, by seed."""
    return chosen(runs, label)["run"].map(lambda run: figure(weights(runs, run)))


def relative_error(true: np.ndarray) -> Callable[[np.ndarray], float]:
    """‖W − W*‖² / ‖W*‖² of weights W, where W* are the true ones."""
    return lambda found: float(((found - true) ** 2).sum() / (true**2).sum())


def rank(found: np.ndarray) -> float:
    """How many singular values are above a tenth of the largest."""
    sigma = np.linalg.svd(found, compute_uv=False)
    return float((sigma > RANK_FROM * sigma[0]).sum())


def above_a_tenth(found: np.ndarray) -> np.ndarray:
    """Which inputs have weights, over tasks, of a norm above a tenth of the largest: the rule of `rank`."""
    norms = np.linalg.norm(found, axis=0)
    return np.asarray(norms > RANK_FROM * norms.max())


def f1(found: np.ndarray, true: np.ndarray) -> float:
    """Of the support: masks of what is not 0, and of what should not be."""
    return float(2 * (found & true).sum() / (found.sum() + true.sum()))


def interval(values: pd.Series) -> str:
    """A mean with half of its 95 % interval."""
    mean, _, high = t_interval(values.to_numpy())
    return f"{mean:.3g}" if high is None else f"{mean:.3g} ± {high - mean:.1g}"


def strengths(runs: Runs, label: str) -> str:
    """The chosen settings of an arm, in words."""
    rows = chosen(runs, label)
    return ", ".join(f"{key.split('.')[1]} {rows[key].iloc[0]:g}" for key in SETTINGS if pd.notna(rows[key].iloc[0]))


def counted(difference: Paired) -> str:
    return f"{difference.wins}/{difference.n}"


def mean_regularized(runs: Runs) -> Measured:
    errors = {
        label: over_seeds(runs, label, relative_error(true_weights("related"))) for label in ("alone", "pooled", "tied")
    }
    ends = [paired(errors["tied"], errors[end]) for end in ("alone", "pooled")]
    ratios = [errors["tied"].mean() / errors[end].mean() for end in ("alone", "pooled")]
    text = (
        f"relative error of the weights {interval(errors['alone'])} alone, {interval(errors['pooled'])} pooled, "
        f"{interval(errors['tied'])} mean-regularised ({strengths(runs, 'tied')}; below alone {counted(ends[0])}, "
        f"below pooled {counted(ends[1])}, by {1 - ratios[1]:.0%} in the mean)"
    )
    return Measured(text, bool(max(ratios) <= 0.8))


def trace_norm(runs: Runs) -> Measured:
    error = relative_error(true_weights("low_rank"))
    errors = {label: over_seeds(runs, label, error) for label in ("ridge", "trace_norm")}
    ranks = over_seeds(runs, "trace_norm", rank)
    others = over_seeds(runs, "ridge", rank)
    text = (
        f"relative error of the weights {interval(errors['ridge'])} ridge (rank {others.min():g} to "
        f"{others.max():g}), {interval(errors['trace_norm'])} trace norm ({strengths(runs, 'trace_norm')}), rank 2 "
        f"in {int((ranks == 2).sum())} of {len(ranks)} seeds"
    )
    return Measured(text, bool(errors["trace_norm"].mean() <= 0.02 and (ranks == 2).all()))


def joint_features(runs: Runs) -> Measured:
    true = true_weights("joint_inputs")
    used = (true != 0).any(0)
    arms = ("l1", "joint_features")
    errors = {label: over_seeds(runs, label, relative_error(true)) for label in ("ridge", *arms)}
    large = {label: over_seeds(runs, label, lambda w: f1(above_a_tenth(w), used)) for label in arms}
    exact = {label: over_seeds(runs, label, lambda w: f1((w != 0).any(0), used)) for label in arms}
    below = paired(errors["joint_features"], errors["l1"])
    text = (
        f"relative error of the weights {interval(errors['ridge'])} ridge, {interval(errors['l1'])} lasso, "
        f"{interval(errors['joint_features'])} L2,1 ({strengths(runs, 'joint_features')}; below lasso "
        f"{counted(below)}); F1 of the inputs that matter {large['joint_features'].mean():.2f}, lasso "
        f"{large['l1'].mean():.2f}; of all that are not exactly 0 {exact['joint_features'].mean():.2f}, lasso "
        f"{exact['l1'].mean():.2f}, as the strength that predicts best keeps small weights"
    )
    return Measured(text, bool(large["joint_features"].mean() >= 0.95 and below.mean + below.half < 0))


def l1(runs: Runs) -> Measured:
    true = true_weights("own_inputs")
    errors = {label: over_seeds(runs, label, relative_error(true)) for label in ("ridge", "l1", "joint_features")}
    zeros = {label: over_seeds(runs, label, lambda w: float((w == 0).mean())) for label in errors}
    supports = {label: over_seeds(runs, label, lambda w: f1(w != 0, true != 0)) for label in errors}
    ends = [paired(errors["l1"], errors[end]) for end in ("ridge", "joint_features")]
    text = (
        f"relative error of the weights {interval(errors['ridge'])} ridge, {interval(errors['joint_features'])} "
        f"L2,1, {interval(errors['l1'])} L1 ({strengths(runs, 'l1')}); weights exactly 0: "
        f"{zeros['ridge'].mean():.0%}, {zeros['joint_features'].mean():.0%}, {zeros['l1'].mean():.0%} of 95 %; "
        f"F1 of the support {interval(supports['ridge'])}, {interval(supports['joint_features'])}, "
        f"{interval(supports['l1'])}"
    )
    exact = bool((zeros["l1"] > 0.5).all() and (zeros["ridge"] == 0).all())
    return Measured(text, exact and all(end.mean + end.half < 0 for end in ends))


def soft_l2(runs: Runs) -> Measured:
    def rmse(rows: pd.DataFrame) -> pd.Series:
        return rows.set_index("seed").filter(regex=r"^test/.*/rmse$").mean(axis=1).sort_index()

    frame = runs.frame
    ends = {label: rmse(frame[frame["label"] == label]) for label in ("none", "hard")}
    curve = {float(str(s)): rmse(rows) for s, rows in frame[frame["label"] == "soft_l2"].groupby("sharing.strength")}
    gaps = [float((curve[s] / ends[end] - 1).abs().max()) for s, end in ((min(curve), "none"), (max(curve), "hard"))]
    best = chosen(runs, "soft_l2")["sharing.strength"].iloc[0]
    gains = [paired(curve[best], ends[end]) for end in ("none", "hard")]
    shown = ", ".join(f"{s:g}: {values.mean():.3f}" for s, values in curve.items())
    text = (
        f"test RMSE, mean of tasks: {interval(ends['none'])} none, {interval(ends['hard'])} hard; over λ {shown}; "
        f"λ = {min(curve):g} off none by at most {gaps[0]:.1g}, λ = {max(curve):g} off hard by {gaps[1]:.1g}; "
        f"λ = {best:g}, chosen on val, {gains[0].mean:+.3f} ± {gains[0].half:.3f} against none, "
        f"{gains[1].mean:+.3f} ± {gains[1].half:.3f} against hard"
    )
    return Measured(text, max(gaps) < 1e-3)


ROWS = [
    Row(
        "soft_l2",
        "Soft sharing, L2",
        "Duong et al. 2015",
        "RMSE at λ = 0 that of none, at λ → ∞ that of hard sharing at an eighth of the trunk's rate, within 0.1 % in "
        "every seed",
        soft_l2,
        "the two ends",
    ),
    Row(
        "mean_regularized",
        "Mean-regularised",
        "Evgeniou & Pontil 2004",
        "relative error ‖W − W*‖²/‖W*‖² at least 20 % below each task alone and below all pooled, every arm tuned on "
        "val",
        mean_regularized,
        "ridge regressions alone and pooled",
    ),
    Row(
        "trace_norm",
        "Trace norm",
        "Argyriou et al. 2007; Yang & Hospedales 2017",
        "relative error of the weights at most .02, and exactly 2 of their singular values above a tenth of the "
        "largest, in every seed",
        trace_norm,
        "ridge regressions",
    ),
    Row(
        "joint_features",
        "Joint features, L2,1",
        "Argyriou et al. 2007; Liu et al. 2009",
        "F1 of the inputs whose weights have a norm above a tenth of the largest at least .95, and relative error of "
        "the weights below lasso's, both tuned on val",
        joint_features,
        "lasso, ridge regressions",
    ),
    Row(
        "l1",
        "L1",
        "Tibshirani 1996",
        "most weights exactly 0, and relative error of the weights below ridge's and below that of L2,1, where tasks "
        "have inputs of their own",
        l1,
        "L2,1, ridge regressions",
    ),
]
