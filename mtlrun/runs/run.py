"""Runs from checked configurations: prepare, train, resume, load."""

import contextlib
import logging
import math
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from mtlrun.config.check import check
from mtlrun.config.extensions import require, used_by
from mtlrun.config.schema import Config, as_mapping, config_hash
from mtlrun.config.stages import PRETRAIN, first_stage
from mtlrun.data.dataset import Dataset, load_dataset
from mtlrun.engine import checkpoint
from mtlrun.engine.boosting import Boosting, run_notes
from mtlrun.engine.checkpoint import BEGIN_ANEW
from mtlrun.engine.hardware import set_up
from mtlrun.engine.loop import Training
from mtlrun.engine.member import Member
from mtlrun.engine.rehearsal import training_seconds
from mtlrun.engine.stack import Stack
from mtlrun.results import environment, hydra_folder
from mtlrun.results.files import write_json
from mtlrun.results.progress import Progress, closing_lines
from mtlrun.results.summary import EMPTY, ENDED, FILE, read, record_end, status_of
from mtlrun.results.writer import LOG_FORMAT, log_lines
from mtlrun.runs import predictor
from mtlrun.runs.build import build_stack
from mtlrun.runs.transfer import Start, from_state, start_of
from mtlrun.sweeps.stacks import size
from mtlrun.util.errors import RequestError, TrainingError

log = logging.getLogger("mtlrun")
load = predictor.load
LAST = Path("checkpoints") / "last.pt"


@dataclass
class PreparedRun:
    """One run that is ready to train; nothing has been written yet.

    start: what its trunk begins with, where that is another run's; first: the stage that trains the trunk before
    """

    config: Config
    stack: Stack
    start: Start | None = None
    first: "PreparedRun | None" = None

    def train(self, folder: Path, state: dict[str, Any] | None = None) -> dict[str, Any]:
        """Train into `folder` and return the summary. `state` is that of last.pt, to go on from it.

        Raises TrainingError where the run diverges and Interrupted after a signal; both stand in summary.json.
        """
        if self.first is not None and state is None:
            write_json(folder / FILE, _beginning(self.stack)[0])
            self._train_first(self.first, folder)
        summary = _beginning(self.stack)[0]
        dataset = self.stack.datasets[0]
        if state is None:
            write_json(folder / FILE, summary)
        for note in [*run_notes(self.config, dataset), *_told(self.start)]:
            log.info(note)
        training: Training | Boosting
        if self.config.boosting:
            training = Boosting(self.stack, folder, summary)
        else:
            with checkpoint.read_from(folder / LAST, BEGIN_ANEW) if state is not None else contextlib.nullcontext():
                training = Training(self.stack, [folder], [summary], folder / LAST, state, log.info)
            write_json(folder / FILE, summary)  # only now: what cannot go on is left as it was
        summary = training.train(Progress(training.total, self.stack.network.tasks))[0]
        if summary["status"] == "failed":
            raise TrainingError(summary["error"])
        for line in _closing(dataset, summary):
            log.info(line)
        return summary

    def _train_first(self, first: "PreparedRun", folder: Path) -> None:
        """Train the first stage in its folder inside `folder`, or go on with it, and begin with the trunk that it
        selected. Raises TrainingError where it fails; an interrupt is noted in `folder` too."""
        own = folder / PRETRAIN
        if status_of(own) not in ENDED:
            _prepare_first(first.config, folder)
            state = checkpoint.load(own / LAST, BEGIN_ANEW) if (own / LAST).exists() else None
            _require_same_data(state, first.config, first.stack.datasets[0])
            try:
                with _also_in(own / "run.log"):
                    log.info(_words_of_first(first.config) + (f", resumed at step {state['step']}" if state else ""))
                    first.train(own, state)
            except KeyboardInterrupt:
                record_end(folder, "interrupted")
                raise
            except TrainingError:
                pass  # said below
        if (error := _failed_first(folder)) is not None:
            raise TrainingError(error)
        self.start = start_of(self.config, self.stack.datasets[0].spec, folder)
        self.stack = build_stack([self.config], self.stack.datasets, [self.start])


def prepare(config: Config, state: dict[str, Any] | None = None) -> PreparedRun:
    """Load the data and build everything, both stages where there are two. Raises RequestError; writes nothing.

    `state` is that of last.pt, to go on from it: then nothing is read from the run that the trunk came from.
    """
    dataset = load_dataset(config)
    if state is not None:
        with checkpoint.read_from(LAST, BEGIN_ANEW):
            return PreparedRun(config, build_stack([config], [dataset], from_state(state)))
    start, first = start_of(config, dataset.spec), first_stage(config)
    stack = build_stack([config], [dataset], [start])
    return PreparedRun(config, stack, start, None if first is None else prepare(first))


def _told(start: Start | None) -> list[str]:
    """Lines on where a trunk comes from."""
    return [start.words, *start.notes] if start is not None else []


def train_stack(
    configs: Sequence[Config],
    datasets: Sequence[Dataset],
    folders: Sequence[Path],
    checkpoint_path: Path,
    number: int,
    progress: Callable[[int, Sequence[str]], Progress],
    ended: Callable[[list[Member]], None],
) -> None:
    """Train runs side by side as stack `number` of a sweep, into their folders.

    Goes on from `checkpoint_path` if it is there. Runs that are completed or failed already keep their place in the
    stack, so that the others keep their bits, and nothing else. `progress` makes the display from the number of
    steps and the tasks; `ended` is called with runs that have just ended. Raises Interrupted after a signal.

    With `model.pretrain` the first stages of all runs train before, as a stack of their own; a run whose first stage
    fails fails with it.
    """
    state = checkpoint.load(checkpoint_path, BEGIN_ANEW) if checkpoint_path.exists() else None
    _require_same_data(state, configs[0], datasets[0])
    two_stages, before = configs[0].net.pretrain is not None, 0
    if two_stages:
        before = _train_firsts(configs, datasets, folders, checkpoint_path, number, progress, state is not None)
    if state is not None:
        with checkpoint.read_from(checkpoint_path, BEGIN_ANEW):
            stack = build_stack(configs, datasets, from_state(state))
    else:
        starts = [start_of(c, d.spec, f) for c, d, f in zip(configs, datasets, folders, strict=True)]
        stack = build_stack(configs, datasets, starts)
    summaries, lost = [], []
    for folder, summary in zip(folders, _beginning(stack), strict=True):
        if status_of(folder) in ENDED:
            summary = EMPTY | (read(folder) or {})
        elif two_stages and (error := _failed_first(folder)) is not None:
            summary |= {"stack": {"id": number, "size": len(configs)}, "status": "failed", "error": error}
            write_json(folder / FILE, summary)
            record_end(folder, "failed")  # metrics.csv
            log_lines(folder, [f"failed: {error}"])
            lost.append(folder)
        else:
            summary["stack"] = {"id": number, "size": len(configs)}
            write_json(folder / FILE, summary)
        summaries.append(summary)

    def close(members: list[Member]) -> None:
        for member in members:
            assert member.writer is not None, "it ended just now"
            done = member.summary["status"] == "completed"
            lines = _closing(member.dataset, member.summary) if done else [f"failed: {member.summary['error']}"]
            with contextlib.suppress(OSError):  # it may be what the run has failed of
                member.writer.log(lines)
        ended(members)

    training: Training | Boosting
    if configs[0].boosting:  # alone, see stacks.py
        training, state = Boosting(stack, folders[0], summaries[0], close), None
    else:
        with checkpoint.read_from(checkpoint_path, BEGIN_ANEW) if state is not None else contextlib.nullcontext():
            training = Training(stack, folders, summaries, checkpoint_path, state, None, close)
    if lost and isinstance(training, Training):
        ended([member for member in training.members if member.folder in lost])
    resumed = f"resumed at step {state['step']}" if state else f"one of {len(configs)} runs of stack {number}"
    for member in training.running:
        assert member.writer is not None, "it has not ended"
        told = [] if state else _told(starts[member.at])
        member.writer.log([resumed, *run_notes(member.config, member.dataset), *told])
    shown = progress(training.total, stack.network.tasks)
    shown.before = before
    training.train(shown)


def first_checkpoint(path: Path) -> Path:
    """The checkpoint of the first stages of a stack whose own is `path`."""
    if path.parts[-2:] == LAST.parts:  # of a single run, in its folder
        return path.parents[1] / PRETRAIN / LAST
    return path.with_stem(f"{path.stem}-{PRETRAIN}")


def _train_firsts(
    configs: Sequence[Config],
    datasets: Sequence[Dataset],
    folders: Sequence[Path],
    path: Path,
    number: int,
    progress: Callable[[int, Sequence[str]], Progress],
    done: bool,
) -> int:
    """Train the first stages of a stack's runs, unless they are `done`; the steps that one of them takes at most."""
    firsts = [first for config in configs if (first := first_stage(config)) is not None]
    before = [load_dataset(first) for first in firsts]
    places = [folder / PRETRAIN for folder in folders]
    if not done and not all(status_of(place) in ENDED for place in places):
        for first, folder in zip(firsts, folders, strict=True):
            _prepare_first(first, folder)
        after = size(configs[0], datasets[0]).steps

        def shown(total: int, tasks: Sequence[str]) -> Progress:
            found = progress(total, tasks)
            found.after = after
            return found

        own = first_checkpoint(path)
        train_stack(firsts, before, places, own, number, shown, lambda members: None)
        if len(folders) > 1:
            own.unlink(missing_ok=True)
    return size(firsts[0], before[0]).steps


def _prepare_first(first: Config, folder: Path) -> None:
    """.hydra/ of the first stage of the run in `folder`: its configuration, and the words that would ask for it."""
    changed = ("only", "model.pretrain", "model.freeze")
    words = [word for word in hydra_folder.read_words(folder) if word.lstrip("+~").split("=")[0] not in changed]
    hydra_folder.write(folder / PRETRAIN, as_mapping(first), [*words, f"only=[{','.join(first.active)}]"])


def _failed_first(folder: Path) -> str | None:
    """Why the first stage of the run in `folder` failed; None where it did not, or where there is none."""
    known = read(folder / PRETRAIN) or {}
    failed = status_of(folder / PRETRAIN) == "failed"
    return f"in the first stage, {PRETRAIN}/: {known.get('error')}" if failed else None


def _words_of_first(first: Config) -> str:
    return f"first stage: the trunk is trained on {', '.join(first.active)}"


@contextlib.contextmanager
def _also_in(path: Path) -> Iterator[None]:
    """Lines of the log go to a file too."""
    handler = logging.FileHandler(path)
    handler.setFormatter(LOG_FORMAT)
    log.addHandler(handler)
    try:
        yield
    finally:
        log.removeHandler(handler)
        handler.close()


def rehearse(configs: Sequence[Config], datasets: Sequence[Dataset], folders: Sequence[Path]) -> float:
    """About how many seconds a stack takes to its last step, from a few steps, one evaluation and one end of each run,
    which go into `folders`. Nothing of it is of use for training. A first stage counts too."""
    if configs[0].boosting:
        return _rehearse_boosting(configs[0], datasets[0], folders[0])
    firsts = [first for config in configs if (first := first_stage(config)) is not None]
    before = 0.0
    if firsts:
        before = rehearse(firsts, list(map(load_dataset, firsts)), [folder / PRETRAIN for folder in folders])
    began = time.monotonic()
    stack = build_stack(configs, datasets)
    training = Training(stack, folders, _beginning(stack), folders[0] / LAST)
    built = time.monotonic() - began
    return before + built + training_seconds(training)


def _rehearse_boosting(config: Config, dataset: Dataset, folder: Path) -> float:
    """The same for a run of model=boosting, from one of 2 iterations and one of 8, after one that warms up."""
    assert config.boosting is not None, "rehearse() has looked"
    seconds = {}
    for iterations in (1, 2, 8):
        began = time.monotonic()
        stack = build_stack([replace(config, model=replace(config.boosting, iterations=iterations))], [dataset])
        Boosting(stack, folder / str(iterations), _beginning(stack)[0]).train(Progress(iterations, stack.network.tasks))
        seconds[iterations] = time.monotonic() - began
    each = max(0.0, seconds[8] - seconds[2]) / 6
    return seconds[2] + each * (config.boosting.iterations - 2)


def resume(folder: Path) -> dict[str, Any]:
    """Go on with an interrupted run from its last.pt, or from its beginning where it has none.

    Raises RequestError where `folder` holds no run, or where the data or the schema changed.
    """
    settings = hydra_folder.read_config(folder)
    if settings is None:
        raise RequestError(f"{folder}: holds no run (.hydra/config.yaml)\nallowed: the folder of a run")
    summary = read(folder)
    if summary is not None and status_of(folder) == "completed":
        log.info(f"{folder}: this run is completed, nothing is left to do")
        return summary
    require((summary or {}).get("packages"))
    config = check(settings)
    state = checkpoint.load(folder / LAST, BEGIN_ANEW) if (folder / LAST).exists() else None
    run = prepare(config, state)
    _require_same_data(state, config, run.stack.datasets[0])
    if config.boosting:
        log.info("resumed from the beginning: model=boosting saves nothing on the way")
    elif state or not run.first or not (folder / PRETRAIN / FILE).exists():
        log.info(
            f"resumed at step {state['step']}" if state else "resumed from the beginning: there was no checkpoint yet"
        )
    return run.train(folder, state)


def _require_same_data(state: dict[str, Any] | None, config: Config, dataset: Dataset) -> None:
    """Raises RequestError if the table is not the one that a checkpoint was written with."""
    if state is not None and state.get("data_hash") != dataset.hash:
        raise RequestError(
            f"data.path: {config.data.path} has changed since this run began\n"
            "restore the file, or train anew in another folder"
        )


def _beginning(stack: Stack) -> list[dict[str, Any]]:
    """What is known of each run before the first step; sets up threads and allocator for it."""
    set_up(stack.configs[0], stack.network.encoder.width)
    versions, hardware, git = environment.versions(), environment.hardware(stack.device), environment.git()
    parameters = None if stack.configs[0].boosting else stack.network.parameter_count()
    summaries = []
    for r, (config, dataset) in enumerate(zip(stack.configs, stack.datasets, strict=True)):
        trivial = {
            f"{split}/{task}/{metric}": value
            for split, figures in stack.trivial.items()
            for (task, metric), value in figures[r].items()
            if math.isfinite(value)
        }
        rows = {"table": len(dataset.codes)} | {p: len(members) for p, members in dataset.split.parts().items()}
        summaries.append(
            EMPTY
            | {
                "status": "running",
                "seed": config.seed,
                "settings": as_mapping(config),
                "config_hash": config_hash(config),
                "data_hash": dataset.hash,
                "versions": versions,
                "hardware": hardware,
                "git": git,
                "trivial": trivial,
                "rows": rows,
                "parameters": parameters,
                "packages": used_by(config),
            }
        )
    return summaries


def _closing(dataset: Dataset, summary: dict[str, Any]) -> list[str]:
    types = {t: target.type for t, target in dataset.targets.items()}
    return closing_lines(summary, types, {t: target.primary for t, target in dataset.targets.items()})
