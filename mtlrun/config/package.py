"""The declarations of a package: an `Extension` with options and task types. They are checked before any is used."""

from collections.abc import Mapping
from dataclasses import dataclass, field, fields, is_dataclass
from pathlib import Path
from typing import Any

from mtlrun.config.schema import GROUPS, BareModelConfig, LossConfig, SharingConfig
from mtlrun.tasks import DECLARED, Declaration, Loss, Metric, known_metrics
from mtlrun.util.registry import REFERENCES

BASES = {"loss": LossConfig, "model": BareModelConfig, "sharing": SharingConfig}  # base class of the settings, by group


@dataclass(frozen=True)
class Option:
    """An option of a group: the dataclass of its settings, and the reference "module:Class" to its implementation."""

    settings: type
    made_by: str


@dataclass(frozen=True, kw_only=True)
class TaskTypeOption(Declaration):
    """A task type: its declaration, and `made_by`, the reference "module:Class" to a `mtlrun.tasks.TaskType`.

    `accepts` is a reference "module:function". Labels come from the table, or there are none.
    """

    made_by: str


@dataclass(frozen=True, kw_only=True)
class Extension:
    """All that a package adds. The keys of the mappings are the names that users type.

    conf: the folder of YAMLs, GROUP/OPTION.yaml
    files: the folder of tables, for `data.path=package:PACKAGE/FILE`; PACKAGE is the name of the entry point
    losses, models, sharing: options of these groups
    task_types: task types
    problems: references "module:function" to generated tables, for `data.path=synthetic:NAME`
    """

    conf: Path | None = None
    files: Path | None = None
    losses: Mapping[str, Option] = field(default_factory=dict)
    models: Mapping[str, Option] = field(default_factory=dict)
    sharing: Mapping[str, Option] = field(default_factory=dict)
    task_types: Mapping[str, TaskTypeOption] = field(default_factory=dict)
    problems: Mapping[str, str] = field(default_factory=dict)

    @property
    def options(self) -> dict[str, Mapping[str, Option]]:
        """The options by group."""
        return {"loss": self.losses, "model": self.models, "sharing": self.sharing}


@dataclass(frozen=True)
class Package:
    """An extension in use: the name of its entry point, its distribution and version."""

    name: str
    distribution: str
    version: str
    extension: Extension

    def __str__(self) -> str:
        return f"{self.distribution} {self.version}"


def check_extension(extension: Extension) -> None:
    """Raises TypeError or ValueError for an invalid declaration."""
    for key, folder in (("conf", extension.conf), ("files", extension.files)):
        if folder is not None and not Path(folder).is_dir():
            raise ValueError(f"{key}: there is no folder {folder}")
    if extension.conf is not None and (Path(extension.conf) / "hydra").exists():
        raise ValueError("conf/hydra: hydra is no group of mtlrun")
    for group, options in extension.options.items():
        for name, option in options.items():
            _check_option(group, name, option, extension.conf)
    for name, kind in extension.task_types.items():
        _check_task_type(name, kind)
    for name, made_by in extension.problems.items():
        _check_name("problem", name, REFERENCES["problem"])
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
    _check_per_run(key, group, settings)
    if conf is None or not (Path(conf) / group / f"{name}.yaml").is_file():
        raise ValueError(f"{key}: there is no {group}/{name}.yaml in its folder conf")


def _check_per_run(key: str, group: str, settings: type) -> None:
    """Raises ValueError for a `per_run` field that mtlrun's settings do not have, where all runs must have the same."""
    if group == "loss" or (issubclass(settings, BareModelConfig) and settings.over_runs):
        return
    ours = [known for known in settings.__mro__ if known.__module__.startswith("mtlrun.") and is_dataclass(known)]
    inherited = {f.name for known in ours for f in fields(known)}
    own = [f.name for f in fields(settings) if f.metadata.get("per_run") and f.name not in inherited]
    if own:
        raise ValueError(
            f"{key}: {own[0]} is per_run, which only settings of a loss strategy or of a trunk over runs may be"
        )


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
    if not (kind.from_table or kind.unlabelled):
        raise ValueError(f"{key}: labels is {kind.labels!r}, expected numbers, two classes, classes or none")
    known = known_metrics()
    for name, metric in kind.metrics.items():
        if metric.better not in ("min", "max") or known.get(name, metric).better != metric.better:
            expected = known[name].better if name in known else "min or max"
            raise ValueError(f"{key}: metric {name} is {metric.better!r}, expected {expected}")
