"""Trains a stack of R runs into their folders. A single run is a stack with R = 1."""

import contextlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mtlrun.config.length import length_notes
from mtlrun.config.schema import Config, as_mapping
from mtlrun.config.stages import PRETRAIN
from mtlrun.engine import checkpoint
from mtlrun.engine.boosting import Boosting, run_notes
from mtlrun.engine.checkpoint import BEGIN_ANEW
from mtlrun.engine.loop import Training
from mtlrun.engine.stack import Stack
from mtlrun.runs.build import build_stack
from mtlrun.runs.initial_summary import initial_summaries
from mtlrun.runs.reporting import Reporter, State
from mtlrun.runs.size import size
from mtlrun.runs.stack_of_runs import StackOfRuns
from mtlrun.runs.transfer import Start, from_state, saved_length, start_of
from mtlrun.storage import hydra_folder
from mtlrun.storage.files import write_json
from mtlrun.storage.names import SUMMARY
from mtlrun.storage.summary import EMPTY, ENDED, read, record_end, status_of


@dataclass(frozen=True)
class Built:
    """A stack that is built, and for each run the trunk that it takes over; None: initial values from its seed."""

    stack: Stack
    starts: Sequence[Start | None]


def train_stack(
    runs: StackOfRuns, reporter: Reporter, state: State | None = None, built: Built | None = None
) -> list[dict[str, Any]]:
    """Trains a stack of runs into their folders and returns their summaries. The status of some may be "failed".

    state: the result of `runs.saved_state()`, to continue from it
    built: the stack, if it is built already
    Runs that ended before keep their place in the stack, so that the results of the others stay equal bit for bit.
    They are not trained and their files are not written. Raises Interrupted after a signal.

    With `model.pretrain` the first stages of all runs train before, as a separate stack. If a first stage fails, its
    run fails too.
    """
    steps_before = _train_first_stages(runs, reporter, state is not None)
    if runs.configs[0].boosting:
        state = None  # boosting saves no checkpoint while it trains
    if built is None:
        built = _build(runs, state)
    ended_before = [status_of(folder) in ENDED and not runs.retry for folder in runs.folders]
    summaries = _summaries(runs, built.stack, reporter.number, ended_before)
    if state is None:
        _write(runs.folders, summaries, ended_before)
    training: Training | Boosting
    if runs.configs[0].boosting:  # a stack of one run, see sweeps/division.py
        training = Boosting(built.stack, runs.folders[0], summaries[0], reporter.end)
    else:
        with checkpoint.read_from(runs.checkpoint, BEGIN_ANEW) if state is not None else contextlib.nullcontext():
            training = Training(
                built.stack, runs.folders, summaries, runs.checkpoint, state, reporter.line, reporter.end
            )
        if failed := [m for m in training.members if m.ended and not ended_before[m.at]]:
            reporter.failed_before(failed)
    if state is not None:  # not before `Training` has accepted the state: if it cannot, all files stay as they were
        _write(runs.folders, summaries, ended_before)
    for member in training.running:
        start = None if state is not None else built.starts[member.at]
        origin = [] if start is None else [start.words, *start.notes]
        length = [built.stack.length.in_words()] if not member.config.boosting else []
        notes = [*run_notes(member.config, member.dataset), *length_notes(member.config, built.stack.length)]
        reporter.begin(member, state, [*notes, *origin, *length])
    progress = reporter.progress(training.total, built.stack.network.tasks)
    progress.before = steps_before
    summaries = training.train(progress)
    reporter.close()
    return summaries


def _build(runs: StackOfRuns, state: State | None) -> Built:
    """Builds the stack. To continue from `state`, the runs that trunks came from are not read."""
    starts: list[Start | None]
    if state is not None:
        with checkpoint.read_from(runs.checkpoint, BEGIN_ANEW):
            starts = from_state(state)
            length = saved_length(state)
            return Built(build_stack(runs.configs, runs.datasets, starts, length), starts)
    each = zip(runs.configs, runs.datasets, runs.folders, strict=True)
    starts = [start_of(config, dataset.spec, folder) for config, dataset, folder in each]
    return Built(build_stack(runs.configs, runs.datasets, starts), starts)


def _summaries(runs: StackOfRuns, stack: Stack, number: int, ended_before: Sequence[bool]) -> list[dict[str, Any]]:
    """The summary of each run before training.

    A run that ended before keeps its summary. A run whose first stage failed has status "failed".
    """
    summaries = []
    each = zip(runs.configs, runs.folders, initial_summaries(stack), ended_before, strict=True)
    for config, folder, summary, ended in each:
        if ended:
            summary = EMPTY | (read(folder) or {})
        else:
            summary["stack"] = {"id": number, "size": len(runs.folders)}
            if (error := _error_of_first(config, folder)) is not None:
                summary |= {"status": "failed", "error": error}
        summaries.append(summary)
    return summaries


def _write(folders: Sequence[Path], summaries: Sequence[dict[str, Any]], ended_before: Sequence[bool]) -> None:
    """Writes the summaries of the runs that did not end before."""
    for folder, summary, ended in zip(folders, summaries, ended_before, strict=True):
        if ended:
            continue
        write_json(folder / SUMMARY, summary)
        if summary["status"] in ENDED:  # its first stage failed
            record_end(folder, summary["status"])  # writes the header of metrics.csv


# ---------------------------------------------------------------- first stages


def _train_first_stages(runs: StackOfRuns, reporter: Reporter, done: bool) -> int:
    """Trains the first stages of the runs unless they are `done`. Returns the largest number of steps of one of them.

    Returns 0 without `model.pretrain`.
    """
    firsts = runs.first_stages()
    if firsts is None:
        return 0
    if not done and not all(status_of(folder) in ENDED for folder in firsts.folders):
        for first, folder in zip(firsts.configs, runs.folders, strict=True):
            _describe_first(first, folder)
        state = firsts.saved_state()
        with reporter.first_stages(firsts, state, size(runs.configs[0], runs.datasets[0]).steps) as inner:
            train_stack(firsts, inner, state)
        if len(runs.folders) > 1:
            firsts.checkpoint.unlink(missing_ok=True)
    return size(firsts.configs[0], firsts.datasets[0]).steps


def _describe_first(first: Config, folder: Path) -> None:
    """Writes .hydra/ of the first stage of the run in `folder`: its configuration and equivalent overrides."""
    changed = ("only", "model.pretrain", "model.freeze")
    words = [word for word in hydra_folder.read_words(folder) if word.lstrip("+~").split("=")[0] not in changed]
    hydra_folder.write(folder / PRETRAIN, as_mapping(first), [*words, f"only=[{','.join(first.active)}]"])


def _error_of_first(config: Config, folder: Path) -> str | None:
    """Why the first stage of the run in `folder` failed; None if it did not fail or there is none."""
    if config.net.pretrain is None or status_of(folder / PRETRAIN) != "failed":
        return None
    return f"in the first stage, {PRETRAIN}/: {(read(folder / PRETRAIN) or {}).get('error')}"
