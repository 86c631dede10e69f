"""Gradient boosting: trees for each task on its own, on the rows, labels and weights that a network would get.

scikit-learn's HistGradientBoosting (trees on binned inputs, Friedman 2001; Ke et al. 2017) fits them. Inputs are the
table's columns as they are; figures come from the stack's evaluation, so that they mean what a network's mean.
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
