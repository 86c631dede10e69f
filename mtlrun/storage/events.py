"""TensorBoard's event files, as bytes to append: one record per message.

The writers of tensorboard and torch each keep a file open and run a thread. That is too much for a process that writes
a thousand runs. Only the definitions of the messages are imported (16 ms); RecordWriter would take 100 ms more.
"""

import socket
import struct
import time
from collections.abc import Mapping, Sequence
from os import getpid
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mtlrun.util.lazy import LazyModule

if TYPE_CHECKING:
    from tensorboard.compat.proto import event_pb2
    from tensorboard.plugins.hparams import api_pb2, plugin_data_pb2
else:  # a run without TensorBoard does not load them
    event_pb2 = LazyModule("tensorboard.compat.proto.event_pb2")
    api_pb2 = LazyModule("tensorboard.plugins.hparams.api_pb2")
    plugin_data_pb2 = LazyModule("tensorboard.plugins.hparams.plugin_data_pb2")

PREFIX = "events.out.tfevents."


def new_path(folder: Path) -> Path:
    """The path of the next event file in `folder`. TensorBoard reads event files in the order of their names."""
    times = [path.name.removeprefix(PREFIX).split(".")[0] for path in folder.glob(f"{PREFIX}*")]
    seconds = max([int(time.time()), *(int(text) + 1 for text in times if text.isdecimal())])
    return folder / f"{PREFIX}{seconds:010d}.{socket.gethostname()}.{getpid()}.0"


def beginning(step: int) -> bytes:
    """The first records of a file. They tell TensorBoard to ignore records from `step` on in earlier files.

    The first file of a run has step 0. TensorBoard does not take the first start in a folder for a restart.
    """
    start = event_pb2.SessionLog(status=event_pb2.SessionLog.START)
    version = event_pb2.Event(file_version="brain.Event:2")
    return _record(version) + _record(event_pb2.Event(step=step, session_log=start))


def scalars(step: int, values: Sequence[tuple[str, float]]) -> bytes:
    """One record with the value of every tag at `step`, in single precision."""
    event = event_pb2.Event(step=step)
    add = event.summary.value.add
    for tag, value in values:
        add(tag=tag, simple_value=value)
    return _record(event)


def hyperparameters(
    settings: Mapping[str, bool | int | float | str], figures: Sequence[str], alone: bool = True
) -> bytes:
    """The entry of a completed run in the HPARAMS tab: one record, as torch.utils.tensorboard writes it.

    `settings` become columns of numbers (true and false as 1 and 0) or text. `figures`: tags of the metric columns.
    alone: the entry lists the columns. TensorBoard takes the columns from one run only, so for the runs of a sweep a
    file in the folder of the sweep lists them (`sweep_columns`).
    """
    start = plugin_data_pb2.SessionStartInfo()
    for name, value in settings.items():
        if isinstance(value, str):
            start.hparams[name].string_value = value
        else:
            start.hparams[name].number_value = value
    end = plugin_data_pb2.SessionEndInfo(status=api_pb2.STATUS_SUCCESS)
    listed = _experiment({name: not isinstance(value, str) for name, value in settings.items()}, figures)
    return _hparams(({"experiment": listed} if alone else {}) | {"session_start_info": start, "session_end_info": end})


def sweep_columns(settings: Mapping[str, bool], figures: Sequence[str]) -> bytes:
    """An event file with the columns of the HPARAMS tab. settings: name -> whether its values are numbers."""
    return beginning(0) + _hparams({"experiment": _experiment(settings, figures)})


def _experiment(settings: Mapping[str, bool], figures: Sequence[str]) -> "api_pb2.Experiment":
    experiment = api_pb2.Experiment()
    for name, is_number in settings.items():
        kind = api_pb2.DATA_TYPE_FLOAT64 if is_number else api_pb2.DATA_TYPE_STRING
        experiment.hparam_infos.append(api_pb2.HParamInfo(name=name, type=kind))
    experiment.metric_infos.extend(api_pb2.MetricInfo(name=api_pb2.MetricName(tag=tag)) for tag in figures)
    return experiment


def _hparams(contents: Mapping[str, Any]) -> bytes:
    """A record of the HPARAMS plugin: tag -> message."""
    event = event_pb2.Event()
    for tag, content in contents.items():
        plugin = event.summary.value.add(tag=f"_hparams_/{tag}").metadata.plugin_data
        plugin.plugin_name = "hparams"
        plugin.content = plugin_data_pb2.HParamsPluginData(**{tag: content}).SerializeToString()
    return _record(event)


def _record(event: "event_pb2.Event") -> bytes:
    """A TFRecord: length (uint64), its checksum (uint32), the message, its checksum; little-endian."""
    event.wall_time = time.time()
    data: bytes = event.SerializeToString()
    length = struct.pack("<Q", len(data))
    return b"".join((length, _checksum(length), data, _checksum(data)))


def _checksum(data: bytes) -> bytes:
    """The masked CRC-32C of TFRecord: rotated right by 15 bits, plus a constant."""
    crc = 0xFFFFFFFF
    for byte in data:
        crc = CRC_TABLE[(crc ^ byte) & 0xFF] ^ (crc >> 8)
    crc ^= 0xFFFFFFFF
    return struct.pack("<I", ((crc >> 15 | crc << 17) + 0xA282EAD8) & 0xFFFFFFFF)


def _crc_table() -> list[int]:
    """The remainder of every byte modulo the Castagnoli polynomial, bits reversed."""
    table = list(range(256))
    for _ in range(8):
        table = [crc >> 1 ^ (0x82F63B78 if crc & 1 else 0) for crc in table]
    return table


CRC_TABLE = _crc_table()
