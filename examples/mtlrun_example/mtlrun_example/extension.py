"""What this package adds, as declarations. Nothing here imports torch or pandas: the command line stays fast."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from mtlrun.extensions import (
    Extension,
    LossConfig,
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
        "count": TaskTypeOption(
            made_by="mtlrun_example.count:Count",
            metrics={"deviance": "min", "mae": "min"},
            primary="deviance",
            losses=("poisson",),
            labels="numbers",
            accepts="mtlrun_example.problems:no_counts",
        )
    },
    problems={"visits": "mtlrun_example.problems:visits"},
)
