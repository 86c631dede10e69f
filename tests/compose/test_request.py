"""Composition through Hydra: open mappings, folders from outside and what they may set, the members of a sweep."""

from pathlib import Path
from typing import Any

import pytest
import yaml
from omegaconf import OmegaConf

from mtlrun.compose import checked_config, compose, planned_runs, single
from mtlrun.config.schema import Config, PerHeadLrConfig, as_mapping
from mtlrun.config.schema.loss import FixedLossConfig
from mtlrun.util.errors import RequestError

TABLE = """\
# @package _global_
data:
  path: houses.csv
tasks:
  price: {type: regression}
  kind: {type: categorical}
"""


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working directory with ./conf/data/houses.yaml in it."""
    monkeypatch.chdir(tmp_path)
    write("conf/data/houses.yaml", TABLE)
    return tmp_path


def write(path: str, text: str) -> None:
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    Path(path).write_text(text)


def config(*overrides: str) -> Config:
    return single(compose(["data=houses", *overrides]))


def refused(*overrides: str, multirun: bool = False) -> str:
    with pytest.raises(RequestError) as caught:
        request = compose(list(overrides), multirun=multirun)
        planned_runs(request) if request.sweep else single(request)
    message = str(caught.value)
    assert 1 <= len(message.splitlines()) <= 2
    return message


# ---------------------------------------------------------------- values


def test_open_mappings_take_new_keys_with_and_without_plus() -> None:
    for sign in ("", "+", "++"):
        found = config(
            "loss=fixed",
            f"{sign}loss.weights.price=0.25",
            f"{sign}tasks.rooms.type=regression",
            "lr=per_head",
            f"{sign}lr.heads.price=0.5x",
            f"{sign}graph.receives.price.kind=pass",
        )
        assert isinstance(found.loss, FixedLossConfig) and found.loss.weights == {"price": 0.25}
        assert isinstance(found.lr, PerHeadLrConfig) and found.lr.heads["price"] == "0.5x"
        assert list(found.tasks) == ["price", "kind", "rooms"]
        assert found.graph.receives == {"price": {"kind": "pass"}}


def test_plus_is_accepted_for_what_is_there_already() -> None:
    assert config("+lr.base=0.5").lr.base == 0.5
    assert isinstance(config("+loss=fixed").loss, FixedLossConfig)


def test_a_mapping_merges_into_a_group_and_into_the_tasks() -> None:
    found = config("lr={base:0.5}", "tasks={kind:{loss:cross_entropy},rooms:{type:regression}}")
    assert found.lr.base == 0.5 and found.lr.name == "single"
    assert found.tasks["kind"].type == "categorical" and found.tasks["kind"].loss == "cross_entropy"
    assert list(found.tasks) == ["price", "kind", "rooms"]


def test_a_task_can_be_removed() -> None:
    assert list(config("~tasks.kind").tasks) == ["price"]


def test_another_data_option_inherits_no_task() -> None:
    found = single(compose(["data=table", "data.path=x.csv", "tasks={a:{type:regression}}"]))
    assert list(found.tasks) == ["a"]


def test_seed_reaches_the_split_and_can_be_kept_from_it() -> None:
    assert config("seed=7").data.split.seed == 7
    assert config("seed=7", "data.split.seed=1").data.split.seed == 1


def test_paths_are_absolute_and_prefixes_stay(here: Path) -> None:
    assert config().data.path == str(here / "houses.csv")
    assert config("data.split.files={test:sub/t.csv}").data.split.files == {"test": str(here / "sub" / "t.csv")}
    assert config("data.path=package:diamonds.csv.gz").data.path == "package:diamonds.csv.gz"
    assert config("data.path=fetched:census_income_train.parquet").data.path == "fetched:census_income_train.parquet"


def test_hydra_resolvers_typed_on_the_command_line_work(here: Path) -> None:
    assert config("data.path=${hydra:runtime.cwd}/b.csv").data.path == str(here / "b.csv")


# ---------------------------------------------------------------- folders from outside


def test_config_dir_is_searched_after_ours_and_after_the_working_directory(here: Path) -> None:
    write("elsewhere/data/barns.yaml", TABLE.replace("houses", "barns"))
    write("elsewhere/data/houses.yaml", TABLE.replace("houses", "other"))
    assert single(compose(["data=barns"], "elsewhere")).data.path == str(here / "barns.csv")
    assert single(compose(["data=houses"], "elsewhere")).data.path == str(here / "houses.csv")
    with pytest.raises(RequestError, match="--config-dir: nowhere is no folder"):
        compose([], "nowhere")


def test_a_file_with_the_name_of_ours_is_not_used_and_a_line_says_so() -> None:
    write("conf/loss/sum.yaml", "name: fixed\n")
    write("conf/loss/fixed.yaml", "name: sum\n")
    request = compose(["data=houses"])
    assert single(request).loss.name == "sum"
    assert request.notes == ["conf/loss/sum.yaml is not used: mtlrun has an option of that name; give yours another"]


def test_an_option_from_outside_may_build_on_one_beside_it() -> None:
    write("conf/loss/mine.yaml", "defaults: [fixed, _self_]\nweights: {price: 2}\n")
    found = config("loss=mine")
    assert isinstance(found.loss, FixedLossConfig) and found.loss.weights == {"price": 2}


def test_a_plain_reference_in_a_file_is_followed() -> None:
    write("conf/lr/mine.yaml", "name: single\nbase: ${model.dropout}\n")
    assert config("lr=mine", "model.dropout=0.25").lr.base == 0.25


GLOBAL = "# @package _global_\n"
MISCHIEF = "hydra: {callbacks: {run_me: {_target_: os.mkdir, path: executed}}}\n"
DATA = "conf/data/x.yaml"
EXPERIMENT = "conf/experiment/x.yaml"
REFUSED = [
    (DATA, TABLE + MISCHIEF, "hydra: a YAML from outside may set its own group"),
    (DATA, TABLE + "trainer: {epochs: 1}\n", "trainer: a YAML from outside may set its own group"),
    (DATA, TABLE.replace("_global_", "hydra"), "its settings would go to hydra"),
    (DATA, TABLE.replace("_global_", "hydra.callbacks"), "its settings would go to hydra.callbacks"),
    (DATA, TABLE.replace("_global_", "_global_.hydra.job"), "its settings would go to hydra.job"),
    (DATA, TABLE.replace("houses.csv", "${oc.env:HOME}"), "data.path: found ${oc.env:HOME}"),
    (DATA, TABLE.replace("houses.csv", "${${data.name}:x}"), "data.path: found"),
    (DATA, TABLE + "defaults: [override /hydra/launcher: basic]\n", "override /hydra/launcher: basic is refused"),
    (DATA, TABLE + "defaults: [/graph@hydra.job: chain]\n", "/graph@hydra.job: chain is refused"),
    (DATA, TABLE + "defaults: ['table@hydra.job']\n", "table@hydra.job is refused"),
    (DATA, TABLE + "defaults: [../loss/fixed]\n", "../loss/fixed is refused"),
    (DATA, "- a\n- b\n", "mapping"),
    (DATA, "data: [\n", "line 2"),
    (EXPERIMENT, GLOBAL + MISCHIEF, "hydra.callbacks is refused"),
    (EXPERIMENT, GLOBAL + "hydra: {job_logging: {version: 1}}\n", "hydra.job_logging is refused"),
    (EXPERIMENT, GLOBAL + "hydra: {sweeper: {_target_: a}}\n", "hydra.sweeper._target_ is refused"),
    (EXPERIMENT, GLOBAL + "hydra: {searchpath: [file:///]}\n", "hydra.searchpath is refused"),
    (EXPERIMENT, GLOBAL + "hydra: {run: {dir: /}}\n", "hydra.run is refused"),
    (EXPERIMENT, GLOBAL + "hydra: ${seed}\n", "hydra: found"),
    (EXPERIMENT, GLOBAL + "hydra: {sweeper: {params: {+hydra.callbacks.a: b}}}\n", "is refused"),
    (EXPERIMENT, GLOBAL + "defaults: [override /hydra/launcher: basic]\n", "is refused"),
    (EXPERIMENT, GLOBAL + "sed: 1\n", "sed: no such key; did you mean seed?"),
    (EXPERIMENT, GLOBAL + "name: '${now:%Y}'\n", "name: found ${now:%Y}"),
    (EXPERIMENT, "# @package hydra\nmode: MULTIRUN\n", "its settings would go to hydra"),
    (EXPERIMENT, "seed: 1\n", "the first line must be # @package _global_"),
]


@pytest.mark.parametrize(("file", "text", "message"), REFUSED)
def test_what_a_file_from_outside_may_not_set_is_refused(file: str, text: str, message: str) -> None:
    write(file, text)
    answer = refused("data=x" if file == DATA else "experiment=x")
    assert message in answer and file in answer
    assert not Path("executed").exists()


def test_a_group_of_hydras_from_outside_is_refused_even_under_a_name_of_hydras() -> None:
    for launcher, words in (("stack", []), ("basic", ["hydra/launcher=basic"])):
        file = f"conf/hydra/launcher/{launcher}.yaml"
        write(file, "_target_: os.mkdir\npath: executed\n")
        assert f"{file}: refused" in refused("data=houses", *words)
        assert not Path("executed").exists()
        Path(file).unlink()
    write("conf/hydra/config.yaml", "job: {chdir: true}\n")
    assert "conf/hydra/config.yaml: refused" in refused("data=houses")


def test_a_file_at_the_top_cannot_take_the_place_of_our_schema() -> None:
    write("conf/mtlrun_schema.yaml", "hydra: {}\n")
    assert "conf/mtlrun_schema.yaml: refused" in refused("data=houses")


def test_a_target_key_is_no_key_of_ours() -> None:
    assert "model._target_: model=mlp has no such key" in refused("data=houses", "model._target_=os.mkdir")


def test_an_experiment_may_choose_options_set_values_and_be_a_sweep() -> None:
    write(
        EXPERIMENT,
        GLOBAL + "defaults: [override /data: houses, override /lr: per_head]\n"
        "seed: 5\ntrainer: {epochs: 3}\n"
        "hydra: {mode: MULTIRUN, sweeper: {params: {loss: 'sum,uncertainty'}}}\n",
    )
    request = compose(["experiment=x"])
    assert request.sweep
    found = planned_runs(request)
    assert [m.run for m in found] == ["000_loss=sum", "001_loss=uncertainty"]
    assert found[1].overrides == {"loss": "uncertainty", "experiment": "x"}
    assert (found[1].config.seed, found[1].config.trainer.epochs, found[1].config.lr.name) == (5, 3, "per_head")
    assert len(planned_runs(compose(["experiment=x", "loss=fixed"]))) == 1


# ---------------------------------------------------------------- sweeps


SWEEP = [
    "data=houses",
    "loss=fixed,uncertainty",
    "++tasks.price.loss=l1,huber",
    "only=[price],[price,kind]",
    "~tasks.kind.type",
    "seed=2",
    "name=${hydra:runtime.choices.loss}",
    "lr.base=0.01",
    "tasks.kind.where='a == 1'",
    "model={hidden:[8,8]}",
]


def test_members_are_what_hydra_composes() -> None:
    request = compose(SWEEP, multirun=True)
    found = planned_runs(request)
    assert len(found) == 8
    for member in found:
        by_hydra = request.loader.load_sweep_config(request.cfg, list(member.arguments))
        assert as_mapping(checked_config(by_hydra, by_hydra)) == as_mapping(member.config)


def test_names_and_overrides_of_members() -> None:
    found = planned_runs(compose(SWEEP, multirun=True))
    assert found[0].run == "000_loss=fixed,tasks.price.loss=l1,only=price"
    assert found[3].run == "003_loss=fixed,tasks.price.loss=huber,only=price,kind"
    assert found[7].config.name == "uncertainty"
    assert found[3].overrides == {
        "data": "houses",
        "loss": "fixed",
        "tasks.price.loss": "huber",
        "only": "[price,kind]",
        "~tasks.kind.type": "null",
        "seed": "2",
        "name": "${hydra:runtime.choices.loss}",
        "lr.base": "0.01",
        "tasks.kind.where": "a == 1",
        "model": "{hidden:[8,8]}",
    }


def test_glob_stands_for_the_options_of_a_group() -> None:
    write("conf/data/my barn.yaml", TABLE)
    found = planned_runs(compose(["data=glob([ho*,my*])", "loss=glob([f*,un*],exclude=fa*)"], multirun=True))
    assert [m.run for m in found] == [
        "000_data=houses,loss=fixed",
        "001_data=houses,loss=uncertainty",
        "002_data=mybarn,loss=fixed",
        "003_data=mybarn,loss=uncertainty",
    ]
    assert found[3].overrides == {"data": "my barn", "loss": "uncertainty"}
    assert refused("loss=glob(x*)", multirun=True).startswith(
        "loss: found glob(x*), which matches no option\nallowed: "
    )
    assert refused("seed=glob(*)", multirun=True).startswith("seed: found glob(*), which matches no option\nallowed: ")


def test_a_member_that_is_wrong_is_named() -> None:
    answer = refused("data=houses", "loss=uncertainty,sum", "loss.lr=2", multirun=True)
    assert answer.startswith("loss.lr: loss=sum has no such key") and "(in 001_loss=sum)" in answer


def test_composing_many_members_is_fast() -> None:
    import time

    request = compose(["data=houses", "loss=sum,uncertainty", "seed=range(50)"], multirun=True)
    start = time.perf_counter()
    assert len(planned_runs(request)) == 100
    assert time.perf_counter() - start < 4.0  # 50 ms each would be 5 s


def test_values_survive_yaml(tmp_path: Path) -> None:
    from mtlrun.storage import hydra_folder

    found = config("lr=per_head", "optimizer=rmsprop", "tasks.kind.where='a == 1'")
    hydra_folder.write(tmp_path, as_mapping(found), [])
    tree: dict[str, Any] = yaml.safe_load((tmp_path / ".hydra" / "config.yaml").read_text())
    assert hydra_folder.read_config(tmp_path) == tree
    assert tree == as_mapping(found)
    assert OmegaConf.create(tree).optimizer.eps == 1e-8


@pytest.mark.parametrize(
    ("name", "allowed"),
    [
        (r"\${oc.env:HOME}", True),  # escaped: characters of a name
        (r"\\\${oc.env:HOME}", True),
        (r"a\${b:c} ${seed}", True),
        (r"${oc.env:HOME}", False),
        (r"\\${oc.env:HOME}", False),  # a backslash, then a reference
        (r"\${x}${oc.env:HOME}", False),
        (r"$\${${oc.env:HOME}}", False),
        (r"${oc.env:\${x}}", False),
    ],
)
def test_an_escaped_reference_of_a_yaml_is_text(name: str, allowed: bool) -> None:
    write("conf/data/houses.yaml", f"{TABLE}  rooms: {{type: regression, target: '{name}'}}\n")
    if allowed:
        config()
    else:
        assert "tasks.rooms.target: found" in refused("data=houses")
