"""Composes a request from the command line, and its checked configurations, through Hydra.

`compose` checks the overrides and the YAML files from outside, then lets Hydra compose. Its error messages replace
unclear ones of Hydra (a misspelt key, a value for a group, a sweep without -m). `single` gives the checked
configuration of a single run, `planned_runs` that of each run of a sweep.
"""

from collections.abc import Sequence
from dataclasses import dataclass, fields
from pathlib import Path

from hydra import initialize_config_dir
from hydra.core.config_loader import ConfigLoader
from hydra.core.config_store import ConfigStore
from hydra.core.global_hydra import GlobalHydra
from hydra.core.override_parser.types import Override
from hydra.core.plugins import Plugins
from hydra.types import RunMode
from omegaconf import DictConfig, OmegaConf

from mtlrun.compose import outside
from mtlrun.compose.composition import Compositions, checked_config, literally, load, with_data_option
from mtlrun.compose.decimal_point import point_hint, point_notes
from mtlrun.compose.override_checks import checked_override, name_with_comma, require_each_once
from mtlrun.compose.overrides import SWEEP_KEYS, hydra_line, parse, typed_value
from mtlrun.compose.sweep_jobs import Job, jobs
from mtlrun.config.extensions import conf_dirs
from mtlrun.config.schema import GROUPS, Config, conf_dir, config_hash
from mtlrun.storage.sweep_folder import folder_name, read_plan
from mtlrun.util.errors import RequestError, counted
from mtlrun.util.shell import quoted

SCHEMA = "mtlrun_schema"  # the first default in conf/config.yaml


@dataclass(frozen=True)
class Request:
    """A composed request.

    loader: Hydra's loader
    cfg: the configuration with the hydra node, not checked key by key
    overrides: the overrides as Hydra gets them
    sweep: whether it is a sweep
    notes: lines to print once
    command: the command line, quoted for a shell
    """

    loader: ConfigLoader
    cfg: DictConfig
    overrides: list[str]
    sweep: bool
    notes: list[str]
    command: str


@dataclass(frozen=True)
class PlannedRun:
    """One run of a sweep.

    run: the name of its folder
    arguments: its overrides as Hydra gets them
    overrides: the same by key
    config: its checked configuration
    arm: the label of its arm, or ""
    drawn: the keys whose values trials draw
    """

    run: str
    arguments: list[str]
    overrides: dict[str, str]
    config: Config
    arm: str = ""
    drawn: tuple[str, ...] = ()


# ---------------------------------------------------------------- Hydra, set up


def _run_folder(sweep_dir: str, number: int) -> str:
    return str(read_plan(Path(sweep_dir))[number]["run"])


def _log_file(name: str, _root_: DictConfig) -> str:
    return str(Path(literally(_root_.hydra.runtime, "output_dir"), f"{name}.log"))


def _register() -> None:
    # Hydra refuses new keys in a composed node ("not in struct"), except in nodes that are open before.
    schema = OmegaConf.create({key: {} for key in (*GROUPS, "tasks")})
    for key in schema:
        OmegaConf.set_struct(schema[key], False)
    ConfigStore.instance().store(name=SCHEMA, node=schema)
    # conf/config.yaml uses it for the folder names of a sweep's runs. Worker processes of a launcher need it too.
    OmegaConf.register_new_resolver("mtlrun_run", _run_folder, replace=True)
    OmegaConf.register_new_resolver("mtlrun_log", _log_file, replace=True)
    Plugins.instance().register(outside.OutsideFolders)


_register()  # at import, because a worker process of a launcher only imports this module


def open_loader(config_dir: str | None = None) -> ConfigLoader:
    """Hydra's loader. It searches mtlrun's conf/, those of installed packages, ./conf, and `config_dir`, in this order.

    Raises RequestError if `config_dir` is no folder or `outside.search` refuses a file.
    """
    ours = conf_dir()
    folders = [Path("conf")] if Path("conf").is_dir() else []
    if config_dir is not None:
        if not Path(config_dir).is_dir():
            raise RequestError(f"--config-dir: {config_dir} is no folder\nallowed: a folder with GROUP/OPTION.yaml")
        folders.append(Path(config_dir))
    found = [*conf_dirs(), *(folder.resolve() for folder in folders if folder.resolve() != ours)]
    outside.search(map(str, found))
    GlobalHydra.instance().clear()
    initialize_config_dir(config_dir=str(ours), job_name="run", version_base="1.3")
    return GlobalHydra.instance().config_loader()


# ---------------------------------------------------------------- composing


def compose(arguments: Sequence[str], config_dir: str | None = None, multirun: bool = False) -> Request:
    """Composes a request from overrides. Its configuration is not yet checked key by key.

    It is a sweep if `multirun` is set or an experiment sets hydra.mode to MULTIRUN.
    Raises RequestError if an override or a YAML from outside is wrong.
    """
    loader = open_loader(config_dir)
    stacked = _launched_as_stacks(arguments)
    overrides = [checked_override(line, loader, stacked) for line in arguments]
    require_each_once(overrides)
    lines = [hydra_line(o) for o in overrides]
    # A sweep may remove a key of an option that only some of its runs choose. So each run removes it.
    later = [hydra_line(o) for o in overrides if multirun and o.is_delete() and not o.is_hydra_override()]
    complete = lines if multirun else with_data_option(loader, lines)  # each run of a sweep is completed separately
    cfg, notes = load(loader, [line for line in complete if line not in later], RunMode.MULTIRUN)
    sweep = multirun or cfg.hydra.mode == RunMode.MULTIRUN
    if not sweep:
        _require_no_sweep(overrides)
    notes += point_notes(overrides)
    unused, used = ("hydra.run.dir", "hydra.sweep.dir")[:: 1 if sweep else -1]
    if any(o.key_or_group == unused for o in overrides):
        notes.append(f"{unused} is not used: the folder of a {'sweep' if sweep else 'single run'} is {used}")
    cfg.hydra.mode = RunMode.MULTIRUN if sweep else RunMode.RUN
    options = [*["-m"][: int(multirun)], *(["--config-dir", config_dir] if config_dir is not None else [])]
    return Request(loader, cfg, lines if sweep else complete, sweep, notes, quoted("mtlrun", *options, *arguments))


def _launched_as_stacks(arguments: Sequence[str]) -> bool:
    """Whether the launcher is `stack`. The last override counts; `stack` is the default."""
    launchers = [line.partition("=")[2] for line in arguments if line.lstrip("+").startswith("hydra/launcher=")]
    return (launchers or ["stack"])[-1] == "stack"


def _require_no_sweep(overrides: Sequence[Override]) -> None:
    """Raises RequestError if one of the overrides is a sweep."""
    override = next((o for o in overrides if o.is_sweep_override()), None)
    if override is None:
        return
    key, instead = override.key_or_group, ""
    if override.is_choice_sweep():
        instead = name_with_comma(override) or point_hint(override) or f"; for a list write {key}=[a,b]"
    if override.is_interval_sweep():
        instead = "; of a range, trials=16 draws some"
    raise RequestError(
        f"{key}: found {typed_value(override)}, which is a sweep\nadd -m to train one run for each value{instead}"
    )


def single(request: Request) -> Config:
    """The checked configuration of a request for one run."""
    return checked_config(request.cfg, request.cfg, without=("hydra",))


def _hint(request: Request, job: Job, error: str) -> str:
    """A hint for a wrong run of a sweep: at an arm for each option, or at a decimal point; "" if there is none."""
    overrides = [parse(line) for line in request.overrides]
    points = (point_hint(o) for o in overrides if error.startswith(f"{o.key_or_group}:"))
    return _into_arms(request, job) or next(points, "")


def _into_arms(request: Request, job: Job) -> str:
    """A hint for a key that only some of the swept options of its group have; "" if there is none."""
    for override in map(parse, request.overrides):
        group = override.key_or_group
        if group not in GROUPS or not override.is_choice_sweep():
            continue
        options = [str(option) for option in override.sweep_iterator()]
        for key, value in job.overrides.items():
            name = key.removeprefix(f"{group}.")
            having = [o for o in options if o in GROUPS[group] and name in {f.name for f in fields(GROUPS[group][o])}]
            if name != key and 0 < len(having) < len(options):
                arms = [f"{{{group}: {o}{f', {key}: {value}' if o in having else ''}}}" for o in options]
                word = f"arms=[{','.join(arms)}]"
                return f"; an arm for each: {quoted(word)}"
    return ""


def planned_runs(request: Request) -> list[PlannedRun]:
    """The checked runs of a sweep, in job order. With arms or trials, only the first of equal runs is kept.

    Raises RequestError that names the run if one of them is wrong.
    """
    compositions = Compositions(request.loader, request.cfg)
    plan = jobs(request.cfg, request.overrides, request.loader, compositions.config, request.notes)
    distinct = any(request.cfg.get(key) is not None for key in SWEEP_KEYS)
    kept: dict[str | int, tuple[Job, Config]] = {}
    for number, job in enumerate(plan):
        try:
            config = compositions.config(job.arguments)
        except RequestError as error:
            where = f"{job.arm}: " if job.arm else ""
            where += folder_name(number, len(plan), job.swept, job.label)
            raise RequestError(f"{error} (in {where}){_hint(request, job, str(error))}") from error
        kept.setdefault(config_hash(config) if distinct else number, (job, config))
    left_out = len(plan) - len(kept)
    if left_out:
        request.notes.append(f"{counted(left_out, 'run')} left out: the same settings as another run")
    request.notes.extend(note for note in compositions.notes if note not in request.notes)
    return [
        PlannedRun(
            folder_name(number, len(kept), job.swept, job.label),
            compositions.completed(job.arguments),
            job.overrides,
            config,
            job.label,
            job.drawn,
        )
        for number, (job, config) in enumerate(kept.values())
    ]
