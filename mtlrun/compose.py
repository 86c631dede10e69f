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
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from hydra import initialize_config_dir
from hydra._internal.core_plugins.basic_sweeper import BasicSweeper
from hydra.core.config_loader import ConfigLoader
from hydra.core.config_search_path import ConfigSearchPath
from hydra.core.config_store import ConfigStore
from hydra.core.global_hydra import GlobalHydra
from hydra.core.hydra_config import HydraConfig
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override
from hydra.core.plugins import Plugins
from hydra.errors import HydraException
from hydra.plugins.config_source import ConfigSource
from hydra.plugins.search_path_plugin import SearchPathPlugin
from hydra.types import RunMode
from omegaconf import DictConfig, OmegaConf, open_dict
from omegaconf.errors import OmegaConfBaseException

from mtlrun.config import GROUPS, TOP_LEVEL, Config, check, conf_dir
from mtlrun.errors import RequestError, listing, nearest
from mtlrun.results.sweep import folder_name, read_plan

ROOT = "config"  # conf/config.yaml
SCHEMA = "mtlrun_schema"  # the first of its defaults
OUTSIDE = "outside"  # Hydra's name ("provider") for folders other than ours
OPTION_GROUPS = (*GROUPS, "experiment")

# What is probably meant by a value where a group's option belongs: lr=0.01.
MEANT = {
    "data": "data=table data.path={value}",
    "model": "model.hidden={value}",
    "graph": "graph.gradient={value}",
    "loss": "loss=fixed loss.weights.TASK={value}",
    "lr": "lr.base={value}",
    "optimizer": "lr.base={value}",
    "trainer": "trainer.epochs={value}",
}


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


_outside_folders: list[str] = []  # where `OutsideFolders` finds them: Hydra makes its plugins without arguments


class OutsideFolders(SearchPathPlugin):
    """Appends ./conf and the folder of --config-dir to Hydra's search path, after ours."""

    def manipulate_search_path(self, search_path: ConfigSearchPath) -> None:
        for folder in _outside_folders:
            search_path.append(provider=OUTSIDE, path=f"file://{folder}")


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
    Plugins.instance().register(OutsideFolders)


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
    _outside_folders[:] = dict.fromkeys(found)
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
    overrides = [_checked(line, loader) for line in arguments]
    lines = [_line(o) for o in overrides]
    cfg, notes = _load(loader, lines, RunMode.MULTIRUN)
    sweep = multirun or cfg.hydra.mode == RunMode.MULTIRUN
    forgotten = next((o for o in overrides if o.is_sweep_override()), None)
    if forgotten is not None and not sweep:
        as_list = f"; for a list write {forgotten.key_or_group}=[a,b]" if forgotten.is_choice_sweep() else ""
        raise RequestError(f"{forgotten.key_or_group}: found {_value(forgotten)}, which is a sweep\n"
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
    parsed = [_checked(f"{key}={value}", request.loader) for key, value in params.items()]
    parsed += [_parse(line) for line in request.overrides if not _parse(line).is_hydra_override()]
    for override in parsed:
        if override.is_hydra_override():
            raise RequestError(f"hydra.sweeper.params: found {override.key_or_group}\nallowed: keys of mtlrun")
        if override.is_sweep_override() and not override.is_discrete_sweep():
            raise RequestError(f"{override.key_or_group}: found {_value(override)}, which has no end\n"
                               "allowed: values with commas between, range(...), choice(...)")  # fmt: skip
    swept = {o.key_or_group for o in parsed if o.is_sweep_override()}
    with _answered():
        jobs = BasicSweeper.split_arguments(parsed, max_batch_size=None)[0]
    hydra_overrides = list(request.cfg.hydra.overrides.hydra)
    bases: dict[tuple[str, ...], tuple[DictConfig, DictConfig]] = {}  # group options -> ours, Hydra's
    result = []
    for number, arguments in enumerate(jobs):
        overrides = [_parse(line) for line in arguments]
        choices = tuple(_line(o) for o in overrides if _is_choice(o))
        named = {_key(o): _value(o) for o in overrides}
        run = folder_name(number, len(jobs), {key: value for key, value in named.items() if key in swept})
        try:
            if choices not in bases:
                base, notes = _load(request.loader, [*hydra_overrides, *choices], RunMode.RUN)
                request.notes.extend(note for note in notes if note not in request.notes)
                bases[choices] = _ours(base), OmegaConf.masked_copy(base, "hydra")
            ours, hydra = bases[choices]
            cfg = copy.deepcopy(ours)
            _apply(cfg, [o for o in overrides if not _is_choice(o)])
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
        notes = _check_files(loader, lines, mode)
        removed = [o for o in map(_parse, lines) if o.is_delete() and not o.is_hydra_override()]
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


# ---------------------------------------------------------------- overrides


def _parse(line: str) -> Override:
    return OverridesParser.create().parse_override(line)


def _key(override: Override) -> str:
    """The full key without `+`; what is removed keeps its `~`."""
    return f"~{override.key_or_group}" if override.is_delete() else override.key_or_group


def _value(override: Override) -> str:
    """The value as it was typed, without quotes around it."""
    value = None if override.is_sweep_override() else override.value()
    return value if isinstance(value, str) else (override.input_line or "").partition("=")[2]


def _line(override: Override) -> str:
    # Our groups are open and merge, so that `+` and `++` change nothing - except that Hydra refuses
    # `+` for a key that is there already.
    line = override.input_line or ""
    return line if override.is_hydra_override() else line.lstrip("+")


def _is_choice(override: Override) -> bool:
    """Whether it chooses a group's option (rather than setting values)."""
    return override.key_or_group in OPTION_GROUPS and not override.is_delete() and isinstance(override.value(), str)


def _checked(line: str, loader: ConfigLoader) -> Override:
    """The override, parsed; RequestError if it cannot mean anything."""
    try:
        override = OverridesParser.create(loader).parse_override(line)
    except HydraException as error:
        reason = next(iter(str(error).splitlines()), "").removeprefix("Error parsing override ")
        if "=" not in line and not line.startswith("~"):
            raise RequestError(f"{line}: no override\nallowed: KEY=VALUE; a sub-command is the first word") from error
        raise RequestError(f"{line}: {reason[:160]}\na value with spaces or special signs needs quotes of its own: "
                           "'tasks.a.where=\"b == 1\"'") from error  # fmt: skip
    key = override.key_or_group
    if override.package is not None or "@" in line.partition("=")[0]:
        raise RequestError(f"{line}: @ is not allowed in a key\nallowed: GROUP=OPTION or KEY=VALUE")
    if override.is_hydra_override():
        _check_hydra_override(override, loader)
    elif key in OPTION_GROUPS:
        _check_choice(override, loader)
    else:
        _check_key(override)
    return override if override.is_hydra_override() else _parse(line.lstrip("+"))


def _check_key(override: Override) -> None:
    key = override.key_or_group
    top = key.partition(".")[0]
    known = [*OPTION_GROUPS, *TOP_LEVEL]
    if top in known and top != "experiment":
        return
    if top == "experiment" or "/" in key:
        raise RequestError(f"{key}: no such key\nallowed: GROUP=OPTION with GROUP one of {listing(OPTION_GROUPS)}")
    # Whoever types epochs=3 means trainer.epochs.
    paths = {f.name: f"{group}.{f.name}" for group, options in GROUPS.items() for cls in options.values()
             for f in dataclasses.fields(cls) if f.name != "name"}  # fmt: skip
    if key in paths:
        hint = f"; did you mean {paths[key]}?"
    else:
        rest = key[len(top) :]
        hint = nearest(top, known) or nearest(top, paths)
        close = re.search(r"did you mean (\w+)", hint)
        if close:
            hint = f"; did you mean {paths.get(close[1], close[1])}{rest}?"
    raise RequestError(f"{key}: no such key{hint}\nallowed: {listing([*known, 'hydra'], 20)}")


def _check_choice(override: Override, loader: ConfigLoader) -> None:
    group = override.key_or_group
    options = loader.get_group_options(group)
    if override.is_delete():
        raise RequestError(f"~{group}: a group cannot be left out\nallowed: {group}={listing(options)}")
    if override.is_sweep_override() and not override.is_discrete_sweep():
        raise RequestError(f"{group}: found {_value(override)}\nallowed: {listing(options)}")
    values = list(override.sweep_iterator()) if override.is_sweep_override() else [override.value()]
    for value in values:
        if isinstance(value, dict) or (isinstance(value, str) and str(value) in options):
            continue
        typed = _value(override)
        shown = value if isinstance(value, str) else typed
        if isinstance(value, list) and group != "model":
            hint = f"\nto sweep over options: mtlrun -m {group}={typed.strip('[]')}"
        elif group in MEANT and _is_setting(group, value):
            hint = f"; did you mean {MEANT[group].format(value=typed)}?\noptions of {group}: {listing(options)}"
        else:
            hint = f"{nearest(str(shown), options)}\noptions of {group}: {listing(options)}"
        raise RequestError(f"{group}: found {shown}, which is no option of this group{hint}")


def _is_setting(group: str, value: Any) -> bool:
    """Whether a value that is no option looks like a setting of that group."""
    if group == "data":
        return isinstance(value, str) and bool(re.search(r"\.(csv|csv\.gz|parquet|gz)$", value))
    if group == "graph":
        return isinstance(value, (int, float)) or value in ("stop", "pass", "reverse")
    return isinstance(value, (int, float, list)) and not isinstance(value, bool)


def _check_hydra_override(override: Override, loader: ConfigLoader) -> None:
    """What is typed about Hydra is the user's own affair, except where mtlrun would not follow it."""
    key = override.key_or_group
    if override.is_sweep_override():
        raise RequestError(f"{key}: found {_value(override)}\nHydra's own settings cannot be swept over")
    if key == "hydra/sweeper" and override.value() != "basic":
        raise RequestError(f"hydra/sweeper: found {_value(override)}\nallowed: basic")
    if key == "hydra/launcher":
        options = loader.get_group_options("hydra/launcher")
        if override.value() not in options:
            raise RequestError(f"hydra/launcher: found {_value(override)}{nearest(_value(override), options)}\n"
                               f"installed: {listing(options)}; others: pip install hydra-NAME-launcher")  # fmt: skip
    if key == "hydra.sweep.subdir":
        raise RequestError("hydra.sweep.subdir: run folders are named by mtlrun\nallowed: hydra.sweep.dir=DIR")
    if key.startswith("hydra.searchpath"):
        raise RequestError("hydra.searchpath: not used by mtlrun\nallowed: --config-dir DIR")


# ---------------------------------------------------------------- YAML files from outside


def _check_files(loader: ConfigLoader, lines: list[str], mode: RunMode) -> list[str]:
    """Looks at every file that takes part in the composition before Hydra acts on any.

    Raises RequestError if one from outside sets what it may not: keys of Hydra's execute code. Returns
    a line for each file from outside that is not used, as one of ours has its name.
    """
    if not _outside_folders:
        return []
    notes = []
    for default in loader.compute_defaults_list(ROOT, lines, mode).defaults:
        path = default.config_path
        found = [source for source in loader.get_sources() if path is not None and source.is_config(path)]
        if found and found[0].provider == OUTSIDE:
            content = OmegaConf.to_container(found[0].load_config(path).config, resolve=False)
            _check_file(_shown(found[0], path), path, default.package or "", content)
        elif any(source.provider == OUTSIDE for source in found):
            other = next(source for source in found if source.provider == OUTSIDE)
            notes.append(f"{_shown(other, path)} is not used: mtlrun has an option of that name; give yours another")
    return notes


def _shown(source: ConfigSource, path: str) -> str:
    return os.path.relpath(Path(source.path.removeprefix("file://"), f"{path}.yaml"))


def _check_file(file: str, path: str, package: str, content: Any) -> None:
    group = path.partition("/")[0]
    if "/" not in path or group not in OPTION_GROUPS:
        raise RequestError(f"{file}: refused, as {group} is no group of mtlrun\nallowed: {listing(OPTION_GROUPS)}")
    if not isinstance(content, Mapping):
        raise RequestError(f"{file}: holds no mapping\nallowed: KEY: VALUE lines")
    if package not in ("", "_global_", group) or (group == "experiment" and package == group):
        need = "the first line must be # @package _global_" if group == "experiment" else f"allowed: _global_, {group}"
        raise RequestError(f"{file}: its settings would go to {package}\n{need}")
    _check_interpolations(file, "", content)
    _check_defaults(file, group, content.get("defaults") or [])
    if package == group:
        return
    allowed = [*GROUPS, *TOP_LEVEL, "hydra"] if group == "experiment" else [group, "tasks"]
    for key in content:
        if key not in (*allowed, "defaults"):
            why = "a YAML from outside may set its own group and tasks" if group != "experiment" else "no such key"
            raise RequestError(f"{file}: {key}: {why}{nearest(str(key), allowed)}\nallowed: {listing(allowed, 20)}")
    if "hydra" in content:
        _check_hydra_node(file, content["hydra"])


def _check_hydra_node(file: str, node: Any) -> None:
    if not isinstance(node, Mapping):
        raise RequestError(f"{file}: hydra: found {node!r}\nallowed: hydra.mode and hydra.sweeper.params")
    for key, value in node.items():
        inner = value if key == "sweeper" and isinstance(value, Mapping) else None
        wrong = [k for k in inner if k != "params"] if inner is not None else []
        if (key != "mode" and inner is None) or wrong:
            full = ".".join(["hydra", str(key), *map(str, wrong[:1])])
            raise RequestError(f"{file}: {full} is refused: a YAML from outside may not change how Hydra runs\n"
                               "allowed: hydra.mode, hydra.sweeper.params; anything on the command line")  # fmt: skip
    params = node.get("sweeper", {}).get("params") if "sweeper" in node else None
    if params is not None and not isinstance(params, Mapping):
        raise RequestError(f"{file}: hydra.sweeper.params: found {params!r}\nallowed: {{KEY: 'a,b'}}")
    for key in params or {}:
        if re.match(r"\W*hydra\b", str(key)):
            raise RequestError(f"{file}: hydra.sweeper.params: {key} is refused\nallowed: keys of mtlrun")


def _check_defaults(file: str, group: str, defaults: Any) -> None:
    """Files of the same group by name; in an experiment also `override /GROUP: OPTION` of ours."""
    for entry in defaults if isinstance(defaults, list) else [defaults]:
        if isinstance(entry, str) and re.fullmatch(r"[\w.-]+", entry):
            continue
        match = None
        if isinstance(entry, Mapping) and len(entry) == 1:
            key, option = next(iter(entry.items()))
            match = re.fullmatch(r"override /(\w+)", str(key)) if isinstance(option, str) else None
        if group != "experiment" or match is None or match[1] not in GROUPS:
            also = " and 'override /GROUP: OPTION' of mtlrun's groups" if group == "experiment" else ""
            text = entry if isinstance(entry, str) else str(entry).strip("{}").replace("'", "")
            raise RequestError(f"{file}: defaults: {text} is refused\nallowed: _self_, names of files beside it{also}")


def _check_interpolations(file: str, key: str, value: Any) -> None:
    """Refuses resolvers such as ${oc.env:X}; references such as ${seed} are fine."""
    if isinstance(value, Mapping):
        for name, inner in value.items():
            _check_interpolations(file, f"{key}.{name}".lstrip("."), inner)
    elif isinstance(value, list):
        for number, inner in enumerate(value):
            _check_interpolations(file, f"{key}[{number}]", inner)
    elif isinstance(value, str):
        rest, before = value, ""
        while rest != before:  # from the inside out: ${a.${b}}
            before, rest = rest, re.sub(r"\$\{[\w.\[\]-]*\}", "", rest)
        if "${" in rest:
            raise RequestError(f"{file}: {key}: found {value}\nallowed: references to keys, such as ${{seed}}")
