"""Rows of the auxiliary tasks. What each kind is, in a few lines: docs/auxiliary.md."""

from collections.abc import Callable

import numpy as np
import pandas as pd

from evidence.reading import average, chance, curve, number, runs_of
from evidence.row import Measured, Paired, Row, Runs, paired
from mtlrun.compose.plans.shuffled import ALONE, SHUFFLED, TOGETHER
from mtlrun.engine import checkpoint
from mtlrun.statistics import t_interval

TITLE = "Auxiliary tasks"
Figures = Callable[[Runs, str], pd.Series]  # of an arm, by seed; lower is better
RELEVANT = 3  # of the inputs of the problem `focusing`


# ---------------------------------------------------------------- what several rows need


def below(difference: Paired) -> bool:
    """Whether the first arm is below the second, by the paired t-test at .05."""
    return difference.mean < 0 and difference.p < 0.05


def against(difference: Paired) -> str:
    """19/20, p = 2e-5: in how many seeds the first arm is below the second."""
    return f"{difference.wins}/{difference.n}, {chance(difference.p)}"


def error(task: str) -> Figures:
    """The share of wrong answers on test."""
    return lambda runs, label: 1 - runs.of(label, f"test/{task}/accuracy")


def rmse(task: str) -> Figures:
    """The root mean squared error on test."""
    return lambda runs, label: runs.of(label, f"test/{task}/rmse")


def transfer(
    word: str,
    figures: Figures,
    arm: str = TOGETHER,
    control: str = SHUFFLED,
    name: str = "with them",
    seeds: float = 0.0,
) -> Callable[[Runs], Measured]:
    """The measure of a claim of transfer: `arm` below alone and below the control, which is not below alone.

    word: what is measured; name: what the arm is called; seeds: the share of seeds at least in which it is below alone
    """

    def measure(runs: Runs) -> Measured:
        alone, together, shuffled = (figures(runs, label) for label in (ALONE, arm, control))
        gain, labels, harmless = paired(together, alone), paired(together, shuffled), paired(shuffled, alone)
        text = (
            f"{word} {average(alone)} alone, {average(together)} {name} ({against(gain)}), "
            f"{average(shuffled)} shuffled ({against(labels)})"
        )
        holds = below(gain) and below(labels) and not below(harmless) and gain.wins >= seeds * gain.n
        return Measured(text, holds)

    return measure


def first_layer(runs: Runs, label: str) -> pd.Series:
    """The weights [inputs, units] of the trunk's first layer at the selected checkpoint, of every run of an arm."""
    found = {}
    for seed, run in runs_of(runs, label).items():
        parameters = checkpoint.load(runs.folder / run / "checkpoints" / "best.pt")["network"]
        (key,) = [name for name in parameters if name.startswith("sharing.") and name.endswith("layers.0.weight")]
        found[seed] = parameters[key][0].double().numpy()
    return pd.Series(found)


# ---------------------------------------------------------------- the measures


def irrelevant(runs: Runs, label: str) -> pd.Series:
    """The norm of the first layer's weights on inputs that do not matter."""
    return first_layer(runs, label).map(lambda weights: float(np.linalg.norm(weights[RELEVANT:])))


def focusing(runs: Runs) -> Measured:
    norm = transfer("weight norm on irrelevant inputs", irrelevant, name="with the others")(runs)
    gain = runs.paired(TOGETHER, ALONE, "test/a/rmse")
    return Measured(f"{norm.text}; rmse of a {number(gain.mean)} ± {number(gain.half)} against alone", norm.holds)


def spread(directions: np.ndarray) -> float:
    """The variance of directions [S, D] of unit length over S seeds, turned to the same side: Σ|u − ū|²/(S − 1)."""
    side = np.linalg.eigh(directions.T @ directions)[1][:, -1]
    turned = directions * np.sign(directions @ side)[:, None]
    return float(((turned - turned.mean(0)) ** 2).sum() / (len(turned) - 1))


def slope(directions: dict[int, np.ndarray]) -> float:
    """The least-squares slope of log `spread` over log T, from directions [S, D] by number of tasks T."""
    counts, spreads = np.log(list(directions)), np.log([spread(own) for own in directions.values()])
    return float(np.polyfit(counts, spreads, 1)[0])


def augmentation(runs: Runs) -> Measured:
    """The slope with an interval by the jackknife over seeds."""

    def directions(label: str) -> np.ndarray:
        weights = np.stack([w[:, 0] for w in first_layer(runs, label)])
        return np.asarray(weights / np.linalg.norm(weights, axis=1, keepdims=True))

    own = {count: directions(f"{count} task{'s' if count > 1 else ''}") for count in (1, 2, 4, 8, 16)}
    seeds = len(own[1])
    found = slope(own)
    without = [slope({t: np.delete(u, seed, 0) for t, u in own.items()}) for seed in range(seeds)]
    _, _, high = t_interval([seeds * found - (seeds - 1) * part for part in without])
    middle = seeds * found - (seeds - 1) * float(np.mean(without))
    half = 0.0 if high is None else high - middle
    one, most, shuffled = spread(own[1]), spread(own[16]), spread(directions("16 tasks, 15 shuffled"))
    text = (
        f"slope {number(found, 2)} ± {number(half, 2)} over T = 1…16 ({seeds} seeds): variance "
        f"{number(one)} with one task, {number(most)} with 16, {number(shuffled)} with 15 shuffled"
    )
    return Measured(text, abs(found + 1) <= 0.25 and shuffled >= one)


def adversarial(runs: Runs) -> Measured:
    figures = error("y")
    arms = {label: figures(runs, label) for label in ("alone", "adversarial", "not reversed", "domains shuffled")}
    one = arms.pop("adversarial")
    differences = {label: paired(one, other) for label, other in arms.items()}
    others = ", ".join(f"{average(1 - arms[label])} {label} ({against(d)})" for label, d in differences.items())
    return Measured(f"target accuracy {average(1 - one)}; {others}", all(map(below, differences.values())))


def train_loss(runs: Runs, label: str) -> pd.Series:
    """The loss of `y` over the training batches before the last evaluation."""
    found = {}
    for seed, run in runs_of(runs, label).items():
        found[seed] = float(curve(runs.metrics(run), "train", "y", "loss").iloc[-1])
    return pd.Series(found)


def regularisation(runs: Runs) -> Measured:
    alone, together = train_loss(runs, "alone"), train_loss(runs, "with random labels")
    more = paired(alone, together)
    test = runs.paired("with random labels", "alone", "test/y/rmse")
    text = (
        f"train mse {average(alone)} alone, {average(together)} with random labels ({against(more)}); "
        f"rmse on test {number(test.mean)} ± {number(test.half)}"
    )
    return Measured(text, below(more))


def reconstruction(runs: Runs) -> Measured:
    """Both ways to predict the inputs count: as one task of type reconstruction, and as regressions."""
    control = "regressions shuffled"
    found = [
        transfer("rmse", rmse("y"), arm, control, name)(runs)
        for arm, name in (
            ("inputs reconstructed", "with the inputs reconstructed"),
            ("one regression per input", "with a regression per input"),
        )
    ]
    return Measured("; ".join(part.text for part in found), all(part.holds for part in found))


ROWS = [
    Row(
        "hints",
        "Hints",
        "Abu-Mostafa 1990; Caruana 1997, 3.2.3",
        "error below alone in 18 of 20 seeds, below shuffled; shuffled no better than alone",
        transfer("error", error("main"), name="with hints", seeds=0.9),
        "hints shuffled",
    ),
    Row(
        "attention_focusing",
        "Attention focusing",
        "Caruana 1997, 3.2.2",
        "weight norm on irrelevant inputs below alone and below shuffled",
        focusing,
        "auxiliary labels shuffled",
    ),
    Row(
        "quantisation_smoothing",
        "Quantisation smoothing",
        "Caruana 1997, 4.8",
        "error below alone and below shuffled; shuffled no better than alone",
        transfer("error", error("high"), name="with the number"),
        "numbers shuffled",
    ),
    Row(
        "future",
        "Using the future",
        "Caruana 1997, 4.9",
        "rmse below alone and below shuffled; shuffled no better than alone",
        transfer("rmse", rmse("y"), name="with what came later"),
        "what came later shuffled",
    ),
    Row(
        "adversarial",
        "Adversarial task",
        "Ganin & Lempitsky 2015",
        "target accuracy above alone, above the same head not reversed, above shuffled",
        adversarial,
        "not reversed; domains shuffled",
    ),
    Row(
        "implicit_augmentation",
        "Implicit data augmentation: one direction",
        "Caruana 1997, 3.2.1",
        "log-log slope of the direction's variance over T within 0.25 of −1; shuffled no lower than alone",
        augmentation,
        "15 of 16 tasks shuffled",
    ),
    Row(
        "augmented_net",
        "Implicit data augmentation: a net, T = 8",
        "Caruana 1997, 3.2.1",
        "rmse below alone and below shuffled; shuffled no better than alone",
        transfer("rmse", rmse("t0"), name="with seven others"),
        "the seven shuffled",
    ),
    Row(
        "regularisation",
        "Regularisation",
        "Caruana 1997, 3.3",
        "random labels: train error above alone after equal steps",
        regularisation,
    ),
    Row(
        "reconstruction",
        "Predicting the inputs",
        "Caruana 1997, 4.9; Le, Patterson & White 2018",
        "rmse below alone and below shuffled; shuffled no better than alone",
        reconstruction,
        "inputs to be predicted shuffled",
    ),
]
