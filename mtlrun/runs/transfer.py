"""Takes over the trunk of another run: reads its checkpoint, checks that it fits, copies the parameters."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from mtlrun.config.check import check
from mtlrun.config.length import Length
from mtlrun.config.schema import Config, GroupsConfig, ModelConfig, SplitConfig
from mtlrun.config.schema.sharing import written
from mtlrun.config.stages import PRETRAIN, TASK_FREE
from mtlrun.data.columns import InputSpec
from mtlrun.engine import checkpoint
from mtlrun.network.inputs import completed
from mtlrun.network.network import Network
from mtlrun.runs.identity import require_own_model, unfinished
from mtlrun.storage.names import BEST
from mtlrun.storage.sweep_folder import how_to_get_a_model
from mtlrun.util.errors import RequestError, counted, listing

KEY = "model.init_from"
INPUTS = ("scaling", "embedding", "bins", "frequencies", "gain")  # settings of the encoder
RANGE = ("low", "high")  # buffers of the encoder that describe the training rows, and scale nothing


@dataclass(frozen=True)
class Start:
    """The values that a run's network begins with, in place of its initial values.

    shared: parameters of `Network.sharing` by name, `[1, ...]`; empty if last.pt supplies them
    inputs: buffers of `Network.encoder` by name, `[1, ...]`: the scaling of inputs that the trunk was trained with
    words: where the values come from
    notes: lines to print once
    """

    shared: Mapping[str, Tensor]
    inputs: Mapping[str, Tensor]
    words: str = ""
    notes: tuple[str, ...] = ()


def start_of(config: Config, spec: InputSpec, folder: Path | None = None) -> Start | None:
    """The trunk that a run with inputs `spec` begins with; None: initial values from its seed.

    It comes from the run that `model.init_from` names, or from the first stage in `folder` if that has a selected
    checkpoint. Raises the same RequestErrors as `from_run`.
    """
    if config.net.init_from is not None:
        return from_run(Path(config.net.init_from), config, spec)
    if folder is not None and config.net.pretrain is not None and (folder / PRETRAIN / BEST).exists():
        return from_run(folder / PRETRAIN, config, spec)
    return None


def from_run(folder: Path, config: Config, spec: InputSpec) -> Start:
    """The trunk in the selected checkpoint of the run in `folder`, for a run of `config` with inputs `spec`.

    Raises RequestError if there is none, if it is that of another run, or if its sizes, activation, sharing scheme or
    inputs differ.
    """
    path = folder / BEST
    if not path.exists():
        raise RequestError(f"{KEY}: {folder} holds no trained model ({BEST})\n{how_to_get_a_model(folder)}")
    tree = checkpoint.load(path)
    with checkpoint.read_from(path):
        require_own_model(path, tree)
        return _from_tree(folder, tree, config, spec)


def _from_tree(folder: Path, tree: Mapping[str, Any], config: Config, spec: InputSpec) -> Start:
    """`from_run`, given the content `tree` of the checkpoint."""
    theirs = check(tree["config"])
    _require_alike(folder, theirs, config)
    _require_same_inputs(folder, InputSpec.from_plain(tree["inputs"]), spec)
    network: dict[str, Tensor] = tree["network"]
    for name, value in network.items():
        if not isinstance(value, Tensor):
            raise TypeError(f"{name} is no parameter")
    shared = _below(network, "sharing.")
    tasks = listing(theirs.active)
    epochs = f"{counted(tree['epoch'], 'epoch')}"
    words = f"trunk from {folder} (trained on {tasks}, {epochs}; SHA-256 {digest(shared)})"
    notes = tuple(filter(None, [unfinished(folder, tree)]))
    if theirs.data.path == config.data.path and _drawn(theirs.data.split) != _drawn(config.data.split):
        notes += (
            f"{KEY}: {folder} has another split of the same table: rows that its trunk was trained on may be in "
            "val or test here",
        )
    inputs = {name: value for name, value in _below(network, "encoder.").items() if name not in RANGE}
    return Start(shared, inputs, words, notes)


def from_state(state: Mapping[str, Any] | None) -> list[Start | None]:
    """For each run of a stack the scaling of inputs in its last.pt. `Training` loads the parameters from there."""
    inputs: Mapping[str, Tensor] = (state or {}).get("inputs", {})  # older checkpoints have none
    runs = max((len(value) for value in inputs.values()), default=0)
    return [Start({}, {name: value[r : r + 1] for name, value in inputs.items()}) for r in range(runs)]


def saved_length(state: Mapping[str, Any]) -> Length | None:
    """The length that the runs of a stack began with, from its last.pt; None in one of an older version."""
    return Length(**state["length"]) if "length" in state else None


def begin(network: Network, starts: Sequence[Start | None]) -> None:
    """Copies `starts` into the runs of a network, in order, before training. None leaves a run's initial values.

    Raises RequestError if the shared parameters differ in number, name or shape.
    """
    shared, inputs = network.sharing.state_dict(), network.encoder.state_dict()
    for r, start in enumerate(starts):
        if start is None:
            continue
        wanted = {name: value.shape[1:] for name, value in shared.items()}
        if start.shared and {name: value.shape[1:] for name, value in start.shared.items()} != wanted:
            raise RequestError(
                f"{KEY}: {start.words} has shared parameters of other names or shapes\n"
                "allowed: a run with the same model and sharing"
            )
        for tensors, given in ((shared, start.shared), (inputs, completed(start.inputs))):
            for name, value in given.items():
                tensors[name][r : r + 1].copy_(value)  # `state_dict` gives the network's tensors, not copies
    network.encoder.refresh()


def digest(parameters: Mapping[str, Tensor]) -> str:
    """The first 16 hexadecimal digits of the SHA-256 of parameters, in the order of their names."""
    sha = hashlib.sha256()
    for name in sorted(parameters):
        sha.update(name.encode() + parameters[name].contiguous().view(torch.uint8).numpy().tobytes())
    return sha.hexdigest()[:16]


def _drawn(split: SplitConfig) -> SplitConfig:
    """A split for comparison: without its seed if a column or files give its parts."""
    return split if split.column is None and split.files is None else replace(split, seed=None)


def _below(network: Mapping[str, Tensor], prefix: str) -> dict[str, Tensor]:
    return {name.removeprefix(prefix): value for name, value in network.items() if name.startswith(prefix)}


def _require_alike(folder: Path, theirs: Config, config: Config) -> None:
    """Raises RequestError if the trunk of the run in `folder` differs from that of `config`."""
    if not isinstance(theirs.model, ModelConfig):
        raise RequestError(
            f"{KEY}: {folder} is a run of model={theirs.model.name}, which has no trunk to take over\n"
            "allowed: a run of model=mlp"
        )
    ours, wanted = config.net.ensemble, theirs.net.ensemble
    if ours != wanted:
        raise RequestError(
            f"model={config.model.name}: has {counted(ours, 'member')}, and the trunk in {folder} has {wanted}\n"
            + (f"set it: model.members={wanted}" if min(ours, wanted) > 1 else f"set it: model={theirs.model.name}")
        )
    for key in ("hidden", "activation", *INPUTS):
        ours, wanted = getattr(config.net, key), getattr(theirs.model, key)
        if ours != wanted:
            words = str(wanted).replace(" ", "")
            raise RequestError(
                f"model.{key}: found {ours}, and the trunk in {folder} has {wanted}\nset it: 'model.{key}={words}'"
            )
    scheme = config.sharing.name
    if scheme != theirs.sharing.name:
        raise RequestError(
            f"sharing: found {scheme}, and the trunk in {folder} has {theirs.sharing.name}\n"
            f"set it: sharing={theirs.sharing.name}"
        )
    if scheme not in TASK_FREE and list(config.active) != list(theirs.active):
        raise RequestError(
            f"{KEY}: sharing={scheme} has parts of its own for each task, and {folder} was trained on "
            f"{listing(theirs.active)}\nallowed: the same tasks, or sharing=hard"
        )
    if _division(config) != _division(theirs):
        raise RequestError(
            f"sharing.groups: found {written(_division(config))}, and the trunks in {folder} are those of "
            f"{written(_division(theirs))}\nset it: 'sharing.groups={written(_division(theirs))}'"
        )


def _division(config: Config) -> list[list[str]]:
    """The groups of tasks with a trunk each, of sharing=groups."""
    return config.sharing.division(list(config.active)) if isinstance(config.sharing, GroupsConfig) else []


def _require_same_inputs(folder: Path, theirs: InputSpec, ours: InputSpec) -> None:
    """Raises RequestError that names the differing columns if the encoded inputs differ."""
    if theirs.embedding != ours.embedding:
        raise RequestError(
            f"{KEY}: {folder} has the embedding {theirs.embedding} of numbers, and this run {ours.embedding}\n"
            f"set it: model.embedding={theirs.embedding}"
        )
    if theirs == ours and (ours.embedding == "none" or theirs.embeddable == ours.embeddable):
        return
    there, here = ({c.name: c for c in spec.columns} for spec in (theirs, ours))
    words = [f"{name} only there" for name in there if name not in here]
    words += [f"{name} only here" for name in here if name not in there]
    for name in (n for n in there if n in here):
        if there[name].kind != here[name].kind:
            words.append(f"{name} {there[name].kind} there and {here[name].kind} here")
        elif there[name] != here[name]:
            words.append(f"{name} with other categories, gaps or dates")
        elif there[name].two_valued != here[name].two_valued:
            words.append(f"{name} has only two values in one of the tables")
    raise RequestError(
        f"{KEY}: {folder} has other inputs ({listing(words or ['in another order'], 5)})\n"
        "allowed: a run with the same columns, of the same kinds and categories"
    )
