"""Any table: a run is trained, or a line or two say what is wrong with which column."""

import gzip
import io
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from outcomes import outcome, workplace

SMALL = [
    "trainer.max_steps=2",
    "trainer.batch_size=8",
    "model.hidden=[4]",
    "model.head_hidden=[4]",
    "trainer.tensorboard=false",
]
NAMES = [
    "a",
    "b",
    "y",
    "k",
    "a/b",
    "a.b",
    "x y",
    " lead",
    "a,b",
    "a=b",
    "[x]",
    "{y}",
    "'q'",
    '"dq"',
    "${seed}",
    "é",
    "日本",
    "\u200b",
    "😀",
    "a\tb",
    "a:b",
    "#",
    "*",
    "null",
    "true",
    "1",
    "trunk",
    "=1+1",
    "a`b",
    "a" * 300,
]
TEXTS = [
    "",
    "a",
    "b",
    " a ",
    "A",
    "null",
    "nan",
    "1",
    "1.0",
    "1e400",
    "0x1f",
    "1,5",
    "2020-01-01",
    "2020-13-45",
    "true",
    "yes",
    "inf",
    "é",
    "e\u0301",
    "😀",
    "\x1b[31m",
    "a\nb",
    '"',
    "'",
    "x" * 5000,
    "${seed}",
    "=1+1",
    "<b>",
]
NUMBERS = [
    0,
    1,
    -1,
    0.5,
    2**53 + 1,
    2**63 - 1,
    2**64,
    10**30,
    1e300,
    -1e300,
    1e38,
    5e-324,
    np.inf,
    -np.inf,
    np.nan,
    None,
]
WAYS = ["", "", "", "", "latin-1", "utf-16", "bom", "semicolons", "ragged", "twice", "crlf"]  # of writing a CSV file


def cells(rows: int) -> st.SearchStrategy[list[Any]]:
    """The cells of a column of so many rows."""
    gauss = st.integers(0, 2**32 - 1).map(lambda seed: np.random.default_rng(seed).normal(size=rows).tolist())
    spoiled = st.tuples(gauss, st.sampled_from([*NUMBERS, *TEXTS]), st.integers(0, max(rows - 1, 0))).map(
        lambda parts: [*parts[0][: parts[2]], parts[1], *parts[0][parts[2] + 1 :]][:rows]
    )
    return st.one_of(
        gauss,
        gauss,
        spoiled,
        st.sampled_from([0, 1.5, "same", None, True]).map(lambda value: [value] * rows),
        st.just([*range(rows)]),
        st.just([f"u{i}" for i in range(rows)]),
        st.lists(st.sampled_from([0, 1]), min_size=rows, max_size=rows),
        st.lists(st.sampled_from(["p", "q", "r", None]), min_size=rows, max_size=rows),
        st.lists(st.sampled_from(NUMBERS), min_size=rows, max_size=rows),
        st.lists(st.sampled_from(TEXTS), min_size=rows, max_size=rows),
        st.lists(st.sampled_from([True, False, None]), min_size=rows, max_size=rows),
    )


@st.composite
def frames(draw: st.DrawFn) -> pd.DataFrame:
    rows = draw(st.sampled_from([0, 1, 2, 5, 30, 60, 60, 60]))
    names = draw(st.lists(st.sampled_from(NAMES), min_size=1, max_size=6, unique=True))
    frame = pd.DataFrame({name: pd.Series(draw(cells(rows)), dtype=object) for name in names})
    return frame.infer_objects()


def as_csv(frame: pd.DataFrame) -> bytes:
    text = io.StringIO()
    frame.to_csv(text, index=False)
    return text.getvalue().encode("utf-8", "surrogatepass")


def written(data: bytes, way: str) -> bytes:
    """A CSV file in UTF-8 as others may write it."""
    if way in ("latin-1", "utf-16"):
        return data.decode().encode(way, "replace")
    lines = data.replace(b"\n", b"\n1,")
    ways = {
        "bom": b"\xef\xbb\xbf" + data,
        "semicolons": data.replace(b",", b";"),
        "twice": b"y," + lines,
        "ragged": data + b"1,2,3,4,5,6,7,8\n",
        "crlf": data.replace(b"\n", b"\r\n"),
    }
    return ways.get(way, data)


@st.composite
def files(draw: st.DrawFn) -> tuple[str, bytes, list[str]]:
    """The name of a table's file, its bytes, and the names of its columns; spoiled, perhaps."""
    frame = draw(frames())
    suffix = draw(st.sampled_from([".csv", ".csv", ".csv", ".csv.gz", ".parquet"]))
    if suffix == ".parquet":
        buffer = io.BytesIO()
        try:
            frame.to_parquet(buffer, index=False)
        except (pa.ArrowException, OverflowError, ValueError):  # cells that no column of Parquet holds
            frame.astype(str).to_parquet(buffer, index=False)
        data = buffer.getvalue()
    else:
        data = as_csv(frame)
        data = written(data, draw(st.sampled_from(WAYS)))
        data = gzip.compress(data, mtime=0) if suffix == ".csv.gz" else data
    damage = draw(st.sampled_from(["", "", "", "", "cut", "flip", "empty", "swap"]))
    if damage == "cut":
        data = data[: draw(st.integers(0, len(data)))]
    elif damage == "flip" and data:
        at = draw(st.integers(0, len(data) - 1))
        data = data[:at] + bytes([data[at] ^ 0xFF]) + data[at + 1 :]
    elif damage == "empty":
        data = b""
    elif damage == "swap":
        suffix = draw(st.sampled_from([".csv", ".csv.gz", ".parquet", ".txt"]))
    return f"t{suffix}", data, [str(c) for c in frame.columns]


FURTHER = [
    "",
    "",
    "",
    "model=boosting model.iterations=2",
    "loss=uncertainty",
    "data.standardize_targets=false",
    "data.split.by=a",
    "data.weight=b",
    "data.split.column=k",
    "tasks.t.where='a>0'",
    "tasks.t.bins=3",
    "loss=pcgrad",
    "tasks.t.type=binary",
    "tasks.t.type=categorical",
    "tasks.t.type=regression",
    "data.train_rows=3",
    "data.inputs=[a,'b*']",
    "trainer.on_nan=skip",
    "optimizer=sgd lr.base=1e20",
]


def typed(key: str, value: str) -> str:
    """KEY=VALUE with the value in quotes, as a name may hold anything."""
    escaped = value.replace("\\", "\\\\").replace("'", "\\'").replace("${", "\\${")
    return f"{key}='{escaped}'"


def one_table(file: tuple[str, bytes, list[str]], target: str, further: list[str], check: bool) -> None:
    name, data, _ = file
    with workplace():
        Path(name).write_bytes(data)
        words = ["data=table", f"data.path={name}", "tasks={t: {}}", typed("tasks.t.target", target), *further]
        checked = outcome(["check", *words])
        trained = outcome([*words, *SMALL])
        assert (checked == 2) == (trained == 2) or checked == 0, "what is refused when training is refused before"
        if trained == 0 and "model=boosting" not in words:
            run = next(Path().glob("outputs/runs/*"))
            assert outcome(["predict", str(run), name, "-o", "p.csv"]) == 0
            assert len(pd.read_csv("p.csv")) > 0
        if check:
            outcome(["init", name, "--targets", f'"{target}"'], tidy=False)


TOO = [HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.filter_too_much]
TABLE = {
    "file": files(),
    "target": st.sampled_from(NAMES[:6]),
    "further": st.sampled_from(FURTHER).map(str.split),
    "check": st.booleans(),
}


def any_table(file: tuple[str, bytes, list[str]], target: str, further: list[str], check: bool) -> None:
    one_table(file, target if target in file[2] or not file[2] else file[2][0], further, check)


test_any_table_is_trained_on_or_answered = settings(
    max_examples=15, derandomize=True, deadline=None, database=None, suppress_health_check=TOO
)(given(**TABLE)(any_table))


@pytest.mark.slow
@settings(max_examples=1200, deadline=None, database=None, suppress_health_check=TOO)
@given(**TABLE)
def test_many_tables_are_trained_on_or_answered(**table: Any) -> None:
    any_table(**table)


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["numbers", "texts"])
def test_ten_thousand_columns(kind: str) -> None:
    rng = np.random.default_rng(0)
    numbers = rng.normal(size=(40, 10_000))
    values = numbers if kind == "numbers" else np.where(numbers > 0, "a", "b")
    with workplace():
        frame = pd.DataFrame(values, columns=[f"x{i}" for i in range(10_000)])
        pd.concat([frame, pd.Series(numbers[:, 0], name="y")], axis=1).to_csv("t.csv", index=False)
        assert outcome(["data=table", "data.path=t.csv", "tasks={y: {}}", *SMALL]) == 0


def test_names_of_columns_are_free(tmp_path: Path) -> None:
    """Slashes, dots, spaces, commas, quotes, Unicode: as inputs, as targets under a task's name, and in predictions."""
    rng = np.random.default_rng(0)
    with workplace():
        names = [name for name in NAMES if name not in ("y", "\u200b")]
        frame = pd.DataFrame({name: rng.normal(size=40) for name in names})
        for target in ("a/b", "a.b", "x y", "a,b", "日本", "=1+1", "${seed}"):
            frame.to_csv("t.csv", index=False)
            words = ["data=table", "data.path=t.csv", "tasks={t: {}}", typed("tasks.t.target", target), *SMALL]
            assert outcome([*words, "hydra.run.dir=r"]) == 0
            assert outcome(["predict", "r", "t.csv", "-o", "p.csv"]) == 0
            assert list(pd.read_csv("p.csv").columns) == ["t"]
            shutil.rmtree("r")
            Path("p.csv").unlink()


@pytest.mark.parametrize("name", ["a/b", "../x", "a.b", "a b", "a,b", "é!", "", "1a", "trunk", "default"])
def test_names_of_tasks_are_checked(name: str) -> None:
    with workplace():
        pd.DataFrame({"a": range(40), "b": range(40)}).to_csv("t.csv", index=False)
        words = ["data=table", "data.path=t.csv", f"tasks={{'{name}': {{target: b}}}}"]
        assert outcome(["check", *words]) == 2
