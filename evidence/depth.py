"""The row of outputs at different depths."""

import numpy as np
import pandas as pd
import torch

from evidence.auxiliary import error
from evidence.reading import average, runs_of, small
from evidence.row import Measured, Row, Runs
from mtlrun.config.schema.loss import FixedLossConfig
from mtlrun.network.supervision import Targets
from mtlrun.runs.predictor import NetworkPredictor, load

TITLE = "Outputs at different depths"
ALONE, DEEP, CONTROL = "alone", "outputs at 4 and 8", "outputs shuffled"


def first_gradient(runs: Runs, label: str) -> np.ndarray:
    """The norm [S] of the loss's gradient in the trunk's first layer, by seed, at the checkpoints of an arm's runs.

    The loss is that of the four corners of exclusive or, all of them at once, with the weights of the run.
    """
    norms = []
    for run in runs_of(runs, label).values():
        predictor = load(runs.folder / run)
        assert isinstance(predictor, NetworkPredictor) and isinstance(predictor.config.loss, FixedLossConfig)
        network = predictor.network
        corners = pd.DataFrame([(-1.0, -1.0), (-1.0, 1.0), (1.0, -1.0), (1.0, 1.0)], columns=["x0", "x1"])
        numeric, _ = predictor.spec.transform(corners)
        x = network.encoder(torch.from_numpy(numeric)[None], None)
        labels = torch.tensor([0.0, 1.0, 1.0, 0.0]).view(1, 4, 1).expand(-1, -1, len(network.tasks))
        weights = torch.tensor([predictor.config.loss.weights.get(task, 1.0) for task in network.tasks])
        network.zero_grad()
        (network.losses(x, Targets(labels)) * weights).sum().backward()
        first = [
            p.grad
            for name, p in network.named_parameters()
            if name.startswith("sharing.") and ".layers.0." in name and p.grad is not None
        ]
        norms.append(float(torch.cat([g.double().flatten() for g in first]).norm()))
    return np.array(norms)


def deep_supervision(runs: Runs) -> Measured:
    figures = error("y")
    alone, deep, shuffled = (figures(runs, label) for label in (ALONE, DEEP, CONTROL))
    before, after = (first_gradient(runs, f"{label}, untrained") for label in (ALONE, DEEP))
    text = (
        f"error {average(alone)} alone, {average(deep)} with outputs at layers 4 and 8 "
        f"({int((deep < alone).sum())}/{len(deep)}), {average(shuffled)} shuffled; gradient of the first layer "
        f"{small(before.max())} at most alone, {small(after.min())} at least with them"
    )
    learnt = (deep < 0.05).all() and (alone > 0.4).all() and (shuffled > 0.4).all()
    return Measured(text, bool(learnt and (after > 1e4 * before).all()))


ROWS = [
    Row(
        "deep_supervision",
        "Outputs at layers 4 and 8 of 12",
        "Lee et al. 2015; Szegedy et al. 2015",
        "exclusive or through 12 sigmoid layers: error below .05 in all seeds, above .4 alone; the first layer's "
        "gradient 10⁴ times as large",
        deep_supervision,
        "labels of the auxiliary outputs shuffled",
    ),
]
