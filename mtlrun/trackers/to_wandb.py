"""Sends runs to Weights & Biases, or into its local folder (WANDB_MODE=offline). A sweep is a group."""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from typing import Any

import wandb

from mtlrun.trackers.content import Content
from mtlrun.trackers.tracker import Tracker
from mtlrun.util.errors import RequestError, in_one_line

SENT = "mtlrun.sent"  # a file in the local folder of a run: the whole of it is there
OFFLINE = "offline-run-"
# W&B would store output, code, packages and load of the process that sends, not of the one that trained
OF_THE_SENDER: dict[str, Any] = {
    "silent": True,
    "console": "off",
    "disable_git": True,
    "disable_code": True,
    "x_disable_meta": True,
    "x_disable_stats": True,
    "x_save_requirements": False,
}


class WandbTracker(Tracker):
    """A project of W&B.

    project: its name. uri: None; W&B reads WANDB_BASE_URL, WANDB_ENTITY, WANDB_MODE and WANDB_DIR itself.
    Raises RequestError if W&B refuses, as it does without a login.
    """

    def __init__(self, project: str, uri: str | None) -> None:
        if uri is not None:
            raise RequestError("--uri: is for --to mlflow\nallowed: the environment variable WANDB_BASE_URL")
        self.project = project
        with _errors():
            self.settings = wandb.setup().settings
        self.offline = self.settings.mode == "offline" or bool(getattr(self.settings, "_offline", False))
        self.folder = Path(self.settings.wandb_dir)
        self.place = f"wandb, project {project}" + (f", offline in {self.folder}" if self.offline else "")

    def has(self, content: Content) -> bool:
        """Whether the whole of it was sent before."""
        if self.offline:
            return any((folder / SENT).is_file() for folder in self._local(content))
        return content.key in self._finished

    def add_sweep(self, sweep: Content) -> None:
        """Sends the files of a sweep, as a run of its group."""
        with self._run(sweep, sweep, "sweep"):
            pass

    def add_run(self, run: Content, sweep: Content | None) -> None:
        """Sends a run: config, curves step by step, final figures as its summary, files."""
        with self._run(run, sweep, "run") as sent:
            for step, values in run.curves().items():
                sent.log(values, step=step)
            sent.summary.update(dict(run.figures))

    @contextmanager
    def _run(self, content: Content, sweep: Content | None, job_type: str) -> "Iterator[wandb.Run]":
        for half in self._local(content):
            shutil.rmtree(half)
        with _errors():
            run = wandb.init(
                project=self.project,
                id=content.key,
                name=content.name,
                group=None if sweep is None else sweep.name,
                job_type=job_type,
                config={**content.params, **content.tags},
                resume=None if self.offline else "allow",
                reinit="create_new",
                settings=wandb.Settings(**OF_THE_SENDER),
            )
            try:
                yield run
                self._send_files(run, content)
            except BaseException:
                run.finish(exit_code=1)
                raise
            place = Path(run.dir).parent
            run.finish()
        if self.offline:
            (place / SENT).touch()

    def _send_files(self, run: "wandb.Run", content: Content) -> None:
        """Copies the files to W&B's folder, because it would keep links only."""
        for name, paths in content.files.items():
            folder = Path(run.dir) / name
            folder.mkdir(exist_ok=True)
            for path in paths:
                shutil.copyfile(path, folder / path.name)
                run.save(folder / path.name, base_path=run.dir, policy="now")

    def _local(self, content: Content) -> list[Path]:
        """The folders of a run that W&B keeps here until they are synced."""
        return sorted(self.folder.glob(f"{OFFLINE}*-{content.key}")) if self.offline else []

    @cached_property
    def _finished(self) -> set[str]:
        """The ids of the finished runs of the project on the server."""
        with _errors():
            api = wandb.Api()
            path = f"{os.environ.get('WANDB_ENTITY') or api.default_entity}/{self.project}"
            try:
                return {run.id for run in api.runs(path, filters={"state": "finished"})}
            except (ValueError, wandb.errors.CommError):  # there is no such project yet
                return set()


@contextmanager
def _errors() -> Iterator[None]:
    """Turns an error of W&B into a RequestError."""
    try:
        yield
    except wandb.errors.Error as error:
        raise RequestError(
            f"wandb: {in_one_line(error)[:300]}\nallowed: after wandb login, or with WANDB_MODE=offline"
        ) from None
