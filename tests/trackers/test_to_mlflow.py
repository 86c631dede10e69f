"""Runs sent to a real local MLflow server."""

import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from sent import contents

from mtlrun.cli.main import main

pytest.importorskip("mlflow.server", reason="MLflow is not installed: pip install mlflow", exc_type=ImportError)
tracker_module = pytest.importorskip("mtlrun.trackers.to_mlflow", exc_type=ImportError)
KEY, PARENT, MlflowTracker = tracker_module.KEY, tracker_module.PARENT, tracker_module.MlflowTracker
pytestmark = pytest.mark.slow  # the server takes some seconds to start


@pytest.fixture(scope="module")
def uri(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    folder = tmp_path_factory.mktemp("mlflow")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    words = ["--backend-store-uri", "sqlite:///runs.db", "--artifacts-destination", "files", "--workers", "1"]
    command = [sys.executable, "-m", "mlflow", "server", *words, "--host", "127.0.0.1", "--port", str(port)]
    environment = os.environ | {"MLFLOW_DISABLE_TELEMETRY": "true"}
    with open(folder / "log", "w") as log:
        server = subprocess.Popen(command, cwd=folder, env=environment, stdout=log, stderr=log, start_new_session=True)
    try:
        address = f"http://127.0.0.1:{port}"
        for _ in range(600):
            try:
                urllib.request.urlopen(f"{address}/health", timeout=1)
                break
            except OSError:
                assert server.poll() is None, (folder / "log").read_text()
                time.sleep(0.1)
        yield address
    finally:
        os.killpg(server.pid, signal.SIGTERM)
        server.wait()


def stored(uri: str, project: str) -> tuple[Any, list[Any]]:
    """The client, and the runs of an experiment."""
    tracker = MlflowTracker(project, uri)
    return tracker.client, list(tracker.client.search_runs([tracker.experiment]))


def test_a_sweep_is_a_run_with_nested_runs(uri: str, sweep: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (sweep / "compare").mkdir()
    (sweep / "compare/report.html").write_text("a page")
    for said in ("sweep: sent 4 runs\n", "sweep: already there: 4 runs\n"):
        assert main(["log", str(sweep), "--to", "mlflow", "--uri", uri, "--project", "nested", "--checkpoints"]) == 0
        assert capsys.readouterr().out == f"{said}mlflow, experiment nested at {uri}\n"
        client, runs = stored(uri, "nested")
        (parent,) = [run for run in runs if PARENT not in run.data.tags]
        nested = {run.info.run_name: run for run in runs if run.data.tags.get(PARENT) == parent.info.run_id}
        assert len(runs) == 5 and len(nested) == 4 and parent.info.run_name == "sweep"
    assert {run.info.status for run in runs} == {"FINISHED"}
    assert [file.path for file in client.list_artifacts(parent.info.run_id, "compare")] == ["compare/report.html"]

    for content in contents(sweep):
        run = nested[content.name]
        assert run.data.params["loss"] == content.params["loss"] and len(run.data.params) == len(content.params)
        for name, value in content.figures.items():
            assert run.data.metrics[name] == value
        assert run.data.tags["mtlrun.config_hash"] == content.tags["mtlrun.config_hash"]
        assert run.info.end_time == int(1000 * content.ended)
        curves = content.curves()
        history = client.get_metric_history(run.info.run_id, "val/price/rmse")
        assert {m.step: m.value for m in history} == {
            step: values["val/price/rmse"] for step, values in curves.items() if "val/price/rmse" in values
        }
        paths = {file.path for file in client.list_artifacts(run.info.run_id)}
        assert paths == {"summary.json", "metrics.csv", "checkpoints"}


def test_more_figures_than_one_request_takes(uri: str, sweep: Path) -> None:
    content = contents(sweep)[0]
    rows = [f"1,{step},val,price,rmse,{step / 3}" for step in range(2500)]
    (content.folder / "metrics.csv").write_text("\n".join(["epoch,step,split,task,metric,value", *rows]) + "\n")
    MlflowTracker("many", uri).add_run(content, None)
    client, (run,) = stored(uri, "many")
    history = client.get_metric_history(run.info.run_id, "val/price/rmse")
    assert sorted((m.step, m.value) for m in history) == [(step, step / 3) for step in range(2500)]


def test_a_run_of_which_a_part_was_sent_is_sent_anew(uri: str, sweep: Path) -> None:
    content = contents(sweep)[0]
    tracker = MlflowTracker("half", uri)
    half = tracker.client.create_run(tracker.experiment, tags={KEY: content.key}).info.run_id
    foreign = tracker.client.create_run(tracker.experiment).info.run_id
    again = MlflowTracker("half", uri)
    assert not again.has(content)
    again.add_run(content, None)
    assert MlflowTracker("half", uri).has(content)
    _, runs = stored(uri, "half")
    assert len(runs) == 2 and half not in {run.info.run_id for run in runs}
    assert foreign in {run.info.run_id for run in runs}


def test_errors_name_the_server_and_what_to_do(uri: str, sweep: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["log", str(sweep), "--to", "mlflow"]
    assert main([*words, "--uri", "http://127.0.0.1:9"]) == 2
    assert "at http://127.0.0.1:9: " in (said := capsys.readouterr().err) and "MLFLOW_TRACKING_URI" in said
    tracker = MlflowTracker("gone", uri)
    tracker.client.delete_experiment(tracker.experiment)
    assert main([*words, "--uri", uri, "--project", "gone"]) == 2
    assert "experiment gone was deleted in MLflow\nallowed: another name" in capsys.readouterr().err
