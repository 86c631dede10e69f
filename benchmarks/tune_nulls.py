"""How often `mtlrun tune` recommends what is not there: searches on generated tables whose right answer is known.

    shuffled      targets that the inputs say nothing about: wrong if it says that one is learnt
    independent   targets of different inputs: wrong if it says that training them together is better
    copied        one target twice: wrong if together or alone is called better, and not within the margin
    restart       a search over nothing but the initial parameters: wrong if it says that the search paid

    .venv/bin/python benchmarks/tune_nulls.py --problems 5       # 20 searches; about half a minute each on 2 cores

Tables have 300 rows, nets two layers of 32 and 600 steps; 14 runs of search, then the confirmation with its seeds.
"""

import argparse
import collections
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import pandas as pd

from mtlrun.compare.analyse import analyse
from mtlrun.compare.analysis.options import Options
from mtlrun.compare.collect.folders import collect
from mtlrun.compare.records import Comparison

ROWS, INPUTS = 300, 8
WORDS = [
    "data=table",
    "data.path=table.csv",
    "tasks={a:{type:regression},b:{type:regression}}",
    "trainer.max_steps=600",
    "trainer.patience=null",
    "model.hidden=[32,32]",
    "tune.runs=14",
    "tune.batch=8",
    "hydra.sweep.dir=found",
]
ONLY_RESTART = ["tune.fixed=[model,lr,optimizer,loss,sharing,graph]", "tune.space.model.restart=0,1,2,3,4,5,6,7"]


def table(problem: str, seed: int) -> pd.DataFrame:
    """A table of standard normal inputs and two targets a and b."""
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(ROWS, INPUTS))
    signals = x[:, 0] + np.sin(2 * x[:, 1]), x[:, 4] + np.sin(2 * x[:, 5])
    a, b = (signal + rng.normal(size=ROWS) for signal in signals)
    if problem == "shuffled":
        a, b = rng.permutation(a), rng.permutation(b)
    if problem == "copied":
        b = a
    return pd.DataFrame({f"x{i}": x[:, i] for i in range(INPUTS)} | {"a": a, "b": b})


def tuned(problem: str, seed: int) -> tuple[Comparison, str]:
    """A search on a table: the comparison of its confirmation, and what it printed."""
    with tempfile.TemporaryDirectory() as folder:
        table(problem, seed).to_csv(Path(folder) / "table.csv", index=False)
        words = [*WORDS, *(ONLY_RESTART if problem == "restart" else [])]
        command = [sys.executable, "-m", "mtlrun", "tune", *words]
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, env={**os.environ})
        if done.returncode:
            raise SystemExit(f"{problem} {seed}: exit status {done.returncode}\n{done.stdout[-2000:]}{done.stderr}")
        return analyse(collect([Path(folder) / "found" / "confirm"]), Options()), done.stdout


def learns(comparison: Comparison) -> bool:
    """Whether it says that a target is learnt."""
    found = comparison.recommendation
    return found is not None and found.state not in ("unlearnt", "untrained")


def together_is_better(comparison: Comparison) -> bool:
    """Whether it says that one net is better than a net for each target, over all or for one of them."""
    return _better(comparison, "method", "alone", small=True)


def either_is_better(comparison: Comparison) -> bool:
    """Whether it says that together or alone is better, and not within the margin."""
    return _better(comparison, "method", "alone") or _better(comparison, "alone", "method")


def _better(comparison: Comparison, one: str, other: str, small: bool = False) -> bool:
    found = comparison.recommendation
    if found is None or found.main.kind != one:
        return False
    return any(
        versus.other.kind == other
        and (small or not versus.within)
        and "better" in (versus.verdict, *(gain.verdict for gain in versus.gains))
        for versus in found.versus
    )


def paid(comparison: Comparison) -> bool:
    """Whether the tuned setting is called better than the default."""
    return any(row.label == "tuned" and row.against and row.against.verdict == "better" for row in comparison.rows)


WRONG: Mapping[str, Callable[[Comparison], bool]] = {
    "shuffled": learns,
    "independent": together_is_better,
    "copied": either_is_better,
    "restart": paid,
}


def answer(said: str) -> str:
    """The first sentence of the answer, after the table."""
    lines = said.rpartition("trivial  ")[2].split("\n\n", 1)[-1].split("\n  see ")[0]
    return " ".join(lines.split())


def main() -> None:
    """Prints an answer a line, and the wrong ones of each problem."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--problems", type=int, default=20, help="tables of each kind")
    parser.add_argument("--first", type=int, default=0, help="the seed of the first table")
    parser.add_argument("--kinds", nargs="+", choices=list(WRONG), default=list(WRONG))
    options = parser.parse_args()
    wrong: dict[str, int] = collections.Counter()
    states: dict[str, collections.Counter[str]] = {kind: collections.Counter() for kind in options.kinds}
    for seed in range(options.first, options.first + options.problems):
        for kind in options.kinds:
            comparison, said = tuned(kind, seed)
            state = comparison.recommendation.state if comparison.recommendation is not None else "none"
            is_wrong = WRONG[kind](comparison)
            wrong[kind] += is_wrong
            states[kind][state] += 1
            print(f"{kind} {seed} {'WRONG' if is_wrong else 'ok':5} {state}: {answer(said)[:400]}", flush=True)
    for kind in options.kinds:
        print(f"{kind}: {wrong[kind]} of {options.problems} wrong; {dict(states[kind])}")


if __name__ == "__main__":
    main()
