"""Adds `data=table` if the user names a table, as in `data.path=houses.csv`, and no data option."""

from collections.abc import Sequence

from hydra._internal.config_repository import IConfigRepository
from hydra._internal.defaults_list import DefaultsList
from hydra.core.override_parser.types import Override
from omegaconf import OmegaConf

OPTION = "data=table"


def needs_option(files: IConfigRepository, overrides: Sequence[Override], found: DefaultsList) -> bool:
    """Whether to add `data=table`: the overrides or an experiment name a table, and no override names a data option.

    The default option describes another table. Its tasks and inputs would merge with the user's.

    files: the YAML files
    found: the defaults list of the composition of the overrides
    """
    if "data" in found.overrides.override_choices:
        return False
    paths = [default.config_path or "" for default in found.defaults]
    experiments = [files.load_config(path) for path in paths if path.startswith("experiment/")]
    return any(map(_names_table, overrides)) or any(
        file is not None and OmegaConf.select(file.config, "data.path") is not None for file in experiments
    )


def _names_table(override: Override) -> bool:
    if override.is_delete():
        return False
    value = None if override.is_sweep_override() else override.value()
    inside = override.key_or_group == "data" and isinstance(value, dict) and "path" in map(str, value)
    return inside or override.key_or_group == "data.path"
