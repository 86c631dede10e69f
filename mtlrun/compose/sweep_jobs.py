"""The runs of a sweep as lists of overrides: products, unions of products (`arms`), draws (`trials`)."""

import itertools
import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from hydra.core.config_loader import ConfigLoader
from omegaconf import DictConfig, OmegaConf

from mtlrun.compose.arms import Arm, make_arm, planned_arms, written_arms
from mtlrun.compose.override_lines import combined, length, located, overrides_of, parsed, require_few
from mtlrun.compose.overrides import SWEEP_KEYS, TRIALS, full_key, is_drawn, parse, typed_value
from mtlrun.compose.plans import require_plan
from mtlrun.compose.trials import Defaults, Draw, check_drawn, crossed, drawn, draws
from mtlrun.config.schema import Config
from mtlrun.util.errors import RequestError

PARAMS = "hydra.sweeper.params"


@dataclass(frozen=True)
class Job:
    """One run of a sweep.

    arm: `arms[1]`, or "" if the sweep has no arms
    label: the label of the arm, or ""
    arguments: its overrides as Hydra gets them, those common to all arms first
    overrides: the same by key, those of its arm first
    swept: the overrides that appear in the name of its folder
    drawn: the keys whose values trials draw
    """

    arm: str
    label: str
    arguments: list[str]
    overrides: dict[str, str]
    swept: dict[str, str]
    drawn: tuple[str, ...] = ()


def jobs(
    cfg: DictConfig,
    lines: Sequence[str],
    loader: ConfigLoader,
    config_of: Callable[[Sequence[str]], Config],
    notes: list[str],
) -> list[Job]:
    """The runs of a sweep, in job order, from a composed request and its override lines.

    config_of: makes the checked configuration of one run from its overrides
    notes: the function appends lines to print

    The arms come in order. Within an arm, its own sweeps vary slowest, then the trials, then the sweeps common to all
    arms. Raises RequestError for wrong arms, trials and ranges.
    """
    typed = [parse(line) for line in lines]
    listed = overrides_of(_plain(cfg.hydra, "sweeper").get("params") or {}, PARAMS, loader, from_file=True)
    listed += [o for o in typed if not o.is_hydra_override() and o.key_or_group not in SWEEP_KEYS]
    trials = _trials(_plain(cfg, "trials"))
    common = {full_key(o): o if trials else crossed(o) for o in listed}  # the command line's come last, and count
    from_file = "arms" not in [o.key_or_group for o in typed]
    written, focus = _plain(cfg, "arms"), _plain(cfg, "focus")
    if isinstance(written, str):
        require_plan(written)
        require_few(_count(make_arm("", [], common), 1))
        arms = planned_arms(written, focus, common, loader, config_of, notes)
    elif focus is not None:
        raise RequestError(f"focus: found {focus!r}, and no plan asks about a task\nadd one: arms=shuffled")
    else:
        arms = written_arms(written, common, loader, from_file)
    arms = arms if trials else [arm.crossed() for arm in arms]
    _check_drawn(arms, trials)
    require_few(sum(_count(arm, trials or 1) for arm in arms))
    # The same key has the same draws in every arm, so that arms are compared in pairs.
    drawn_keys = dict.fromkeys(key for arm in arms for key in arm.drawn)
    points = draws([*drawn_keys], (trials or 1) - 1)
    defaults = Defaults(config_of, _plain(cfg.hydra, "runtime").get("choices") or {})
    return [job for arm in arms for job in _product(arm, points, defaults)]


def _plain(cfg: DictConfig, key: str) -> Any:
    """A value of a composed configuration, with unresolved references."""
    found = OmegaConf.to_container(OmegaConf.masked_copy(cfg, key), resolve=False)
    assert isinstance(found, dict)
    return found[key]


def _count(arm: Arm, trials: int) -> int:
    """The number of runs of an arm, counted without making a list of any values."""
    crossed_with = [o for o in (*arm.overrides.values(), *arm.common.values()) if not is_drawn(o)]
    return math.prod(map(length, crossed_with)) * (trials if arm.drawn else 1)


def _product(arm: Arm, points: Sequence[Draw], defaults: Defaults) -> Iterable[Job]:
    """The runs of an arm: the default, then a trial for each point."""
    trials = [None, *points] if arm.drawn else [None]
    swept = {key for key, o in arm.common.items() if o.is_sweep_override()} | arm.named
    for own, point, shared in itertools.product(combined(arm.overrides), trials, combined(arm.common)):
        line = own | shared
        if point is not None:
            line |= {key: drawn(o, point[key]) for key, o in arm.drawn.items()}
        elif arm.drawn:
            line |= defaults.lines(
                [*arm.drawn.values()], [line[key] for key in (*arm.common, *arm.overrides) if key in line]
            )
        overrides = {key: typed_value(parsed(line[key])) for key in (*arm.overrides, *arm.common) if key in line}
        yield Job(
            arm=arm.name,
            label=arm.label,
            arguments=[line[key] for key in (*arm.common, *arm.overrides) if key in line],
            overrides=overrides,
            swept={key: value for key, value in overrides.items() if key in swept},
            drawn=tuple(arm.drawn),
        )


def _trials(value: Any) -> int | None:
    if value is None:
        return None
    if not isinstance(value, int) or isinstance(value, bool) or value < 1:
        raise RequestError(f"trials: found {value!r}\nallowed: {TRIALS}")
    return value


def _check_drawn(arms: Sequence[Arm], trials: int | None) -> None:
    settings = [(arm, key, o) for arm in arms for key, o in (arm.common | arm.overrides).items()]
    found = [(arm.name if key in arm.overrides else "", o) for arm, key, o in settings if is_drawn(o)]
    if trials is not None and not found:
        raise RequestError(
            f"trials: found {trials}, and no range or choice(...) to draw from\n"
            "add one, such as 'lr.base=tag(log,interval(1e-4,1e-1))', or trials=null"
        )
    for where, override in found:
        with located(where):
            if trials is None:
                raise RequestError(
                    f"{override.key_or_group}: found {typed_value(override)}, a range without end\n"
                    "add trials=16 to draw from it, or list values with commas between"
                )
            check_drawn(override)
