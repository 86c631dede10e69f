"""What a package declares: an `Extension`, with its options and task types."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from mtlrun.tasks import Declaration


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

    conf: its folder of YAMLs, GROUP/OPTION.yaml
    files: its folder of tables, `data.path=package:PACKAGE/FILE` with the name of the entry point
    losses, models, sharing: options of these groups
    problems: "module:function" of generated tables, `data.path=synthetic:NAME`
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
    """An extension that is in use: the names of its entry point and of its distribution, and the version."""

    name: str
    distribution: str
    version: str
    extension: Extension

    def __str__(self) -> str:
        return f"{self.distribution} {self.version}"
