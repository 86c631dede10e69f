"""What was asked of a run: .hydra/ of its folder, with the names that Hydra gives these files."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from mtlrun.results.files import create_folder, write_text
from mtlrun.util.errors import RequestError

FOLDER = ".hydra"
CONFIG, WORDS, HYDRA = "config.yaml", "overrides.yaml", "hydra.yaml"


def claim(folder: Path, config: Mapping[str, Any], words: Sequence[str], hydra: str) -> None:
    """Takes a run's folder in one step: of two commands at once, one gets it.

    Raises FileExistsError or OSError (ENOTEMPTY) where it is taken.
    """

    def fill(inside: Path) -> None:
        for name, text in ((CONFIG, dump(config)), (WORDS, dump(list(words))), (HYDRA, hydra)):
            (inside / name).write_text(text, encoding="utf-8")

    create_folder(folder / FOLDER, fill)


def write(folder: Path, config: Mapping[str, Any], words: Sequence[str]) -> None:
    """The complete configuration of the run in `folder`, and the words that asked for it, over what was there."""
    write_text(folder / FOLDER / CONFIG, dump(config))
    write_text(folder / FOLDER / WORDS, dump(list(words)))


def read_config(folder: Path) -> dict[str, Any] | None:
    """The configuration of the run in `folder`, not yet checked; None where there is none.

    Raises RequestError where it is no mapping in YAML.
    """
    path = folder / FOLDER / CONFIG
    mend = "restore the file, or train anew in another folder"
    try:
        tree = _load(path)
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        raise RequestError(f"{path}: not readable ({error.strerror})\n{mend}") from None
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        why = getattr(error, "problem", None) or type(error).__name__
        raise RequestError(f"{path}: no YAML ({why})\n{mend}") from None
    if not isinstance(tree, dict) or not all(isinstance(key, str) for key in tree):
        raise RequestError(f"{path}: holds no settings\n{mend}")
    return tree


def read_words(folder: Path) -> list[str]:
    """The words that asked for the run in `folder`, as far as they are known."""
    try:
        words = _load(folder / FOLDER / WORDS)
    except (OSError, yaml.YAMLError, ValueError, RecursionError):
        return []
    return [word for word in words if isinstance(word, str)] if isinstance(words, list) else []


def dump(tree: Any) -> str:
    """Plain values as YAML, by libyaml where it is there: a sweep writes many."""
    dumper = getattr(yaml, "CSafeDumper", yaml.SafeDumper)
    return str(yaml.dump(tree, Dumper=dumper, sort_keys=False, allow_unicode=True))


def _load(path: Path) -> Any:
    # Never a loader that makes objects: the file may be a stranger's.
    return yaml.load(path.read_text(encoding="utf-8"), getattr(yaml, "CSafeLoader", yaml.SafeLoader))
