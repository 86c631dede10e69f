"""The paths of tables. Imports nothing heavy, so that a missing file is reported fast."""

import importlib.resources
import os
from pathlib import Path

from mtlrun.config import extensions
from mtlrun.config.extensions import SUFFIXES
from mtlrun.util.errors import RequestError, listing, nearest
from mtlrun.util.registry import REFERENCES, unusable

# data set -> the files that `data.path=fetched:FILE` may name
DATASETS = {"census_income": ("census_income_train.parquet", "census_income_test.parquet"), "yeast": ("yeast.parquet",)}


def data_folder() -> Path:
    """The folder of fetched data: `$MTLRUN_DATA`, else `mtlrun` in `$XDG_CACHE_HOME`, else `~/.cache/mtlrun`."""
    if folder := os.environ.get("MTLRUN_DATA"):
        return Path(folder).expanduser().absolute()
    cache = os.environ.get("XDG_CACHE_HOME")
    return (Path(cache).expanduser() if cache else Path.home() / ".cache") / "mtlrun"


def resolve_path(path: str | None, key: str = "data.path") -> Path:
    """The absolute path for a path of the configuration.

    package:FILE           a file shipped with mtlrun
    package:PACKAGE/FILE   a file shipped with an installed package
    fetched:FILE           a file that `mtlrun fetch` has put into `data_folder()`
    synthetic:NAME         a generated table, not a file; returned unchanged
    anything else          a file, relative to the working directory; its existence is not checked

    Raises RequestError for null, for an unknown file of a package or synthetic problem, and for a file that was not
    fetched.
    """
    if path is None or not path.strip():
        raise RequestError(f"{key}: none is given\nset it: data=table {key}=FILE, or choose a data set: data=diamonds")
    scheme, _, name = path.partition(":")
    return _SCHEMES[scheme](name, key) if scheme in _SCHEMES else absolute(path, key)


def _shipped(name: str, key: str) -> Path:
    folder = Path(str(importlib.resources.files("mtlrun.data") / "files"))
    files = {p.name: p for p in sorted(folder.iterdir()) if p.name.endswith(SUFFIXES)} | extensions.tables()
    if name not in files:
        raise RequestError(
            f"{key}: no file of the package is named {name!r}{nearest(name, files)}\n"
            f"allowed: {listing(files)}{unusable()}"
        )
    return files[name]


def _fetched(name: str, key: str) -> Path:
    owners = {file: dataset for dataset, files in DATASETS.items() for file in files}
    if name not in owners:
        raise RequestError(f"{key}: no data set has a file {name!r}{nearest(name, owners)}\nallowed: {listing(owners)}")
    target = data_folder() / name
    if not target.is_file():
        raise RequestError(f"{key}: fetched:{name} is not there yet\nget it: mtlrun fetch {owners[name]}")
    return target


def _generated(name: str, key: str) -> Path:
    extensions.load()
    known = REFERENCES["problem"]
    if name not in known:
        raise RequestError(
            f"{key}: no synthetic problem is named {name!r}{nearest(name, known)}\n"
            f"allowed: {listing(known)}{unusable()}"
        )
    return Path(f"synthetic:{name}")


# text before the colon -> function that resolves the text after it
_SCHEMES = {"package": _shipped, "fetched": _fetched, "synthetic": _generated}
SCHEMES = tuple(f"{scheme}:" for scheme in _SCHEMES)


def absolute(path: str, key: str, folder: Path | None = None) -> Path:
    """A path of the file system as an absolute path. A `~` at its beginning is the home directory, `./~` is not.

    It is relative to `folder`, and `..` is resolved; or with None relative to the working directory, and `..` is kept.
    Raises RequestError for an impossible path.
    """
    try:
        found = (folder or Path.cwd()) / os.path.expanduser(path)  # Path drops the ./ first
        found = Path(os.path.abspath(found)) if folder is not None else found
        found.exists()
    except (OSError, ValueError, RuntimeError) as error:
        why = error.strerror if isinstance(error, OSError) else str(error)
        raise RequestError(
            f"{key}: {path[:100]}{'…'[: len(path) > 100]} is no path ({why})\nallowed: the path of a file"
        ) from None
    return found


def synthetic_name(path: Path) -> str | None:
    """The name of the synthetic problem of a resolved path; None for a file."""
    scheme, _, name = str(path).partition(":")
    return name if scheme == "synthetic" else None


def require_file(path: Path, key: str) -> None:
    """Raises RequestError with `key` unless `path` is a synthetic problem or an existing file with a table suffix."""
    if synthetic_name(path) is not None:
        return
    allowed = f"allowed: a file ending in {listing(SUFFIXES)}"
    if path.is_dir():
        raise RequestError(f"{key}: {path} is a folder\n{allowed}")
    if path.exists() and not path.is_file():
        raise RequestError(f"{key}: {path} is a device, a pipe or the like\n{allowed}")
    if path.is_symlink() and not path.exists():
        raise RequestError(f"{key}: {path} is a link to {os.readlink(path)}, which is not there\n{allowed}")
    if not path.is_file():
        folder = path.parent
        names = [p.name for p in folder.iterdir()] if folder.is_dir() else []
        hint = nearest(path.name, names) or ("" if folder.is_dir() else f"; there is no folder {folder}")
        raise RequestError(f"{key}: there is no file {path}{hint}\n{allowed}")
    if not path.name.lower().endswith(SUFFIXES):
        raise RequestError(f"{key}: {path.name} has an unknown suffix\n{allowed}")


def require_files(path: str | None, others: dict[str, str]) -> None:
    """Raises RequestError unless the files of data.path and data.split.files exist."""
    for key, name in {"data.path": path, **{f"data.split.files.{p}": f for p, f in others.items()}}.items():
        require_file(resolve_path(name, key), key)
