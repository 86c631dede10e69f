"""What is sent of a run and of a sweep, in the same names for every tool."""

import csv
import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from mtlrun.compare.collect.run_record import RunRecord
from mtlrun.config.data_options import table_name
from mtlrun.storage.names import BEST, IMPORTANCE, METRICS, RESULTS, SUMMARY, TUNE
from mtlrun.storage.summary import METRICS_HEADER
from mtlrun.storage.sweep_folder import COMMAND, read_plan
from mtlrun.util.errors import RequestError

COMPARISON = "compare"  # the folder of `mtlrun compare` in a sweep's
T = TypeVar("T")


@dataclass(frozen=True)
class Content:
    """What is sent of a run, or of a sweep.

    key: identifies it: its name and what it was trained from, so that a second copy of its folder is the same
    params: the settings, without those that are null; of a sweep, those that all its runs share
    figures: the final ones: test/TASK/METRIC; val_selected/TASK/METRIC and train_selected/TASK/METRIC, at the selected
        checkpoint, beside the curves val/TASK/METRIC; trivial/test/TASK/METRIC; seconds, steps, parameters
    tags: where it comes from
    files: folder on the tracker ("" is the top) -> paths
    ended: seconds since 1970
    """

    name: str
    key: str
    project: str
    folder: Path
    params: Mapping[str, Any]
    figures: Mapping[str, float]
    tags: Mapping[str, str]
    files: Mapping[str, Sequence[Path]]
    ended: float
    seconds: float = 0.0

    def curves(self) -> dict[int, dict[str, float]]:
        """Step -> SPLIT/TASK/METRIC -> value, steps in order; empty for a sweep.

        Raises RequestError if metrics.csv is not that of a run.
        """
        path = self.folder / METRICS
        found: dict[int, dict[str, float]] = {}
        if not path.is_file():
            return found
        with path.open(encoding="utf-8", newline="") as file:
            rows = csv.reader(file)
            try:
                if tuple(next(rows, ())) != METRICS_HEADER:
                    raise ValueError
                for _, step, split, task, metric, value in rows:
                    found.setdefault(int(step), {})[_tag(split, task, metric)] = float(value)
            except (ValueError, csv.Error):
                raise RequestError(
                    f"{path}: line {rows.line_num} is no row of {','.join(METRICS_HEADER)}\n"
                    "restore the file, or train the run again in another folder"
                ) from None
        return dict(sorted(found.items()))


def content_of_run(run: RunRecord, checkpoints: bool) -> Content:
    """What is sent of a completed run. checkpoints: with best.pt."""
    summary = run.folder / SUMMARY
    files = [path for path in (summary, run.folder / METRICS, run.folder / IMPORTANCE) if path.is_file()]
    trained = [run.folder / BEST] if checkpoints and (run.folder / BEST).is_file() else []
    return Content(
        name=run.folder.resolve().name,
        key=_digest(_named(run), run.config_hash, run.data_hash),
        project=table_name(str(run.settings.get("data.path", "mtlrun"))),
        folder=run.folder,
        params={key: value for key, value in run.settings.items() if value is not None},
        figures=_figures(run),
        tags={
            "mtlrun.config_hash": str(run.config_hash),
            "mtlrun.data_hash": str(run.data_hash),
            "mtlrun.folder": str(run.folder.resolve()),
            "mtlrun.version": str(run.versions.get("mtlrun")),
        },
        files={"": files} | ({BEST.parent.name: trained} if trained else {}),
        ended=summary.stat().st_mtime,
        seconds=run.seconds,
    )


def content_of_sweep(sweep: Path, runs: Sequence[Content]) -> Content:
    """What is sent of a sweep beside its runs: the settings that they share, its table, its comparison."""
    ended, began = max(run.ended for run in runs), min(run.ended - run.seconds for run in runs)
    tops = [path for path in (sweep / RESULTS, sweep / COMMAND) if path.is_file()]
    compared = sorted(path for path in (sweep / COMPARISON).glob("[!.]*") if path.is_file())
    jobs = [(job["run"], job.get("overrides", {})) for job in read_plan(sweep)]
    name = sweep_name(sweep)
    return Content(
        name=name,
        key=_digest(name, json.dumps(jobs, sort_keys=True)),
        project=runs[0].project,
        folder=sweep,
        params=_shared([run.params for run in runs]),
        figures={},
        tags={"mtlrun.folder": str(sweep.resolve())},
        files={"": tops} | ({COMPARISON: compared} if compared else {}),
        ended=ended,
        seconds=ended - began,
    )


def sweep_name(sweep: Path) -> str:
    """The name of a sweep: that of its folder; for a batch of `mtlrun tune` the path from the folder of the search."""
    folder = sweep.resolve()
    search = next((parent for parent in folder.parents if (parent / TUNE).is_file()), None)
    return folder.name if search is None else folder.relative_to(search.parent).as_posix()


def in_batches(items: Iterable[T], size: int) -> Iterator[list[T]]:
    """The items in lists of at most `size`."""
    batch: list[T] = []
    for item in items:
        batch.append(item)
        if len(batch) == size:
            yield batch
            batch = []
    if batch:
        yield batch


def as_text(value: Any, longest: int) -> str:
    """A setting as text; what is longer than `longest` characters ends with an ellipsis."""
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)
    return text if len(text) <= longest else f"{text[: longest - 1]}…"


def _figures(run: RunRecord) -> dict[str, float]:
    found = {}
    for name, value in run.figures.items():
        split, _, rest = name.partition("/")
        found[name if split == "test" else f"{split}_selected/{rest}"] = value
    found |= {f"trivial/{name}": value for name, value in run.trivial.items() if name.startswith("test/")}
    counts = {"seconds": run.seconds, "steps": run.steps, "parameters": run.parameters}
    return found | {name: float(value) for name, value in counts.items() if value is not None}


def _tag(split: str, task: str, metric: str) -> str:
    return f"{split}/{task}/{metric}" if task else f"{split}/{metric}"


def _named(run: RunRecord) -> str:
    name = run.folder.resolve().name
    return f"{sweep_name(run.sweep)}/{name}" if run.sweep is not None else name


def _digest(*parts: Any) -> str:
    return hashlib.sha256("\n".join(map(str, parts)).encode()).hexdigest()[:16]


def _shared(settings: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    first, *others = settings
    return {key: value for key, value in first.items() if all(other.get(key) == value for other in others)}
