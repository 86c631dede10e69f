"""Rules about learning rates and the optimiser."""

from mtlrun.config.rules.left_out import of_trained_tasks
from mtlrun.config.schema import AdamConfig, Config, PerHeadLrConfig, SgdConfig
from mtlrun.util.errors import RequestError


def rates_per_head(config: Config) -> list[str]:
    """Every rate is valid, and there is a default one. Returns notes on rates without effect."""
    lr, active = config.lr, config.active
    if not isinstance(lr, PerHeadLrConfig):
        return []
    heads, notes = of_trained_tasks(config, lr.heads, "lr.heads", also=("default",))
    notes += [
        f"lr.heads.{name}: without effect, as {name} has {active[name].head}'s head and its rate"
        for name in heads
        if name in active and active[name].head in active
    ]
    if "default" not in heads:
        raise RequestError("lr.heads.default: missing\nset it: lr.heads.default=1e-3")
    rates = {lr.trunk_rate} | {lr.head_rate(name) for name in heads}
    if len(rates) == 1:
        notes.append(f"lr=per_head: every rate is {rates.pop():g}, the same as lr=single")
    return notes


def optimizer(config: Config) -> None:
    """Nesterov needs a momentum; Adam needs two decay rates."""
    settings = config.optimizer
    if isinstance(settings, SgdConfig) and settings.nesterov and settings.momentum == 0:
        raise RequestError("optimizer.nesterov: needs a momentum\nset it: optimizer.momentum=0.9")
    if isinstance(settings, AdamConfig) and len(settings.betas) != 2:
        raise RequestError(f"optimizer.betas: found {settings.betas}\nallowed: two numbers from 0 to below 1")
