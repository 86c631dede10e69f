"""`mtlrun tune`: searches, confirms and answers in a folder, and continues there after an interrupt."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from omegaconf import OmegaConf

from mtlrun.compose import compose
from mtlrun.compose.overrides import full_key, parse
from mtlrun.data.dataset import load_dataset, load_table
from mtlrun.runs.folder import claimed, free_folder, say_how_to_go_on
from mtlrun.storage.files import as_json, at_work, create, write_json
from mtlrun.storage.names import CONFIRMATION, PLAN, TUNE
from mtlrun.tune.answer import say_answer, search_words
from mtlrun.tune.expected_time import forecast_words
from mtlrun.tune.finalists import confirm
from mtlrun.tune.grouping import can_be_grouped, propose
from mtlrun.tune.search import SEARCH, Search, SearchResult
from mtlrun.tune.search_budget import CLOCK, Clock
from mtlrun.tune.setting_runs import Base, Setting
from mtlrun.tune.space import Dimension, space_of
from mtlrun.tune.stored import read_stored
from mtlrun.tune.tried import leading
from mtlrun.tune.tune_words import PREFIX, TuneSettings, take_settings
from mtlrun.tune.view import View, on_terminal
from mtlrun.util.errors import RequestError, StorageError, counted
from mtlrun.util.lazy import importing
from mtlrun.util.shell import quoted
from mtlrun.util.terminal import say, shown

DIR = "hydra.sweep.dir"
GROUPS = "groups.json"  # the estimate of which tasks go together


def tune(words: Sequence[str], config_dir: str | None) -> int:
    """Finds settings for the words of a run, confirms them, and says what to do. Returns the exit status.

    Raises RequestError, before anything is written, if the words are wrong.
    """
    settings, rest = take_settings(words)
    base = _composed(rest, config_dir, settings)
    with importing("torch"):
        load_table(base.config)
    folder = _free_folder(base)
    record = {"words": rest, "config_dir": config_dir, "settings": settings.to_plain()}
    with claimed(folder, DIR):
        create(folder / TUNE, as_json(record))
    return _go_on(folder, base, settings)


def resume_tune(folder: Path) -> int:
    """Continues in the folder of an earlier `mtlrun tune`. Returns the exit status. Raises RequestError."""
    words, config_dir, settings = read_stored(
        folder / TUNE, lambda tree: (list(tree["words"]), tree["config_dir"], TuneSettings(**tree["settings"]))
    )
    base = _composed(words, config_dir, settings)
    return _go_on(folder, base, settings)


def _composed(words: Sequence[str], config_dir: str | None, settings: TuneSettings) -> Base:
    """The request of a search. Raises RequestError if it is wrong, or if nothing is to be searched."""
    base = Base(compose([*words], config_dir, multirun=True))
    for line in base.request.overrides:
        override = parse(line)
        if override.is_sweep_override():
            key = override.key_or_group
            raise RequestError(
                f"{key}: found several values, and tune chooses values itself\n"
                f"to search over them: {quoted(f'{PREFIX}space.{line}')}"
            )
    if base.request.cfg.arms is not None or base.request.cfg.trials is not None:
        raise RequestError(
            "tune: arms and trials make a sweep\nleave them out; tune.space.KEY=a,b sets what is searched"
        )
    config = base.config
    if config.boosting:
        raise RequestError("model: found boosting\nallowed with tune: a net; boosting takes part by itself")
    _ = base.stacks  # before anything is written
    if not _space(base, settings):
        raise RequestError(f"{PREFIX}fixed: nothing is left to search\nleave a key out of it")
    return base


def _space(base: Base, settings: TuneSettings, groups: Sequence[str] = ()) -> Sequence[Dimension]:
    given = [full_key(parse(line)) for line in base.request.overrides]
    return space_of(base.config, given, settings, groups)


def _groups(folder: Path, base: Base, settings: TuneSettings) -> Sequence[str]:
    """Divisions of the tasks to try, as values of `sharing.groups`: estimated once, then read from the folder."""
    if not can_be_grouped(base.config) or not any(d.key == "sharing" for d in _space(base, settings)):
        return []
    path = folder / GROUPS
    if not path.is_file():
        say("estimating from short joint runs which tasks should share a trunk")
        configs = [run.config for run in base.runs([Setting("joint")], range(settings.splits), {})]
        found = propose(configs, [load_dataset(config) for config in configs])
        write_json(path, {"tasks": found.tasks, "affinity": found.affinity.tolist(), "groups": found.values()})
    return read_stored(path, lambda tree: [str(value) for value in tree["groups"]])


def _free_folder(base: Base) -> Path:
    """The folder of the search: `hydra.sweep.dir`, whose default ends in -tune here."""
    cfg = base.request.cfg
    if not any(full_key(parse(line)) == DIR for line in base.request.overrides):
        named = str(OmegaConf.select(cfg, DIR))
        OmegaConf.update(cfg, DIR, named.removesuffix("-sweep") + "-tune")
    folder = free_folder(cfg, DIR)
    if (folder / TUNE).exists():
        raise RequestError(
            f"{DIR}: {shown(folder)} holds a search already\n"
            f"choose another folder, or go on with it: {quoted('mtlrun', 'resume', shown(folder))}"
        )
    return folder


def _go_on(folder: Path, base: Base, settings: TuneSettings) -> int:
    search: Search | None = None
    try:
        with at_work(folder, alone=True):
            search = _search(folder, base, settings)
            found = search.run()
            _confirm(folder, base, found, settings, search.command)
    except (KeyboardInterrupt, StorageError):
        if search is not None:
            _say_unconfirmed(search.result())
        say_how_to_go_on(folder)
        raise
    return 0


def _search(folder: Path, base: Base, settings: TuneSettings) -> Search:
    """The search in `folder`. Prints what it searches, and how long it takes."""
    clock = Clock(folder / CLOCK, folder / SEARCH)
    space = _space(base, settings, _groups(folder, base, settings))
    say("\n".join(["searched:", *_space_lines(space), _length_words(settings), f"in {shown(folder)}"]))
    if not (folder / SEARCH).exists():
        say(forecast_words(base, settings))
    view = View(settings, bar=on_terminal() and base.stacks.over is None)
    command = quoted("mtlrun", "tune", *base.request.overrides)
    return Search(base, space, settings, folder, command, view, clock, closed=(folder / CONFIRMATION / PLAN).is_file())


def _confirm(folder: Path, base: Base, found: SearchResult, settings: TuneSettings, command: str) -> None:

    say(search_words(found))
    say("now trained on fresh seeds and splits, beside the default, single-task nets and boosting")
    say_answer(base, found, confirm(base, found.best, settings, folder, command), command)


def _say_unconfirmed(found: SearchResult) -> None:

    best = found.best or leading(found.tried)
    if found.tried:
        only = " This is the best so far, and not confirmed on fresh seeds." if best is not None else ""
        say(f"{search_words(replace(found, best=best))}{only}")


def _space_lines(space: Sequence[Dimension]) -> list[str]:
    width = max(len(d.key) for d in space)
    return [f"  {d.key:{width}}  {d.in_words()}" for d in space]


def _length_words(settings: TuneSettings) -> str:
    """How long the search is, and how it goes."""
    bounds = [f"{settings.minutes:g} minutes"] if settings.minutes is not None else []
    bounds += [f"{settings.most_runs} runs"] if settings.most_runs is not None else []
    splits = counted(settings.splits, "split")
    return (
        f"for {' or '.join(bounds)} at most ({PREFIX}minutes, {PREFIX}runs); {settings.batch} settings at a time, "
        f"judged on val over up to {splits}: the better half goes on to the next"
    )
