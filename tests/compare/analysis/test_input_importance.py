"""Importance of inputs over seeds."""

from pathlib import Path

from claims import compared
from folders import Outputs


def test_importance_is_read_where_runs_have_it_and_damage_is_named(outputs: Outputs) -> None:
    header = "task,metric,input,value\n"
    for seed, text in enumerate(
        [f"{header}a,rmse,x,1.0\nb,accuracy,x,0.1\n", f"{header}a,rmse,x,3.0\n", "task,met\na,"]
    ):
        folder: Path = outputs.run(f"s{seed}", {"a": 10, "b": 0.5}, seed)
        (folder / "importance.csv").write_text(text)
    found = compared(outputs)
    assert [(i.task, i.input, i.estimate.mean, i.estimate.n) for i in found.importances] == [
        ("a", "x", 2.0, 2),
        ("b", "x", 0.1, 1),
    ]
    assert "importance.csv cannot be read: s2" in [f.text for f in found.findings]
