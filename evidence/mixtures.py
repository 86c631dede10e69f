"""Mixtures of experts and stitches: what they come to, and what their gates do."""

from itertools import combinations

import numpy as np
import pandas as pd

from evidence.row import Measured, Row, Runs, paired

TITLE = "Mixtures of experts and stitches"
EXACT = 1e-6  # of test losses of about 1: what float32's rounding leaves


def reductions(runs: Runs) -> Measured:
    """The largest difference of a test loss, over tasks and seeds, from what a mixture must equal."""
    losses = [name for name in map(str, runs.frame) if name.startswith("test/") and name.endswith("/loss")]

    def apart(one: str, other: str) -> float:
        return max(float((runs.of(one, loss) - runs.of(other, loss)).abs().max()) for loss in losses)

    names = ("mmoe, one expert", "cgc, one expert", "ple, one expert")
    experts, stitches = max(apart(name, "hard") for name in names), apart("diagonal stitches", "none")
    control = apart("none", "hard")
    seeds = len(runs.of("hard", losses[0]))
    text = (
        f"largest difference of a test loss over {len(losses)} tasks and {seeds} seeds: {experts:.1g} from hard "
        f"sharing, {stitches:.1g} from single-task nets; these two differ by {control:.2g}"
    )
    return Measured(text, max(experts, stitches) < EXACT and control > 1e3 * EXACT)


def gates(runs: Runs) -> Measured:
    """The distance of tasks' mean gates, half of Σ_e |g_ae − g_be|, within groups and between them, by seed; and the
    mean of the six tasks' test rmse."""
    frame = runs.frame
    within, between, odd = {}, {}, 0.0
    for run, seed in frame.loc[frame["label"] == "mmoe", ["run", "seed"]].itertuples(index=False):
        table = runs.metrics(run)
        table = table[(table["step"] == table["step"].max()) & table["metric"].str.startswith("gate_")]
        mean = table.pivot(index="task", columns="metric", values="value")
        odd = max(odd, float((mean.sum(axis=1) - 1).abs().max()))
        distances = {
            (one, other): float((mean.loc[one] - mean.loc[other]).abs().sum() / 2)
            for one, other in combinations(mean.index, 2)
        }
        within[seed] = np.mean([d for (one, other), d in distances.items() if one[0] == other[0]])
        between[seed] = np.mean([d for (one, other), d in distances.items() if one[0] != other[0]])
    far = paired(pd.Series(within), pd.Series(between))
    text = (
        f"gates sum to 1 within {odd:.1g}; distance between groups {np.mean(list(between.values())):.2f}, within "
        f"{np.mean(list(within.values())):.2f} (larger between in {far.wins}/{far.n}, p = {far.p:.2g})"
    )
    return Measured(text, odd < EXACT and far.mean < 0 and far.p < 0.05)


def unrelated(runs: Runs) -> Measured:
    """The mean of the six tasks' test rmse of every arm, and differences by seed."""
    rmse = {label: _mean_rmse(runs, label) for label in ("hard", "wide", "mmoe", "ple")}
    parts, holds = [f"rmse {rmse['hard'].mean():.3f} hard"], True
    for label in ("mmoe", "ple"):
        gain = paired(rmse[label], rmse["hard"])
        change = f"{gain.mean:.3f} ± {gain.half:.3f}".replace("-", "−")
        parts.append(f"{rmse[label].mean():.3f} {label} ({change}, lower in {gain.wins}/{gain.n})")
        holds &= gain.mean < 0 and gain.p < 0.01
    against = {label: paired(rmse[label], rmse["wide"]) for label in ("mmoe", "ple")}
    held = "; ".join(f"{label} lower in {p.wins}/{p.n}, p = {p.p:.2g}" for label, p in against.items())
    parts.append(f"{rmse['wide'].mean():.3f} hard with the width of all experts ({held})")
    return Measured(", ".join(parts), holds)


def groups(runs: Runs) -> Measured:
    """The mean of the six tasks' test rmse of every arm, and differences by seed."""
    rmse = {label: _mean_rmse(runs, label) for label in ("groups", "hard", "wrong groups")}
    against = {label: paired(rmse["groups"], rmse[label]) for label in ("hard", "wrong groups")}
    parts = [f"rmse {rmse['groups'].mean():.3f} groups"]
    parts += [
        f"{rmse[label].mean():.3f} {label} (groups lower in {p.wins}/{p.n}, p = {p.p:.2g})"
        for label, p in against.items()
    ]
    return Measured(", ".join(parts), all(p.mean < 0 and p.p < 0.01 for p in against.values()))


def _mean_rmse(runs: Runs, label: str) -> pd.Series:
    names = [name for name in map(str, runs.frame) if name.startswith("test/") and name.endswith("/rmse")]
    return pd.concat([runs.of(label, name) for name in names], axis=1).mean(axis=1)


ROWS = [
    Row(
        experiment="mixtures",
        mechanism="Cross-stitch, MMoE, CGC and PLE in their special cases",
        source="Misra 2016; Ma 2018; Tang 2020",
        criterion="test losses with one expert are those of hard sharing, with diagonal stitches those of single-task "
        "nets, within 1e-6",
        control="hard sharing and single-task nets differ",
        measure=reductions,
    ),
    Row(
        experiment="gates",
        mechanism="Gates of MMoE",
        source="Ma 2018, eq. 6 and 7",
        criterion="gates sum to 1; those of unrelated tasks are further apart than those of related ones, p < .05",
        control="tasks of one group",
        measure=gates,
    ),
    Row(
        experiment="gates",
        mechanism="MMoE and PLE for unrelated tasks",
        source="Ma 2018; Tang 2020",
        criterion="error below hard sharing of one expert's width, p < .01",
        control="hard sharing as wide as all of mmoe's experts together",
        measure=unrelated,
    ),
    Row(
        experiment="groups",
        mechanism="A trunk for each group of tasks",
        source="Standley 2020",
        criterion="error below hard sharing and below wrong groups, p < .01 each",
        control="two trunks of tasks that do not belong together",
        measure=groups,
    ),
]
