"""Trials: the default comes first, draws fill the space evenly and keep when more are asked for; what is allowed."""

import math
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import qmc

from mtlrun.compose import PlannedRun, checked_config, compose, planned_runs, single
from mtlrun.compose.overrides import parse
from mtlrun.compose.trials import check_range, drawn, draws
from mtlrun.config.schema import as_mapping
from mtlrun.util.errors import RequestError

RATE = "lr.base=tag(log,interval(1e-4,1e-1))"


def found(*overrides: str) -> list[PlannedRun]:
    return planned_runs(compose(["data=houses", *overrides], multirun=True))


def refused(*overrides: str, multirun: bool = True) -> str:
    with pytest.raises(RequestError) as caught:
        planned_runs(compose(["data=houses", *overrides], multirun=multirun))
    message = str(caught.value)
    assert 1 <= len(message.splitlines()) <= 2
    return message


def values(line: str, count: int) -> list[float]:
    override = parse(line)
    check_range(override)
    return [float(drawn(override, u["a"]).partition("=")[2]) for u in draws(["a"], count)]


# ---------------------------------------------------------------- draws

finite = st.floats(-1e9, 1e9)


@settings(deadline=None)
@given(finite, finite)
def test_values_lie_in_the_range_with_six_digits(low: float, high: float) -> None:
    if not low < high:
        return
    for line in values(f"lr.base=interval({low!r},{high!r})", 20):
        assert low <= line <= high
        assert line in (low, high) or line == float(f"{line:.6g}")


@settings(deadline=None)
@given(st.floats(1e-9, 1e9), st.floats(1.001, 1e6))
def test_logarithmic_values_lie_in_the_range(low: float, ratio: float) -> None:
    assert all(
        low <= value <= low * ratio for value in values(f"lr.base=tag(log,interval({low!r},{low * ratio!r}))", 20)
    )


@settings(deadline=None)
@given(st.integers(-1000, 1000), st.integers(1, 10))
def test_whole_numbers_reach_both_ends_and_nothing_else(low: int, width: int) -> None:
    line = f"trainer.batch_size=int(interval({low},{low + width}))"
    assert {int(value) for value in values(line, 400)} == set(range(low, low + width + 1))
    assert drawn(parse(line), 0.5).partition("=")[2].lstrip("-").isdigit()


def test_logarithmic_draws_are_uniform_in_decades() -> None:
    flat, steep = np.array(values("lr.base=interval(0,1)", 100)), (np.log10(values(RATE, 100)) + 4) / 3
    np.testing.assert_allclose(steep, flat, atol=1e-5)
    whole = np.array(values("lr.base=tag(log,int(interval(1,999)))", 400))
    assert np.abs([(whole < edge).mean() - 1 / 3 * i for i, edge in [(1, 10), (2, 100)]]).max() < 0.03


@pytest.mark.parametrize(("keys", "count"), [(1, 7), (2, 15), (4, 15), (6, 63), (10, 63)])
def test_draws_fill_the_space_more_evenly_than_random_ones(keys: int, count: int) -> None:
    points = np.array([[*each.values()] for each in draws([f"k{i}" for i in range(keys)], count)])
    random = [qmc.discrepancy(np.random.default_rng(i).random(points.shape)) for i in range(40)]
    assert points.min() >= 0 and points.max() < 1
    assert qmc.discrepancy(points) < np.quantile(random, 0.1)
    together = np.abs(np.corrcoef(points.T) - np.eye(keys)) if keys > 1 else np.zeros(1)
    assert together.max() < 2.6 / math.sqrt(count)


def test_a_draw_is_what_it_was_in_every_version() -> None:
    first = [drawn(parse(RATE), u["a"]) for u in draws(["a"], 3)]
    assert first == ["lr.base=0.0132335", "lr.base=0.00041848", "lr.base=0.0744174"]


def test_more_draws_and_more_keys_keep_the_others() -> None:
    few, many = draws(["a", "b"], 5), draws(["a", "b", "c"], 20)
    assert [{"a": u["a"], "b": u["b"]} for u in many[:5]] == few
    assert draws(["a"], 0) == draws([], 3) == []


def test_a_choice_draws_each_of_its_values_as_often() -> None:
    override = parse("model.embedding=choice(none,piecewise,periodic)")
    lines = [drawn(override, u["a"]) for u in draws(["a"], 30)]
    assert {line: lines.count(line) for line in lines} == {
        f"model.embedding={value}": 10 for value in ("none", "piecewise", "periodic")
    }


# ---------------------------------------------------------------- runs


def test_trials_vary_slower_than_common_sweeps_and_every_seed_sees_the_same() -> None:
    words = [RATE, "model.dropout=interval(0,0.5)", "seed=range(3)", "loss=sum,uncertainty", "trials=4"]
    runs = found(*words)
    assert len(runs) == 4 * 3 * 2
    drawn_values = [(run.config.lr.base, run.config.model.dropout) for run in runs]
    assert len(set(drawn_values)) == 4 and all(drawn_values[i] == drawn_values[i - i % 6] for i in range(24))
    assert [(run.config.seed, run.config.loss.name) for run in runs[:3]] == [(0, "sum"), (0, "uncertainty"), (1, "sum")]
    assert runs[0].run == "000_lr.base=0.001,model.dropout=0.0,seed=0,loss=sum"  # the default
    assert runs[6].run == "006_lr.base=0.0132335,model.dropout=0.23454,seed=0,loss=sum"
    assert list(runs[0].overrides) == ["data", "lr.base", "model.dropout", "seed", "loss"]
    request = compose(["data=houses", *words], multirun=True)
    for run in runs[::5]:
        by_hydra = request.loader.load_sweep_config(request.cfg, list(run.arguments))
        assert as_mapping(checked_config(by_hydra, by_hydra)) == as_mapping(run.config)


def test_more_trials_keep_the_first_ones() -> None:
    few, many = found(RATE, "trials=3"), found(RATE, "trials=8", "model.dropout=interval(0,0.5)")
    assert [run.config.lr.base for run in many[:3]] == [run.config.lr.base for run in few]


def test_arms_are_paired_and_only_those_with_a_range_have_trials() -> None:
    arms = 'arms=[{loss: sum},{loss: uncertainty, loss.lr: "interval(0.01,0.1)"},{lr.base: 0.5}]'
    runs = found(arms, RATE, "trials=5", "seed=0,1")
    assert [run.config.loss.name for run in runs] == ["sum"] * 10 + ["uncertainty"] * 10 + ["sum"] * 2
    assert [run.config.lr.base for run in runs[:10]] == [run.config.lr.base for run in runs[10:20]]
    assert {run.config.lr.base for run in runs[20:]} == {0.5}
    assert runs[10].run == "010_loss=uncertainty,loss.lr=0.025,lr.base=0.001,seed=0"
    assert runs[12].run == "012_loss=uncertainty,loss.lr=0.0522172,lr.base=0.0132335,seed=0"


def test_the_default_comes_first_for_every_crossed_value() -> None:
    words = ["model=mlp,tabm", "model.dropout=choice(0.2,0.4)", "lr=choice(single,per_head)", "trials=3"]
    runs = found(*words)
    for run, option in zip(runs[:2], ("mlp", "tabm"), strict=True):
        default = single(compose(["data=houses", f"model={option}"]))
        assert as_mapping(run.config) == as_mapping(default), "the default, though 0.2 and 0.4 are not"
        assert run.overrides["lr"] == "single" and run.drawn == ("model.dropout", "lr")
        assert float(run.overrides["model.dropout"]) == default.model.dropout
    assert {run.config.model.dropout for run in runs[2:]} <= {0.2, 0.4}


def test_a_key_without_a_default_is_left_out_of_the_first_trial() -> None:
    runs = found("lr=per_head", "lr.heads.price=choice(0.1x,10x)", "trials=3")
    assert "lr.heads.price" not in runs[0].overrides and runs[1].overrides["lr.heads.price"] in ("0.1x", "10x")


def test_lists_are_crossed_with_trials_and_choices_are_drawn() -> None:
    runs = found(RATE, "loss=choice(sum,uncertainty)", "seed=0,1", "trials=9")
    assert len(runs) == 18 and {run.config.loss.name for run in runs} == {"sum", "uncertainty"}
    crossed = found("loss=choice(sum,uncertainty)", "seed=0,1")
    assert [run.run for run in crossed] == [run.run for run in found("loss=sum,uncertainty", "seed=0,1")]
    arm = 'arms=[{loss: "choice(sum,uncertainty)", seed: "0,1"}]'
    assert len(found(arm)) == 4 and len(found(arm, RATE, "trials=3")) == 6


def test_an_experiment_may_set_trials_and_its_ranges() -> None:
    Path("conf/experiment/x.yaml").write_text(
        "# @package _global_\ndefaults: [override /data: houses]\ntrials: 3\nhydra: {mode: MULTIRUN, "
        "sweeper: {params: {lr.base: 'tag(log,interval(1e-4,1e-1))', seed: '0,1'}}}\n"
    )
    request = compose(["experiment=x"])
    runs = planned_runs(request)
    assert [run.run for run in runs[:3]] == [
        "000_lr.base=0.001,seed=0",
        "001_lr.base=0.001,seed=1",
        "002_lr.base=0.0132335,seed=0",
    ]
    by_hydra = request.loader.load_sweep_config(request.cfg, list(runs[5].arguments))
    assert by_hydra.trials == 3 and as_mapping(checked_config(by_hydra, by_hydra)) == as_mapping(runs[5].config)
    assert len(planned_runs(compose(["experiment=x", "trials=5"]))) == 10
    assert len(planned_runs(compose(["experiment=x", "trials=null", "lr.base=0.1"]))) == 2


def test_whole_numbers_that_are_drawn_twice_train_once() -> None:
    request = compose(["data=houses", "trials=20", "trainer.batch_size=int(interval(8,10))"], multirun=True)
    assert sorted(run.config.trainer.batch_size for run in planned_runs(request)) == [8, 9, 10, 256]
    assert request.notes == ["16 runs left out: the same settings as another run"]


# ---------------------------------------------------------------- wrong requests

WRONG = [
    ([RATE], "lr.base: found tag(log,interval(1e-4,1e-1)), a range without end\nadd trials=16 to draw from it"),
    (['arms=[{loss: sum},{lr.base: "interval(0,1)"}]'], "lr.base: found interval(0,1), a range without end\n"),
    (['arms=[{loss: sum},{lr.base: "interval(0,1)"}]'], "with commas between (in arms[1])"),
    (["trials=16"], "trials: found 16, and no range or choice(...) to draw from\nadd one, such as '"),
    (["trials=16", "loss=sum,fixed"], "trials: found 16, and no range or choice(...) to draw from\n"),
    (
        ["trials=2", 'arms=[{data: "choice(houses,barns)"}]'],
        "data: found choice(houses,barns)\na trial has the same data",
    ),
    (["trials=0", RATE], "trials: found 0\nallowed: a whole number of at least 1, such as trials=16"),
    (["trials=-3", RATE], "trials: found -3\n"),
    (["trials=1.5", RATE], "trials: found 1.5\n"),
    (["trials=true", RATE], "trials: found True\n"),
    (["trials=many", RATE], "trials: found 'many'\n"),
    (["trials=[1,2]", RATE], "trials: found [1, 2]\n"),
    (["trials=1,2", RATE], "trials: found 1,2, which is a sweep itself\nallowed: a whole number"),
    (["trials.a=1", RATE], "trials.a: no such key\nset trials as a whole: a whole number"),
    (["trials=2", "lr.base=tag(lin,interval(1,2))"], "found tag(lin,interval(1,2))\nallowed: the tag log, or none"),
    (["trials=2", "lr.base=tag(a,log,interval(1,2))"], "\nallowed: the tag log, or none"),
    (["trials=2", "lr.base=tag(log,interval(0,1))"], "allowed with the tag log: bounds above 0"),
    (["trials=2", "lr.base=tag(log,interval(-1,1))"], "allowed with the tag log: bounds above 0"),
    (["trials=2", "lr.base=interval(2,1)"], "lr.base: found interval(2,1)\nallowed: interval(LOW,HIGH) with LOW below"),
    (["trials=2", "lr.base=interval(1,1)"], "both finite"),
    (["trials=2", "lr.base=interval(0,inf)"], "both finite"),
    (["trials=2", "lr.base=interval(nan,1)"], "both finite"),
    (["trials=2", "seed=int(interval(0.2,0.8))"], "seed: found int(interval(0.2,0.8))\nallowed: interval(LOW,HIGH)"),
    (["trials=2", 'arms=[{lr.base: "interval(2,1)"}]'], "both finite (in arms[0])"),
    (["trials=2", "model=interval(0,1)"], "model: found interval(0,1)\nallowed: boosting, mlp, point, tabm, tabular"),
    (["trials=2", "seed=interval(0,9)"], "seed: found "),
]


@pytest.mark.parametrize(("words", "answer"), WRONG)
def test_trials_that_cannot_be_drawn(words: list[str], answer: str) -> None:
    assert answer in refused(*words)


def test_a_range_without_m_asks_for_it() -> None:
    answer = refused(RATE, "trials=3", multirun=False)
    assert answer.startswith("lr.base: found tag(log,interval(1e-4,1e-1)), which is a sweep\nadd -m ")
    assert "trials=16" in answer


@pytest.mark.parametrize(
    "words",
    [
        ["seed=range(1000000000)"],
        ["seed=range(1000)", "lr.base=range(1,1000)"],
        ["trials=100000", "lr.base=interval(0.001,0.01)"],
        ["seed=range(0,1e9,0.5)", "loss=sum,fixed"],
    ],
)
def test_a_sweep_without_measure_is_answered_at_once(words: list[str]) -> None:
    with pytest.raises(RequestError, match=r"this sweep has [\d,]+ runs\nallowed: at most 20,000"):
        planned_runs(compose(words, multirun=True))
