"""The word `latest` in the place of a folder: the last run, sweep or search below the folder of all results."""

import os
from collections.abc import Iterator
from pathlib import Path

from mtlrun.storage.names import CONFIRMATION, HYDRA_FOLDER, OUTPUTS, PLAN, TUNE
from mtlrun.util.errors import RequestError
from mtlrun.util.terminal import say, shown

LATEST = "latest"
MARKS = (TUNE, PLAN, HYDRA_FOLDER)  # the first file of a search, a sweep, a run


def named_folder(word: str, of_search: str = "") -> Path:
    """The folder that a word names. `latest` is the run, sweep or search below ./outputs that was started last.

    of_search: the part of a search that is meant; "" means the search itself. It is meant only if it exists.

    Prints one line on stderr that says which folder `latest` is. Raises RequestError if there is none. A file or folder
    called latest is meant by its name.
    """
    if word != LATEST:
        return Path(word)
    if Path(LATEST).exists():
        say(f"{LATEST}: the {'folder' if Path(LATEST).is_dir() else 'file'} of this name", error=True)
        return Path(LATEST)
    started = sorted(_started(Path(OUTPUTS)))
    if not started:
        raise RequestError(
            f"{LATEST}: there is no run, sweep or search below ./{OUTPUTS}\n"
            "allowed: a folder, or latest after something was trained here"
        )
    folder = started[-1][1]
    if of_search and (folder / TUNE).is_file() and (folder / of_search / PLAN).is_file():
        folder /= of_search
    say(f"{LATEST}: {shown(folder)}", error=True)
    return folder


def model_folder(word: str) -> Path:
    """`named_folder` for a command that compares or uses trained runs: of a search, the sweep of its confirmation."""
    return named_folder(word, CONFIRMATION)


def _started(folder: Path) -> Iterator[tuple[int, Path]]:
    """(when it was started, folder) of each run, sweep and search below a folder. Follows no links."""
    try:
        entries = {entry.name: entry for entry in os.scandir(folder)}
    except OSError:  # none, or not to be read
        return
    for mark in MARKS:
        if mark in entries:
            yield entries[mark].stat(follow_symlinks=False).st_mtime_ns, folder
            return
    for name, entry in entries.items():
        if not name.startswith(".") and entry.is_dir(follow_symlinks=False):
            yield from _started(folder / name)
