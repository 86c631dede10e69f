"""How well the groups of tasks that one short joint run proposes are those that the data were made with.

    .venv/bin/python benchmarks/task_groups.py                       # 6, 20 and 139 tasks; five minutes on one core
    .venv/bin/python benchmarks/task_groups.py --pairs --problems 3  # every pair of 6 tasks trained; thirteen minutes

Data: regressions on 16 inputs. Task t of group g is a random sum of three features tanh(A_g x), with noise of 0.3
standard deviations. So groups conflict: they share inputs, and no feature. 400 training rows, 3,000 with 139 tasks.
Problems differ by seed. The net is the default one; the estimate trains 500 steps of it on three splits.
`found`: the true division is the first proposal, or among the three. `agreement`: adjusted Rand index (Hubert & Arabie
1985) of the best proposal, 1 for the true division. With `--pairs`: rank correlations (Spearman) of the estimate with
the gains of real pairs in eight seeds, those of these with each other in halves of the seeds, and drops against
single-task nets.
"""

import argparse
import contextlib
import io
import tempfile
import time
from itertools import combinations
from pathlib import Path

import numpy as np
import pandas as pd
from record import Row, record
from scipy.stats import spearmanr
from sklearn.metrics import adjusted_rand_score

from mtlrun.cli.main import main as mtlrun
from mtlrun.compose.request import compose, single
from mtlrun.data.dataset import load_dataset
from mtlrun.tune.grouping import Division, Grouping, divisions, propose

PROBLEMS = {6: (2, 3), 20: (2, 4), 139: (2, 6)}  # numbers of groups by number of tasks
SPLITS = 3
SEEDS = 8


def write_table(path: Path, tasks: int, groups: int, seed: int) -> Division:
    """Writes a table with targets `t000`, … and returns their groups."""
    rng = np.random.default_rng([tasks, groups, seed])
    x = rng.normal(size=(5_000 if tasks > 100 else 2_000, 16))
    features = [np.tanh(x @ (0.5 * rng.normal(size=(16, 3)))) for _ in range(groups)]
    columns = {f"x{j:02d}": x[:, j] for j in range(16)}
    true: Division = [[] for _ in range(groups)]
    for t in range(tasks):
        y = features[t % groups] @ rng.normal(size=3)
        columns[f"t{t:03d}"] = y + 0.3 * y.std() * rng.normal(size=len(y))
        true[t % groups].append(f"t{t:03d}")
    pd.DataFrame(columns).to_parquet(path, index=False)
    return true


def words_of(path: Path, true: Division) -> list[str]:
    """The words of a run on the table."""
    names = sorted(name for group in true for name in group)
    tasks = ",".join(f"{name}: {{type: regression}}" for name in names)
    rows = 3_000 if len(names) > 100 else 400
    return ["data=table", f"data.path={path}", f"tasks={{{tasks}}}", f"data.train_rows={rows}", "trainer.threads=1"]


def estimate(words: list[str]) -> tuple[Grouping, float]:
    """The proposals, and the seconds that they take."""
    configs = [single(compose([*words, f"seed={seed}"])) for seed in range(SPLITS)]
    datasets = [load_dataset(config) for config in configs]
    began = time.perf_counter()
    return propose(configs, datasets), time.perf_counter() - began


def agreement(division: Division, true: Division) -> float:
    """The adjusted Rand index of two divisions."""
    names = [name for group in true for name in group]
    one, two = ({name: g for g, group in enumerate(d) for name in group} for d in (division, true))
    return float(adjusted_rand_score([one[name] for name in names], [two[name] for name in names]))


def found_groups(folder: Path, tasks: int, repeats: int, words: list[str]) -> list[Row]:
    """A row for each number of groups: how often the true division is found, over so many problems. words: besides."""
    rows: list[Row] = []
    for groups in PROBLEMS[tasks]:
        scores, seconds = [], []
        for seed in range(repeats):
            true = write_table(folder / "table.parquet", tasks, groups, seed)
            grouping, took = estimate([*words_of(folder / "table.parquet", true), *words])
            scores.append([agreement(division, true) for division in grouping.proposals])
            seconds.append(took)
        rows.append(
            {
                "tasks": tasks,
                "groups": groups,
                "problems": repeats,
                "found first": sum(own[0] == 1 for own in scores),
                "found": sum(max(own) == 1 for own in scores),
                "agreement": f"{np.mean([max(own) for own in scores]):.2f}",
                "seconds": f"{np.median(seconds):.1f}",
            }
        )
        print(rows[-1], flush=True)
    return rows


# ---------------------------------------------------------------- real pairs


def sweep(words: list[str], folder: Path) -> tuple[pd.DataFrame, float]:
    """The results of a sweep, and its seconds."""
    began = time.perf_counter()
    with contextlib.redirect_stdout(io.StringIO()):
        assert (
            mtlrun(["-m", *words, f"seed=range({SEEDS})", "trainer.tensorboard=false", f"hydra.sweep.dir={folder}"])
            == 0
        )
    return pd.read_csv(folder / "results.csv"), time.perf_counter() - began


def errors(runs: pd.DataFrame, names: list[str]) -> np.ndarray:
    """Test RMSE `[seed, task]` of the runs, each of one net for all these tasks."""
    return runs.sort_values("seed")[[f"test/{name}/rmse" for name in names]].to_numpy()


def real_pairs(folder: Path, seed: int) -> Row:
    """Trains all pairs of six tasks of two groups, and nets by the divisions that either way proposes."""
    true = write_table(folder / "table.parquet", 6, 2, seed)
    words, names = words_of(folder / "table.parquet", true), sorted(name for group in true for name in group)
    grouping, took = estimate(words)
    picks = ",".join(f"[{a},{b}]" for a, b in combinations(names, 2))
    singles = ",".join(f"[{name}]" for name in names)
    runs, seconds = sweep([*words, f"only={singles},{picks}"], folder / f"pairs{seed}")
    nets = {tuple(only.strip("[]").replace(" ", "").split(",")): own for only, own in runs.groupby("only")}
    alone = np.concatenate([errors(nets[name,], [name]) for name in names], 1)  # [R, T]
    gains = np.zeros((SEEDS, 6, 6))
    for a, b in combinations(range(6), 2):
        paired = errors(nets[names[a], names[b]], [names[a], names[b]])
        gains[:, a, b], gains[:, b, a] = (100 * (1 - paired / alone[:, [a, b]])).T
    by_pairs = divisions(names, gains)

    def drop(*own: str) -> str:
        joint, _ = sweep([*words, *own], folder / f"{len(list(folder.iterdir()))}")
        drops = (100 * (errors(joint, names) / alone - 1)).mean(1)
        return f"{drops.mean():+.1f} ± {2 * drops.std(ddof=1) / SEEDS**0.5:.1f}"

    def groups(division: Division) -> str:
        return drop("sharing=groups", f"sharing.groups={str(division).replace(' ', '').replace(chr(39), '')}")

    return {
        "problem": seed,
        "estimate and pairs": correlation(grouping.affinity, gains.mean(0)),
        "halves of the seeds": correlation(gains[::2].mean(0), gains[1::2].mean(0)),
        "seconds": f"{took:.1f}",
        "seconds of pairs": f"{seconds:.0f}",
        "drop: hard": drop("sharing=hard"),
        "true groups": groups(true),
        "first of estimate": groups(grouping.proposals[0]),
        "first of pairs": groups(by_pairs[0]),
        "agreement": f"{agreement(grouping.proposals[0], true):.2f}, {agreement(by_pairs[0], true):.2f}",
    }


def correlation(one: np.ndarray, two: np.ndarray) -> str:
    """Spearman's rank correlation of two matrices `[T, T]` without their diagonals, by pair."""
    upper = np.triu_indices(len(one), 1)
    return f"{spearmanr((one + one.T)[upper], (two + two.T)[upper])[0]:.2f}"


def main() -> None:
    """Find groups, or train pairs; record."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tasks", type=int, nargs="+", choices=list(PROBLEMS), default=list(PROBLEMS))
    parser.add_argument("--problems", type=int, default=5, help="problems by number of tasks; 2 of 139 tasks at most")
    parser.add_argument("--words", nargs="+", default=[], help="further words of the runs, such as model.hidden=[8]")
    parser.add_argument("--pairs", action="store_true", help="train all pairs of six tasks, in three problems")
    asked = parser.parse_args()
    rows: list[Row] = []
    with tempfile.TemporaryDirectory() as name:
        if asked.pairs:
            for seed in range(min(3, asked.problems)):
                rows.append(real_pairs(Path(name), seed))
                print(rows[-1], flush=True)
        else:
            for tasks in asked.tasks:
                repeats = min(asked.problems, 2) if tasks > 100 else asked.problems
                rows += found_groups(Path(name), tasks, repeats, asked.words)
    record("task groups", rows, rows)


if __name__ == "__main__":
    main()
