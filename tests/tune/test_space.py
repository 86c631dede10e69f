"""What a search tries."""

from collections.abc import Sequence

import pytest

from mtlrun.compose import compose, single
from mtlrun.compose.overrides import full_key, parse
from mtlrun.tune.space import Dimension, space_of
from mtlrun.tune.tune_words import take_settings
from mtlrun.util.errors import RequestError


def space(*words: str, groups: Sequence[str] = ()) -> dict[str, Dimension]:
    settings, rest = take_settings(words)
    config = single(compose(rest))
    found = space_of(config, [full_key(parse(word)) for word in rest], settings, groups)
    return {dimension.key: dimension for dimension in found}


def test_every_default_is_in_the_space() -> None:
    found = space("optimizer=adamw")
    assert {"loss", "lr", "sharing", "graph", "model.hidden", "model.dropout", "lr.base"} <= found.keys()
    assert all(d.default is not None for d in found.values() if d.when is None)
    for key, default in (("loss", "sum"), ("model.hidden", "[64,64]"), ("lr.base", "0.001"), ("graph", "none")):
        assert found[key].default == default


def test_options_come_before_their_settings() -> None:
    keys = [*space()]
    assert keys.index("loss") < keys.index("loss.weights.price")
    assert keys.index("graph") < keys.index("graph.gradient")


def test_runs_that_differ_in_a_shape_cannot_share_a_stack() -> None:
    found = space(groups=["[[price,cut],[color,clarity]]"])
    shapes = {key for key, dimension in found.items() if dimension.shape}
    assert {"model.hidden", "model.dropout", "sharing", "sharing.groups", "graph"} <= shapes
    assert not shapes & {"loss", "lr", "lr.base", "optimizer.weight_decay", "loss.weights.price", "graph.gradient"}


def test_what_the_user_sets_is_not_searched() -> None:
    assert "lr.base" not in space("lr.base=0.01")
    assert not {"loss", "loss.weights.price"} & space("loss=uncertainty").keys()
    assert "loss" not in space("loss.weights.price=0.1")
    assert "model.hidden" in space("model=mlp")
    assert not [key for key in space("tune.fixed=[model]") if key.startswith("model.")]
    assert not {"graph", "graph.gradient"} & space("graph.receives.price.cut=stop").keys()
    assert not {"loss", "sharing", "graph", "lr"} & space("only=[price]").keys()


def test_a_space_of_the_users_replaces_the_default() -> None:
    found = space(
        "tune.space.lr.base=tag(log,interval(1e-4,1e-1))", "tune.space.trainer.clip=1,10", "tune.fixed=[graph]"
    )
    assert (found["lr.base"].low, found["lr.base"].high, found["lr.base"].log) == (1e-4, 1e-1, True)
    assert found["trainer.clip"].values == ("1", "10")
    assert "graph.gradient" not in found


@pytest.mark.parametrize(
    ("word", "said"),
    [
        ("tune.fixed=[modle]", "did you mean model?"),
        ("tune.space.lr.base=0.1", "tune.space.lr.base: found 0.1"),
        ("tune.space.lr.base=interval(1,0)", "LOW below HIGH"),
        ("tune.space.lr.base=((", "tune.space.lr.base: found (("),
    ],
)
def test_a_wrong_space_is_named(word: str, said: str) -> None:
    with pytest.raises(RequestError) as error:
        space(word)
    assert said in str(error.value)


def test_long_values_are_cut_where_they_are_printed() -> None:
    names = ",".join(f"task{i}" for i in range(60))
    words = Dimension("sharing.groups", (f"[[{names}]]", "[[a,b],[c]]"), when=("sharing", "groups")).in_words()
    assert words.startswith("[[task0,task1,") and "…, [[a,b],[c]]  (with sharing=groups)" in words and len(words) < 130
