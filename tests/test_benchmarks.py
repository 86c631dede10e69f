"""The benchmark of strategies: that it works, and that its ratios are those of the same turn."""

import runpy
import sys
from pathlib import Path
from typing import Any

import pytest
import torch

from mtlrun.loss import STRATEGIES

BENCHMARKS = Path(__file__).parent.parent / "benchmarks"


@pytest.fixture
def benchmark(monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    return runpy.run_path(str(BENCHMARKS / "strategies.py"))


def test_a_quick_look_at_two_strategies(
    benchmark: Any, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    threads, before = torch.get_num_threads(), set((BENCHMARKS / "results").iterdir())
    monkeypatch.setattr(sys, "argv", ["strategies.py", "--quick", "--strategies", "pcgrad", "rlw"])
    try:
        benchmark["main"]()
    finally:
        torch.set_num_threads(threads)
    said = capsys.readouterr().out.splitlines()
    assert [line.split(":")[0] for line in said] == ["T 3 8x64 B 64 pcgrad", "T 3 8x64 B 64 rlw"]
    assert [part.split()[0] for part in said[0].split(": ")[1].split("; ")] == ["mtlrun", "representation", "torchjd"]
    assert [part.split()[0] for part in said[1].split(": ")[1].split("; ")] == ["mtlrun", "torchjd"]
    assert set((BENCHMARKS / "results").iterdir()) == before


def test_peers_take_the_same_step(benchmark: Any) -> None:
    """The plain sum of ours and of both forms of the other side's network: the same arithmetic per parameter."""
    stack = benchmark["make_stack"]("sum", None, 3, [8, 6], 16, "cpu")
    batch = next(iter(stack.train.epoch(1)))
    expected = stack.network.losses(batch.x, batch.targets)[0]
    parameters = [p[0] for p in stack.step.flat.network_parameters]
    for one in (False, True):
        net = benchmark["Net"](3, [8, 6], one)
        with torch.no_grad():
            for layer, weight, bias in zip(net.trunk[::2], parameters[0:4:2], parameters[1:4:2], strict=True):
                layer.weight.copy_(weight.T)
                layer.bias.copy_(bias[0])
            weight = torch.cat([head.weight for head in net.heads])  # [T, H]
            weight.copy_(parameters[4][:, :, 0].T)
            for t, head in enumerate(net.heads):
                head.weight.copy_(weight if one else weight[t : t + 1])
                head.bias.copy_(parameters[5][0, :, 0] if one else parameters[5][0, t])
        torch.testing.assert_close(net(batch.x[0], batch.targets.labels[0]), expected)
        torch.testing.assert_close(torch.stack(net.apart(batch.x[0], batch.targets.labels[0])[1]), expected)


def test_ratios_are_medians_over_turns(benchmark: Any) -> None:
    us = {
        ("mtlrun", "sum"): [1, 2, 4],
        ("mtlrun", "pcgrad"): [2, 6, 8],
        ("torchjd", "sum"): [2, 2, 2],
        ("torchjd", "pcgrad"): [8, 6, 40],
        ("representation", "pcgrad"): [1, 3, 8],
    }
    rows = [
        {
            "T": 3,
            "net": "8x64",
            "batch": 64,
            "strategy": "pcgrad",
            "side": side,
            "loss": loss,
            "repeat": k,
            "us": u,
            "outside": 0.1 * (k + 1) if side != "torchjd" and loss == "pcgrad" else "",
            "syncs": "",
            "way": "",
        }
        for (side, loss), values in us.items()
        for k, u in enumerate(values)
    ]
    found = {line["side"]: line for line in benchmark["lines"](rows)}
    assert [found[s]["x sum"] for s in ("mtlrun", "representation", "torchjd")] == ["2.00", "1.50", "4.00"]
    assert [found[s]["/ ours"] for s in ("mtlrun", "representation", "torchjd")] == ["1.00", "0.50", "4.00"]
    assert found["torchjd"]["µs (range)"] == "8 (6–40)" and found["mtlrun"]["outside"] == "20.0%"


def test_every_strategy_has_its_place_beside_the_peers(benchmark: Any) -> None:
    known = {
        "sum",
        *benchmark["SCALARIZERS"],
        *benchmark["AGGREGATORS"],
        *benchmark["WEIGHTINGS"],
        *benchmark["LIBMTL"],
    }
    alone = {"gradnorm", "imtl", "db_mtl"}  # torchjd does not have them
    assert {name for name in STRATEGIES if name not in known} <= alone
    assert set(benchmark["WEIGHTINGS"]) <= set(benchmark["AGGREGATORS"])
