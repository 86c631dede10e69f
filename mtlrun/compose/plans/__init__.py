"""Plans: experiments whose arms follow from the tasks at hand. `arms=NAME` makes them; see docs/experiments.md.

A plan is a function of a `PlanRequest` that returns arms in the form in which they are written by hand: mappings of
overrides, of which text may be a sweep, each with a `label`. What is common to all arms, seeds among it, stays with
the request.
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
    """A plan: the function that makes its arms, and how they are read, where differences of arms are the answer."""

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
    """The plan of which most contrasts are to be had from arms of these labels, the first of several; and those."""
    known = list(labels)
    readings = [(reading, between(reading, known)) for reading in READINGS]
    return max(readings, key=lambda pair: len({there.contrast for there in pair[1]}))


def tune_of(labels: Iterable[str]) -> dict[str, tuple[str, ...]]:
    """By label, the keys of which the arms list values to choose from: for `mtlrun compare --tune`."""
    known = {label: keys for reading in READINGS for label, keys in reading.tune.items()}
    return {label: known[label] for label in labels if label in known}


def restarts_of(labels: Iterable[str]) -> dict[str, str]:
    """By label, for arms that draw initial parameters anew, the label of the arm whose draw is one more of them."""
    known = {label: first for reading in READINGS for label, first in reading.restarts.items()}
    return {label: known[label] for label in labels if label in known}


def planned(name: str, request: PlanRequest) -> list[Arm]:
    """The arms of the plan `name`. Raises RequestError where there is no such plan or the tasks do not allow it."""
    require_plan(name)
    if request.config.boosting:
        raise RequestError(
            f"arms: {name} compares networks, and model is boosting\n"
            "leave it out: arms=baselines trains it beside the networks"
        )
    return PLANS[name].arms(request)


def require_plan(name: str) -> None:
    """Raises RequestError unless there is a plan `name`."""
    if name not in PLANS:
        raise RequestError(
            f"arms: found {name!r}, which is no plan{nearest(name, PLANS)}\n"
            f"allowed: {listing(PLANS, 20)}; or a list of mappings: 'arms=[{{loss: sum}}]'"
        )
