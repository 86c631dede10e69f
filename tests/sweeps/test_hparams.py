"""TensorBoard's HPARAMS tab over the runs of a sweep, as TensorBoard itself reads it."""

from pathlib import Path

import pandas as pd
import pytest
from commands import main

WORDS = ["data=table", "data.path=t.csv", "tasks={a: {type: regression}, b: {type: categorical}}", "model.hidden=[4]"]
CASES = {
    # the arguments, the settings, and the tasks of the figures
    "tasks": (["only=[a],[b]", "seed=0"], ["only"], "ab"),
    "arms": (["arms=[{loss: sum}, {loss: uncertainty, loss.lr: 0.01}]", "seed=3"], ["loss", "loss.lr"], "ab"),
    "seeds": (["seed=0,1", "lr.base=0.01", "only=[a]"], ["seed"], "a"),
    "nothing varies": (["seed=3", "only=[a]"], ["seed"], "a"),
}


def shown(folder: Path) -> tuple[list[str], list[str]]:
    """The settings and the figures that the tab has as columns."""
    from tensorboard import context
    from tensorboard.backend.event_processing import data_provider, plugin_event_multiplexer
    from tensorboard.plugins import base_plugin
    from tensorboard.plugins.hparams import api_pb2, backend_context, get_experiment

    runs = plugin_event_multiplexer.EventMultiplexer()
    runs.AddRunsFromDirectory(str(folder))
    runs.Reload()
    provider = data_provider.MultiplexerDataProvider(runs, str(folder))
    backend = backend_context.Context(base_plugin.TBContext(data_provider=provider))
    request = api_pb2.GetExperimentRequest(experiment_name="e")
    found = get_experiment.Handler(context.RequestContext(), backend, "e", request).run()
    return [info.name for info in found.hparam_infos], [info.name.tag for info in found.metric_infos]


@pytest.mark.parametrize("case", CASES)
def test_the_columns_are_those_of_the_whole_sweep(case: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    pd.DataFrame({"x": range(40), "a": [i % 7 for i in range(40)], "b": ["no", "yes"] * 20}).to_csv(
        "t.csv", index=False
    )
    words, settings, tasks = CASES[case]
    assert main(["-m", *WORDS, "trainer.epochs=1", *words, "hydra.sweep.dir=s"]) == 0
    found, figures = shown(tmp_path / "s")
    assert found == settings
    assert {name.split("/")[1] for name in figures} == set(tasks) and all(name.startswith("test/") for name in figures)
    assert figures[: len(tasks)] == [f"test/{task}/{'rmse' if task == 'a' else 'accuracy'}" for task in tasks]
