"""The request of a command line, and `--cfg`, which prints its configuration."""

from mtlrun.cli.parse import Words
from mtlrun.compose import Request, compose, single
from mtlrun.config.schema import as_mapping
from mtlrun.storage.hydra_folder import dump
from mtlrun.util.errors import RequestError
from mtlrun.util.terminal import say


def request_of(words: Words) -> Request:
    """Composes the request from the overrides. Raises RequestError if they are wrong."""
    return compose(words.words, words.options.get("config_dir"), "multirun" in words.options)


def print_configuration(request: Request, part: str) -> int:
    """`--cfg job`: prints the checked configuration of a run as YAML. Reads no table and trains nothing."""
    if part != "job":
        raise RequestError(f"--cfg: found {part}\nallowed: job; Hydra's part is in .hydra/hydra.yaml of each run")
    if request.sweep:
        raise RequestError("--cfg: for one run, and this is a sweep\nmtlrun check with the same words lists its runs")
    say(dump(as_mapping(single(request))).rstrip())
    return 0
