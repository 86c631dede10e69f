"""From folders to runs: what each was, what became of it, and what is wrong with its files.

Only summary.json and sweep.json are read here, with the standard library; metrics.csv is read where it is drawn.
"""

import dataclasses
import functools
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from mtlrun.compare.collect.choice import FILE as CHOSEN
from mtlrun.compare.collect.choice import Choice, read_choices
from mtlrun.compare.records import Finding
from mtlrun.config.extensions import require
from mtlrun.config.schema import DEFAULT_OPTION, GROUPS, TaskConfig
from mtlrun.results.summary import EMPTY, FILE, NewerSchema, flatten, read
from mtlrun.results.sweep_folder import PLAN, read_plan
from mtlrun.tasks.types import PRIMARY
from mtlrun.util.errors import RequestError, listing
from mtlrun.util.registry import REFERENCES

Status = Literal["completed", "failed", "unfinished"]
SKIPPED = ("compare", "checkpoints")  # folders in which there are no runs; those that begin with a dot likewise
METRICS = "metrics.csv"
Notes = list[tuple[str, str, str]]  # condition, run, what is wrong
NOTHING = type(None)
LARGEST = 1e100  # beyond it is no figure, and its square no number
# what the values of a summary's keys have to be; others count as absent, and are named
SOUND: dict[str, type | tuple[type, ...]] = {
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
    "stack": dict,
    "data_hash": (str, NOTHING),
    "config_hash": (str, NOTHING),
    "versions": dict,
    "git": (dict, NOTHING),
    "hardware": dict,
    "packages": dict,
}
# the task type that a primary metric tells
TYPE_OF = {"rmse": "regression", "auroc": "binary", "accuracy": "categorical"}


@dataclass(frozen=True)
class RunRecord:
    """One run. Files and folders as given on the command line.

    settings: flat, keys as they are typed, without those that are null and those of tasks that are not trained;
        keys that there were not yet when it was trained at their defaults;
        `only` always holds the tasks that are trained
    roles: of the trained tasks, in order; primaries, units: where the settings say so
    figures, trivial: SPLIT/TASK/METRIC -> value
    stack: what its stack is known by, and how many runs it has; hardware, git, versions as in summary.json
    sweep: the folder of its sweep; arm: label of its arm there; choice: what --confirm trained it for
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
    def tasks(self) -> tuple[str, ...]:
        """The tasks that it trains."""
        return tuple(self.roles)

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


def collect(folders: Sequence[Path]) -> Collection:
    """The runs in and below `folders`.

    Raises RequestError for a folder that is not there, one that holds no runs, and a summary of a newer schema.
    What else is wrong is a finding: a file that cannot be read, an unfinished one, a run without test figures, the
    same run twice.
    """
    found: list[RunRecord] = []
    notes: Notes = []
    for folder in folders:
        if not folder.is_dir():
            raise RequestError(f"compare: there is no folder {folder}\nallowed: folders of runs and sweeps")
        own = [run for place, job in _places(folder, notes, set()) if (run := _run(place, job, notes)) is not None]
        if not own:
            unreadable = f" that can be read ({listing((w for _, _, w in notes), 2)})" if notes else ""
            raise RequestError(
                f"compare: {folder} holds no runs{unreadable}\nallowed: folders of runs and sweeps, outputs/..."
            )
        found += own
    runs = _each_once(found, notes)
    return Collection(tuple(folders), tuple(runs), tuple(_findings(notes)))


@dataclass(frozen=True)
class _Job:
    """What a sweep's plan says of a run."""

    sweep: Path
    entry: Mapping[str, Any]
    choice: Choice | None


def _places(folder: Path, notes: Notes, seen: set[Path]) -> Iterator[tuple[Path, _Job | None]]:
    """The folders of runs in and below `folder`, in order; those of a sweep by its plan, begun or not.

    Folders that are in `seen` are passed over: links may lead back to where they lie.
    """
    try:
        here = folder.resolve(strict=True)
        listed = sorted(entry.name for entry in os.scandir(folder))
    except (OSError, RuntimeError) as error:
        why = error.strerror if isinstance(error, OSError) else "links that lead back to themselves"
        notes.append(("unreadable", folder.name, f"the folder cannot be read ({why})"))
        return
    if here in seen:
        return
    seen.add(here)
    if PLAN in listed and (plan := _plan(folder, notes)):
        for own in plan:
            yield folder / own.entry["run"], own
        return
    if FILE in listed or ".hydra" in listed or METRICS in listed:
        plan = _plan(folder.parent, notes) if (folder.parent / PLAN).is_file() else []  # one run of a sweep
        yield folder, next((own for own in plan if own.entry["run"] == folder.name), None)
        return
    for name in listed:
        if not name.startswith(".") and name not in SKIPPED and (folder / name).is_dir():
            yield from _places(folder / name, notes, seen)


def _plan(sweep: Path, notes: Notes) -> list[_Job]:
    """The runs of a sweep; none, with a note, where its plan cannot be read: its folders speak for themselves then."""
    try:
        entries = read_plan(sweep)
        if entries and isinstance(entries, list) and all(isinstance(entry["run"], str) for entry in entries):
            choices = _choices(sweep, notes)
            return [_Job(sweep, entry, choices.get(entry["run"])) for entry in entries]
    except (OSError, RequestError, ValueError, KeyError, TypeError, RecursionError):
        pass  # said below
    notes.append(("unreadable", sweep.name, f"{PLAN} cannot be read: runs that have no folder are not known"))
    return []


def _choices(sweep: Path, notes: Notes) -> dict[str, Choice]:
    try:
        return read_choices(sweep)
    except (OSError, ValueError):
        notes.append(("unreadable", sweep.name, f"{CHOSEN} cannot be read: what was tried before is not known"))
        return {}


def _run(folder: Path, job: _Job | None, notes: Notes) -> RunRecord | None:
    """The run in `folder`; None, with a note, where nothing can be said about it."""
    entry = job.entry if job is not None else {}
    try:
        summary = read(folder)
    except NewerSchema:
        raise
    except RequestError:
        notes.append(("unreadable", folder.name, f"{FILE} cannot be read"))
        summary = None
    if summary is None and not entry.get("config"):
        notes.append(("unreadable", folder.name, f"no {FILE} that can be read"))
        return None
    known = _sound(folder, summary or {}, notes)
    require(known["packages"] or entry.get("packages"))  # which way a package's metrics are better, it alone knows
    try:
        return _described(folder, job, known, known["settings"] or entry.get("config") or {}, notes)
    except (AttributeError, KeyError, TypeError, ValueError):
        notes.append(("unreadable", folder.name, f"{FILE} has no settings that can be read"))
        return None


def _sound(folder: Path, summary: Mapping[str, Any], notes: Notes) -> dict[str, Any]:
    """The summary with every key; what is not of the due type, and figures that are no finite numbers, are left out."""
    odd = [
        key
        for key, due in SOUND.items()
        if key in summary
        and not (
            isinstance(summary[key], due) and (not isinstance(summary[key], (int, float)) or _finite(summary[key]))
        )
    ]
    known = {**EMPTY, **{key: value for key, value in summary.items() if key not in odd}}
    for key in ("figures", "trivial", "rows"):
        sound = {k: int(v) if key == "rows" else float(v) for k, v in known[key].items() if _finite(v)}
        odd += [f"{key} {k}" for k in known[key] if k not in sound]
        known[key] = sound
    for key in ("versions", "hardware"):
        known[key] = {k: str(v) if isinstance(v, (dict, list)) else v for k, v in known[key].items()}
    if not {"id", "size"} <= known["stack"].keys() or not _finite(known["stack"]["size"]):
        known["stack"] = EMPTY["stack"]
        odd += ["stack"]
    if known["git"] is not None and not isinstance(known["git"].get("commit"), str):
        known["git"] = None
        odd += ["git"]
    if odd:
        notes.append(("damaged summary", folder.name, f"{FILE} has no usable {listing(dict.fromkeys(odd), 4)}"))
    return known


def _finite(value: object) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and -LARGEST < value < LARGEST


def _described(
    folder: Path, job: _Job | None, known: Mapping[str, Any], tree: dict[str, Any], notes: Notes
) -> RunRecord:
    """The run that a sound summary and the tree of its settings describe. AttributeError, KeyError, TypeError,
    ValueError: the tree is none of settings."""
    entry = job.entry if job is not None else {}
    trained = [t for t in tree["tasks"] if tree.get("only") is None or t in tree["only"]]
    tasks = {t: tree["tasks"][t] or {} for t in trained}
    if not tasks:
        raise ValueError("no tasks")
    settings = {key: value for key, value in flatten(_completed(tree, tasks)).items() if value is not None}
    settings["only"] = trained
    seed = int(tree.get("seed") or 0)
    status: Status = known["status"] if known["status"] in ("completed", "failed") else "unfinished"
    if status == "completed":
        if not any(name.startswith("test/") for name in known["figures"]):
            notes.append(("no test figures", folder.name, "completed, and has no figures on test"))
        if (problem := _unfinished(folder / METRICS)) is not None:
            notes.append(("unfinished file", folder.name, problem))
    stack = known["stack"] or {"id": 0, "size": 1}
    place = str(job.sweep.resolve() if job is not None else folder.resolve())
    return RunRecord(
        folder=folder,
        status=status,
        error=" ".join(str(known["error"] or "").split()),
        seed=seed,
        split_seed=int(settings.get("data.split.seed", seed)),
        settings=settings,
        roles={t: str(c.get("role") or "main") for t, c in tasks.items()},
        primaries={t: str(p) for t, c in tasks.items() if (p := c.get("primary") or _of_a_package(c.get("type")))},
        units={t: str(c["unit"]) for t, c in tasks.items() if c.get("unit")},
        arm=arm if isinstance(arm := entry.get("arm"), str) else None,
        sweep=job.sweep if job is not None else None,
        figures=known["figures"],
        trivial=known["trivial"],
        rows=known["rows"],
        seconds=known["seconds"],
        steps=known["steps"],
        memory=known["memory"],
        parameters=known["parameters"],
        stack=(f"{place}:{stack['id']}", int(stack["size"])),
        data_hash=known["data_hash"],
        config_hash=known["config_hash"],
        versions=known["versions"],
        git=known["git"],
        hardware=known["hardware"],
        choice=job.choice if job is not None else None,
    )


def _of_a_package(kind: Any) -> str | None:
    """The primary metric of a task type that an installed package adds; mtlrun's own types show by their figures."""
    return PRIMARY.get(kind) if isinstance(kind, str) and kind in REFERENCES["task type"] else None


def _completed(tree: dict[str, Any], tasks: Mapping[str, Any]) -> dict[str, Any]:
    """The settings with the defaults of keys that an older mtlrun did not know, and these tasks only."""
    whole = {**tree, "tasks": {name: {**_defaults(TaskConfig), **task} for name, task in tasks.items()}}
    for group, options in GROUPS.items():
        own = tree.get(group)
        if not isinstance(own, dict) or (group == "trainer" and "batch_size" not in own and "epochs" not in own):
            continue  # boosting has no more of them
        cls = options.get(str(own.get("name", DEFAULT_OPTION.get(group))))
        whole[group] = {**(_defaults(cls) if cls else {}), **own}
    return whole


@functools.cache
def _defaults(cls: type) -> dict[str, Any]:
    """The fields of a group's option that have a default, but for its name and parts with keys of their own."""
    found = {f.name: f.default for f in dataclasses.fields(cls) if f.default is not dataclasses.MISSING}
    return {key: value for key, value in found.items() if key != "name"}


def _unfinished(path: Path) -> str | None:
    """What is wrong with the end of a completed run's metrics.csv, which is a whole line about test."""
    if path.exists() and not path.is_file():
        return f"{METRICS} is no file"
    try:
        with open(path, "rb") as file:
            file.seek(max(0, os.path.getsize(path) - 300))
            end = file.read()
    except FileNotFoundError:
        return f"there is no {METRICS}"
    except OSError as error:
        return f"{METRICS} cannot be read ({error.strerror})"
    if not end.endswith(b"\n"):
        return f"{METRICS} ends in the middle of a line"
    return None if b",test," in end.splitlines()[-1] else f"{METRICS} ends before the figures on test"


def _each_once(runs: Sequence[RunRecord], notes: Notes) -> list[RunRecord]:
    """Of the same run from two folders the first, unless only a later one is completed."""
    kept: dict[Any, RunRecord] = {}
    places: dict[Path, RunRecord] = {}
    for run in runs:  # one folder may lie below another that was named too
        places.setdefault(run.folder.resolve(), run)
    for run in places.values():
        key = run.folder.resolve() if run.config_hash is None else (run.config_hash, run.seed, run.data_hash)
        first = kept.setdefault(key, run)
        if first is run:
            continue
        if run.completed and not first.completed:
            kept[key], first, run = run, run, first
        notes.append(("the same run twice", run.name, f"the same as {first.name}, which counts"))
    return list(kept.values())


def _findings(notes: Notes) -> Iterator[Finding]:
    """One finding for each condition, with the first runs by name."""
    for condition in dict.fromkeys(note[0] for note in notes):
        own = [f"{run}: {what}" for c, run, what in notes if c == condition]
        shown = "; ".join(own[:3]) + (f"; and {len(own) - 3} more" if len(own) > 3 else "")
        yield Finding("warning", condition, shown)
