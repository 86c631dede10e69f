"""The number of training rows on which rules depend: that of the settings, the same for seeds with similar splits."""

import math
from typing import TYPE_CHECKING

from mtlrun.config.schema import DataConfig

if TYPE_CHECKING:
    from mtlrun.data.split import Split

NEAR = 0.05  # share of the rows by which splits of groups may differ


def expected_training_rows(data: DataConfig, split: "Split", rows: int) -> int:
    """The training rows to be expected from the settings and the rows of the table; if far off, the actual number.

    Rules that follow from the number of rows use it, so that seeds with slightly different splits are treated alike.
    """
    actual = len(split.train)
    return actual if data.train_rows is not None else nearby(round(data.split.train * rows), actual)


def nearby(expected: int, actual: int) -> int:
    """The expected number if the actual one is near it, else the actual one.

    Near are 2 √n rows, over three standard deviations of a random split, or 5 %.
    """
    return expected if abs(expected - actual) <= max(2 * math.sqrt(expected), NEAR * expected) else actual
