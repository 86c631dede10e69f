"""Logistic regression on census-income, on the same rows and encoded inputs as mtlrun's runs.

    mtlrun fetch census_income && python benchmarks/logistic.py [--seeds 3]

Prints the test AUROC of both tasks for each seed, whose split is that of `mtlrun data=census_income seed=SEED`.
"""

import argparse

import numpy as np
import torch
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score

from mtlrun.compose import compose, single
from mtlrun.data.dataset import load_dataset
from mtlrun.network.inputs import InputEncoder


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--seeds", type=int, default=3)
    for seed in range(parser.parse_args().seeds):
        config = single(compose(["data=census_income", f"seed={seed}"]))
        dataset = load_dataset(config)
        encoder = InputEncoder(dataset.spec, 1, config.net)
        positions = encoder.positions(dataset.codes)
        encoder.fit(dataset.numeric, positions, [dataset.split.train])
        x = encoder(torch.from_numpy(dataset.numeric)[None], torch.from_numpy(positions)[None])[0].numpy()
        scores = {}
        for task, target in dataset.targets.items():
            model = LogisticRegression(max_iter=300)
            model.fit(x[dataset.split.train], target.values[dataset.split.train])
            scores[task] = roc_auc_score(
                target.values[dataset.split.test], model.decision_function(x[dataset.split.test])
            )
        print(f"seed {seed}", *(f"{task} {score:.5f}" for task, score in scores.items()), f"{np.shape(x)[1]} inputs")


if __name__ == "__main__":
    main()
