"""Names of options of the `data` group for tables of the user."""

import re
from pathlib import PurePath

from mtlrun.config.extensions import SUFFIXES, yaml_of


def table_name(path: str) -> str:
    """The name of a table, from its path: `houses` for `data/houses.csv` and for `package:houses.csv.gz`."""
    return _stem(re.split(r"[/:]", path)[-1])


def _stem(file: str) -> str:
    return re.sub(r"(\.csv\.gz|\.csv|\.parquet)$", "", file, flags=re.IGNORECASE)


def option_name(file: str) -> str:
    """The option that `mtlrun init` writes for a file: letters, digits and _, and not a shipped option."""
    name = re.sub(r"\W+", "_", _stem(file), flags=re.ASCII).strip("_") or "data"
    if name[0].isdigit() or name.lower() in ("null", "true", "false", "nan", "inf"):
        name = f"data_{name}"
    # ./conf cannot replace an option of mtlrun or of an installed package
    return name if yaml_of("data", name) is None else f"my_{name}"


def option_of(table: str) -> str | None:
    """The option that `mtlrun init` writes for a table, named by its path; None if it is no name of a table."""
    return option_name(PurePath(table).name) if table.lower().endswith(SUFFIXES) else None
