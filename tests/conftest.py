"""Settings of all tests. They go into the environment before torch is loaded, so that child processes have them too."""

import os
import pickle
import signal
from pathlib import Path
from typing import Any

# Small networks are slower on several threads than on one; waiting threads must not spin.
os.environ["OMP_NUM_THREADS"] = "1"
os.environ["MKL_NUM_THREADS"] = "1"
os.environ["OMP_WAIT_POLICY"] = "PASSIVE"
# Whatever a test asks for: once two threads were at work in a process, those that it forks wait for the second.
os.environ["OMP_THREAD_LIMIT"] = "1"
# It would start a thread, which processes that are forked later wait for.
os.environ["ORT_DISABLE_TELEMETRY"] = "1"

import pytest
from hydra._internal import config_loader_impl
from hydra._internal.defaults_list import DefaultsList
from hydra._internal.sources_registry import SourcesRegistry
from hydra.core.config_store import ConfigStore
from hydra.core.override_parser.types import Override
from hydra.core.plugins import Plugins
from hydra.plugins.config_source import ConfigResult

if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:  # in the background of a shell; tests interrupt runs
    signal.signal(signal.SIGINT, signal.default_int_handler)
if signal.getsignal(signal.SIGHUP) is signal.SIG_IGN:  # under nohup; tests close the terminal of runs
    signal.signal(signal.SIGHUP, signal.SIG_DFL)

ROOT = Path(__file__).resolve().parents[1]
# The training in this process, unless a test says otherwise, is short and plain: the rule behind `auto`
# (support.by_rule) takes 2,000 steps and more, and the net for tables is larger. Child processes have the defaults of
# users.
PLAIN: dict[str, dict[str, Any]] = {
    "trainer/default": {"epochs": 20, "batch_size": 256, "evaluate_every": None, "patience": 10},
    "lr/single": {"base": 0.001, "schedule": "constant"},
    "lr/per_head": {"base": 0.001, "schedule": "constant"},
}
PLAIN_OPTIONS = {"model": "mlp", "optimizer": "adam"}


def read_once(scheme: str) -> None:
    """Has Hydra parse each YAML of its own, and each of ours, once per process: a fifth of the time of a command."""
    source = SourcesRegistry.instance().types[scheme]
    load, results = source.load_config, dict[tuple[str, str], bytes]()

    def cached(self: Any, config_path: str) -> ConfigResult:
        if scheme == "file" and not Path(self.path).is_relative_to(ROOT):
            return load(self, config_path)  # of a test, which may change it
        if (self.path, config_path) not in results:
            read = load(self, config_path)
            read.config.update(PLAIN.get(config_path.removesuffix(".yaml"), {}))
            for entry in read.config.get("defaults", []) if config_path.startswith("config") else []:
                if not isinstance(entry, str):
                    entry.update({group: PLAIN_OPTIONS[group] for group in entry if group in PLAIN_OPTIONS})
            results[self.path, config_path] = pickle.dumps(read)
        found: ConfigResult = pickle.loads(results[self.path, config_path])
        return found

    source.load_config = cached  # type: ignore[method-assign]


def find_defaults_once() -> None:
    """Has Hydra look for the files of a composition once, and not three times per command: a third of its time."""
    create, results = config_loader_impl.create_defaults_list, dict[Any, DefaultsList]()

    def cached(
        repo: Any, config_name: str | None, overrides_list: list[Override], prepend_hydra: bool, skip_missing: bool
    ) -> DefaultsList:
        folders = [Path(source.path) for source in repo.get_sources() if source.scheme() == "file"]
        files = [(p, p.stat()) for d in folders if not d.is_relative_to(ROOT) for p in sorted(d.rglob("*.yaml"))]
        lines = tuple(override.input_line for override in overrides_list)
        states = tuple((path, state.st_mtime_ns, state.st_size) for path, state in files)
        key = (config_name, lines, prepend_hydra, skip_missing, tuple(folders), states)
        if key not in results:
            results.clear()
            results[key] = create(repo, config_name, overrides_list, prepend_hydra, skip_missing)
        return results[key]

    config_loader_impl.create_defaults_list = cached


Plugins.instance()  # It defines the sources. Where they were imported before, it defines them again.
for scheme in ("file", "pkg"):
    read_once(scheme)
find_defaults_once()
ConfigStore.__deepcopy__ = lambda self, memo: self  # type: ignore[attr-defined]  # Hydra's loaders copy it; it is a global


@pytest.fixture
def without_pictures(monkeypatch: pytest.MonkeyPatch) -> None:
    """For a test of other things: the pictures are most of what `mtlrun compare` takes."""
    monkeypatch.setattr("mtlrun.compare.report.pictures.all_pictures.PICTURES", ())


@pytest.fixture(autouse=True)
def without_forecast(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Leaves out the steps that a sweep trains to foretell its time, a third of a small one; `forecast` keeps them."""
    if request.node.get_closest_marker("forecast") is None:
        monkeypatch.setattr("mtlrun.sweeps.forecast.time_line", lambda *arguments: "about 1 s")
