"""The writer of a run's folder: what other programs read back, resuming, and that nothing stays open."""

import io
import logging
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml

from mtlrun.storage import events
from mtlrun.storage.writer import RunWriter
from mtlrun.util.errors import RequestError

ROOT = Path(__file__).resolve().parents[2]
SETTINGS = {"loss": "uncertainty", "lr.base": 0.01, "trainer.epochs": 3, "model.bias": True, "seed": "1", "only": None}


def rows(step: int, offset: float = 0.0) -> list[tuple[int, int, str, str, str, float]]:
    """An evaluation's rows, each with a value of its own."""
    keys = [("train", "price", "loss"), ("train", "", "rate"), ("val", "a,b", "rmse"), ("val", 'ü "x"', "accuracy")]
    return [(step // 10, step, *key, (step + i) / 7 + offset) for i, key in enumerate(keys)]


def event_files(folder: Path) -> list[Path]:
    return sorted(folder.glob("events.out.tfevents.*"))


def scalars(folder: Path) -> dict[str, list[tuple[int, float]]]:
    """Step and value of every point that TensorBoard shows, by tag; its two readers in Python must agree."""
    from tensorboard.backend.event_processing import event_accumulator, plugin_event_accumulator
    from tensorboard.util.tensor_util import make_ndarray

    old = event_accumulator.EventAccumulator(str(folder), size_guidance={"scalars": 0}).Reload()
    new = plugin_event_accumulator.EventAccumulator(str(folder), size_guidance={"tensors": 0}).Reload()
    shown = {tag: [(e.step, e.value) for e in old.Scalars(tag)] for tag in old.Tags()["scalars"]}
    tags = [tag for tag in new.Tags()["tensors"] if not tag.startswith("_hparams_")]
    assert shown == {tag: [(e.step, make_ndarray(e.tensor_proto).item()) for e in new.Tensors(tag)] for tag in tags}
    return shown


def csv_scalars(folder: Path) -> dict[str, list[tuple[int, float]]]:
    """The same from metrics.csv, in the single precision of TensorBoard."""
    points: dict[str, list[tuple[int, float]]] = {}
    for row in pd.read_csv(folder / "metrics.csv", keep_default_na=False).itertuples():
        tag = "/".join(filter(None, (row.split, row.task, row.metric)))
        with np.errstate(over="ignore"):
            points.setdefault(tag, []).append((row.step, float(np.float32(row.value))))
    return points


def messages(path: Path) -> list:
    """The events of one file, in order."""
    from tensorboard.backend.event_processing.event_file_loader import LegacyEventFileLoader

    return list(LegacyEventFileLoader(str(path)).Load())


# -------------------------------------------------- metrics.csv and TensorBoard


def test_tensorboard_shows_every_row_of_metrics_csv(tmp_path: Path) -> None:
    writer = RunWriter(tmp_path, tensorboard=True)
    for step in (10, 20, 30):
        writer.rows(rows(step))
    extremes = [1e-30, -3.4e38, 1e300, -1e300, 0.1 + 0.2]
    writer.rows([(4, 40, "val", "t", f"m{i}", value) for i, value in enumerate(extremes)])
    assert len(csv_scalars(tmp_path)) == 4 + len(extremes)
    assert scalars(tmp_path) == csv_scalars(tmp_path)
    assert list(pd.read_csv(tmp_path / "metrics.csv").value[-5:]) == extremes
    assert writer.offset == len((tmp_path / "metrics.csv").read_bytes())


def test_each_step_is_one_event_also_where_a_call_holds_several(tmp_path: Path) -> None:
    writer = RunWriter(tmp_path, tensorboard=True)
    assert [e.file_version for e in messages(event_files(tmp_path)[0])] == ["brain.Event:2", ""]
    writer.rows([*rows(10), *rows(20), (1, 10, "test", "price", "rmse", 0.5)])
    writer.rows(rows(30))
    shown = [(e.step, len(e.summary.value)) for e in messages(event_files(tmp_path)[0])[2:]]
    assert shown == [(10, 5), (20, 4), (30, 4)]


def test_the_first_group_of_tags_has_the_primary_figures(tmp_path: Path) -> None:
    writer = RunWriter(tmp_path, tensorboard=True, primary={"price": "rmse", "cut": "accuracy"})
    for step in (10, 20):
        keys = [
            ("train", "price", "rmse"),
            ("val", "price", "rmse"),
            ("val", "price", "mae"),
            ("val", "cut", "accuracy"),
        ]
        writer.rows([(1, step, *key, step + i / 8) for i, key in enumerate(keys)])
    writer.rows([(1, 10, "test", "price", "rmse", 9.0), (1, 10, "test", "price", "mae", 8.0)])
    shown = scalars(tmp_path)
    extra = {tag: points for tag, points in shown.items() if tag not in csv_scalars(tmp_path)}
    assert extra == {
        "primary/price/rmse/val": [(10, 10.125), (20, 20.125)],
        "primary/cut/accuracy/val": [(10, 10.375), (20, 20.375)],
        "primary/price/rmse/test": [(10, 9.0)],
    }
    assert min(tag.split("/")[0] for tag in shown) == "primary"  # TensorBoard opens the first two groups


def test_records_are_those_of_tensorboard_s_own_writer(tmp_path: Path) -> None:
    from tensorboard.summary.writer.record_writer import RecordWriter

    writer = RunWriter(tmp_path, tensorboard=True)
    writer.rows([(1, 1, "val", f"task{i}", "loss", i / 3) for i in range(100)])
    writer.hyperparameters(SETTINGS, {"test/a/rmse": 1.0})
    path, expected = event_files(tmp_path)[0], io.BytesIO()
    for message in messages(path):
        RecordWriter(expected).write(message.SerializeToString())
    assert len(messages(path)) == 4
    assert path.read_bytes() == expected.getvalue()


def test_without_tensorboard_there_is_no_event_file(tmp_path: Path) -> None:
    writer = RunWriter(tmp_path, tensorboard=False)
    writer.rows(rows(10))
    writer.hyperparameters(SETTINGS, {})
    assert [path.name for path in tmp_path.iterdir()] == ["metrics.csv"]
    assert len(pd.read_csv(tmp_path / "metrics.csv")) == 4


def test_hyperparameters_are_those_that_torch_writes(tmp_path: Path) -> None:
    from tensorboard.compat.proto.summary_pb2 import Summary
    from tensorboard.plugins.hparams.plugin_data_pb2 import HParamsPluginData
    from torch.utils.tensorboard.summary import hparams

    def content(summaries: list[Summary]) -> list[tuple[str, str, HParamsPluginData]]:
        values = [value for summary in summaries for value in summary.value]
        plugins = [(value.tag, value.metadata.plugin_data) for value in values]
        # parsed, as the order of a map's entries in the bytes is not fixed
        return [(tag, p.plugin_name, HParamsPluginData.FromString(p.content)) for tag, p in plugins]

    figures = {"test/a/rmse": 1.5, "test/b/accuracy": 0.5}
    writer = RunWriter(tmp_path, tensorboard=True)
    writer.hyperparameters(SETTINGS, figures)
    (path,) = event_files(tmp_path)
    ours = content([messages(path)[-1].summary])
    assert ours == content(hparams(SETTINGS | {"only": "None"}, figures))
    start = ours[1][2].session_start_info.hparams
    assert (start["loss"].string_value, start["lr.base"].number_value) == ("uncertainty", 0.01)


# -------------------------------------------------- resuming


def test_a_resumed_run_shows_each_step_once(tmp_path: Path) -> None:
    first = RunWriter(tmp_path, tensorboard=True)
    for step in (10, 20):
        first.rows(rows(step))
    offset = first.offset
    for step in (30, 40):  # after the checkpoint
        first.rows(rows(step))
    second = RunWriter(tmp_path, tensorboard=True, offset=offset, step=20)
    for step in (30, 40, 50):
        second.rows(rows(step, 0.5))
    assert len(event_files(tmp_path)) == 2
    shown = scalars(tmp_path)
    assert shown == csv_scalars(tmp_path)
    expected = [10 / 7, 20 / 7, 30 / 7 + 0.5, 40 / 7 + 0.5, 50 / 7 + 0.5]
    assert [step for step, _ in shown["train/price/loss"]] == [10, 20, 30, 40, 50]
    assert [value for _, value in shown["train/price/loss"]] == pytest.approx(expected, rel=1e-6)


def test_a_run_that_begins_anew_hides_what_the_folder_showed(tmp_path: Path) -> None:
    RunWriter(tmp_path, tensorboard=True).rows([*rows(10), *rows(20)])
    RunWriter(tmp_path, tensorboard=True).rows(rows(10, 0.5))
    assert len(csv_scalars(tmp_path)) == 4
    assert scalars(tmp_path) == csv_scalars(tmp_path)


def test_a_torn_last_record_does_not_hide_what_a_resumed_run_adds(tmp_path: Path) -> None:
    first = RunWriter(tmp_path, tensorboard=True)
    first.rows(rows(10))
    offset = first.offset
    first.rows(rows(20))
    (path,) = event_files(tmp_path)
    path.write_bytes(path.read_bytes()[:-5])  # killed while it wrote
    RunWriter(tmp_path, tensorboard=True, offset=offset, step=10).rows(rows(20, 0.5))
    assert scalars(tmp_path) == csv_scalars(tmp_path)


def test_event_files_are_named_in_the_order_in_which_they_are_written(tmp_path: Path) -> None:
    for name in (
        "events.out.tfevents.1111111111.host.1.0",
        "events.out.tfevents.9999999997.a.host.2.0",
        "events.out.tfevents.copy",
        "events.out.tfevents.",
    ):
        (tmp_path / name).touch()
    assert events.new_path(tmp_path).name.startswith("events.out.tfevents.9999999998.")  # the clock was put back
    RunWriter(tmp_path / "run", tensorboard=True)
    (before,) = event_files(tmp_path / "run")
    RunWriter(tmp_path / "run", tensorboard=True)
    assert len(event_files(tmp_path / "run")) == 2 and event_files(tmp_path / "run")[0] == before


@pytest.mark.parametrize("left", [None, 10], ids=["gone", "shortened"])
def test_a_metrics_csv_that_ends_before_the_checkpoint_is_a_wrong_request(tmp_path: Path, left: int | None) -> None:
    writer = RunWriter(tmp_path, tensorboard=False)
    writer.rows(rows(10))
    offset = writer.offset
    if left is None:
        writer.path.unlink()
    else:
        os.truncate(writer.path, left)
    with pytest.raises(RequestError, match=rf"metrics.csv: found {left or 0} bytes, .* goes on from {offset}\nrestore"):
        RunWriter(tmp_path, tensorboard=False, offset=offset, step=10)


# -------------------------------------------------- files


def test_a_write_that_takes_only_a_part_is_continued(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    calls, write = [], os.write

    def partial(file: int, data: bytes) -> int:
        calls.append(len(data))
        return write(file, data[:7])

    writer = RunWriter(tmp_path, tensorboard=True)
    monkeypatch.setattr(os, "write", partial)
    writer.rows(rows(10))
    writer.log(["one line that is longer than seven bytes"])
    monkeypatch.undo()
    assert len(calls) > 20
    assert len(csv_scalars(tmp_path)) == 4
    assert scalars(tmp_path) == csv_scalars(tmp_path)
    assert (tmp_path / "run.log").read_text().endswith(" INFO one line that is longer than seven bytes\n")


def test_a_file_that_was_removed_is_not_begun_in_its_middle(tmp_path: Path) -> None:
    writer = RunWriter(tmp_path, tensorboard=False)
    writer.path.unlink()
    with pytest.raises(FileNotFoundError, match=r"metrics\.csv"):
        writer.rows(rows(10))
    assert not writer.path.exists()


def test_log_writes_what_the_handler_of_conf_config_yaml_writes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("time.time", lambda: 1_700_000_000.125)
    monkeypatch.setattr("time.time_ns", lambda: 1_700_000_000_125_000_000)  # what logging reads from 3.13 on
    lines = ["100% of the data: price, Köln", "a table:\n  of two lines", ""]
    format_ = yaml.safe_load((ROOT / "conf/config.yaml").read_text())["hydra"]["job_logging"]["formatters"]["timed"]
    handler = logging.FileHandler(tmp_path / "expected.log", encoding="utf-8")
    handler.setFormatter(logging.Formatter(format_["format"]))
    logger = logging.Logger("mtlrun.test")
    logger.addHandler(handler)
    for line in lines:
        logger.info(line)
    handler.close()
    writer = RunWriter(tmp_path, tensorboard=False)
    writer.log(lines[:1])
    writer.log(lines[1:])
    assert (tmp_path / "run.log").read_bytes() == (tmp_path / "expected.log").read_bytes()
    assert (tmp_path / "run.log").read_text().count(",125 INFO ") == 3


MANY = """
import resource, sys, threading
from pathlib import Path
from mtlrun.storage.writer import RunWriter
resource.setrlimit(resource.RLIMIT_NOFILE, (256, 256))
writers = [RunWriter(Path("runs", str(i)), True) for i in range(2000)]
for step in (1, 2):
    for i, writer in enumerate(writers):
        writer.rows([(1, step, "val", "a", "loss", i + step / 10)])
for i, writer in enumerate(writers):
    writer.hyperparameters({"seed": str(i)}, {"test/a/loss": 0.0})
    writer.log([f"run {i}"])
print(threading.active_count(), sorted({"torch", "numpy", "tensorflow"} & set(sys.modules)))
"""


def test_two_thousand_writers_at_once_hold_no_file_and_start_no_thread(tmp_path: Path) -> None:
    (tmp_path / "tensorflow.py").touch()  # torch.utils.tensorboard would import it
    env = {**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT), str(tmp_path)])}
    done = subprocess.run([sys.executable, "-c", MANY], cwd=tmp_path, env=env, capture_output=True, text=True)
    assert (done.stdout, done.stderr) == ("1 []\n", "")
    assert len(list(tmp_path.glob("runs/*/run.log"))) == 2000
    for i in (0, 1999):
        values = [float(np.float32(i + 0.1)), float(np.float32(i + 0.2))]
        assert scalars(tmp_path / "runs" / str(i)) == {"val/a/loss": [(1, values[0]), (2, values[1])]}
