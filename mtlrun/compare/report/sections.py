"""The sections of the page in the order of interest: the answer, what it rests on, then what lies behind it."""

from collections.abc import Container
from dataclasses import dataclass

from mtlrun.compare.records import Comparison


@dataclass(frozen=True)
class Section:
    """A section of the page.

    name: its id, and the beginning of the names of its pictures
    link: its name in the list of sections, short enough for a phone
    note: how its pictures are read
    """

    name: str
    title: str
    link: str
    note: str = ""


_MEAN = "Line: mean over seeds; band: 95 % interval."
SECTIONS = (
    Section("delta_m", "All settings", "Table", "Dot: mean over seeds; line: its 95 % interval; dashed: the baseline."),
    Section("warnings", "Before believing it", "Warnings"),
    Section("missing", "What is missing for a stronger claim", "Missing"),
    Section(
        "interval",
        "Each task by itself",
        "Tasks",
        "Dot: mean over seeds; line: its 95 % interval; dashed: the baseline. "
        "Colours and signs are those of the verdict on Δm, over all tasks.",
    ),
    Section(
        "effects", "Main effects", "Effects", "Each contrast is paired by seed and averages over all other factors."
    ),
    Section(
        "front",
        "What is gained in one task and lost in another",
        "Trade-offs",
        "Lines: 95 % intervals; rings, joined by a dotted line: the Pareto front of the means.",
    ),
    Section("trend", "How figures change with a setting", "Trends", _MEAN),
    Section(
        "affinity",
        "Which tasks help each other",
        "Pairs of tasks",
        "Row: the task whose figure it is; column: the task trained with it. ±: half of the 95 % interval.",
    ),
    Section(
        "importance",
        "What the tasks are learnt from",
        "Inputs",
        "One input at a time is permuted in test; thin line: 95 % interval; longer: relied on more.",
    ),
    Section(
        "shares",
        "What the tasks read",
        "Gates",
        "Row: who reads; column: what is read. Gates: their mean over val; stitches: as they are. At the last "
        "evaluation, mean over seeds, ±: half of the 95 % interval. Experts of one kind have another order in "
        "every seed: one by one they are shown of the first seed only, and over seeds as the sum of their kind. "
        "Of many settings the first six.",
    ),
    Section(
        "curve",
        "Learning curves",
        "Curves",
        "Line: mean over seeds on val; band: 95 % interval. Of many settings the leader, the "
        "reference, the baseline and the first of the table.",
    ),
    Section("speed", "Steps to a target", "Speed"),
    Section("weight", "Weights of the losses", "Weights", f"{_MEAN} Weights that stay what they were are left out."),
    Section("sigma", "Learnt noise", "Noise", f"Sigma of loss=uncertainty, to be held against the error. {_MEAN}"),
    Section("rate", "Learning rates", "Rates", _MEAN),
    Section(
        "cosine",
        "Gradient conflicts",
        "Conflicts",
        "Cosine of two tasks' gradients in the trunk; below 0 they pull apart.",
    ),
    Section("diagnostics", "Conflicts and dead units", "Dead units"),
    Section("cost", "Cost", "Cost", "Dashed: the plain sum."),
    Section(
        "expected",
        "What choosing among n trials brings",
        "Trials",
        "Expected value of the highest val skill among n trials drawn from those made (Dodge et al. 2019).",
    ),
    Section("unlogged", "What these runs did not log", "Not logged"),
    Section("settings", "Settings and versions", "Settings"),
    Section("how", "How it was computed", "How"),
)
_ASKED = ("affinity", "trend", "effects")  # the answer, where runs are made for another question than what to train


def section_of(picture: str) -> str:
    """The section of a picture, by its name."""
    return next(s.name for s in SECTIONS if picture == s.name or picture.startswith(f"{s.name}_"))


def ordered(comparison: Comparison, present: Container[str]) -> list[Section]:
    """The sections that have something to show, in the order of interest.

    present: the names of these sections. Without a recommendation the runs answer another question: what answers it
    then follows the table.
    """
    found = [section for section in SECTIONS if section.name in present]
    first = [found[0].name, *_ASKED] if comparison.recommendation is None else []
    return sorted(found, key=lambda section: first.index(section.name) if section.name in first else len(first))
