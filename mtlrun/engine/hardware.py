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

# What this process may use where `trainer.threads` says nothing: the launcher of stacks shares the cores out.
most_threads: int | None = None
single = False  # whatever `trainer.threads` says
# Below so many multiply-adds in the largest product of a step, a second thread costs more than it brings.
THREAD_WORK = 1 << 25


def choose_device(name: str) -> torch.device:
    """`auto` is CUDA where there is one, else the CPU. Raises RequestError for a device that is not there."""
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        device = torch.device(name)
    except RuntimeError:
        raise RequestError(f"trainer.device: found {name!r}\nallowed: auto, cpu, cuda, cuda:0, …") from None
    if device.type == "cuda" and (not torch.cuda.is_available() or (device.index or 0) >= torch.cuda.device_count()):
        count = torch.cuda.device_count() if torch.cuda.is_available() else 0
        raise RequestError(
            f"trainer.device: {name} asked for, and {count or 'no'} CUDA device is here\n"
            f"use trainer.device=cpu or trainer.device=auto"
        )
    if device.type not in ("cpu", "cuda"):
        try:
            torch.zeros(1, device=device).sum().item()
        except Exception:  # of a kind of device that this torch was not built for
            raise RequestError(f"trainer.device: {name} is not usable here\nuse trainer.device=cpu") from None
    return device


def cores() -> int:
    """How many cores this process may run on."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


@contextmanager
def one_thread() -> Iterator[None]:
    """While this lasts, torch starts no threads here: a process with some cannot be forked safely."""
    global single
    single = True
    torch.set_num_threads(1)
    try:
        yield
    finally:
        single = False


def forks(configs: Sequence[Config]) -> bool:
    """Whether stacks of these runs get processes of their own."""
    devices = {config.trainer.device for config in configs}
    return sys.platform == "linux" and all(choose_device(device).type == "cpu" for device in devices)


def set_up(config: Config, inputs: int) -> None:
    """Threads, determinism and the allocator of this process.

    Threads: `trainer.threads`, else one where the largest product of a step has fewer than 2²⁵
    multiply-adds, else one per core, or this process's share of them.
    """
    widths = [inputs, *config.net.hidden, *config.net.head_hidden]
    work = config.trainer.batch_size * max((a * b for a, b in pairwise(widths)), default=0)
    threads = config.trainer.threads or (1 if work < THREAD_WORK else most_threads or cores())
    torch.set_num_threads(1 if single else threads)
    if config.trainer.deterministic != torch.are_deterministic_algorithms_enabled():  # it imports much: 0.7 s
        torch.use_deterministic_algorithms(config.trainer.deterministic)
    if config.trainer.deterministic:
        os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    torch.autograd.set_detect_anomaly(config.trainer.debug)
    _keep_memory()


def _keep_memory() -> None:
    """On glibc, keep freed memory instead of giving it back: page faults were a third of a stack's step."""
    if sys.platform != "linux":
        return
    try:
        libc = ctypes.CDLL("libc.so.6")
        trim_threshold, mmap_threshold, size = -1, -3, 1 << 30
        libc.mallopt(trim_threshold, size)
        libc.mallopt(mmap_threshold, size)
    except (OSError, AttributeError):
        return  # another C library, with rules of its own
