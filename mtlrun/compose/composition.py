"""Composes one checked configuration from overrides through Hydra, or many for a sweep."""

import contextlib
import copy
import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml
from hydra._internal.config_loader_impl import ConfigLoaderImpl
from hydra._internal.config_repository import CachingConfigRepository
from hydra._internal.defaults_list import DefaultsList, create_defaults_list
from hydra.core.config_loader import ConfigLoader
from hydra.core.hydra_config import HydraConfig
from hydra.core.override_parser.types import Override
from hydra.errors import HydraException
from hydra.plugins.config_source import ConfigResult
from hydra.types import RunMode
from omegaconf import DictConfig, OmegaConf, open_dict
from omegaconf.errors import OmegaConfBaseException

from mtlrun.compose import outside
from mtlrun.compose.length_of import with_length
from mtlrun.compose.outside import ROOT, check_files
from mtlrun.compose.override_checks import require_mapping
from mtlrun.compose.overrides import SWEEP_KEYS, hydra_line, is_choice, parse
from mtlrun.compose.own_table import OPTION, needs_option
from mtlrun.config.check import check
from mtlrun.config.schema import Config, ModelConfig
from mtlrun.config.task_names import require_unambiguous
from mtlrun.data.paths import SCHEMES, absolute
from mtlrun.util.errors import RequestError, listing, nearest


def load(loader: ConfigLoader, lines: list[str], mode: RunMode) -> tuple[DictConfig, list[str]]:
    """Composes a configuration. Returns it, and lines to print.

    Before Hydra composes, checks the YAML files that come from outside mtlrun. Raises RequestError.
    """
    with answered():
        used = loader.compute_defaults_list(ROOT, lines, mode).defaults if outside.folders else []
        notes = check_files(loader, used)
        removed = [o for o in map(parse, lines) if o.is_delete() and not o.is_hydra_override()]
        if removed:
            rest = [line for line in lines if not line.startswith("~")]
            _apply(_ours(loader.load_configuration(ROOT, rest, mode, validate_sweep_overrides=False)), removed)
        return loader.load_configuration(ROOT, lines, mode, validate_sweep_overrides=False), notes


def with_data_option(loader: ConfigLoader, lines: list[str]) -> list[str]:
    """The overrides of one run, preceded by `data=table` if `needs_option`. Raises RequestError."""
    with answered():
        assert isinstance(loader, ConfigLoaderImpl)
        found = loader.compute_defaults_list(ROOT, lines, RunMode.MULTIRUN)
        return [OPTION, *lines] if needs_option(loader.repository, [*map(parse, lines)], found) else lines


def checked_config(
    cfg: DictConfig,
    hydra: DictConfig | None = None,
    known: Mapping[str, Any] | None = None,
    without: Sequence[str] = ("hydra", *SWEEP_KEYS),
) -> Config:
    """Resolves and checks a composed configuration, and makes its paths absolute. Raises RequestError.

    hydra: the composition with the hydra node that `${hydra:...}` refers to; None: that of the running job
    known: plain values of top-level keys that need no resolving
    without: top-level keys to leave out
    """
    with answered(), _hydra_config(hydra):
        cwd = literally(HydraConfig.get().runtime, "cwd")
        tree = dict(known or {})
        tree |= {str(key): _resolved(cfg, str(key)) for key in cfg if key not in tree and key not in without}
    config = check(tree)
    require_unambiguous(config.tasks)
    return with_length(absolute_paths(config, Path(cwd)))


def absolute_paths(config: Config, cwd: Path) -> Config:
    """The configuration with absolute `data.path`, `data.split.files`, `model.init_from` and `trainer.length_of`.

    Paths with a scheme, such as `package:FILE`, stay as they are.
    """

    def whole(path: str, key: str) -> str:
        return path if path.startswith(SCHEMES) else str(absolute(path, key, cwd))

    data, split = config.data, config.data.split
    if split.files is not None:
        split = dataclasses.replace(split, files={p: whole(f, f"data.split.files.{p}") for p, f in split.files.items()})
    path = None if data.path is None else whole(data.path, "data.path")
    model = config.model
    if isinstance(model, ModelConfig) and model.init_from is not None:
        model = dataclasses.replace(model, init_from=whole(model.init_from, "model.init_from"))
    trainer = config.trainer
    if trainer.length_of is not None:
        trainer = dataclasses.replace(trainer, length_of=whole(trainer.length_of, "trainer.length_of"))
    data = dataclasses.replace(data, path=path, split=split)
    return dataclasses.replace(config, data=data, model=model, trainer=trainer)


def literally(node: Any, key: str) -> str:
    """A text that Hydra has set, such as a folder. ${seed} in it is plain text, not a reference."""
    texts: Any = OmegaConf.to_container(node, resolve=False)
    return str(texts[key])


@contextlib.contextmanager
def answered() -> Iterator[None]:
    """Turns errors of Hydra, OmegaConf and YAML into a RequestError."""
    try:
        yield
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark
        where = f"{mark.name}, line {mark.line + 1}" if mark else "YAML"
        raise RequestError(f"{where}: {error.problem or 'no YAML'}") from error
    except RecursionError:
        raise RequestError(
            "the configuration cannot be composed: values are nested too deeply, or refer to each other in a circle"
        ) from None
    except (HydraException, OmegaConfBaseException, yaml.YAMLError, ValueError, OSError) as error:
        lines = [line.strip() for line in str(error).splitlines()]
        places = [line.removeprefix("full_key: ") for line in lines if line.startswith("full_key: ")]
        noise = ("To append", "object_type", "reference_type", "full_key")
        useful = [line for line in lines if line and not line.startswith(noise)] or [type(error).__name__]
        merging = useful[0].removeprefix("Error merging override ")
        if merging != useful[0]:
            raise RequestError(
                f"{merging[:200]}: the key does not take this kind of value\nmtlrun check shows the settings"
            ) from error
        where = f"{places[0]}: " if places and places[0] else "the configuration cannot be composed: "
        raise RequestError(f"{where}{' '.join(useful[:2])[:300]}") from error


# ---------------------------------------------------------------- many configurations


class Compositions:
    """Composes the checked configuration of each run of a sweep from its overrides.

    Hydra composes once for each choice of group options. The values of a run are then set in that composition, and
    removed before the next run. This takes 2 ms per run, a composition by Hydra 50 ms. Launchers other than `stack` let
    Hydra compose each run; a test compares the two results. `notes` are lines to print.
    """

    def __init__(self, loader: ConfigLoader, cfg: DictConfig) -> None:
        assert isinstance(loader, ConfigLoaderImpl)
        self.notes: list[str] = []
        self._loader = loader
        self._hydra = OmegaConf.masked_copy(cfg, "hydra")
        self._experiment = cfg.hydra.runtime.choices.get("experiment")
        self._files = CachingConfigRepository(loader.repository)  # every YAML is read once
        self._copies = _Copies(loader.repository)
        self._copies.cache = self._files.cache
        self._bases: dict[tuple[str, ...], _Base] = {}
        self._base: _Base | None = None

    def completed(self, arguments: Sequence[str]) -> list[str]:
        """The overrides of one run, preceded by `data=table` if `needs_option`. Raises RequestError."""
        overrides = [parse(line) for line in arguments]
        base = self._base_of(overrides)
        return [OPTION, *arguments] if needs_option(self._files, overrides, base.found) else [*arguments]

    def config(self, arguments: Sequence[str]) -> Config:
        """The configuration of one run from its overrides. Raises RequestError if it is wrong."""
        overrides = [parse(line) for line in self.completed(arguments)]
        base = self._base_of(overrides)
        if base is not self._base:
            self._base = base
            with open_dict(self._hydra):
                self._hydra.hydra.runtime.choices.update(base.choices)
        return base.config([o for o in overrides if not is_choice(o)], self._hydra)

    def _base_of(self, overrides: Sequence[Override]) -> "_Base":
        choices = tuple(hydra_line(o) for o in overrides if is_choice(o))
        if choices not in self._bases:
            self._bases[choices] = self._compose(choices)
        return self._bases[choices]

    def _compose(self, choices: tuple[str, ...]) -> "_Base":
        """Does the same as Hydra's `load_configuration`, but without the hydra node, which is most of the tree."""
        with answered():
            overrides = [parse(line) for line in choices]
            # prepend_hydra: the defaults of conf/config.yaml and of experiments name groups of Hydra
            found = create_defaults_list(self._files, ROOT, overrides, prepend_hydra=True, skip_missing=False)
            self.notes += [n for n in check_files(self._loader, found.defaults) if n not in self.notes]
            used = [d for d in found.defaults if not (d.config_path or "").startswith("hydra/")]
            cfg = self._loader._compose_config_from_defaults_list(used, self._copies)
        del cfg["hydra"]  # the request has the hydra node already
        OmegaConf.set_struct(cfg, True)
        base = _Base(cfg, found)
        experiment = base.choices.get("experiment")
        for key in SWEEP_KEYS:
            if base.plain[key] is not None and experiment != self._experiment:
                raise RequestError(
                    f"experiment={experiment}: sets {key}, and is one of several experiments\n"
                    f"name one experiment in a sweep, or leave out its {key}"
                )
        return base


class _Copies(CachingConfigRepository):
    """Returns copies of the files that were read, because composing modifies them."""

    def load_config(self, config_path: str) -> ConfigResult | None:
        return copy.deepcopy(super().load_config(config_path))


class _Base:
    """The composition of one choice of group options. The values of each run are set in it in turn.

    `found` is its defaults list, with the `choices`. Keys that no override changes and that refer to no other key are
    resolved once.
    """

    def __init__(self, cfg: DictConfig, found: DefaultsList) -> None:
        self.found = found
        self.choices = found.overrides.known_choices
        plain = OmegaConf.to_container(cfg, resolve=False)
        assert isinstance(plain, dict)
        self.plain = {str(key): value for key, value in plain.items()}
        self._known = {key: v for key, v in self.plain.items() if key not in SWEEP_KEYS and not _refers(v)}
        self._composed = dict(cfg.items_ex(resolve=False))
        self._cfg = copy.deepcopy(cfg)
        self._changed: set[str] = set()

    def config(self, overrides: Sequence[Override], hydra: DictConfig) -> Config:
        with open_dict(self._cfg):
            for key in self._changed:
                self._cfg[key] = self._composed[key]  # OmegaConf sets a copy
        self._changed = {o.key_or_group.partition(".")[0] for o in overrides}
        _apply(self._cfg, overrides)
        known = {key: value for key, value in self._known.items() if key not in self._changed}
        return checked_config(self._cfg, hydra, known)


def _apply(cfg: DictConfig, overrides: Sequence[Override]) -> None:
    """Sets and removes values in place, as Hydra does. Raises RequestError."""
    with answered():
        for override in overrides:
            key = override.key_or_group
            if override.is_delete():
                parent, _, name = key.rpartition(".")
                node = OmegaConf.select(cfg, parent) if parent else cfg
                if not isinstance(node, DictConfig) or name not in node:
                    known = [str(k) for k in node] if isinstance(node, DictConfig) else []
                    raise RequestError(
                        f"~{key}: no such key{nearest(name, known)}\n{parent or 'keys'}: {listing(known)}"
                    )
                with open_dict(node):
                    del node[name]
            else:
                require_mapping(key, override.value())
                OmegaConf.update(cfg, key, override.value(), merge=True)


def _ours(cfg: DictConfig) -> DictConfig:
    """A copy without the hydra node, which is most of the tree."""
    return OmegaConf.masked_copy(cfg, [str(key) for key in cfg if key != "hydra"])


def _resolved(cfg: DictConfig, key: str) -> Any:
    value = cfg[key]
    return OmegaConf.to_container(value, resolve=True, throw_on_missing=True) if OmegaConf.is_config(value) else value


def _refers(value: Any) -> bool:
    """Whether the value contains a reference to another value, or the mark of a missing one (`???`)."""
    if isinstance(value, dict):
        return any(map(_refers, value.values()))
    if isinstance(value, list):
        return any(map(_refers, value))
    return isinstance(value, str) and ("${" in value or value == "???")


@contextlib.contextmanager
def _hydra_config(cfg: Any) -> Iterator[None]:
    """Makes `${hydra:...}` refer to `cfg` meanwhile. Changes nothing if `cfg` is None."""
    before = HydraConfig.instance().cfg
    if cfg is not None:
        HydraConfig.instance().cfg = cfg
    try:
        yield
    finally:
        HydraConfig.instance().cfg = before
