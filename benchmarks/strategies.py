"""What a loss strategy costs: training steps beside those of the plain sum, ours and torchjd's, perhaps LibMTL's.

    python benchmarks/strategies.py                                     # everything: an hour, with LibMTL two
    python benchmarks/strategies.py --quick                             # does it work at all? 20 seconds
    python benchmarks/strategies.py --strategies pcgrad mgda --tasks 10 --libmtl FOLDER

MLPs of 8 x 64 and 4 x 512 with a linear head for each of T regression tasks, on batches of 50 inputs that lie ready
(data loading is excluded on all sides), Adam, one thread, float32. A step is all that a training loop calls for a
batch: forward, losses, the strategy, backward, the optimiser. Nothing is logged. The sides:

- mtlrun: `loss.at=parameters`, as published. representation: the same with `loss.at=representation`.
- torchjd: the fastest, in each cell, of mtl_backward with jac_to_grad (all tasks in parallel, or one after the other;
  with and without optimize_gramian_computation) and, for what needs a Gramian alone, the engine of torchjd.autogram; of
  strategies of losses, its scalarisers. With a head for each task, or one linear layer for all, whichever is faster.
  CAGrad and Nash-MTL need cvxpy, clarabel and ecos; what does not run is left out, and said so.
- LibMTL: its architecture and strategies from FOLDER, a copy of its sources, called as its trainer calls them, without
  the trainer's own figures; the device is passed, as the trainer has cuda:0 for ever. Its GradDrop has the
  representation alone, and is held against ours there.

Peers use torch.optim.Adam(fused=True). Each side's plain sum is timed beside it. All take turns; a turn lasts
--seconds, but three steps at least. Printed: medians over --repeats of µs per step; x sum: the median of the ratios to
the same side's plain sum in the same turn; / ours: the median of the ratios to mtlrun (parameters against parameters).
outside: the share of our step in the strategy's weights, their scaling, the combination of gradients and the
strategy's own gradients, which is what forward, backward and optimiser are not, from a turn with timers; where layers
are wide, Gramian and combination are part of the backward pass (mtlrun/model/trunks/base.py, Factors). On a CUDA device
(--device cuda) syncs is how often a step of ours waits for it, counted by torch.cuda.set_sync_debug_mode.

Results go to benchmarks/results/ as Markdown and CSV.
"""

import argparse
import importlib
import itertools
import os
import random
import statistics
import sys
import time
import types
import warnings
from collections.abc import Callable, Sequence
from typing import Any
from unittest.mock import patch

os.environ["OMP_NUM_THREADS"] = "1"  # before torch loads

import numpy as np
import torch
import torchjd.aggregation as aggregation
import torchjd.scalarization as scalarization
from record import Row, record
from torch import Tensor, nn
from torchjd.autogram import Engine
from torchjd.autojac import jac_to_grad, mtl_backward

from mtlrun.config.check import check
from mtlrun.config.schema.loss import LOSS_SETTINGS, GradientLossConfig
from mtlrun.data.columns import InputColumn, InputSpec
from mtlrun.data.dataset import Dataset
from mtlrun.data.split import Split
from mtlrun.data.targets import Target
from mtlrun.engine.stack import Stack
from mtlrun.loss import STRATEGIES
from mtlrun.runs.build import build_stack
from mtlrun.util.errors import RequestError

INPUTS, BATCHES, RATE, LEAST = 50, 16, 1e-4, 3
NETS = {"8x64": [64] * 8, "4x512": [512] * 4}

# Of torchjd, by our names: from T, a function of losses, and one of Jacobians.
SCALARIZERS: dict[str, Callable[[int], Any]] = {
    "fixed": lambda t: scalarization.Constant(torch.ones(t)),
    "uncertainty": scalarization.UW,
    "dwa": lambda t: scalarization.DWA(),
    "rlw": lambda t: scalarization.Random(),
    "gls": lambda t: scalarization.GeometricMean(),
    "imtl_l": scalarization.IMTLL,
    "stch": lambda t: scalarization.STCH(1.0),
    "famo": scalarization.FAMO,
}
AGGREGATORS: dict[str, Callable[[int], Any]] = {
    "mgda": lambda t: aggregation.MGDA(),
    "pcgrad": lambda t: aggregation.PCGrad(),
    "gradvac": lambda t: aggregation.GradVac(),
    "cagrad": lambda t: aggregation.CAGrad(0.5),
    "imtl_g": lambda t: aggregation.IMTLG(),
    "nash_mtl": lambda t: aggregation.NashMTL(t),
    "fairgrad": lambda t: aggregation.FairGrad(1.0),
    "aligned_mtl": lambda t: aggregation.AlignedMTL(),
    "upgrad": lambda t: aggregation.UPGrad(),
    "dualproj": lambda t: aggregation.DualProj(),
    "config": lambda t: aggregation.ConFIG(),
    "graddrop": lambda t: aggregation.GradDrop(),
    "excess_mtl": lambda t: aggregation.ExcessMTL(),
}
WEIGHTINGS: dict[str, Callable[[], Any]] = {  # of Gramians
    "mgda": aggregation.MGDAWeighting,
    "pcgrad": aggregation.PCGradWeighting,
    "gradvac": aggregation.GradVacWeighting,
    "cagrad": lambda: aggregation.CAGradWeighting(0.5),
    "imtl_g": aggregation.IMTLGWeighting,
    "fairgrad": lambda: aggregation.FairGradWeighting(1.0),
    "aligned_mtl": aggregation.AlignedMTLWeighting,
    "upgrad": aggregation.UPGradWeighting,
    "dualproj": aggregation.DualProjWeighting,
}
# Of LibMTL, by our names: its class, and the arguments that its command line has as defaults.
LIBMTL: dict[str, tuple[str, dict[str, Any]]] = {
    "sum": ("EW", {}),
    "uncertainty": ("UW", {}),
    "dwa": ("DWA", {"T": 2.0}),
    "rlw": ("RLW", {}),
    "gls": ("GLS", {}),
    "stch": ("STCH", {"STCH_mu": 1.0, "STCH_warmup_epoch": 4}),
    "famo": ("FAMO", {"FAMO_w_lr": 0.025, "FAMO_w_gamma": 1e-3}),
    "gradnorm": ("GradNorm", {"alpha": 1.5}),
    "mgda": ("MGDA", {"mgda_gn": "none"}),
    "pcgrad": ("PCGrad", {}),
    "gradvac": ("GradVac", {"GradVac_beta": 0.5, "GradVac_group_type": 0}),
    "cagrad": ("CAGrad", {"calpha": 0.5, "rescale": 1}),
    "imtl": ("IMTL", {}),
    "nash_mtl": ("Nash_MTL", {"update_weights_every": 1, "optim_niter": 20, "max_norm": 1.0}),
    "fairgrad": ("FairGrad", {"FairGrad_alpha": 1.0}),
    "aligned_mtl": ("Aligned_MTL", {}),
    "upgrad": ("UPGrad", {"UPGrad_norm_eps": 1e-4, "UPGrad_reg_eps": 1e-4}),
    "graddrop": ("GradDrop", {"leak": 0.0}),
    "excess_mtl": ("ExcessMTL", {"robust_step_size": 1e-2}),
    "db_mtl": ("DB_MTL", {"DB_beta": 0.9, "DB_beta_sigma": 0}),
}

Batch = tuple[Tensor, Tensor]  # inputs [B, D], labels [B, T]
Step = Callable[[], object]


# ---------------------------------------------------------------- ours


def make_stack(loss: str, at: str | None, tasks: int, hidden: Sequence[int], batch: int, device: str) -> Stack:
    """A run of T regressions on noise around smooth functions, not yet trained."""
    names = [f"task{t}" for t in range(tasks)]
    config = check(
        {
            "data": {"path": "none"},
            "tasks": {n: {"type": "regression"} for n in names},
            "model": {"name": "mlp", "hidden": list(hidden), "head_hidden": []},
            "sharing": {"name": "hard"},
            "graph": {"name": "none"},
            "loss": {"name": loss} | ({"at": at} if at else {}),
            "lr": {"name": "single", "base": RATE},
            "optimizer": {"name": "adam"},
            "trainer": {"batch_size": batch, "epochs": 10_000, "threads": 1, "device": device, "patience": None},
        }
    )
    rng = np.random.default_rng(0)
    rows = BATCHES * batch
    x = rng.normal(size=(rows, INPUTS)).astype(np.float32)
    y = np.tanh(x @ rng.normal(size=(INPUTS, tasks)) / 5) + 0.1 * rng.normal(size=(rows, tasks))
    targets = {
        n: Target(n, n, "regression", "mse", "rmse", [], y[:, t].astype(np.float32), np.ones(rows, bool), None)
        for t, n in enumerate(names)
    }
    spec = InputSpec([InputColumn(f"x{i}", "numeric") for i in range(INPUTS)])
    every = np.arange(rows)
    dataset = Dataset(
        spec, x, np.empty((rows, 0), np.int32), targets, None, Split(every, every[:50], every[:50]), "", []
    )
    return build_stack([config], [dataset])


def ours(stack: Stack) -> Step:
    """A step as training takes it, of batches that are there."""
    batches = list(stack.train.epoch(1))
    count = itertools.count()

    def step() -> None:
        n = next(count)
        stack.step(batches[n % BATCHES], n)

    return step


def outside(stack: Stack, step: Step, steps: int) -> float:
    """The share of so many steps that is spent in the strategy."""
    seconds = 0.0

    def timed(call: Callable[..., Any]) -> Callable[..., Any]:
        def wrapper(*args: Any, **kwargs: Any) -> Any:
            nonlocal seconds
            start = time.perf_counter()
            result = call(*args, **kwargs)
            seconds += time.perf_counter() - start
            return result

        return wrapper

    strategy = stack.step.strategy
    names = ("weights", "scaled", "direction", "gradients", "after")
    with patch.multiple(strategy, **{name: timed(getattr(strategy, name)) for name in names}):
        total = time_steps(step, steps, stack.device)
    return seconds / steps / total


def syncs(step: Step) -> float:
    """How often a step waits for the CUDA device."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        torch.cuda.set_sync_debug_mode("warn")
        for _ in range(BATCHES):
            step()
        torch.cuda.set_sync_debug_mode("default")
    return sum("synchroniz" in str(w.message) for w in caught) / BATCHES


# ---------------------------------------------------------------- the other sides


class Net(nn.Module):
    """The same network as a user of torch writes it; with `one`, a single linear layer as the heads of all tasks."""

    def __init__(self, tasks: int, hidden: Sequence[int], one: bool) -> None:
        super().__init__()
        widths = [INPUTS, *hidden]
        layers = [part for a, b in itertools.pairwise(widths) for part in (nn.Linear(a, b), nn.ReLU())]
        self.trunk = nn.Sequential(*layers)
        self.one = one
        self.heads = nn.ModuleList(
            [nn.Linear(widths[-1], tasks)] if one else [nn.Linear(widths[-1], 1) for _ in range(tasks)]
        )

    def apart(self, x: Tensor, y: Tensor) -> tuple[Tensor, list[Tensor]]:
        """Features `[B, H]` and T losses."""
        features = self.trunk(x)
        if self.one:
            return features, list((self.heads[0](features) - y).square().mean(0).unbind())
        losses = [nn.functional.mse_loss(head(features).squeeze(1), y[:, t]) for t, head in enumerate(self.heads)]
        return features, losses

    def forward(self, x: Tensor, y: Tensor) -> Tensor:
        """Losses `[T]`."""
        if self.one:
            return (self.heads[0](self.trunk(x)) - y).square().mean(0)
        return torch.stack(self.apart(x, y)[1])


def torchjd_steps(name: str, tasks: int, hidden: Sequence[int], batches: Sequence[Batch]) -> dict[str, Step]:
    """The ways in which torchjd can take a step with this strategy; none if it does not have it."""
    found: dict[str, Step] = {}
    device = batches[0][0].device
    for one in (False, True):
        heads = "one head layer" if one else "heads"
        net = Net(tasks, hidden, one).to(device)
        if name == "sum":
            found[f"sum, {heads}"] = _scalarized(net, lambda losses: losses.sum(), batches)
        elif name in SCALARIZERS:
            found[f"scalariser, {heads}"] = _scalarized(net, SCALARIZERS[name](tasks).to(device), batches)
        elif name in AGGREGATORS:
            for chunk, optimize in itertools.product((None, 1), (False, True)):
                net, aggregator = Net(tasks, hidden, one).to(device), AGGREGATORS[name](tasks).to(device)
                if optimize and not isinstance(aggregator, aggregation.GramianWeightedAggregator):
                    continue
                label = (
                    f"mtl_backward{' one by one' if chunk else ''}{', Gramian by layer' if optimize else ''}, {heads}"
                )
                found[label] = _mtl_backward(net, aggregator, batches, chunk, optimize)
            if name in WEIGHTINGS:
                net = Net(tasks, hidden, one).to(device)
                found[f"autogram, {heads}"] = _autogram(net, WEIGHTINGS[name](), batches)
    return found


def _optimizer(*modules: Any) -> torch.optim.Optimizer:
    parameters = [p for module in modules if isinstance(module, nn.Module) for p in module.parameters()]
    return torch.optim.Adam(parameters, lr=RATE, fused=True)


def _scalarized(net: Net, scalarizer: Any, batches: Sequence[Batch]) -> Step:
    optimizer, turn = _optimizer(net, scalarizer), itertools.cycle(batches)

    def step() -> None:
        x, y = next(turn)
        losses = net(x, y)
        optimizer.zero_grad()
        scalarizer(losses).backward()
        optimizer.step()
        if isinstance(scalarizer, scalarization.FAMO):
            with torch.no_grad():
                scalarizer.update(net(x, y))

    return step


def _mtl_backward(net: Net, aggregator: Any, batches: Sequence[Batch], chunk: int | None, optimize: bool) -> Step:
    optimizer, turn = _optimizer(net), itertools.cycle(batches)
    shared = list(net.trunk.parameters())
    own = [list(net.heads[0 if net.one else t].parameters()) for t in range(batches[0][1].shape[1])]
    more = {"optimize_gramian_computation": True} if optimize else {}

    def step() -> None:
        features, losses = net.apart(*next(turn))
        optimizer.zero_grad()
        # the losses of one layer share its graph
        mtl_backward(
            losses, features, tasks_params=own, shared_params=shared, parallel_chunk_size=chunk, retain_graph=net.one
        )
        jac_to_grad(shared, aggregator, **more)
        optimizer.step()

    return step


def _autogram(net: Net, weighting: Any, batches: Sequence[Batch]) -> Step:
    engine = Engine(net.trunk, batch_dim=None)
    optimizer, turn = _optimizer(net), itertools.cycle(batches)

    def step() -> None:
        losses = net(*next(turn))
        optimizer.zero_grad()
        losses.backward(weighting(engine.compute_gramian(losses)))
        optimizer.step()

    return step


def libmtl_step(folder: str, name: str, tasks: int, hidden: Sequence[int], batches: Sequence[Batch]) -> dict[str, Step]:
    """A step as LibMTL's trainer takes it; none for a strategy that it does not have."""
    if name not in LIBMTL:
        return {}
    for part in ("", ".architecture"):  # not their __init__, which import what no step needs
        package = types.ModuleType(f"LibMTL{part}")
        package.__path__ = [os.path.join(folder, "LibMTL", *part.split(".")[1:])]
        sys.modules.setdefault(f"LibMTL{part}", package)
    weighting = importlib.import_module("LibMTL.weighting")
    architecture = importlib.import_module("LibMTL.architecture.HPS")
    kind, arguments = LIBMTL[name]
    names = [f"task{t}" for t in range(tasks)]
    device = batches[0][0].device

    class Model(architecture.HPS, getattr(weighting, kind)):
        def __init__(self) -> None:
            decoders = nn.ModuleDict({n: nn.Linear(hidden[-1], 1) for n in names})
            super().__init__(names, lambda: Net(tasks, hidden, True).trunk, decoders, kind == "GradDrop", False, device)
            self.init_param()

    model = Model().to(device)
    # as in its fifth epoch, when all strategies are past their beginnings
    model.epoch, model.epochs, model.train_loss_buffer = 5, 10, np.ones([tasks, 10])
    optimizer, turn = _optimizer(model), itertools.cycle(batches)

    def losses_of(x: Tensor, y: Tensor) -> Tensor:
        outputs, losses = model(x), torch.zeros(tasks, device=device)
        for t, n in enumerate(names):
            losses[t] = nn.functional.mse_loss(outputs[n].squeeze(1), y[:, t])
        return losses

    def step() -> None:
        x, y = next(turn)
        losses = torch.stack([losses_of(x, y)]).squeeze(0)
        optimizer.zero_grad(set_to_none=False)
        model.backward(losses, **arguments)
        optimizer.step()
        if name == "famo":
            with torch.no_grad():
                model.update_w(losses_of(x, y).detach())

    if name == "stch":  # takes its nadir at the end of the warm-up
        model.epoch, model.epochs = 4, 10
        step()
        model.epoch = 5
    return {"": step}


# ---------------------------------------------------------------- measuring


def time_steps(step: Step, steps: int, device: torch.device) -> float:
    """Seconds per step."""
    if device.type == "cuda":
        torch.cuda.synchronize()
    start = time.perf_counter()
    for _ in range(steps):
        step()
    if device.type == "cuda":
        torch.cuda.synchronize()
    return (time.perf_counter() - start) / steps


def paced(step: Step, seconds: float, device: torch.device) -> tuple[float, int]:
    """Seconds per step once it is warm, and how many steps take so many seconds."""
    time_steps(step, LEAST, device)
    once = time_steps(step, LEAST, device)
    return once, max(LEAST, round(seconds / once))


def fastest(make: Callable[[], dict[str, Step]], device: torch.device) -> tuple[str, Step] | None:
    """The fastest of several ways and its name, from a few turns of those that are not plainly slower."""
    try:
        steps = make()
        times = {way: paced(step, 0.0, device)[0] for way, step in steps.items()}
    except (ImportError, RuntimeError) as error:  # cvxpy; functions that torch has no more
        print(f"left out: {str(error).splitlines()[0]}", file=sys.stderr)
        return None
    for _ in range(3):
        near = [way for way in times if times[way] < 1.5 * min(times.values())]
        times = {way: min(times[way], time_steps(steps[way], LEAST, device)) for way in near}
    best = min(times, key=lambda way: times[way], default=None)
    return None if best is None else (best, steps[best])


def measure(args: argparse.Namespace, name: str, tasks: int, net: str, batch: int) -> list[Row]:
    """The figures of every repeat of one strategy in one cell."""
    device = torch.device(args.device)
    hidden = NETS[net]
    random.seed(0)
    torch.manual_seed(0)
    stacks = {("mtlrun", "sum"): make_stack("sum", None, tasks, hidden, batch, args.device)}
    places = {"mtlrun": "parameters", "representation": "representation"}
    for side, at in places.items() if issubclass(LOSS_SETTINGS[name], GradientLossConfig) else [("mtlrun", None)]:
        try:
            stacks[side, name] = make_stack(name, at, tasks, hidden, batch, args.device)
        except RequestError as error:  # of a strategy that has no meaning there
            print(f"left out: {str(error).splitlines()[0]}", file=sys.stderr)
    batches = [(b.x[0], b.targets.labels[0]) for b in stacks["mtlrun", "sum"].train.epoch(1)]
    sides: dict[tuple[str, str], Step] = {key: ours(stack) for key, stack in stacks.items()}
    ways: dict[tuple[str, str], str] = {}
    for which in dict.fromkeys(("sum", name)):
        if (best := fastest(lambda own=which: torchjd_steps(own, tasks, hidden, batches), device)) is not None:
            ways["torchjd", which], sides["torchjd", which] = best
        if args.libmtl:
            best = fastest(lambda own=which: libmtl_step(args.libmtl, own, tasks, hidden, batches), device)
            if best is not None:
                sides["LibMTL", which] = best[1]
    steps = {key: paced(step, args.seconds, device)[1] for key, step in sides.items()}
    waits = {key: syncs(sides[key]) for key in stacks} if device.type == "cuda" else {}
    rows = []
    for repeat in range(args.repeats):
        for (side, which), step in sides.items():
            row = {
                "T": tasks,
                "net": net,
                "batch": batch,
                "strategy": name,
                "side": side,
                "loss": which,
                "repeat": repeat,
                "us": 1e6 * time_steps(step, steps[side, which], device),
            }
            stack = stacks.get((side, which))
            row["outside"] = outside(stack, step, steps[side, which]) if stack and which == name else ""
            rows.append(row | {"syncs": waits.get((side, which), ""), "way": ways.get((side, which), "")})
    return rows


def lines(rows: Sequence[Row]) -> list[Row]:
    """One line per side of one strategy in one cell."""
    name = rows[0]["strategy"]
    us = {(r["side"], r["loss"], r["repeat"]): r["us"] for r in rows}
    repeats = range(1 + max(r["repeat"] for r in rows))
    found = []
    for side in dict.fromkeys(r["side"] for r in rows):
        own = [r for r in rows if r["side"] == side and r["loss"] == name]
        if not own:
            continue
        base = "mtlrun" if side == "representation" else side
        to_sum = statistics.median(us[side, name, k] / us[base, "sum", k] for k in repeats)
        like = "representation" if (side, name) == ("LibMTL", "graddrop") else "mtlrun"
        to_ours = statistics.median(us[side, name, k] / us[like, name, k] for k in repeats)
        outer = [r["outside"] for r in own if r["outside"] != ""]
        times = [r["us"] for r in own]
        found.append(
            {
                "T": own[0]["T"],
                "net": own[0]["net"],
                "batch": own[0]["batch"],
                "strategy": name,
                "side": side,
                "µs (range)": f"{statistics.median(times):.0f} ({min(times):.0f}–{max(times):.0f})",
                "x sum": f"{to_sum:.2f}",
                "/ ours": f"{to_ours:.2f}",
                "outside": f"{statistics.median(outer):.1%}" if outer else "",
                "syncs": own[0]["syncs"],
                "way": own[0]["way"],
            }
        )
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tasks", type=int, nargs="+", default=[3, 10, 40], metavar="T")
    parser.add_argument("--nets", nargs="+", default=list(NETS), choices=list(NETS))
    parser.add_argument("--batches", type=int, nargs="+", default=[64, 256], metavar="B")
    parser.add_argument("--strategies", nargs="+", default=list(STRATEGIES), choices=list(STRATEGIES), metavar="NAME")
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=0.1, help="of each side in a turn")
    parser.add_argument("--libmtl", metavar="FOLDER", help="a copy of LibMTL's repository")
    parser.add_argument("--device", default="cpu", choices=["cpu", "cuda"])
    parser.add_argument("--quick", action="store_true", help="one small cell, one turn of three steps, no record")
    args = parser.parse_args()
    if args.quick:
        args.tasks, args.nets, args.batches, args.repeats, args.seconds = [3], ["8x64"], [64], 1, 0.0
    torch.set_num_threads(1)
    shown: list[Row] = []
    rows: list[Row] = []
    for name, tasks, net, batch in itertools.product(args.strategies, args.tasks, args.nets, args.batches):
        rows += (these := measure(args, name, tasks, net, batch))
        shown += (new := lines(these))
        print(
            f"T {tasks} {net} B {batch} {name}:", "; ".join(f"{n['side']} {n['µs (range)']}" for n in new), flush=True
        )
    if all(line["syncs"] == "" for line in shown):
        shown = [{key: value for key, value in line.items() if key != "syncs"} for line in shown]
    if args.quick:
        return
    record(f"strategies {args.device}", shown, rows, ["µs per step."])


if __name__ == "__main__":
    main()
