"""The plan of a sweep, sweep.json: the list of its runs."""

import contextlib
import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from mtlrun.storage.files import as_json, create, locked, write_json, write_text
from mtlrun.storage.names import BEST, PLAN, SUMMARY
from mtlrun.util.errors import RequestError
from mtlrun.util.shell import resume_command
from mtlrun.util.terminal import typed

COMMAND = "command.txt"
STACKS = ".stacks"  # folder of the checkpoints of stacks in training
LOCK = ".results.lock"
RUN = re.compile(r"(?!\.+\Z)[A-Za-z0-9._=,+-]+")  # the name of a run's folder; it cannot lead out of the sweep's folder
SEEDS = ("data.split.seed", "seed")
SEED = re.compile(r"\d{1,10}")
MAX_NAME = 80  # TensorBoard shows folder names in full


def _texts(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(text, str) for text in value)


def _whole(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0


# The allowed values in a plan, by key: a check, and the description for the error message.
_JOB: dict[str, tuple[Callable[[Any], bool], str]] = {
    "run": (lambda v: isinstance(v, str) and RUN.fullmatch(v) is not None, "the name of a folder in the sweep's"),
    "overrides": (
        lambda v: isinstance(v, dict) and not any(isinstance(x, (dict, list)) for x in v.values()),
        "a mapping of single values",
    ),
    "arguments": (_texts, "a list of texts"),
    "drawn": (_texts, "a list of texts"),
    "arm": (lambda v: isinstance(v, str), "a text"),
    "config": (lambda v: isinstance(v, dict), "a mapping"),
    "packages": (lambda v: isinstance(v, dict) and _texts([*v.values()]), "a mapping of texts"),
    "data_hash": (lambda v: v is None or isinstance(v, str), "a text"),
    "steps": (_whole, "a whole number"),
    "stack": (_whole, "a whole number"),
    "processes": (_whole, "a whole number"),
}


def folder_name(number: int, count: int, swept: Mapping[str, str], label: str = "") -> str:
    """The name of a run's folder: `007_loss=uncertainty,seed=2`, or `007_plain-sum,seed=2` for an arm with a label.

    The number makes it unique. It has at most 80 characters, all safe in file systems and shells. A longer name is
    cut before the seed, and dots mark the cut.
    """
    digits = max(3, len(str(count - 1)))
    called = ["-".join(re.findall(r"\w[\w.=-]*", label))] if label else []
    words = ",".join([*called, *(f"{key}={_lists_joined(value)}" for key, value in swept.items())])
    words = re.sub(r"[\[\](){}'\" ]", "", words)
    words = re.sub(r"[^A-Za-z0-9._=,+-]", "-", words)
    name = f"{number:0{digits}d}_{words}".rstrip("._,")
    if len(name) <= MAX_NAME:
        return name
    seeds = [f"{key}={value}" for key, value in swept.items() if key in SEEDS and SEED.fullmatch(value)]
    end = "".join(f",{seed}" for seed in seeds)
    kept = ",".join(words for words in name.split(",") if words not in seeds)
    return f"{kept[: MAX_NAME - len(end) - 2].rstrip('._,')}..{end}" if end else name[:MAX_NAME].rstrip("._,")


def _lists_joined(value: str) -> str:
    """The elements of lists in a list joined by +: price+kind,sold for [[price,kind],[sold]]."""
    if not value.startswith("[["):
        return value
    return re.sub(r"\[([^\[\]]*)\]", lambda inner: inner[1].replace(",", "+"), value)


def without_seed(name: str) -> str:
    """The setting in the name of a run's folder, without number and seed: `loss=sum` for `003_loss=sum,seed=2`."""
    words = name.partition("_")[2].split(",")
    kept = [word for word in words if word.partition("=")[0] not in SEEDS]
    return ",".join(kept) or name


def write_plan(sweep_dir: Path, plan: list[dict[str, Any]], command: str = "") -> None:
    """Writes the job list, which marks the folder as taken. Raises FileExistsError if another command was first.

    A job is {run: FOLDER, overrides: {KEY: VALUE}}, with arm: LABEL if its arm has a label. To train it: arguments (the
    overrides that Hydra gets), config, steps (the largest number), and stack (its number) if runs train in stacks.
    `command`: the command line that asked for the sweep.
    """
    create(sweep_dir / PLAN, as_json(plan))
    if command:
        write_text(sweep_dir / COMMAND, command + "\n")


def read_plan(sweep_dir: Path) -> list[dict[str, Any]]:
    """Reads the job list that `write_plan` wrote. Raises RequestError if it is missing, damaged or not allowed."""
    path = sweep_dir / PLAN
    mend = "restore the file, or sweep anew in another folder"
    if path.exists() and not path.is_file():
        raise RequestError(f"{path}: is no file\n{mend}")
    try:
        text = path.read_text(encoding="utf-8")
        if not text:
            raise RequestError(
                f"{path}: empty, this sweep was stopped before its first run\nremove the folder, and sweep anew"
            )
        plan = json.loads(text)
    except OSError as error:
        raise RequestError(f"{path}: not readable ({error.strerror})\n{mend}") from None
    except (ValueError, RecursionError):
        raise RequestError(f"{path}: not readable as JSON\n{mend}") from None
    if not isinstance(plan, list) or not plan or not all(isinstance(job, dict) for job in plan):
        raise RequestError(f"{path}: not the plan of a sweep\n{mend}")
    for number, job in enumerate(plan):
        for key, (sound, words) in _JOB.items():
            if key in job and not sound(job[key]):
                raise RequestError(
                    f"{path}: {key} of run {number + 1} is {str(job[key])[:80]!r}\nallowed: {words}; {mend}"
                )
        if "run" not in job:
            raise RequestError(f"{path}: run {number + 1} has no name\n{mend}")
        job.setdefault("overrides", {})
    if len({job["run"] for job in plan}) < len(plan):
        raise RequestError(f"{path}: two runs have the same name\n{mend}")
    return plan


def how_to_get_a_model(folder: Path) -> str:
    """The advice for a folder without a trained model: it may be an unfinished run, a sweep, or a folder of runs."""
    if (folder / SUMMARY).exists():
        return f"finish it: {resume_command(folder)}"
    sweep = (folder / PLAN).exists()
    what = "this is a sweep" if sweep else "this folder holds runs"
    for depth in range(1, 4):  # outputs/NAME/DATE/RUN
        run = min(folder.glob("*/" * depth + BEST.as_posix()), default=None)
        if run is not None:
            return f"{what}: name one of its runs, such as {typed(run.parent.parent)}"
    return f"{what}, of which no run has a model yet: {resume_command(folder)}" if sweep else "no run is there"


@contextlib.contextmanager
def restacked(sweep_dir: Path, stacks: Sequence[Sequence[int]]) -> Iterator[list[int]]:
    """Divides runs into new stacks. Gives the numbers of the stacks, and writes them to the plan after the body.

    stacks: for each new stack the numbers of its runs
    Holds a lock, so that workers that do this at once get different numbers.
    """
    with locked(sweep_dir / LOCK):
        plan = read_plan(sweep_dir)
        first = max(job["stack"] for job in plan) + 1
        numbers = list(range(first, first + len(stacks)))
        yield numbers
        for number, runs in zip(numbers, stacks, strict=True):
            for run in runs:
                plan[run]["stack"] = number
        write_json(sweep_dir / PLAN, plan)
