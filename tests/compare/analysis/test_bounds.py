"""Intervals and bands stay where the figure can be."""

import random

import pytest
from folders import Outputs, lines

from mtlrun.compare.analyse import analyse
from mtlrun.compare.analysis.options import Options
from mtlrun.compare.collect.folders import collect
from mtlrun.tasks import known_metrics, metric_bounds

METRICS = {"r2": (-3.0, 1.0), "rmse": (0.0, 9.0), "accuracy": (0.0, 1.0), "auroc": (0.0, 1.0), "auprc": (0.0, 1.0)}


def test_every_metric_has_bounds_and_the_direction_that_fits_them() -> None:
    for name, metric in known_metrics().items():
        low, high = metric_bounds(name)
        assert low < high and (metric.better == "min" or high == 1.0), name
    assert metric_bounds("no such metric") == (-float("inf"), float("inf"))


@pytest.mark.parametrize("metric", METRICS)
@pytest.mark.parametrize("split_seed", [0, None])
def test_intervals_stay_within_the_bounds_of_their_metric(
    metric: str, split_seed: int | None, outputs: Outputs
) -> None:
    low, high = METRICS[metric]
    luck = random.Random(metric)
    for name, flat in (("sum", {}), ("unc", {"loss": "uncertainty"})):
        for seed in range(3):
            extreme = (high, low, luck.choice([low, high]))[seed]
            curve = [
                *lines([luck.uniform(low, high), extreme], f"val,a,{metric}"),
                *lines([0.1, 99.0], "train,a,weight"),
            ]
            figures = {f"test/a/{metric}": extreme, f"val/a/{metric}": extreme, "test/b/accuracy": 0.5 + seed / 2.1}
            outputs.run(f"{name}{seed}", {"a": 1, "b": 1}, seed, flat, split_seed, figures=figures, curve=curve)
    found = analyse(collect([outputs.root]), Options(metrics={"a": (metric,)}))
    bounds = {"a": metric_bounds(metric), "b": (0.0, 1.0)}
    estimates = [(task, e) for row in found.rows if not row.trivial for task, e in row.figures.items()]
    assert {task for task, _ in estimates} == {"a", "b"}
    for task, e in estimates:
        assert e.low is not None and e.high is not None
        assert bounds[task][0] <= e.low <= e.mean <= e.high <= bounds[task][1]
        assert e.low < e.high, "it is cut, not lost"
    assert {one.what for one in found.series} == {"curve", "weight"}
    for one in found.series:
        lowest, highest = metric_bounds(metric) if one.what == "curve" else (0.0, float("inf"))
        for under, mean, over in zip(one.low, one.mean, one.high, strict=True):
            assert lowest <= under <= mean <= over <= highest
