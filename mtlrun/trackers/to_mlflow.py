"""Sends runs to an MLflow server or store, through its client. A sweep is a parent run with nested runs."""

import os
from collections.abc import Iterator
from contextlib import contextmanager

from mtlrun.trackers.content import Content, as_text, in_batches
from mtlrun.trackers.tracker import Tracker
from mtlrun.util.errors import RequestError, in_one_line

os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
os.environ.setdefault("MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT", "true")  # two lines per run
os.environ.setdefault("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "2")  # a server that is down: seconds, not minutes
from mlflow import MlflowClient
from mlflow.entities import Metric, Param
from mlflow.exceptions import MlflowException

KEY = "mtlrun.key"
PARENT = "mlflow.parentRunId"
METRICS, PARAMS = 1000, 100  # of one request, the limits of the server
LONGEST = 6000  # characters of a param
PAGE = 1000  # runs of one answer


class MlflowTracker(Tracker):
    """An experiment of MLflow.

    project: its name. uri: of the server or store; None: MLFLOW_TRACKING_URI, or MLflow's default
    Raises RequestError if the server does not answer, or if the experiment was deleted there.
    """

    def __init__(self, project: str, uri: str | None) -> None:
        self.client = MlflowClient(tracking_uri=uri)
        self.place = f"mlflow, experiment {project} at {self.client.tracking_uri}"
        with self._errors():
            found = self.client.get_experiment_by_name(project)
            if found is not None and found.lifecycle_stage == "deleted":
                raise RequestError(f"--project: experiment {project} was deleted in MLflow\nallowed: another name")
            self.experiment = found.experiment_id if found is not None else self.client.create_experiment(project)
            self.sent = dict(self._sent())  # key -> id of the run

    def has(self, content: Content) -> bool:
        """Whether the whole of it was sent before."""
        return content.key in self.sent

    def add_sweep(self, sweep: Content) -> None:
        """Sends the parent run of a sweep."""
        with self._errors():
            run_id = self.sent.get(sweep.key) or self._begin(sweep, {})
            self._send_files(run_id, sweep)
            self._end(run_id, sweep)

    def add_run(self, run: Content, sweep: Content | None) -> None:
        """Sends a run: params, final figures and curves in batches, then files."""
        with self._errors():
            run_id = self._begin(run, {PARENT: self.sent[sweep.key]} if sweep is not None else {})
            at, last = int(1000 * run.ended), int(run.figures.get("steps", 0))
            curves = [Metric(tag, v, at, step) for step, values in run.curves().items() for tag, v in values.items()]
            known = {metric.key for metric in curves}
            finals = [Metric(name, v, at, last) for name, v in run.figures.items() if name not in known]
            for metrics in in_batches([*finals, *curves], METRICS):
                self.client.log_batch(run_id, metrics=metrics)
            self._send_files(run_id, run)
            self._end(run_id, run)

    def _sent(self) -> Iterator[tuple[str, str]]:
        """Key and id of the runs of mtlrun in the experiment. Deletes those of which only a part was sent."""
        token = None
        while True:
            page = self.client.search_runs([self.experiment], f"tags.`{KEY}` != ''", max_results=PAGE, page_token=token)
            for run in page:
                if run.info.status == "FINISHED":
                    yield run.data.tags[KEY], run.info.run_id
                else:
                    self.client.delete_run(run.info.run_id)
            token = page.token
            if not token:
                return

    def _begin(self, content: Content, tags: dict[str, str]) -> str:
        start = int(1000 * (content.ended - content.seconds))
        tags = {KEY: content.key, "mlflow.source.name": "mtlrun", **content.tags, **tags}
        run_id: str = self.client.create_run(self.experiment, start, tags, content.name).info.run_id
        for params in in_batches(content.params.items(), PARAMS):
            self.client.log_batch(run_id, params=[Param(key, as_text(value, LONGEST)) for key, value in params])
        return run_id

    def _send_files(self, run_id: str, content: Content) -> None:
        for folder, paths in content.files.items():
            for path in paths:
                self.client.log_artifact(run_id, str(path), folder or None)

    def _end(self, run_id: str, content: Content) -> None:
        self.client.set_terminated(run_id, "FINISHED", int(1000 * content.ended))
        self.sent[content.key] = run_id

    @contextmanager
    def _errors(self) -> Iterator[None]:
        """Turns an error of MLflow into a RequestError."""
        try:
            yield
        except MlflowException as error:
            words = in_one_line(error)
            raise RequestError(
                f"{self.place}: {words[:300]}\nallowed: --uri or MLFLOW_TRACKING_URI of a server that answers"
            ) from None
