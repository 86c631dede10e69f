"""A table that is named without a data option: nothing of the default data merges with it."""

from pathlib import Path

import pytest

from mtlrun.compose import compose, planned_runs, single
from mtlrun.config.schema import Config
from mtlrun.util.errors import RequestError

TASKS = "tasks={y: {type: regression}}"
OF_THE_DIAMONDS = ["price", "cut", "color", "clarity"]


def runs_of(*words: str, multirun: bool = False) -> list[Config]:
    request = compose(list(words), multirun=multirun)
    return [run.config for run in planned_runs(request)] if request.sweep else [single(request)]


def experiment(name: str, text: str) -> None:
    Path(f"conf/experiment/{name}.yaml").write_text(f"# @package _global_\n{text}")


@pytest.mark.parametrize(
    "words",
    [
        ["data.path=t.csv", TASKS],
        [TASKS, "+data.path=t.csv"],
        ["data.path=t.csv", "tasks.y.type=regression"],
        ["data.path='t.csv'", TASKS, "data.split.seed=1"],
        ["data={path: t.csv}", TASKS],
        ["data.path=t.csv", TASKS, "only=y"],
        ["-m", "data.path=t.csv", TASKS, "seed=1,2"],
        ["-m", "data.path=t.csv,u.csv", TASKS],
        ["-m", "data.path=t.csv", TASKS, "loss=sum,uncertainty"],
        ["-m", "arms=[{data.path: t.csv, tasks.y.type: regression}]"],
        ["-m", "arms=baselines", "data.path=t.csv", TASKS],
        ["experiment=baselines", "data.path=t.csv", TASKS],
        ["experiment=mine"],
        ["-m", "experiment=mine,other"],
    ],
)
def test_the_tasks_and_inputs_are_the_users(words: list[str], here: Path) -> None:
    experiment("mine", "data: {path: t.csv}\ntasks: {y: {type: regression}}\n")
    experiment("other", "data: {path: u.csv}\ntasks: {y: {type: regression}}\nseed: 3\n")
    Path("t.csv").write_text("a,y\n" + "".join(f"{row % 7},{row}\n" for row in range(40)))  # a plan reads it
    found = runs_of(*[word for word in words if word != "-m"], multirun="-m" in words)
    for config in found:
        assert config.data.path in (str(here / "t.csv"), str(here / "u.csv"))
        assert list(config.tasks) == ["y"] and config.data.inputs is None


@pytest.mark.parametrize(
    ("words", "tasks"),
    [
        (["data=diamonds", "data.path=t.csv", TASKS], [*OF_THE_DIAMONDS, "y"]),
        (["data=houses", "data.path=t.csv", TASKS], ["price", "kind", "y"]),
        (["data=houses", TASKS], ["price", "kind", "y"]),
        (["experiment=barns", "data.path=t.csv", TASKS], ["price", "kind", "y"]),
        (["experiment=barns", TASKS], ["price", "kind", "y"]),
        ([TASKS], [*OF_THE_DIAMONDS, "y"]),
        (["data=table", "data.path=t.csv", TASKS], ["y"]),
        (["data.split.seed=1"], OF_THE_DIAMONDS),
    ],
)
def test_a_data_option_that_is_named_keeps_its_tasks(words: list[str], tasks: list[str]) -> None:
    experiment("barns", "defaults: [override /data: barns]\n")
    for multirun in (False, True):
        (config,) = runs_of(*words, multirun=multirun)
        assert list(config.tasks) == tasks


def test_an_arm_may_name_the_option() -> None:
    (diamonds, table) = runs_of("arms=[{data: diamonds},{seed: 1}]", "data.path=t.csv", TASKS, multirun=True)
    assert list(diamonds.tasks) == [*OF_THE_DIAMONDS, "y"] and list(table.tasks) == ["y"]


def test_a_table_alone_asks_for_tasks() -> None:
    with pytest.raises(RequestError, match="tasks: none are given\nname some: "):
        single(compose(["data.path=t.csv"]))


def test_launchers_that_compose_each_run_get_the_option() -> None:
    request = compose(["data.path=t.csv", TASKS, "seed=1,2", "hydra/launcher=basic"], multirun=True)
    for run in planned_runs(request):
        cfg = request.loader.load_sweep_config(request.cfg, run.arguments)
        assert list(cfg.tasks) == ["y"] and cfg.data.inputs is None
        assert list(run.overrides) == ["data.path", "tasks", "seed"]  # the columns of results.csv
