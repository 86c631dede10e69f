"""The tables of a sweep's runs, read as far as a wrong one can be told without torch."""

import contextlib
from collections.abc import Iterator, Sequence

from mtlrun.compose import PlannedRun
from mtlrun.data.dataset import load_dataset
from mtlrun.data.paths import require_files
from mtlrun.util.errors import RequestError


@contextlib.contextmanager
def in_run(member: PlannedRun) -> Iterator[None]:
    """Says in which run of a sweep a request is wrong."""
    try:
        yield
    except RequestError as error:
        raise RequestError(f"{error} (in {member.run})") from error


def require_tables(runs: Sequence[PlannedRun]) -> None:
    """Looks for the files of every run, and reads those of the first. Raises RequestError that says in which run a
    request is wrong."""
    for member in runs:
        with in_run(member):
            require_files(member.config.data.path, member.config.data.split.files or {})
    for member in runs[:1]:
        with in_run(member):
            load_dataset(member.config)
