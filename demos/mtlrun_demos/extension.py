"""What this package adds to mtlrun, as declarations. Nothing here imports torch, NumPy or pandas."""

from pathlib import Path

from mtlrun.extensions import Extension

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

EXTENSION = Extension(
    conf=Path(__file__).parent / "conf",
    problems={name: f"mtlrun_demos.problems.{module}:{name}" for module, names in PROBLEMS.items() for name in names},
)
