"""The warnings of leaks: each leak is found and named, clean tables give no warning."""

import shlex
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hydra.core.override_parser.overrides_parser import OverridesParser
from simulated import BASE, LABEL, VALUE, N, X, config, save

from mtlrun.data.dataset import load_dataset
from mtlrun.data.inspect import inspect
from mtlrun.data.leaks.column_scores import class_scores, correlations, is_cut, number_scores, ranks, score

RANDOM = np.random.default_rng(1)
GROUP = RANDOM.integers(0, 120, N)
GROUPED = RANDOM.normal(size=120)[GROUP] + 0.5 * RANDOM.normal(size=N)
GRADE = BASE["grade"].to_numpy()
NOISE = RANDOM.normal(size=N)
WALK = np.cumsum(RANDOM.normal(size=N + 1))
TIMES = pd.Timestamp("2020-01-01") + pd.to_timedelta(np.arange(N), unit="h")
DATES = pd.Timestamp("2010-01-01") + pd.to_timedelta(RANDOM.integers(0, 3000, N), unit="D")


def warnings(tmp_path: Path, frame: pd.DataFrame, **data: Any) -> list[str]:
    checked = config(save(frame, tmp_path), **data)
    return inspect(checked, load_dataset(checked))


def mean_of_others(labels: pd.Series, groups: np.ndarray) -> pd.Series:
    return labels.groupby(groups).transform("mean")


@pytest.mark.parametrize(
    ("columns", "said"),
    [
        # copies and functions of a target
        ({"new": 3 - 2 * VALUE}, "new: alone tells value with an R² of 1.0000, all other inputs together"),
        ({"date": DATES, "new": 3 - 2 * VALUE}, "new: alone tells value with an R² of 1.0000"),
        ({"new": np.exp(VALUE)}, "new: alone tells value with an R² of "),
        ({"new": VALUE + 0.03 * NOISE}, "new: alone tells value with an R² of 0.99"),
        ({"new": pd.Series(VALUE).rank()}, "new: alone tells value"),
        ({"new": np.where(RANDOM.random(N) < 0.3, np.nan, VALUE)}, "new: alone tells value"),
        ({"new": np.where(VALUE > 1, "high", "low")}, "new: cuts the range of value into pieces"),
        ({"new": LABEL * 7.0}, "new: alone tells label with a balanced accuracy of 1.000"),
        ({"new": np.where(RANDOM.random(N) < 0.01, 1 - LABEL, LABEL)}, "new: alone tells label with a balanced acc"),
        ({"new": np.where(LABEL == 1, "y", "n")}, "new: alone tells label"),
        ({"new": LABEL * 40 + RANDOM.integers(0, 40, N)}, "new: alone tells label"),
        ({"new": LABEL + 0.9 * RANDOM.random(N)}, "new: alone tells label"),
        ({"new": BASE["grade"].map({"a": 2, "b": 0, "c": 1})}, "new: alone tells grade"),
        ({"new": np.where(GRADE == "b", 4, RANDOM.integers(0, 4, N))}, "new: alone tells whether grade is b"),
        (
            {"new": [f"{v:.4f} EUR/{i}" for i, v in enumerate(10 + VALUE)]},
            "new: the first number of its text",
        ),
        (
            {"new": [f"{RANDOM.integers(10**6)} {'won' if y else 'lost'} it" for y in LABEL]},
            "the first word of its text",
        ),
        # missing cells
        (
            {"new": np.where(LABEL == 1, NOISE, np.nan)},
            "new: 100% of its cells are missing where label is 0",
        ),
        ({"new": np.where((LABEL == 1) & (NOISE < 1), NOISE, np.nan)}, "cells are missing where label is 0"),
        ({"new": np.where(VALUE < 1, NOISE, np.nan)}, "new: its cells are missing where value is high"),
        # two inputs and more
        ({"a": NOISE * 50, "b": VALUE - NOISE * 50}, "a: value is a weighted sum of a, b"),
        ({"a": NOISE, "b": GROUPED, "value": NOISE * GROUPED}, "a: with b it tells value with an R² above 0.9995"),
        (
            {"a": 5 + NOISE, "b": 9 + X, "value": (5 + NOISE) / (9 + X)},
            "a: with b it tells value with an R² above 0.9995",
        ),
        ({"a": NOISE, "b": GROUPED, "label": (NOISE > GROUPED).astype(int)}, "a: with b it tells label with an AUROC"),
        # rows that belong together
        ({"value": GROUPED, "new": [f"patient {i}" for i in GROUP]}, "tears them apart: data.split.by=new"),
        ({"value": GROUPED, "new": GROUP}, "new: 120 values of 5.0 rows on average, which share"),
        ({"new": mean_of_others(BASE["value"], GROUP)}, "new: holds means of value over groups of rows"),
        ({"new": mean_of_others(BASE["label"], GROUP)}, "new: holds means of label over groups of rows"),
        ({"value": NOISE, "new": np.roll(NOISE, -1)}, "new: holds the value of the next row"),
        ({"value": WALK[:-1]}, "rows next to each other in the table have nearly the same value"),
        ({"value": WALK[:-1], "time": TIMES}, "time: rows next to each other in time have nearly the same value"),
    ],
)
def test_a_leak_is_found(tmp_path: Path, columns: dict[str, Any], said: str) -> None:
    found = warnings(tmp_path, BASE.assign(**columns))
    assert any(said in line for line in found), found


@pytest.mark.parametrize(
    "columns",
    [
        {"city": [f"city {i}" for i in RANDOM.integers(0, 120, N)]},
        {"patient_id": RANDOM.integers(0, 120, N)},
        {"age": RANDOM.integers(0, 120, N), "value": BASE["age"] / 20 + NOISE},
        {"new": VALUE + 0.3 * VALUE.std() * NOISE},
        {"new": np.where(RANDOM.random(N) < 0.1, 1 - LABEL, LABEL)},
        {"new": np.where(RANDOM.random(N) < 0.2 + 0.3 * LABEL, np.nan, NOISE)},
        {"value": np.sort(VALUE)},
        {"time": RANDOM.permutation(TIMES)},
        {f"x{i}": RANDOM.normal(size=N) for i in range(200)},
        {
            "label": RANDOM.permutation(np.arange(N) < 6).astype(int),
            "pair": RANDOM.permutation(np.arange(N) // 2) * 1.5,
        },
    ],
)
def test_a_clean_table_gives_no_warning(tmp_path: Path, columns: dict[str, Any]) -> None:
    kept = BASE.drop(columns=[c for c in columns if c in BASE])
    assert warnings(tmp_path, pd.concat([kept, pd.DataFrame(columns)], axis=1)) == []


def test_good_inputs_that_confirm_each_other_are_no_leak(tmp_path: Path) -> None:
    sensors = {f"s{i}": VALUE + 0.1 * VALUE.std() * RANDOM.normal(size=N) for i in range(3)}
    assert warnings(tmp_path, BASE.assign(**sensors)) == []
    (found,) = warnings(tmp_path, BASE.assign(s0=sensors["s0"]))
    assert found.startswith("s0: alone tells value with an R² of 0.9")


def test_leaving_out_what_a_warning_names_ends_it(tmp_path: Path) -> None:
    frame = BASE.assign(new=VALUE)
    (found,) = warnings(tmp_path, frame)
    assert found.endswith("'data.future=[new]'")
    assert warnings(tmp_path, frame, future=["new"]) == []


def test_groups_matter_to_random_splits_only(tmp_path: Path) -> None:
    frame = BASE.assign(value=GROUPED, patient_id=GROUP)
    assert any("data.split.by=patient_id" in w for w in warnings(tmp_path, frame))
    assert warnings(tmp_path, frame, split={"by": "patient_id"}) == []


@pytest.mark.parametrize(
    ("columns", "offered"),
    [
        ({"year": 1990 + np.arange(N) // 40, "day": np.arange(N) // 10}, "year"),
        ({"city": np.char.add("s", (np.arange(N) // 40).astype(str))}, "city"),
        ({"month": np.arange(N) // 40 % 12}, None),
        ({"half": np.arange(N) // (N // 2)}, None),
        ({"row": np.arange(N)}, None),
    ],
)
def test_neighbours_alike_are_kept_together_by_a_column_of_blocks(
    tmp_path: Path, columns: dict[str, Any], offered: str | None
) -> None:
    found = [w for w in warnings(tmp_path, BASE.assign(value=WALK[:-1], **columns)) if w.startswith("rows next to")]
    (said,) = found
    end = "(data.split.by or data.split.column)"
    if offered is None:
        assert said.endswith(end)
    else:
        assert said.endswith(f"{end}; the rows of each {offered} stand together: data.split.by={offered}")


def test_training_rows_with_a_little_noise(tmp_path: Path) -> None:
    numbers = RANDOM.normal(size=(N // 2, 5))
    frame = pd.DataFrame(np.repeat(numbers, 2, 0) + 0.005 * RANDOM.normal(size=(N, 5)), columns=list("abcde"))
    frame = frame.assign(value=np.repeat(RANDOM.normal(size=N // 2), 2), label=LABEL, grade=np.repeat(GRADE[::2], 2))
    tasks = {"value": {}, "grade": {}}
    checked = config(save(frame.drop(columns="label"), tmp_path), tasks)
    val, test = (w for w in inspect(checked, load_dataset(checked)) if "a little noise" in w)
    assert (val[:4], test[:5]) == ("val:", "test:")
    checked = config(save(frame.drop(columns="label"), tmp_path), tasks, inputs=["a", "b"])
    assert not any("a little noise" in w for w in inspect(checked, load_dataset(checked)))


def test_scores_measure_what_their_words_say() -> None:
    noisy = X + 0.5 * NOISE
    assert score(X, noisy, False, category=False) == pytest.approx(0.8, abs=0.06)
    assert score(np.exp(5 * X), 1 / (1 + np.exp(-X)), False, category=False) > 0.999
    assert abs(score(NOISE, noisy, False, category=False)) < 0.35
    codes = RANDOM.integers(0, 9, N)
    assert score(codes, RANDOM.permutation(9)[codes] * 1.0, False, category=True) == pytest.approx(1)
    assert class_scores(codes, (codes == 3).astype(int) + (codes > 6) * 2, np.ones(3), category=True).tolist() == [
        1,
        1,
        1,
    ]
    assert is_cut(np.digitize(X, [-1, 1]), X)
    assert not is_cut(np.digitize(X, [-1, 1]), X + 0.05 * NOISE)
    assert not is_cut(np.repeat([0, 1], N // 2), np.repeat([0.0, 1.0], N // 2) + 0.01 * NOISE)


def test_many_columns_are_scored_as_each_by_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    labels = X + 0.5 * NOISE
    columns = [X, NOISE, np.round(X), np.exp(5 * X), np.ones(N), X + NOISE]
    alone = [score(values, labels, False, category=False) for values in columns]
    monkeypatch.setattr("mtlrun.data.leaks.column_scores.CACHED", 4 * N)
    assert number_scores(columns, labels, ranks(labels)).tolist() == alone
    gappy = np.where(NOISE > 1, np.nan, X)
    found = correlations([*columns, gappy], labels)
    expected = [np.corrcoef(v, labels)[0, 1] if np.ptp(v) else 0 for v in columns]
    assert found[:-1] == pytest.approx(expected)
    filled = np.where(np.isnan(gappy), np.nanmean(gappy), gappy)
    assert found[-1] == pytest.approx(np.corrcoef(filled, labels)[0, 1])


@pytest.mark.parametrize("classes", [True, False])
@pytest.mark.parametrize("share", [0.3, 0.45])
def test_a_few_rows_that_repeat_others_do_not_stand_for_their_column(classes: bool, share: float) -> None:
    """Polls that occur twice have the same grade; the other polls' shares of votes say nothing of it."""
    values = RANDOM.normal(size=2000)
    labels = RANDOM.integers(0, 4, 2000).astype(np.int64 if classes else np.float64)
    twice = int(1000 * share)
    values[:twice], labels[:twice] = values[-twice:], labels[-twice:]
    assert score(values, labels, classes, category=False) < 0.75
    if classes:
        assert class_scores(values, labels, np.ones(4), category=False).max() < 0.9


@pytest.mark.parametrize("others", [0, 300])
def test_a_column_tells_a_rare_class_only_with_a_precision_near_1(tmp_path: Path, others: int) -> None:
    """Every flight of a small airline goes to one airport; few of the others do, but they are more."""
    carrier = np.repeat(["AS", "B", "C", "D"], [100, 10000, 10000, 10000])
    place = RANDOM.integers(1, 30, len(carrier))
    place[:100] = 0
    place[RANDOM.permutation(np.arange(100, len(carrier)))[:others]] = 0
    frame = pd.DataFrame({"carrier": carrier, "to": [f"p{i}" for i in place], "x": RANDOM.normal(size=len(carrier))})
    path = save(frame.sample(frac=1, random_state=0), tmp_path)
    checked = config(path, {"carrier": {"type": "categorical"}})
    told = [w for w in inspect(checked, load_dataset(checked)) if w.startswith("to: alone tells whether carrier is AS")]
    assert len(told) == (0 if others else 1)


def test_two_inputs_that_tell_a_target_do_not_contradict_each_other(tmp_path: Path) -> None:
    found = warnings(tmp_path, BASE.assign(new=LABEL * 7.0, newer=LABEL - 3.0))
    for column, other in (("new", "newer"), ("newer", "new")):
        (line,) = (w for w in found if w.startswith(f"{column}:"))
        assert f"alone tells label with a balanced accuracy of 1.000, all inputs but it and {other} together" in line


@pytest.mark.parametrize(
    ("name", "typed"),
    [
        ("site", "data.split.by=site"),
        ("Order ID", "'data.split.by=Order ID'"),
        ("a,b", """'data.split.by="a,b"'"""),
        ("Fläche", """'data.split.by="Fläche"'"""),
        ("null", """'data.split.by="null"'"""),
        ('a\\"b\\', """'data.split.by="a\\\\\\"b\\\\"'"""),
    ],
)
def test_the_suggested_override_can_be_pasted(tmp_path: Path, name: str, typed: str) -> None:
    (found,) = warnings(tmp_path, BASE.assign(value=GROUPED, **{name: [f"p{i}" for i in GROUP]}))
    assert found.endswith(f"tears them apart: {typed}")
    override = OverridesParser.create().parse_override(shlex.split(typed)[0])
    assert (override.key_or_group, override.value()) == ("data.split.by", name)


def test_copied_rows(tmp_path: Path) -> None:
    part = np.repeat(["train", "val", "test"], [400, 100, 100])
    frame = BASE.assign(part=part)
    columns = ["x", "age", "label", "value", "grade"]
    frame.loc[500:529, columns] = frame.loc[:29, columns].to_numpy()
    split = {"split": {"column": "part"}}
    said = "rows are exact copies of training rows (inputs and targets), which flatters the figures"
    (found,) = warnings(tmp_path, frame.astype(BASE.dtypes), **split)
    assert found.startswith(f"test: 30 of 100 {said}")
    frame.loc[509:529, "x"] += 0.001  # nine rows are too few, and these are no copies any more
    assert warnings(tmp_path, frame.astype(BASE.dtypes), **split) == []


@pytest.mark.parametrize("numbered", [False, True])
def test_in_a_table_of_doubled_rows_no_column_is_called_a_copy_of_the_target(tmp_path: Path, numbered: bool) -> None:
    doubled = pd.concat([BASE, BASE], ignore_index=True)
    if numbered:
        doubled["row"] = np.arange(len(doubled))
    *others, val, test = warnings(tmp_path, doubled)
    assert [w.split(",")[0] for w in others] == ["row: nearly every value is different"] * numbered
    assert val.startswith("val: ") and test.startswith("test: ")
    assert int(test.split()[1]) / 180 == pytest.approx(0.7, abs=0.1)


def test_rows_that_are_alike_by_chance_are_no_copies(tmp_path: Path) -> None:
    # Most people here are children of whom the table says no more than the age; few values in the rest.
    child = RANDOM.random(4000) < 0.6
    frame = pd.DataFrame({"age": np.where(child, RANDOM.integers(0, 15, 4000), RANDOM.integers(15, 90, 4000))})
    for name in ("a", "b", "c", "d", "e", "f"):
        frame[name] = np.where(child, 0, RANDOM.integers(0, 4, 4000))
    frame["label"] = np.where(child, 0, RANDOM.integers(0, 2, 4000))
    checked = config(save(frame, tmp_path), {"label": {}})
    dataset = load_dataset(checked)
    columns = ["age", *"abcdef", "label"]
    train = set(map(tuple, frame[columns].to_numpy()[dataset.split.train]))
    alike = np.mean([tuple(row) in train for row in frame[columns].to_numpy()[dataset.split.test]])
    assert alike > 0.5 and inspect(checked, dataset) == []
    few = pd.DataFrame({name: RANDOM.integers(0, 3, 4000) for name in "ab"} | {"label": RANDOM.integers(0, 2, 4000)})
    checked = config(save(few, tmp_path), {"label": {}})
    assert inspect(checked, load_dataset(checked)) == []
