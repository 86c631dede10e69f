"""Runs sent to W&B's local folder (WANDB_MODE=offline), and read back from its log."""

import json
import struct
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from sent import contents

from mtlrun.cli.main import main

wandb = pytest.importorskip("wandb", reason="W&B is not installed: pip install wandb")
tracker_module = pytest.importorskip("mtlrun.trackers.to_wandb", exc_type=ImportError)
SENT, WandbTracker = tracker_module.SENT, tracker_module.WandbTracker
Record = pytest.importorskip("wandb.proto.wandb_internal_pb2").Record
pytestmark = pytest.mark.slow  # the service of W&B takes some seconds

BLOCK, HEADER = 32768, 7  # of LevelDB's log format, in which W&B keeps a run


@pytest.fixture(autouse=True)
def offline(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    (tmp_path / "wb").mkdir()
    monkeypatch.setenv("WANDB_MODE", "offline")
    monkeypatch.setenv("WANDB_DIR", str(tmp_path / "wb"))
    wandb.teardown()  # it reads the environment once per process
    yield
    wandb.teardown()


def records(file: Path) -> Iterator[Any]:
    data, at, whole = file.read_bytes(), HEADER, b""
    while at < len(data):
        left = BLOCK - at % BLOCK
        if left < HEADER:
            at += left
            continue
        _, length, kind = struct.unpack("<IHB", data[at : at + HEADER])
        whole += data[at + HEADER : at + HEADER + length]
        at += HEADER + length
        if kind in (1, 4):  # the whole of a record, or its last part
            record = Record()
            record.ParseFromString(whole)
            whole = b""
            yield record


def folders(tmp_path: Path) -> list[Path]:
    return sorted((tmp_path / "wb/wandb").glob("offline-run-*"))


def test_a_sweep_is_a_group(sweep: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (sweep / "compare").mkdir()
    (sweep / "compare/report.html").write_text("a page")
    for said in ("sweep: sent 4 runs\n", "sweep: already there: 4 runs\n"):
        assert main(["log", str(sweep), "--to", "wandb", "--checkpoints"]) == 0
        assert capsys.readouterr().out.startswith(f"{said}wandb, project diamonds, offline in {tmp_path / 'wb'}")
        assert len(folders(tmp_path)) == 5
    by_key = {folder.name.rpartition("-")[2]: folder for folder in folders(tmp_path)}
    for content in contents(sweep):
        folder = by_key.pop(content.key)
        assert sorted(path.name for path in (folder / "files").rglob("*") if path.is_file()) == [
            "best.pt",
            "metrics.csv",
            "summary.json",
        ]
        assert not any(path.is_symlink() for path in (folder / "files").rglob("*"))
        found = list(records(next(folder.glob("*.wandb"))))
        (run,) = [record.run for record in found if record.WhichOneof("record_type") == "run"]
        assert (run.project, run.run_group, run.display_name) == ("diamonds", "sweep", content.name)
        config = {entry.key: json.loads(entry.value_json) for entry in run.config.update}
        assert content.params.items() <= config.items()
        steps = [
            {"/".join(item.nested_key) or item.key: json.loads(item.value_json) for item in record.history.item}
            for record in found
            if record.WhichOneof("record_type") == "history"
        ]
        sent = {step.pop("_step"): {k: v for k, v in step.items() if k[0] != "_"} for step in steps}
        assert sent == content.curves()
        final = {
            item.key: json.loads(item.value_json)
            for record in found
            if record.WhichOneof("record_type") == "summary"
            for item in record.summary.update
        }
        assert content.figures.items() <= final.items()
    (rest,) = by_key.values()
    assert (rest / "files/compare/report.html").read_text() == "a page"


def test_a_run_of_which_a_part_was_sent_is_sent_anew(sweep: Path, tmp_path: Path) -> None:
    content, tracker = contents(sweep)[0], WandbTracker("half", None)
    tracker.add_run(content, None)
    (folder,) = folders(tmp_path)
    (folder / SENT).unlink()
    assert not tracker.has(content)
    tracker.add_run(content, None)
    assert tracker.has(content) and len(folders(tmp_path)) == 1


def test_online_the_server_is_asked(sweep: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    there, new = contents(sweep)[:2]
    asked = []

    def runs(path: str, filters: dict[str, str]) -> Iterator[Any]:
        asked.append((path, filters))
        yield SimpleNamespace(id=there.key)

    tracker = WandbTracker("houses", None)
    tracker.offline = False
    monkeypatch.setattr(wandb, "Api", lambda: SimpleNamespace(default_entity="team", runs=runs))
    assert tracker.has(there) and not tracker.has(new)
    assert asked == [("team/houses", {"state": "finished"})]


def test_without_login_and_with_a_uri(
    sweep: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["log", str(sweep), "--to", "wandb", "--uri", "http://x"]) == 2
    assert "--uri: is for --to mlflow\nallowed: the environment variable WANDB_BASE_URL" in capsys.readouterr().err
    monkeypatch.setenv("WANDB_MODE", "online")
    for name in ("WANDB_API_KEY", "HOME", "NETRC"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(sweep))
    wandb.teardown()
    assert main(["log", str(sweep), "--to", "wandb"]) == 2
    assert "wandb login, or with WANDB_MODE=offline" in capsys.readouterr().err
