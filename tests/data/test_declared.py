"""Columns in a local notation: recognised by `init` and `check`, refused as targets, and read by `data.columns`."""

import json
import shlex
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import yaml
from houses import config

from mtlrun.compose import compose, single
from mtlrun.data.dataset import load_dataset
from mtlrun.data.init_yaml import write_yaml
from mtlrun.data.inspect import inspect
from mtlrun.data.notation import columns_override, shown
from mtlrun.data.reading import Reading
from mtlrun.data.table import read_table
from mtlrun.util.errors import RequestError

ROWS = 240
N = np.arange(ROWS) * 37 % 60
VALUES = (N - 20) * 100.5
DAYS = pd.Timestamp("2021-01-13") + pd.to_timedelta(N * 11, unit="D")
TASK: dict[str, Any] = {"y": {"type": "regression"}}

# cells -> the settings that read them, and the numbers or dates that they are
COLUMNS: dict[str, tuple[list[str], dict[str, Any], Any]] = {
    "decimal comma": ([f"{v}".replace(".", ",") for v in VALUES], {"number": {"decimal": ","}}, VALUES),
    "thousands": ([f"{v:,}" for v in VALUES], {"number": {"thousands": ","}}, VALUES),
    "swiss": ([f"{v:,}".replace(",", "’") for v in VALUES], {"number": {"thousands": "'"}}, VALUES),
    "french": (
        [f"{v:,}".replace(",", "\u202f").replace(".", ",") for v in VALUES],
        {"number": {"decimal": ",", "thousands": " "}},
        VALUES,
    ),
    "percent": ([f"{v}%" for v in VALUES], {"number": {"unit": "%"}}, VALUES),
    "currency": ([f"${v}".replace("$-", "-$") for v in VALUES], {"number": {"unit": "$"}}, VALUES),
    "unit": ([f"{v} kg" for v in VALUES], {"number": {"unit": "kg"}}, VALUES),
    "brackets": ([f"({-v})" if v < 0 else f"{v}" for v in VALUES], {"number": {}}, VALUES),
    "minus": ([f"{v}".replace("-", "−") for v in VALUES], {"number": {}}, VALUES),
    "dash": (
        ["-" if n % 5 == 0 else f"{v}" for n, v in zip(N, VALUES, strict=True)],
        {"number": {}, "missing": ["-"]},
        np.where(N % 5 == 0, np.nan, VALUES),
    ),
    "german": ([d.strftime("%d.%m.%Y") for d in DAYS], {"date": "%d.%m.%Y"}, DAYS),
    "american": ([d.strftime("%m/%d/%Y") for d in DAYS], {"date": "%m/%d/%Y"}, DAYS),
    "compact": ([d.strftime("%Y%m%d") for d in DAYS], {"date": "%Y%m%d"}, DAYS),
    "words": ([d.strftime("%b %d %Y") for d in DAYS], {"date": "%b %d %Y"}, DAYS),
    "iso with gaps": (
        ["-" if n % 5 == 0 else d.strftime("%Y-%m-%d") for n, d in zip(N, DAYS, strict=True)],
        {"date": "ISO8601", "missing": ["-"]},
        DAYS.where(N % 5 != 0),
    ),
    "clock": (
        [f"{n % 24}:{n:02}" for n in N],
        {"time": "%H:%M"},
        pd.Series([pd.Timestamp(2000, 1, 1, int(n) % 24, int(n)).time() for n in N]),
    ),
}


def offered(message: str) -> Any:
    """The columns of the last setting `data.columns` in a message, as a shell passes it on."""
    (word, *_) = shlex.split(message[message.rindex("'data.columns=") :])
    return yaml.safe_load(word.removeprefix("data.columns="))


def written(name: str, folder: Path, ending: str = ".csv") -> str:
    """A table with a column z in a notation, and y."""
    frame = pd.DataFrame({"z": COLUMNS[name][0], "x": N % 7, "y": VALUES + N % 3})
    path = folder / f"t{ending}"
    frame.to_parquet(path) if ending == ".parquet" else frame.to_csv(path, index=False)
    return str(path)


@pytest.mark.parametrize("ending", [".csv", ".parquet"])
@pytest.mark.parametrize("name", COLUMNS)
def test_a_declared_column_is_read_as_what_it_spells(name: str, ending: str, tmp_path: Path) -> None:
    _, settings, values = COLUMNS[name]
    data = load_dataset(config(TASK, path=written(name, tmp_path, ending), columns={"z": settings}))
    pd.DataFrame({"z": values, "x": N % 7, "y": VALUES + N % 3}).to_parquet(tmp_path / "plain.parquet")
    plain = load_dataset(config(TASK, path=str(tmp_path / "plain.parquet")))
    assert data.spec == plain.spec
    np.testing.assert_array_equal(data.numeric, plain.numeric)
    # a later file is read by what the run has stored, whatever rows it holds
    reading = Reading.from_plain(json.loads(json.dumps(data.reading.to_plain())))
    assert reading == data.reading
    some = pd.DataFrame({"z": COLUMNS[name][0], "x": N % 7, "y": 0.0}).iloc[[7, 3]]
    some.to_csv(tmp_path / "some.csv", index=False)
    found = data.spec.transform(read_table(tmp_path / "some.csv", "predict", reading))[0]
    np.testing.assert_array_equal(found, data.numeric[[7, 3]])


@pytest.mark.parametrize("name", COLUMNS)
def test_init_writes_the_line_and_check_names_it(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    _, settings, _ = COLUMNS[name]
    path = written(name, tmp_path)
    plain = yaml.safe_load(write_yaml(Path(path), ["y"], tmp_path).path.read_text(encoding="utf-8"))
    assert plain["data"]["columns"] == {"z": settings} and plain["data"]["inputs"] == ["z", "x"]
    undeclared = config(TASK, path=path)
    warned = [w for w in inspect(undeclared, load_dataset(undeclared)) if w.startswith("z: read as ")]
    assert len(warned) == 1 and ": 'data.columns={z: {" in warned[0]
    assert offered(warned[0]) == {"z": settings}
    settled = config(TASK, path=path, columns={"z": settings})
    assert not [w for w in inspect(settled, load_dataset(settled)) if w.startswith("z: read")]


@pytest.mark.parametrize("name", sorted(COLUMNS.keys() - {"compact"}))  # which are numbers too
def test_as_a_target_it_is_refused_until_declared(name: str, tmp_path: Path) -> None:
    path, settings = written(name, tmp_path), COLUMNS[name][1]
    with pytest.raises(RequestError, match=r"tasks\.z\.type: none is given for 'z', .* classes that are ") as error:
        load_dataset(config({"z": {}}, path=path))
    assert offered(str(error.value)) == {"z": settings}
    with pytest.raises(RequestError, match="holds text") as error:
        load_dataset(config({"z": {"type": "regression"}}, path=path))
    assert offered(str(error.value)) == {"z": settings}
    assert load_dataset(config({"z": {}}, path=path, columns={"z": settings})).targets["z"].type == "regression"
    assert load_dataset(config({"z": {"type": "categorical"}}, path=path)).targets["z"].type == "categorical"


NAMES = (
    "z",
    "Order Date",
    "a.b",
    "c/d",
    "no",
    "it's",
    'say "so"',
    "100 %",
    "a:b",
    "größe",
    "${x}",
    "$HOME",
    "2019",
    "null",
)


@pytest.mark.parametrize("name", NAMES)
def test_the_setting_that_messages_offer_works(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In a shell, or in the YAML of the table if Hydra takes no such key."""
    monkeypatch.chdir(tmp_path)
    settings = {"number": {"decimal": ",", "unit": "€"}, "missing": ["n.a.", "it's", "\\N", 'so "', "null", "${x}"]}
    said = columns_override({name: settings})
    words = shlex.split(said)
    if name not in NAMES[:5]:
        columns = said.removeprefix("in the YAML of the table, under data, ")
        Path("conf/data").mkdir(parents=True)
        Path("conf/data/own.yaml").write_text(f"# @package _global_\ndata:\n  {columns}\n", encoding="utf-8")
        words = ["data=own"]
    read = single(compose([*words, "data.path=t.csv", "tasks={y: {type: regression}}"])).data.columns
    assert read is not None and {n: shown(c) for n, c in read.items()} == {name: settings}


def test_a_notation_in_doubt_is_a_comment(tmp_path: Path) -> None:
    frame = pd.DataFrame({"when": ["8/6/2021", "3/4/2022", "1/2/2020"] * 20, "mass": ["1,000", "2,500", "4,125"] * 20})
    frame.assign(y=np.arange(60) * 1.5).to_csv(tmp_path / "t.csv", index=False)
    text = write_yaml(tmp_path / "t.csv", ["y"], tmp_path).path.read_text(encoding="utf-8")
    assert yaml.safe_load(text)["data"]["columns"] is None
    assert '    # when: {date: "%d/%m/%Y"}  # dates such as \'8/6/2021\'; or {date: "%m/%d/%Y"}' in text
    assert '    # mass: {number: {thousands: ","}}  # numbers such as \'1,000\'; or {number: {decimal: ","}}' in text


@pytest.mark.parametrize(
    ("columns", "said"),
    [
        ({"z": {"number": {}, "date": "%Y"}}, "data.columns.z: number, date are all given\nallowed: one of number"),
        (
            {"z": {"number": {"thousands": "."}}},
            "data.columns.z.number.thousands: found '.', which is also the decimal",
        ),
        ({"z": {"number": {"decimal": ";"}}}, "data.columns.z.number.decimal: found ';'\nallowed: . | ,"),
        ({"z": {"number": {"unit": " "}}}, "data.columns.z.number.unit: found ' '"),
        ({"z": {"number": {"suffix": "%"}}}, "data.columns.z.number.suffix: data.columns.z.number has no such key"),
        ({"z": {"number": True}}, "data.columns.z.number: found True\nallowed: a mapping"),
        ({"z": {"date": "%d.%m"}}, "data.columns.z.date: found '%d.%m'\nallowed: ISO8601, or directives of strptime"),
        ({"z": {"date": "dd.mm.yyyy"}}, "data.columns.z.date: found 'dd.mm.yyyy'"),
        ({"z": {"date": "%Y-%Q"}}, "data.columns.z.date: found '%Y-%Q'"),
        ({"z": {"time": "%M"}}, "data.columns.z.time: found '%M'\nallowed: directives of strptime with an hour"),
        ({"z": {"kind": "text"}}, "data.columns.z.kind: data.columns.z has no such key"),
        ({"z": "number"}, "data.columns.z: found 'number'\nallowed: a mapping"),
        ({"q": {"text": True}}, "data.columns.q: no column is named 'q'"),
        (
            {"z": {"number": {"decimal": ","}}},
            "'-2010.0 kg' in data row 1 (header not counted) is no number written as {number",
        ),
        (
            {"z": {"date": "%d.%m.%Y"}},
            "'-2010.0 kg' in data row 1 (header not counted) is no date written as {date: ",
        ),
    ],
)
def test_wrong_declarations(columns: dict[str, Any], said: str, tmp_path: Path) -> None:
    with pytest.raises(RequestError) as error:
        load_dataset(config(TASK, path=written("unit", tmp_path), columns=columns))
    assert said in str(error.value) and str(error.value).count("\n") == 1


def test_codes_stay_text_if_declared(tmp_path: Path) -> None:
    cells = ["01", "1", "1.0", "1e3", "2020-01-01", "TRUE"] * 10
    pd.DataFrame({"z": cells[:24], "y": np.arange(24.0)}).to_csv(tmp_path / "t.csv", index=False)
    pd.DataFrame({"z": ["01", "1"] * 12, "y": np.arange(24.0)}).to_csv(tmp_path / "n.csv", index=False)
    for name in ("t.csv", "n.csv"):
        spec = load_dataset(config(TASK, path=str(tmp_path / name), columns={"z": {"text": True}})).spec
        assert {"01", "1"} <= set(spec.columns[0].categories)


@pytest.mark.parametrize("cells", [["01067", "80331"], ["01", "2", "10", "NA"]])
def test_digits_with_a_leading_zero_are_codes_until_declared(
    cells: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    rows = {"z": (cells * 20)[:40], "y": np.arange(40.0), "x": np.arange(40.0) % 7, "class": (cells * 20)[:40]}
    pd.DataFrame(rows).to_csv("t.csv", index=False)
    codes = sorted(set(cells) - {"NA", ""})
    tasks = {"y": {"type": "regression"}, "group": {"target": "class"}}
    undeclared = config(tasks, path="t.csv")
    data = load_dataset(undeclared)
    assert list(data.targets["group"].classes) == codes
    said = f"read as text, as {cells[0]!r} has a leading zero; to read numbers: 'data.columns="
    found = [w for w in inspect(undeclared, data) if said in w]
    assert [w.split(":")[0] for w in found] == ["z", "class"]
    assert offered(found[0]) == {"z": {"number": {}}}
    numbers = load_dataset(config(tasks, path="t.csv", columns={"z": {"number": {}}}))
    assert numbers.reading.columns["z"].kind == "number"
    assert data.reading.columns["z"].kind == "text"
    old = load_dataset(config({"y": {"type": "regression"}}, path="t.csv", reading="0.1"))
    assert old.reading.columns["z"].kind == "number"
    assert (
        f"# z: {{number: {{}}}}  # text, as {cells[0]!r} has"
        in write_yaml(Path("t.csv"), ["y"], tmp_path).path.read_text()
    )
    reading = Reading.from_plain(json.loads(json.dumps(data.reading.to_plain())))
    pd.DataFrame(rows)[["z"]].iloc[:1].to_csv("new.csv", index=False)
    assert read_table(Path("new.csv"), "predict", reading)["z"].tolist() == cells[:1]
    # numbers stay numbers where a run has learnt so
    assert read_table(Path("new.csv"), "predict", old.reading)["z"].tolist() == [float(cells[0])]


def test_codes_of_digits_and_letters_are_not_declared_numbers(tmp_path: Path) -> None:
    """The departments of France are 01 to 95, and 2A and 2B."""
    cells = [f"{i:02d}" for i in range(1, 96)] + ["2A"]
    pd.DataFrame({"z": cells, "y": np.arange(96.0)}).to_csv(tmp_path / "t.csv", index=False)
    checked = config(TASK, path=str(tmp_path / "t.csv"))
    assert not [w for w in inspect(checked, load_dataset(checked)) if "numbers" in w]


# ---------------------------------------------------------------- words for missing values


def words_table(folder: Path, ending: str = ".csv") -> str:
    """Columns of text and of numbers with words that may mean a missing value."""
    n = np.arange(90)
    severity = np.array(["None", "Mild", "Severe"])[n % 3]
    frame = pd.DataFrame({"x": n % 9, "severity": severity, "region": np.array(["NA", "EU", ""])[n % 3], "y": n * 1.5})
    if ending == ".parquet":
        frame.assign(age=np.where(n % 3 == 0, -999.0, n)).to_parquet(folder / "t.parquet")
    else:
        age = np.where(n % 3 == 0, "n/a", np.where(n % 3 == 1, n.astype(str), "-999"))
        frame.assign(age=age).to_csv(folder / "t.csv", index=False)
    return str(folder / f"t{ending}")


@pytest.mark.parametrize("ending", [".csv", ".parquet"])
def test_words_in_text_are_values(ending: str, tmp_path: Path) -> None:
    data = load_dataset(config({"severity": {}, "region": {}, **TASK}, path=words_table(tmp_path, ending)))
    assert data.targets["severity"].classes == ["Mild", "None", "Severe"] and data.targets["severity"].observed.all()
    assert data.targets["region"].classes == ["EU", "NA"] and data.targets["region"].observed.sum() == 60
    kept = "values, as their column is text: region 'NA' in 30 cells, severity 'None' in 30 cells; if missing: "
    assert [n for n in data.notes if "as their column is text" in n] == [
        kept.replace(
            "region 'NA' in 30 cells, severity 'None' in 30 cells",
            "severity 'None' in 30 cells, region 'NA' in 30 cells",
        )
        + "'data.columns={severity: {missing: [None]}}'"
    ]
    assert ("taken for missing values: age 'n/a' in 30 cells" in data.notes) == (ending == ".csv")


@pytest.mark.parametrize("ending", [".csv", ".parquet"])
@pytest.mark.parametrize(
    "settings",
    [
        {"missing": ["None", "NA", "n/a", -999]},
        {
            "columns": {
                "severity": {"missing": ["None"]},
                "region": {"missing": ["NA"]},
                "age": {"missing": ["n/a", "-999"]},
            }
        },
    ],
)
def test_words_for_missing_values_are_declared(settings: dict[str, Any], ending: str, tmp_path: Path) -> None:
    path = words_table(tmp_path, ending)
    data = load_dataset(config({"severity": {}, **TASK}, path=path, **settings))
    assert data.targets["severity"].classes == ["Mild", "Severe"] and data.targets["severity"].observed.sum() == 60
    spec = {c.name: c for c in data.spec.columns}
    assert spec["region"].categories == ["EU"] and spec["age"].kind == "numeric" and spec["age"].missing
    ages = data.numeric[:, [c.name for c in data.spec.numeric].index("age")]
    assert np.isnan(ages).sum() == (60 if ending == ".csv" else 30) and np.nanmin(ages) >= 0
    note = next(n for n in data.notes if n.startswith("taken for missing values: "))
    for said in ("severity 'None' in 30 cells", "region 'NA' in 30 cells", "age '-999' in 30 cells"):
        assert said in note
    # the words stay with the run
    reading = Reading.from_plain(json.loads(json.dumps(data.reading.to_plain())))
    new = pd.DataFrame({"x": [1, 1], "region": ["NA", "EU"], "age": ["-999", "3"]})
    new.to_csv(tmp_path / "new.csv", index=False)
    numbers, codes = data.spec.transform(read_table(tmp_path / "new.csv", "predict", reading))
    assert np.isnan(numbers[0, 1]) and numbers[1, 1] == 3 and codes[:, 0].tolist() == [-2, 0]


def test_init_names_the_words(tmp_path: Path) -> None:
    text = write_yaml(Path(words_table(tmp_path)), ["y"], tmp_path).path.read_text(encoding="utf-8")
    assert (
        "    # severity: {missing: [None]}  # 'None' in 30 cells are values of text; this line makes them missing"
        in text
    )
    assert "    # age: 'n/a' in 30 cells taken for missing values" in text
    assert yaml.safe_load(text)["data"]["columns"] is None


# ---------------------------------------------------------------- other doubts


def test_marks_spellings_and_single_classes_are_named(tmp_path: Path) -> None:
    n = np.arange(300)
    frame = pd.DataFrame(
        {
            "height": np.where(n % 50 == 0, -999, 150 + n % 40),
            "income": np.where(n % 50 == 0, 9999, n * 30.0),  # 9999 lies among the others
            "change": np.where(n % 50 == 0, -99, n % 7 - 3),
            "owner": np.array(["Yes", "yes", "no", "yes "])[n % 4],
            "city": np.array(["Ulm", "Bonn"])[n % 2],
            "y": np.where(n % 60 == 0, 99999, n % 40 + 0.5),
            "part": np.where(n < 200, "train", np.where(n < 260, "val", "test")),
            "sold": np.where(n < 200, n % 2, 1),
        }
    )
    frame.to_csv(tmp_path / "t.csv", index=False)
    settings = config({**TASK, "sold": {}}, path=str(tmp_path / "t.csv"), split={"column": "part"})
    data = load_dataset(settings)
    warned = inspect(settings, data)
    marks = [w for w in warned if "stands apart from all other numbers" in w]
    assert [w.split(" in ")[0] for w in marks] == ["height: -999", "change: -99", "y: 99999"]
    assert marks[0].endswith("if it is one: 'data.columns={height: {missing: [-999]}}'")
    spelt = [w for w in warned if "differ only in blanks" in w]
    assert spelt == [
        "owner: values that differ only in blanks or upper and lower case: 'Yes', 'yes', 'yes '; if they are one, "
        "write them alike in the table"
    ]
    single = [note for note in data.notes if note.startswith("sold: all")]
    assert [note.split(",")[0] for note in single] == [
        "sold: all 60 labels of val are 1",
        "sold: all 40 labels of test are 1",
    ]
    assert all("so there is no auroc" in note for note in single)
    declared = config(
        TASK, path=str(tmp_path / "t.csv"), columns={"height": {"missing": [-999]}, "y": {"missing": [99999]}}
    )
    clean = load_dataset(declared)
    assert not any("height" in w or "y:" in w for w in inspect(declared, clean) if "stands apart" in w)
    assert np.isnan(clean.numeric[0, 0]) and not clean.targets["y"].observed[0]
