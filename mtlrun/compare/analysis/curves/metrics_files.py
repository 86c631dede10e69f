"""Reads the metrics.csv of runs: figures over steps."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from mtlrun.compare.collect.run_record import RunRecord
from mtlrun.compare.collect.settings import Setting
from mtlrun.compare.records import CONFLICTS, STITCH, Finding
from mtlrun.storage.names import METRICS

COSINE = "cosine_"  # beginning of a metric's name; the other task follows
LARGEST_STEP = 2**53  # larger steps are not exact in float64
SHOWN_RUNS = 240  # largest number of metrics.csv that are read: more do not make the bands visibly narrower
Key = tuple[str, str, str]  # split, task, metric
Curve = tuple[list[int], list[float]]  # steps, values


@dataclass(frozen=True)
class Curves:
    """The curves of runs: folder -> (split, task, metric) -> steps and values."""

    runs: Mapping[Path, Mapping[Key, Curve]] = field(default_factory=dict)

    def of(self, run: RunRecord, key: Key) -> Curve:
        """Steps and values of one figure of a run; empty if it has none."""
        return self.runs.get(run.folder, {}).get(key, ([], []))

    def whole_net(self, run: RunRecord, beginning: str) -> list[tuple[str, list[float]]]:
        """The names and values of the figures on val that belong to no task and begin so."""
        known = self.runs.get(run.folder, {}).items()
        return [
            (key[2], values) for key, (_, values) in known if key[:2] == ("val", "") and key[2].startswith(beginning)
        ]


def read_curves(settings: Sequence[Setting], findings: list[Finding]) -> Curves:
    """Reads the val figures, weights, rates, cosines, conflicts and stitches of the runs of the settings.

    If there are many seeds, only the first seeds of each setting are read. Reading of a file ends at an incomplete
    line, with a finding.
    """
    most = max(1, SHOWN_RUNS // max(1, sum(len(s.members) // max(1, len(s.seeds)) for s in settings)))
    curves: dict[Path, dict[Key, Curve]] = {}
    damaged = []
    for run in (run for s in settings for seed in s.seeds[:most] for run in s.runs[seed].values()):
        if run.folder not in curves:
            curves[run.folder], whole = _read(run.folder / METRICS)
            if not whole:
                damaged.append(run.name)
    if damaged:
        text = f"{METRICS} is missing or has a line that is not whole: {'; '.join(damaged[:3])}"
        findings.append(Finding("warning", "damaged file", text))
    return Curves(curves)


def _read(path: Path) -> tuple[dict[Key, Curve], bool]:
    """The curves of a file, and whether the file is complete."""
    curves: dict[Key, Curve] = {}
    if not path.is_file():
        return curves, False
    try:
        lines = path.read_text(encoding="utf-8", errors="replace").split("\n")
    except OSError:
        return curves, False
    keys: dict[str, Key | None] = {}
    for line in lines[1:]:
        try:
            _, step, name = line.split(",", 2)
            name, value = name.rsplit(",", 1)
            if name not in keys:
                keys[name] = _drawn_key(name)
            if (key := keys[name]) is not None:
                steps, values = curves.setdefault(key, ([], []))
                at, figure = int(step), float(value)
                if not 0 <= at < LARGEST_STEP:
                    raise ValueError(step)
                steps.append(at)
                values.append(figure)
        except ValueError:
            if line:
                return curves, False
    return curves, bool(lines) and lines[-1] == ""


def _drawn_key(name: str) -> Key | None:
    """The key for `SPLIT,TASK,METRIC`; None for figures that are not used. Raises ValueError for other names.

    Names contain no commas.
    """
    split, task, metric = name.split(",")
    shown = split == "val" or metric in ("weight", "sigma", "rate", CONFLICTS) or metric.startswith((COSINE, STITCH))
    return (split, task, metric) if shown and split != "test" else None
