"""`python -m evidence [NAMES…]`: runs the rows' commands one after the other, and writes the page.

Every sweep uses the machine's cores by itself. The results lie beside the page as JSON, so that with NAMES (of
experiments, sections or mechanisms) the others keep theirs. The exit status is 1 where a row that was run does not
hold.
"""

import argparse
import json
import os
import platform
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from contextlib import nullcontext
from importlib.metadata import version
from pathlib import Path

from evidence.measuring import ROOT, Result, measure, run, same_command
from evidence.page import duration, render
from evidence.sections import chosen, sections


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m evidence", description="Run experiments, write docs/evidence.md.")
    parser.add_argument("names", nargs="*", help="experiments, sections or mechanisms; none: all")
    parser.add_argument("--out", type=Path, default=ROOT / "docs" / "evidence.md", help="the page")
    parser.add_argument("--keep", type=Path, help="a folder for the sweeps; else they are removed")
    asked = parser.parse_args(arguments)
    every = sections()
    try:
        rows = chosen(every, asked.names)
    except ValueError as error:
        parser.error(str(error))
    beside = asked.out.with_suffix(".json")
    results = read(beside)
    commit = code()
    with nullcontext(asked.keep) if asked.keep else tempfile.TemporaryDirectory() as folder:
        for words, same in same_command(rows).items():
            name = same[0].experiment or "tests"
            target = free(Path(folder).resolve() / name)
            print(" ".join(words), flush=True)
            ran = run(same[0], target)
            for row in same:
                result = measure(row, ran, commit)
                results[row.mechanism] = result
                print(
                    f"  {row.mechanism}: {'holds' if result.holds else 'FAILS'} ({duration(result.seconds)})\n"
                    f"    {result.text}",
                    flush=True,
                )
            # after every command, so that one that is interrupted loses nothing
            write(asked.out, every, results)
    failing = [row for row in rows if not results[row.mechanism].holds]
    print(f"{len(rows) - len(failing)} of {len(rows)} hold; {asked.out}")
    return 1 if failing else 0


def write(out: Path, every: list, results: dict[str, Result]) -> None:
    """The page, and beside it the results of the rows that there are."""
    known = [row.mechanism for section in every for row in section.rows if row.mechanism in results]
    plain = {name: results[name].to_plain() for name in known}
    out.with_suffix(".json").write_text(json.dumps(plain, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")
    out.write_text(render(every, results, machine()), encoding="utf-8")


def read(path: Path) -> dict[str, Result]:
    """The results beside a page, by mechanism; none where there is no such file."""
    if not path.exists():
        return {}
    return {name: Result(**plain) for name, plain in json.loads(path.read_text(encoding="utf-8")).items()}


def free(folder: Path) -> Path:
    """The folder, or the same with a number where it is there already."""
    number = 2
    found = folder
    while found.exists():
        found, number = folder.with_name(f"{folder.name}-{number}"), number + 1
    found.parent.mkdir(parents=True, exist_ok=True)
    return found


def machine() -> str:
    """Cores, processor and versions in words."""
    names = [line.partition(":")[2].strip() for line in _lines("/proc/cpuinfo") if line.startswith("model name")]
    processor = names[0] if names else platform.machine()
    versions = ", ".join(f"{name} {version(name)}" for name in ("torch", "numpy"))
    return f"{os.cpu_count()} cores ({processor}), Python {platform.python_version()}, {versions}."


def code() -> str:
    """The commit of the code and its date, marked where files differ from it; "" outside a repository."""
    shown = _git("log", "-1", "--format=%h of %cs")
    changed = _git("status", "--porcelain", "--untracked-files=no", "--", "mtlrun", "conf", "evidence")
    return f"{shown} with changes" if shown and changed else shown


def _git(*words: str) -> str:
    ended = subprocess.run(["git", *words], cwd=ROOT, capture_output=True, text=True)
    return ended.stdout.strip() if ended.returncode == 0 else ""


def _lines(path: str) -> list[str]:
    try:
        return Path(path).read_text(encoding="utf-8").splitlines()
    except OSError:
        return []


if __name__ == "__main__":
    sys.exit(main())
