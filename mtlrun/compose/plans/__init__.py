"""Plans: experiments whose arms follow from the tasks of the data. `arms=NAME` makes them; see docs/experiments.md.

A plan is a function of a `PlanRequest` that returns arms. An arm has the same form as a written one: a mapping of
overrides with a `label`; a text may be a sweep. Overrides common to all arms, such as seeds, stay in the request.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from mtlrun.compose.plans.affinity import affinity
from mtlrun.compose.plans.base import Arm, PlanRequest
from mtlrun.compose.plans.baselines import READING as BASELINES
from mtlrun.compose.plans.baselines import baselines
from mtlrun.compose.plans.extra_data import READING as EXTRA_DATA
from mtlrun.compose.plans.extra_data import extra_data
from mtlrun.compose.plans.learning_curve import learning_curve
from mtlrun.compose.plans.lessons import lessons
from mtlrun.compose.plans.reading import Between, Contrast, Reading, between
from mtlrun.compose.plans.rivals import READING as RIVALS
from mtlrun.compose.plans.rivals import rivals
from mtlrun.compose.plans.shuffled import READING as SHUFFLED
from mtlrun.compose.plans.shuffled import shuffled
from mtlrun.compose.plans.strategies import READING as STRATEGIES
from mtlrun.compose.plans.strategies import strategies
from mtlrun.util.errors import RequestError, listing, nearest

__all__ = ["PLANS", "Between", "Contrast", "PlanRequest", "Reading", "planned", "reading_of", "restarts_of", "tune_of"]


@dataclass(frozen=True)
class Plan:
    """A plan: the function that makes its arms, and their reading if it needs one."""

    arms: Callable[[PlanRequest], list[Arm]]
    reading: Reading | None = None


PLANS = {
    "baselines": Plan(baselines, BASELINES),
    "lessons": Plan(lessons),
    "shuffled": Plan(shuffled, SHUFFLED),
    "extra_data": Plan(extra_data, EXTRA_DATA),
    "rivals": Plan(rivals, RIVALS),
    "learning_curve": Plan(learning_curve),
    "affinity": Plan(affinity),
    "strategies": Plan(strategies, STRATEGIES),
}
READINGS = [plan.reading for plan in PLANS.values() if plan.reading is not None]


def reading_of(labels: Iterable[str]) -> tuple[Reading, list[Between]]:
    """The reading with the most contrasts available between arms of these labels, and these contrasts.

    Of several such readings, the first.
    """
    known = list(labels)
    readings = [(reading, between(reading, known)) for reading in READINGS]
    return max(readings, key=lambda pair: len({there.contrast for there in pair[1]}))


def tune_of(labels: Iterable[str]) -> dict[str, tuple[str, ...]]:
    """By label of an arm, the keys whose values `mtlrun compare --tune` chooses on val."""
    known = {label: keys for reading in READINGS for label, keys in reading.tune.items()}
    return {label: known[label] for label in labels if label in known}


def restarts_of(labels: Iterable[str]) -> dict[str, str]:
    """The arms that repeat another arm with new initial parameters: by their label, the label of that other arm.

    The draw of the other arm counts as one more draw.
    """
    known = {label: first for reading in READINGS for label, first in reading.restarts.items()}
    return {label: known[label] for label in labels if label in known}


def planned(name: str, request: PlanRequest) -> list[Arm]:
    """The arms of the plan `name`. Raises RequestError if there is no such plan or the tasks do not allow it."""
    require_plan(name)
    if request.config.boosting:
        raise RequestError(
            f"arms: {name} compares networks, and model is boosting\n"
            "leave it out: arms=baselines trains it beside the networks"
        )
    return PLANS[name].arms(request)


def require_plan(name: str) -> None:
    """Raises RequestError if there is no plan `name`."""
    if name not in PLANS:
        raise RequestError(
            f"arms: found {name!r}, which is no plan{nearest(name, PLANS)}\n"
            f"allowed: {listing(PLANS, 20)}; or a list of mappings: 'arms=[{{loss: sum}}]'"
        )
