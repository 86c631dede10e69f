"""`mtlrun resume DIR`: resumes an interrupted run or sweep."""

from pathlib import Path

from mtlrun.cli.parse import Words


def resume(words: Words) -> int:
    """Resumes the run or sweep in the folder. Returns the exit status."""
    (folder,) = words.operands(1)
    from mtlrun.sweeps.resuming import resume as resume_folder

    return resume_folder(Path(folder))
