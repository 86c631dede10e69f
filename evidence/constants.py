"""What a loss holds constant, and the adversarial pair that needs it."""

import numpy as np
import torch

from evidence.row import Measured, Row, Runs
from mtlrun.data.problems import synthetic_table
from mtlrun.runs.predictor import load

TITLE = "Constants"
ROWS_AT_ONCE = 4_000  # of noise, from which numbers are generated
MEAN, SPREAD = 4.0, 0.5  # of the real numbers, see gan in demos/mtlrun_demos/problems/


def _generated(runs: Runs, label: str) -> tuple[np.ndarray, np.ndarray]:
    """Mean and standard deviation of the numbers that each seed's generator makes, [n] each."""
    noise = synthetic_table("gan").tail(ROWS_AT_ONCE)
    made = [load(runs.folder / run).predict(noise)["x"] for run in runs.frame.query("label == @label")["run"]]
    return np.array([m.mean() for m in made]), np.array([m.std() for m in made])


def _pair(runs: Runs) -> Measured:
    means, spreads = _generated(runs, "held constant")
    _, loose = _generated(runs, "not held constant")
    _, stopped = _generated(runs, "stopped")
    near = (np.abs(means - MEAN) < 0.1) & (np.abs(spreads / SPREAD - 1) < 0.3)
    off = np.abs(loose / SPREAD - 1) > 0.3
    text = (
        f"mean {means.mean():.2f} ({means.min():.2f} to {means.max():.2f}), standard deviation "
        f"{spreads.mean():.2f} ({spreads.min():.2f} to {spreads.max():.2f}), both in {near.sum()} of {len(near)} "
        f"seeds; not held constant {np.median(loose):.2f} (median), off in {off.sum()} of {len(off)}; stopped "
        f"{stopped.mean():.2f}"
    )
    return Measured(text, bool(near.all() and off.sum() > len(off) / 2 and (stopped < SPREAD / 2).all()))


def _layers(runs: Runs, label: str) -> list[list[torch.Tensor]]:
    """Of every seed the weights of the trunk's layers."""
    found = []
    for run in runs.frame.query("label == @label")["run"]:
        state = torch.load(runs.folder / run / "checkpoints" / "best.pt", weights_only=True)["network"]
        found.append([state[f"sharing.trunk.layers.{i}.weight"] for i in (0, 1)])
    return found


def _held(runs: Runs) -> Measured:
    rest, held, free = (_layers(runs, label) for label in ("trunk at rest", "layer1 constant", "free"))
    first = sum(bool(torch.equal(a[0], b[0])) for a, b in zip(rest, held, strict=True))
    second = sum(not torch.equal(a[1], b[1]) for a, b in zip(rest, held, strict=True))
    moved = sum(not torch.equal(a[0], b[0]) for a, b in zip(rest, free, strict=True))
    text = (
        f"of {len(rest)} seeds layer 1 the same bit for bit in {first}, layer 2 moved in {second}; "
        f"not held, layer 1 moved in {moved}"
    )
    return Measured(text, first == second == moved == len(rest))


ROWS = [
    Row(
        "constants",
        "A tensor held constant for a loss",
        "the articles (tf.gradients with stop_gradients)",
        "what lies behind it keeps every bit, what lies before moves",
        _held,
        "not held constant",
    ),
    Row(
        "gan",
        "An adversarial pair: parameters held constant for a loss",
        "Goodfellow et al. 2014; the articles",
        "generated numbers have the real mean 4 ± 0.1 and standard deviation 0.5 ± 30 % in every seed",
        _pair,
        "the discriminator's head not held constant; the generator's gradient stopped",
    ),
]
