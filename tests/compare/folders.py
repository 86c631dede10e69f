"""Folders of runs, written by hand, with figures from which Δm, ranks and verdicts can be worked out."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

SETTINGS: dict[str, Any] = {
    "data.path": "table.csv",
    "data.split.train": 0.7,
    "data.split.val": 0.15,
    "data.split.test": 0.15,
    "model": "mlp",
    "model.hidden": [64, 64],
    "sharing": "hard",
    "graph": "none",
    "graph.gradient": "stop",
    "loss": "sum",
    "lr": "single",
    "lr.base": 0.001,
    "optimizer": "adam",
    "trainer.epochs": 3,
}
PRIMARY = {"regression": "rmse", "binary": "auroc", "categorical": "accuracy"}


class Outputs:
    """A folder of runs. Tasks are `a`, a regression, and `b`, a categorical one; every run has split seed 0."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.plan: dict[Path, list[dict[str, Any]]] = {}

    @staticmethod
    def _figures(
        values: Mapping[str, float], val: Mapping[str, float], types: Mapping[str, str]
    ) -> tuple[dict[str, float], dict[str, float]]:
        """Figures of a run and of the trivial predictor."""
        known: dict[str, float] = {}
        trivial: dict[str, float] = {}
        for task, value in values.items():
            if "/" in task:
                known[task] = value
                continue
            metric = PRIMARY[types.get(task, "regression")]
            for part in ("val", "test"):
                known[f"{part}/{task}/{metric}"] = value
                trivial[f"{part}/{task}/{metric}"] = 20.0 if metric == "rmse" else 0.25
            known[f"val/{task}/loss"] = val.get(task, 0.5)
            trivial[f"val/{task}/loss"] = 1.0
        return known, trivial

    def run(
        self,
        name: str,
        values: Mapping[str, float],
        seed: int = 0,
        flat: Mapping[str, Any] | None = None,
        split_seed: int | None = 0,
        val: Mapping[str, float] | None = None,
        arm: str | None = None,
        roles: Mapping[str, str] | None = None,
        curve: Sequence[str] = (),
        sweep: str | None = None,
        **summary: Any,
    ) -> Path:
        """One run; `values` by task, or by SPLIT/TASK/METRIC; `val`: the tasks' raw losses on val (trivial: 1)."""
        folder = self.root / (f"{sweep}/{name}" if sweep else name)
        folder.mkdir(parents=True)
        settings = {**SETTINGS, **(flat or {})}
        split = seed if split_seed is None else split_seed
        types = {"a": "regression", "b": "categorical", "c": "binary"}
        tasks = {t: {"type": None, "role": (roles or {}).get(t, "main"), "primary": None} for t in ("a", "b")}
        tree: dict[str, Any] = {"seed": seed, "name": "runs", "only": None, "tasks": tasks}
        trained = [key for key in values if "/" not in key]
        for task in trained:
            tasks.setdefault(task, {"type": types.get(task, "regression"), "role": "main", "primary": None})
        if 0 < len(trained) < len(tasks):
            tree["only"] = trained
        for key, value in settings.items():
            own = tree
            *groups, last = key.split(".")
            for group in groups:
                own = own.setdefault(group, {})
            if key in ("data", "model", "sharing", "graph", "loss", "lr", "optimizer"):
                own.setdefault(key, {})["name"] = value
            else:
                own[last] = value
        tree["data"]["split"]["seed"] = split
        known, trivial = self._figures(values, val or {}, types)
        whole = {
            "schema": 1,
            "status": "completed",
            "error": None,
            "seed": seed,
            "settings": tree,
            "figures": known,
            "config_hash": f"{name}-{seed}",
            "data_hash": "d" * 16,
            "trivial": trivial,
            "seconds": 3.0,
            "steps": 30,
            "memory": 1000,
            "best": None,
            "stack": {"id": 0, "size": 1},
            "git": None,
            "versions": {"mtlrun": "0.1.0", "torch": "2"},
            "hardware": {"device": "cpu", "cpu": "x", "threads": 1},
            "rows": {"table": 100, "train": 70, "val": 15, "test": 15},
        } | summary
        (folder / "summary.json").write_text(json.dumps(whole), encoding="utf-8")
        figures = whole["figures"] if isinstance(whole["figures"], dict) else {}
        at_the_end = [f"3,30,{key.replace('/', ',')},{value}" for key, value in figures.items() if key[:5] == "test/"]
        lines = ["epoch,step,split,task,metric,value", *curve, *(at_the_end or ["3,30,test,a,loss,1.0"])]
        (folder / "metrics.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")
        if sweep is not None:
            job = {"run": name, "overrides": {"seed": str(seed)}, "arguments": [], "config": tree, "steps": 30}
            plan = self.plan.setdefault(self.root / sweep, [])
            plan.append(job if arm is None else job | {"arm": arm})
            (self.root / sweep / "sweep.json").write_text(json.dumps(plan), encoding="utf-8")
        return folder

    def setting(self, name: str, a: Sequence[float], b: Sequence[float], **given: Any) -> None:
        """A run for each seed from 0, with these figures of `a` and `b`."""
        for seed, (one, two) in enumerate(zip(a, b, strict=True)):
            self.run(f"{name}-{seed}", {"a": one, "b": two}, seed, **given)

    def alone(self, a: Sequence[float], b: Sequence[float], name: str = "alone", **given: Any) -> None:
        """Single-task nets: two runs for each seed from 0."""
        for seed, (one, two) in enumerate(zip(a, b, strict=True)):
            self.run(f"{name}-a-{seed}", {"a": one}, seed, **given)
            self.run(f"{name}-b-{seed}", {"b": two}, seed, **given)


def lines(values: list[float], what: str = "val,a,rmse") -> list[str]:
    """Lines of metrics.csv: a figure at the ends of epochs of ten steps."""
    return [f"{epoch},{10 * epoch},{what},{value}" for epoch, value in enumerate(values, 1)]
