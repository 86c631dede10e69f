"""The record of a run, and the collection of all runs of a comparison."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

from mtlrun.compare.collect.choice import Choice
from mtlrun.compare.records import Finding
from mtlrun.storage.training_end import TrainingEnd

Status = Literal["completed", "failed", "unfinished"]


@dataclass(frozen=True)
class RunRecord:
    """One run. Paths are as given on the command line.

    settings: full key -> value, without null values and without tasks that are not trained. Keys that did not exist
        when the run was trained have their defaults. `only` always lists the trained tasks.
    roles: trained task -> role, in order
    primaries, units: for the tasks whose settings name them
    figures, trivial: SPLIT/TASK/METRIC -> value
    stack: an identifier of its stack, and the number of runs in the stack
    hardware, git, versions: as in summary.json
    sweep: the folder of its sweep
    arm: the label of its arm in the sweep
    choice: the choice that --confirm trained it for
    length: as in summary.json; None in runs of older versions
    end: how its training ended
    restarts: if its figures are means over runs that differ only in `model.restart`, these runs, itself first
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
    length: Mapping[str, Any] | None = None
    end: TrainingEnd = field(default_factory=TrainingEnd)
    restarts: tuple["RunRecord", ...] = ()

    @property
    def draws(self) -> tuple["RunRecord", ...]:
        """The runs that its figures come from: itself, or several restarts."""
        return self.restarts or (self,)

    @property
    def name(self) -> str:
        """The name of its folder, after the name of its sweep if there is one."""
        return f"{self.sweep.name}/{self.folder.name}" if self.sweep is not None else self.folder.name

    @property
    def completed(self) -> bool:
        """Whether it was trained to its end."""
        return self.status == "completed"

    @property
    def failed(self) -> bool:
        """Whether it ended with an error."""
        return self.status == "failed"

    @property
    def unfinished(self) -> bool:
        """Whether it was interrupted, is still training, or has not begun."""
        return self.status == "unfinished"

    @property
    def tasks(self) -> tuple[str, ...]:
        """The trained tasks."""
        return tuple(self.roles)

    @property
    def single_task(self) -> bool:
        """Whether it trains exactly one task."""
        return len(self.roles) == 1

    @property
    def pretrained(self) -> bool:
        """Whether its trunk was trained before, on other tasks (`model.pretrain`) or by a run (`model.init_from`)."""
        return any(self.settings.get(key) is not None for key in ("model.pretrain", "model.init_from"))

    @property
    def untested(self) -> bool:
        """Whether none of its rows are test rows, so that it has no figures to compare."""
        split = {key: self.settings.get(f"data.split.{key}") for key in ("val", "test", "column", "files")}
        return split["test"] == 0 and (split["val"] == 0 or split["column"] is split["files"] is None)

    @property
    def boosting(self) -> bool:
        """Whether it is gradient boosting instead of a net."""
        return bool(self.settings.get("model") == "boosting")


def mean_of(restarts: Sequence[RunRecord]) -> RunRecord:
    """The first of some runs with the means of their figures, as far as all of them have a figure."""
    first = restarts[0]
    if len(restarts) == 1:
        return first
    common = [name for name in first.figures if all(name in run.figures for run in restarts)]
    figures = {name: math.fsum(run.figures[name] for run in restarts) / len(restarts) for name in common}
    return replace(first, figures=figures, restarts=tuple(restarts))


@dataclass(frozen=True)
class Collection:
    """The runs of the named folders, each once, and the findings from reading them.

    remarks: what a search has brought, if the only folder is its confirmation
    """

    folders: tuple[Path, ...]
    runs: tuple[RunRecord, ...]
    findings: tuple[Finding, ...]
    remarks: tuple[str, ...] = ()
