"""`arms=rivals`: do auxiliary tasks help for a reason other than their labels? One arm for each explanation."""

from collections.abc import Mapping

from mtlrun.compose.plans.base import Arm, PlanRequest
from mtlrun.compose.plans.reading import Contrast, Reading, Word
from mtlrun.compose.plans.shuffled import ALONE, SHUFFLED, TOGETHER, auxiliary_budget, control, with_auxiliary
from mtlrun.compose.plans.sizes import scaled

RESTARTS = "1,2,3"  # further draws of initial parameters
RATES = (0.1, 0.3, 3, 10)  # factors on lr.base
WIDTHS = (0.5, 0.25)  # factors on the width of every hidden layer

NOISE, RESTARTED, OTHER_RATES, NARROWER = (
    f"{ALONE}, {what}" for what in ("noise on gradients", "restarted", "other rates", "narrower")
)
GAIN = Contrast("auxiliary tasks against none", ALONE, TOGETHER)
EXPLANATIONS = (
    Contrast("anything but what labels say", SHUFFLED, TOGETHER),
    Contrast("noise", NOISE, TOGETHER),
    Contrast("other initial parameters", RESTARTED, TOGETHER),
    Contrast("other dynamics", OTHER_RATES, TOGETHER),
    Contrast("lost capacity", NARROWER, TOGETHER),
)


def answer(found: Mapping[str, Word]) -> str:
    """The plan's answer: which rival explanations are ruled out, which are not, and which were not tried."""
    if found.get(GAIN.name) == "loss":
        return "The auxiliary tasks do harm: worse than alone."
    if found.get(GAIN.name) != "gain":
        return "There is no gain to explain: auxiliary tasks are not shown to be better than none."
    names = [contrast.name for contrast in EXPLANATIONS if contrast.name in found]
    out = [name for name in names if found[name] == "gain"]
    left = [name for name in names if found[name] != "gain"]
    untried = [contrast.name for contrast in EXPLANATIONS if contrast.name not in found]
    if not left and not untried:
        return "The gain is what the labels say: every rival explanation is ruled out."
    parts = {"ruled out": out, "not ruled out": left, "not tried": untried}
    verdicts = "; ".join(f"{word}: {', '.join(names)}" for word, names in parts.items() if names)
    return f"The auxiliary tasks help; {verdicts}."


READING = Reading((GAIN, *EXPLANATIONS), answer, {OTHER_RATES: ("lr.base",)}, ALONE, {RESTARTED: ALONE})


def rivals(request: PlanRequest) -> list[Arm]:
    """The focus with auxiliary tasks, with shuffled auxiliary tasks, and alone; and four kinds of single-task nets.

    These have noise on the gradients, as large as the gradients; other initial parameters on the same split; other
    learning rates; narrower layers.
    """
    single = request.as_auxiliary() | request.alone([request.focus])
    rates = ",".join(f"{factor * request.config.lr.base:g}" for factor in RATES)
    arms = [
        with_auxiliary(request),
        control(request),
        {"label": ALONE} | single,
        {"label": NOISE} | single | {"trainer.gradient_noise": 1.0},
        {"label": RESTARTED} | single | {"model.restart": RESTARTS},
        {"label": OTHER_RATES} | single | {"lr.base": rates},
    ]
    narrower = [scaled(request, width) for width in WIDTHS]
    if not narrower[0]:
        request.notes.append("alone, narrower: left out, as no layer is hidden")
    arms += [{"label": NARROWER} | single | widths for widths in narrower if widths]
    budget = auxiliary_budget(request)
    return [arm | budget for arm in arms]
