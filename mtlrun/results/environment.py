"""What a run was made with: versions, hardware, the state of the code."""

import os
import platform
import resource
import subprocess
import sys
from importlib.metadata import version
from typing import Any

import torch

import mtlrun
from mtlrun import extensions


def versions() -> dict[str, str]:
    """Versions of Python, of this package, of those that extend it, and of the libraries that figures depend on."""
    names = ("torch", "numpy", "pandas", "scikit-learn", "hydra-core", "omegaconf")
    return {"python": platform.python_version(), "mtlrun": mtlrun.__version__, **extensions.versions(),
            **{n: version(n) for n in names}}  # fmt: skip


def hardware(device: torch.device) -> dict[str, Any]:
    """Device, processor, cores and threads."""
    found = {"device": str(device), "cpu": _cpu(), "cores": os.cpu_count(), "threads": torch.get_num_threads()}
    if device.type == "cuda":
        found["gpu"] = torch.cuda.get_device_name(device)
    return found


def _cpu() -> str:
    try:
        with open("/proc/cpuinfo", encoding="utf-8") as file:
            return next(line.split(":", 1)[1].strip() for line in file if line.startswith("model name"))
    except (OSError, StopIteration):
        return platform.processor() or platform.machine()


def git() -> dict[str, Any] | None:
    """Commit of the working directory and whether it holds changes; None outside a repository."""
    try:
        commit = subprocess.run(["git", "rev-parse", "HEAD"], capture_output=True, text=True, timeout=10)
        if commit.returncode:
            return None
        changes = subprocess.run(["git", "status", "--porcelain", "-uno"], capture_output=True, text=True, timeout=10)
        return {"commit": commit.stdout.strip(), "dirty": bool(changes.stdout.strip())}
    except (OSError, subprocess.TimeoutExpired):
        return None


def peak_memory(device: torch.device) -> int:
    """The largest memory held so far, in bytes: of the process, or on a CUDA device."""
    if device.type == "cuda":
        return int(torch.cuda.max_memory_allocated(device))
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return int(peak if sys.platform == "darwin" else peak * 1024)
