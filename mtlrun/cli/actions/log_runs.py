"""`mtlrun log DIR... --to mlflow|wandb`: sends finished runs to another tool."""

from mtlrun.cli.parse import Words
from mtlrun.trackers.send import send
from mtlrun.util.errors import RequestError


def act(words: Words) -> int:
    """Returns the exit status."""
    folders = [words.run_folder(word) for word in words.operands(1, more=True)]
    if "to" not in words.options:
        raise RequestError(f"log: --to is missing\n{words.usage}")
    options = words.options
    return send(folders, options["to"], options.get("uri"), options.get("project"), "checkpoints" in options)
