"""What installed packages add: loss strategies, trunks, sharing schemes, task types, data sets.

A package names an `Extension` under the entry-point group `mtlrun`; docs/extending.md says how. `load` puts what all of
them declare into the tables that mtlrun's own options stand in: the schema of the groups (config.py), task types
(mtlrun/tasks), and references to code in `REFERENCES`, from which a `Registry` imports a class when a run asks for it.

Nothing here imports torch or pandas, and no more may a package's module that holds its `Extension`.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, is_dataclass
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from typing import Any

from mtlrun.config.schema import GROUPS, Config, ModelConfig, SharingConfig, conf_dir
from mtlrun.config.schema.loss import LossConfig
from mtlrun.tasks import DECLARED, Declaration, Loss, Metric, known_metrics
from mtlrun.util.errors import RequestError
from mtlrun.util.registry import BROKEN, REFERENCES, Reference, described, unusable
from mtlrun.util.terminal import say

GROUP = "mtlrun"
SUFFIXES = (".csv", ".csv.gz", ".parquet")  # of tables


@dataclass(frozen=True)
class Option:
    """An option of a group: the dataclass of its settings, and "module:Class" of what does the work."""

    settings: type
    made_by: str


@dataclass(frozen=True, kw_only=True)
class TaskTypeOption(Declaration):
    """A task type: "module:Class" of a `mtlrun.tasks.TaskType`, and what it declares, as mtlrun's own types do.

    `accepts` is "module:function". Labels are read from the table.
    """

    made_by: str


@dataclass(frozen=True, kw_only=True)
class Extension:
    """What a package adds, by the names that users type.

    conf: its folder of YAMLs, GROUP/OPTION.yaml; files: its folder of tables, `data.path=package:PACKAGE/FILE` with the
    name of the entry point; losses, models, sharing: options of these groups; problems: "module:function" of generated
    tables, `data.path=synthetic:NAME`.
    """

    conf: Path | None = None
    files: Path | None = None
    losses: Mapping[str, Option] = field(default_factory=dict)
    models: Mapping[str, Option] = field(default_factory=dict)
    sharing: Mapping[str, Option] = field(default_factory=dict)
    task_types: Mapping[str, TaskTypeOption] = field(default_factory=dict)
    problems: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Package:
    """An extension that is in use: the names of its entry point and of its distribution, and the version."""

    name: str
    distribution: str
    version: str
    extension: Extension

    def __str__(self) -> str:
        return f"{self.distribution} {self.version}"


BASES = {"loss": LossConfig, "model": ModelConfig, "sharing": SharingConfig}  # of settings, by group
packages: dict[str, Package] = {}  # in use, by the name of the entry point
_loaded = False


# ---------------------------------------------------------------- finding and joining


def load() -> None:
    """Puts what installed packages add into mtlrun's tables, once in a process.

    A package that cannot be used is left out as a whole, with a line on stderr.
    """
    global _loaded
    if _loaded:
        return
    _loaded = True
    for point in sorted(entry_points(group=GROUP), key=lambda point: point.name):
        try:
            join(_package(point))
        except Exception as error:  # whatever the package's code raises
            label = f"{point.dist.name} {point.dist.version}" if point.dist else point.value
            BROKEN[label] = described(error)
            say(f"mtlrun: {label} is left out, entry point {point.name}: {BROKEN[label]}", error=True)


def join(package: Package) -> None:
    """Adds what a package declares to mtlrun's tables; all of it or, with a ValueError or TypeError, nothing."""
    _check(package)
    own = package.extension
    for group, options in _options(own).items():
        for name, option in options.items():
            GROUPS[group][name] = option.settings
            REFERENCES[group][name] = Reference(option.made_by, package)
    for name, kind in own.task_types.items():
        DECLARED[name] = kind
        REFERENCES["task type"][name] = Reference(kind.made_by, package)
        if isinstance(kind.accepts, str):
            REFERENCES["labels"][name] = Reference(kind.accepts, package)
    for name, made_by in own.problems.items():
        REFERENCES["problem"][name] = Reference(made_by, package)
    packages[package.name] = package


def _package(point: EntryPoint) -> Package:
    extension = point.load()
    if not isinstance(extension, Extension):
        raise TypeError(f"{point.value} is no mtlrun.config.extensions.Extension but {type(extension).__name__}")
    assert point.dist is not None, "found among the installed distributions"
    return Package(point.name, point.dist.name, point.dist.version, extension)


def _options(extension: Extension) -> dict[str, Mapping[str, Option]]:
    return {"loss": extension.losses, "model": extension.models, "sharing": extension.sharing}


def _check(package: Package) -> None:
    """Raises TypeError or ValueError for a declaration that cannot be followed."""
    own = package.extension
    if package.name in packages:
        raise ValueError(f"{packages[package.name]} has an entry point of this name already")
    for key, folder in (("conf", own.conf), ("files", own.files)):
        if folder is not None and not Path(folder).is_dir():
            raise ValueError(f"{key}: there is no folder {folder}")
    if own.conf is not None and (Path(own.conf) / "hydra").exists():
        raise ValueError("conf/hydra: hydra is no group of mtlrun")
    for group, options in _options(own).items():
        for name, option in options.items():
            _check_option(group, name, option, own.conf)
    for name, kind in own.task_types.items():
        _check_task_type(name, kind)
    for name, made_by in own.problems.items():
        _check_name("problem", name, REFERENCES["problem"])  # mtlrun's own need numpy: see data/paths.py
        _check_reference(f"problems[{name!r}]", made_by)


def _check_name(kind: str, name: str, known: Any) -> None:
    if name in known:
        other = REFERENCES[kind].get(name)
        raise ValueError(f"{kind} {name}: {other.package if other else 'mtlrun'} has one of this name already")


def _check_reference(key: str, made_by: object) -> None:
    if not isinstance(made_by, str) or len(parts := made_by.split(":")) != 2 or not all(parts):
        raise TypeError(f"{key}: found {made_by!r}, expected 'module:name'")


def _check_option(group: str, name: str, option: object, conf: Path | None) -> None:
    key, base = f"{group} {name}", BASES[group]
    if not isinstance(option, Option):
        raise TypeError(f"{key}: found {option!r}, expected an Option")
    _check_name(group, name, GROUPS[group])
    _check_reference(key, option.made_by)
    settings = option.settings
    if not (is_dataclass(settings) and isinstance(settings, type) and issubclass(settings, base)):
        raise TypeError(
            f"{key}: {getattr(settings, '__name__', settings)} is no dataclass derived from mtlrun's {base.__name__}"
        )
    default = next(f.default for f in fields(settings) if f.name == "name")
    if default != name:
        raise ValueError(f"{key}: the field name of {settings.__name__} has default {default!r}, expected {name!r}")
    known = {f.name for f in fields(base)}
    own = [f.name for f in fields(settings) if f.metadata.get("per_run") and f.name not in known]
    if group != "loss" and own:
        raise ValueError(f"{key}: {own[0]} is per_run, which only settings of a loss strategy may be")
    if conf is None or not (Path(conf) / group / f"{name}.yaml").is_file():
        raise ValueError(f"{key}: there is no {group}/{name}.yaml in its folder conf")


def _check_task_type(name: str, kind: object) -> None:
    key = f"task type {name}"
    if not isinstance(kind, TaskTypeOption):
        raise TypeError(f"{key}: found {kind!r}, expected a TaskTypeOption")
    _check_name("task type", name, DECLARED)
    for reference in (kind.made_by, *([kind.accepts] if kind.accepts is not None else [])):
        _check_reference(key, reference)
    if kind.primary not in kind.metrics:
        raise ValueError(f"{key}: the primary metric {kind.primary} is none of its metrics")
    for what, records, record in (("losses", kind.losses, Loss), ("metrics", kind.metrics, Metric)):
        if not isinstance(records, Mapping) or not all(isinstance(value, record) for value in records.values()):
            raise TypeError(f"{key}: {what} is {records!r}, expected a mapping of names to {record.__name__}")
    if not kind.losses:
        raise ValueError(f"{key}: losses holds none")
    if kind.accepts is not None and not kind.allowed:
        raise ValueError(f"{key}: accepts is given, and allowed does not say in words which labels it accepts")
    if not kind.from_table:
        raise ValueError(f"{key}: labels is {kind.labels!r}, expected numbers, two classes or classes")
    known = known_metrics()
    for name, metric in kind.metrics.items():
        if metric.better not in ("min", "max") or known.get(name, metric).better != metric.better:
            expected = known[name].better if name in known else "min or max"
            raise ValueError(f"{key}: metric {name} is {metric.better!r}, expected {expected}")


# ---------------------------------------------------------------- what others ask


def conf_dirs() -> list[Path]:
    """The folders of YAMLs of the packages in use, in the order in which they are searched, after mtlrun's own."""
    load()
    return [Path(p.extension.conf).resolve() for p in packages.values() if p.extension.conf is not None]


def yaml_of(group: str, option: str) -> Path | None:
    """The YAML of a group's option, mtlrun's own or a package's; None where neither has one."""
    found = (folder / group / f"{option}.yaml" for folder in (conf_dir(), *conf_dirs()))
    return next((file for file in found if file.is_file()), None)


def tables() -> dict[str, Path]:
    """The tables that packages ship, PACKAGE/FILE -> where it lies."""
    load()
    folders = {name: Path(p.extension.files) for name, p in packages.items() if p.extension.files is not None}
    return {
        f"{name}/{file.name}": file
        for name, folder in folders.items()
        for file in sorted(folder.iterdir())
        if file.name.endswith(SUFFIXES)
    }


def versions() -> dict[str, str]:
    """Distribution -> version of every package in use."""
    load()
    return {p.distribution: p.version for p in packages.values()}


def used_by(config: Config) -> dict[str, str]:
    """What of a run's settings comes from packages: the setting -> distribution and version."""
    groups = {"loss": config.loss.name, "model": config.model.name, "sharing": config.sharing.name}
    found = {f"{group}={name}": (group, name) for group, name in groups.items()}
    found |= {f"tasks.{t}.type={c.type}": ("task type", str(c.type)) for t, c in config.tasks.items()}
    scheme, _, rest = (config.data.path or "").partition(":")
    if scheme == "synthetic":
        found[f"data.path={config.data.path}"] = ("problem", rest)
    used = {key: str(REFERENCES[kind][name].package) for key, (kind, name) in found.items() if name in REFERENCES[kind]}
    name, slash, _ = rest.partition("/")
    if scheme == "package" and slash and name in packages:
        used[f"data.path={config.data.path}"] = str(packages[name])
    return used


def require(used: Mapping[str, str] | None) -> None:
    """Raises RequestError unless everything that `used_by` said of a run is there; None: an older run, which used none.

    Another version of the same package is taken as it is.
    """
    load()
    there = {package.distribution for package in packages.values()}
    if not isinstance(used or {}, Mapping):
        raise RequestError(f"packages: found {used!r}, no mapping of settings to packages")
    for setting, package in (used or {}).items():
        distribution, _, version = str(package).partition(" ")
        if distribution not in there:
            # the folder may be a stranger's: nothing that a shell would take for more than a name
            named = re.fullmatch(r"[\w.-]+", distribution, re.ASCII) and re.fullmatch(r"[\w.+!-]+", version, re.ASCII)
            mend = f"install it: pip install {distribution}=={version}" if named else "install that package"
            raise RequestError(
                f"{setting}: no such option here, the run was made with package {package}{unusable()}\n{mend}"
            )
