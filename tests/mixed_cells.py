"""Columns that a reader takes for another kind if some of their cells are left out, and files of them."""

import gzip
from collections.abc import Mapping, Sequence
from pathlib import Path

import pandas as pd

ROWS = 60
MIXED = {
    "codes": ["01", "02", "A1"],
    "padded": ["01", "02", "10", "7", ""],
    "postal": ["01067", "80331", "NA"],
    "decimals": ["1.0", "2.0", "x"],
    "truths": ["TRUE", "FALSE", "unknown"],
    "cased": ["true", "false", "maybe"],
    "powers": ["1e5", "n"],
    "zeros": ["1.50", "n"],
    "signs": ["+1", "n"],
    "blanks": [" 1", "n"],
    "numbers": ["1", "2.5", ""],
    "bits": ["0", "1", "TRUE", "false"],
    "yes": ["True", "False", ""],
    "long": ["1234567890123456789", "1234567890123456790", ""],
    "longer": ["18446744073709551615", "-1", "7"],
    "longest": ["123456789012345678901234567890", "1"],
    "words": ["NA", "None", "a", "null"],
    "days": ["2020-01-01", "20200102", "x"],
}


def mixed_rows() -> dict[str, list[str]]:
    """60 rows with every column of MIXED, and `y`, the number of the row."""
    rows = {name: [cells[i % len(cells)] for i in range(ROWS)] for name, cells in MIXED.items()}
    return rows | {"y": [str(i) for i in range(ROWS)]}


def write(cells: Mapping[str, Sequence[str]], path: Path) -> Path:
    """Writes the cells as CSV, quoted where they need it and compressed if the name says so, or as Parquet of text."""
    frame = pd.DataFrame(cells, dtype="str")
    if path.suffix == ".parquet":
        frame.to_parquet(path)
    else:
        frame.to_csv(path, index=False, compression=None)
        if path.suffix == ".gz":
            path.write_bytes(gzip.compress(path.read_bytes()))
    return path
