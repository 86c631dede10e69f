"""chosen.json: what --tune tried and chose, written next to the runs that --confirm trains."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from mtlrun.storage.files import write_json

FILE = "chosen.json"
Trial = tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class Choice:
    """How the settings of a row were found: the trials, and the chosen value of each key.

    If single-task nets chose separately for each task, the keys are `KEY (TASK)`.
    """

    tried: tuple[Trial, ...]
    chosen: Mapping[str, str]


def write_choices(folder: Path, choices: Sequence[tuple[Choice, Sequence[str]]]) -> None:
    """Writes chosen.json: each choice with the names of the runs that it was made for."""
    write_json(
        folder / FILE,
        [
            {"runs": list(runs), "tried": [dict(trial) for trial in choice.tried], "chosen": dict(choice.chosen)}
            for choice, runs in choices
        ],
    )


def read_choices(folder: Path) -> dict[str, Choice]:
    """Name of a run -> its choice, for the runs of a folder; {} if nothing was chosen.

    Raises OSError or ValueError if the file cannot be read.
    """
    if not (folder / FILE).is_file():
        return {}
    choices: dict[str, Choice] = {}
    try:
        for entry in json.loads((folder / FILE).read_text(encoding="utf-8")):
            tried = tuple(tuple((str(k), str(v)) for k, v in trial.items()) for trial in entry["tried"])
            choice = Choice(tried, {str(k): str(v) for k, v in entry["chosen"].items()})
            choices |= dict.fromkeys(entry["runs"], choice)
    except (AttributeError, KeyError, TypeError, RecursionError) as error:
        raise ValueError(f"{FILE} is not what --confirm writes") from error
    return choices
