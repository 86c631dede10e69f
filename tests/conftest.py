"""Settings of all tests. They go into the environment before torch is loaded, so that child processes have them too."""

import copy
import os
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

from hydra._internal.sources_registry import SourcesRegistry
from hydra.core.plugins import Plugins
from hydra.plugins.config_source import ConfigResult, ConfigSource

ROOT = Path(__file__).resolve().parents[1]
# The length of trainings in this process, unless a test says otherwise: the rule behind `auto` (support.BY_RULE) takes
# 2,000 steps and more. Child processes have the defaults of users.
SHORT = {"epochs": 20, "batch_size": 256, "evaluate_every": None, "patience": 10}


def read_once(source: type[ConfigSource]) -> None:
    """Has Hydra parse each YAML of its own, and each of ours, once per process: a fifth of the time of a command."""
    load, results = source.load_config, dict[tuple[str, str], ConfigResult]()

    def cached(self: Any, config_path: str) -> ConfigResult:
        if source.scheme() == "file" and not Path(self.path).is_relative_to(ROOT):
            return load(self, config_path)  # of a test, which may change it
        if (self.path, config_path) not in results:
            results[self.path, config_path] = load(self, config_path)
            if config_path.removesuffix(".yaml") == "trainer/default":
                results[self.path, config_path].config.update(SHORT)
        return copy.deepcopy(results[self.path, config_path])

    source.load_config = cached  # type: ignore[method-assign]


Plugins.instance()  # makes the classes of sources anew
for scheme in ("file", "pkg"):
    read_once(SourcesRegistry.instance().types[scheme])
