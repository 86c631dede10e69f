"""Which task type a column suggests. What labels become is tested where they are read, in test_targets.py."""

from typing import Any

import pandas as pd
import pytest

from mtlrun.data.encoding import infer_type


@pytest.mark.parametrize(
    ("values", "kind"),
    [
        ([True, False, None], "binary"),
        (["yes", "no", "no"], "binary"),
        ([1.5, 2.5, 1.5], "binary"),
        (["a", "b", "c"], "categorical"),
        ([1, 2, 3, 3], "categorical"),
        ([1.0, None, 2.0, 3.0], "categorical"),
        (list(range(11)), "regression"),
        ([0.5, 1.0, 2.0], "regression"),
    ],
)
def test_infer_type(values: list[Any], kind: str) -> None:
    assert infer_type(pd.Series(values)) == kind
