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
from mtlrun.results import hydra_folder
from mtlrun.results.progress import evaluation_line
from mtlrun.results.summary import ENDED, flatten
from mtlrun.results.writer import RunWriter


@dataclass(frozen=True)
class Best:
    """The best evaluation so far; `figures` by name: val/price/rmse."""

    score: float
    step: int
    epoch: int
    figures: dict[str, float]


@dataclass(eq=False)
class Member:
    """What belongs to one run of a stack alone.

    at: its place along R; summary: what summary.json will hold; console: where its lines go, None for its run.log
    """

    at: int
    config: Config
    dataset: Dataset
    selection: Selection
    folder: Path
    summary: dict[str, Any]
    console: Callable[[str], None] | None = None
    writer: RunWriter | None = None  # none for a run that ended before this process began
    best: Best | None = None
    waited: int = 0  # evaluations since the best one
    unwritable: str = ""  # why its files cannot be written any more
    skipped: int = 0  # steps that were not taken, up to the last evaluation
    idle: int = 0  # of these, the last ones without another between them
    goal_step: int | None = None  # steps before the losses first summed to trainer.goal or less

    @property
    def ended(self) -> bool:
        """Completed or failed: nothing of it changes any more."""
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
        """While its files are written: where its folder does not take them, this run alone is `unwritable`. A disk that
        is full is a matter of the whole stack, and passes as a StorageError."""
        try:
            yield
        except OSError as error:
            reason = f"its files cannot be written: {error.filename} ({error.strerror})"
            self.unwritable = self.unwritable or reason

    def say(self, line: str) -> None:
        """Show a line, or write it to run.log."""
        if self.console is not None:
            self.console(line)
        else:
            with self.writing():
                self.files.log([line])

    def offset(self) -> int:
        """The size of its metrics.csv in bytes; 0 for a run that ended before this process began."""
        if self.writer is not None:
            with self.writing():
                return self.writer.offset
        return 0

    def select(self, figures: Figures, losses: Mapping[str, float], epoch: int, step: int) -> bool:
        """Whether an evaluation, of these figures on val, is the best so far; says so. `losses`: those of training."""
        score = self.selection(figures)
        better = self.best is None or self.selection.latest or score > self.best.score
        if better:
            named = {f"val/{task}/{metric}": value for (task, metric), value in figures.items()}
            named |= {f"train/{task}/loss": value for task, value in losses.items()}
            self.best = Best(score, step, epoch, named)
        self.waited = 0 if better else self.waited + 1
        primary = {task: target.primary for task, target in self.dataset.targets.items()}
        by, shown = self.selection.name, self.selection.sign * score
        self.say(evaluation_line(epoch, self.config.trainer.epochs, step, figures, primary, by, shown, better))
        return better

    def selected_summary(self) -> dict[str, Any] | None:
        """`best` of summary.json."""
        if self.best is None:
            return None
        value = self.selection.sign * self.best.score
        return {"step": self.best.step, "epoch": self.best.epoch, "by": self.selection.name, "value": value}

    def write_hyperparameters(self, figures: Mapping[str, float]) -> None:
        """TensorBoard's entry of settings, beside the test figures, each task's primary metric first."""
        primary = [f"test/{task}/{target.primary}" for task, target in self.dataset.targets.items()]
        names = [name for name in dict.fromkeys([*primary, *figures]) if name.startswith("test/") and name in figures]
        self.files.hyperparameters(self._hyperparameters(), {name: figures[name] for name in names})

    def _hyperparameters(self) -> dict[str, Any]:
        """Settings for TensorBoard's table, which sorts its columns and shows a few: the core, and what was typed."""
        settings = flatten(self.summary["settings"])
        typed = hydra_folder.read_words(self.folder)
        settings["seed"] = str(settings.get("seed"))  # a label, not a quantity
        keys = dict.fromkeys(["loss", "lr", "graph", "seed", *(line.split("=")[0] for line in typed)])
        return {name: settings[name] for key in keys for name in settings if f"{name}.".startswith(f"{key}.")}

    def tree(self) -> dict[str, Any]:
        """What a checkpoint holds of it."""
        return {
            "best": {} if self.best is None else vars(self.best).copy(),
            "waited": self.waited,
            "offset": self.offset(),
            "goal_step": self.goal_step,
            "skipped": self.skipped,
            "idle": self.idle,
        }

    def restore(self, tree: Mapping[str, Any]) -> None:
        """Take over what a checkpoint holds of it. What an older version did not save keeps its first value."""
        self.best = Best(**tree["best"]) if tree["best"] else None
        self.waited, self.goal_step = tree["waited"], tree.get("goal_step")
        self.skipped, self.idle = tree.get("skipped", 0), tree.get("idle", 0)
