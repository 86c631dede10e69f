"""A trunk from another run, or from a first stage: the same bits, frozen or not, in stacks, across interruptions."""

import csv
import json
import os
import shutil
import signal
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
import yaml
from commands import main
from support import make_config, make_stack, train_steps

import mtlrun
import mtlrun.engine.saving
import mtlrun.runs.stack_training
import mtlrun.sweeps.pool
import mtlrun.sweeps.stack_process
from mtlrun.compare.collect.folders import collect
from mtlrun.config.check import check
from mtlrun.config.schema import Config
from mtlrun.config.stages import first_stage
from mtlrun.data.columns import InputColumn, InputSpec
from mtlrun.data.dataset import load_dataset
from mtlrun.engine import checkpoint
from mtlrun.runs.single import prepare
from mtlrun.runs.stack_of_runs import StackOfRuns
from mtlrun.runs.transfer import from_run
from mtlrun.storage.progress import Progress
from mtlrun.util.errors import RequestError

SMALL = [
    "data=houses",
    "model.hidden=[8,6]",
    "model.head_hidden=[]",
    "trainer.epochs=4",
    "trainer.batch_size=32",
    "trainer.patience=null",
    "trainer.threads=1",
    "trainer.tensorboard=false",
]
SOLD = ["only=[sold]", "tasks.sold.train_labels=64"]  # 2 steps an epoch; price takes 6
BOTH = [*SOLD, "model.pretrain=[price]"]


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working directory with a table of 300 rows, with text and gaps, as data=houses."""
    monkeypatch.chdir(tmp_path)
    rng = np.random.default_rng(0)
    area, rooms = rng.normal(100, 30, 300), rng.integers(1, 6, 300)
    city = rng.choice(["Bonn", "Köln", "Ulm"], 300)
    price = 3000 * area + 20_000 * rooms + 50_000 * (city == "Bonn") + rng.normal(0, 10_000, 300)
    frame = pd.DataFrame({"area": area, "rooms": rooms, "city": city, "price": price, "tax": 0.1 * price + area})
    frame["sold"] = np.where(rng.random(300) < 1 / (1 + np.exp(-(area - 100) / 10)), "yes", "no")
    frame.loc[rng.choice(300, 30, replace=False), "area"] = np.nan
    frame.loc[rng.choice(300, 60, replace=False), "sold"] = None
    frame.to_csv("houses.csv", index=False)
    Path("conf/data").mkdir(parents=True)
    tasks = {"price": {"type": "regression"}, "sold": {"type": "binary"}, "tax": {"type": "regression"}}
    text = yaml.safe_dump({"data": {"path": "houses.csv"}, "tasks": tasks})
    Path("conf/data/houses.yaml").write_text(f"# @package _global_\n{text}")
    return tmp_path


def train(folder: str, *words: str) -> dict[str, Any]:
    assert main([*SMALL, f"hydra.run.dir={folder}", *words]) == 0
    return summary(folder)


def summary(folder: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((Path(folder) / "summary.json").read_text())
    return found


def network(folder: str) -> dict[str, torch.Tensor]:
    """The selected checkpoint's network."""
    found: dict[str, torch.Tensor] = checkpoint.load(Path(folder) / "checkpoints" / "best.pt")["network"]
    return found


OWN_ROWS = ("encoder.low", "encoder.high")  # the range of a run's own training rows, which scales nothing


def begins(folder: str, *names: str) -> dict[str, torch.Tensor]:
    return {n: v for n, v in network(folder).items() if n.startswith(names) and n not in OWN_ROWS}


def stored(folder: str) -> Config:
    return check(yaml.safe_load((Path(folder) / ".hydra" / "config.yaml").read_text()))


def assert_equal(one: dict[str, torch.Tensor], two: dict[str, torch.Tensor]) -> None:
    assert one.keys() == two.keys() and len(one) > 0
    assert all(torch.equal(value, two[name]) for name, value in one.items())


def metrics(folder: str) -> bytes:
    return (Path(folder) / "metrics.csv").read_bytes()


# ---------------------------------------------------------------- from another run


def test_a_run_begins_with_the_donors_trunk_and_heads_of_its_own() -> None:
    train("donor", "only=[price]")
    train("scratch", "only=[sold]", "seed=5")
    train("out", "only=[sold]", "seed=5", "model.init_from=donor")
    started, scratch = prepare(stored("out")).stack.network, prepare(stored("scratch")).stack.network
    given = network("donor")
    for name, value in started.state_dict().items():
        if name.startswith(("sharing.", "encoder.")) and name not in OWN_ROWS:
            assert torch.equal(value, given[name]), name
        else:
            assert torch.equal(value, scratch.state_dict()[name]), name
    assert not torch.equal(started.encoder.mean, scratch.encoder.mean)  # of another split
    after = begins("out", "sharing.")
    assert all(not torch.equal(value, given[name]) for name, value in after.items())  # it learns on
    assert_equal(begins("out", "encoder."), begins("donor", "encoder."))


def test_a_frozen_trunk_stays_and_the_result_needs_no_donor(here: Path) -> None:
    train("donor", "only=[price]")
    train(
        "out",
        "only=[sold]",
        "seed=5",
        "model.init_from=donor",
        "model.freeze=true",
        "optimizer=adamw",
        "lr=per_head",
        "trainer.clip=0.1",
    )
    given = network("donor")
    assert_equal(begins("out", "sharing.", "encoder."), begins("donor", "sharing.", "encoder."))
    last = checkpoint.load(Path("out/checkpoints/last.pt"))
    trunk = torch.cat(
        [
            given[n].flatten(1)
            for n in last["columns"]
            for n in [n.removeprefix("network.")]
            if n in given and n.startswith("sharing.")
        ],
        1,
    )
    assert torch.equal(last["values"][:, : trunk.shape[1]], trunk)  # in the last step too
    shutil.rmtree("donor")
    # by hand: standardised inputs, two layers of relu, one linear head
    spec = mtlrun.load("out").spec
    frame = pd.read_csv("houses.csv")
    numeric, codes = spec.transform(frame)
    own = {name: value[0].numpy() for name, value in network("out").items()}
    scaled = (numeric - own["encoder.mean"]) * own["encoder.inverse"]
    x = np.concatenate([np.where(np.isnan(scaled), 0, scaled), np.isnan(scaled[:, :1]), np.eye(3)[codes[:, 0]]], 1)
    for layer in (0, 1):
        weight, bias = (given[f"sharing.trunk.layers.{layer}.{kind}"][0].numpy() for kind in ("weight", "bias"))
        x = np.maximum(x @ weight + bias, 0)
    logit = (x @ own["heads.0.weights.0"].reshape(6, -1) + own["heads.0.biases.0"].reshape(-1))[:, 0]
    predicted = mtlrun.load("out").predict(frame)
    np.testing.assert_allclose(predicted["sold[yes]"], 1 / (1 + np.exp(-logit)), rtol=1e-4)


OPTIMIZERS = [
    {"name": "adam", "weight_decay": 0.1},
    {"name": "adamw", "weight_decay": 0.1},
    {"name": "sgd", "momentum": 0.9, "weight_decay": 0.1},
    {"name": "rmsprop", "momentum": 0.5},
]


@pytest.mark.parametrize("optimizer", OPTIMIZERS, ids=lambda o: o["name"])
def test_of_a_stack_some_trunks_are_frozen_and_all_heads_learn(optimizer: dict[str, Any]) -> None:
    frozen = [True, False, True]
    models = [{"freeze": f, "activation": "tanh"} for f in frozen]
    configs = [make_config(seed=r, model=m, optimizer=optimizer) for r, m in enumerate(models)]
    stack = make_stack(configs)
    flat = stack.step.flat
    before, size = flat.values.clone(), flat.shared_size
    train_steps(stack, 12)
    kept = (flat.values == before)[:, :size]
    assert kept.all(1).tolist() == frozen and not bool(kept[1].any())
    assert not bool((flat.values == before)[:, size:].any())


def test_every_run_of_a_stack_has_a_donor_of_its_own() -> None:
    train("one", "only=[price]", "seed=0")
    train("two", "only=[price]", "seed=1")
    arms = "arms=[{seed: 0, model.init_from: one},{seed: 1, model.init_from: two},{seed: 2, model.freeze: false}]"
    words = [*SMALL, "only=[sold]", "model.freeze=true", arms, "hydra.launcher.processes=1", "hydra.sweep.dir=s"]
    assert main(["-m", *words]) == 0
    plan = json.loads(Path("s/sweep.json").read_text())
    assert [job["stack"] for job in plan] == [0, 0, 0]
    first, second, third = (f"s/{job['run']}" for job in plan)
    assert_equal(begins(first, "sharing.", "encoder."), begins("one", "sharing.", "encoder."))
    assert_equal(begins(second, "sharing.", "encoder."), begins("two", "sharing.", "encoder."))
    train("alone", "only=[sold]", "seed=2")
    assert summary(third)["figures"] == pytest.approx(summary("alone")["figures"], rel=1e-4)


def test_going_on_does_not_look_at_the_donor_and_beginning_does(capsys: pytest.CaptureFixture[str]) -> None:
    train("donor", "only=[price]")
    words = ["only=[sold]", "seed=5", "model.init_from=donor", "model.dropout=0.2"]
    train("whole", *words)
    with pytest.MonkeyPatch.context() as patch:
        interrupt_at(patch, 7)
        assert main([*SMALL, "hydra.run.dir=parts", *words]) == 130
    os.rename("donor", "elsewhere")
    assert main(["resume", "parts"]) == 0
    assert metrics("parts") == metrics("whole")
    assert_equal(network("parts"), network("whole"))
    shutil.rmtree("parts/checkpoints")
    Path("parts/summary.json").write_text(json.dumps(summary("parts") | {"status": "interrupted"}))
    capsys.readouterr()
    assert main(["resume", "parts"]) == 2
    assert "donor holds no trained model" in capsys.readouterr().err
    os.rename("elsewhere", "donor")
    assert main(["resume", "parts"]) == 0
    assert metrics("parts") == metrics("whole")


def interrupt_at(patch: pytest.MonkeyPatch, *steps: int) -> None:
    """Ctrl-C after these steps, counted through both stages."""
    before, taken = Progress.step, iter(range(1, 10_000))

    def step(self: Progress, number: int, losses: Any) -> None:
        before(self, number, losses)
        if next(taken) in steps:
            os.kill(os.getpid(), signal.SIGINT)

    patch.setattr(Progress, "step", step)


WRONG = {
    "model.init_from=nowhere": ("model.init_from: ", "nowhere holds no trained model", "no run is there"),
    "model.hidden=[8,7]": ("model.hidden: found [8, 7], and the trunk in", "[8, 6]", "set it: 'model.hidden=[8,6]'"),
    "model.activation=tanh": ("model.activation: found tanh", "has relu", "model.activation=relu"),
    "model.scaling=robust": ("model.scaling: found robust", "has standard", "model.scaling=standard"),
    "model.embedding=periodic": ("model.embedding: found periodic", "has none", "model.embedding=none"),
    "data.inputs=[area,city]": ("other inputs (rooms only there)", "the same columns"),
    "model=tabm": ("model=tabm: has 8 members, and the trunk in", "has 1\n", "set it: model=mlp"),
    "model=boosting": ("model=boosting has no such key", "mlp"),
    "sharing=none": ("sharing: found none", "has hard", "set it: sharing=hard"),
}


def test_a_donor_that_does_not_fit_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    train("donor", "only=[price]")
    capsys.readouterr()
    for word, expected in WRONG.items():
        words = [*SMALL, "only=[sold]", "model.init_from=donor"]
        if word == "model=boosting":
            words = [w for w in words if "hidden" not in w]
        sweeps = [["check"], ["-m", "seed=0,1"]] if word == "sharing=none" else []
        for command in ([], *sweeps):
            assert main([*command, *words, word]) == 2
            answer = capsys.readouterr().err
            assert all(part in answer for part in expected) and len(answer.splitlines()) <= 2, answer
    assert not Path("outputs").exists()


def test_inputs_that_differ_are_named(here: Path) -> None:
    train("donor", "only=[price]")
    config = stored("donor")
    columns = [
        InputColumn("area", "numeric"),
        InputColumn("rooms", "category", categories=["1"]),
        InputColumn("city", "category", categories=["Bonn"]),
    ]
    with pytest.raises(RequestError, match="area with other categories, gaps or dates; rooms numeric there and"):
        from_run(Path("donor"), config, InputSpec(columns))


def test_an_embedding_takes_over_only_the_same_numbers(here: Path) -> None:
    train("donor", "only=[price]", "model=tabular", "model.embedding=periodic")
    config = stored("donor")
    spec = load_dataset(config).spec
    assert [c.two_valued for c in spec.numeric] == [False, False]
    assert from_run(Path("donor"), config, spec).inputs.keys() > {"embedding.median", "embedding.encodings.0.gain"}
    other = replace(spec, columns=[replace(c, two_valued=c.name == "rooms") for c in spec.columns])
    with pytest.raises(RequestError, match="rooms has only two values in one of the tables"):
        from_run(Path("donor"), config, other)


def test_an_ensemble_takes_over_one_of_as_many_members(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["model=tabm", "model.members=3", "model.dropout=0.2", "seed=5"]
    train("donor", "only=[price]", *words)
    train("out", "only=[sold]", *words, "model.init_from=donor", "model.freeze=true")
    given = {name: value for name, value in network("donor").items() if name.startswith("sharing.")}
    assert given["sharing.trunk.scales.0"].shape[:2] == (1, 3)
    assert_equal(given, {name: network("out")[name] for name in given})
    train("stages", "only=[sold]", *words, "model.pretrain=[price]", "model.freeze=true")
    assert_equal(begins("stages", "sharing."), begins("stages/pretrain", "sharing."))
    capsys.readouterr()
    for word, expected in {"model.members=2": "set it: model.members=3", "model=mlp": "set it: model=tabm"}.items():
        own = [*words[2:], word] if word == "model=mlp" else [*words[:1], *words[2:], word]
        assert main([*SMALL, "only=[sold]", *own, "model.init_from=donor"]) == 2
        answer = capsys.readouterr().err
        assert "and the trunk in" in answer and "has 3\n" in answer and expected in answer


def test_trees_have_no_trunk_to_give(capsys: pytest.CaptureFixture[str]) -> None:
    words = [word for word in SMALL if "model" not in word and "epochs" not in word and "batch" not in word]
    assert main([*words, "model=boosting", "model.iterations=3", "only=[price]", "hydra.run.dir=trees"]) == 0
    capsys.readouterr()
    assert main([*SMALL, "only=[sold]", "model.init_from=trees"]) == 2
    assert "is a run of model=boosting, which has no trunk" in capsys.readouterr().err


def test_check_says_where_the_trunk_comes_from(capsys: pytest.CaptureFixture[str]) -> None:
    train("donor", "only=[price]", "trainer.epochs=3", "trainer.select=last")
    capsys.readouterr()

    def shown(*words: str) -> str:
        assert main(["check", *SMALL, "only=[sold]", *words]) == 0
        return capsys.readouterr().out

    out = shown("model.init_from=donor", "model.freeze=true")
    assert f"trunk from {Path('donor').absolute()} (trained on price, 3 epochs; SHA-256 " in out
    assert "), frozen\n" in out and "trunk 0, sold 0.001\n" in out and "another split" not in out
    out = shown("model.init_from=donor", "seed=4")
    assert "frozen" not in out and "has another split of the same table: rows that its trunk was trained on" in out
    assert "trunk from a first stage (trained on price, tax, 24 steps at most)" in shown("model.pretrain=[price,tax]")
    assert "trunk initialised from the seed, frozen" in shown("model.freeze=true")


# ---------------------------------------------------------------- in two stages


def test_a_first_stage_is_a_run_of_its_tasks_alone() -> None:
    tree = {"a": {"type": "regression", "role": "auxiliary"}, "b": {"type": "binary"}, "x": {"type": "reconstruction"}}
    config = make_config(tree, model={"pretrain": ["a", "x"], "freeze": True}, trainer={"select": "b"})
    assert config.only == ["b"] and list(config.active) == ["b"]
    first = first_stage(config)
    assert first is not None and list(first.active) == ["a", "x"]
    assert first.tasks["a"].role == "main" and first.tasks["x"].role == "auxiliary"
    assert first.trainer.select == "skill" and config.trainer.select == "b"
    assert not first.net.freeze and first_stage(first) is None
    again = make_config(
        tree | {"c": {"type": "binary"}}, model={"pretrain": ["a"]}, trainer={"select": "a"}, only=["a"]
    )
    assert list(again.active) == ["a"]  # on its own labels once more
    stage = first_stage(again)
    assert stage is not None and stage.trainer.select == "a"


def test_two_stages_are_two_commands() -> None:
    train("first", "only=[price]", "seed=3", "optimizer=adamw")
    train("second", *SOLD, "seed=3", "optimizer=adamw", "model.init_from=first", "model.freeze=true")
    both = train("both", *BOTH, "seed=3", "optimizer=adamw", "model.freeze=true")
    assert metrics("both/pretrain") == metrics("first") and metrics("both") == metrics("second")
    assert_equal(network("both/pretrain"), network("first"))
    assert_equal(network("both"), network("second"))
    assert both["steps"] == 8 and summary("both/pretrain")["steps"] == 24
    for name in (".hydra/config.yaml", ".hydra/overrides.yaml", "run.log", "checkpoints/last.pt"):
        assert (Path("both/pretrain") / name).stat().st_size > 0
    log, inner = Path("both/run.log").read_text(), Path("both/pretrain/run.log").read_text()
    assert "first stage: the trunk is trained on price" in log and "price rmse" in inner and "sold" not in inner
    assert [run.folder.name for run in collect([Path("both")]).runs] == ["both"]
    assert stored("both/pretrain").active.keys() == {"price"}
    shutil.rmtree("both/pretrain")
    assert np.isfinite(mtlrun.load("both").predict(pd.read_csv("houses.csv"))["sold[yes]"]).all()


def test_tasks_that_are_not_named_are_the_runs_own() -> None:
    found = train("out", "model.pretrain=[sold]", "trainer.epochs=1")
    assert stored("out").only == ["price", "tax"]
    assert {name.split("/")[1] for name in found["figures"]} == {"price", "tax"}


SWEEP = [
    "-m",
    *SMALL,
    *BOTH,
    "model.freeze=true,false",
    "seed=range(2)",
    "model.dropout=0.1",
    "hydra.launcher.processes=1",
]


def runs(folder: str) -> list[str]:
    return [job["run"] for job in json.loads((Path(folder) / "sweep.json").read_text())]


def statuses(folder: str) -> list[str]:
    with open(Path(folder) / "results.csv", newline="") as file:
        return [row["status"] for row in csv.DictReader(file)]


def test_a_stack_trains_both_stages_as_each_run_alone() -> None:
    assert main([*SWEEP, "hydra.sweep.dir=s"]) == 0
    plan = json.loads(Path("s/sweep.json").read_text())
    assert [(job["stack"], job["steps"]) for job in plan] == [(0, 32)] * 4
    for run in runs("s"):
        words = yaml.safe_load((Path("s") / run / ".hydra" / "overrides.yaml").read_text())
        train("alone", *words)
        for folder, same in ((f"s/{run}", "alone"), (f"s/{run}/pretrain", "alone/pretrain")):
            assert summary(folder)["figures"] == pytest.approx(summary(same)["figures"], rel=1e-4, abs=1e-6)
        if "freeze=True" in run:
            assert_equal(begins(f"s/{run}", "sharing."), begins(f"s/{run}/pretrain", "sharing."))
        shutil.rmtree("alone")
    assert len(collect([Path("s")]).runs) == 4 and statuses("s") == ["completed"] * 4
    assert not list(Path("s").glob(".stacks/*"))


@pytest.mark.parametrize(
    ("steps", "model"),
    [((9,), "mlp"), ((24 + 3,), "tabular"), ((2, 4, 29), "mlp")],
    ids=["first stage", "second", "again and again"],
)
def test_an_interrupted_run_goes_on_in_its_stage(steps: tuple[int, ...], model: str) -> None:
    words = [*BOTH, f"model={model}", "model.dropout=0.2", "seed=2"]
    train("whole", *words)
    with pytest.MonkeyPatch.context() as patch:
        interrupt_at(patch, *steps)
        assert main([*SMALL, "hydra.run.dir=parts", *words]) == 130
        assert summary("parts")["status"] == "interrupted"
        assert Path("parts/checkpoints/last.pt").exists() == (steps[0] > 24)
        for _ in steps[1:]:
            assert main(["resume", "parts"]) == 130
            assert summary("parts")["status"] == "interrupted"
    assert main(["resume", "parts"]) == 0
    for stage in ("", "/pretrain"):
        assert metrics(f"parts{stage}") == metrics(f"whole{stage}")
        assert_equal(network(f"parts{stage}"), network(f"whole{stage}"))
        assert summary(f"parts{stage}")["status"] == "completed"


def at_step(patch: pytest.MonkeyPatch, act: Callable[[int], None]) -> None:
    """Has `act(steps of both stages)` happen after each step of a stack in its process."""
    before = mtlrun.sweeps.stack_process.SentProgress.step

    def step(self: Any, number: int, losses: Any) -> None:
        before(self, number, losses)
        act(self.before + number)

    patch.setattr(mtlrun.sweeps.stack_process.SentProgress, "step", step)
    patch.setattr(mtlrun.engine.saving, "CHECKPOINT_SECONDS", -1.0)  # one after every epoch
    patch.setattr(mtlrun.engine.saving, "CHECKPOINT_SHARE", 0)


@pytest.mark.parametrize("at", [9, 24 + 3], ids=["first stage", "second"])
def test_an_interrupted_stack_goes_on_to_the_same_bytes(at: int) -> None:
    assert main([*SWEEP, "hydra.sweep.dir=whole"]) == 0
    with pytest.MonkeyPatch.context() as patch:

        def act(step: int) -> None:
            if step == at:
                os.kill(os.getppid(), signal.SIGINT)
                deadline = time.monotonic() + 20
                while not Path("passed on").exists() and time.monotonic() < deadline:
                    time.sleep(0.01)

        def passed_on(running: Any, interrupt: Any = mtlrun.sweeps.pool._interrupt) -> None:
            for _, process in running.values():
                process.terminate()
            time.sleep(0.05)
            Path("passed on").touch()
            interrupt(running)

        at_step(patch, act)
        patch.setattr(mtlrun.sweeps.pool, "_interrupt", passed_on)
        assert main([*SWEEP, "hydra.sweep.dir=s"]) == 130
    assert statuses("s") == ["interrupted"] * 4
    first = summary(f"s/{runs('s')[0]}/pretrain")["status"]
    assert first == ("interrupted" if at < 24 else "completed")
    assert main(["resume", "s"]) == 0
    assert statuses("s") == ["completed"] * 4
    for run in runs("s"):
        for stage in ("", "/pretrain"):
            assert metrics(f"s/{run}{stage}") == metrics(f"whole/{run}{stage}")
    assert not list(Path("s").glob(".stacks/*"))


def test_a_run_whose_first_stage_fails_fails_and_the_others_go_on(capsys: pytest.CaptureFixture[str]) -> None:
    words = ["-m", *SMALL, *BOTH, "optimizer=sgd", "hydra.launcher.processes=1"]
    assert main([*words, "lr.base=0.01,1e30,0.02", "hydra.sweep.dir=s"]) == 1
    assert statuses("s") == ["completed", "failed", "completed"]
    failed = f"s/{runs('s')[1]}"
    error = summary(failed)["error"]
    assert error.startswith("in the first stage, pretrain/: diverged: the loss of price") and error in (
        capsys.readouterr().out
    )
    assert error in (Path(failed) / "run.log").read_text() and metrics(failed).startswith(b"epoch,step")
    assert main(["resume", "s"]) == 0 and statuses("s") == ["completed", "failed", "completed"]  # it stays so
    assert main([*SMALL, *BOTH, "optimizer=sgd", "lr.base=1e30", "hydra.run.dir=out"]) == 1
    assert summary("out")["status"] == "failed" and summary("out")["error"] == error
    assert main([*words, "lr.base=0.01,1e20,0.02", "hydra.sweep.dir=t"]) == 1  # in other company, the same bits
    for run in (0, 2):
        assert metrics(f"s/{runs('s')[run]}") == metrics(f"t/{runs('t')[run]}")


def test_a_stack_that_is_halved_begins_its_first_stage_anew() -> None:
    assert main([*SWEEP, "hydra.sweep.dir=whole"]) == 0
    before = mtlrun.runs.stack_training.train_stack
    with pytest.MonkeyPatch.context() as patch:

        def small(runs: StackOfRuns, *others: Any) -> Any:
            if len(runs.configs) > 2 and runs.configs[0].net.pretrain is None:
                raise MemoryError("not enough memory")
            return before(runs, *others)

        patch.setattr(mtlrun.runs.stack_training, "train_stack", small)
        assert main([*SWEEP, "hydra.sweep.dir=s"]) == 0
    assert [job["stack"] for job in json.loads(Path("s/sweep.json").read_text())] == [1, 1, 2, 2]
    for run in runs("s"):
        assert summary(f"s/{run}")["figures"] == pytest.approx(summary(f"whole/{run}")["figures"], rel=1e-4, abs=1e-6)


REFUSED = {
    "model.pretrain=[]": ("model.pretrain: found an empty list", "price, sold, tax"),
    "model.pretrain=[prise]": ("model.pretrain: no task is named 'prise'; did you mean price?", "price"),
    "model.pretrain=[price,sold,tax]": ("model.pretrain: found every task", "allowed: some of price, sold, tax"),
    "model.pretrain=[price] model.init_from=x": ("model.pretrain: model.init_from names a trunk", "one of the two"),
    "model.pretrain=[price] model.hidden=[]": ("model.pretrain: the trunk has no parameters", "model.hidden=[64]"),
    "model.freeze=true model.hidden=[]": ("model.freeze: the trunk has no parameters", "model.hidden=[64]"),
    "model.freeze=true trainer.gradient_noise=1": ("trainer.gradient_noise: is added", "model.freeze=false"),
    "model.pretrain=[price] loss=fixed loss.weights.price=0": (
        "loss.weights: every task has weight 0",
        "in the first stage, model.pretrain=price",
    ),
    "model.pretrain=[price] sharing=none": ("model.pretrain: sharing=none has parts of its own", "sharing=hard"),
}


@pytest.mark.parametrize("words", REFUSED)
def test_a_first_stage_that_cannot_be_is_refused(words: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([*SMALL, *words.split()]) == 2
    answer = capsys.readouterr().err
    assert answer.startswith(f"mtlrun: {REFUSED[words][0]}") and REFUSED[words][1] in answer, answer
    assert len(answer.splitlines()) <= 2


def test_settings_of_the_first_stages_tasks_are_not_called_left_out(capsys: pytest.CaptureFixture[str]) -> None:
    words = [*BOTH, "lr=per_head", "lr.heads.price=0.01", "lr.heads.tax=0.01"]
    assert main(["check", *SMALL, *words]) == 0
    assert "lr.heads: tax left out, as `only` leaves out the task" in capsys.readouterr().out
