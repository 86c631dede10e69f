"""A launcher of Hydra for tests, by the name of ray."""

import sys
import types
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from hydra._internal.core_plugins.basic_launcher import BasicLauncher
from hydra.core.config_store import ConfigStore
from hydra.core.plugins import Plugins
from omegaconf import OmegaConf


@contextmanager
def fake_launcher(monkeypatch: pytest.MonkeyPatch) -> Iterator[type]:
    """Installs a launcher by the name of ray, which does every job in this process, one after the other."""

    class FakeLauncher(BasicLauncher):
        def __init__(self, workers: int = 1) -> None:
            super().__init__()
            type(self).workers = workers  # type: ignore[attr-defined]

    module = types.ModuleType("hydra_plugins.fake_launcher")
    module.FakeLauncher = FakeLauncher  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "hydra_plugins.fake_launcher", module)
    FakeLauncher.__module__, FakeLauncher.__qualname__ = "hydra_plugins.fake_launcher", "FakeLauncher"
    monkeypatch.setitem(
        Plugins.instance().class_name_to_class, "hydra_plugins.fake_launcher.FakeLauncher", FakeLauncher
    )
    store = ConfigStore.instance()
    node = OmegaConf.create({"_target_": "hydra_plugins.fake_launcher.FakeLauncher", "workers": 1})
    store.store(group="hydra/launcher", name="ray", node=node, provider="test")
    yield FakeLauncher
    del store.repo["hydra"]["launcher"]["ray.yaml"]
