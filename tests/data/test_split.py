"""Splits: sizes, pairing, groups, given splits, learning curves."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mtlrun.config.schema import SplitConfig
from mtlrun.data.split import Split, split_rows
from mtlrun.util.errors import RequestError


def frame(rows: int, **columns: object) -> pd.DataFrame:
    return pd.DataFrame({"x": np.arange(rows), **columns})


def sizes(split: Split) -> list[int]:
    return [len(rows) for rows in split.parts().values()]


def test_fractions_by_rounding() -> None:
    split = split_rows(frame(1003), SplitConfig(seed=1))
    assert sizes(split) == [702, 151, 150]  # 702.1 and 852.55 rounded
    rows = np.concatenate(list(split.parts().values()))
    assert np.array_equal(np.sort(rows), np.arange(1003)) and rows.dtype == np.int64
    assert all((np.diff(part) > 0).all() for part in split.parts().values())
    assert sizes(split_rows(frame(1000), SplitConfig(train=0.5, val=0.1, test=0.2, seed=1))) == [500, 100, 200]


def test_the_seed_alone_decides() -> None:
    one, other = (split_rows(f, SplitConfig(seed=3)) for f in (frame(200), frame(200, y=1)))
    assert np.array_equal(one.val, other.val)
    assert not np.array_equal(one.val, split_rows(frame(200), SplitConfig(seed=4)).val)


def test_train_rows_are_nested() -> None:
    table, config = frame(500), SplitConfig(seed=0)
    full = split_rows(table, config)
    few, more = (split_rows(table, config, n) for n in (20, 120))
    assert set(few.train) < set(more.train) < set(full.train)
    assert sizes(few) == [20, 75, 75] and sizes(more)[0] == 120
    assert np.array_equal(few.val, full.val) and np.array_equal(few.test, full.test)
    with pytest.raises(RequestError, match=r"data\.train_rows: found 351\nallowed: at most 350"):
        split_rows(table, config, 351)


@settings(max_examples=50, deadline=None)
@given(st.lists(st.integers(1, 30), min_size=3, max_size=60), st.integers(0, 99))
def test_no_group_is_torn_apart(group_sizes: list[int], seed: int) -> None:
    groups = np.random.default_rng(seed).permutation(np.repeat(np.arange(len(group_sizes)), group_sizes))
    split = split_rows(frame(len(groups), g=groups), SplitConfig(by="g", seed=seed))
    members = [set(groups[rows]) for rows in split.parts().values()]
    assert all(members) and not members[0] & members[1] and not (members[0] | members[1]) & members[2]
    assert sum(sizes(split)) == len(groups)


def test_groups_fill_the_fractions() -> None:
    groups = np.repeat(np.arange(400), 5).astype(str)
    split = split_rows(frame(2000, g=groups), SplitConfig(by="g", seed=0))
    np.testing.assert_allclose(np.array(sizes(split)) / 2000, [0.7, 0.15, 0.15], atol=0.01)
    part = split_rows(frame(2000, g=groups), SplitConfig(by="g", seed=0, train=0.4, val=0.1, test=0.1))
    np.testing.assert_allclose(np.array(sizes(part)) / 2000, [0.4, 0.1, 0.1], atol=0.01)


def test_a_row_without_a_group_stands_alone() -> None:
    groups = pd.Series(["a", "b", "c"] + [None] * 97)
    split = split_rows(frame(100, g=groups), SplitConfig(by="g", seed=0))
    assert sizes(split) == [70, 15, 15]


def test_column() -> None:
    words = ["train"] * 6 + ["Valid", "dev"] + ["test "] * 2
    split = split_rows(frame(10, part=words), SplitConfig(column="part", seed=0))
    assert [p.tolist() for p in split.parts().values()] == [[0, 1, 2, 3, 4, 5], [6, 7], [8, 9]]


def test_val_is_drawn_where_none_is_given() -> None:
    words = ["train"] * 60 + ["test"] * 40
    from_train = split_rows(frame(100, part=words), SplitConfig(column="part", val=0.25, seed=0))
    assert sizes(from_train) == [45, 15, 40] and from_train.val.max() < 60
    files = np.repeat([0, 2], [60, 40])
    config = SplitConfig(files={"test": "t.csv"}, val=0.5, val_from="test", seed=0)
    from_test = split_rows(frame(100), config, files=files)
    assert sizes(from_test) == [60, 20, 20] and from_test.val.min() >= 60


@pytest.mark.parametrize(
    ("config", "said"),
    [
        (SplitConfig(column="prat", seed=0), r"data\.split\.column: no column is named 'prat'; did you mean part\?"),
        (SplitConfig(by="grp", seed=0), r"data\.split\.by: no column is named 'grp'"),
        (SplitConfig(column="odd", seed=0), r"data\.split\.column: odd holds 'holdout', \(missing\) in 2 rows"),
        (SplitConfig(column="part", seed=0), r"data\.split: no row is in test \(data\.split\.column=part\)"),
        (
            SplitConfig(train=0.8, val=0.1, test=0.1, seed=0),
            r"data\.split: no row is in \w+ \(0\.8, 0\.1, 0\.1 of 4 rows\)",
        ),
        (SplitConfig(by="x2", seed=0), r"data\.split: no row is in \w+ \(.* of 2 groups by x2\)"),
    ],
)
def test_wrong_requests(config: SplitConfig, said: str) -> None:
    table = frame(4, part=["train", "train", "val", "val"], odd=["train", "holdout", None, "test"], x2=[1, 1, 2, 2])
    with pytest.raises(RequestError, match=said):
        split_rows(table, config)
