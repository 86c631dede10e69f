"""Sweeps that are unions: the runs of each arm, their order, names and overrides, and what an arm may not hold."""

import csv
import itertools
import json
import re
import shlex
from pathlib import Path

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mtlrun.cli.main import main
from mtlrun.compose import PlannedRun, checked_config, compose, planned_runs, single
from mtlrun.config.schema import PerHeadLrConfig, as_mapping, config_hash
from mtlrun.config.schema.loss import FixedLossConfig
from mtlrun.util.errors import RequestError

THREE = 'arms=[{loss: sum},{loss: fixed, loss.weights.price: "0.1,1,10"},{loss: uncertainty, loss.lr: "0.01,0.1"}]'
EXPERIMENT = "# @package _global_\ndefaults: [override /data: houses]\nhydra: {mode: MULTIRUN}\n"


def found(*overrides: str) -> list[PlannedRun]:
    return planned_runs(compose(["data=houses", *overrides], multirun=True))


def experiment(text: str, *overrides: str) -> list[PlannedRun]:
    """The runs of an experiment from a YAML of the working directory, without -m."""
    Path("conf/experiment/x.yaml").write_text(EXPERIMENT + text)
    request = compose(["experiment=x", *overrides])
    assert request.sweep
    return planned_runs(request)


def refused(*overrides: str, multirun: bool = True) -> str:
    with pytest.raises(RequestError) as caught:
        request = compose(["data=houses", *overrides], multirun=multirun)
        planned_runs(request) if request.sweep else single(request)
    message = str(caught.value)
    assert 1 <= len(message.splitlines()) <= 2
    return message


def as_hydra_composes(runs: list[PlannedRun], overrides: list[str], multirun: bool = True) -> None:
    """What a launcher makes of each run's arguments is what was checked; and it is no wrong request there."""
    request = compose(overrides, multirun=multirun)
    for run in runs:
        by_hydra = request.loader.load_sweep_config(request.cfg, list(run.arguments))
        assert as_mapping(checked_config(by_hydra, by_hydra)) == as_mapping(run.config)


# ---------------------------------------------------------------- runs


def test_arms_in_order_their_own_sweeps_outside_and_common_ones_inside() -> None:
    runs = found(THREE, "seed=range(2)")
    assert [run.run for run in runs] == [
        "000_loss=sum,seed=0",
        "001_loss=sum,seed=1",
        "002_loss=fixed,loss.weights.price=0.1,seed=0",
        "003_loss=fixed,loss.weights.price=0.1,seed=1",
        "004_loss=fixed,loss.weights.price=1,seed=0",
        "005_loss=fixed,loss.weights.price=1,seed=1",
        "006_loss=fixed,loss.weights.price=10,seed=0",
        "007_loss=fixed,loss.weights.price=10,seed=1",
        "008_loss=uncertainty,loss.lr=0.01,seed=0",
        "009_loss=uncertainty,loss.lr=0.01,seed=1",
        "010_loss=uncertainty,loss.lr=0.1,seed=0",
        "011_loss=uncertainty,loss.lr=0.1,seed=1",
    ]
    assert runs[5].arguments == ["data=houses", "seed=1", "loss=fixed", "loss.weights.price=1"]
    assert runs[5].overrides == {"loss": "fixed", "loss.weights.price": "1", "data": "houses", "seed": "1"}
    assert isinstance(runs[5].config.loss, FixedLossConfig) and runs[5].config.loss.weights == {"price": 1.0}
    as_hydra_composes(runs, ["data=houses", THREE, "seed=range(2)"])


def test_all_of_an_arm_s_own_keys_are_in_the_name_and_they_replace_common_ones() -> None:
    runs = found("arms=[{lr.base: 0.5},{seed: 3, lr: per_head}]", "lr.base=0.1,0.2", "+seed=1", "~tasks.kind.type")
    assert [run.run for run in runs] == [
        "000_lr.base=0.5",
        "001_seed=3,lr=per_head,lr.base=0.1",
        "002_seed=3,lr=per_head,lr.base=0.2",
    ]
    assert [(run.config.lr.base, run.config.seed) for run in runs] == [(0.5, 1), (0.1, 3), (0.2, 3)]
    assert isinstance(runs[1].config.lr, PerHeadLrConfig)


def test_an_arm_has_the_last_word_where_a_mapping_meets_a_key() -> None:
    (run,) = found("arms=[{model.hidden: [4]}]", "model={hidden:[8,8],dropout:0.5}")
    assert (run.config.model.hidden, run.config.model.dropout) == ([4], 0.5)


def test_values_of_every_kind() -> None:
    text = """arms:
  - only: '[price],[price,kind]'
    model.hidden: [8, 8]
    trainer.clip: null
    data.standardize_targets: false
    tasks.kind.where: "'a == 1'"
    tasks.price.target: the price
    data.inputs: [area, "1", "null", 'rooms, "all" of \\them']
    graph.receives: {price: {kind: stop}}
    data.split: {seed: "${seed}", train: 0.6}
    lr.base: 1e-3
    +loss: fixed
    ~tasks.price.type: null
"""
    runs = experiment(text, "seed=4,5")
    assert [(run.config.only, run.config.data.split.seed) for run in runs] == [
        (["price"], 4),
        (["price"], 5),
        (["price", "kind"], 4),
        (["price", "kind"], 5),
    ]
    config = runs[3].config
    assert config.model.hidden == [8, 8] and config.trainer.clip is None and not config.data.standardize_targets
    assert config.data.inputs == ["area", "1", "null", 'rooms, "all" of \\them']
    assert (config.tasks["kind"].where, config.tasks["price"].target) == ("a == 1", "the price")
    assert config.graph.receives == {"price": {"kind": "stop"}} and config.lr.base == 0.001
    assert isinstance(config.loss, FixedLossConfig) and config.tasks["price"].type is None
    as_hydra_composes(runs, ["experiment=x"], multirun=False)


def test_an_experiment_is_crossed_with_its_params_and_with_the_command_line() -> None:
    text = "arms: [{loss: sum}, {loss: fixed, loss.weights.price: '0.1,1'}]\n"
    params = "{seed: 'range(2)', lr.base: '${model.dropout}'}"
    Path("conf/experiment/x.yaml").write_text(
        EXPERIMENT.replace("MULTIRUN}", f"MULTIRUN, sweeper: {{params: {params}}}}}") + text
    )
    request = compose(["experiment=x", "model.dropout=0.25,0.5"])
    runs = planned_runs(request)
    assert len(runs) == 3 * 2 * 2
    assert runs[-1].run == "011_loss=fixed,loss.weights.price=1,seed=1,model.dropout=0.5"
    assert [run.config.lr.base for run in runs[:2]] == [0.25, 0.5]
    as_hydra_composes(runs, ["experiment=x", "model.dropout=0.25,0.5"], multirun=False)
    assert len(planned_runs(compose(["experiment=x", "arms=null"]))) == 2
    assert len(planned_runs(compose(["experiment=x", "arms=[{loss: sum}]"]))) == 2


def test_an_arm_may_choose_the_data_that_a_common_removal_is_about() -> None:
    runs = planned_runs(compose(["arms=[{data: houses},{data: barns}]", "~tasks.kind"], multirun=True))
    assert [list(run.config.tasks) for run in runs] == [["price"], ["price"]]
    assert refused("arms=[{data: houses},{data: diamonds}]", "~tasks.kind").endswith("(in arms[1]: 001_data=diamonds)")


def test_equal_runs_are_left_out_and_a_line_says_how_many() -> None:
    request = compose(["data=houses", "arms=[{loss: sum},{seed: 1},{loss: uncertainty}]", "seed=0,1"], multirun=True)
    runs = planned_runs(request)
    assert [run.run for run in runs] == [
        "000_loss=sum,seed=0",
        "001_loss=sum,seed=1",
        "002_loss=uncertainty,seed=0",
        "003_loss=uncertainty,seed=1",
    ]
    assert request.notes == ["1 run left out: the same settings as another run"]
    plain_product = compose(["data=houses", "seed=1,1"], multirun=True)
    assert len(planned_runs(plain_product)) == 2 and plain_product.notes == []


def test_labels_stand_in_names_of_folders_for_what_the_arm_sets_but_does_not_sweep(
    capsys: pytest.CaptureFixture[str],
) -> None:
    arms = 'arms=[{label: "plain sum", loss: sum},{label: "fixed, 2 weights", loss: fixed, loss.weights.price: "2,3"},'
    words = ["-m", "data=houses", arms + "{lr.base: 0.1}]", "seed=0,1", "trainer=debug", "hydra.sweep.dir=s"]
    Path("houses.csv").write_text("area,price,kind\n" + "".join(f"{i},{i % 9}.5,{'ab'[i % 2]}\n" for i in range(60)))
    assert main(words) == 0
    plan = json.loads(Path("s/sweep.json").read_text())
    assert [job["run"] for job in plan] == [
        "000_plain-sum,seed=0",
        "001_plain-sum,seed=1",
        "002_fixed-2-weights,loss.weights.price=2,seed=0",
        "003_fixed-2-weights,loss.weights.price=2,seed=1",
        "004_fixed-2-weights,loss.weights.price=3,seed=0",
        "005_fixed-2-weights,loss.weights.price=3,seed=1",
        "006_lr.base=0.1,seed=0",
        "007_lr.base=0.1,seed=1",
    ]
    assert [job.get("arm") for job in plan] == ["plain sum"] * 2 + ["fixed, 2 weights"] * 4 + [None] * 2
    with open("s/results.csv", newline="") as file:
        assert not {"arm", "label", "arms", "focus"} & set(next(csv.reader(file)))
    (command,) = Path("s/command.txt").read_text().splitlines()
    assert shlex.split(command) == ["mtlrun", *words]


SETTINGS = {
    "loss": ["sum", "uncertainty"],
    "lr.base": ["0.1", "0.2", "0.3"],
    "model.dropout": ["0", "0.5"],
    "seed": ["0", "1"],
}
some = st.fixed_dictionaries(
    {},
    optional={
        key: st.lists(st.sampled_from(values), min_size=1, max_size=2, unique=True) for key, values in SETTINGS.items()
    },
)


@settings(max_examples=4, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(some.filter(bool), min_size=1, max_size=3), some)
def test_a_sweep_is_the_union_of_its_arms(arms: list[dict[str, list[str]]], common: dict[str, list[str]]) -> None:
    def product(options: dict[str, list[str]]) -> list[dict[str, str]]:
        return [dict(zip(options, chosen, strict=True)) for chosen in itertools.product(*options.values())]

    text = ",".join("{" + ", ".join(f'{key}: "{",".join(v)}"' for key, v in arm.items()) + "}" for arm in arms)
    words = ["data=houses", f"arms=[{text}]", *(f"{key}={','.join(v)}" for key, v in common.items())]
    request = compose(words, multirun=True)
    runs = planned_runs(request)
    default = {"loss": "sum", "lr.base": "0.001", "model.dropout": "0", "seed": "0"}
    wanted = [default | chosen for arm in arms for chosen in product(common | arm)]
    reached = {(r.config.loss.name, r.config.lr.base, r.config.model.dropout, r.config.seed) for r in runs}
    assert reached == {(w["loss"], float(w["lr.base"]), float(w["model.dropout"]), int(w["seed"])) for w in wanted}
    assert len(runs) == len(reached) == len({config_hash(run.config) for run in runs})
    assert [run.run[:3] for run in runs] == [f"{i:03d}" for i in range(len(runs))]
    note = [] if len(wanted) == len(runs) else [f"{len(wanted) - len(runs)} run"]
    assert [n[: len(m)] for n, m in zip(request.notes, note, strict=True)] == note


def test_a_sweep_of_arms_and_trials_trains_and_fills_its_table(capsys: pytest.CaptureFixture[str]) -> None:
    Path("houses.csv").write_text(
        "area,price,kind\n" + "".join(f"{i % 7},{i % 5}.5,{'ab'[i % 2]}\n" for i in range(60))
    )
    Path("conf/experiment/x.yaml").write_text(
        EXPERIMENT + "trials: 2\narms: [{loss: sum}, {loss: uncertainty, loss.lr: 'interval(0.01,0.1)'}, {seed: 1}]\n"
    )
    words = ["experiment=x", "seed=0,1", "trainer=debug", "trainer.tensorboard=false", "hydra.sweep.dir=s"]
    assert main(words) == 0
    first, second = capsys.readouterr().out.splitlines()[:2]
    assert first == "1 run left out: the same settings as another run"
    assert second.startswith("6 runs in ") and second.endswith(" in s")
    with open("s/results.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    assert list(rows[0])[2:8] == ["loss", "experiment", "seed", "trainer", "trainer.tensorboard", "loss.lr"]
    assert [f"{row['loss']} {row['loss.lr']} {row['seed']}" for row in rows] == [
        "sum  0",
        "sum  1",
        "uncertainty 0.025 0",
        "uncertainty 0.025 1",
        "uncertainty 0.0736502 0",
        "uncertainty 0.0736502 1",
    ]
    assert {row["status"] for row in rows} == {"completed"}
    tree = yaml.safe_load(Path("s", rows[-1]["run"], ".hydra/config.yaml").read_text())
    assert tree["loss"]["lr"] == 0.0736502 and "arms" not in tree and "trials" not in tree
    typed = yaml.safe_load(Path("s", rows[-1]["run"], ".hydra/overrides.yaml").read_text())
    assert typed == [
        "experiment=x",
        "seed=1",
        "trainer=debug",
        "trainer.tensorboard=False",
        "loss=uncertainty",
        "loss.lr=0.0736502",
    ]


# ---------------------------------------------------------------- wrong requests

MAPPINGS = "allowed: a list of mappings: 'arms=[{loss: sum},"
INSIDE = "not allowed here\nallowed: keys of a run, not hydra, experiment, arms, trials, focus (in arms[0])"
WRONG = [
    ("arms=basline", "arms: found 'basline', which is no plan; did you mean baselines?\nallowed: "),
    ("arms=3", "arms: found 3\n" + MAPPINGS),
    ("arms=[{label: [a], loss: sum}]", "arms[0].label: found ['a']\nallowed: a name for the arm"),
    ("arms=[{label: ' ', loss: sum}]", "arms[0].label: found ' '\nallowed: a name for the arm"),
    ("arms={loss: sum}", "arms: found {'loss': 'sum'}\n" + MAPPINGS),
    ("arms=[]", "arms: found []\n" + MAPPINGS),
    ("arms=[{loss: sum},{}]", "arms[1]: found {}\n" + MAPPINGS),
    ("arms=[{},{loss: sum}]", "an arm without settings of its own has a label: {label: default}"),
    ("arms=[{loss: sum},fixed]", "arms[1]: found 'fixed'\n" + MAPPINGS),
    ("arms=[{loss: sum}],[{loss: fixed}]", "arms: found [{loss: sum}],[{loss: fixed}], which is a sweep itself\n"),
    ("arms=range(3)", "arms: found range(3), which is a sweep itself\n" + MAPPINGS),
    ("~arms", "~arms: cannot be removed\nwithout arms: arms=null"),
    ("arms.0={loss: sum}", "arms.0: no such key\nset arms as a whole: a list of mappings"),
    ("arms=[{los: sum}]", "los: no such key; did you mean loss?"),
    ("arms=[{loss: sun}]", "loss: found sun, which is no option of this group; did you mean sum?"),
    ("arms=[{loss: sum},{lr.bas: 1}]", "lr.bas: lr=single has no such key; did you mean base?"),
    ("arms=[{hydra.run.dir: x}]", f"hydra.run.dir: {INSIDE}"),
    ("arms=[{hydra/launcher: basic}]", f"hydra/launcher: {INSIDE}"),
    ("arms=[{hydra: {run: {dir: x}}}]", f"hydra: {INSIDE}"),
    ("arms=[{experiment: raw_targets}]", f"experiment: {INSIDE}"),
    ("arms=[{arms: [{loss: sum}]}]", f"arms: {INSIDE}"),
    ("arms=[{trials: 3}]", f"trials: {INSIDE}"),
    ("arms=[{seed: range(3)}]", 'arms[0].seed: found a sweep without quotes\nput it in quotes: {seed: "range(3)"}'),
    ("arms=[{loss: sum},{model.hidden: [choice(1,2)]}]", "arms[1].model.hidden[0]: found a sweep without quotes"),
    ("arms=[{loss.weights.price: 0.1,1}]", "a sweep inside an arm needs quotes: 'arms=[{loss: fixed,"),
    ('arms=[{tasks.kind.where: "a == 1"}]', "tasks.kind.where: found a == 1, which an override cannot have after ="),
    (
        'arms=[{tasks.kind.where: "a == 1"}]',
        "needs another pair of quotes: tasks.kind.where: \"'a == 1'\" (in arms[0])",
    ),
    ("arms=[{a b: 1}]", "a b: no key\nallowed: GROUP or GROUP.KEY (in arms[0])"),
    ('arms=[{seed: "range(0)"}]', "seed: found range(0), which holds no value\n"),
    ('arms=[{seed: "range(0,1,0)"}]', "seed: found range(0,1,0), which has no end\n"),
]


@pytest.mark.parametrize(("arms", "answer"), WRONG)
def test_arms_that_cannot_be_followed(arms: str, answer: str) -> None:
    assert answer in refused(arms)


def test_a_key_of_another_arm_s_strategy_is_answered_with_the_arm() -> None:
    answer = refused("arms=[{loss: uncertainty, loss.lr: 2},{loss: sum, loss.lr: 2}]")
    assert answer.startswith("loss.lr: loss=sum has no such key, loss=")
    assert answer.endswith("(in arms[1]: 001_loss=sum,loss.lr=2)")
    answer = refused("arms=[{loss: uncertainty},{loss: sum}]", "loss.lr=2", "seed=0,1")
    assert answer.endswith("(in arms[1]: 002_loss=sum,seed=0)")


def test_arms_and_trials_without_m_ask_for_it() -> None:
    for words in (["arms=[{loss: sum}]"], ["trials=3"]):
        key = words[0].partition("=")[0]
        assert refused(*words, multirun=False).startswith(f"{key}: only for a sweep, and this is one run\nadd -m")
    Path("conf/experiment/x.yaml").write_text("# @package _global_\narms: [{loss: sum}]\n")
    assert refused("experiment=x", multirun=False).startswith("arms: only for a sweep, and this is one run\nadd -m")
    assert len(found("experiment=x")) == 1


def test_arms_of_one_of_several_experiments_are_not_passed_over() -> None:
    Path("conf/experiment/x.yaml").write_text("# @package _global_\narms: [{loss: sum}]\n")
    Path("conf/experiment/y.yaml").write_text("# @package _global_\nseed: 1\n")
    answer = refused("experiment=y,x")
    assert answer.startswith("experiment=x: sets arms, and is one of several experiments\nname one experiment")


# ---------------------------------------------------------------- from outside

SECRET = "found ${oc.env:HOME}\nallowed: references to keys"


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        ("arms: [{hydra.callbacks.a: {_target_: os.mkdir, path: executed}}]", "hydra.callbacks.a: not allowed here"),
        ("arms: [{'seed=1 hydra.verbose': 1}]", "seed=1 hydra.verbose: no key"),
        ("arms: [{hydra/launcher: basic}]", "hydra/launcher: not allowed here"),
        ("arms: [{hydra/launcher@seed: basic}]", "hydra/launcher: not allowed here"),
        ("arms: [{name: '${oc.env:HOME}'}]", "conf/experiment/x.yaml: arms[0].name: " + SECRET),
        (r"arms: [{name: '$\{oc.env\:HOME\}'}]", "arms[0]: name: " + SECRET),
        (r"arms: [{name: 'a,$\{oc.env\:HOME\}'}]", "arms[0]: name: " + SECRET),
        (r"arms: [{data.inputs: '[$\{oc.env\:HOME\}]'}]", "arms[0]: data.inputs[0]: " + SECRET),
        ("arms: [{name: !!binary aGk=}]", "name: found b'hi'\nallowed: text, numbers"),
        (r"arms: [{data.split: '{by: $\{oc.env\:HOME\}}'}]", "arms[0]: data.split.by: " + SECRET),
        ("arms: [{data: evil}]", "conf/data/evil.yaml: hydra: a YAML from outside may set its own group"),
        ("arms: [{model._target_: os.mkdir}]", "model._target_: model=mlp has no such key"),
        ('arms: [{"seed: 1\\nx": 1}]', "a line break is not allowed here"),
        ("arms: ${oc.env:HOME}", "conf/experiment/x.yaml: arms: " + SECRET),
    ],
)
def test_arms_of_a_file_are_no_way_around_what_it_may_not_set(text: str, answer: str) -> None:
    evil = "# @package _global_\nhydra: {callbacks: {run_me: {_target_: os.mkdir, path: executed}}}\n"
    Path("conf/data/evil.yaml").write_text(evil)
    with pytest.raises(RequestError) as caught:
        experiment(text + "\n")
    assert answer in str(caught.value) and len(str(caught.value).splitlines()) <= 2
    assert not Path("executed").exists()


@pytest.mark.parametrize(
    ("params", "answer"),
    [
        (r"{name: '$\{oc.env\:HOME\}'}", "hydra.sweeper.params: name: " + SECRET),
        ("{arms: '[{loss: sum}]'}", "arms: not allowed here"),
        ("{trials: 3}", "trials: not allowed here"),
        ("{experiment: y}", "experiment: not allowed here"),
    ],
)
def test_neither_are_hydra_s_params(params: str, answer: str) -> None:
    Path("conf/experiment/x.yaml").write_text(
        EXPERIMENT.replace("MULTIRUN}", f"MULTIRUN, sweeper: {{params: {params}}}}}")
    )
    Path("conf/experiment/y.yaml").write_text("# @package _global_\nseed: 1\n")
    assert answer in refused("experiment=x", multirun=False)


def test_what_is_typed_may_use_resolvers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WHO", "me")
    (run,) = found('arms=[{name: "${oc.env:WHO}"}]')
    assert run.config.name == "me"


def test_the_experiment_in_the_documents_is_the_sweep_beside_it() -> None:
    text = (Path(__file__).parents[2] / "docs/sweeps.md").read_text().partition("### Arms")[2]
    example = re.findall(r"```yaml\n(.*?)```", text, re.S)[0]
    Path("conf/experiment/losses.yaml").write_text(example)
    words = shlex.split(re.findall(r"^mtlrun -m (.*)$", text, re.M)[0])
    typed, read = planned_runs(compose(words, multirun=True)), planned_runs(compose(["experiment=losses"]))
    assert len(typed) == 18 and [run.run for run in typed] == [run.run for run in read]
    assert [run.config for run in typed] == [run.config for run in read]
