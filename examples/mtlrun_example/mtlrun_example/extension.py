"""What this package adds, as declarations. Nothing here imports torch or pandas: the command line stays fast."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from mtlrun.extensions import (
    Extension,
    Loss,
    LossConfig,
    Metric,
    ModelConfig,
    Option,
    SharingConfig,
    TaskTypeOption,
    bounded,
    per_run,
)


@dataclass(frozen=True, kw_only=True)
class HalvesConfig(LossConfig):
    """`first`: the weight of the first task; the others share the rest."""

    name: Literal["halves"] = per_run("halves")
    first: float = per_run(0.5, above=0.0, below=1.0)


@dataclass(frozen=True, kw_only=True)
class ResidualConfig(ModelConfig):
    """`shrink`: by what the sum of a block's input and output is multiplied."""

    name: Literal["residual"] = "residual"  # type: ignore[assignment]
    shrink: float = bounded(1.0, above=0.0)


@dataclass(frozen=True, kw_only=True)
class GatedConfig(SharingConfig):
    name: Literal["gated"] = "gated"


EXTENSION = Extension(
    conf=Path(__file__).parent / "conf",
    losses={"halves": Option(HalvesConfig, "mtlrun_example.halves:Halves")},
    models={"residual": Option(ResidualConfig, "mtlrun_example.residual:Residual")},
    sharing={"gated": Option(GatedConfig, "mtlrun_example.gated:Gated")},
    task_types={
        "duration": TaskTypeOption(
            made_by="mtlrun_example.duration:Duration",
            labels="numbers",
            metrics={"log_rmse": Metric("min"), "mae": Metric("min", unit_power=1)},
            primary="log_rmse",
            losses={"log_mse": Loss(noise=(0.5, 0.5))},  # of a Gaussian likelihood of the logarithm
            accepts="mtlrun_example.problems:above_0",
            allowed="numbers above 0",
        )
    },
    problems={"visits": "mtlrun_example.problems:visits"},
)
