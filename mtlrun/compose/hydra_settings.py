"""Checks settings of Hydra on the command line: which ones mtlrun allows, and with which values."""

import re
from collections.abc import Callable
from typing import Any

from hydra.core.config_loader import ConfigLoader
from hydra.core.override_parser.types import Override

from mtlrun.compose.overrides import typed_value
from mtlrun.util.errors import RequestError, listing, nearest

# packages with launchers of Hydra, by launcher; the extras joblib and submitit of mtlrun install the first two
PACKAGES = {
    "joblib": "hydra-joblib-launcher",
    "submitit_local": "hydra-submitit-launcher",
    "submitit_slurm": "hydra-submitit-launcher",
    "ray": "hydra-ray-launcher",  # not an extra: it requires older releases than those that mtlrun is tested with
}
STACK_KEYS = ("over", "options", "processes", "max_runs")  # keys of hydra.launcher with hydra/launcher=stack


def _name(value: Any) -> bool:
    return isinstance(value, (str, int)) and re.fullmatch(r"[\w.-]+", str(value)) is not None


def _loggers(value: Any) -> bool:
    return isinstance(value, (bool, str)) or (isinstance(value, list) and all(isinstance(x, str) for x in value))


_TEXT = (lambda v: isinstance(v, (int, float)) or (isinstance(v, str) and bool(v.strip()) and v != "???"), "a text")
_MAPPING = (lambda v: isinstance(v, dict), "a mapping")
# The settings of Hydra that mtlrun allows, by the beginning of the key: a check of the value, and its description.
# Hydra or Python's logging checks the keys below them.
HYDRA_KEYS: dict[str, tuple[Callable[[Any], bool], str]] = {
    "hydra.run.dir": _TEXT,
    "hydra.sweep.dir": _TEXT,
    "hydra.mode": (lambda v: v in ("RUN", "MULTIRUN"), "RUN, MULTIRUN"),
    "hydra.verbose": (_loggers, "true, false, a logger's name, a list of them"),
    "hydra.output_subdir": (lambda v: v is None or _name(v), "the name of a folder, null"),
    "hydra.job.chdir": (lambda v: v is None or isinstance(v, bool), "true, false, null"),
    "hydra.job.name": (_name, "letters, digits, _ - ."),
    "hydra.job.env_set": _MAPPING,
    "hydra.job.env_copy": (lambda v: isinstance(v, list), "a list of names"),
    "hydra.job_logging": _MAPPING,
    "hydra.hydra_logging": _MAPPING,
    "hydra.callbacks": _MAPPING,
    "hydra.launcher": (lambda v: False, "keys of a launcher; the launcher itself is hydra/launcher=NAME"),
    "hydra/launcher": (lambda v: isinstance(v, str), "the name of a launcher"),
    "hydra/sweeper": (lambda v: isinstance(v, str), "basic"),
    "hydra/job_logging": (lambda v: isinstance(v, str), "the name of an option"),
    "hydra/hydra_logging": (lambda v: isinstance(v, str), "the name of an option"),
}


def check_hydra_override(override: Override, loader: ConfigLoader, stacked: bool) -> None:
    """Raises RequestError for a setting of Hydra that mtlrun does not use or does not allow."""
    key = override.key_or_group
    if key == "hydra/sweeper" and override.value() != "basic":
        raise RequestError(f"hydra/sweeper: found {typed_value(override)}\nallowed: basic")
    if key == "hydra/launcher":
        options = loader.get_group_options("hydra/launcher")
        if override.value() not in options:
            found = typed_value(override)
            if found in PACKAGES:
                raise RequestError(
                    f"hydra/launcher: {found} is not installed\ninstall it: pip install {PACKAGES[found]}"
                )
            close = nearest(found, [*options, *PACKAGES])
            raise RequestError(f"hydra/launcher: found {found}{close}\ninstalled: {listing(options)}")
    name = key.removeprefix("hydra.launcher.").partition(".")[0]
    if key.startswith("hydra.launcher.") and stacked and name not in STACK_KEYS:
        raise RequestError(
            f"{key}: hydra/launcher=stack has no such key{nearest(name, STACK_KEYS)}\n"
            f"allowed: hydra.launcher.KEY with KEY one of {listing(STACK_KEYS)}"
        )
    _check_hydra_value(override)
    if key == "hydra.sweep.subdir":
        raise RequestError("hydra.sweep.subdir: run folders are named by mtlrun\nallowed: hydra.sweep.dir=DIR")
    if key.startswith("hydra.searchpath"):
        raise RequestError("hydra.searchpath: not used by mtlrun\nallowed: --config-dir DIR")


def _check_hydra_value(override: Override) -> None:
    """Raises RequestError for a setting of Hydra that has no effect in mtlrun, or for a wrong value."""
    key = override.key_or_group
    known = next((known for known in HYDRA_KEYS if key == known or key.startswith(f"{known}.")), None)
    if known is None:
        raise RequestError(
            f"{key}: mtlrun does not use this setting of Hydra{nearest(key, HYDRA_KEYS)}\n"
            f"allowed: {listing(HYDRA_KEYS, 20)}"
        )
    sound, words = HYDRA_KEYS[known]
    if known == "hydra.callbacks" and key.count(".") == 2 and not override.is_delete():
        value = override.value()
        if not isinstance(value, dict) or "_target_" not in map(str, value):
            raise RequestError(f"{key}: found {typed_value(override)}\nallowed: {{_target_: CLASS, ...}}")
    if key == known and not override.is_delete() and not sound(override.value()):
        raise RequestError(f"{key}: found {typed_value(override)}\nallowed: {words}")
