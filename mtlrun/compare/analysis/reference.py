"""Which row others are held against: the plain sum, single-task nets, the reference, and what Δm is relative to."""

from collections import Counter
from collections.abc import Mapping, Sequence

from mtlrun.compare.collect.settings import TRAIN_ROWS, Setting, Words
from mtlrun.compose.plans import reading_of
from mtlrun.util.errors import RequestError, nearest

Figures = Mapping[int, Mapping[tuple[str, str], float]]  # seed -> (task, metric) -> value
PLAIN = {"lr": "single", "graph": "none"}  # what goes with a plain sum, wherever some row has it


def plain_sum(settings: Sequence[Setting], figures: Sequence[Figures]) -> int | None:
    """The row of the plain sum of losses, with one rate and no edges if there is such a row, and all else at what
    most rows have (of equally frequent ones the first)."""
    methods = [i for i, s in enumerate(settings) if s.kind == "method" and figures[i]]
    usual = usual_words([settings[i] for i in methods])
    sums = [i for i in methods if settings[i].words.get("loss") == "sum"]
    plain = {key: value for key, value in usual.items() if key in PLAIN}
    return min(sums, key=lambda i: (unlike(settings[i], plain), unlike(settings[i], usual)), default=None)


def usual_words(settings: Sequence[Setting]) -> Words:
    """The most frequent value of every key but the loss's."""
    keys = dict.fromkeys(k for s in settings for k in s.words if k.split(".")[0] != "loss" and k not in s.chosen)
    usual = {key: Counter(s.words.get(key, "") for s in settings).most_common(1)[0][0] for key in keys}
    return usual | {k: v for k, v in PLAIN.items() if any(s.words.get(k) == v for s in settings)}


def unlike(setting: Setting, usual: Words) -> int:
    """In how many keys a row is not as the usual one."""
    return sum(setting.words.get(key, "") != value for key, value in usual.items())


def find_reference(
    settings: Sequence[Setting], figures: Sequence[Figures], plain: int | None, asked: str | None
) -> int:
    """The row that others are held against.

    Asked for by its label or by settings; else the arm that the experiment names; else the plain sum where losses
    differ, else single-task nets, else the plain sum, else the first. Raises RequestError for one that is not there, or
    that several rows answer to.
    """
    whole = [i for i, own in enumerate(figures) if own]
    if not whole:
        raise RequestError(
            "compare: no row has figures of every main task\n"
            "allowed: runs that train them all, or each; compare runs of other tasks apart"
        )
    labels = [settings[i].label for i in whole]
    if asked is not None:
        exact = [i for i in whole if asked.strip().casefold() == settings[i].label.casefold()]
        words = [word.partition("=") for word in asked.split()]
        fitting = exact or [i for i in whole if all(e and settings[i].words.get(k) == v for k, e, v in words)]
        if len(fitting) != 1:
            found = "no row is" if not fitting else f"{len(fitting)} rows are"
            raise RequestError(
                f"--reference: {found} {asked}{nearest(asked, labels) if not fitting else ''}\n"
                f"allowed: {'; '.join(settings[i].label for i in fitting or whole)}"
            )
        return fitting[0]
    reading, contrasts = reading_of([arm for i in whole if (arm := settings[i].arm) is not None])
    named = [i for i in whole if contrasts and settings[i].arm == reading.reference]
    if len(named) == 1:
        return named[0]
    losses = {settings[i].words.get("loss") for i in whole if settings[i].kind == "method"}
    lone = closest_alone(settings, figures, plain)
    if plain is not None and (len(losses) > 1 or lone is None):
        return plain
    return lone if lone is not None else whole[0]


def closest_alone(settings: Sequence[Setting], figures: Sequence[Figures], to: int | None) -> int | None:
    """The row of single-task nets that has every task; of several, the one most like the row `to`."""
    lone = [i for i, s in enumerate(settings) if s.kind == "alone" and figures[i]]
    methods = [s for i, s in enumerate(settings) if s.kind == "method" and figures[i]]
    usual = settings[to].words if to is not None else usual_words(methods)
    usual = {k: v for k, v in usual.items() if k.split(".")[0] not in ("only", "tasks")}
    return min(lone, key=lambda i: unlike(settings[i], usual), default=None)


def find_baseline(settings: Sequence[Setting], figures: Sequence[Figures], reference: int) -> int:
    """What Δm is relative to: single-task nets where there are some for every task, else the reference."""
    if settings[reference].kind == "alone":
        return reference
    lone = closest_alone(settings, figures, reference)
    return reference if lone is None else lone


def baselines_by_rows(settings: Sequence[Setting], figures: Sequence[Figures], base: int) -> list[int | None]:
    """What each row's Δm is relative to: where single-task nets were trained on several numbers of training rows, those
    with the row's own; None where there are none."""
    counts = {s.words.get(TRAIN_ROWS) for s, own in zip(settings, figures, strict=True) if s.kind == "alone" and own}
    if settings[base].kind != "alone" or len(counts) < 2:
        return [base] * len(settings)
    found: dict[str | None, int | None] = {}
    for count in dict.fromkeys(s.words.get(TRAIN_ROWS) for s in settings):
        alike = [own if s.words.get(TRAIN_ROWS) == count else {} for s, own in zip(settings, figures, strict=True)]
        found[count] = closest_alone(settings, alike, base)
    return [found[setting.words.get(TRAIN_ROWS)] for setting in settings]
