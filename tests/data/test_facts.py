"""The facts about each task that `mtlrun check` shows."""

from pathlib import Path

import numpy as np
import pytest
from simulated import BASE, LABEL, VALUE, N, config, save

from mtlrun.data.dataset import load_dataset
from mtlrun.data.facts import task_facts


def test_counts_and_shares_of_labels(tmp_path: Path) -> None:
    frame = BASE.assign(w=np.where(np.arange(N) < 300, 1.0, 0.0), part="train")
    frame.loc[500:549, "part"], frame.loc[550:, "part"] = "val", "test"
    frame["w"] = np.where(frame.part == "train", frame.w, 1.0)
    frame.loc[:99, "value"] = np.nan
    frame.to_parquet(tmp_path / "t.parquet")
    checked = config(tmp_path / "t.parquet", weight="w", split={"column": "part"})
    label, value, grade = task_facts(checked, load_dataset(checked))
    assert label["classes"] == {"0": pytest.approx((LABEL[:500] == 0).mean()), "1": pytest.approx(LABEL[:500].mean())}
    assert [label[p] for p in ("train", "val", "test")] == [500, 50, 50]
    assert label["effective"] == pytest.approx(300) and value["effective"] == pytest.approx(200)
    assert value["mean"] == pytest.approx(VALUE[100:500].mean(), abs=1e-5)
    assert value["std"] == pytest.approx(VALUE[100:500].std(), abs=1e-5)
    assert label["positive"] == "1" and "positive" not in value and "positive" not in grade
    assert (value["type"], value["train"], value["loss"]) == ("regression", 400, "mse")
    assert list(grade["classes"]) == ["a", "b", "c"] and grade["primary"] == "accuracy"


def test_classes_are_shown_with_their_blanks(tmp_path: Path) -> None:
    frame = BASE.assign(label=np.where(LABEL, "ja ", "nein"))
    checked = config(save(frame, tmp_path), {"label": {"positive": "ja "}})
    (label,) = task_facts(checked, load_dataset(checked))
    assert list(label["classes"]) == ["nein", "'ja '"] and label["positive"] == "'ja '"
