"""Rates of the trunk and of every head."""

from collections.abc import Sequence

from mtlrun.config.schema import LrConfig, PerHeadLrConfig
from mtlrun.config.values import rate


def group_rates(config: LrConfig, tasks: Sequence[str], frozen: bool = False) -> dict[str, float]:
    """The rate of each parameter group: `trunk`, and each task for its head (Caruana 1997, §7.2). That of a trunk that
    is `frozen` is 0."""
    if isinstance(config, PerHeadLrConfig):
        heads = {t: config.heads.get(t, config.heads["default"]) for t in tasks}
        rates = {t: rate(v, config.base, f"lr.heads.{t}") for t, v in heads.items()}
        rates = {"trunk": rate(config.trunk, config.base, "lr.trunk"), **rates}
    else:
        rates = dict.fromkeys(["trunk", *tasks], config.base)
    return rates | {"trunk": 0.0} if frozen else rates
