"""Extensions by installed packages: loss strategies, trunks, sharing schemes, task types and data sets.

A package names an `Extension` under the entry-point group `mtlrun`; docs/extending.md explains how. `load` adds the
options of all packages to the tables that also hold mtlrun's options: `GROUPS` (schema of the groups), `DECLARED` (task
types) and `REFERENCES` (references to code). A `Registry` imports a referenced class when a run asks for it.

Nothing here imports torch or pandas. The module of a package that holds its `Extension` must not import them either.
"""

import re
from collections.abc import Mapping
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path

from mtlrun.config.package import Extension, Package, check_extension
from mtlrun.config.schema import GROUPS, Config, conf_dir
from mtlrun.tasks import DECLARED
from mtlrun.util.errors import RequestError
from mtlrun.util.registry import BROKEN, REFERENCES, Reference, described, unusable
from mtlrun.util.terminal import say

GROUP = "mtlrun"
DEMOS = "mtlrun-demos"  # in the repository of mtlrun, not on a package index
SUFFIXES = (".csv", ".csv.gz", ".parquet")  # of tables
packages: dict[str, Package] = {}  # the packages in use, by the name of the entry point
_loaded = False


# ---------------------------------------------------------------- finding and joining


def load() -> None:
    """Adds the options of all installed packages to mtlrun's tables, once per process.

    A package that cannot be used is left out as a whole, with a line on stderr.
    """
    global _loaded
    if _loaded:
        return
    _loaded = True
    for point in sorted(entry_points(group=GROUP), key=lambda point: point.name):
        try:
            join(_package(point))
        except Exception as error:  # the package's code may raise anything
            label = f"{point.dist.name} {point.dist.version}" if point.dist else point.value
            BROKEN[label] = described(error)
            say(f"mtlrun: {label} is left out, entry point {point.name}: {BROKEN[label]}", error=True)


def join(package: Package) -> None:
    """Adds all declarations of a package to mtlrun's tables, or raises ValueError or TypeError and adds none."""
    if package.name in packages:
        raise ValueError(f"{packages[package.name]} has an entry point of this name already")
    added = package.extension
    check_extension(added)
    for group, options in added.options.items():
        for name, option in options.items():
            GROUPS[group][name] = option.settings
            REFERENCES[group][name] = Reference(option.made_by, package)
    for name, kind in added.task_types.items():
        DECLARED[name] = kind
        REFERENCES["task type"][name] = Reference(kind.made_by, package)
        if isinstance(kind.accepts, str):
            REFERENCES["labels"][name] = Reference(kind.accepts, package)
    for name, made_by in added.problems.items():
        REFERENCES["problem"][name] = Reference(made_by, package)
    packages[package.name] = package


def _package(point: EntryPoint) -> Package:
    extension = point.load()
    if not isinstance(extension, Extension):
        raise TypeError(f"{point.value} is no mtlrun.extensions.Extension but {type(extension).__name__}")
    assert point.dist is not None, "found among the installed distributions"
    return Package(point.name, point.dist.name, point.dist.version, extension)


# ---------------------------------------------------------------- queries


def conf_dirs() -> list[Path]:
    """The YAML folders of the packages in use, in search order. They are searched after mtlrun's folder."""
    return list(package_conf_dirs().values())


def package_conf_dirs() -> dict[str, Path]:
    """The YAML folder of each package in use that has one, by distribution and version."""
    load()
    return {str(p): Path(p.extension.conf).resolve() for p in packages.values() if p.extension.conf is not None}


def yaml_of(group: str, option: str) -> Path | None:
    """The YAML of a group's option, from mtlrun or from a package; None if there is none."""
    found = (folder / group / f"{option}.yaml" for folder in (conf_dir(), *conf_dirs()))
    return next((file for file in found if file.is_file()), None)


def tables() -> dict[str, Path]:
    """The tables that packages ship: PACKAGE/FILE -> path."""
    load()
    folders = {name: Path(p.extension.files) for name, p in packages.items() if p.extension.files is not None}
    return {
        f"{name}/{file.name}": file
        for name, folder in folders.items()
        for file in sorted(folder.iterdir())
        if file.name.endswith(SUFFIXES)
    }


def versions() -> dict[str, str]:
    """The packages in use: distribution -> version."""
    load()
    return {p.distribution: p.version for p in packages.values()}


def used_by(config: Config) -> dict[str, str]:
    """The settings of a run that come from packages: setting -> distribution and version."""
    groups = {"loss": config.loss.name, "model": config.model.name, "sharing": config.sharing.name}
    named = {f"{group}={name}": (group, name) for group, name in groups.items()}
    named |= {f"tasks.{t}.type={c.type}": ("task type", str(c.type)) for t, c in config.tasks.items()}
    path = config.data.path or ""
    scheme, _, rest = path.partition(":")
    if scheme == "synthetic":
        named[f"data.path={path}"] = ("problem", rest)
    used = {key: str(REFERENCES[kind][name].package) for key, (kind, name) in named.items() if name in REFERENCES[kind]}
    package, slash, _ = rest.partition("/")
    if scheme == "package" and slash and package in packages:
        used[f"data.path={path}"] = str(packages[package])
    return used


def require(used: Mapping[str, str] | None) -> None:
    """Raises RequestError unless all packages that a run used are in use.

    used: the result of `used_by` when the run began; None for an older run, which used no packages. The versions may
    differ.
    """
    load()
    there = {package.distribution for package in packages.values()}
    if not isinstance(used or {}, Mapping):
        raise RequestError(f"packages: found {used!r}, no mapping of settings to packages")
    for setting, package in (used or {}).items():
        distribution, _, version = str(package).partition(" ")
        if distribution not in there:
            # the folder may come from a stranger: print no command with text that a shell would interpret
            named = re.fullmatch(r"[\w.-]+", distribution, re.ASCII) and re.fullmatch(r"[\w.+!-]+", version, re.ASCII)
            mend = _how_to_install(distribution, version) if named else "install that package"
            raise RequestError(
                f"{setting}: no such option here, the run was made with package {package}{unusable()}\n{mend}"
            )


def _how_to_install(distribution: str, version: str) -> str:
    if distribution == DEMOS:
        return "install it in a checkout of mtlrun: make setup, or pip install -e demos"
    return f"install it: pip install {distribution}=={version}, or pip install -e FOLDER with the folder of its source"
