"""`mtlrun compare --rows` on runs that were really trained."""

import dataclasses
import json
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from commands import main
from comparisons import against
from folders import Outputs

from mtlrun.compare.analyse import analyse
from mtlrun.compare.analysis.options import Options
from mtlrun.compare.analysis.rows import _more_careful
from mtlrun.compare.collect.folders import collect
from mtlrun.compare.records import Comparison, Row
from mtlrun.runs.predictor import load
from mtlrun.util.errors import RequestError

SEEDS = range(5)
WORDS = [
    "-m",
    "seed=range(5)",
    "data=t",
    "trainer.epochs=30",
    "trainer.batch_size=60",
    "lr.base=0.01",
    "trainer.tensorboard=false",
    "model.hidden=[8]",
    "model.head_hidden=[]",
]
TABLE = """\
path: {path}
split: {{column: part}}
"""


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Sum, uncertainty and single-task nets of a table of 900 rows with a given split; 180 test rows."""
    root = tmp_path_factory.mktemp("rows")
    luck = np.random.default_rng(0)
    x = luck.normal(size=(900, 3))
    frame = pd.DataFrame(x, columns=["u", "v", "w"])
    frame["y"] = 40 + 10 * x[:, 0] + 3 * luck.normal(size=900)
    frame["z"] = np.where(x[:, 1] + luck.normal(size=900) > 0, "yes", "no")
    frame["k"] = np.array(["a", "b", "c"])[np.digitize(x[:, 2] + 0.5 * luck.normal(size=900), [-0.5, 0.5])]
    frame.loc[::11, "y"] = np.nan
    frame["part"] = np.repeat(["train", "val", "test"], [540, 180, 180])
    frame.to_csv(root / "t.csv", index=False)
    (root / "conf/data").mkdir(parents=True)
    (root / "conf/data/t.yaml").write_text(TABLE.format(path=root / "t.csv"))
    tasks = "tasks={y: {type: regression}, z: {type: binary}, k: {type: categorical}}"
    arms = "arms=[{loss: sum}, {loss: uncertainty}, {only: [y]}, {only: [z]}, {only: [k]}]"
    words = [*WORDS, tasks, arms, f"hydra.sweep.dir={root / 'sweep'}", "--config-dir", str(root / "conf")]
    assert main(words) == 0
    return root


@pytest.fixture(scope="module")
def both(trained: Path) -> tuple[Comparison, Comparison]:
    """Without and with --rows."""
    collection = collect([trained / "sweep"])
    return analyse(collection, Options()), analyse(collection, Options(rows=True))


def rows(comparison: Comparison) -> dict[str, Row]:
    return {row.label: row for row in comparison.rows}


def net(trained: Path, loss: str, seed: int) -> Path:
    return next(
        run.folder
        for run in collect([trained / "sweep"]).runs
        if run.settings["loss"] == loss and run.seed == seed and not run.single_task
    )


def test_intervals_hold_those_over_seeds_and_say_so(both: tuple[Comparison, Comparison]) -> None:
    before, after = both
    assert "over seeds and test rows" in after.interval and "180 rows" in after.interval
    assert after.interval.endswith("; trivial: over seeds alone")
    assert str(next(f.command for f in before.findings if f.condition == "test rows")).endswith("--rows")
    assert not [f for f in after.findings if f.condition in ("test rows", "rows not scored")]
    for label, row in rows(after).items():
        for task, estimate in row.figures.items():
            old = rows(before)[label].figures[task]
            assert (estimate.mean, estimate.values) == (old.mean, old.values)
            assert estimate.low <= old.low and estimate.high >= old.high


def test_the_interval_of_an_error_is_that_of_drawn_rows_and_seeds(
    trained: Path, both: tuple[Comparison, Comparison]
) -> None:
    """Against predictions through another door, resampled row by row; of five seeds four are drawn."""
    frame = pd.read_csv(trained / "t.csv")
    test = frame[frame["part"] == "test"]
    squares = np.stack(
        [(load(net(trained, "uncertainty", seed)).predict(test)["y"] - test["y"]).to_numpy() ** 2 for seed in SEEDS]
    )
    assert np.isnan(squares).any()
    luck = np.random.default_rng(5)
    drawn = []
    for _ in range(4000):
        own = squares[:, luck.integers(180, size=180)]
        drawn.append(np.sqrt(np.nanmean(own, axis=1))[luck.integers(5, size=4)].mean())
    low, high = np.quantile(drawn, [0.025, 0.975])
    before, after = (rows(comparison)["loss=uncertainty"].figures["y"] for comparison in both)
    assert after.low == pytest.approx(low, rel=0.01) and low < before.low
    assert after.high == pytest.approx(high, rel=0.01) and high > before.high


def test_verdicts_need_both_and_holm_counts_all_rows(both: tuple[Comparison, Comparison]) -> None:
    before, after = both
    for label, row in rows(after).items():
        old = rows(before)[label].against
        if row.against is not None:
            assert row.against.p >= old.p and row.against.p_holm >= old.p_holm and row.against.wins == old.wins
            assert row.against.difference.low <= old.difference.low
            assert row.against.equivalent <= old.equivalent


@pytest.mark.parametrize(("low", "high"), [(-0.5, 0.5), (-3.0, 0.5), (-0.5, 3.0)])
def test_equivalent_is_what_other_rows_too_keep_within_both_ends_of_the_margin(low: float, high: float) -> None:
    held = against(0.0, 0.5)
    assert held.equivalent
    drawn = np.linspace(low, high, 1001)
    drops, reference = (dict.fromkeys(held.difference.values, values) for values in (drawn, 0.0 * drawn))
    assert _more_careful(held, drops, reference, 1.0).equivalent is (high - low == 1.0)


def test_parameters_of_a_row_are_those_of_its_nets(both: tuple[Comparison, Comparison]) -> None:
    # 3 inputs, a trunk of 8; a head of one number each for y and z, of three for k
    trunk = (3 + 1) * 8
    assert rows(both[0])["loss=sum"].parameters == trunk + 9 + 9 + 27
    assert rows(both[0])["alone"].parameters == 3 * trunk + 9 + 9 + 27


def test_a_run_that_is_not_what_it_was_is_left_out_by_name(trained: Path, tmp_path: Path) -> None:
    shutil.copytree(trained / "sweep", tmp_path / "sweep")
    summary = net(tmp_path, "uncertainty", 1) / "summary.json"
    known = json.loads(summary.read_text())
    known["figures"]["test/y/rmse"] *= 1.5
    summary.write_text(json.dumps(known))
    found = analyse(collect([tmp_path / "sweep"]), Options(rows=True))
    text = next(f.text for f in found.findings if f.condition == "rows not scored")
    assert "loss=uncertainty: " in text and "its checkpoint gives rmse of y" in text
    (net(tmp_path, "sum", 0) / "checkpoints/best.pt").unlink()
    with pytest.raises(
        RequestError, match=r"^--rows: .*best.pt.*no such.*\nloss=sum is the reference, so its test rows must be scored"
    ):
        analyse(collect([tmp_path / "sweep"]), Options(rows=True))


def test_refused_where_the_split_varies(outputs: Outputs, capsys: pytest.CaptureFixture[str]) -> None:
    outputs.setting("sum", [10, 11], [0.5, 0.6], split_seed=None)
    outputs.setting("unc", [9, 9.9], [0.5, 0.6], flat={"loss": "uncertainty"}, split_seed=None)
    assert main(["compare", str(outputs.root), "--rows"]) == 2
    said = capsys.readouterr().err
    assert said.startswith("mtlrun: --rows: the split varies (2 splits)") and "\nallowed: " in said
    assert "test rows" not in {f.condition for f in analyse(collect([outputs.root]), Options()).findings}


def test_distances_of_trunks_that_began_alike(trained: Path) -> None:
    from mtlrun.compare.analysis.distance import distances
    from mtlrun.compare.analysis.inference import Inference
    from mtlrun.compare.collect.fold import fold
    from mtlrun.engine import checkpoint
    from mtlrun.model.layers import uniform

    settings, _ = fold(collect([trained / "sweep"]).runs)
    alone = next(s for s in settings if s.kind == "alone")
    findings: list = []
    found = distances(alone, ["y", "z", "k"], Inference(False, None), findings)
    assert not findings and set(found[("y", "z")].values) == {*SEEDS} and found["y", "z"] is found["z", "y"]
    start = np.concatenate(
        [
            uniform([1], f"trunk.layer1.{part}", shape, 3).numpy().ravel()
            for part, shape in (("weight", (3, 8)), ("bias", (1, 8)))
        ]
    )
    ends = []
    for task in ("y", "k"):
        tree = checkpoint.load(alone.of(task)[1].folder / "checkpoints/best.pt")["network"]
        ends.append(
            np.concatenate([tree[f"sharing.trunk.layers.0.{part}"].numpy().ravel() for part in ("weight", "bias")])
        )
    moved = [np.linalg.norm(end - start) for end in ends]
    assert found["y", "k"].values[1] == pytest.approx(np.linalg.norm(ends[0] - ends[1]) / np.mean(moved), rel=1e-5)
    other = dataclasses.replace(alone, runs={0: {"y": alone.runs[0]["y"], "z": alone.runs[1]["z"]}})
    assert distances(other, ["y", "z"], Inference(False, None), findings) == {}  # other seeds began elsewhere
