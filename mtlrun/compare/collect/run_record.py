"""One run as its folder describes it, and all the runs that a comparison reads."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from mtlrun.compare.collect.choice import Choice
from mtlrun.compare.records import Finding

Status = Literal["completed", "failed", "unfinished"]


@dataclass(frozen=True)
class RunRecord:
    """One run. Files and folders are as given on the command line.

    settings: flat, keys as they are typed, without those that are null and those of tasks that are not trained. Keys
        that did not exist yet when it was trained have their defaults. `only` always holds the tasks that are trained.
    roles: of the trained tasks, in order
    primaries, units: of the tasks whose settings name them
    figures, trivial: SPLIT/TASK/METRIC -> value
    stack: an identifier of its stack, and how many runs the stack has
    hardware, git, versions: as in summary.json
    sweep: the folder of its sweep
    arm: the label of its arm in the sweep
    choice: what --confirm trained it for
    """

    folder: Path
    status: Status
    error: str
    seed: int
    split_seed: int
    settings: Mapping[str, Any]
    roles: Mapping[str, str]
    primaries: Mapping[str, str]
    units: Mapping[str, str]
    arm: str | None
    sweep: Path | None
    figures: Mapping[str, float] = field(default_factory=dict)
    trivial: Mapping[str, float] = field(default_factory=dict)
    rows: Mapping[str, int] = field(default_factory=dict)
    seconds: float = 0.0
    steps: int = 0
    memory: int = 0
    parameters: int | None = None
    stack: tuple[str, int] = ("", 1)
    data_hash: str | None = None
    config_hash: str | None = None
    versions: Mapping[str, str] = field(default_factory=dict)
    git: Mapping[str, Any] | None = None
    hardware: Mapping[str, Any] = field(default_factory=dict)
    choice: Choice | None = None

    @property
    def name(self) -> str:
        """The name of its folder, with the sweep's where it is part of one."""
        return f"{self.sweep.name}/{self.folder.name}" if self.sweep is not None else self.folder.name

    @property
    def completed(self) -> bool:
        """Trained to its end; a run that has neither completed nor failed is unfinished."""
        return self.status == "completed"

    @property
    def failed(self) -> bool:
        """Ended with an error."""
        return self.status == "failed"

    @property
    def unfinished(self) -> bool:
        """Was interrupted, is still training, or has not begun."""
        return self.status == "unfinished"

    @property
    def tasks(self) -> tuple[str, ...]:
        """The tasks that it trains."""
        return tuple(self.roles)

    @property
    def single_task(self) -> bool:
        """Trains exactly one task."""
        return len(self.roles) == 1

    @property
    def pretrained(self) -> bool:
        """Begins with a trunk that other tasks (`model.pretrain`) or another run (`model.init_from`) trained."""
        return any(self.settings.get(key) is not None for key in ("model.pretrain", "model.init_from"))

    @property
    def boosting(self) -> bool:
        """Is no net but gradient boosting."""
        return bool(self.settings.get("model") == "boosting")


@dataclass(frozen=True)
class Collection:
    """The runs of the folders that were named, each once, and what was noticed while reading them."""

    folders: tuple[Path, ...]
    runs: tuple[RunRecord, ...]
    findings: tuple[Finding, ...]

    @property
    def sweeps(self) -> tuple[Path, ...]:
        """The sweeps' folders, in order."""
        return tuple(dict.fromkeys(run.sweep for run in self.runs if run.sweep is not None))
