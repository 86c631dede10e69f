"""Sixty faults of one line, each put into a copy of the repository, to see whether the tests notice.

    python tests/faults.py                 apply each fault, run the tests that should notice it, say which do
    python tests/faults.py 7 12            the faults of these numbers alone
    python tests/faults.py --all 7         run the whole suite in place of the named tests
    python tests/faults.py --list          list the faults

30 November 2026: of the 60, the tests noticed 53 before they were shortened, and 60 after: the seven that were missed
got tests.

The working tree is not touched: a temporary copy is, and PYTHONPATH leads to it, also in child processes. The exit
status is the number of faults that no test noticed. pytest does not collect this file. tests/test_faults.py checks that
every fragment still occurs exactly once in its file, so that the list stays true while the code changes.
"""

import argparse
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parents[1]
LEFT_OUT = {".git", ".venv", "outputs", "dist", ".mypy_cache", ".pytest_cache", ".ruff_cache", ".hypothesis"}
TIMEOUT = 900  # seconds of the named tests: a fault may also make a test wait for ever
PASSED, FAILED = 0, 1  # of pytest's exit statuses; others say that no test was run


class Fault(NamedTuple):
    """`old` in `file`, below mtlrun/, becomes `new`. `tests` should notice: files below tests/."""

    what: str
    file: str
    old: str
    new: str
    tests: str


LOSS = (
    Fault(
        "uncertainty: s of a task without a label moves",
        "loss/learnt.py",
        "return gradient if present is None else torch.where(present, gradient, 0.0)",
        "return gradient + 0.0",
        "loss/test_uncertainty.py loss/test_strategies.py",
    ),
    Fault(
        "sum_to_T counts absent tasks",
        "loss/base.py",
        "factor = here.sum(1, keepdim=True) / torch",
        "factor = here.shape[1] / torch",
        "loss/test_strategies.py loss/test_fixed.py engine/test_step.py",
    ),
    Fault(
        "random numbers repeat every 256 steps",
        "loss/parts.py",
        "generator(seed, self.purpose, block)",
        "generator(seed, self.purpose)",
        "loss/test_rlw.py loss/test_pcgrad.py loss/test_strategies.py",
    ),
    Fault(
        "dwa: weights of the tasks present sum to T",
        "loss/dwa.py",
        "inputs.present) * inputs.present.sum(1, keepdim=True)",
        "inputs.present) * self.rate.shape[1]",
        "loss/test_dwa.py loss/test_strategies.py",
    ),
    Fault(
        "an epoch's means divide by the batches of all epochs",
        "loss/parts.py",
        "self.batches.zero_()",
        "self.batches.add_(0)",
        "loss/test_dwa.py loss/test_warm_up.py loss/test_stch.py",
    ),
    Fault(
        "stch: the nadir is taken one epoch too early",
        "loss/stch.py",
        "(epochs <= self.warmup)",
        "(epochs < self.warmup)",
        "loss/test_stch.py",
    ),
    Fault(
        "pcgrad: also gradients that agree are projected",
        "loss/pcgrad.py",
        "along.clamp_max(0)",
        "along",
        "loss/test_pcgrad.py",
    ),
    Fault(
        "famo: the moment of an absent task moves",
        "loss/famo.py",
        "self.first.lerp_(gradient, here * (1 - BETAS[0]))",
        "self.first.lerp_(gradient, 1 - BETAS[0])",
        "loss/test_famo.py",
    ),
    Fault(
        "gradnorm: means divide by all tasks",
        "loss/gradnorm.py",
        "count = present.sum(1, keepdim=True).clamp_min(1)",
        "count = present.shape[1]",
        "loss/test_gradnorm.py",
    ),
    Fault(
        "graddrop: sign in the probability",
        "loss/graddrop.py",
        "u * (positive - negative) < positive",
        "u * (positive + negative) < positive",
        "loss/test_graddrop.py",
    ),
    Fault(
        "excess_mtl: the mean growth divides by all tasks",
        "loss/excess_mtl.py",
        "moving.sum(1, keepdim=True).clamp_min(1)",
        "moving.shape[1]",
        "loss/test_excess_mtl.py",
    ),
    Fault(
        "a learnt scale that was taken back counts as started",
        "loss/learnt.py",
        "self.waits, self.all_started = True, Glance()",
        "self.all_started = Glance()",
        "loss/test_uncertainty.py engine/test_on_nan.py loss/test_imtl_l.py",
    ),
)

SHARING = (
    Fault(
        "joint_features: norms over the wrong axis",
        "sharing/joint_features.py",
        "weight.norm(dim=(1, 3), keepdim=True)",
        "weight.norm(dim=(2, 3), keepdim=True)",
        "sharing/test_joint_features.py sharing/test_reductions.py",
    ),
    Fault(
        "mean_regularized: the pull is not over 1 + ridge",
        "sharing/mean_regularized.py",
        "2 * rates * self.strength / kept",
        "2 * rates * self.strength",
        "sharing/test_mean_regularized.py",
    ),
    Fault(
        "trace_norm: the rank counts from the smallest singular value",
        "sharing/trace_norm.py",
        "RANK_FROM * sigma[:, -1:]",
        "RANK_FROM * sigma[:, :1]",
        "sharing/test_trace_norm.py",
    ),
    Fault(
        "soft_l2: biases of layers that are not tied are pulled",
        "sharing/soft_l2.py",
        "list(self.trunks.biases)[: self.count]",
        "list(self.trunks.biases)",
        "sharing/test_soft_l2.py",
    ),
    Fault(
        "cross_stitch: stitches transposed",
        "sharing/cross_stitch.py",
        "torch.bmm(stitches, h.flatten(2))",
        "torch.bmm(stitches.mT, h.flatten(2))",
        "sharing/test_mixtures.py sharing/test_reductions.py",
    ),
    Fault(
        "experts of tasks in another order than their axes",
        "sharing/experts.py",
        "for task in tasks for k in range(count)]",
        "for k in range(count) for task in tasks]",
        "sharing/test_mixtures.py sharing/test_reductions.py",
    ),
)

ENGINE = (
    Fault(
        "dropout is not rescaled",
        "model/layers.py",
        ".float().mul_(1 / (1 - rate))",
        ".float()",
        "model engine/test_step.py",
    ),
    Fault(
        "all layers have one dropout mask",
        "model/layers.py",
        'generator(seed, "dropout", name, step)',
        'generator(seed, "dropout", step)',
        "model engine/test_step.py",
    ),
    Fault(
        "a stopped edge lets gradients pass",
        "model/layers.py",
        "return x.detach()",
        "return x",
        "network engine/test_backward.py",
    ),
    Fault(
        "a reversed edge does not reverse",
        "model/layers.py",
        "scaled = gradients[0] * scale",
        "scaled = gradients[0] * scale.abs()",
        "model network engine/test_backward.py",
    ),
    Fault(
        "a head behind a reversed edge is not shared",
        "engine/backward.py",
        "bool(edge.scale.scales[r] != 0)",
        "bool(edge.scale.scales[r] > 0)",
        "engine/test_backward.py engine/test_step.py",
    ),
    Fault(
        "clipping lengthens short gradients",
        "engine/optimizer.py",
        "(bounds / (norms + 1e-6)).clamp(max=1.0)",
        "(bounds / (norms + 1e-6))",
        "engine/test_optimizer.py engine/test_step.py",
    ),
    Fault(
        "a strategy's own rate follows the schedule",
        "engine/rates.py",
        "self.current[:, self._network_size :] = self._base[:, self._network_size :]",
        "pass",
        "engine/test_step.py lr engine/test_optimizer.py engine/test_stack.py",
    ),
    Fault(
        "gradient norms are forgotten on resuming",
        "engine/state.py",
        'step.norms = tree["gradient_norms"].to(device)',
        "pass",
        "engine/test_loop.py runs/test_run.py engine/test_stack.py sweeps/test_sweep.py",
    ),
    Fault(
        "patience lasts an evaluation longer",
        "engine/loop.py",
        "step - m.best.step >= patience",
        "step - m.best.step > patience",
        "engine/test_loop.py runs/test_run.py engine/test_stack.py",
    ),
    Fault(
        "an ended run moves in a step in which another diverges",
        "engine/guard.py",
        "moving = finite if moving is None else finite & moving",
        "moving = finite",
        "engine/test_on_nan.py engine/test_stack.py",
    ),
    Fault(
        "every epoch has the same order of rows",
        "engine/batches.py",
        'generator(seed, "order", epoch)',
        'generator(seed, "order")',
        "engine/test_batches.py engine/test_step.py",
    ),
    Fault(
        "resuming within a chunk repeats its batches",
        "engine/batches.py",
        "range(max(start - first, 0), x.shape[0])",
        "range(x.shape[0])",
        "engine/test_batches.py engine/test_loop.py",
    ),
    Fault(
        "rows that pad a split count in figures",
        "engine/evaluate.py",
        "np.stack(observed) * real[..., None].astype(np.float64)",
        "np.stack(observed).astype(np.float64)",
        "engine/test_evaluate.py engine/test_stack.py",
    ),
    Fault(
        "label edges pass on labels that are not there",
        "network/task_edges.py",
        "torch.where(targets.observed[:, :, column].unsqueeze(-1), label, estimate)",
        "label",
        "network",
    ),
    Fault(
        "the cosine ends one step too late",
        "lr/schedule.py",
        "max(total - 1 - config.warmup, 1)",
        "max(total - config.warmup, 1)",
        "lr",
    ),
)

DATA = (
    Fault(
        "split: the first row of each part goes to the part before",
        "data/split.py",
        'np.arange(rows), side="right")',
        'np.arange(rows), side="left")',
        "data/test_split.py",
    ),
    Fault(
        "split: rows without a group are one group",
        "data/split.py",
        "codes.max(initial=-1) + 1 + np.arange(alone.sum())",
        "codes.max(initial=-1) + 1",
        "data/test_split.py",
    ),
    Fault(
        "train_labels counts labels of weight 0",
        "data/labels.py",
        "train[run.counted(observed_labels(name, task, run.table))[train]]",
        "train[observed_labels(name, task, run.table)[train]]",
        "data/test_labels.py",
    ),
    Fault(
        "smoothing leaks labels between the parts",
        "data/labels.py",
        "for rows in run.split.parts().values():",
        "for rows in [np.arange(len(values))]:",
        "data/test_labels.py",
    ),
    Fault(
        "shuffling by the seed of the split",
        "data/labels.py",
        'generator(config.seed, f"shuffle {name}")',
        'generator(config.data.split.seed or 0, f"shuffle {name}")',
        "data/test_labels.py",
    ),
    Fault(
        "bins: a label on an edge is in the lower bin",
        "data/encoding.py",
        'len(edges) + 2)), np.searchsorted(edges, numbers, side="right")',
        'len(edges) + 2)), np.searchsorted(edges, numbers, side="left")',
        "data/test_encoding.py data/test_targets.py",
    ),
    Fault(
        "the mean of an input divides by all rows, with missing ones",
        "network/number_scales.py",
        "count = np.maximum(present, 1)",
        "count = len(rows)",
        "network/test_inputs.py",
    ),
    Fault(
        "labels are standardised by all rows, test rows among them",
        "engine/batches.py",
        "values = target.values[train][target.observed[train]]",
        "values = target.values[target.observed]",
        "engine/test_batches.py engine/test_evaluate.py engine/test_trivial.py",
    ),
)

COMPARE = (
    Fault(
        "Holm without monotonicity",
        "statistics/multiple.py",
        "np.maximum.accumulate(np.minimum(1.0, p[order] * np.arange(len(p), 0, -1)))",
        "np.minimum(1.0, p[order] * np.arange(len(p), 0, -1))",
        "statistics/test_multiple.py",
    ),
    Fault(
        "standard error with ddof 0",
        "statistics/interval.py",
        "np.std(values, ddof=1)",
        "np.std(values, ddof=0)",
        "statistics/test_interval.py",
    ),
    Fault(
        "sign flips: differences of 0 are significant",
        "statistics/difference.py",
        "(np.abs(sums) >= least).mean()",
        "(np.abs(sums) > least).mean()",
        "statistics/test_difference.py",
    ),
    Fault(
        "wins: the high end counts ties as lost",
        "statistics/difference.py",
        "for count in (won, n - lost))",
        "for count in (won, won))",
        "statistics/test_difference.py",
    ),
    Fault(
        "an interaction with a wrong sign",
        "statistics/factorial.py",
        "- means[i, 0] + means[0, 0]",
        "- means[i, 0] - means[0, 0]",
        "statistics/test_factorial.py",
    ),
    Fault(
        "n seeds are drawn in place of n - 1",
        "statistics/resample.py",
        "multinomial(n - 1, np.full(n, 1 / n), size=draws) / (n - 1)",
        "multinomial(n, np.full(n, 1 / n), size=draws) / n",
        "statistics/test_resample.py compare/analysis/test_rows.py",
    ),
    Fault(
        "a trial with fewer seeds may be chosen",
        "compare/analysis/chosen_on_val.py",
        "if by_seed and len(by_seed) == most",
        "if by_seed",
        "compare/test_analyse.py compare/analysis",
    ),
    Fault(
        "splits that vary: the smaller p counts",
        "compare/analysis/inference.py",
        "max(flips, t) if self.varies",
        "min(flips, t) if self.varies",
        "compare/test_analyse.py compare/analysis",
    ),
    Fault(
        "leader: half of the most seeds is too few",
        "compare/analysis/ranking.py",
        "2 * len(values) >= most",
        "2 * len(values) > most",
        "compare/test_analyse.py compare/analysis",
    ),
    Fault(
        "equivalent over rows by the upper end alone",
        "compare/analysis/rows.py",
        "-margin < low and high < margin",
        "high < margin",
        "compare/analysis/test_rows.py",
    ),
)

RESULTS = (
    Fault(
        "half a line stays behind on a full disk",
        "storage/files.py",
        "os.ftruncate(file, size)",
        "pass",
        "reliability/test_storage.py storage",
    ),
    Fault(
        "files are written in their place",
        "storage/files.py",
        "        write(beside)\n        os.replace(beside, path)",
        "        write(path)",
        "reliability/test_storage.py storage engine/test_loop.py reliability/test_kills.py",
    ),
    Fault(
        "a sweep's table is rebuilt without a lock",
        "storage/results_table.py",
        "with locked(sweep_dir / LOCK):",
        "if locked:",
        "storage sweeps/test_sweep.py reliability/test_two_at_once.py",
    ),
    Fault(
        "metrics.csv is not cut on resuming",
        "storage/writer.py",
        "os.truncate(self.path, offset)",
        "pass",
        "storage engine/test_loop.py runs/test_run.py",
    ),
)

SWEEPS = (
    Fault(
        "a half without a strategy goes on from its parameters",
        "sweeps/halving.py",
        "if _strategies(part) == _strategies(work):",
        "if _strategies(part):",
        "sweeps",
    ),
    Fault(
        "the process of a halved stack is taken for a broken one",
        "sweeps/pool.py",
        "if work.number not in self.parted:",
        "if work.number >= 0:",
        "sweeps/test_pool.py sweeps/test_sweep.py",
    ),
    Fault(
        "two commands go on with a sweep",
        "sweeps/resuming.py",
        "with at_work(folder, alone=True):",
        "with at_work(folder):",
        "sweeps/test_sweep.py reliability/test_two_at_once.py",
    ),
    Fault(
        "all donors' trunks go to the first run",
        "runs/transfer.py",
        "tensors[name][r : r + 1].copy_(value)",
        "tensors[name][:1].copy_(value)",
        "runs/test_transfer.py",
    ),
    Fault(
        "predict does not impute where training had no gap",
        "runs/predictor.py",
        "network.encoder.imputes = True",
        "network.encoder.imputes = False",
        "runs/test_run.py runs/test_export.py",
    ),
)

FAULTS = (*LOSS, *SHARING, *ENGINE, *DATA, *COMPARE, *RESULTS, *SWEEPS)


def changed(fault: Fault, text: str) -> str:
    """The file's text with the fault. Raises ValueError unless the fragment occurs exactly once."""
    if (times := text.count(fault.old)) != 1:
        raise ValueError(f"{fault.file}: {fault.old!r} occurs {times} times ({fault.what})")
    return text.replace(fault.old, fault.new)


def copy_of_the_repository(into: Path) -> None:
    """The files that tests may read; not the environment, caches and outputs."""
    shutil.copytree(ROOT, into, ignore=lambda _, names: LEFT_OUT.intersection(names), dirs_exist_ok=True)


def run_tests(copy: Path, tests: Sequence[str]) -> subprocess.CompletedProcess[str]:
    """pytest in the copy, up to the first failure. Raises RuntimeError where it runs no test."""
    command = [sys.executable, "-m", "pytest", "-x", "-q", "-n", "0", "-p", "no:cacheprovider", "--no-header", *tests]
    done = subprocess.run(
        command,
        cwd=copy,
        env=os.environ | {"PYTHONPATH": str(copy)},
        capture_output=True,
        text=True,
        timeout=TIMEOUT,
        # ignored in what a shell starts in the background: tests of Ctrl-C would fail
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    if done.returncode not in (PASSED, FAILED):
        raise RuntimeError(f"pytest ended with {done.returncode}\n{done.stdout}{done.stderr}")
    return done


def notices(copy: Path, fault: Fault, tests: Sequence[str], at: int) -> tuple[str, str]:
    """Applies the fault in the copy, runs the tests, and takes it back: "caught" and by which test, "MISSED", or
    "BROKEN" for a test that fails without the fault too.

    at: the file's time of change, another one in each call, so that no compiled file is taken for this one's.
    """
    path = copy / "mtlrun" / fault.file
    text = path.read_text(encoding="utf-8")
    try:
        path.write_text(changed(fault, text), encoding="utf-8")
        os.utime(path, (at, at))
        done = run_tests(copy, tests)
    except subprocess.TimeoutExpired:
        return "caught", "a test did not end"
    finally:
        path.write_text(text, encoding="utf-8")
        os.utime(path, (at + 1, at + 1))
    if done.returncode == PASSED:
        return "MISSED", ""
    lines = (line for line in done.stdout.splitlines() if line.startswith(("FAILED ", "ERROR ")))
    by = next(lines).partition(" ")[2].split(" - ")[0]
    return ("caught" if run_tests(copy, [by]).returncode == PASSED else "BROKEN"), by


def main() -> int:
    """Runs what the command line asks for; the number of faults that were missed."""
    parser = argparse.ArgumentParser(description="Do the tests notice these faults?")
    parser.add_argument("numbers", nargs="*", type=int, help="faults, counted from 1; all by default")
    parser.add_argument("--all", action="store_true", help="run the whole suite for each, not the named tests")
    parser.add_argument("--list", action="store_true", help="list the faults")
    asked = parser.parse_args()
    chosen = [(n, FAULTS[n - 1]) for n in asked.numbers or range(1, len(FAULTS) + 1)]
    if asked.list:
        for number, fault in chosen:
            print(f"{number:2d}  {fault.file}: {fault.what}")
        return 0
    missed = 0
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder).resolve() / "mtlrun"
        copy_of_the_repository(copy)
        for number, fault in chosen:
            tests = ["tests"] if asked.all else [f"tests/{name}" for name in fault.tests.split()]
            began = time.monotonic()
            word, by = notices(copy, fault, tests, 1_000_000_000 + 2 * number)
            missed += word != "caught"
            print(f"{number:2d}  {word}  {time.monotonic() - began:4.0f} s  {fault.what}  {by}", flush=True)
    print(f"{len(chosen) - missed} of {len(chosen)} faults were caught")
    return missed


if __name__ == "__main__":
    sys.exit(main())
