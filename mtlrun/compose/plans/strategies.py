"""`arms=strategies`: every loss strategy, and every main task alone, on the same trials and seeds."""

from mtlrun.compose.plans.base import Arm, PlanRequest
from mtlrun.compose.plans.budget import alone_and_together
from mtlrun.compose.plans.lessons import fixed
from mtlrun.compose.plans.reading import Reading
from mtlrun.config.schema.loss import LOSS_SETTINGS

SUM = "sum"
READING = Reading(reference=SUM)
VARIANTS: dict[str, Arm] = {"uncertainty, closed form": {"loss": "uncertainty", "loss.solve": "closed_form"}}


def strategies(request: PlanRequest) -> list[Arm]:
    """The plain sum, every other strategy with its default settings, and every main task alone.

    `fixed` has the weights of `lessons`. If tasks have labels in different rows, all nets take equally many steps.
    """
    request.several_tasks()
    weighted = fixed(request)
    arms: list[Arm] = [{"label": SUM, "loss": SUM}, {"label": "alone"} | request.alone(request.main)]
    arms += [{"label": name, "loss": name} for name in LOSS_SETTINGS if name not in (SUM, "fixed")]
    arms += [{"label": label} | settings for label, settings in VARIANTS.items()]
    arms.append({"label": "fixed"} | weighted)
    request.notes.append("gls, imtl_l and uncertainty in closed form are one direction, not three methods")
    budget = alone_and_together(request)
    return [arm | budget for arm in arms]
