"""The verdict: the answers of a comparison in short sentences, the most important first."""

from collections.abc import Mapping, Sequence
from typing import Any, Literal, get_args

from mtlrun.compare.analysis.answers import Facts
from mtlrun.compare.analysis.effects import Contrasts, main, word
from mtlrun.compare.analysis.inference import LEVEL
from mtlrun.compare.analysis.questions import Tested, Together
from mtlrun.compare.recommendation_records import Verdict
from mtlrun.compare.records import Affinity, Effect, Estimate, Row
from mtlrun.compare.report.rounding import number, probability, with_interval
from mtlrun.config.schema.sharing import written
from mtlrun.statistics import seeds_needed
from mtlrun.util.errors import counted

NAMED = 3  # number of rows, tasks or levels that a sentence names; it counts the others
FACTORS = {
    "loss": "Loss strategy",
    "lr": "Learning rates",
    "graph": "Edges",
    "model": "Model",
    "sharing": "Sharing",
    "optimizer": "Optimiser",
    "trainer": "Training",
    "data": "Data",
    "tasks": "Tasks",
}


def verdict(facts: Facts) -> list[str]:
    """The sentences, in this order.

    Nets that are not trained to the end; tasks below the trivial predictor; the best setting; too few seeds; the answer
    of the experiment; whether training together helps; rows and ensembles against the reference; the leader; boosting;
    failures. A sentence may end in a command, on a line of its own.
    """
    sentences = [*facts.doubts]
    if facts.best:
        sentences.append(f"{facts.leader} is the best of {len(facts.rows)} settings.")
    if not facts.seeds:
        sentences.append("No seeds in common: nothing can be concluded.")
    elif facts.seeds < facts.needed:
        tasks = len(facts.affinity.mean_gains) if facts.affinity else 0
        if tasks and facts.seeds >= seeds_needed(tasks):
            sentences.append(
                f"{counted(facts.seeds, 'seed')}; {facts.needed} are needed to show a gain in a single pair of tasks."
            )
        elif not any(row.against and _decided(row.against.verdict) for row in facts.rows):
            sentences.append(f"{counted(facts.seeds, 'seed')}; {facts.needed} are needed to show a difference.")
    sentences += (
        _contrasts(facts.contrasts, facts.margin) if facts.contrasts else _factorial(facts.effects, facts.margin)
    )
    if facts.affinity:
        sentences += _affinity(facts.affinity)
    if facts.curve:
        sentences.append(_curve(facts.curve))
    elif facts.together and not facts.contrasts:
        sentences += _together(facts.together, facts.margin)
    sentences += _rows(facts)
    sentences += _ensembles(facts)
    sentences += _leader(facts)
    if facts.boosting:
        sentences.append(_boosting(*facts.boosting))
    return sentences + _failures(facts.rows)


# ---------------------------------------------------------------- plans and factorials


def _contrasts(contrasts: Contrasts, margin: float) -> list[str]:
    """The answer of a plan, and its contrasts if there are few."""
    sentences = [answer] if (answer := contrasts.answer) is not None else []
    tails = {"gain": "", "loss": ", a loss", "none": f", none within {margin:g} %", "undecided": ", undecided"}
    for effect in contrasts.effects if len(contrasts.effects) <= NAMED + 1 else []:
        size = f"{_percent(effect.estimate)}, {_p(effect.p_holm, True)}"
        sentences.append(f"{sentence_case(effect.factor)}: gain {size}{tails[word(effect)]}.")
    return sentences


def _factorial(effects: Sequence[Effect], margin: float) -> list[str]:
    """A sentence for each main effect, and one for the interactions."""
    by_factor: dict[str, list[Effect]] = {effect.factor: [] for effect in main(effects)}
    for effect in effects:
        if effect.factor in by_factor:
            by_factor[effect.factor].append(effect)
    sentences = [_main_effect(factor, levels, margin) for factor, levels in by_factor.items()]
    both = [f"{e.level} ({_percent(e.estimate)})" for e in effects if "×" in e.factor and _is_decided(e)]
    return [*sentences, f"Not the sum of their parts: {enumerated(both)}."] if both else sentences


def _main_effect(factor: str, levels: Sequence[Effect], margin: float) -> str:
    """The levels of a factor that differ from the level `against`, are equivalent to it, or are undecided."""
    against = levels[0].against
    decided = [effect for effect in levels if _is_decided(effect)]
    equivalent = [effect.level for effect in levels if not _is_decided(effect) and effect.equivalent]
    undecided = [effect.level for effect in levels if not _is_decided(effect) and not effect.equivalent]
    parts = [
        f"{effect.level} is {'better' if effect.estimate.mean < 0 else 'worse'} than {effect.against} "
        f"({_percent(effect.estimate)}, {_p(effect.p_holm, True)})"
        for effect in decided[:NAMED]
    ]
    if len(decided) > NAMED:
        parts.append(f"{len(decided) - NAMED} more differ")
    if equivalent:
        verb = "is" if len(equivalent) == 1 else "are"
        parts.append(f"{enumerated(equivalent)} {verb} equivalent to {against} within {margin:g} %")
    if undecided:
        parts.append(f"{enumerated(undecided)} against {against} undecided")
    return f"{FACTORS.get(factor, factor)}: {'; '.join(parts)}."


def _is_decided(effect: Effect) -> bool:
    return effect.p_holm <= LEVEL and effect.estimate.mean != 0


def _curve(by_rows: Mapping[int, Tested]) -> str:
    """The numbers of training rows for which training together helps, and for which it harms."""
    counts = sorted(by_rows)
    helps = [rows for rows in counts if by_rows[rows].verdict == "better"]
    harm = [rows for rows in counts if by_rows[rows].verdict == "worse"]
    harms = f" It is worse with {enumerated([f'{rows:,}' for rows in harm])} rows." if harm else ""
    if not helps:
        return f"Training together is not shown to help at any number of training rows.{harms}"
    if helps == counts:
        return f"Training together helps at every number of training rows, {counts[0]:,} to {counts[-1]:,}."
    if helps[-1] == counts[-1]:
        return f"Training together helps with {enumerated([f'{rows:,}' for rows in helps])} training rows.{harms}"
    first = counts[counts.index(helps[-1]) + 1]
    return f"From {first:,} training rows on, training together is not shown to help.{harms}"


# ---------------------------------------------------------------- pairs of tasks


def _affinity(found: Affinity) -> list[str]:
    """Which tasks gain or lose by being trained with another, on average and by which; and the groups of tasks."""
    sentences = []
    if found.mean_gains:
        changed = _changes({(task,): gain for task, gain in found.mean_gains.items()}, found.verdicts)
        changes = enumerated(changed) if changed else "no task is shown to gain or to lose"
        sentences.append(f"Trained with another task, on average over them, {changes}.")
    changed = _changes(found.gains, found.verdicts)
    changes = enumerated(changed) if changed else "no task is shown to gain or lose by another"
    return [*sentences, f"In pairs, {changes}.", _groups(found)]


def _changes(gains: Mapping[Any, Estimate], verdicts: Mapping[tuple[str, ...], Verdict]) -> list[str]:
    """`a gains by b (+2.1 ± 0.3 %)` for each shown gain, the largest first, then for each shown loss."""
    words: dict[Verdict, str] = {"better": "gains", "worse": "loses"}
    by_size = sorted(gains.items(), key=lambda pair: -abs(pair[1].mean))
    return [
        f"{names[0]} {word}{f' by {names[1]}' if names[1:] else ''} ({_percent(gain)})"
        for wanted, word in words.items()
        for names, gain in by_size
        if verdicts.get(names) == wanted
    ]


def _groups(found: Affinity) -> str:
    """The proposed groups of tasks in words."""
    together = [enumerated(group, len(group)) for group in found.groups if len(group) > 1]
    alone = [group[0] for group in found.groups if len(group) == 1]
    if not together:
        return "No tasks are proposed to be trained together: no two are shown to gain by it."
    if not alone and len(together) == 1:
        return "Proposed from the pairs: train all tasks together."
    apart = f"; alone: {enumerated(alone, len(alone))}" if alone else ""
    words = f"sharing=groups 'sharing.groups={written(found.groups)}'"
    return f"Proposed from the pairs: train together {'; '.join(together)}{apart}: {words}."


# ---------------------------------------------------------------- together or alone


def _together(together: Together, margin: float) -> list[str]:
    """The shared net against single-task nets, and the tasks that gain or lose."""
    against = "single-task nets" if together.alone == "alone" else together.alone
    tail = f"{_percent(together.whole.difference)}, {_p(together.whole.p, together.whole.adjusted)}"
    verdict = _is(together.whole.verdict, margin)
    sentences = [f"Training together ({together.label}) {verdict} {against}: {tail}."]
    if together.whole.verdict == "undecided":
        sentences = [f"Training together ({together.label}) against {against}: undecided, {tail}."]
    changes: dict[str, Literal["better", "worse"]] = {"gains": "better", "loses": "worse"}
    for verb, wanted in changes.items() if len(together.tasks) > 1 else ():
        changed = [
            f"{task} ({_percent(result.difference)})"
            for task, result in together.tasks.items()
            if result.verdict == wanted
        ]
        if changed:
            sentences.append(f"{enumerated(changed)} {verb if len(changed) == 1 else verb.removesuffix('s')} by it.")
    return sentences


def _is(verdict: Verdict, margin: float) -> str:
    words = {
        "better": "is better than",
        "worse": "is worse than",
        "undecided": "is undecided against",
        "equivalent": f"is equivalent within {margin:g} % to",
    }
    return words[verdict]


# ---------------------------------------------------------------- rows


def _rows(facts: Facts) -> list[str]:
    """The rows that are better than the reference, worse or equivalent, and the number of undecided ones."""
    name = facts.reference.label
    if not any(row.against for row in facts.rows):
        return [f"{name} is the only setting: there is nothing to compare it with."]
    if facts.contrasts or facts.curve:  # they answer already
        return []
    answered = {facts.together.alone, facts.together.label} if facts.together else set[str]()
    if name not in answered:  # the sentence on training together is about another difference
        answered = set[str]()
    by_verdict: dict[Verdict, list[str]] = {verdict: [] for verdict in get_args(Verdict)}
    for row in facts.rows:
        if row.against is not None and row.label not in answered:
            said = row.against.verdict not in ("undecided", "untrained")
            difference = f" ({_percent(row.against.difference)})" if said else ""
            by_verdict[row.against.verdict].append(f"{row.label}{difference}")
    titles: dict[Verdict, str] = {
        "better": f"Better than {name}",
        "worse": f"Worse than {name}",
        "equivalent": f"Equivalent to {name} within {facts.margin:g} %",
    }
    sentences = [
        f"{title}: {enumerated(by_verdict[verdict])}." for verdict, title in titles.items() if by_verdict[verdict]
    ]
    if untrained := by_verdict["untrained"]:
        sentences.append(f"Not compared with {name}, as nets are not trained to the end: {enumerated(untrained)}.")
    undecided = by_verdict["undecided"]
    if undecided and sentences:
        sentences.append(f"Undecided against {name}: {enumerated(undecided)}.")
    elif undecided:
        kind = "other " if answered else "single " if any(map(_is_decided, facts.effects)) else ""
        sentences.append(f"No {kind}setting is shown to differ from {name}.")
    return sentences


def _ensembles(facts: Facts) -> list[str]:
    """The ensembles that are better or worse than the reference."""
    name, found = facts.reference.label, []
    for verdict in ("better", "worse"):
        labels = [
            f"{row.label} ({_percent(row.against.difference)})"
            for row in facts.ensembles
            if row.against is not None and row.against.verdict == verdict
        ]
        found += [f"{sentence_case(verdict)} than {name}, as a mean of runs: {enumerated(labels)}."] if labels else []
    return found


def _decided(verdict: Verdict) -> bool:
    return verdict in ("better", "worse")


def _leader(facts: Facts) -> list[str]:
    """The row with the lowest mean Δm, and the number of rows that cannot be distinguished from it."""
    lead = next((row for row in facts.rows if row.label == facts.leader), None)
    if lead is None or lead.delta_m is None or facts.best:
        return []
    if any(row.untrained for row in facts.rows):  # what is told apart would be the length of training
        return []
    others = [row for row in facts.rows if row.like_leader is not None]
    like = sum(bool(row.like_leader) for row in others)
    lowest = f"{lead.label} has the lowest Δm, {_percent(lead.delta_m)}"
    if any(row.delta_m is not None and row.delta_m.mean < lead.delta_m.mean for row in facts.rows):
        lowest = f"Of those that share their seeds, {lowest}"
    if not others:
        return [f"{lowest}."]
    if not like:
        return [f"{lowest}, and is told apart from {'all others' if len(others) > 1 else 'the other'}."]
    if len(others) == 1:
        return [f"{lowest}; the other cannot be told apart from it."]
    return [f"{lowest}; {like} of {len(others)} others cannot be told apart from it."]


def _boosting(label: str, nets: Sequence[Tested]) -> str:
    """Gradient boosting against every net."""
    name = "Gradient boosting" if label == "boosting" else f"Gradient boosting ({label})"
    counts = {kind: sum(net.verdict == kind for net in nets) for kind in ("better", "worse", "equivalent")}
    for kind in ("better", "worse"):
        if counts[kind] == len(nets):
            every = "every net" if len(nets) > 1 else "the net"
            nearest = min((net.difference for net in nets), key=lambda difference: abs(difference.mean))
            more = " or more" if len(nets) > 1 else ""
            return f"{name} is {kind} than {every}, by {number(abs(nearest.mean), 2)} %{more} on average."
    if not any(counts.values()):
        return f"{name} is undecided against {'every net' if len(nets) > 1 else 'the net'}."
    parts = [f"{kind} than {count}" for kind, count in counts.items() if count and kind != "equivalent"]
    parts += [f"equivalent to {counts['equivalent']}"] if counts["equivalent"] else []
    left = len(nets) - sum(counts.values())
    parts += [f"undecided against {left}"] if left else []
    return f"{name} is {enumerated(parts)} of {counted(len(nets), 'net')}."


def _failures(rows: Sequence[Row]) -> list[str]:
    failed, unfinished = sum(row.failed for row in rows), sum(row.unfinished for row in rows)
    parts = [f"{counted(failed, 'run')} failed"] if failed else []
    if unfinished:
        parts.append(f"{counted(unfinished, 'run')} {'are' if unfinished > 1 else 'is'} not finished")
    return [f"{enumerated(parts)}."] if parts else []


# ---------------------------------------------------------------- figures


def _percent(estimate: Estimate) -> str:
    return f"{with_interval(estimate, signed=True)} %"


def _p(value: float, adjusted: bool) -> str:
    shown, name = probability(value), "Holm p" if adjusted else "unadjusted p"
    return f"{name} {shown[0]} {shown[1:]}" if shown.startswith("<") else f"{name} = {shown}"


def sentence_case(text: str) -> str:
    """The text with a capital letter first."""
    return text[:1].upper() + text[1:]


def enumerated(words: Sequence[str], limit: int = NAMED) -> str:
    """`a, b and c`; with more than `limit` words, the first ones and `and 9 more`."""
    shown = list(words[:limit]) + ([f"{len(words) - limit} more"] if len(words) > limit else [])
    if len(shown) == 1:
        return shown[0]
    comma = any(", " in word for word in shown)
    return f"{('; ' if comma else ', ').join(shown[:-1])}{';' * comma} and {shown[-1]}"
