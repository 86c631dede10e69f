"""How a sweep divides into stacks: what the runs of one may differ in, and how many they are."""

import dataclasses
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support import make_config, make_dataset, with_own_labels

from mtlrun.config.graph import Graph, TaskEdge, TrunkEdge
from mtlrun.config.schema import GROUPS, BoostingConfig, Config, TaskConfig
from mtlrun.config.schema.loss import LOSS_SETTINGS
from mtlrun.data.split import Split
from mtlrun.loss import STRATEGIES
from mtlrun.runs.size import Size, size
from mtlrun.sweeps.division import Division, Limits, divide
from mtlrun.util.registry import REFERENCES

# ---------------------------------------------------------------- what may differ

# By full key: settings that change neither shapes nor steps nor which operations run.
MAY_DIFFER = {
    "seed",
    "name",
    "notes",
    "data.split.seed",
    "lr=single.name",
    "lr=single.base",
    "lr=per_head.name",
    "lr=per_head.base",
    "lr=per_head.trunk",
    "lr=per_head.heads",
    "optimizer=adam.weight_decay",
    "optimizer=adamw.weight_decay",
    "optimizer=sgd.weight_decay",
    "optimizer=rmsprop.weight_decay",
    "trainer.calibrate",
    "trainer.clip",
    "trainer.gradient_noise",
    "model.restart",
    "model.init_from",
    "model.freeze",
    "sharing.strength",
    "sharing.ridge",
    "sharing.own",
    "sharing.rate",
}
# Of a strategy everything may differ, but for how its step goes back from the losses and, where that is by tasks'
# gradients or takes another look at the batch, its name.
SAME_IN_LOSSES = {"at", "heads"}
# The graph's settings are compared as the graph that they come to, of which these may differ.
MAY_DIFFER_IN_TASKS = {
    "tasks.unit",
    "tasks.shuffle",
    "tasks.train_labels",
    "tasks.train_rows_of",
    "tasks.smooth",
    "tasks.discard",
}
MAY_DIFFER_IN_GRAPHS = {"Graph.notes", "TrunkEdge.gradient", "TaskEdge.gradient"}


def tasks(**of_a: Any) -> dict[str, Any]:
    return {"a": {"type": "regression"} | of_a, "b": {"type": "binary"}, "c": {"type": "categorical"}}


CHAIN = {"name": "chain", "gradient": "stop"}
SAME_STACK: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "seed": ({"seed": 1}, {"seed": 2}),
    "name": ({"name": "one"}, {"name": "two"}),
    "split seed": ({"data": {"split": {"seed": 1}}}, {"data": {"split": {"seed": 2}}}),
    "restart": ({"model": {"restart": 0}}, {"model": {"restart": 2}}),
    "trunks of other runs": ({"model": {"init_from": "outputs/one"}}, {"model": {"init_from": "outputs/two"}}),
    "frozen trunk": ({"model": {"freeze": True}}, {}),
    "strategy": ({"loss": {"name": "sum"}}, {"loss": {"name": "uncertainty"}}),
    "scale": ({"loss": {"scale": "sum_to_T"}}, {"loss": {"name": "rlw"}}),
    "strategy with settings": ({"loss": {"name": "fixed", "weights": {"a": 2}}}, {"loss": {"name": "sum"}}),
    "weights": ({"loss": {"name": "fixed", "weights": {"a": 2}}}, {"loss": {"name": "fixed", "weights": {"b": 0}}}),
    "noise rate": ({"loss": {"name": "uncertainty", "lr": 0.1}}, {"loss": {"name": "uncertainty"}}),
    "noise start": ({"loss": {"name": "uncertainty", "init": 0}}, {"loss": {"name": "uncertainty"}}),
    "rate": ({"lr": {"base": 0.1}}, {"lr": {"base": 0.2}}),
    "policy": ({"lr": {"name": "per_head"}}, {"lr": {"name": "single"}}),
    "trunk": ({"lr": {"name": "per_head", "trunk": 0.1}}, {"lr": {"name": "per_head", "trunk": "2x"}}),
    "heads": ({"lr": {"name": "per_head", "heads": {"default": 1, "a": 2}}}, {"lr": {"name": "per_head"}}),
    "adam's decay": ({"optimizer": {"name": "adamw", "weight_decay": 0.1}}, {"optimizer": {"name": "adamw"}}),
    "sgd's decay": ({"optimizer": {"name": "sgd", "weight_decay": 0.1}}, {"optimizer": {"name": "sgd"}}),
    "noise on gradients": ({"trainer": {"gradient_noise": 1.0}}, {}),
    "clipping": ({"trainer": {"clip": 1.0}}, {"trainer": {"clip": None}}),
    "gradient": ({"graph": CHAIN}, {"graph": CHAIN | {"gradient": 0.3}}),
    "reversal": ({"graph": CHAIN}, {"graph": CHAIN | {"gradient": "reverse", "reverse": {"schedule": "ramp"}}}),
    "strength": tuple({"graph": CHAIN | {"gradient": "reverse", "reverse": {"strength": s}}} for s in (1, 2)),
    "trunk's gradient": tuple({"graph": {"receives": {"a": {"trunk": g}}}} for g in ("stop", 2)),
    "strength that no edge has": ({"graph": {"reverse": {"strength": 2}}}, {}),
    "unit": ({"tasks": tasks(unit="dollars")}, {}),
    "shuffled labels": ({"tasks": tasks(shuffle=True)}, {}),
    "fewer labels": ({"tasks": tasks(train_labels=30)}, {"tasks": tasks(train_labels=40)}),
    "smoothed labels": ({"tasks": tasks(smooth={"over": "b"})}, {"tasks": tasks(smooth={"over": "c", "window": 3})}),
    "labels in another task's rows": ({"tasks": tasks(train_rows_of="c")}, {"tasks": tasks(train_rows_of="b")}),
    "a head only while training": tuple({"tasks": tasks(role="auxiliary", discard=d)} for d in (True, False)),
    "a chain written out": ({"graph": CHAIN}, {"graph": {"receives": {"b": {"a": 1}, "c": {"a": 1, "b": 1}}}}),
}  # type: ignore[dict-item]


OTHER_STACK: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "only": ({"only": ["a", "b", "c"]}, {}),
    "tasks.type": ({"tasks": tasks()}, {"tasks": tasks(type="binary")}),
    "tasks.target": ({"tasks": tasks(target="x")}, {}),
    "tasks.expression": ({"tasks": tasks(expression="b + c")}, {}),
    "tasks.bins": tuple({"tasks": {"a": {"bins": b}, "b": {"type": "binary"}}} for b in (3, [0, 1])),
    "tasks.columns": tuple(
        {"tasks": {"a": {"type": "reconstruction", "columns": c}, "b": {"type": "binary"}}} for c in (["x0"], ["x1"])
    ),
    "tasks.loss": ({"tasks": tasks(loss="l1")}, {"tasks": tasks(loss="mse")}),
    "tasks.where": ({"tasks": tasks(where="x > 1")}, {}),
    "tasks.role": ({"tasks": tasks(role="auxiliary")}, {}),
    "tasks.primary": ({"tasks": tasks(primary="r2")}, {}),
    "tasks.positive": ({"tasks": tasks(positive=1)}, {}),
    "tasks.class_weights": tuple({"tasks": tasks(class_weights={"x": w})} for w in (1, 2)),
    "tasks.huber_delta": ({"tasks": tasks(huber_delta=2.0)}, {}),
    "tasks": ({"tasks": dict(reversed(tasks().items()))}, {}),
    "data.path": ({"data": {"path": "other"}}, {}),
    "data.columns": ({"data": {"columns": {"x0": {"text": True}}}}, {}),
    "data.missing": ({"data": {"missing": ["?"]}}, {}),
    "data.separator": ({"data": {"separator": ";"}}, {}),
    "data.reading": ({"data": {"reading": "0.1"}}, {}),
    "data.inputs": ({"data": {"inputs": ["x0"]}}, {}),
    "data.future": ({"data": {"future": ["x0"]}}, {}),
    "data.weight": ({"data": {"weight": "w"}}, {}),
    "data.train_rows": ({"data": {"train_rows": 50}}, {}),
    "data.standardize_targets": ({"data": {"standardize_targets": False}}, {}),
    "data.max_categories": ({"data": {"max_categories": 5}}, {}),
    "data.split.train": ({"data": {"split": {"train": 0.6}}}, {}),
    "data.split.val": ({"data": {"split": {"val": 0.1}}}, {}),
    "data.split.test": ({"data": {"split": {"test": 0.1}}}, {}),
    "data.split.by": ({"data": {"split": {"by": "x"}}}, {}),
    "data.split.column": ({"data": {"split": {"column": "x"}}}, {}),
    "data.split.files": ({"data": {"split": {"files": {"test": "t.csv"}}}}, {}),
    "data.split.val_from": ({"data": {"split": {"val_from": "test"}}}, {}),
    "model.hidden": ({"model": {"hidden": [6, 8]}}, {}),
    "model.head_hidden": ({"model": {"head_hidden": [4]}}, {}),
    "model.activation": ({"model": {"activation": "tanh"}}, {}),
    "model.members": tuple({"model": {"name": "tabm", "members": n}} for n in (2, 3)),
    "model.dropout": ({"model": {"dropout": 0.1}}, {}),
    "model.scaling": ({"model": {"scaling": "robust"}}, {}),
    "model.embedding": ({"model": {"embedding": "periodic"}}, {}),
    "model.bins": tuple({"model": {"embedding": "piecewise", "bins": n}} for n in (3, 4)),
    "model.frequencies": tuple({"model": {"embedding": "periodic", "frequencies": f}} for f in ([1.0], [2.0])),
    "model.gain": tuple({"model": {"embedding": "periodic", "gain": g}} for g in (1.0, 2.0)),
    "sharing.groups": tuple(
        {"sharing": {"name": "groups", "groups": g}} for g in ([["a", "b"], ["c"]], [["a"], ["b", "c"]])
    ),
    "model.clip_outputs": ({"model": {"clip_outputs": True}}, {}),
    "model.pretrain": ({"only": ["a"], "model": {"pretrain": ["b"]}}, {"only": ["a"], "model": {"pretrain": ["c"]}}),
    "loss.name": ({"loss": {"name": "pcgrad"}}, {"loss": {"name": "sum", "heads": "own"}}),
    "loss.at": ({"loss": {"name": "pcgrad"}}, {"loss": {"name": "pcgrad", "at": "representation"}}),
    "loss.heads": ({"loss": {"name": "rlw"}}, {"loss": {"name": "rlw", "heads": "own"}}),
    "lr.schedule": ({"lr": {"schedule": "constant"}}, {}),
    "lr.warmup": ({"lr": {"warmup": 3}}, {}),
    "lr.final": ({"lr": {"final": 0.3}}, {}),
    "lr.decay": ({"lr": {"decay": 0.3}}, {}),
    "lr.decay_every": ({"lr": {"decay_every": 3}}, {}),
    "trainer.on_nan": ({"trainer": {"on_nan": "skip"}}, {}),
    "optimizer.name": ({"optimizer": {"name": "adam"}}, {"optimizer": {"name": "adamw"}}),
    "optimizer.betas": ({"optimizer": {"betas": [0.8, 0.99]}}, {}),
    "optimizer.eps": ({"optimizer": {"eps": 1e-4}}, {}),
    "optimizer.amsgrad": ({"optimizer": {"amsgrad": True}}, {}),
    "optimizer.momentum": tuple({"optimizer": {"name": "sgd", "momentum": m}} for m in (0.5, 0.9)),
    "optimizer.nesterov": tuple({"optimizer": {"name": "sgd", "momentum": 0.5, "nesterov": n}} for n in (True, False)),
    "optimizer.alpha": tuple({"optimizer": {"name": "rmsprop", "alpha": a}} for a in (0.5, 0.9)),
    "optimizer.centered": tuple({"optimizer": {"name": "rmsprop", "centered": c}} for c in (True, False)),
    "trainer.epochs": ({"trainer": {"epochs": 4}}, {}),
    "trainer.max_steps": ({"trainer": {"max_steps": 4}}, {}),
    "trainer.evaluate_every": ({"trainer": {"evaluate_every": 4}}, {}),
    "trainer.batch_size": ({"trainer": {"batch_size": 8}}, {}),
    "trainer.select": ({"trainer": {"select": "worst"}}, {}),
    "trainer.patience": ({"trainer": {"patience": 4}}, {}),
    "trainer.device": ({"trainer": {"device": "cpu"}}, {}),
    "trainer.threads": ({"trainer": {"threads": 2}}, {}),
    "trainer.deterministic": ({"trainer": {"deterministic": True}}, {}),
    "trainer.tensorboard": ({"trainer": {"tensorboard": True}}, {}),
    "trainer.log_gradients": ({"trainer": {"log_gradients": True}}, {}),
    "trainer.importance": ({"trainer": {"importance": True}}, {}),
    "trainer.log_activations": ({"trainer": {"log_activations": True}}, {}),
    "trainer.goal": ({"trainer": {"goal": 1.5}}, {}),
    "trainer.label_smoothing": ({"trainer": {"label_smoothing": 0.1}}, {}),
    "trainer.debug": ({"trainer": {"debug": True}}, {}),
    "sharing.name": ({"sharing": {"name": "none"}}, {}),
    "sharing.layers": tuple({"sharing": {"name": "l1", "layers": n}} for n in ("first", "all")),
    "sharing.experts": tuple({"sharing": {"name": "mmoe", "experts": n}} for n in (2, 3)),
    "sharing.shared_experts": tuple({"sharing": {"name": "cgc", "shared_experts": n}} for n in (2, 3)),
    "sharing.task_experts": tuple({"sharing": {"name": "ple", "task_experts": n}} for n in (2, 3)),
    "graph.receives": ({"graph": {"receives": {"a": {"b": "stop"}}}}, {}),
    "graph.name": ({"graph": CHAIN}, {}),
    "graph.what": ({"graph": CHAIN | {"what": "logits"}}, {"graph": CHAIN}),
    "graph.constants": ({"graph": {"constants": {"a": ["layer1"]}}}, {}),
    "tasks.head": tuple({"tasks": tasks(head=other) | {"d": {"type": "regression"}}} for other in ("d", None)),
    "graph.receives.at": tuple({"graph": {"receives": {"a": {"trunk": {"at": n}}}}} for n in (1, 2)),
}  # type: ignore[dict-item]
NOT_SWEPT = {
    "trainer.length_of",  # for a training on all rows, see tests/runs/test_all_rows.py
    "tasks.scale",  # of an objective, see tests/demos/test_toy_objectives.py
    "data.name",
    "model.name",  # one value each
    *(f"model.{f.name}" for f in dataclasses.fields(BoostingConfig)),  # every such run is alone
    "data.split",
    "graph.gradient",
    "graph.reverse",  # by their parts, above
    "graph",
    "data",
    "model",
    "sharing",
    "loss",
    "lr",
    "optimizer",
    "trainer",
}


def own_options() -> dict[str, dict[str, type]]:
    """The options of every group by name, without those of installed packages."""
    return {
        group: {name: kind for name, kind in options.items() if name not in REFERENCES.get(group, {})}
        for group, options in GROUPS.items()
    }


def test_the_schema_declares_what_the_runs_of_a_stack_may_differ_in() -> None:
    found = {f.name for f in dataclasses.fields(Config) if f.metadata.get("per_run")}
    for group, options in own_options().items():
        for option, kind in options.items():
            if group == "loss":
                alone = STRATEGIES[option].needs_gradients or STRATEGIES[option].needs_losses_after
                same = {f.name for f in dataclasses.fields(kind) if not f.metadata.get("per_run")}
                assert same - {"at"} == {"heads"} | ({"name"} if alone else set()), option
                continue
            prefix = group if group in ("data", "model", "sharing", "graph", "trainer") else f"{group}={option}"
            for f in dataclasses.fields(kind):
                if f.metadata.get("per_run"):
                    found.add(f"{prefix}.{f.name}")
                if dataclasses.is_dataclass(inner := f.default_factory):
                    found |= {
                        f"{prefix}.{f.name}.{g.name}" for g in dataclasses.fields(inner) if g.metadata.get("per_run")
                    }
    assert found == MAY_DIFFER
    own = {f"tasks.{f.name}" for f in dataclasses.fields(TaskConfig) if f.metadata.get("per_run")}
    assert own == MAY_DIFFER_IN_TASKS
    graphs = {
        f"{kind.__name__}.{f.name}"
        for kind in (Graph, TrunkEdge, TaskEdge)
        for f in dataclasses.fields(kind)
        if f.metadata.get("per_run")
    }
    assert graphs == MAY_DIFFER_IN_GRAPHS


def test_every_setting_is_tried() -> None:
    """A new field of the schema belongs into one of the lists."""
    known = {key.split("=")[0] + "." + key.rpartition(".")[2] if "=" in key else key for key in MAY_DIFFER}
    known |= {f"loss.{f.name}" for kind in LOSS_SETTINGS.values() for f in dataclasses.fields(kind)} - {
        f"loss.{name}" for name in SAME_IN_LOSSES
    }
    known |= set(OTHER_STACK) | NOT_SWEPT | MAY_DIFFER_IN_TASKS
    keys = {f.name for f in dataclasses.fields(Config)} | {f"tasks.{f.name}" for f in dataclasses.fields(TaskConfig)}
    for group, options in own_options().items():
        for kind in options.values():
            keys |= {f"{group}.{f.name}" for f in dataclasses.fields(kind)}
            inner = [(f, f.default_factory) for f in dataclasses.fields(kind) if f.name == "split"]
            keys |= {f"{group}.{f.name}.{g.name}" for f, split in inner for g in dataclasses.fields(split)}
    assert keys - known == set()


def size_of(groups: dict[str, Any], rows: int = 120) -> Size:
    config = make_config(
        groups.get("tasks"), **{k: v for k, v in groups.items() if k not in ("tasks", "seed", "name", "only")}
    )
    own = {key: groups[key] for key in ("seed", "name", "only") if key in groups}
    return size(dataclasses.replace(config, **own), with_own_labels(make_dataset(config, rows=rows), config))


def share(one: Size, two: Size) -> bool:
    return len(divide([one, two], Limits(1, memory=2**40)).stacks) == 1


@pytest.mark.parametrize("pair", SAME_STACK.values(), ids=SAME_STACK)
def test_runs_that_differ_in_values_alone_share_a_stack(pair: tuple[dict[str, Any], dict[str, Any]]) -> None:
    assert share(*map(size_of, pair))


@pytest.mark.parametrize("key", OTHER_STACK)
def test_runs_that_differ_otherwise_do_not(key: str) -> None:
    one, two = map(size_of, OTHER_STACK[key])
    division = divide([one, two], Limits(1, memory=2**40))
    assert division.stacks == [[0], [1]] and division.group == [0, 1]
    named = {k for settings in division.settings for k in settings}
    inside = key.replace("tasks.", "tasks.a.") if key != "only" else key
    assert any(k.startswith(inside.split(".at")[0].split(".receives")[0]) or k == "graph" for k in named)


@pytest.mark.parametrize("trim, same", [(3, True), (12, False)])
def test_equal_steps_matter_and_not_the_number_of_rows(trim: int, same: bool) -> None:
    config = make_config()
    whole = make_dataset(config, rows=125)  # 75 rows of train, 4 steps of 16
    split = dataclasses.replace(whole.split, train=whole.split.train[trim:])
    assert share(size(config, whole), size(config, dataclasses.replace(whole, split=split))) == same


def test_a_batch_beyond_the_table_takes_what_there_is() -> None:
    config = make_config(trainer={"batch_size": 10_000})
    whole = make_dataset(config)
    fewer = dataclasses.replace(whole, split=dataclasses.replace(whole.split, train=whole.split.train[1:]))
    assert size(config, whole).shared["rows per batch"] == "72" and size(config, fewer).shared["rows per batch"] == "71"
    assert not share(size(config, whole), size(config, fewer))


def test_rows_without_any_label_make_no_step() -> None:
    config = make_config({"a": {"type": "regression"}})
    whole, half = make_dataset(config), make_dataset(config, missing=0.5)
    assert size(config, whole).shared["steps per epoch"] == "4"
    assert int(size(config, half).shared["steps per epoch"]) < 4


def test_the_steps_of_a_run() -> None:
    config = make_config(trainer={"epochs": 5})
    assert size(config, make_dataset(config)).steps == 20
    short = make_config(trainer={"epochs": 5, "max_steps": 7})
    assert size(short, make_dataset(short)).steps == 7


def test_runs_that_torch_traces_are_alone() -> None:
    """In a stack, torch would end all runs with the first whose gradient is nan."""
    runs = [size_of({"seed": s, "trainer": {"debug": True}}) for s in range(3)]
    division = divide(runs, Limits(1, memory=2**40))
    assert division.stacks == [[0], [1], [2]] and "trainer.debug" in division.describe()


# ---------------------------------------------------------------- how many


sizes = st.lists(
    st.builds(Size, st.sampled_from([{"k": "x"}, {"k": "y"}, {"k": "y", "l": "z"}]), st.integers(1, 1000), st.just(10)),
    min_size=1,
    max_size=120,
)
limits = st.builds(Limits, st.integers(1, 8), st.none() | st.integers(1, 40), st.integers(1, 10**6))


@given(sizes, limits)
@settings(max_examples=300, deadline=None)
def test_properties_of_a_division(runs: list[Size], limit: Limits) -> None:
    division = divide(runs, limit)
    assert sorted(n for stack in division.stacks for n in stack) == list(range(len(runs)))
    assert all(stack and stack == sorted(stack) for stack in division.stacks)
    groups: dict[int, list[list[int]]] = {}
    for stack, group in zip(division.stacks, division.group, strict=True):
        assert len({tuple(runs[n].shared.items()) for n in stack}) == 1
        assert limit.max_runs is None or len(stack) <= limit.max_runs
        assert len(stack) == 1 or sum(runs[n].bytes for n in stack) * limit.processes <= limit.memory
        groups.setdefault(group, []).append(stack)
    shared = [tuple(runs[stacks[0][0]].shared.items()) for stacks in groups.values()]
    assert len(set(shared)) == len(shared)  # what may be together is in one group
    for stacks in groups.values():
        lengths = [len(stack) for stack in stacks]
        assert max(lengths) - min(lengths) <= 1
        together = [n for stack in stacks for n in stack]
        assert together == sorted(together)
        if len(together) >= 8 * limit.processes:
            assert len(stacks) >= limit.processes  # work for every process
    assert len(division.describe().splitlines()) >= len(division.stacks)


def cut(runs: int, *given: Any, memory: int = 10**9) -> Division:
    return divide([Size({}, 1000, 10)] * runs, Limits(*given, memory=memory))


def test_a_group_is_cut_for_processes_memory_and_by_hand() -> None:
    assert [len(s) for s in cut(64, 4).stacks] == [16] * 4
    assert [len(s) for s in cut(10, 4).stacks] == [2, 3, 2, 3]
    assert [len(s) for s in cut(10, 1).stacks] == [10] and cut(10, 1).cut == [""]
    assert [len(s) for s in cut(10, 1, 4).stacks] == [3, 3, 4] and "max_runs" in cut(10, 1, 4).cut[0]
    assert [len(s) for s in cut(10, 1, None, memory=5500).stacks] == [5, 5]
    assert "memory" in cut(10, 1, None, memory=5500).cut[0]
    assert [len(s) for s in cut(3, 1, None, memory=1).stacks] == [1, 1, 1]  # a single run is tried anyway


def test_a_split_is_no_setting_of_the_stack() -> None:
    """Seeds have splits of their own, of the same sizes."""
    config = make_config()
    dataset = make_dataset(config)
    rows = np.random.default_rng(1).permutation(120)
    other = dataclasses.replace(dataset, split=Split(*(np.sort(p) for p in np.split(rows, [72, 96]))))
    assert size(config, dataset) == size(config, other)
