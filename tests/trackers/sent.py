"""What is sent of the runs in a folder."""

from pathlib import Path

from mtlrun.compare.collect.folders import collect
from mtlrun.trackers.content import Content, content_of_run


def contents(folder: Path, checkpoints: bool = False) -> list[Content]:
    return [content_of_run(run, checkpoints) for run in collect([folder], to_compare=False).runs]
