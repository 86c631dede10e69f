"""Reads the record of a run from its summary.json, or from its entry in the plan of the sweep.

Unusable parts are left out and named.
"""

import contextlib
import dataclasses
import functools
import math
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, get_args, get_type_hints

from mtlrun.compare.collect.choice import Choice
from mtlrun.compare.collect.damage import Problems
from mtlrun.compare.collect.run_record import RunRecord, Status
from mtlrun.config.extensions import require
from mtlrun.config.length import Length
from mtlrun.config.schema import DEFAULT_OPTION, GROUPS, TaskConfig
from mtlrun.storage.names import METRICS, PLAN, SUMMARY
from mtlrun.storage.summary import EMPTY, METRICS_HEADER, NewerSchema, flatten, read
from mtlrun.storage.training_end import training_end
from mtlrun.tasks import known_metrics, names, stated_primary
from mtlrun.util.errors import RequestError, listing

TAIL, LINE = 300, 120  # bytes: more than the last line of metrics.csv has, and more than a line about a test figure
LARGEST = 1e100  # larger numbers do not count as figures, because their squares overflow
NOTHING = type(None)
# key of a summary -> allowed types; a value of another type counts as absent and is named
TYPES: dict[str, type | tuple[type, ...]] = {
    "status": str,
    "error": (str, NOTHING),
    "settings": dict,
    "figures": dict,
    "trivial": dict,
    "rows": dict,
    "seconds": (int, float),
    "steps": int,
    "memory": int,
    "parameters": (int, NOTHING),
    "length": (dict, NOTHING),
    "stack": dict,
    "data_hash": (str, NOTHING),
    "config_hash": (str, NOTHING),
    "versions": dict,
    "git": (dict, NOTHING),
    "hardware": dict,
    "packages": dict,
}
NUMBERS: dict[str, Callable[[Any], float]] = {"figures": float, "trivial": float, "rows": int}  # mappings to numbers


@dataclass(frozen=True)
class PlanEntry:
    """The entry of a run in the plan of a sweep, and the choice for which --confirm trains it.

    A run outside a sweep has an empty entry.
    """

    sweep: Path | None = None
    entry: Mapping[str, Any] = field(default_factory=dict)
    choice: Choice | None = None

    @property
    def config(self) -> dict[str, Any]:
        """The tree of its settings; {} if the plan has none."""
        return self.entry.get("config") or {}

    @property
    def arm(self) -> str | None:
        """The label of its arm."""
        return self.entry.get("arm")


def read_run(folder: Path, planned: PlanEntry, problems: Problems) -> RunRecord | None:
    """The run in `folder`. If its settings cannot be read, notes a problem and returns None.

    Raises NewerSchema, and RequestError if a package of the run is not in use.
    """
    try:
        summary = read(folder)
    except NewerSchema:
        raise
    except RequestError:
        problems.add("unreadable", folder.name, f"{SUMMARY} cannot be read")
        summary = None
    if summary is None and not planned.config:
        problems.add("unreadable", folder.name, f"no {SUMMARY} that can be read")
        return None
    usable, unusable = usable_summary(summary or {})
    if unusable:
        listed = listing(dict.fromkeys(unusable), 4)
        problems.add("damaged summary", folder.name, f"{SUMMARY} has no usable {listed}")
    require(usable["packages"] or planned.entry.get("packages"))  # packages declare the directions of their metrics
    try:
        return _record(folder, planned, usable, problems)
    except (AttributeError, KeyError, TypeError, ValueError):
        problems.add("unreadable", folder.name, f"{SUMMARY} has no settings that can be read")
        return None


# ---------------------------------------------------------------- the usable part of a summary


def usable_summary(summary: Mapping[str, Any]) -> tuple[dict[str, Any], list[str]]:
    """The summary with every key (an empty value if absent or unusable), and the names of the unusable values.

    A value is unusable if its type is not in TYPES, or if it is a figure that is not a finite number.
    """
    unusable = [key for key, types in TYPES.items() if key in summary and not _has_type(summary[key], types)]
    usable = {**EMPTY, **{key: value for key, value in summary.items() if key not in unusable}}
    for key, convert in NUMBERS.items():
        numbers = usable[key]
        usable[key] = {name: convert(number) for name, number in numbers.items() if _is_finite(number)}
        unusable += [f"{key} {name}" for name in numbers if name not in usable[key]]
    for key in ("versions", "hardware"):
        usable[key] = {name: _as_single_value(value) for name, value in usable[key].items()}
    for key, is_usable in {"stack": _is_stack, "git": _is_git, "length": _is_length}.items():
        if not is_usable(usable[key]):
            usable[key] = EMPTY[key]
            unusable.append(key)
    return usable, unusable


def _has_type(value: object, types: type | tuple[type, ...]) -> bool:
    return isinstance(value, types) and (not isinstance(value, (int, float)) or _is_finite(value))


def _is_finite(value: object) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and -LARGEST < value < LARGEST


def _as_single_value(value: object) -> object:
    return str(value) if isinstance(value, (dict, list)) else value


def _is_stack(stack: Mapping[str, Any]) -> bool:
    return {"id", "size"} <= stack.keys() and _is_finite(stack["size"])


def _is_length(length: Mapping[str, Any] | None) -> bool:
    known: dict[str, Any] = {} if length is None else {f.name: length.get(f.name) for f in dataclasses.fields(Length)}
    patience = known.pop("patience_steps", None)
    if not all(isinstance(n, int) and n > 0 for n in known.values()) or not isinstance(patience, (int, NOTHING)):
        return False
    return not known or known["rows"] >= known["batch_size"]


def _is_git(git: Mapping[str, Any] | None) -> bool:
    return git is None or isinstance(git.get("commit"), str)


# ---------------------------------------------------------------- the record


def _record(folder: Path, planned: PlanEntry, summary: Mapping[str, Any], problems: Problems) -> RunRecord | None:
    """The record from a usable summary. The settings come from the plan if the summary has none.

    Notes what a completed run lacks. Returns None, with a note, if a task has a value that no task can have, or if the
    settings are not those that the sweep planned: one changed key would make rows of all other runs. Raises
    AttributeError, KeyError, TypeError or ValueError if the settings are not those of a run.
    """
    tree = summary["settings"] or planned.config
    tasks = _trained_tasks(tree)
    if wrong := _wrong_setting(tasks) or _unplanned(summary["settings"], planned):
        problems.add("damaged summary", folder.name, f"{SUMMARY} has {wrong}: the run is left out")
        return None
    settings = {key: value for key, value in flatten(_with_defaults(tree, tasks)).items() if value is not None}
    settings["only"] = list(tasks)
    seed = int(tree.get("seed") or 0)
    status = _status(summary["status"])
    stack = summary["stack"]
    record = RunRecord(
        folder=folder,
        status=status,
        error=" ".join(str(summary["error"] or "").split()),
        seed=seed,
        split_seed=int(settings.get("data.split.seed", seed)),
        settings=settings,
        roles={name: str(task.get("role") or "main") for name, task in tasks.items()},
        primaries={name: metric for name, task in tasks.items() if (metric := _primary(task))},
        units={name: str(task["unit"]) for name, task in tasks.items() if task.get("unit")},
        arm=planned.arm,
        sweep=planned.sweep,
        figures=summary["figures"],
        trivial=summary["trivial"],
        rows=summary["rows"],
        seconds=summary["seconds"],
        steps=summary["steps"],
        memory=summary["memory"],
        parameters=summary["parameters"],
        stack=(f"{(planned.sweep or folder).resolve()}:{stack['id']}", int(stack["size"])),
        data_hash=summary["data_hash"],
        config_hash=summary["config_hash"],
        versions=summary["versions"],
        git=summary["git"],
        hardware=summary["hardware"],
        choice=planned.choice,
        length=summary["length"],
        end=training_end(folder, summary),
    )
    if record.completed and not record.untested:
        _check_completed(folder, record.figures, problems)
    return record


def _status(written: str) -> Status:
    match written:
        case "completed" | "failed":
            return written
    return "unfinished"


def _trained_tasks(tree: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """Name -> settings of the trained tasks. Raises ValueError if there are none."""
    only = tree.get("only")
    tasks = {name: task or {} for name, task in tree["tasks"].items() if only is None or name in only}
    if not tasks:
        raise ValueError("no tasks")
    return tasks


def _wrong_setting(tasks: Mapping[str, Mapping[str, Any]]) -> str | None:
    """A value of a task's settings that no run can have, in words; None if there is none."""
    allowed = {"role": get_args(get_type_hints(TaskConfig)["role"]), "primary": known_metrics(), "type": names()}
    return next(
        (
            f"tasks.{name}.{key}={value!r:.40}"
            for name, task in tasks.items()
            for key, values in allowed.items()
            if (value := task.get(key)) is not None and not (isinstance(value, str) and value in values)
        ),
        None,
    )


def _unplanned(settings: Mapping[str, Any], planned: PlanEntry) -> str | None:
    """A setting of a summary that differs from the plan of the sweep, in words; None if there is none."""
    if not settings or not planned.config:
        return None
    here, there = flatten(dict(settings)), flatten(planned.config)
    key = next((key for key in {**there, **here} if here.get(key) != there.get(key)), None)
    return None if key is None else f"{key}={here.get(key)!r:.40}, where {PLAN} has {there.get(key)!r:.40}"


def _primary(task: Mapping[str, Any]) -> str | None:
    """The primary metric of a task, if its settings name it or a type that cannot be inferred from a column.

    None otherwise; the figures then show the primary metric.
    """
    return str(primary) if (primary := task.get("primary")) else stated_primary(task.get("type"))


def _with_defaults(tree: dict[str, Any], tasks: Mapping[str, Any]) -> dict[str, Any]:
    """The settings with these tasks only, and with defaults for keys that an older mtlrun did not know."""
    whole = {**tree, "tasks": {name: {**_defaults(TaskConfig), **task} for name, task in tasks.items()}}
    for group, options in GROUPS.items():
        values = tree.get(group)
        if not isinstance(values, dict) or (group == "trainer" and not values.keys() & {"batch_size", "epochs"}):
            continue  # a boosting run stores only some trainer settings
        option = options.get(str(values.get("name", DEFAULT_OPTION.get(group))))
        whole[group] = {**(_defaults(option) if option else {}), **values}
    return whole


@functools.cache
def _defaults(option: type) -> dict[str, Any]:
    """The fields of a settings dataclass with a default, except `name`."""
    fields = [f for f in dataclasses.fields(option) if f.name != "name"]
    plain = {f.name: f.default for f in fields if f.default is not dataclasses.MISSING}
    return plain | {f.name: f.default_factory() for f in fields if f.default_factory is not dataclasses.MISSING}


# ---------------------------------------------------------------- the files of a completed run


def _check_completed(folder: Path, figures: Mapping[str, float], problems: Problems) -> None:
    """Notes a problem if a completed run lacks test figures, or if its metrics.csv has no end or other test figures."""
    on_test = {name: value for name, value in figures.items() if name.startswith("test/")}
    if not on_test:
        problems.add("no test figures", folder.name, "completed, and has no figures on test")
    try:
        lines = _last_lines(folder / METRICS, TAIL + LINE * len(on_test))
    except ValueError as error:
        problems.add("unfinished file", folder.name, str(error))
        return
    written = _written(lines)
    differing = [name for name, value in on_test.items() if name in written and not _is_same(value, written[name])]
    differing += sorted(written.keys() - figures.keys()) if on_test else []
    if differing:
        name = differing[0]
        shown = " and ".join(
            f"{file} {own.get(name, 'none')}" for file, own in ((SUMMARY, figures), (METRICS, written))
        )
        more = f", and {len(differing) - 1} more" if len(differing) > 1 else ""
        problems.add("contradicting files", folder.name, f"{name} is in {shown}{more}; the table has that of {SUMMARY}")


def _last_lines(path: Path, size: int) -> list[str]:
    """The lines in the last `size` bytes of a completed run's metrics.csv.

    Raises ValueError, with what is wrong, unless it ends with a whole line about test.
    """
    if path.exists() and not path.is_file():
        raise ValueError(f"{METRICS} is no file")
    try:
        with open(path, "rb") as file:
            file.seek(max(0, os.path.getsize(path) - size))
            end = file.read()
    except FileNotFoundError:
        raise ValueError(f"there is no {METRICS}") from None
    except OSError as error:
        raise ValueError(f"{METRICS} cannot be read ({error.strerror})") from None
    if not end.endswith(b"\n"):
        raise ValueError(f"{METRICS} ends in the middle of a line")
    if b",test," not in end.splitlines()[-1]:
        raise ValueError(f"{METRICS} ends before the figures on test")
    return end.decode(errors="replace").splitlines()


def _written(lines: Sequence[str]) -> dict[str, float]:
    """SPLIT/TASK/METRIC -> value of the whole lines about test."""
    found = {}
    for line in lines:
        cells = line.split(",")
        if len(cells) == len(METRICS_HEADER) and cells[2] == "test":
            with contextlib.suppress(ValueError):
                found["/".join(cells[2:5])] = float(cells[5])
    return {name: value for name, value in found.items() if _is_finite(value)}


def _is_same(one: float, other: float) -> bool:
    return math.isclose(one, other, rel_tol=1e-6, abs_tol=1e-12)
