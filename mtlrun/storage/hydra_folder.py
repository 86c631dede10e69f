"""The folder .hydra/ of a run: its configuration and overrides, in files named as Hydra names them."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from mtlrun.storage.files import create_folder, write_text
from mtlrun.storage.names import HYDRA_FOLDER
from mtlrun.util.errors import RequestError

CONFIG, WORDS, HYDRA = "config.yaml", "overrides.yaml", "hydra.yaml"


def claim(folder: Path, config: Mapping[str, Any], words: Sequence[str], hydra: str) -> None:
    """Takes a run's folder by creating .hydra/ in one step, so that only one of two commands gets it.

    Raises FileExistsError or OSError (ENOTEMPTY) if it is taken.
    """

    def fill(inside: Path) -> None:
        for name, text in ((CONFIG, dump(config)), (WORDS, dump(list(words))), (HYDRA, hydra)):
            (inside / name).write_text(text, encoding="utf-8")

    create_folder(folder / HYDRA_FOLDER, fill)


def write(folder: Path, config: Mapping[str, Any], words: Sequence[str]) -> None:
    """Writes the complete configuration and the overrides of the run in `folder`. Replaces existing files."""
    write_text(folder / HYDRA_FOLDER / CONFIG, dump(config))
    write_text(folder / HYDRA_FOLDER / WORDS, dump(list(words)))


def read_config(folder: Path) -> dict[str, Any] | None:
    """The configuration of the run in `folder`, not yet checked; None if there is none.

    Raises RequestError if the file cannot be read or is no mapping in YAML.
    """
    path = folder / HYDRA_FOLDER / CONFIG
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
    """The overrides of the run in `folder`; an empty list if they are not readable."""
    try:
        words = _load(folder / HYDRA_FOLDER / WORDS)
    except (OSError, yaml.YAMLError, ValueError, RecursionError):
        return []
    return [word for word in words if isinstance(word, str)] if isinstance(words, list) else []


def dump(tree: Any) -> str:
    """Plain values as YAML. Uses libyaml if available, because a sweep writes many files."""
    dumper = getattr(yaml, "CSafeDumper", yaml.SafeDumper)
    return str(yaml.dump(tree, Dumper=dumper, sort_keys=False, allow_unicode=True))


def _load(path: Path) -> Any:
    # A loader that creates objects could execute code, and the user may not trust the file.
    return yaml.load(path.read_text(encoding="utf-8"), getattr(yaml, "CSafeLoader", yaml.SafeLoader))
