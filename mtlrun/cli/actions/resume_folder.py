"""`mtlrun resume DIR`: resumes an interrupted run, sweep or search."""

from mtlrun.cli.parse import Words
from mtlrun.storage.latest import named_folder
from mtlrun.storage.names import TUNE


def act(words: Words) -> int:
    """Returns the exit status."""
    (word,) = words.operands(1)
    folder = named_folder(word)
    if (folder / TUNE).is_file():
        from mtlrun.tune.tune_folder import resume_tune

        return resume_tune(folder.resolve())
    from mtlrun.sweeps.resuming import resume

    return resume(folder)
