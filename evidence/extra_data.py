"""Was it the extra data or the sharing, what the labels say, or a rival explanation?"""

import pandas as pd

from evidence.reading import average, chance, difference, number
from evidence.row import PLAIN, Measured, Paired, Row, Runs, paired

TITLE = "Extra data, controls and rival explanations"
FIGURE = "test/a/rmse"
ALONE, TOGETHER, SHUFFLED = "alone", "with auxiliary tasks", "auxiliary labels shuffled"


def extra_data(runs: Runs) -> Measured:
    one = "1 alone"
    against = {
        label: runs.paired(label, one, FIGURE)
        for label in (
            "2 with b on rows of a",
            "3 with b",
            "4 with b shuffled",
            "5 with inputs of b",
            "6 alone, all labels of a",
            "1 alone, width-matched",
            "1 alone, compute-matched",
        )
    }
    shown = [f"{label} {average(runs.of(label, FIGURE))} ({chance(found.p)})" for label, found in against.items()]
    labels = runs.paired("3 with b", "4 with b shuffled", FIGURE)
    better = [against[label] for label in ("3 with b", "5 with inputs of b", "6 alone, all labels of a")] + [labels]
    rest = [found for label, found in against.items() if label[0] in "124"]
    text = f"RMSE {one} {average(runs.of(one, FIGURE))}; {'; '.join(shown)}; 3 − 4 {difference(labels)}"
    return Measured(text, all(gains(found) for found in better) and not any(gains(found) for found in rest))


def gains(found: Paired) -> bool:
    """Whether the first is better than the second, by the paired t-test at .05."""
    return found.mean < 0 and found.p < 0.05


def shuffled(runs: Runs) -> Measured:
    alone, control = runs.paired(TOGETHER, ALONE, FIGURE), runs.paired(TOGETHER, SHUFFLED, FIGURE)
    rest = runs.paired(SHUFFLED, ALONE, FIGURE)
    text = (
        f"RMSE {average(runs.of(ALONE, FIGURE))} alone; with the auxiliary task against alone {difference(alone)}, "
        f"against shuffled {difference(control)}; shuffled against alone {difference(rest)}"
    )
    return Measured(text, gains(alone) and gains(control))


def rivals(runs: Runs) -> Measured:
    """As `mtlrun compare --tune lr.base` reads it: of each seed the restart that is best on val, and the other rate and
    the narrower net that are best on val over seeds."""
    together, frame = runs.of(TOGETHER, FIGURE), runs.frame
    arms = {SHUFFLED: runs.of(SHUFFLED, FIGURE), ALONE: runs.of(ALONE, FIGURE)}
    arms["noise on gradients"] = runs.of("alone, noise on gradients", FIGURE)
    draws = frame[frame["label"].isin([ALONE, "alone, restarted"])]
    arms["restarted"] = draws.loc[draws.groupby("seed")["val/a/rmse"].idxmin()].set_index("seed")[FIGURE]
    arms["other rates"] = _best(frame[frame["label"] == "alone, other rates"], "lr.base")
    arms["narrower"] = _best(frame[frame["label"] == "alone, narrower"], "model.hidden")
    found = {name: paired(together, values) for name, values in arms.items()}
    shown = ", ".join(f"{name} {number(p.mean)} ± {number(p.half)} ({chance(p.p)})" for name, p in found.items())
    out = [name for name, p in found.items() if gains(p)]
    text = f"with auxiliary task {average(together)}; against {shown}; {len(together)} seeds"
    return Measured(text, len(out) == len(found))


def _best(rows: pd.DataFrame, key: str) -> pd.Series:
    """The figures by seed of the value of `key` that has the lowest mean error on val."""
    value = rows.groupby(key)["val/a/rmse"].mean().idxmin()
    return rows[rows[key] == value].set_index("seed")[FIGURE]


ROWS = [
    Row(
        "extra_data",
        "Extra data or sharing",
        "Caruana 1997; docs/experiments.md",
        "better than 1 at .05: 3 (b's rows), 5 (inputs of b), 6 (all labels); 3 better than 4; not 2, 4, more width or "
        "steps",
        extra_data,
        "b shuffled; width; compute",
        ("data=extra_data", *PLAIN),
    ),
    Row(
        "shuffled",
        "What the auxiliary labels say",
        "Caruana 1997",
        "with the auxiliary task better at .05 than alone and than with its labels shuffled",
        shuffled,
        "auxiliary labels shuffled",
        ("data=extra_data", "seed=range(20)", *PLAIN),
    ),
    Row(
        "rivals",
        "Rival explanations of the gain",
        "Caruana 1997; docs/experiments.md",
        "with the auxiliary task better at .05 than each rival, the best rate, width and restart chosen on val",
        rivals,
        "each arm is one",
        ("data=extra_data", "seed=range(12)", *PLAIN),
    ),
]
