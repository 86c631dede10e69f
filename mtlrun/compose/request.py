"""From the words of the command line to checked configurations, through Hydra's composition.

`compose` answers what Hydra would answer badly (a misspelt key, a value for a group, a sweep without
-m), refuses what a YAML from outside must not set, and has Hydra compose. `single` and `members` turn
the composed request into checked configurations: one, or one for each run of a sweep.
"""

import contextlib
import copy
import dataclasses
import os
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from hydra import initialize_config_dir
from hydra._internal.core_plugins.basic_sweeper import BasicSweeper
from hydra.core.config_loader import ConfigLoader
from hydra.core.config_store import ConfigStore
from hydra.core.global_hydra import GlobalHydra
from hydra.core.hydra_config import HydraConfig
from hydra.core.override_parser.types import Override
from hydra.core.plugins import Plugins
from hydra.errors import HydraException
from hydra.types import RunMode
from omegaconf import DictConfig, OmegaConf, open_dict
from omegaconf.errors import OmegaConfBaseException

from mtlrun.check import check
from mtlrun.compose import outside
from mtlrun.compose.outside import ROOT, check_files
from mtlrun.compose.overrides import checked_override, full_key, hydra_line, is_choice, parse, typed_value
from mtlrun.config import GROUPS, Config, conf_dir
from mtlrun.errors import RequestError, listing, nearest
from mtlrun.results.sweep import folder_name, read_plan

SCHEMA = "mtlrun_schema"  # the first of its defaults


@dataclass(frozen=True)
class Request:
    """A composed request: Hydra's loader, the configuration with Hydra's own node, and the overrides.

    The overrides are as Hydra gets them; `sweep` says whether it is one; `notes` are lines to print once.
    """

    loader: ConfigLoader
    cfg: DictConfig
    overrides: list[str]
    sweep: bool
    notes: list[str]


@dataclass(frozen=True)
class Member:
    """One run of a sweep: its folder's name, its overrides for Hydra and as a mapping, its checked configuration."""

    run: str
    arguments: list[str]
    overrides: dict[str, str]
    config: Config


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
    """Hydra's loader over our conf/, then ./conf where there is one, then `config_dir`."""
    ours = conf_dir()
    folders = [Path("conf")] if Path("conf").is_dir() else []
    if config_dir is not None:
        if not Path(config_dir).is_dir():
            raise RequestError(f"--config-dir: {config_dir} is no folder\nallowed: a folder with GROUP/OPTION.yaml")
        folders.append(Path(config_dir))
    found = [str(folder.resolve()) for folder in folders if folder.resolve() != ours]
    outside.folders[:] = dict.fromkeys(found)
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
    overrides = [checked_override(line, loader) for line in arguments]
    lines = [hydra_line(o) for o in overrides]
    cfg, notes = _load(loader, lines, RunMode.MULTIRUN)
    sweep = multirun or cfg.hydra.mode == RunMode.MULTIRUN
    forgotten = next((o for o in overrides if o.is_sweep_override()), None)
    if forgotten is not None and not sweep:
        as_list = f"; for a list write {forgotten.key_or_group}=[a,b]" if forgotten.is_choice_sweep() else ""
        raise RequestError(f"{forgotten.key_or_group}: found {typed_value(forgotten)}, which is a sweep\n"
                           f"add -m to train one run for each value{as_list}")  # fmt: skip
    cfg.hydra.mode = RunMode.MULTIRUN if sweep else RunMode.RUN
    return Request(loader, cfg, lines, sweep, notes)


def single(request: Request) -> Config:
    """The checked configuration of a request for one run."""
    return checked_config(request.cfg, request.cfg)


def compose_run(arguments: Sequence[str], config_dir: str | None = None) -> tuple[Config, DictConfig, ConfigLoader]:
    """The checked configuration of one run, Hydra's composition behind it, and the loader."""
    request = compose(arguments, config_dir)
    return single(request), request.cfg, request.loader


def members(request: Request) -> list[Member]:
    """The runs of a sweep, in job order, each checked.

    Hydra composes once per combination of group options; values are applied to copies (4 ms in place
    of 50). `launch` has Hydra compose each run once more; a test compares the two.
    """
    params = request.cfg.hydra.sweeper.get("params") or {}
    parsed = [checked_override(f"{key}={value}", request.loader) for key, value in params.items()]
    parsed += [parse(line) for line in request.overrides if not parse(line).is_hydra_override()]
    for override in parsed:
        if override.is_hydra_override():
            raise RequestError(f"hydra.sweeper.params: found {override.key_or_group}\nallowed: keys of mtlrun")
        if override.is_sweep_override() and not override.is_discrete_sweep():
            raise RequestError(f"{override.key_or_group}: found {typed_value(override)}, which has no end\n"
                               "allowed: values with commas between, range(...), choice(...)")  # fmt: skip
    swept = {o.key_or_group for o in parsed if o.is_sweep_override()}
    with _answered():
        jobs = BasicSweeper.split_arguments(parsed, max_batch_size=None)[0]
    if not jobs:
        empty = next(o for o in parsed if o.is_sweep_override() and not list(o.sweep_iterator()))
        raise RequestError(f"{empty.key_or_group}: found {typed_value(empty)}, which holds no value\n"
                           "allowed: one value at least, such as range(3)")  # fmt: skip
    hydra_overrides = list(request.cfg.hydra.overrides.hydra)
    bases: dict[tuple[str, ...], tuple[DictConfig, DictConfig]] = {}  # group options -> ours, Hydra's
    result = []
    for number, arguments in enumerate(jobs):
        overrides = [parse(line) for line in arguments]
        choices = tuple(hydra_line(o) for o in overrides if is_choice(o))
        named = {full_key(o): typed_value(o) for o in overrides}
        run = folder_name(number, len(jobs), {key: value for key, value in named.items() if key in swept})
        try:
            if choices not in bases:
                base, notes = _load(request.loader, [*hydra_overrides, *choices], RunMode.RUN)
                request.notes.extend(note for note in notes if note not in request.notes)
                bases[choices] = _ours(base), OmegaConf.masked_copy(base, "hydra")
            ours, hydra = bases[choices]
            cfg = copy.deepcopy(ours)
            _apply(cfg, [o for o in overrides if not is_choice(o)])
            config = checked_config(cfg, hydra)
        except RequestError as error:
            raise RequestError(f"{error} (in {run})") from error
        result.append(Member(run, list(arguments), named, config))
    return result


def checked_config(cfg: DictConfig, hydra: DictConfig | None = None) -> Config:
    """A composed configuration, resolved and checked, with absolute paths.

    `hydra` is the composition whose hydra node `${hydra:...}` refers to; None: the one of the running job.
    """
    with _answered(), _hydra_config(hydra):
        cwd = HydraConfig.get().runtime.cwd
        tree = {str(key): _resolved(cfg, str(key)) for key in cfg if key != "hydra"}
    return absolute_paths(check(tree), Path(cwd))


def absolute_paths(config: Config, cwd: Path) -> Config:
    """The configuration with `data.path` and `data.split.files` absolute; `package:` and `fetched:` stay."""

    def absolute(path: str) -> str:
        return path if re.match(r"(package|fetched):", path) else os.path.abspath(cwd / Path(path).expanduser())

    data, split = config.data, config.data.split
    if split.files is not None:
        split = dataclasses.replace(split, files={part: absolute(path) for part, path in split.files.items()})
    path = None if data.path is None else absolute(data.path)
    return dataclasses.replace(config, data=dataclasses.replace(data, path=path, split=split))


@contextlib.contextmanager
def _answered() -> Iterator[None]:
    """Turns what Hydra, OmegaConf and YAML raise about a request into a RequestError."""
    try:
        yield
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark
        where = f"{mark.name}, line {mark.line + 1}" if mark else "YAML"
        raise RequestError(f"{where}: {error.problem or 'no YAML'}") from error
    except (HydraException, OmegaConfBaseException, yaml.YAMLError, ValueError, OSError) as error:
        lines = [line.strip() for line in str(error).splitlines()]
        noise = ("To append", "object_type", "reference_type")
        useful = [line for line in lines if line and not line.startswith(noise)]
        raise RequestError(f"this does not compose: {' '.join(useful[:2])[:300]}") from error


@contextlib.contextmanager
def _hydra_config(cfg: Any) -> Iterator[None]:
    """Has `${hydra:...}` refer to `cfg`, or to what it refers to already where that is None."""
    before = HydraConfig.instance().cfg
    if cfg is not None:
        HydraConfig.instance().cfg = cfg
    try:
        yield
    finally:
        HydraConfig.instance().cfg = before


def _load(loader: ConfigLoader, lines: list[str], mode: RunMode) -> tuple[DictConfig, list[str]]:
    """Hydra's composition, after a look at the files from outside that take part in it; and lines to print."""
    with _answered():
        notes = check_files(loader, lines, mode)
        removed = [o for o in map(parse, lines) if o.is_delete() and not o.is_hydra_override()]
        if removed:
            rest = [line for line in lines if not line.startswith("~")]
            _apply(_ours(loader.load_configuration(ROOT, rest, mode, validate_sweep_overrides=False)), removed)
        return loader.load_configuration(ROOT, lines, mode, validate_sweep_overrides=False), notes


def _ours(cfg: DictConfig) -> DictConfig:
    """A copy without Hydra's node, which is most of the tree."""
    return OmegaConf.masked_copy(cfg, [str(key) for key in cfg if key != "hydra"])


def _resolved(cfg: DictConfig, key: str) -> Any:
    value = cfg[key]
    return OmegaConf.to_container(value, resolve=True, throw_on_missing=True) if OmegaConf.is_config(value) else value


def _apply(cfg: DictConfig, overrides: Sequence[Override]) -> None:
    """Sets and removes values in place, as Hydra does."""
    with _answered():
        for override in overrides:
            key = override.key_or_group
            if override.is_delete():
                parent, _, name = key.rpartition(".")
                node = OmegaConf.select(cfg, parent) if parent else cfg
                if not isinstance(node, DictConfig) or node.get(name) is None:
                    known = [str(k) for k in node] if isinstance(node, DictConfig) else []
                    raise RequestError(f"~{key}: there is nothing of that name{nearest(name, known)}\n"
                                       f"{parent or 'keys'}: {listing(known)}")  # fmt: skip
                with open_dict(node):
                    del node[name]
            else:
                OmegaConf.update(cfg, key, override.value(), merge=True)
