"""Reading tables: what columns become, and the errors of files that are none."""

import gzip
import re
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from mtlrun.data.kinds import as_numbers, as_texts, kind_of
from mtlrun.data.paths import resolve_path
from mtlrun.data.table import load_tables, read_table
from mtlrun.data.tabular_files import SIGNS, _any_leading_zero, separator_of
from mtlrun.util.errors import RequestError


def test_the_package_holds_diamonds() -> None:
    frame = read_table(resolve_path("package:diamonds.csv.gz"))
    assert frame.shape == (53_940, 10)
    assert frame["price"].sum() == 212_135_217
    assert list(frame.columns[:4]) == ["carat", "cut", "color", "clarity"]


def test_csv_gz_and_parquet_agree(tmp_path: Path) -> None:
    frame = pd.DataFrame({"n": [1.5, None, 3.0], "i": [1, 2, 3], "t": ["a", None, "ü"], "b": [True, False, True]})
    frame.to_csv(tmp_path / "t.csv", index=False)
    frame.to_csv(tmp_path / "t.csv.gz", index=False)
    frame.to_parquet(tmp_path / "t.parquet")
    tables = [read_table(tmp_path / f"t{s}") for s in (".csv", ".csv.gz", ".parquet")]
    for table in tables:
        assert [kind_of(table[c]).name for c in table] == ["number", "number", "text", "bool"]
        np.testing.assert_array_equal(as_numbers(table["n"]), [1.5, np.nan, 3.0])
        assert as_numbers(table["b"]).tolist() == [1.0, 0.0, 1.0]
        assert as_texts(table["t"]).tolist() == ["a", "", "ü"]
        assert table["t"].isna().tolist() == [False, True, False]


@pytest.mark.parametrize("part", [slice(-20, None), slice(None, None, 2), slice(3, None, 7)])
def test_parquet_of_a_part_of_a_table_is_the_csv_of_it(part: slice, tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    whole = pd.DataFrame(
        {
            "x": rng.normal(size=60),
            "grade": pd.Categorical(rng.choice(["a", "b"], 60)),
            "code": pd.Categorical(rng.integers(0, 3, 60)),
            "text": rng.choice(["u", "v"], 60),
        }
    )
    whole.iloc[part].to_parquet(tmp_path / "t.parquet")
    whole.iloc[part].to_csv(tmp_path / "t.csv", index=False)
    found, expected = (read_table(tmp_path / f"t.{s}") for s in ("parquet", "csv"))
    assert list(found) == list(whole) and found.index.equals(expected.index)
    for column in ("x", "code"):
        np.testing.assert_array_equal(as_numbers(found[column]), as_numbers(expected[column]))
    for column in ("grade", "text"):
        assert as_texts(found[column]).tolist() == whole[column].iloc[part].tolist()


def test_columns_of_parquet(tmp_path: Path) -> None:
    frame = pd.DataFrame(
        {
            "day": pd.to_datetime(["1970-01-02 00:00", None, "1969-12-31 12:00"]),
            "zone": pd.to_datetime(["1970-01-02T02:00+02:00"] * 3),
            "grade": pd.Categorical(["low", "high", None]),
            "code": pd.Categorical([3, 1, 3]),
            "count": pd.array([1, None, 3], dtype="Int64"),
            "yes": pd.array([True, None, False], dtype="boolean"),
            "empty": pd.Series([None, None, None], dtype=object),
            "text": ["", "a", "b"],
        }
    )
    frame.to_parquet(tmp_path / "t.parquet")
    table = read_table(tmp_path / "t.parquet")
    kinds = ["date", "date", "text", "number", "number", "bool", "number", "text"]
    assert [kind_of(table[c]).name for c in table] == kinds
    np.testing.assert_array_equal(as_numbers(table["day"]), [1.0, np.nan, -0.5])
    np.testing.assert_array_equal(as_numbers(table["zone"]), [1.0, 1.0, 1.0])
    np.testing.assert_array_equal(as_numbers(table["count"]), [1.0, np.nan, 3.0])
    np.testing.assert_array_equal(as_numbers(table["yes"]), [1.0, np.nan, 0.0])
    np.testing.assert_array_equal(as_numbers(table["code"]), [3.0, 1.0, 3.0])
    assert np.isnan(as_numbers(table["empty"])).all()
    assert table["text"].isna().tolist() == [True, False, False]
    assert as_texts(pd.Series([1.0, 2.5, np.nan])).tolist() == ["1", "2.5", ""]


def test_tables_are_read_once_until_the_file_changes(tmp_path: Path) -> None:
    file = tmp_path / "t.csv"
    file.write_text("a\n1\n")
    first = load_tables([file], ["data.path"])
    assert load_tables([file], ["data.path"]) is first
    file.write_text("a\n1\n2\n")
    second = load_tables([file], ["data.path"])
    assert len(second.frame) == 2 and second.digest != first.digest


def test_files_below_one_another(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("x,y\n1,2\n3,4\n")
    (tmp_path / "b.csv").write_text("y,z,x\n6,0,5\n")
    (tmp_path / "c.csv").write_text("xx,y\n1,2\n")
    paths = [tmp_path / "a.csv", tmp_path / "b.csv"]
    table = load_tables(paths, ["data.path", "data.split.files.test"])
    assert table.lengths == [2, 1]
    assert table.frame.to_numpy().tolist() == [[1, 2], [3, 4], [5, 6]]
    with pytest.raises(RequestError, match=r"data\.split\.files\.test: c\.csv lacks columns of a\.csv: 'x'"):
        load_tables([tmp_path / "a.csv", tmp_path / "c.csv"], ["data.path", "data.split.files.test"])


def gz(content: bytes) -> bytes:
    return gzip.compress(content, mtime=0)


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("t.csv", b"", "is empty"),
        ("t.csv", b"a,b\n", "no rows"),
        ("t.csv", b"a,b,a\n1,2,3\n", "several columns named 'a'"),
        ("t.csv", b"a,b\n1,2,3\n4,5,6\n", "2 column names, but 3 fields"),
        ("t.csv", b"a,b\n1,2\n1,2,3\n", "cannot be read"),
        ("t.csv", b"a;b;c\n1;2;3\n", "separated by ';', not by ','"),
        ("t.csv", b"a;b\n1,5;2,5\n", 'data.separator=";"'),
        ("t.csv", b"a\tb\n1\t2\n", 'data.separator="tab"'),
        ("t.csv", "a\nKöln\n".encode("latin1"), "iconv -f latin1 -t utf-8 t.csv > utf8.csv"),
        ("t.csv", "a\n5 €\n".encode("cp1252"), "iconv -f cp1252 -t utf-8 t.csv > utf8.csv"),
        ("t.csv.gz", gz("a\n5 €\n".encode("cp1252")), "zcat t.csv.gz | iconv -f cp1252"),
        ("my t.csv", "a\nKöln\n".encode("latin1"), "iconv -f latin1 -t utf-8 'my t.csv' > utf8.csv"),
        ("in/t.csv", "a\nKöln\n".encode("latin1"), "iconv -f latin1 -t utf-8 in/t.csv > utf8.csv"),
        ("t.csv", b"a\x00\xff\xfe\n", "cannot be read"),
        ("t.csv.gz", b"a,b\n1,2\n", "no gzip file"),
        ("t.csv.gz", gz(b"a,b\n" + b"1,2\n" * 9999)[:40], "cut short"),
        ("t.parquet", b"PAR1 and no more", "cannot be read"),
        ("t.parquet", b"", "cannot be read"),
        ("t.xlsx", b"a", "unknown suffix"),
    ],
)
def test_files_that_are_no_tables(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, content: bytes, said: str
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / name).parent.mkdir(exist_ok=True)
    (tmp_path / name).write_bytes(content)
    with pytest.raises(RequestError) as error:
        read_table(tmp_path / name)
    assert str(error.value).startswith("data.path: ")
    assert said in str(error.value)
    assert str(error.value).count("\n") == 1


@pytest.mark.parametrize(
    ("separator", "content"),
    [
        (",", "name,price\nUlm,1.5\n"),
        (",", '"a;b|c",price\n;;;;,1.5\n'),
        (";", "name;price\nUlm;1,5\n"),
        (";", "size, m²;price;name\n1,5;1,5;Ulm, Mitte\n"),
        ("tab", "name\tprice\nUlm, Mitte\t1,5\n"),
        ("|", "name|price\nUlm|1,5\n"),
    ],
)
@pytest.mark.parametrize("suffix", [".csv", ".csv.gz"])
def test_the_separator_is_recognised_and_read(tmp_path: Path, separator: str, content: str, suffix: str) -> None:
    path = tmp_path / f"t{suffix}"
    path.write_bytes(gz(content.encode()) if suffix == ".csv.gz" else content.encode())
    assert separator_of(path) == separator
    header = read_table(path, separator=separator).columns
    assert len(header) == content.splitlines()[0].replace('"a;b|c"', "a").count(SIGNS[separator]) + 1


def test_paths(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MTLRUN_DATA", str(tmp_path / "data"))
    (tmp_path / "houses.csv").write_text("a\n1\n")
    assert resolve_path("houses.csv") == tmp_path / "houses.csv"
    for path, said in [
        (None, "none is given"),
        ("package:diamond.csv.gz", "did you mean diamonds.csv.gz?"),
        ("fetched:census_income_train.parquet", "mtlrun fetch census_income"),
        ("fetched:census.parquet", "census_income_train.parquet"),
    ]:
        with pytest.raises(RequestError, match=r"data\.path: ") as error:
            resolve_path(path)
        assert said in str(error.value)
    for file, said in [("house.csv", "did you mean houses.csv?"), (".", "is a folder"), ("no/t.csv", "no folder")]:
        with pytest.raises(RequestError, match=r"data\.path: ") as error:
            read_table(resolve_path(file))
        assert said in str(error.value)


def test_a_column_may_be_named_like_the_beginning_of_a_parquet_file(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_text("PAR1,y\n1,2\n3,4\n")
    assert list(read_table(path).columns) == ["PAR1", "y"]


def test_what_a_table_s_file_really_is_is_said(tmp_path: Path) -> None:
    frame = pd.DataFrame({"a": [1, 2], "y": [3, 4]})
    frame.to_parquet(tmp_path / "p.parquet")
    frame.to_csv(tmp_path / "g.csv.gz", index=False)
    for source, name, kind in (("p.parquet", "t.csv", "Parquet"), ("g.csv.gz", "u.csv", "gzip")):
        (tmp_path / name).write_bytes((tmp_path / source).read_bytes())
        with pytest.raises(RequestError, match=f"it is a {kind} file"):
            read_table(tmp_path / name)


@pytest.mark.parametrize(
    "values", [[[1, 2], [3]], [{"a": 1}, {"a": 2}], [b"\xff", b"a"]], ids=["lists", "maps", "bytes"]
)
def test_columns_of_parquet_that_are_no_table_s_are_named(tmp_path: Path, values: list[Any]) -> None:
    pd.DataFrame({"x": values, "y": [1.0, 2.0]}).to_parquet(tmp_path / "t.parquet")
    with pytest.raises(RequestError, match="column 'x' holds"):
        read_table(tmp_path / "t.parquet")


def test_whole_numbers_beyond_any_float_are_infinite_and_others_what_they_are(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text(f"a,b\n{10**400},{2**70}\n-{10**400},{2**70 + 1}\n")
    frame = read_table(tmp_path / "t.csv")
    assert list(frame["a"]) == [np.inf, -np.inf]
    assert frame["b"].nunique() == 2


def test_a_separator_is_refused_where_no_file_has_one(tmp_path: Path) -> None:
    frame = pd.DataFrame({"x": [1, 2], "y": [3, 4]})
    frame.to_parquet(tmp_path / "t.parquet")
    frame.to_csv(tmp_path / "t.csv", index=False, sep=";")
    keys = ["data.path", "data.split.files.test"]
    with pytest.raises(RequestError, match=r"data\.separator: found ';', but t\.parquet is no CSV file") as error:
        load_tables([tmp_path / "t.parquet"], keys[:1], separator=";")
    assert str(error.value).endswith("leave data.separator out")
    both = load_tables([tmp_path / "t.parquet", tmp_path / "t.csv"], keys, separator=";")
    assert both.frame["y"].tolist() == [3, 4, 3, 4]
    assert read_table(tmp_path / "t.parquet", "predict", separator=";").equals(frame)  # the run may have read CSV


@pytest.mark.parametrize("separator", list(SIGNS))
def test_leading_zeros_are_found_wherever_a_field_has_one(separator: str, tmp_path: Path) -> None:
    random, path = np.random.default_rng(0), tmp_path / "t.csv"
    fields = ["01", " 007 ", "0", "0.5", "10", "1e05", "-01", "a01", "2020-09-02", "", "1 02"]
    for _ in range(200):
        row = SIGNS[separator].join(random.choice(fields, random.integers(1, 4)))
        path.write_text(row + random.choice(["", "\n", "\r\n"]))
        code = any(re.fullmatch(r"[ \t]*0[0-9]+[ \t]*", field) for field in row.split(SIGNS[separator])[1:])
        assert _any_leading_zero(path, separator) >= code
    path.write_text(SIGNS[separator].join(["1"] * 100_000 + ["00"] + ["1"] * 99_999))
    assert _any_leading_zero(path, separator)
    path.write_text(SIGNS[separator].join(["1", "0", "10", "0.05", "x-01"] * 50_000))
    assert not _any_leading_zero(path, separator)
