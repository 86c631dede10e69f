"""Edges from the configuration: what they become, what is refused, how they are drawn."""

from itertools import pairwise
from typing import Any

import pytest
from support import make_config

from mtlrun.config.graph import Graph
from mtlrun.config.schema import GROUPS, ReverseConfig, TaskConfig
from mtlrun.config.schema.edge_parser import parse_graph
from mtlrun.util.errors import RequestError

TASKS = {name: TaskConfig() for name in ("price", "kind", "sold", "site")}


def parse(
    receives: dict[str, Any] | None = None,
    only: tuple[str, ...] = tuple(TASKS),
    depth: int = 2,
    name: str = "none",
    tasks: dict[str, TaskConfig] = TASKS,
    **settings: Any,
) -> Graph:
    active = {t: c for t, c in tasks.items() if t in only}
    return parse_graph(GROUPS["graph"][name](receives=receives or {}, **settings), tasks, active, depth)


def edges(graph: Graph) -> list[tuple[str, str, float, str]]:
    return [(e.source, e.task, e.gradient.scale, e.what) for e in graph.edges]


def refusal(*args: Any, **kwargs: Any) -> list[str]:
    with pytest.raises(RequestError) as caught:
        parse(*args, **kwargs)
    lines = str(caught.value).splitlines()
    assert len(lines) == 2
    return lines


def test_without_edges_every_task_reads_the_last_layer() -> None:
    graph = parse()
    assert graph.edges == () and graph.notes == ()
    assert graph.levels == (("price", "kind", "sold", "site"),)
    assert {t: (e.at, e.gradient.scale, e.explicit) for t, e in graph.trunk.items()} == dict.fromkeys(
        TASKS, (2, 1.0, False)
    )


def test_an_edge_is_a_gradient_or_a_mapping() -> None:
    graph = parse(
        {"price": {"kind": "pass", "sold": {"gradient": -0.5, "what": "logits"}, "site": {"what": "label"}}},
        gradient=0.25,
    )
    expected = [
        ("kind", "price", 1.0, "prediction"),
        ("sold", "price", -0.5, "logits"),
        ("site", "price", 0.25, "label"),
    ]
    assert edges(graph) == expected
    assert graph.into("price") == graph.edges and graph.into("kind") == ()
    assert graph.levels == (("kind", "sold", "site"), ("price",))


@pytest.mark.parametrize(
    "value, scale, word",
    [
        ("stop", 0.0, "stop"),
        (0, 0.0, "stop"),
        ("pass", 1.0, "pass"),
        (1, 1.0, "pass"),
        (0.5, 0.5, "0.5"),
        ("1e-3", 0.001, "0.001"),
        (-2, -2.0, "-2"),
        ("reverse", -0.3, "reverse 0.3"),
    ],
)
def test_gradients(value: Any, scale: float, word: str) -> None:
    graph = parse({"price": {"kind": value}}, reverse=ReverseConfig(strength=0.3))
    assert (graph.edges[0].gradient.scale, graph.edges[0].gradient.word) == (scale, word)
    assert not graph.edges[0].gradient.ramped
    trunk = parse({"price": {"trunk": value}}, reverse=ReverseConfig(strength=0.3)).trunk["price"]
    assert (trunk.gradient.scale, trunk.at, trunk.explicit) == (scale, 2, True)


def test_a_ramp_belongs_to_reversed_edges_only() -> None:
    graph = parse(
        {"price": {"kind": "reverse", "sold": -1}, "site": {"trunk": "reverse"}},
        reverse=ReverseConfig(strength=2, schedule="ramp"),
    )
    assert [(e.gradient.scale, e.gradient.ramped) for e in graph.edges] == [(-2.0, True), (-1.0, False)]
    assert graph.trunk["site"].gradient.ramped and graph.trunk["site"].gradient.word == "reverse 2 ramped"


@pytest.mark.parametrize("at, layer", [(1, 1), (3, 3), ("layer2", 2)])
def test_a_head_reads_an_earlier_layer(at: Any, layer: int) -> None:
    edge = parse({"kind": {"trunk": {"at": at}}}, depth=3).trunk["kind"]
    assert (edge.at, edge.gradient.scale, edge.explicit) == (layer, 1.0, True)


def test_adversarial_tasks_reverse_their_edge_from_the_trunk() -> None:
    tasks = TASKS | {"site": TaskConfig(role="adversarial")}
    assert parse(tasks=tasks).trunk["site"].gradient.scale == -1.0
    moved = parse({"site": {"trunk": {"at": 1}}}, tasks=tasks).trunk["site"]
    assert (moved.at, moved.gradient.scale) == (1, -1.0)
    assert parse({"site": {"trunk": "pass"}}, tasks=tasks).trunk["site"].gradient.scale == 1.0
    assert parse({"site": {"trunk": {"at": 1, "gradient": 0.5}}}, tasks=tasks).trunk["site"].gradient.scale == 0.5


def test_chain_gives_each_task_all_before_it() -> None:
    graph = parse(name="chain", gradient="pass", what="embedding", only=("price", "kind", "sold"))
    pairs = [("price", "kind"), ("price", "sold"), ("kind", "sold")]
    assert edges(graph) == [(a, b, 1.0, "embedding") for a, b in pairs]
    assert graph.levels == (("price",), ("kind",), ("sold",)) and graph.notes == ()


def test_edges_of_a_chain_can_be_changed_and_removed() -> None:
    graph = parse(
        {"sold": {"price": None, "kind": {"gradient": "pass", "what": "logits"}}, "site": None},
        name="chain",
        only=("price", "kind", "sold"),
    )
    assert edges(graph) == [("price", "kind", 0.0, "prediction"), ("kind", "sold", 1.0, "logits")]


def test_edges_of_absent_tasks_are_left_out_with_a_note() -> None:
    receives = {"price": {"kind": "stop", "sold": "pass"}, "site": {"price": "stop"}, "kind": {"trunk": {"at": 1}}}
    graph = parse(receives, only=("price", "kind"))
    assert edges(graph) == [("kind", "price", 0.0, "prediction")]
    assert graph.trunk["kind"].at == 1 and set(graph.trunk) == {"price", "kind"}
    assert graph.notes == (
        "graph.receives.price: edges left out, as `only` leaves out sold",
        "graph.receives.site: edges left out, as `only` leaves out site",
    )
    assert parse(receives).notes == ()


def test_levels_put_sources_before_receivers_whatever_the_order_of_tasks() -> None:
    graph = parse({"price": {"site": "stop"}, "site": {"sold": "stop"}, "kind": {"sold": "stop"}})
    assert graph.levels == (("sold",), ("kind", "site"), ("price",))


@pytest.mark.parametrize(
    "receives, key, found, hint",
    [
        ({"prise": {"kind": "stop"}}, "graph.receives.prise", "'prise'", "did you mean price?"),
        ({"price": {"kin": "stop"}}, "graph.receives.price.kin", "'kin'", "did you mean kind?"),
        (
            {"price": {"price": "stop"}},
            "graph.receives.price.price",
            "itself",
            "remove it: '~graph.receives.price.price'",
        ),
        ({"price": "kind"}, "graph.receives.price", "'kind'", "allowed: a mapping"),
        ({"price": {"kind": "sotp"}}, "graph.receives.price.kind", "'sotp'", "did you mean stop?"),
        ({"price": {"kind": True}}, "graph.receives.price.kind", "True", "allowed: stop, pass, reverse or a number"),
        ({"price": {"kind": "inf"}}, "graph.receives.price.kind", "'inf'", "allowed: stop, pass, reverse or a number"),
        (
            {"price": {"kind": {"gradent": 1}}},
            "graph.receives.price.kind.gradent",
            "no such key",
            "did you mean gradient?",
        ),
        ({"price": {"kind": {"at": 1}}}, "graph.receives.price.kind.at", "no such key", "allowed: gradient, what"),
        (
            {"price": {"trunk": {"what": "x"}}},
            "graph.receives.price.trunk.what",
            "no such key",
            "allowed: gradient, at",
        ),
        ({"price": {"kind": {"what": "logit"}}}, "graph.receives.price.kind.what", "'logit'", "did you mean logits?"),
        ({"price": {"kind": {"gradient": "revers"}}}, "graph.receives.price.kind", "'revers'", "did you mean reverse?"),
        ({"price": {"trunk": {"at": 3}}}, "graph.receives.price.trunk.at", "3", "allowed: 1 to 2, or layer1, layer2"),
        ({"price": {"trunk": {"at": 0}}}, "graph.receives.price.trunk.at", "0", "allowed: 1 to 2"),
        ({"price": {"trunk": {"at": "first"}}}, "graph.receives.price.trunk.at", "'first'", "layer1, layer2"),
        ({"price": {"trunk": {"at": [1]}}}, "graph.receives.price.trunk.at", "[1]", "layer1, layer2"),
        ({"price": {"trunk": {"at": True}}}, "graph.receives.price.trunk.at", "True", "layer1, layer2"),
    ],
)
def test_wrong_edges_are_refused_with_their_key(receives: dict[str, Any], key: str, found: str, hint: str) -> None:
    lines = refusal(receives)
    assert lines[0].startswith(f"{key}: ") and found in lines[0]
    assert hint in "\n".join(lines)


@pytest.mark.parametrize("name", ["none", "chain"])
def test_a_wrong_default_gradient_is_refused_under_its_own_key(name: str) -> None:
    lines = refusal({"price": {"kind": {"what": "logits"}}} if name == "none" else {}, name=name, gradient="pas")
    assert lines[0] == "graph.gradient: gradient 'pas'; did you mean pass?"


def test_edges_of_tasks_that_are_not_trained_are_checked_too() -> None:
    assert refusal({"site": {"prise": "stop"}}, only=("price",))[0].startswith("graph.receives.site.prise: ")


@pytest.mark.parametrize(
    "receives, cycle",
    [
        ({"price": {"kind": "stop"}, "kind": {"price": "stop"}}, ("price", "kind")),
        (
            {"price": {"kind": "stop"}, "kind": {"sold": "stop"}, "sold": {"price": "stop"}, "site": {"price": "stop"}},
            ("price", "sold", "kind"),
        ),
        ({"price": {"kind": "stop"}, "kind": {"sold": "stop"}, "sold": {"kind": "stop"}}, ("kind", "sold")),
    ],
)
def test_cycles_are_named_in_the_direction_of_their_edges(receives: dict[str, Any], cycle: tuple[str, ...]) -> None:
    line = refusal(receives)[0]
    named = line.removeprefix("graph.receives: a cycle: ").split(" -> ")
    assert named[0] == named[-1] and set(named) == set(cycle) and len(named) == len(cycle) + 1
    assert all(source in receives[receiver] for source, receiver in pairwise(named))


def test_an_embedding_of_a_linear_head_is_refused() -> None:
    graph = {"receives": {"b": {"a": {"what": "embedding"}}}}
    with pytest.raises(RequestError, match=r"heads have no hidden layer\nset model.head_hidden=\[64\], or what=logits"):
        make_config(graph=graph, model={"head_hidden": []})
    make_config(graph=graph)


def test_the_drawing_has_every_edge() -> None:
    receives = {
        "price": {"kind": "stop", "sold": {"gradient": 0.5, "what": "logits"}},
        "kind": {"trunk": {"at": 1}},
        "site": {"trunk": "reverse"},
    }
    assert parse(receives).draw().splitlines() == [
        "inputs -> layer1 -> layer2",
        "layer2 -> price, sold",
        "layer2 =reverse 1=> site",
        "layer1 -> kind",
        "kind =stop=> price  (prediction)",
        "sold =0.5=> price  (logits)",
    ]
    assert parse(depth=0).draw().splitlines() == ["inputs", "inputs -> price, kind, sold, site"]
