"""What a loss holds constant: against autograd on networks in which that is stopped, or left out, by hand."""

from typing import Any

import pytest
import torch
from support import make_config, make_stack, train_steps
from torch import Tensor

from mtlrun.engine.backward import PerTaskBackward
from mtlrun.engine.stack import Stack
from mtlrun.loss import STRATEGIES
from mtlrun.util.errors import RequestError

TASKS = {"a": {"type": "regression"}, "b": {"type": "binary"}, "c": {"type": "regression"}}
CHAIN = {"receives": {"b": {"a": "pass"}, "c": {"b": "pass"}}}  # a reaches c through b alone


def make(graph: dict[str, Any], sharing: str = "hard", tasks: dict[str, Any] | None = None, **groups: Any) -> Stack:
    configs = [
        make_config(
            tasks or TASKS,
            seed=s,
            graph=graph,
            sharing={"name": sharing},
            model={"hidden": [6, 5], "head_hidden": [3]},
            **groups,
        )
        for s in (0, 1)
    ]
    return make_stack(configs, missing=0.2)


def gradients(stack: Stack) -> dict[str, dict[str, Tensor]]:
    """By task and parameter, the gradient of the task's loss: of parameters that belong to tasks, one for each."""
    apart = PerTaskBackward(stack.network, stack.step.flat)
    batch = next(iter(stack.train.epoch(1)))
    apart.forward(batch.x, batch.targets, None)
    columns = apart.every.split([p[0].numel() for p in stack.step.flat.network_parameters], 2)
    names = [n.removeprefix("network.") for n in stack.step.flat.names]
    found: dict[str, dict[str, Tensor]] = {task: {} for task in stack.network.tasks}
    axes = stack.network.trunk_axes() | stack.network.head_axes()
    for name, column, parameter in zip(names, columns, stack.step.flat.network_parameters, strict=False):
        for t, task in enumerate(stack.network.tasks):
            whole = column[:, t].view(parameter.shape)
            if name in axes:
                owners, axis = axes[name]
                kind = "heads" if name.startswith("heads.") else "trunk"
                found[task] |= {f"{kind}.{o}.{name}": whole.select(axis, i) for i, o in enumerate(owners)}
            else:
                found[task][f"trunk.{name}"] = whole
    return found


@pytest.mark.parametrize("sharing", ["hard", "none"])
def test_parameters_are_held_for_one_loss_and_the_gradient_passes_through(sharing: str) -> None:
    free, held = make(CHAIN, sharing), make(CHAIN | {"constants": {"c": ["heads.b"], "b": ["trunk"]}}, sharing)
    expected, found = gradients(free), gradients(held)
    assert max(g.abs().max() for n, g in expected["c"].items() if n.startswith("heads.b")) > 0
    for task, names in found.items():
        for name, gradient in names.items():
            constant = (task == "c" and name.startswith("heads.b")) or (task == "b" and name.startswith("trunk"))
            assert torch.equal(gradient, torch.zeros_like(gradient) if constant else expected[task][name]), (task, name)
    assert any(g.any() for n, g in found["c"].items() if n.startswith("heads.a"))  # through the head that it holds


@pytest.mark.parametrize("sharing", ["hard", "none"])
def test_an_estimate_is_held_for_one_loss_also_behind_another_task(sharing: str) -> None:
    stopped = {"receives": {"b": {"a": "stop"}, "c": {"b": "pass"}}}
    expected, cut = gradients(make(CHAIN, sharing)), gradients(make(stopped, sharing))
    found = gradients(make(CHAIN | {"constants": {"c": ["a"]}}, sharing))
    for task, names in found.items():
        for name, gradient in names.items():
            torch.testing.assert_close(gradient, (cut if task == "c" else expected)[task][name], rtol=1e-6, atol=0)
    assert not any(g.any() for n, g in found["c"].items() if n.startswith("heads.a"))
    assert any(g.any() for n, g in found["b"].items() if n.startswith("heads.a"))


@pytest.mark.parametrize("sharing", ["hard", "none"])
@pytest.mark.parametrize("layer", [1, 2])
def test_a_layer_is_held_for_one_loss(layer: int, sharing: str) -> None:
    graph = {"receives": {"a": {"trunk": {"at": 1}}}}
    free, held = make(graph, sharing), make(graph | {"constants": {"b": [f"layer{layer}"]}}, sharing)
    expected, found = gradients(free), gradients(held)
    number = {"hard": {1: "layers.0.", 2: "layers.1."}, "none": {1: "s.0", 2: "s.1"}}[sharing]
    for task, names in found.items():
        for name, gradient in names.items():
            before = name.startswith("trunk") and any(number[i] in name for i in range(1, layer + 1))
            if task == "b" and before:
                assert not gradient.any(), name
            else:
                assert torch.equal(gradient, expected[task][name]), (task, name)
    assert any(g.any() for g in expected["b"].values())


def test_an_embedding_is_held_with_the_estimate() -> None:
    graph = {"receives": {"b": {"a": {"gradient": "pass", "what": "embedding"}}}}
    found = gradients(make(graph | {"constants": {"b": ["a"]}}))
    free = gradients(make(graph))
    assert any(g.any() for n, g in free["b"].items() if n.startswith("heads.a"))
    assert not any(g.any() for n, g in found["b"].items() if n.startswith("heads.a"))


def test_a_tied_head_is_the_other_task_s() -> None:
    """The same numbers as from two heads with equal parameters, whose gradients add up."""
    tasks = TASKS | {"d": {"type": "binary", "head": "b"}}
    graph = {"receives": {"b": {"a": "pass"}, "d": {"a": "pass"}}}
    tied, apart = make(graph, tasks=tasks), make(graph, tasks=TASKS | {"d": {"type": "binary"}})
    assert tied.network.parameter_count() < apart.network.parameter_count()
    for mine, other in zip(apart.network.task_parameters("d"), apart.network.task_parameters("b"), strict=True):
        mine.data.copy_(other)
    batch = next(iter(tied.train.epoch(1)))
    at, to = tied.network.tasks.index("d"), apart.network.tasks.index("d")
    found, expected = tied.network.losses(batch.x, batch.targets), apart.network.losses(batch.x, batch.targets)
    torch.testing.assert_close(found[:, at], expected[:, to])
    own, two = gradients(tied)["d"], gradients(apart)["d"]
    of_b = [g for n, g in own.items() if n.startswith("heads.b")]
    of_d = [g for n, g in two.items() if n.startswith("heads.d")]
    assert len(of_b) == len(of_d) == 4 and of_d[0].any()
    for mine, other in zip(of_b, of_d, strict=True):
        torch.testing.assert_close(mine, other)
    apart_back = PerTaskBackward(tied.network, tied.step.flat)
    assert apart_back.shared[:, tied.step.flat.shared_size :].any()


def test_a_task_may_read_nothing_of_the_trunk() -> None:
    stack = make({"receives": {"b": {"trunk": "none", "a": "stop"}}})
    found = gradients(stack)["b"]
    assert not any(g.any() for n, g in found.items() if not n.startswith("heads.b"))
    assert all(g.any() for n, g in found.items() if n.startswith("heads.b"))
    first = stack.network.place["b"][0].weights[0]
    assert first.shape[1] == 1  # the estimate of a regression


@pytest.mark.parametrize("name", [n for n in STRATEGIES if n not in ("famo",)])
def test_every_strategy_heeds_constants(name: str) -> None:
    """What no loss moves keeps every bit; the rest moves."""
    graph = {"receives": {"c": {"trunk": "none", "b": "pass"}}, "constants": {"a": ["layer1"], "b": ["layer1"]}}
    stack = make(graph, loss={"name": name})
    layers = stack.network.sharing.trunk.linear
    before = [p.detach().clone() for layer in layers for p in layer.parameters()]
    train_steps(stack, 4)
    after = [p.detach() for layer in layers for p in layer.parameters()]
    # c reaches layer1 along its edge alone, through b's estimate
    assert not torch.equal(before[0], after[0])
    graph["constants"]["c"] = ["b"]
    stack = make(
        graph, loss={"name": name} | ({"heads": "own"} if name == "excess_mtl" else {})
    )  # c moves its head alone
    layers = stack.network.sharing.trunk.linear
    before = [p.detach().clone() for layer in layers for p in layer.parameters()]
    train_steps(stack, 4)
    after = [p.detach() for layer in layers for p in layer.parameters()]
    assert torch.equal(before[0], after[0]) and torch.equal(before[1], after[1])
    assert not torch.equal(before[2], after[2])


@pytest.mark.parametrize(
    ("graph", "said"),
    [
        ({"constants": {"a": ["layer3"]}}, "graph.constants.a: nothing is named 'layer3'; did you mean"),
        ({"constants": {"a": ["a"]}}, "graph.constants.a: a itself, and then the loss moves nothing"),
        ({"constants": {"a": "layer1"}}, "graph.constants.a: found 'layer1'"),
        ({"constants": {"x": ["layer1"]}}, "graph.constants.x: "),
        (
            CHAIN | {"constants": {"b": ["a", "c"]}},
            "graph.constants.b: c's estimate does not reach b\ngive it an edge: ",
        ),
        ({"receives": {"a": {"trunk": "none"}}}, "graph.receives.a.trunk: none, and a receives nothing else"),
    ],
)
def test_wrong_constants_are_refused(graph: dict[str, Any], said: str) -> None:
    with pytest.raises(RequestError) as error:
        make_config(TASKS, graph=graph)
    assert str(error.value).startswith(said)


@pytest.mark.parametrize(
    ("of_d", "graph", "said"),
    [
        ({"type": "binary", "head": "d"}, {}, "tasks.d.head: d has no head of its own"),
        ({"type": "binary", "head": "x"}, {}, "tasks.d.head: "),
        ({"type": "regression", "head": "b"}, {}, "tasks.d.head: b has type binary, d regression"),
        (
            {"type": "binary", "head": "b"},
            {"receives": {"b": {"a": "stop"}}},
            "tasks.d.head: b reads other sources than d",
        ),
        (
            {"type": "binary", "head": "b"},
            {"receives": {"d": {"trunk": {"at": 1}}}},
            "tasks.d.head: b reads other layer",
        ),
    ],
)
def test_wrong_heads_are_refused(of_d: dict[str, Any], graph: dict[str, Any], said: str) -> None:
    with pytest.raises(RequestError) as error:
        make(graph, tasks=TASKS | {"d": of_d})
    assert str(error.value).startswith(said)


def test_only_leaves_out_constants_and_heads_of_absent_tasks() -> None:
    graph = {"constants": {"a": ["b", "layer1"], "b": ["a"]}}
    config = make_config(TASKS | {"d": {"type": "binary", "head": "b"}}, graph=graph, only=["a", "d"])
    assert any("graph.constants.a: left out, as `only` leaves out b" in note for note in config.notes)
    assert "tasks.d.head: b is left out by `only`, so d has a head of its own" in config.notes
    stack = make_stack([config])
    assert stack.network.graph.constants == {"a": ("layer1",)}
    assert stack.network.task_parameters("d")  # a head of its own, as b's is not there


@pytest.mark.parametrize(
    "graph",
    [
        {"constants": {"a": ["trunk"]}},
        {"constants": {"a": ["layer2"]}},
        {"receives": {"a": {"trunk": "none", "b": "stop"}}},
        {"receives": {"a": {"trunk": "none", "b": "pass"}}, "constants": {"a": ["b"]}},
        {"receives": {"a": {"trunk": "stop"}}},
    ],
    ids=str,
)
def test_a_head_that_a_strategy_would_give_no_weight_is_refused(graph: dict[str, Any]) -> None:
    for loss in ({"name": "excess_mtl"}, {"name": "mgda", "heads": "weighted"}):
        with pytest.raises(
            RequestError, match=rf"^loss.heads: weighted, and loss={loss['name']} gives no weight to a,"
        ):
            make_config(TASKS, graph=graph, loss=loss)
        make_config(TASKS, graph=graph, loss=loss | {"heads": "own"})


def test_parameters_of_a_tied_head_are_its_owner_s() -> None:
    tasks = TASKS | {"d": {"type": "binary", "head": "b"}}
    graph = {"receives": {"c": {"b": "pass"}}}
    by_owner, by_other = (make(graph | {"constants": {"c": [f"heads.{t}"]}}, tasks=tasks) for t in ("b", "d"))
    one, other = gradients(by_owner)["c"], gradients(by_other)["c"]
    assert all(torch.equal(one[name], other[name]) for name in one)
    assert not any(g.any() for n, g in other.items() if n.startswith("heads.b"))


def test_a_gate_of_a_head_s_owner_is_not_shared() -> None:
    tasks = TASKS | {"d": {"type": "binary", "head": "b"}}
    stack = make({}, "mmoe", tasks)
    shared = PerTaskBackward(stack.network, stack.step.flat).shared
    columns = dict(zip(stack.step.flat.names, shared.split(stack.step.flat.sizes[: shared.shape[1]], 1), strict=False))
    gates = [value for name, value in columns.items() if "gate" in name]
    assert gates and not any(value.any() for value in gates)


def test_an_inner_layer_of_a_group_cannot_be_held() -> None:
    with pytest.raises(RequestError, match=r"^graph.constants.a: found layer1, and with sharing=groups"):
        make_config(
            sharing={"name": "groups", "groups": [["a", "b"]]},
            model={"hidden": [4, 4]},
            graph={"constants": {"a": ["layer1"]}},
        )


@pytest.mark.parametrize("sharing", ["mmoe", "cgc", "ple"])
def test_what_a_mixture_reads_on_the_way_cannot_be_held(sharing: str) -> None:
    with pytest.raises(RequestError, match=r"^graph.constants.a: found layer1, and with sharing="):
        make({"constants": {"a": ["layer1"]}}, sharing)
    free, held = make({}, sharing), make({"constants": {"a": ["layer2"]}}, sharing)
    assert any(g.any() for n, g in gradients(free)["a"].items() if n.startswith("trunk"))
    assert not any(g.any() for n, g in gradients(held)["a"].items() if n.startswith("trunk"))


def test_what_is_held_without_effect_is_told() -> None:
    config = make_config(TASKS, graph=CHAIN | {"constants": {"c": ["a"]}}, only=["a", "c"])  # a reached it through b
    assert config.notes[-1] == (
        "graph.constants.c: without effect, as the estimate of a does not reach c among the tasks of `only`"
    )
    own = {"a": ["heads.a"], "b": ["heads.a"]}
    config = make_config(TASKS, graph={"constants": own})
    assert config.notes == (
        "graph.constants.a: heads.a is the head of a itself, and no other loss moves it: it stays as it begins",
    )
    assert make_config(TASKS, graph={"constants": own, "receives": {"b": {"a": "pass"}}}).notes == config.notes
    assert make_config(TASKS, graph={"constants": {"a": ["heads.a"]}, "receives": {"b": {"a": "pass"}}}).notes == ()
    tied = TASKS | {"d": {"type": "regression", "head": "a"}}
    assert make_config(tied, graph={"constants": {"d": ["heads.d"]}}).notes == ()  # a's loss moves it
    stack = make_stack([config])
    before = [p.detach().clone() for p in stack.network.task_parameters("a")]
    train_steps(stack, 3)
    assert all(torch.equal(p, b) for p, b in zip(stack.network.task_parameters("a"), before, strict=True)) and before


def test_the_rate_of_a_head_that_another_task_has_is_told() -> None:
    tasks = TASKS | {"d": {"type": "binary", "head": "b"}}
    lr = {"name": "per_head", "heads": {"default": "3x", "d": 0.1, "b": 0.2}}
    said = "lr.heads.d: without effect, as d has b's head and its rate"
    assert make_config(tasks, lr=lr).notes == (said,)
    assert said not in make_config(tasks, lr=lr, only=["a", "d"]).notes  # then the head is its own
