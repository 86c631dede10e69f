"""The promises of pyproject.toml and constraints.txt, and what reaches the wheel."""

import ast
import re
import subprocess
import sys
import tarfile
import tomllib
import zipfile
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

import mtlrun
from mtlrun.hydra_plugin.launcher import StackLauncherConf
from mtlrun.sweeps.launchers import STACK

ROOT = Path(__file__).parent.parent
TEXT = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
PYPROJECT = tomllib.loads(TEXT)
PROJECT = PYPROJECT["project"]
CORE = [Requirement(r) for r in PROJECT["dependencies"]]
EXTRAS = {extra: [Requirement(r) for r in rs] for extra, rs in PROJECT["optional-dependencies"].items()}
PLUGIN = "hydra_plugins/mtlrun_stack"
EVERY = [*CORE, *(r for rs in EXTRAS.values() for r in rs)]

# Where the name of the import is not that of the distribution.
DISTRIBUTION = {
    "yaml": "pyyaml",
    "hydra": "hydra-core",
    "sklearn": "scikit-learn",
    "mlflow": "mlflow-skinny",
    "markupsafe": "jinja2",
}
OF_EXTRA = {
    "onnx_packages.py": "export",
    "to_mlflow.py": "mlflow",
    "to_wandb.py": "wandb",
}  # modules that only an extra needs


def pins() -> dict[str, str]:
    """Distribution -> version, as constraints.txt pins it."""
    lines = (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
    pairs = [line.split("==") for line in lines if line and not line.startswith("#")]
    return {canonicalize_name(name): version for name, version in pairs}


def tracked_files(folder: str) -> set[str]:
    """All files of a folder that belong into a wheel, relative to the repository."""
    files = (p.relative_to(ROOT) for p in (ROOT / folder).rglob("*") if p.is_file())
    return {p.as_posix() for p in files if "__pycache__" not in p.parts and p.suffix != ".pyc"}


def test_every_bound_gives_its_reason():
    reasons = {}
    for requirement, comment in re.findall(r'^\s+"([^"]+)",(?:\s+#\s+(.*))?$', TEXT, flags=re.MULTILINE):
        reasons[requirement] = comment
    for requirement in [*PROJECT["dependencies"], *(r for rs in PROJECT["optional-dependencies"].values() for r in rs)]:
        assert Requirement(requirement).specifier, f"{requirement} has no bound"
        assert len(reasons[requirement].split()) >= 3, f"{requirement} gives no reason"
    assert re.search(r'^requires-python = ">=3.11,<3.14"\s+# .*3\.14 breaks', TEXT, flags=re.MULTILINE)


def test_constraints_pin_exact_versions_within_the_bounds():
    pinned = pins()
    for version in pinned.values():
        assert re.fullmatch(r"\d[\w.]*", version), (
            f"{version} is no plain version"
        )  # a local one (+cpu) is one platform's
    for requirement in EVERY:
        version = pinned[canonicalize_name(requirement.name)]
        assert requirement.specifier.contains(version), f"{requirement} excludes the tested {version}"
    assert pinned["torch"] == "2.13.0"


def test_every_import_is_a_declared_dependency():
    core = {canonicalize_name(r.name) for r in CORE}
    for path in (ROOT / "mtlrun").rglob("*.py"):
        declared = core | {canonicalize_name(r.name) for r in EXTRAS.get(OF_EXTRA.get(path.name, ""), [])}
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            names = []
            if isinstance(node, ast.Import):
                names = [alias.name for alias in node.names]
            elif isinstance(node, ast.ImportFrom) and not node.level:
                names = [node.module or ""]
            for top in {name.partition(".")[0] for name in names} - {"mtlrun"} - sys.stdlib_module_names:
                distribution = canonicalize_name(DISTRIBUTION.get(top, top))
                assert distribution in declared, f"{path.relative_to(ROOT)} imports {top}"


def test_the_version_has_one_source():
    assert "version" not in PROJECT
    assert PROJECT["dynamic"] == ["version"]
    assert PYPROJECT["tool"]["hatch"]["version"]["path"] == "mtlrun/util/version.py"
    newest = re.search(r"^## (\d\S*)", (ROOT / "CHANGELOG.md").read_text(encoding="utf-8"), flags=re.MULTILINE)
    assert newest and newest[1] == mtlrun.__version__


def test_conf_goes_into_the_wheel():
    wheel = PYPROJECT["tool"]["hatch"]["build"]["targets"]["wheel"]
    assert wheel["force-include"]["conf"] == "mtlrun/conf"
    assert (ROOT / "conf" / "config.yaml").is_file()
    assert not (ROOT / "mtlrun" / "conf").exists()  # it would hide conf/


def test_the_plugin_goes_where_hydra_finds_it():
    wheel = PYPROJECT["tool"]["hatch"]["build"]["targets"]["wheel"]
    assert wheel["force-include"]["mtlrun/hydra_plugin"] == PLUGIN
    assert STACK == f"{PLUGIN.replace('/', '.')}.launcher.StackLauncher" == StackLauncherConf._target_


def test_the_plugin_imports_nothing_heavy():
    # every Hydra application of the environment imports it
    code = "import runpy, sys; runpy.run_path(sys.argv[1]); print(*sys.modules)"
    path = ROOT / "mtlrun" / "hydra_plugin" / "launcher.py"
    done = subprocess.run([sys.executable, "-c", code, str(path)], capture_output=True, text=True, check=True)
    loaded = {name.partition(".")[0] for name in done.stdout.split()}
    assert "hydra" in loaded and not {"torch", "pandas", "numpy", "tensorboard", "mtlrun"} & loaded


def test_data_files_have_their_licence_beside_them():
    folder = ROOT / "mtlrun" / "data" / "files"
    names = [p.name.lower() for p in folder.iterdir()]
    assert any("diamonds" in n and n.endswith(".csv.gz") for n in names)
    assert any("licen" in n for n in names)


def test_ci_runs_the_test_command_of_the_makefile():
    script = (ROOT / ".ci" / "run").read_text(encoding="utf-8")
    assert re.search(r"^make test\b", script, flags=re.MULTILINE)
    assert (ROOT / ".ci" / "run").stat().st_mode & 0o111


def test_hooks_use_the_tools_of_the_environment():
    text = (ROOT / ".pre-commit-config.yaml").read_text(encoding="utf-8")
    assert "://" not in text
    assert re.findall(r"entry: (\S+)", text) == [".venv/bin/ruff", ".venv/bin/ruff", ".venv/bin/mypy"]


@pytest.mark.slow
def test_the_wheel_built_from_the_sdist_holds_package_data_and_conf(tmp_path):
    command = [sys.executable, "-m", "build", "--outdir", str(tmp_path), str(ROOT)]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    [wheel], [sdist] = tmp_path.glob("*.whl"), tmp_path.glob("*.tar.gz")
    assert wheel.name == f"mtlrun-{mtlrun.__version__}-py3-none-any.whl"

    with zipfile.ZipFile(wheel) as archive:
        held = {name for name in archive.namelist() if ".dist-info/" not in name}
        info = {name.partition(".dist-info/")[2]: name for name in archive.namelist() if ".dist-info/" in name}
        metadata = archive.read(info["METADATA"]).decode()
        entry_points = archive.read(info["entry_points.txt"]).decode()
    plugin = {name.replace("mtlrun/hydra_plugin", PLUGIN) for name in tracked_files("mtlrun/hydra_plugin")}
    assert held == tracked_files("mtlrun") | {f"mtlrun/{name}" for name in tracked_files("conf")} | plugin
    assert f"{PLUGIN}/launcher.py" in held
    assert "mtlrun = mtlrun.cli.main:main" in entry_points
    assert "License-Expression: MIT" in metadata
    assert "Requires-Python: <3.14,>=3.11" in metadata
    assert "licenses/LICENSE" in info

    with tarfile.open(sdist) as archive:
        tops = {Path(name).parts[1] for name in archive.getnames()}
    assert {"mtlrun", "conf", "tests", "pyproject.toml", "constraints.txt", "README.md", "LICENSE"} <= tops
    assert not {".venv", "outputs", "dist"} & tops
