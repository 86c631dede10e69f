"""Gradient boosting: separate trees for each task, on the same rows, labels and weights as a network.

scikit-learn's HistGradientBoosting (trees on binned inputs, Friedman 2001; Ke et al. 2017) fits them. Inputs are the
table's raw columns. The stack's evaluation computes the figures, so they are comparable with those of networks.
"""

from mtlrun.engine.boosting.fitting import MOST_CATEGORIES, Trees, categorical, fit, refit, run_notes, tree_inputs
from mtlrun.engine.boosting.training import Boosting, figures

__all__ = [
    "MOST_CATEGORIES",
    "Boosting",
    "Trees",
    "categorical",
    "figures",
    "fit",
    "refit",
    "run_notes",
    "tree_inputs",
]
