"""Device, threads and allocator."""

import ctypes
import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import pairwise

import torch

from mtlrun.config.schema import Config
from mtlrun.util.errors import RequestError

# Threads of this process if `trainer.threads` is not set: the launcher divides the cores among processes.
most_threads: int | None = None
single = False  # overrides `trainer.threads`
# With fewer multiply-adds in the largest product of a step, a second thread costs more than it saves.
THREAD_WORK = 1 << 25


def choose_device(name: str) -> torch.device:
    """Returns the device. `auto` is CUDA if available, else the CPU. Raises RequestError if the device is missing."""
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        device = torch.device(name)
    except RuntimeError:
        meant = "; did you mean cuda?" if name.lower().startswith("gpu") else ""
        raise RequestError(f"trainer.device: found {name!r}{meant}\nallowed: auto, cpu, cuda, cuda:0, …") from None
    if device.type == "cuda" and (not torch.cuda.is_available() or (device.index or 0) >= torch.cuda.device_count()):
        count = torch.cuda.device_count() if torch.cuda.is_available() else 0
        raise RequestError(
            f"trainer.device: {name} asked for, and {count or 'no'} CUDA device is here\n"
            f"use trainer.device=cpu or trainer.device=auto"
        )
    if device.type not in ("cpu", "cuda"):
        try:
            torch.zeros(1, device=device).sum().item()
        except Exception:  # a kind of device that this torch was not built for
            raise RequestError(f"trainer.device: {name} is not usable here\nuse trainer.device=cpu") from None
    return device


def cores() -> int:
    """Returns the number of cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


@contextmanager
def one_thread() -> Iterator[None]:
    """While this lasts, torch starts no threads here: a process with threads cannot be forked safely."""
    global single
    single = True
    torch.set_num_threads(1)
    try:
        yield
    finally:
        single = False


def forks(configs: Sequence[Config]) -> bool:
    """Returns whether each stack of these runs gets its own process."""
    devices = {config.trainer.device for config in configs}
    return sys.platform == "linux" and all(choose_device(device).type == "cpu" for device in devices)


def set_up(config: Config, inputs: int, batch_size: int) -> None:
    """Sets threads, determinism and the allocator of this process.

    The number of threads is `trainer.threads` if set; 1 if the largest product of a step has fewer than 2²⁵
    multiply-adds; else the number of cores, or this process's share of them.
    """
    widths = [inputs, *config.net.hidden, *config.net.head_hidden]
    work = batch_size * max((a * b for a, b in pairwise(widths)), default=0)
    threads = config.trainer.threads or (1 if work < THREAD_WORK else most_threads or cores())
    torch.set_num_threads(1 if single else threads)
    if (
        config.trainer.deterministic != torch.are_deterministic_algorithms_enabled()
    ):  # the call imports modules for 0.7 s
        torch.use_deterministic_algorithms(config.trainer.deterministic)
    if config.trainer.deterministic:
        os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    torch.autograd.set_detect_anomaly(config.trainer.debug)
    _keep_memory()


def _keep_memory() -> None:
    """Makes glibc keep freed memory: page faults took a third of the time of a stack's step."""
    if sys.platform != "linux":
        return
    try:
        libc = ctypes.CDLL("libc.so.6")
        trim_threshold, mmap_threshold, size = -1, -3, 1 << 30
        libc.mallopt(trim_threshold, size)
        libc.mallopt(mmap_threshold, size)
    except (OSError, AttributeError):
        return  # another C library
