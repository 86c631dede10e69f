"""The same command gives the same bytes, and one factor leaves the randomness of the others alone."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from support import PLAIN_WORDS, make_config, make_stack

from mtlrun.cli.main import main
from mtlrun.config.schema.loss import LOSS_SETTINGS
from mtlrun.network.network import Network

SMALL = [
    "data=houses",
    "model.hidden=[8]",
    "model.head_hidden=[4]",
    "model.dropout=0.2",
    "trainer.batch_size=16",
    "trainer.epochs=2",
    "trainer.log_gradients=true",
    "trainer.importance=true",
]


def test_the_same_command_gives_the_same_bytes_in_any_process(here: Path) -> None:
    """Here, and in a process whose sets and mappings of texts are in another order."""
    words = ["-m", *PLAIN_WORDS, *SMALL, "loss=uncertainty,graddrop", "graph=chain", "seed=3"]
    assert main([*words, "hydra.sweep.dir=s1"]) == 0
    environment = os.environ | {"PYTHONHASHSEED": "1" if os.environ.get("PYTHONHASHSEED") != "1" else "2"}
    command = [sys.executable, "-m", "mtlrun", *words, "hydra.sweep.dir=s2"]
    subprocess.run(command, env=environment, check=True, capture_output=True)
    assert len(list(Path("s1").glob("0*"))) == 2
    for run in sorted(Path("s1").glob("0*")):
        for name in ("metrics.csv", "importance.csv", ".hydra/config.yaml"):
            assert (run / name).read_bytes() == (Path("s2") / run.name / name).read_bytes(), (run, name)
        one, two = (json.loads((Path(s) / run.name / "summary.json").read_text()) for s in ("s1", "s2"))
        assert {k: v for k, v in one.items() if k not in ("seconds", "memory")} == {
            k: v for k, v in two.items() if k not in ("seconds", "memory")
        }


def test_what_a_run_was_made_with_is_recorded(here: Path) -> None:
    assert main([*SMALL, "hydra.run.dir=r"]) == 0
    summary = json.loads(Path("r/summary.json").read_text())
    assert {"python", "mtlrun", "torch", "numpy", "pandas", "hydra-core", "omegaconf"} <= summary["versions"].keys()
    assert summary["versions"]["torch"] == torch.__version__
    assert {"device", "cpu", "cores", "threads"} <= summary["hardware"].keys()
    assert len(summary["data_hash"]) == 16 and len(summary["config_hash"]) == 16
    Path("houses.csv").write_text(Path("houses.csv").read_text().replace("Ulm", "Ulm ", 1))
    assert main([*SMALL, "hydra.run.dir=r2"]) == 0
    other = json.loads(Path("r2/summary.json").read_text())
    assert other["data_hash"] != summary["data_hash"] and other["config_hash"] == summary["config_hash"]


CHANGES: dict[str, dict[str, Any]] = {
    **{f"loss={name}": {"loss": {"name": name}} for name in LOSS_SETTINGS},
    "per_head": {"lr": {"name": "per_head"}},
    "rate": {"lr": {"base": 0.3}},
    "chain": {"graph": {"name": "chain"}},
    "pass": {"graph": {"receives": {"b": {"a": "pass"}}}},
    "reverse": {"graph": {"receives": {"b": {"trunk": "reverse"}}}},
    "sgd": {"optimizer": {"name": "sgd", "momentum": 0.9}},
    "dropout": {"model": {"dropout": 0.3}},
    "noise": {"trainer": {"gradient_noise": 0.3}},
    "clip": {"trainer": {"clip": 0.1, "on_nan": "skip"}},
    "evaluate": {"trainer": {"evaluate_every": 1, "patience": None}},
    "sharing": {"sharing": {"name": "soft_l2", "strength": 0.1}},
    "none": {"sharing": {"name": "none"}},
    "mmoe": {"sharing": {"name": "mmoe"}},
    "groups": {"sharing": {"name": "groups", "groups": [["a", "c"]]}},
}


@pytest.mark.parametrize("change", CHANGES)
def test_one_factor_leaves_split_initial_parameters_and_order_of_the_others_alone(change: str) -> None:
    plain, other = make_stack([make_config(seed=5)]), make_stack([make_config(seed=5, **CHANGES[change])])
    for a, b in zip(plain.datasets[0].split.parts().values(), other.datasets[0].split.parts().values(), strict=True):
        assert np.array_equal(a, b)
    for a, b in zip(plain.train.epoch(1), other.train.epoch(1), strict=True):
        places = [other.network.tasks.index(task) for task in plain.network.tasks]  # edges bring tasks into an order
        assert torch.equal(a.x, b.x) and torch.equal(a.targets.labels, b.targets.labels[..., places])
    ours, theirs = by_task(plain.network), by_task(other.network)
    # a head that reads more, or an own trunk, has other parameters; what has the same name and shape is the same
    common = [name for name in ours if name in theirs and ours[name].shape == theirs[name].shape]
    assert len(common) >= len(ours) // 3
    for name in common:
        assert torch.equal(ours[name], theirs[name]), name


def by_task(network: Network) -> dict[Any, torch.Tensor]:
    """Parameters by name, those of heads by their tasks: edges bring heads into an order."""
    found: dict[Any, torch.Tensor] = dict(network.sharing.named_parameters())
    return found | {(*block.tasks, name): p for block in network.blocks for name, p in block.named_parameters()}


@pytest.mark.parametrize("only", [["a"], ["b"], ["a", "c"]])
def test_fewer_tasks_leave_split_order_and_the_others_parameters_alone(only: list[str]) -> None:
    plain, other = make_stack([make_config(seed=5)]), make_stack([make_config(seed=5, only=only)])
    for a, b in zip(plain.train.epoch(2), other.train.epoch(2), strict=True):
        assert torch.equal(a.x, b.x)
    ours, theirs = dict(plain.network.sharing.named_parameters()), dict(other.network.sharing.named_parameters())
    assert all(torch.equal(ours[name], theirs[name]) for name in ours)
