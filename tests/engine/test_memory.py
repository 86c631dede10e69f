"""What a run is said to take, against what it takes."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from support import make_config, make_dataset, make_stack

from mtlrun.engine.backward import CutBackward
from mtlrun.engine.memory import machine_bytes, parameters, run_bytes
from mtlrun.util.errors import RequestError

MEASURE = """
import json, sys, tempfile
from pathlib import Path
from support import make_config, make_dataset
from mtlrun.runs.build import build_stack
from mtlrun.engine.memory import run_bytes
from mtlrun.engine.loop import Training
from mtlrun.storage.progress import Progress

def peak():  # of this program alone: ru_maxrss begins with that of the process that started it
    line = next(line for line in open("/proc/self/status") if line.startswith("VmHWM"))
    return int(line.split()[1]) * 1024

runs, hidden = json.loads(sys.argv[1])
configs = [make_config(seed=r, model={"hidden": hidden, "head_hidden": [32]},
                       trainer={"batch_size": 256, "epochs": 1, "max_steps": 6}) for r in range(runs)]
datasets = [make_dataset(configs[0], rows=6000, inputs=10)] * runs
before = peak()
with tempfile.TemporaryDirectory() as folder:
    stack = build_stack(configs, datasets)
    folders = [Path(folder) / str(r) for r in range(runs)]
    summaries = [{"settings": {}, "status": "running"} for _ in folders]
    training = Training(stack, folders, summaries, Path(folder) / "stack.pt", None)
    training.train(Progress(training.total, stack.network.tasks))
    training.saver.save()
print(json.dumps([peak() - before, runs * run_bytes(configs[0], datasets[0])]))
"""


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
@pytest.mark.parametrize("runs, hidden", [(64, [64, 64]), pytest.param(8, [512, 512], marks=pytest.mark.slow)])
def test_the_estimate_is_of_the_order_of_what_a_stack_takes(runs: int, hidden: list[int]) -> None:
    path = [str(Path(__file__).parents[1]), *sys.path]
    command = f"import sys; sys.path[:0] = {path!r}\n{MEASURE}"
    done = subprocess.run([sys.executable, "-c", command, json.dumps([runs, hidden])], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    measured, estimated = json.loads(done.stdout)
    assert measured > 2**25, "too little to be told from the rest"
    assert 0.5 * measured < estimated < 3 * measured


@pytest.mark.parametrize("hidden, head_hidden", [([8, 6], [5]), ([], [5]), ([16], []), ([7, 5, 3], [4, 2])])
def test_parameters_are_those_of_the_network(hidden: list[int], head_hidden: list[int]) -> None:
    tasks = {"a": {"type": "regression"}, "b": {"type": "binary"}, "r": {"type": "regression"}}
    config = make_config(tasks, model={"hidden": hidden, "head_hidden": head_hidden})
    network = make_stack([config]).network
    assert parameters(config, 4, 3) == sum(p.numel() for p in network.parameters())


def test_an_ensemble_counts_its_scales_and_the_activations_of_each_member() -> None:
    config, plain = make_config(model={"name": "tabm", "members": 5}), make_config()
    stack = make_stack([config])
    assert parameters(config, 4, 5) == stack.network.parameter_count()
    assert parameters(config, 4, 5) - parameters(plain, 4, 5) == 5 * (4 + 8 + 6)
    dataset = make_dataset(config)
    more = 4 * 4 * 16 * 4 * (4 + 8 + 6 + 3 * 5 + 6)  # float32, 4 copies, rows of a batch, further members, numbers
    assert run_bytes(config, dataset) - run_bytes(plain, dataset) == more + 12 * 4 * 5 * (4 + 8 + 6)


@pytest.mark.parametrize("name", ["none", "soft_l2", "trace_norm"])
def test_every_trunk_of_a_task_s_own_counts(name: str) -> None:
    config, hard = make_config(sharing={"name": name}), make_config()
    stack = make_stack([config])
    assert parameters(config, 4, 5) == stack.network.parameter_count()
    assert parameters(config, 4, 5) - parameters(hard, 4, 5) == 2 * (5 * 8 + 9 * 6)
    dataset = make_dataset(config)
    assert run_bytes(config, dataset) > run_bytes(hard, dataset) + 2 * (5 * 8 + 9 * 6) * 48


@pytest.mark.parametrize("model", [{}, {"name": "tabm", "members": 5}], ids=["mlp", "tabm"])
@pytest.mark.parametrize(("groups", "trunks"), [([["a", "c"]], 2), ([["a", "b", "c"]], 1), ([["a"], ["b"]], 3)])
def test_the_trunk_of_each_group_counts(groups: list[list[str]], trunks: int, model: dict[str, Any]) -> None:
    config = make_config(sharing={"name": "groups", "groups": groups}, model=model)
    network = make_stack([config]).network
    assert len(network.sharing.trunks) == trunks == config.sharing.trunks(3)
    assert parameters(config, 4, 5) == network.parameter_count()


def test_an_estimate_follows_sizes_but_not_a_batch_beyond_the_table() -> None:
    def estimate(rows: int = 1000, batch: int = 64, hidden: int = 32) -> int:
        config = make_config(model={"hidden": [hidden]}, trainer={"batch_size": batch})
        return run_bytes(config, make_dataset(config, rows=rows))

    assert estimate() < min(estimate(rows=2000), estimate(batch=128), estimate(hidden=64))
    assert estimate(batch=10**6) == estimate(batch=600)  # the rows of train


@pytest.mark.parametrize("name", ["pcgrad", "gradnorm", "graddrop", "excess_mtl", "db_mtl"])
def test_an_estimate_counts_what_a_strategy_keeps_of_the_gradients(name: str) -> None:
    """Against one that reads them in the features, and keeps nothing."""
    config, other = (
        make_config(loss=loss, model={"hidden": [32, 16]})
        for loss in ({"name": name}, {"name": "pcgrad", "at": "representation"})
    )
    dataset = make_dataset(config)
    stack = make_stack([config])
    backward, strategy = stack.step.backward, stack.step.strategy
    assert isinstance(backward, CutBackward)
    kept = sum(v.nbytes for v in strategy.state().values() if v.dim() == 3)  # [R, T, D]
    assert (kept > 0) == (name in ("excess_mtl", "db_mtl"))
    held = kept + backward.matrix.nbytes
    assert held <= run_bytes(config, dataset) - run_bytes(other, dataset) <= 2 * held


def test_a_stack_beyond_the_memory_may_be_halved_and_a_run_may_not(monkeypatch: pytest.MonkeyPatch) -> None:
    configs = [make_config(seed=r) for r in range(4)]
    one = 4 * 6 * sum(p.numel() for p in make_stack(configs[:1]).network.parameters())
    monkeypatch.setattr("mtlrun.runs.build.machine_bytes", lambda: 3 * one)
    with pytest.raises(MemoryError, match="not enough memory for 4 runs"):
        make_stack(configs)
    assert len(make_stack(configs[:2]).configs) == 2
    monkeypatch.setattr("mtlrun.runs.build.machine_bytes", lambda: one - 1)
    for runs in (configs, configs[:1]):
        with pytest.raises(RequestError, match="model: "):
            make_stack(runs)


def test_there_is_memory() -> None:
    assert 2**28 < machine_bytes() < 2**50
