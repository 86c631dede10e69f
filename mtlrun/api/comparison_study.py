"""What a comparison of settings says, in the form of a notebook."""

import contextlib
import io
import textwrap
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from html import escape
from pathlib import Path
from typing import Any

import pandas as pd

from mtlrun.api.parameters import values_of
from mtlrun.compare.analyse import analyse
from mtlrun.compare.analysis.options import Options
from mtlrun.compare.collect.folders import collect
from mtlrun.compare.report.opening import PAGE, opening
from mtlrun.compare.report.page import write_outputs
from mtlrun.compare.report.rounding import number
from mtlrun.compose import compose
from mtlrun.compose.override_checks import checked_override
from mtlrun.compose.overrides import parse
from mtlrun.storage.names import CONFIRMATION
from mtlrun.storage.sweep_folder import read_plan
from mtlrun.tune.finalists import TUNED, allowed, finalists
from mtlrun.tune.setting_runs import Base, Setting, train
from mtlrun.tune.tune_folder import tune as search

WIDTH = 80  # of a printed study


@dataclass(frozen=True, repr=False)
class Study:
    """A comparison of settings on test rows.

    text: what to do, in words; table: a row for each setting, best first, with means and 95 % intervals
    report: the page that `mtlrun compare` writes, as HTML; pictures: name -> PNG
    found: of a search, the parameters that were best on val; empty if none were better than the estimator's own
    best: these, if they are shown to be better on the test rows of fresh seeds; else empty
    """

    text: str
    table: pd.DataFrame
    report: str
    pictures: dict[str, bytes]
    found: dict[str, Any] = field(default_factory=dict)
    best: dict[str, Any] = field(default_factory=dict)

    def __repr__(self) -> str:
        return "\n".join(textwrap.fill(line, WIDTH, break_long_words=False) for line in self.text.split("\n"))

    def _repr_html_(self) -> str:
        paragraphs = "".join(f"<p>{escape(sentence)}</p>" for sentence in self.text.split("\n"))
        return paragraphs + str(short(self.table).to_html(index=False, float_format=number, na_rep="–"))

    def save(self, folder: str | Path) -> Path:
        """Writes report.html, comparison.csv and the pictures into a folder. Returns its path."""
        path = Path(folder)
        path.mkdir(parents=True, exist_ok=True)
        (path / PAGE).write_text(self.report, encoding="utf-8")
        self.table.to_csv(path / "comparison.csv", index=False)
        for name, picture in self.pictures.items():
            (path / f"{name}.png").write_bytes(picture)
        return path


def short(table: pd.DataFrame) -> pd.DataFrame:
    """The columns of a study's table to look at first: labels, means of the tasks' figures and Δm, verdicts."""
    figures = [column for column in table.columns if "/" in column and f"{column}/low" in table.columns]
    return table[["label", *figures, "delta_m", "verdict"]]


def compared(
    words: Sequence[str], folder: Path, settings: Mapping[str, Mapping[str, Any]] | None, first: int, seeds: int
) -> Study:
    """Trains settings as a sweep in `folder`, on seeds from `first`, and compares them.

    settings: label -> parameters; None: those that `mtlrun tune` confirms beside its own.
    """
    base = Base(compose(words, multirun=True))
    if settings is None:
        arms = allowed(base, finalists(base, None))
    else:
        arms = [Setting(label, values_of(changed)) for label, changed in settings.items()]
        for arm in arms:
            for key, value in arm.values.items():
                checked_override(f"{key}={value}", base.request.loader)
    train(base, folder, base.runs(arms, range(first, first + seeds), {}), "MultiTaskEstimator.compare")
    return study_of(folder)


def tuned(words: Sequence[str], folder: Path) -> Study:
    """Searches settings in `folder` as `mtlrun tune WORDS` does. The file of the found setting stays there too."""
    with contextlib.chdir(folder):
        search([*words, "hydra.sweep.dir=tune"], None)
        confirmed = Path("tune", CONFIRMATION).resolve()
        study = study_of(confirmed)
        plan = read_plan(confirmed)
    values: Mapping[str, str] = next((job["overrides"] for job in plan if job.get("arm") == TUNED), {})
    typed = {word.partition("=")[0] for word in words}
    found = {key: parse(f"{key}={value}").value() for key, value in values.items() if key not in (*typed, "seed")}
    return replace(study, found=found, best=found if is_better(study.table, TUNED) else {})


def is_better(table: pd.DataFrame, label: str) -> bool:
    """Whether a study's table calls a setting better than its reference."""
    verdicts = dict(zip(table["label"], table["verdict"], strict=True))
    return verdicts.get(label) == "better"


def study_of(folder: Path) -> Study:
    """Compares the runs in `folder`, and writes the files of the comparison there on the way."""
    comparison, out = analyse(collect([folder]), Options()), folder / "compare"
    write_outputs(comparison, out)
    sentences = [sentence.partition("\n")[0] for sentence in opening(comparison)]  # without their commands
    sentences = [sentence for sentence in sentences if not sentence.endswith(":")]
    table = pd.read_csv(io.StringIO((out / "comparison.csv").read_text(encoding="utf-8")))
    pictures = {path.stem: path.read_bytes() for path in sorted(out.glob("*.png"))}
    page = (out / PAGE).read_text(encoding="utf-8")
    return Study("\n".join(sentences), table, page, pictures)
