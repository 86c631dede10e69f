"""Whether a long sweep's memory grows, and what many members cost beside their training.

    ulimit -n 1024; .venv/bin/python benchmarks/memory.py             # 200 runs in stacks of 20, and one per job: 2 min
    ulimit -n 1024; .venv/bin/python benchmarks/memory.py --members 1000  # one stack of 1,000 runs: 30 s

Data: 500 rows of the diamonds, a network of 8 and 4 units, one epoch. Memory is what /proc/PID/status says of the
command's own process (VmRSS), read every 0.1 s: its median while the runs from the 20th to the 40th end, beside its
median while the last 20 do. Exit status 1 if it has grown by 5 % or more.
"""

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

SMALL = [
    "data=diamonds",
    "data.train_rows=500",
    "only=[price]",
    "model.hidden=[8]",
    "model.head_hidden=[4]",
    "trainer.epochs=1",
]
WINDOW = 20  # runs
LAUNCHERS = {
    "stacks": ["hydra.launcher.max_runs=20", "hydra.launcher.processes=1"],
    "basic": ["hydra/launcher=basic"],
}


def sweep(folder: Path, runs: int, words: list[str]) -> tuple[float, list[tuple[int, int]]]:
    """Seconds of a whole sweep, and (runs that have ended, VmRSS in KiB) at every moment it was looked at.

    Raises RuntimeError where a run did not complete.
    """
    command = [sys.executable, "-m", "mtlrun", "-m", *SMALL, f"seed=range({runs})", f"hydra.sweep.dir={folder}", *words]
    began = time.monotonic()
    process = subprocess.Popen(command, env=os.environ | {"OMP_NUM_THREADS": "1"}, stdout=subprocess.DEVNULL)
    seen = []
    while process.poll() is None:
        status = Path(f"/proc/{process.pid}/status").read_text()
        resident = [line.split()[1] for line in status.splitlines() if line.startswith("VmRSS")]
        if resident:
            seen.append((ended(folder), int(resident[0])))
        time.sleep(0.1)
    if process.returncode or ended(folder) != runs:
        raise RuntimeError(f"{' '.join(command)}: exit status {process.returncode}, {ended(folder)} of {runs} runs")
    return time.monotonic() - began, seen


def ended(folder: Path) -> int:
    """How many runs of a sweep are completed."""
    return sum('"status": "completed"' in path.read_text() for path in folder.glob("*/summary.json"))


def growth(seen: list[tuple[int, int]], runs: int) -> float:
    """By how much the memory of the last 20 runs is above that of the runs from 20 to 40; 0.01 is 1 %."""
    early = [kib for done, kib in seen if WINDOW <= done < 2 * WINDOW]
    late = [kib for done, kib in seen if runs - WINDOW <= done]
    return statistics.median(late) / statistics.median(early) - 1


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=200)
    parser.add_argument("--launchers", nargs="+", default=list(LAUNCHERS), choices=list(LAUNCHERS))
    parser.add_argument("--members", type=int, help="one stack of so many runs instead")
    found = parser.parse_args()
    grown = []
    with tempfile.TemporaryDirectory() as folder:
        if found.members:
            seconds, _ = sweep(Path(folder) / "s", found.members, ["hydra.launcher.processes=1"])
            print(
                f"{found.members} members in one stack: {seconds:.1f} s, {seconds / found.members * 1000:.1f} ms each"
            )
            return 0
        for name in found.launchers:
            seconds, seen = sweep(Path(folder) / name, found.runs, LAUNCHERS[name])
            grown.append(growth(seen, found.runs))
            print(
                f"{name}: {found.runs} runs in {seconds:.1f} s, {seen[-1][1] / 1024:.0f} MiB, grown by {grown[-1]:.1%}"
            )
    return 1 if max(grown) >= 0.05 else 0


if __name__ == "__main__":
    sys.exit(main())
