"""One run of a stack: its files, its best evaluation, its end."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mtlrun.config.schema import Config
from mtlrun.data.dataset import Dataset
from mtlrun.engine.evaluate import Figures
from mtlrun.engine.select import Selection
from mtlrun.storage import hydra_folder
from mtlrun.storage.progress import evaluation_line
from mtlrun.storage.summary import ENDED, flatten
from mtlrun.storage.writer import RunWriter


@dataclass(frozen=True)
class Best:
    """The best evaluation so far; `figures` by name: val/price/rmse."""

    score: float
    step: int
    epoch: int
    figures: dict[str, float]


@dataclass(eq=False)
class Member:
    """State and files of one run of a stack.

    at: place along R; summary: content of summary.json; epochs: their number; console: receives its lines, None for its
    run.log
    """

    at: int
    config: Config
    dataset: Dataset
    selection: Selection
    folder: Path
    summary: dict[str, Any]
    epochs: int
    console: Callable[[str], None] | None = None
    writer: RunWriter | None = None  # None for a run that ended before this process began
    best: Best | None = None
    unwritable: str = ""  # reason why its files can no longer be written
    skipped: int = 0  # number of skipped steps up to the last evaluation
    idle: int = 0  # length of the current sequence of skipped steps
    goal_step: int | None = None  # steps until the losses first summed to trainer.goal or less

    @property
    def ended(self) -> bool:
        """Whether it has completed or failed. Nothing of it changes afterwards."""
        return self.summary.get("status") in ENDED

    @property
    def files(self) -> RunWriter:
        """Its writer."""
        assert self.writer is not None, "it has not ended before this process began"
        return self.writer

    @property
    def selected(self) -> Best:
        """The evaluation that was selected."""
        assert self.best is not None, "it was evaluated"
        return self.best

    @contextmanager
    def writing(self) -> Iterator[None]:
        """While its files are written: if its folder cannot be written, only this run becomes `unwritable`.

        A full disk concerns the whole stack: its StorageError passes through.
        """
        try:
            yield
        except OSError as error:
            reason = f"its files cannot be written: {error.filename} ({error.strerror})"
            self.unwritable = self.unwritable or reason

    def say(self, line: str) -> None:
        """Shows a line, or writes it to run.log."""
        if self.console is not None:
            self.console(line)
        else:
            with self.writing():
                self.files.log([line])

    def offset(self) -> int:
        """Returns the size of metrics.csv in bytes, 0 for a run that ended before this process began."""
        if self.writer is not None:
            with self.writing():
                return self.writer.offset
        return 0

    def select(self, figures: Figures, training: Figures, epoch: int, step: int) -> bool:
        """Returns whether an evaluation is the best so far, and says so. figures: on val."""
        score = self.selection(figures)
        better = self.best is None or self.selection.better(score, self.best.score)
        if better:
            named = {f"val/{task}/{metric}": value for (task, metric), value in figures.items()}
            named |= {f"train/{task}/{metric}": value for (task, metric), value in training.items()}
            self.best = Best(score, step, epoch, named)
        by, shown = self.selection.name, self.selection.sign * score
        self.say(evaluation_line(epoch, self.epochs, step, figures, self.dataset.primary, by, shown, better))
        return better

    def selected_summary(self) -> dict[str, Any] | None:
        """Returns `best` of summary.json."""
        if self.best is None:
            return None
        value = self.selection.sign * self.best.score
        return {"step": self.best.step, "epoch": self.best.epoch, "by": self.selection.name, "value": value}

    def write_hyperparameters(self, figures: Mapping[str, float]) -> None:
        """Writes settings and test figures for TensorBoard, each task's primary metric first."""
        primary = [f"test/{task}/{metric}" for task, metric in self.dataset.primary.items()]
        names = [name for name in dict.fromkeys([*primary, *figures]) if name.startswith("test/") and name in figures]
        self.files.hyperparameters(self._hyperparameters(), {name: figures[name] for name in names})

    def _hyperparameters(self) -> dict[str, Any]:
        """Returns settings for TensorBoard's table, which shows few: the main ones, and those that the user typed."""
        settings = flatten(self.summary["settings"])
        typed = hydra_folder.read_words(self.folder)
        settings["seed"] = str(settings.get("seed"))  # a label, not a quantity
        keys = dict.fromkeys(["loss", "lr", "graph", "seed", *(line.split("=")[0] for line in typed)])
        return {name: settings[name] for key in keys for name in settings if f"{name}.".startswith(f"{key}.")}

    def tree(self) -> dict[str, Any]:
        """Returns the state that a checkpoint holds of it."""
        return {
            "best": {} if self.best is None else vars(self.best).copy(),
            "config_hash": self.summary.get("config_hash"),
            "offset": self.offset(),
            "goal_step": self.goal_step,
            "skipped": self.skipped,
            "idle": self.idle,
        }

    def restore(self, tree: Mapping[str, Any]) -> None:
        """Restores the state from a checkpoint. Values that an older version did not save keep their defaults."""
        self.best = Best(**tree["best"]) if tree["best"] else None
        self.goal_step = tree.get("goal_step")
        self.skipped, self.idle = tree.get("skipped", 0), tree.get("idle", 0)
