"""Estimates how long a sweep takes, from a few steps."""

import multiprocessing
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path

import torch

from mtlrun.compose import PlannedRun
from mtlrun.config.schema import Config, as_mapping
from mtlrun.data.dataset import load_dataset
from mtlrun.engine import hardware
from mtlrun.runs.rehearse import rehearse
from mtlrun.runs.size import Size
from mtlrun.storage import hydra_folder
from mtlrun.sweeps.division import Division

MEASURED_RUNS = 4  # runs in the larger of the two stacks that are measured
MEASURED_SHAPES = 8  # any other shape is assumed to take as long as the measured one nearest in size
ENOUGH = 0.25  # seconds of processor time; if measuring one run takes longer, no larger stack is measured


class NotMeasured(Exception):
    """The few steps failed. The message says why."""


@dataclass(frozen=True)
class Shape:
    """A few runs to be measured, of a group that may share a stack. `bytes`: the memory that one run needs."""

    configs: Sequence[Config]
    bytes: int


@dataclass(frozen=True)
class Line:
    """The seconds that a stack of R runs takes: fixed + each · R."""

    fixed: float
    each: float

    def __call__(self, runs: int) -> float:
        return self.fixed + self.each * runs


def time_line(runs: Sequence[PlannedRun], sizes: Sequence[Size], divided: Division, processes: int) -> str:
    """A line on how long a sweep takes at most with `processes` parallel processes of this machine; see `seconds`."""
    try:
        taken = seconds(runs, sizes, divided, processes)
    except NotMeasured as error:  # training will report the error and its run
        return f"how long it takes is not known: a few steps of it ended with {error}"
    stays = not any(size.length is not None and size.length.may_stop_early for size in sizes)
    at_most = "" if stays else ", less where runs stop early"
    at_once = max(1, min(processes, len(divided.stacks)))
    where = f" on {at_once} processes" if at_once > 1 else ""
    return f"about {in_words(taken)}{where}{at_most}"


def seconds(runs: Sequence[PlannedRun], sizes: Sequence[Size], divided: Division, processes: int) -> float:
    """The seconds that a sweep takes at most with `processes` parallel processes of this machine.

    Measures a stack of one run, and one of up to four runs, of every shape: builds it, takes some steps, an evaluation
    and the end of each run. The measurements run in separate processes, as many in parallel as in training. The time of
    a stack of R runs is assumed to be a + b R. Raises NotMeasured if the few steps fail.
    """
    at_once = max(1, min(processes, len(divided.stacks)))
    largest: dict[int, list[int]] = {}
    for stack, group in zip(divided.stacks, divided.group, strict=True):
        largest[group] = max(largest.get(group, []), stack, key=len)
    shapes = {}
    for group, stack in largest.items():
        spread = [stack[i * len(stack) // MEASURED_RUNS] for i in range(MEASURED_RUNS)]
        few = stack if len(stack) <= MEASURED_RUNS else list(dict.fromkeys(spread))
        shapes[group] = Shape([runs[n].config for n in few], sizes[few[0]].bytes)
    lines = _measured(shapes, at_once)
    # the same order as in pool.train_all: the largest stack first, each to the process that is free first
    free = [0.0] * at_once
    for stack, group in sorted(zip(divided.stacks, divided.group, strict=True), key=lambda pair: -len(pair[0])):
        free[free.index(min(free))] += lines[group](len(stack))
    return max(free)


def in_words(seconds: float) -> str:
    """A time for people to read: 1 s, 40 s, 12 min, 3.5 h."""
    if seconds < 90:
        return f"{max(1, round(seconds, -1 if seconds >= 20 else 0)):.0f} s"
    if seconds < 90 * 60:
        return f"{seconds / 60:.0f} min"
    return f"{seconds / 3600:.1f} h"


def _measured(shapes: dict[int, Shape], at_once: int) -> dict[int, Line]:
    """The time of stacks of each shape. If there are too many shapes, some get the time of the nearest in size."""
    chosen = sorted(shapes, key=lambda group: shapes[group].bytes)
    if len(chosen) > MEASURED_SHAPES:
        chosen = [chosen[i * (len(chosen) - 1) // (MEASURED_SHAPES - 1)] for i in range(MEASURED_SHAPES)]
    with tempfile.TemporaryDirectory(prefix="mtlrun-") as folder:
        if hardware.forks([config for shape in shapes.values() for config in shape.configs]):
            lines = _in_processes({group: shapes[group] for group in chosen}, at_once, Path(folder))
        else:
            lines = {group: _line(shapes[group], Path(folder) / str(group)) for group in chosen}
    near = {g: min(chosen, key=lambda c: abs(shapes[c].bytes - shape.bytes)) for g, shape in shapes.items()}
    return {group: lines[near[group]] for group in shapes}


def _in_processes(shapes: dict[int, Shape], at_once: int, folder: Path) -> dict[int, Line]:
    """Measures shapes in `at_once` parallel processes, which slow each other down as they will in training.

    The processes share the shapes. If there are fewer shapes than processes, every process measures all shapes, and the
    result is the mean.
    """
    groups = list(shapes)
    shares = [groups[i::at_once] if len(groups) >= at_once else groups for i in range(at_once)]
    context = multiprocessing.get_context("fork")
    started = []
    try:
        for number, share in enumerate(shares):
            receiving, sending = multiprocessing.Pipe(duplex=False)
            shapes_of_process = {group: shapes[group] for group in share}
            process = context.Process(target=_child, args=(shapes_of_process, folder / str(number), at_once, sending))
            process.start()
            sending.close()
            started.append((process, receiving))
        answers: list[dict[int, Line]] = []
        for _, receiving in started:
            answer = receiving.recv()
            if isinstance(answer, NotMeasured):
                raise answer
            answers.append(answer)
    except EOFError:  # the system killed a process, probably for lack of memory
        raise NotMeasured("the end of its process") from None
    finally:
        for process, _ in started:
            process.kill()
            process.join()
    return {group: _mean([answer[group] for answer in answers if group in answer]) for group in groups}


def _mean(lines: Sequence[Line]) -> Line:
    return Line(sum(x.fixed for x in lines) / len(lines), sum(x.each for x in lines) / len(lines))


def _child(shapes: dict[int, Shape], folder: Path, at_once: int, connection: Connection) -> None:
    hardware.single = False
    hardware.most_threads = max(1, hardware.cores() // at_once)
    torch.set_num_threads(1)
    try:
        connection.send({group: _line(shape, folder / str(group)) for group, shape in shapes.items()})
    except NotMeasured as error:
        connection.send(error)


def _line(shape: Shape, folder: Path) -> Line:
    one, spent = _seconds(shape.configs[:1], folder / "one")
    runs = len(shape.configs)
    if runs == 1 or spent > ENOUGH:
        return Line(0.0, one)
    several, _ = _seconds(shape.configs, folder / "several")
    each = max(0.0, (several - one) / (runs - 1))
    return Line(max(0.0, one - each), each)


def _seconds(configs: Sequence[Config], folder: Path) -> tuple[float, float]:
    """The seconds that a stack takes at most, and the seconds of processor time that the measurement took."""
    began, busy = time.monotonic(), time.process_time()
    folders = [folder / str(number) for number in range(len(configs))]
    try:
        datasets = [load_dataset(config) for config in configs]
        for config, place in zip(configs, folders, strict=True):
            hydra_folder.write(place, as_mapping(config), [])
        prepared = time.monotonic() - began
        return prepared + rehearse(configs, datasets, folders), time.process_time() - busy
    except Exception as error:
        words = "; ".join(str(error).splitlines())
        raise NotMeasured(f"{type(error).__name__}: {words[:200]}") from error
