"""The cost of looking: `mtlrun check` and `mtlrun init` against `pandas.read_csv`.

    .venv/bin/python benchmarks/check.py                # some minutes
    .venv/bin/python benchmarks/check.py --repeats 1    # one round of each

Data, generated: long, a million rows and 20 columns (numbers, codes, texts); wide, 10,000 columns and 1,000 rows;
levels, 100,000 distinct texts in 300,000 rows, with data.max_categories=100000; nothing, 50 rows. Every command is a
process of its own, on one thread; the commands of a table take turns. Reported are the medians of seconds, of processor
seconds and of the peak memory, with their ratios to a process that reads the table with `pandas.read_csv`. The line of
`nothing` says how much of it is imports.
"""

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import pandas as pd
from record import record

TASKS = {"long": "{y: {type: regression}, z: {type: binary}}", "wide": "{y: {type: regression}}"}


def tables(folder: Path) -> None:
    """Writes the tables as CSV."""
    random = np.random.default_rng(0)

    def write(name: str, columns: dict[str, np.ndarray]) -> None:
        x = next(v for v in columns.values() if v.dtype.kind == "f")
        targets = {
            "y": (x + random.normal(size=len(x))).round(4),
            "z": (x + random.normal(size=len(x)) > 0).astype(int),
        }
        pd.DataFrame(columns | targets).to_csv(folder / f"{name}.csv", index=False)

    rows = 1_000_000
    numbers = {f"x{i}": random.normal(size=rows) for i in range(10)}
    codes = {f"k{i}": random.integers(0, 1000, rows) for i in range(4)}
    texts = {f"c{i}": np.char.add("v", random.integers(0, 20 * (i + 1), rows).astype(str)) for i in range(4)}
    write("long", numbers | codes | texts)
    write("wide", {f"x{i}": random.normal(size=1000).round(3) for i in range(10_000)})
    names = np.char.add("level ", random.integers(0, 100_000, 300_000).astype(str))
    write("levels", {"name": names, "x": random.normal(size=300_000).round(4)})
    write("nothing", {"x": random.normal(size=50)})


def cost(words: list[str], folder: Path) -> dict[str, float]:
    """Seconds, processor seconds and peak memory in MB of a command."""
    began = time.perf_counter()
    command = subprocess.Popen(words, cwd=folder, stdout=subprocess.DEVNULL, env={**os.environ, "OMP_NUM_THREADS": "1"})
    _, status, used = os.wait4(command.pid, 0)
    command.returncode = os.waitstatus_to_exitcode(status)
    assert command.returncode == 0, words
    return {
        "seconds": time.perf_counter() - began,
        "processor": used.ru_utime + used.ru_stime,
        "MB": used.ru_maxrss / 1024,
    }


def main() -> None:
    """Runs the commands in turn and records them."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--tables", nargs="*", default=["nothing", "long", "wide", "levels"])
    parser.add_argument("--make", type=Path, help="write the tables into this folder, and do nothing else")
    asked = parser.parse_args()
    if asked.make:
        return tables(asked.make)
    singles = []
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        # not here: the peak memory of a process counts that of the process which started it
        subprocess.run([sys.executable, __file__, "--make", scratch], check=True)
        for repeat in range(asked.repeats):
            for name in asked.tables:
                tasks = TASKS.get(name, TASKS["wide"])
                most = ["data.max_categories=100000"] if name == "levels" else []
                settings = [f"data.path={name}.csv", f"tasks={tasks}", "data.future=[z]", *most]
                settings = settings if name != "long" else [w for w in settings if "future" not in w]
                mtlrun = [sys.executable, "-m", "mtlrun"]
                for side, words in {
                    "read_csv": [sys.executable, "-c", f"import pandas; pandas.read_csv('{name}.csv')"],
                    "check": [*mtlrun, "check", *settings],
                    "init": [*mtlrun, "init", f"{name}.csv", "--targets", "y"],
                }.items():
                    singles.append({"table": name, "side": side, "repeat": repeat, **cost(words, folder)})
                    (folder / "conf" / "data" / f"{name}.yaml").unlink(missing_ok=True)
    lines = []
    for name in asked.tables:
        sides = {
            s: [row for row in singles if (row["table"], row["side"]) == (name, s)]
            for s in ("read_csv", "check", "init")
        }
        base = {key: statistics.median(row[key] for row in sides["read_csv"]) for key in ("seconds", "processor", "MB")}
        for side, rows in sides.items():
            line = {"table": name, "side": side}
            for key, of_base in base.items():
                median = statistics.median(row[key] for row in rows)
                line |= {
                    key: f"{median:.3g}" if key != "MB" else f"{median:.0f}",
                    f"× {key}": f"{median / of_base:.1f}",
                }
            lines.append(line)
    record("cost of looking", lines, singles)


if __name__ == "__main__":
    main()
