"""`mtlrun compare DIR...`: compares the results of runs."""

from pathlib import Path

from mtlrun.cli.parse import Words


def compare(words: Words) -> int:
    """Compares the runs in the folders. Returns the exit status."""
    from mtlrun.compare.command import compare as compare_folders

    return compare_folders([Path(word) for word in words.words], words.options)
