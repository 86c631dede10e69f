"""The declarations of a package: an `Extension` with options and task types."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from mtlrun.tasks import Declaration


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
