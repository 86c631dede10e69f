"""`arms=strategies`: every loss strategy, and every main task alone, on the same trials and seeds."""

from mtlrun.compose.plans.base import Arm, Base
from mtlrun.compose.plans.lessons import weights
from mtlrun.compose.plans.reading import Reading
from mtlrun.config.schema.loss import LOSS_SETTINGS

SUM = "sum"
READING = Reading(reference=SUM)
VARIANTS: dict[str, Arm] = {"uncertainty, closed form": {"loss": "uncertainty", "loss.solve": "closed_form"}}


def strategies(base: Base) -> list[Arm]:
    """The plain sum, every other strategy with its own settings as they stand, and every main task alone.

    `fixed` has the weights of `lessons`. Where tasks have labels in different rows, all nets take equally many steps.
    """
    base.several_tasks()
    found = weights(base)
    base.notes.append("fixed weights: " + ", ".join(f"{task} {weight:g}" for task, weight in found.items()))
    arms: list[Arm] = [{"label": SUM, "loss": SUM}, {"label": "alone"} | base.alone(base.main)]
    arms += [{"label": name, "loss": name} for name in LOSS_SETTINGS if name not in (SUM, "fixed")]
    arms += [{"label": label} | settings for label, settings in VARIANTS.items()]
    arms.append({"label": "fixed", "loss": "fixed"} | {f"loss.weights.{task}": value for task, value in found.items()})
    base.notes.append("gls, imtl_l and uncertainty in closed form are one direction, not three methods")
    budget = base.equal_budget([*([task] for task in base.main), base.tasks])
    return [arm | budget for arm in arms]
