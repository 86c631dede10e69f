"""From the words of the command line to checked configurations, through Hydra's composition.

`compose` answers what Hydra would answer badly (a misspelt key, a value for a group, a sweep without
-m), refuses what a YAML from outside must not set, and has Hydra compose. `single` and `planned_runs` turn
the composed request into checked configurations: one, or one for each run of a sweep.
"""

import shlex
from collections.abc import Sequence
from dataclasses import dataclass
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
from mtlrun.compose.composition import Compositions, checked_config, load
from mtlrun.compose.override_checks import checked_override
from mtlrun.compose.overrides import SWEEP_KEYS, hydra_line, typed_value
from mtlrun.compose.sweep_jobs import Job, jobs
from mtlrun.config.extensions import conf_dirs
from mtlrun.config.schema import GROUPS, Config, conf_dir, config_hash
from mtlrun.results.sweep_folder import folder_name, read_plan
from mtlrun.util.errors import RequestError

SCHEMA = "mtlrun_schema"  # the first of its defaults


@dataclass(frozen=True)
class Request:
    """A composed request: Hydra's loader, the configuration with Hydra's own node, and the overrides.

    The overrides are as Hydra gets them; `sweep` says whether it is one; `notes` are lines to print once; `command`
    is the command line, quoted for a shell.
    """

    loader: ConfigLoader
    cfg: DictConfig
    overrides: list[str]
    sweep: bool
    notes: list[str]
    command: str


@dataclass(frozen=True)
class PlannedRun:
    """One run of a sweep: its folder's name, its overrides for Hydra and as a mapping, its checked configuration, and
    what its arm is called ("" where that has no label); the keys whose values are those of a trial."""

    run: str
    arguments: list[str]
    overrides: dict[str, str]
    config: Config
    arm: str = ""
    drawn: tuple[str, ...] = ()


# ---------------------------------------------------------------- Hydra, set up


def _run_folder(sweep_dir: str, number: int) -> str:
    return str(read_plan(Path(sweep_dir))[number]["run"])


def _register() -> None:
    # Hydra closes what it composed ("not in struct"); nodes that are open already stay so.
    schema = OmegaConf.create({key: {} for key in (*GROUPS, "tasks")})
    for key in schema:
        OmegaConf.set_struct(schema[key], False)
    ConfigStore.instance().store(name=SCHEMA, node=schema)
    # The names of a sweep's run folders, in every launcher and in its worker processes.
    OmegaConf.register_new_resolver("mtlrun_run", _run_folder, replace=True)
    Plugins.instance().register(outside.OutsideFolders)


_register()  # at import, as a launcher's worker process imports this module and nothing else


def open_loader(config_dir: str | None = None) -> ConfigLoader:
    """Hydra's loader over our conf/, then those of installed packages, ./conf where there is one, and `config_dir`."""
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
    """The configuration that the overrides ask for, composed by Hydra, not yet checked key by key.

    It is a sweep if `multirun` is set or an experiment sets hydra.mode to MULTIRUN.
    Raises RequestError for whatever is wrong with the overrides or with a YAML from outside.
    """
    loader = open_loader(config_dir)
    stacked = _launched_as_stacks(arguments)
    overrides = [checked_override(line, loader, stacked) for line in arguments]
    lines = [hydra_line(o) for o in overrides]
    # what a sweep removes may belong to an option that only some runs choose: each run sees to it
    later = [hydra_line(o) for o in overrides if multirun and o.is_delete() and not o.is_hydra_override()]
    cfg, notes = load(loader, [line for line in lines if line not in later], RunMode.MULTIRUN)
    sweep = multirun or cfg.hydra.mode == RunMode.MULTIRUN
    if not sweep:
        _require_no_sweep(overrides)
    unused, used = ("hydra.run.dir", "hydra.sweep.dir")[:: 1 if sweep else -1]
    if any(o.key_or_group == unused for o in overrides):
        notes.append(f"{unused} is not used: the folder of a {'sweep' if sweep else 'single run'} is {used}")
    cfg.hydra.mode = RunMode.MULTIRUN if sweep else RunMode.RUN
    options = [*["-m"][: int(multirun)], *(["--config-dir", config_dir] if config_dir is not None else [])]
    return Request(loader, cfg, lines, sweep, notes, shlex.join(["mtlrun", *options, *arguments]))


def _launched_as_stacks(arguments: Sequence[str]) -> bool:
    """Whether the launcher is that of stacks: the default one, or the one named last."""
    launchers = [line.partition("=")[2] for line in arguments if line.lstrip("+").startswith("hydra/launcher=")]
    return (launchers or ["stack"])[-1] == "stack"


def _require_no_sweep(overrides: Sequence[Override]) -> None:
    """Raises RequestError where one of the overrides is a sweep."""
    override = next((o for o in overrides if o.is_sweep_override()), None)
    if override is None:
        return
    key, instead = override.key_or_group, ""
    if override.is_choice_sweep():
        instead = f"; for a list write {key}=[a,b]"
    if override.is_interval_sweep():
        instead = "; of a range, trials=16 draws some"
    raise RequestError(
        f"{key}: found {typed_value(override)}, which is a sweep\nadd -m to train one run for each value{instead}"
    )


def single(request: Request) -> Config:
    """The checked configuration of a request for one run."""
    return checked_config(request.cfg, request.cfg, without=("hydra",))


def compose_run(arguments: Sequence[str], config_dir: str | None = None) -> tuple[Config, DictConfig, ConfigLoader]:
    """The checked configuration of one run, Hydra's composition behind it, and the loader."""
    request = compose(arguments, config_dir)
    return single(request), request.cfg, request.loader


def planned_runs(request: Request) -> list[PlannedRun]:
    """The runs of a sweep, in job order, each checked; of equal ones in a union or among trials, the first.

    Raises RequestError, which names the run, if one of them is wrong.
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
            raise RequestError(f"{error} (in {where}{folder_name(number, len(plan), job.swept, job.label)})") from error
        kept.setdefault(config_hash(config) if distinct else number, (job, config))
    left_out = len(plan) - len(kept)
    if left_out:
        request.notes.append(f"{left_out} run{'s'[: left_out > 1]} left out: the same settings as another run")
    request.notes.extend(note for note in compositions.notes if note not in request.notes)
    return [
        PlannedRun(
            folder_name(number, len(kept), job.swept, job.label),
            job.arguments,
            job.overrides,
            config,
            job.label,
            job.drawn,
        )
        for number, (job, config) in enumerate(kept.values())
    ]
