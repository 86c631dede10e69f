"""What a cell becomes depends on the cell and on what the training has learnt, never on the cells beside it."""

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from mixed_cells import MIXED, mixed_rows, write

from mtlrun.data.columns import InputSpec, input_spec
from mtlrun.data.conversion import spelled_numbers
from mtlrun.data.encoding import classes_of
from mtlrun.data.kinds import as_texts, kind_of, text_codes
from mtlrun.data.reading import MISSING_WORDS, ColumnReading, Reading
from mtlrun.data.table import load_tables, read_table
from mtlrun.util.errors import RequestError


def cells_of(path: Path, spec: InputSpec, reading: Reading) -> np.ndarray:
    """Numbers and codes of all rows, side by side [N, D]."""
    return np.hstack(spec.transform(read_table(path, "predict", reading)))


@pytest.fixture(scope="module")
def rows() -> dict[str, list[str]]:
    return mixed_rows()


@pytest.fixture(scope="module")
def learnt(
    rows: dict[str, list[str]], tmp_path_factory: pytest.TempPathFactory
) -> tuple[InputSpec, Reading, np.ndarray]:
    """What a training on all rows keeps, and the cells of the rows."""
    folder = tmp_path_factory.mktemp("learnt")
    table = load_tables([write(rows, folder / "t.csv")], ["data.path"])
    names = [n for n in rows if n != "y"]
    spec, _ = input_spec(table.frame, names, 1000)
    spec, reading = (
        InputSpec.from_plain(json.loads(json.dumps(spec.to_plain()))),
        Reading.from_plain(json.loads(json.dumps(table.reading.to_plain()))),
    )
    return spec, reading, np.hstack(spec.transform(table.frame))


@settings(max_examples=40, deadline=None)
@given(
    chosen=st.lists(st.integers(0, 59), min_size=1, max_size=8, unique=True),
    ending=st.sampled_from([".csv", ".csv.gz", ".parquet"]),
)
def test_some_rows_are_read_as_they_are_among_all(
    chosen: Sequence[int],
    ending: str,
    rows: dict[str, list[str]],
    learnt: tuple[InputSpec, Reading, np.ndarray],
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    spec, reading, every = learnt
    some = {name: [cells[i] for i in chosen] for name, cells in rows.items()}
    path = write(some, tmp_path_factory.mktemp("some") / f"t{ending}")
    np.testing.assert_array_equal(cells_of(path, spec, reading), every[list(chosen)])
    # a run from before readings were stored keeps categories apart too; it reads only numbers by their neighbours
    kept = InputSpec([c for c in spec.category if c.name != "words"])  # it took words such as NA for missing values
    same = [len(spec.numeric) + i for i, c in enumerate(spec.category) if c.name != "words"]
    np.testing.assert_array_equal(
        kept.transform(read_table(path, "predict", kept.reading()))[1], every[chosen][:, same]
    )


SPELLINGS = [
    *(
        "1",
        "01",
        "1.0",
        "+1",
        " 1",
        "1 ",
        "1e5",
        "-0",
        "0.1",
        "1e400",
        "inf",
        "nan",
        "NA",
        "",
        "None",
        "#N/A",
        "TRUE",
        "true",
    ),
    *(
        "False",
        "True ",
        "x",
        "A1",
        "2020-01-01",
        "20200101",
        "12:30",
        "1,5",
        "5%",
        "9007199254740993",
        "18446744073709551615",
    ),
    *("-5", "1" * 40, ".", " ", "\t", "'", '"', "a\nb", "é", "１", "0x10", "1_0", "-1e-320", "\u200b1", "\xa01"),
]


@settings(max_examples=60, deadline=None)
@given(data=st.data(), ending=st.sampled_from([".csv", ".csv.gz", ".parquet"]))
def test_any_column_is_read_alike_in_part(
    data: st.DataObject, ending: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    cells = data.draw(st.lists(st.sampled_from(SPELLINGS), min_size=1, max_size=4, unique=True))
    column = data.draw(st.lists(st.sampled_from(cells), min_size=2, max_size=8))
    chosen = data.draw(st.lists(st.integers(0, len(column) - 1), min_size=1, max_size=4, unique=True))
    ids = list(map(str, range(len(column))))
    folder = tmp_path_factory.mktemp("any")
    table = load_tables([write({"c": column, "i": ids}, folder / "t.csv")], ["data.path"])
    try:
        spec, _ = input_spec(table.frame, ["c", "i"], 100)
    except RequestError:  # infinite values
        return
    every = np.hstack(spec.transform(table.frame))
    some = {"c": [column[i] for i in chosen], "i": [ids[i] for i in chosen]}
    np.testing.assert_array_equal(cells_of(write(some, folder / f"s{ending}"), spec, table.reading), every[chosen])


@settings(max_examples=40, deadline=None)
@given(data=st.data())
def test_files_of_a_training_are_read_as_one(data: st.DataObject, tmp_path_factory: pytest.TempPathFactory) -> None:
    cells = data.draw(st.sampled_from([*MIXED.values(), ["1", "2", "TRUE"], ["0.1", "9007199254740993", ""]]))
    column = data.draw(st.lists(st.sampled_from(cells), min_size=2, max_size=9))
    cut = data.draw(st.integers(1, len(column) - 1))
    folder = tmp_path_factory.mktemp("files")
    ids = list(map(str, range(len(column))))
    one = load_tables([write({"c": column, "i": ids}, folder / "one.csv")], ["data.path"])
    paths = [
        write({"c": column[:cut], "i": ids[:cut]}, folder / "a.csv"),
        write({"c": column[cut:], "i": ids[cut:]}, folder / "b.csv.gz"),
    ]
    two = load_tables(paths, ["data.path", "data.split.files.test"])
    assert two.reading == one.reading
    assert kind_of(two.frame["c"]) is kind_of(one.frame["c"])
    assert as_texts(two.frame["c"]).tolist() == as_texts(one.frame["c"]).tolist()
    assert two.frame["c"].isna().tolist() == one.frame["c"].isna().tolist()


@pytest.mark.parametrize(
    ("cells", "texts"),
    [
        (pd.Series(["b", None, "a", "b"], dtype="str"), ["b", "", "a", "b"]),
        (pd.Series([1, "1", 1.0, 2.5, None, "x"], dtype=object), ["1", "1", "1", "2.5", "", "x"]),
        (pd.Series([2.0, np.nan, 0.5]), ["2", "", "0.5"]),
        (pd.Series([2, None], dtype="Int64"), ["2", ""]),
        (pd.Series([True, False]), ["True", "False"]),
        (pd.Series(pd.to_datetime(["2020-01-02", None])), ["2020-01-02 00:00:00", ""]),
        (pd.Series([None, None], dtype="str"), ["", ""]),
    ],
)
def test_the_text_of_a_cell(cells: pd.Series, texts: list[str]) -> None:
    assert as_texts(cells).tolist() == texts
    codes, distinct = text_codes(cells)
    assert (codes == -1).tolist() == cells.isna().tolist()
    assert distinct[codes[codes >= 0]].tolist() == [text for text in texts if text]
    assert len(set(distinct)) == len(distinct)


@pytest.mark.parametrize(
    ("cells", "kind"),
    [
        (["01", "A1"], "text"),
        (["01", "02"], "text"),
        (["1", "10", "02"], "text"),
        ([" 01", "NA", ""], "text"),
        (["00", "1.5"], "text"),
        (["0", "10", "-1"], "number"),
        (["0.5", "00.5", "1"], "number"),
        (["01.0", "2"], "number"),
        (["1", "TRUE"], "number"),
        (["TRUE", "false", ""], "bool"),
        (["TRUE", "no"], "text"),
        (["", "NA"], "number"),
        (["1", "", "9007199254740993"], "whole"),
        (["1", "9007199254740993"], "whole"),
        (["0.5", "9007199254740993"], "number"),
        (["1", "1e400"], "number"),
        (["18446744073709551615", "-1"], "whole"),
        (["2020-01-01", "2020-01-02"], "date"),
        (["2020-01-01", "NA", "2020-01-02T10:00:00Z"], "date"),
        (["2020-01-01", "later"], "text"),
        (["2020", "2021-01"], "text"),
        (["1", "NA", "2.5", "null"], "number"),
        (["TRUE", "None", "false"], "bool"),
        (["NA", "EU", "None"], "text"),
        (["18:57", "19:00"], "text"),
    ],
)
def test_the_kind_follows_from_the_cells(cells: list[str], kind: str, tmp_path: Path) -> None:
    table = load_tables([write({"c": cells, "x": cells}, tmp_path / "t.csv")], ["data.path"])
    assert table.reading.columns["c"].kind == kind


def test_parquet_states_its_types(tmp_path: Path) -> None:
    days = pd.to_datetime(["2020-01-01", "2021-12-31"])
    typed = pd.DataFrame({"t": ["01", "02"], "d": days, "b": [True, False], "n": [1, 2], "w": ["NA", "a"]})
    typed.to_parquet(tmp_path / "a.parquet")
    (tmp_path / "b.csv").write_text("t,d,b,n,w\n01,20200102,0,3,NA\n3,2020-01-03 12:00,TRUE,x,a\n")
    alone = load_tables([tmp_path / "a.parquet"], ["data.path"]).reading
    assert {n: c.kind for n, c in alone.columns.items()} == {
        "t": "text",
        "d": "date",
        "b": "bool",
        "n": "number",
        "w": "text",
    }
    frame = read_table(tmp_path / "b.csv", "predict", alone)
    assert as_texts(frame["t"]).tolist() == ["01", "3"]
    assert frame["d"].tolist() == [pd.Timestamp("2020-01-02"), pd.Timestamp("2020-01-03 12:00")]
    assert frame["b"].tolist() == [0, 1]
    assert frame["w"].tolist() == ["NA", "a"]  # a word in Parquet is a word
    both = load_tables([tmp_path / "a.parquet", tmp_path / "b.csv"], ["data.path", "data.split.files.test"])
    assert {n: c.kind for n, c in both.reading.columns.items()} == {
        "t": "text",
        "d": "date",
        "b": "number",
        "n": "text",
        "w": "text",
    }
    assert both.frame["w"].tolist() == ["NA", "a", "NA", "a"]


def test_a_cell_that_is_no_number_is_named(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text("x\n1\n2\n")
    table = load_tables([tmp_path / "t.csv"], ["data.path"])
    spec, _ = input_spec(table.frame, ["x"], 100)
    (tmp_path / "new.csv").write_text("x\n1\nTRUE\n3 m\n")
    with pytest.raises(RequestError, match="column 'x' holds text, such as 'TRUE' in data row 2"):
        spec.transform(read_table(tmp_path / "new.csv", "predict", table.reading))
    pd.DataFrame({"x": pd.to_datetime(["2020-01-01"])}).to_parquet(tmp_path / "days.parquet")
    with pytest.raises(RequestError, match="column 'x' holds text, such as '2020-01-01"):
        spec.transform(read_table(tmp_path / "days.parquet", "predict", table.reading))


@pytest.mark.parametrize("ending", [".csv", ".parquet"])
@pytest.mark.parametrize("gap", [False, True])
@pytest.mark.parametrize("first", [2**53, 1234567890123456789, 2**63 - 2, 2**64 - 3, 10**30])
def test_whole_numbers_stay_whole(first: int, gap: bool, ending: str, tmp_path: Path) -> None:
    if ending == ".parquet" and first > 2**64:
        pytest.skip("Parquet has no such numbers")
    names = [first, first + 1, 7]
    cells = pd.array([*names, None] if gap else names, dtype="UInt64" if first < 2**64 else object)
    frame = pd.DataFrame({"c": cells, "x": range(len(cells))})
    path = tmp_path / f"t{ending}"
    frame.to_parquet(path) if ending == ".parquet" else frame.to_csv(path, index=False)
    series = load_tables([path], ["data.path"]).frame["c"]
    classes, codes = classes_of(series.dropna(), "tasks.c")
    assert classes == sorted(names) and codes.tolist() == [1, 2, 0]
    assert as_texts(series).tolist() == [*map(str, names), *([""] if gap else [])]


def test_a_spelling_is_a_number_alike_in_csv_and_in_text(tmp_path: Path) -> None:
    """What pandas infers from a CSV file is what `spelled_numbers` says of text, to the last digit."""
    rng = np.random.default_rng(0)
    texts = [
        "1",
        "+1",
        " 1",
        "1 ",
        "\t1",
        "1.",
        ".5",
        "1e5",
        "1E-05",
        "inf",
        "-Infinity",
        "1e400",
        "00",
        "12345678901234567",
    ]
    texts += ["1_0", "0x1A", "1d5", "1e", "١", "1\xa0", "--1", "- 1", "1L", "1,5", "+nan", "0.1.2", "True", "t", "yes"]
    texts += [repr(v) for v in rng.normal(size=300) * 10.0 ** rng.integers(-20, 20, 300)]
    texts += [f"{v:.30f}" for v in rng.normal(size=100)]
    for text in texts:
        pd.DataFrame({"c": [text, ""], "x": ["1", "2"]}).to_csv(tmp_path / "t.csv", index=False)
        parsed = pd.read_csv(tmp_path / "t.csv")["c"]
        spelled = spelled_numbers(pd.Series([text, None], dtype="str"))
        assert (spelled is None) == (kind_of(parsed).name == "text"), text
        if spelled is not None:
            assert spelled[0] == float(parsed[0]), text


def test_words_for_missing_values_are_those_of_pandas() -> None:
    from pandas._libs.parsers import STR_NA_VALUES

    assert {"", *MISSING_WORDS} == STR_NA_VALUES


def test_a_reading_is_stored_without_its_defaults() -> None:
    reading = Reading({"a": ColumnReading("text", [""]), "b": ColumnReading("number")})
    plain = reading.to_plain()
    assert plain == {"a": {"kind": "text", "missing": [""]}, "b": {"kind": "number"}}
    assert Reading.from_plain(plain) == reading
    with pytest.raises(RequestError, match=r"reading\.a\.kind"):
        Reading.from_plain({"a": {"kind": "txt"}})
