"""What installed packages add: loss strategies, trunks, sharing schemes, task types, data sets.

A package names an `Extension` under the entry-point group `mtlrun`; docs/extending.md says how. `load` puts what all of
them declare into the tables that mtlrun's own options stand in: the schema of the groups, task types
(mtlrun/tasks), and references to code in `REFERENCES`, from which a `Registry` imports a class when a run asks for it.

Nothing here imports torch or pandas, and no more may a package's module that holds its `Extension`.
"""

import re
from collections.abc import Mapping
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path

from mtlrun.config.package import Extension, Package
from mtlrun.config.package_checks import check_extension
from mtlrun.config.schema import GROUPS, Config, conf_dir
from mtlrun.tasks import DECLARED
from mtlrun.util.errors import RequestError
from mtlrun.util.registry import BROKEN, REFERENCES, Reference, described, unusable
from mtlrun.util.terminal import say

GROUP = "mtlrun"
SUFFIXES = (".csv", ".csv.gz", ".parquet")  # of tables
packages: dict[str, Package] = {}  # in use, by the name of the entry point
_loaded = False


# ---------------------------------------------------------------- finding and joining


def load() -> None:
    """Puts what installed packages add into mtlrun's tables, once in a process.

    A package that cannot be used is left out as a whole, with a line on stderr.
    """
    global _loaded
    if _loaded:
        return
    _loaded = True
    for point in sorted(entry_points(group=GROUP), key=lambda point: point.name):
        try:
            join(_package(point))
        except Exception as error:  # whatever the package's code raises
            label = f"{point.dist.name} {point.dist.version}" if point.dist else point.value
            BROKEN[label] = described(error)
            say(f"mtlrun: {label} is left out, entry point {point.name}: {BROKEN[label]}", error=True)


def join(package: Package) -> None:
    """Adds what a package declares to mtlrun's tables; all of it or, with a ValueError or TypeError, nothing."""
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
        raise TypeError(f"{point.value} is no mtlrun.config.extensions.Extension but {type(extension).__name__}")
    assert point.dist is not None, "found among the installed distributions"
    return Package(point.name, point.dist.name, point.dist.version, extension)


# ---------------------------------------------------------------- what others ask


def conf_dirs() -> list[Path]:
    """The folders of YAMLs of the packages in use, in the order in which they are searched, after mtlrun's own."""
    load()
    return [Path(p.extension.conf).resolve() for p in packages.values() if p.extension.conf is not None]


def yaml_of(group: str, option: str) -> Path | None:
    """The YAML of a group's option, mtlrun's own or a package's; None where neither has one."""
    found = (folder / group / f"{option}.yaml" for folder in (conf_dir(), *conf_dirs()))
    return next((file for file in found if file.is_file()), None)


def tables() -> dict[str, Path]:
    """The tables that packages ship, PACKAGE/FILE -> where it lies."""
    load()
    folders = {name: Path(p.extension.files) for name, p in packages.items() if p.extension.files is not None}
    return {
        f"{name}/{file.name}": file
        for name, folder in folders.items()
        for file in sorted(folder.iterdir())
        if file.name.endswith(SUFFIXES)
    }


def versions() -> dict[str, str]:
    """Distribution -> version of every package in use."""
    load()
    return {p.distribution: p.version for p in packages.values()}


def used_by(config: Config) -> dict[str, str]:
    """What of a run's settings comes from packages: the setting -> distribution and version."""
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
    """Raises RequestError unless everything that `used_by` said of a run is there; None: an older run, which used none.

    Another version of the same package is taken as it is.
    """
    load()
    there = {package.distribution for package in packages.values()}
    if not isinstance(used or {}, Mapping):
        raise RequestError(f"packages: found {used!r}, no mapping of settings to packages")
    for setting, package in (used or {}).items():
        distribution, _, version = str(package).partition(" ")
        if distribution not in there:
            # the folder may be a stranger's: nothing that a shell would take for more than a name
            named = re.fullmatch(r"[\w.-]+", distribution, re.ASCII) and re.fullmatch(r"[\w.+!-]+", version, re.ASCII)
            mend = f"install it: pip install {distribution}=={version}" if named else "install that package"
            raise RequestError(
                f"{setting}: no such option here, the run was made with package {package}{unusable()}\n{mend}"
            )
