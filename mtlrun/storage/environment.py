"""The environment of a run, for its summary: versions, hardware, git state."""

import os
import platform
import resource
import subprocess
import sys
from importlib.metadata import version
from typing import Any

import torch

from mtlrun.config import extensions
from mtlrun.util.version import __version__


def versions() -> dict[str, str]:
    """Versions of Python, mtlrun, packages that extend mtlrun, and the libraries that the figures depend on."""
    names = ("torch", "numpy", "pandas", "scikit-learn", "hydra-core", "omegaconf")
    return {
        "python": platform.python_version(),
        "mtlrun": __version__,
        **extensions.versions(),
        **{n: version(n) for n in names},
    }


def hardware(device: torch.device) -> dict[str, Any]:
    """Device, processor, cores and threads."""
    facts = {"device": str(device), "cpu": _cpu(), "cores": os.cpu_count(), "threads": torch.get_num_threads()}
    if _is_gpu(device):
        facts["gpu"] = torch.cuda.get_device_name(device)
    return facts


def _cpu() -> str:
    try:
        with open("/proc/cpuinfo", encoding="utf-8") as file:
            return next(line.split(":", 1)[1].strip() for line in file if line.startswith("model name"))
    except (OSError, StopIteration):
        return platform.processor() or platform.machine()


# The user may not trust the repository in the working directory. Its configuration may name programs that git runs.
GIT = (
    "git",
    "-c",
    "core.fsmonitor=false",
    "-c",
    "core.hooksPath=/dev/null",
    "-c",
    "safe.bareRepository=explicit",
    "--no-optional-locks",
)


def git() -> dict[str, Any] | None:
    """The commit of the working directory and whether tracked files have changes. None outside a repository.

    `dirty` is None (unknown) if the repository's configuration has filters or a partial clone: to compare files, git
    would run programs that this configuration names.
    """
    commit = _git("rev-parse", "HEAD")
    if commit is None:
        return None
    programs = r"^(filter\.|extensions\.partialclone|remote\..*\.promisor)"
    named = [_git("config", scope, "--includes", "--get-regexp", programs) for scope in ("--local", "--worktree")]
    changes = None if any(named) else _git("status", "--porcelain", "-uno", "--ignore-submodules=all")
    return {"commit": commit, "dirty": None if changes is None else bool(changes)}


def _git(*words: str) -> str | None:
    """The output of git; None if git fails."""
    try:
        done = subprocess.run(
            [*GIT, *words],
            capture_output=True,
            text=True,
            timeout=10,
            errors="replace",
            env=os.environ | {"GIT_NO_LAZY_FETCH": "1"},
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return None if done.returncode else done.stdout.strip()


def peak_memory(device: torch.device) -> int:
    """The peak memory so far, in bytes: of the CUDA device, or of the process."""
    if _is_gpu(device):
        return int(torch.cuda.max_memory_allocated(device))
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return int(peak if sys.platform == "darwin" else peak * 1024)


def _is_gpu(device: torch.device) -> bool:
    return device.type == "cuda"
