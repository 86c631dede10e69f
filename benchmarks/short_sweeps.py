"""Sweeps of nets that nobody trained: `mtlrun compare` must conclude from none of them.

    .venv/bin/python benchmarks/short_sweeps.py     # about three minutes on 2 cores

Data: the diamonds, 600 training rows, price and cut. Twenty sweeps, each of two settings with 8 seeds that train 10 to
80 steps: other losses, rates, ways of sharing, edges, trunks and lengths. Recorded is what each comparison's
recommendation says. Exit status 1 if one of them is not "untrained", or calls a setting better or worse.
"""

import subprocess
import sys
import tempfile
from pathlib import Path

import record

from mtlrun.compare.analyse import analyse
from mtlrun.compare.analysis.options import Options
from mtlrun.compare.collect.folders import collect

DATA = ["data=diamonds", "data.train_rows=600", "only=[price,cut]", "seed=range(8)", "trainer.tensorboard=false"]
SETTINGS = (
    ["loss=sum,uncertainty"],
    ["loss=sum,gls"],
    ["loss=sum,dwa"],
    ["loss=sum,cagrad"],
    ["lr.base=0.0001,0.1"],
    ["lr=single,per_head"],
    ["sharing=hard,none"],
    ["graph=none,chain"],
    ["model=mlp,tabular"],
    ["model=tabm", "optimizer.weight_decay=0,1"],
)
STEPS = (10, 80)


def main() -> int:
    """Trains and compares the sweeps. Returns the exit status."""
    lines, concluded = [], 0
    with tempfile.TemporaryDirectory() as scratch:
        for steps in STEPS:
            for words in SETTINGS:
                folder = Path(scratch) / f"{steps}-{len(lines)}"
                sweep = [*DATA, *words, f"trainer.max_steps={steps}", f"hydra.sweep.dir={folder}"]
                command = [sys.executable, "-m", "mtlrun", "-m", *sweep]
                subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
                found = analyse(collect([folder]), Options())
                state = found.recommendation.state if found.recommendation is not None else "none"
                verdicts = {row.against.verdict for row in found.rows if row.against is not None}
                wrong = state != "untrained" or bool(verdicts & {"better", "worse", "equivalent"})
                concluded += wrong
                said = {
                    "settings": " ".join(words),
                    "steps": steps,
                    "recommendation": state,
                    "verdicts": sorted(verdicts),
                }
                lines.append({key: str(value) for key, value in said.items()})
    record.record("short sweeps", lines, lines)
    print(f"{concluded} of {len(lines)} sweeps are concluded from")
    return 1 if concluded else 0


if __name__ == "__main__":
    sys.exit(main())
