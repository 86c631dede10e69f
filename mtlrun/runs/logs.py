"""The log of a run that Hydra does not start, and the command for TensorBoard."""

import contextlib
import logging
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

from mtlrun.storage.writer import LOG_FORMAT
from mtlrun.util.shell import quoted
from mtlrun.util.terminal import shown


@contextlib.contextmanager
def logged_to(path: Path) -> Iterator[None]:
    """Logs to the terminal and to the file `path` meanwhile, with the settings that conf/config.yaml gives a run."""
    console = logging.StreamHandler(sys.stdout)
    console.setLevel(logging.INFO)
    console.setFormatter(logging.Formatter("%(message)s"))
    file = logging.FileHandler(path, encoding="utf-8")
    file.setFormatter(LOG_FORMAT)
    root = logging.getLogger()
    root.setLevel(logging.INFO)
    root.handlers[:] = [console, file]
    logging.getLogger("mtlrun").setLevel(logging.DEBUG)
    try:
        yield
    finally:
        for handler in (console, file):
            root.removeHandler(handler)
            handler.close()


def tensorboard_command(folder: Path) -> str:
    """The command that opens TensorBoard on `folder`. It has a path if `tensorboard` is not on the PATH."""
    beside = Path(sys.executable).parent / "tensorboard"
    on_path = shutil.which("tensorboard")
    program = "tensorboard" if on_path or not beside.exists() else shown(beside)
    return quoted(program, "--logdir", shown(folder))
