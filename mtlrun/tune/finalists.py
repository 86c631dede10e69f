"""The confirmation: the best setting beside the default, single-task nets and boosting, on seeds new to the search.

It is an ordinary sweep, whose arms have these labels. `compare` judges it as any other.
"""

from collections.abc import Sequence
from pathlib import Path

from mtlrun import statistics
from mtlrun.compose.request import PlannedRun
from mtlrun.config.schema import config_hash
from mtlrun.storage.names import CONFIRMATION
from mtlrun.tune.search import DEFAULT
from mtlrun.tune.setting_runs import Base, Setting, train
from mtlrun.tune.tried import Tried
from mtlrun.tune.tune_words import TuneSettings
from mtlrun.util.errors import RequestError
from mtlrun.util.terminal import say

TUNED, ALONE, BOOSTING = "tuned", "alone", "boosting"
FEWEST_SEEDS = 8
OF_SEVERAL_TASKS = ("loss", "sharing", "graph", "lr")  # groups that a single-task net does not take from the tuned one


def seeds_of(settings: TuneSettings, arms: int) -> range:
    """The seeds of the confirmation: from the first that the search has not used, as many as can show a difference."""
    count = settings.seeds or max(FEWEST_SEEDS, statistics.seeds_needed(max(1, arms - 1)))
    return range(settings.splits, settings.splits + count)


def finalists(base: Base, best: Tried | None) -> list[Setting]:
    """The settings of the confirmation. A label that occurs several times is one arm of single-task nets.

    best: that of the search; None: it found nothing better than the default
    """
    config = base.config
    main = [name for name, task in config.active.items() if task.main]
    settings = [Setting(DEFAULT)]
    if len(config.active) > 1:
        settings += [Setting("plain sum", {"loss": "sum"}), Setting("uncertainty", {"loss": "uncertainty"})]
        settings += [Setting(ALONE, _alone(base, task)) for task in main]
    if best is not None:
        settings.append(Setting(TUNED, best.values))
        if len(config.active) > 1:
            own = {key: v for key, v in best.values.items() if key.partition(".")[0] not in OF_SEVERAL_TASKS}
            own |= {key: v for key, v in best.values.items() if key == "lr.base"}
            if own:
                settings += [Setting(f"{ALONE}, {TUNED}", _alone(base, task) | own) for task in main]
    return [*settings, Setting(BOOSTING, {"model": "boosting", "loss": "sum"})]


def _alone(base: Base, task: str) -> dict[str, str]:
    """The values of a net for one task."""
    select = base.config.trainer.select
    other = select in base.config.tasks and select != task
    return {"only": f"[{task}]", "loss": "sum", **({"trainer.select": "skill"} if other else {})}


def planned(base: Base, best: Tried | None, settings: TuneSettings) -> list[PlannedRun]:
    """The runs of the confirmation."""
    arms = allowed(base, finalists(base, best))
    labels = len({setting.label for setting in arms})
    return base.runs(arms, seeds_of(settings, labels), {})


def allowed(base: Base, settings: Sequence[Setting]) -> list[Setting]:
    """Equal settings once, and without those that the data do not allow, each of which is named."""
    arms: list[Setting] = []
    known: set[str] = set()
    for setting in settings:
        try:
            key = config_hash(base.runs([setting], [0], {})[0].config)
        except RequestError as error:
            say(f"{setting.label}: left out of the confirmation, {str(error).splitlines()[0]}")
            continue
        if key not in known:
            known.add(key)
            arms.append(setting)
    return arms


def confirm(base: Base, best: Tried | None, settings: TuneSettings, folder: Path, command: str) -> Path:
    """Trains the confirmation in `folder`/confirm, or what is left of it. Returns its folder."""
    place = folder / CONFIRMATION
    runs: Sequence[PlannedRun] = planned(base, best, settings)
    train(base, place, runs, command, "confirmation on fresh seeds and splits, beside the default and boosting")
    return place
