"""What this package adds to mtlrun, as declarations. Nothing here imports torch, NumPy or pandas."""

import math
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, Literal

from mtlrun.extensions import BareModelConfig, Extension, Loss, Metric, ModelConfig, Option, TaskTypeOption, per_run
from mtlrun_demos.toy_objectives import COORDINATES, OBJECTIVES

PROBLEMS = {  # module of mtlrun_demos/problems -> its problems, each a function of the same name
    "auxiliary": (
        "hints",
        "focusing",
        "quantised",
        "future",
        "augmentation",
        "shared_features",
        "random_labels",
        "views",
        "domains",
        "domains_source",
        "domains_target",
    ),
    "checks": ("noise", "flips", "bowls", "family"),
    "depth": ("xor",),
    "few_labels": ("extra_data",),
    "gan": ("gan",),
    "linear": ("related", "low_rank", "joint_inputs", "own_inputs", "close_nets"),
    "no_inputs": ("point",),
    "ten_scales": ("gradnorm",),
    "two_groups": ("two_groups",),
    "two_stages": ("transfer",),
}


@dataclass(frozen=True, kw_only=True)
class PointConfig(BareModelConfig):
    """A trunk that is a single point, whose coordinates are the parameters.

    A run begins at one of `starts`: seed s at number s, counted around. So `compare` folds starts as it folds seeds.
    """

    has_heads: ClassVar[bool] = False
    over_runs: ClassVar[bool] = True

    name: Literal["point"] = "point"
    starts: list[list[float]] = per_run()

    @property
    def net(self) -> ModelConfig:
        """One layer with one unit per coordinate; with none where starts differ in their number of coordinates."""
        widths = {len(start) for start in self.starts}
        return ModelConfig(hidden=[widths.pop() if len(widths) == 1 else 0], head_hidden=[])


EXTENSION = Extension(
    conf=Path(__file__).parent / "conf",
    models={"point": Option(PointConfig, "mtlrun_demos.point:PointTrunk")},
    task_types={
        "objective": TaskTypeOption(
            made_by="mtlrun_demos.objective:Objective",
            labels="none",
            metrics={"value": Metric("min", lowest=-math.inf)},
            primary="value",
            # without a likelihood; the noise of a classification, so that a strategy that learns a scale has one
            losses={"value": Loss(noise=(1.0, 0.5))},
            without=(
                "expression",
                "bins",
                "smooth",
                "positive",
                "class_weights",
                "shuffle",
                "train_labels",
                "train_rows_of",
            ),
            because="an objective has none, as it has no labels",
            functions=tuple(OBJECTIVES),
            function_of=COORDINATES,
            below_0=True,
        )
    },
    problems={name: f"mtlrun_demos.problems.{module}:{name}" for module, names in PROBLEMS.items() for name in names},
)
