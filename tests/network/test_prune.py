"""A network with some of its heads: the same outputs from fewer parameters."""

import dataclasses

import pytest
import torch

from mtlrun.network.prune import pruned, without_discarded
from mtlrun.util.errors import RequestError
from tests.support import make_config, make_stack, train_steps

TASKS = {
    "a": {"type": "categorical"},
    "b": {"type": "categorical", "role": "auxiliary"},
    "c": {"type": "regression"},
    "d": {"type": "regression", "role": "auxiliary"},
    "e": {"type": "binary"},
}


@pytest.mark.parametrize(
    ("tasks", "heads"),
    [
        (["a"], {"a"}),
        (["b"], {"b"}),
        (["c"], {"b", "c"}),
        (["e", "d"], {"d", "e"}),
        (["a", "c"], {"a", "b", "c"}),
    ],
)
def test_outputs_are_those_of_the_whole_network_in_every_run(tasks: list[str], heads: set[str]) -> None:
    graph = {"receives": {"c": {"b": "stop"}, "d": {"trunk": {"at": 1, "gradient": "reverse"}}}}
    configs = [
        make_config(TASKS, seed=s, graph=graph, data={"path": "m", "standardize_targets": False}) for s in (0, 1)
    ]
    stack = make_stack(configs, classes={"a": 3, "b": 5})
    train_steps(stack, 3)
    whole = stack.network
    part = pruned(whole, configs[0], stack.specs, tasks)
    assert set(part.tasks) == heads and part.tasks == [t for t in whole.tasks if t in heads]
    x = torch.randn(2, 9, whole.encoder.width, generator=torch.Generator().manual_seed(0))
    ours, theirs = part(x), whole(x)
    for task in part.tasks:
        (block, i), (other, j) = part.place[task], whole.place[task]
        k = block.specs[i].outputs
        own = ours[part.blocks.index(block)][:, :, i, :k]
        torch.testing.assert_close(own, theirs[whole.blocks.index(other)][:, :, j, :k], rtol=1e-5, atol=1e-6)
        assert not torch.equal(own[0], own[1])
    count = {task: sum(p[0].numel() for p in part.task_parameters(task)) for task in heads}
    assert sum(p[0].numel() for p in part.heads.parameters()) == sum(count.values())


def test_what_of_a_graph_is_needed() -> None:
    config = make_config(TASKS, graph={"receives": {"c": {"b": "stop"}, "b": {"a": "pass"}, "e": {"d": 1}}})
    graph = config.task_graph
    part = graph.needed_by(["b", "e"])
    assert part.tasks == ("a", "b", "d", "e") and part.levels == (("a", "d"), ("b", "e"))
    assert [(e.source, e.task) for e in part.edges] == [("a", "b"), ("d", "e")] and set(part.trunk) == set(part.tasks)
    assert graph.needed_by(config.active) == graph


def test_nothing_is_built_anew_where_nothing_is_discarded() -> None:
    config = make_config(TASKS)
    stack = make_stack([config])
    assert without_discarded(stack.network, config, stack.specs) is stack.network
    of_b = dataclasses.replace(config.tasks["b"], discard=True)
    config = dataclasses.replace(config, tasks=config.tasks | {"b": of_b})
    assert without_discarded(stack.network, config, stack.specs).tasks == ["a", "c", "d", "e"]


def test_a_head_that_another_task_has_leaves_with_it() -> None:
    tasks = {
        "a": {"type": "regression"},
        "b": {"type": "binary", "role": "auxiliary"},
        "c": {"type": "binary", "head": "b"},
    }
    config = make_config(tasks)
    stack = make_stack([config])
    small = pruned(stack.network, config, stack.specs, ["c"])
    assert set(small.tasks) == {"b", "c"}
    x = torch.randn(1, 9, 4)
    whole, own = stack.network(x), small(x)
    at, to = (n.blocks.index(n.place["c"][0]) for n in (stack.network, small))
    torch.testing.assert_close(own[to], whole[at])
    with pytest.raises(RequestError, match=r"^tasks.b.discard: c has its head, also when the run predicts"):
        make_config(tasks | {"b": {"type": "binary", "role": "auxiliary", "discard": True}})
