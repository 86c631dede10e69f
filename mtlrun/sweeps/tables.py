"""Checks the tables of a sweep's runs, as far as that is possible without torch."""

import contextlib
from collections.abc import Iterator, Sequence

from mtlrun.compose import PlannedRun
from mtlrun.data.dataset import load_dataset
from mtlrun.data.paths import require_files
from mtlrun.util.errors import RequestError


@contextlib.contextmanager
def in_run(member: PlannedRun) -> Iterator[None]:
    """Adds the name of the run to a RequestError."""
    try:
        yield
    except RequestError as error:
        raise RequestError(f"{error} (in {member.run})") from error


def require_tables(runs: Sequence[PlannedRun]) -> None:
    """Checks that the files of every run exist, and loads the data of the first run.

    Raises RequestError that names the wrong run.
    """
    for member in runs:
        with in_run(member):
            require_files(member.config.data.path, member.config.data.split.files or {})
    for member in runs[:1]:
        with in_run(member):
            load_dataset(member.config)
