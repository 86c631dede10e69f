"""The arms of a sweep, from a list of mappings or from a plan. The sweep is the union of its arms."""

import dataclasses
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from hydra.core.config_loader import ConfigLoader
from hydra.core.override_parser.types import Override

from mtlrun.compose.override_lines import combined, located, overrides_of
from mtlrun.compose.overrides import ARMS, full_key, is_drawn, parse
from mtlrun.compose.plans import PlanRequest, planned
from mtlrun.compose.trials import crossed
from mtlrun.config.schema import GROUPS, Config
from mtlrun.util.errors import RequestError

LABEL = "label"  # the only key of an arm that is no override
SEEDS = ("seed", "data.split.seed")  # the arms of a plan do not depend on them


@dataclass(frozen=True)
class Arm:
    """One arm of a sweep.

    name: `arms[1]`, or "" if the sweep has no arms
    label: the name that the user gave it, or ""
    overrides: the overrides that the arm sets, by key
    common: the overrides of the whole sweep whose keys the arm does not set, by key
    named: the keys of its overrides that appear in the folder names of its runs
    """

    name: str
    label: str
    overrides: dict[str, Override]
    common: dict[str, Override]
    named: frozenset[str]

    @property
    def drawn(self) -> dict[str, Override]:
        """The overrides whose values trials draw, by key."""
        return {key: o for key, o in (self.common | self.overrides).items() if is_drawn(o)}

    def crossed(self) -> "Arm":
        """The arm with lists in place of choices: without trials nothing is drawn."""
        overrides, common = ({key: crossed(o) for key, o in each.items()} for each in (self.overrides, self.common))
        return dataclasses.replace(self, overrides=overrides, common=common)


def make_arm(
    name: str,
    overrides: Sequence[Override],
    common: Mapping[str, Override],
    label: str = "",
    pinned: Sequence[str] = (),
) -> Arm:
    """Makes an arm. In folder names a label replaces its overrides, except those that it sweeps over and `pinned`."""
    replaced = {o.key_or_group for o in overrides}
    kept = {key: o for key, o in common.items() if o.key_or_group not in replaced}
    named = {full_key(o) for o in overrides if not label or o.is_sweep_override() or full_key(o) in pinned}
    return Arm(name, label, {full_key(o): o for o in overrides}, kept, frozenset(named))


# ---------------------------------------------------------------- written arms


def written_arms(value: Any, common: Mapping[str, Override], loader: ConfigLoader, from_file: bool) -> list[Arm]:
    """The arms of a list of mappings. If `value` is None, one arm without overrides."""
    if value is None:
        return [make_arm("", [], common)]
    if not isinstance(value, list) or not value:
        raise RequestError(f"arms: found {value!r}\nallowed: {ARMS}")
    arms = []
    for number, arm in enumerate(value):
        name = f"arms[{number}]"
        if not isinstance(arm, dict) or not arm:
            default = "; an arm without settings of its own has a label: {label: default}" if arm == {} else ""
            raise RequestError(f"{name}: found {arm!r}\nallowed: {ARMS}{default}")
        label = arm.get(LABEL, "")
        if not isinstance(label, str) or not label.isprintable() or (LABEL in arm and not label.strip()):
            raise RequestError(f"{name}.{LABEL}: found {label!r}\nallowed: a name for the arm, one line of text")
        settings = {key: inner for key, inner in arm.items() if key != LABEL}
        arms.append(make_arm(name, overrides_of(settings, name, loader, from_file), common, label))
    return arms


# ---------------------------------------------------------------- arms of a plan


def planned_arms(
    name: str,
    focus: Any,
    common: Mapping[str, Override],
    loader: ConfigLoader,
    config_of: Callable[[Sequence[str]], Config],
    notes: list[str],
) -> list[Arm]:
    """The arms of a plan, made for every combination of the common overrides.

    If all combinations give the same arms, each arm appears once.
    """
    plans = list(_plans(name, focus, common, config_of, notes))
    first = plans[0][1]
    if all(arms == first for _, arms in plans):
        plans = [({}, first)]
    return [_planned_arm(name, arm, swept, common, loader) for swept, arms in plans for arm in arms]


def _plans(
    name: str,
    focus: Any,
    common: Mapping[str, Override],
    config_of: Callable[[Sequence[str]], Config],
    notes: list[str],
) -> Iterator[tuple[dict[str, str], list[dict[str, Any]]]]:
    """For every combination of the common overrides, without seeds: the swept lines, and the plan's arms.

    Keys that trials draw have their defaults.
    """
    seeds = {key: o for key, o in common.items() if key in SEEDS}
    others = {key: o for key, o in common.items() if key not in SEEDS}
    for lines in combined(others):
        new: list[str] = []
        with located(f"arms={name}"):
            of_seeds = [lines | seed for seed in combined(seeds)]
            configs = [config_of([line[key] for key in common if key in line]) for line in of_seeds]
            arms = planned(name, PlanRequest(name, configs, focus, new))
        notes.extend(note for note in new if note not in notes)
        yield {key: line for key, line in lines.items() if common[key].is_sweep_override()}, arms


def _planned_arm(
    name: str,
    settings: Mapping[str, Any],
    swept: Mapping[str, str],
    common: Mapping[str, Override],
    loader: ConfigLoader,
) -> Arm:
    """An arm of a plan for one combination of `swept`. It keeps the lines that apply to its options."""
    label = settings[LABEL]
    rest = {key: value for key, value in settings.items() if key != LABEL}
    overrides = overrides_of(rest, f"arms={name}", loader, from_file=False)
    replaced = {o.key_or_group for o in overrides}
    fitting = {key: o for key, o in common.items() if fits(key, rest)}
    pinned = [
        parse(line) for key, line in swept.items() if key in fitting and fitting[key].key_or_group not in replaced
    ]
    return make_arm(f"arms={name}: {label}", [*overrides, *pinned], fitting, label, list(swept))


def fits(key: str, arm: Mapping[str, Any]) -> bool:
    """Whether a common setting applies to the options that an arm chooses.

    For example, model.hidden does not apply to an arm with model=boosting, but applies to the other arms.
    """
    group, _, name = key.lstrip("~").partition(".")
    option = GROUPS.get(group, {}).get(str(arm.get(group)))
    return option is None or name.partition(".")[0] in {f.name for f in dataclasses.fields(option)}
