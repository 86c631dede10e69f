"""Settings that are trained anew on fresh seeds: their splits, and what is known of how they were chosen."""

import json
from pathlib import Path

import pytest
from commands import main

from mtlrun.compare.analyse import analyse
from mtlrun.compare.analysis.options import Options
from mtlrun.compare.collect.choice import Choice, read_choices, write_choices
from mtlrun.compare.collect.folders import collect
from mtlrun.compare.records import Comparison, Finding

TABLE = "# @package _global_\ndata: {path: houses.csv}\ntasks: {price: {type: regression}, age: {type: regression}}\n"
SMALL = [
    "-m",
    "data=houses",
    "model.hidden=[4]",
    "model.head_hidden=[]",
    "trainer.max_steps=4",
    "seed=0,1,2",
    "trainer.tensorboard=false",
    "data.split.seed=0",
]

pytestmark = pytest.mark.usefixtures("without_pictures")


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working directory with a small table."""
    monkeypatch.chdir(tmp_path)
    Path("conf/data").mkdir(parents=True)
    Path("conf/data/houses.yaml").write_text(TABLE)
    lines = [f"{i * 37 % 101 / 10},{i * 53 % 97},{(i * 37 % 101) * 3 + i % 7}\n" for i in range(120)]
    Path("houses.csv").write_text("area,age,price\n" + "".join(lines))
    return tmp_path


def missing(comparison: Comparison) -> dict[str, Finding]:
    return {finding.condition: finding for finding in comparison.findings if finding.kind == "missing"}


def compared(*folders: str) -> Comparison:
    return analyse(collect([Path(folder) for folder in folders]), Options())


def test_a_split_that_seeds_share_stays_and_what_was_tried_is_known_later(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([*SMALL, "loss=sum,uncertainty", "lr.base=1e-3,1e-2", "hydra.sweep.dir='lr[1]'"]) == 0
    assert main(["compare", "lr[1]", "--tune", "lr.base", "--confirm"]) == 0
    runs = collect([Path("lr[1]-confirm")]).runs
    assert {run.split_seed for run in runs} == {0} and {run.seed for run in runs} == set(range(3, 9))
    found = compared("lr[1]-confirm")
    assert {row.label: (row.trials, [*row.chosen]) for row in found.rows if row.kind == "method"} == {
        "loss=sum": (2, ["lr.base"]),
        "loss=uncertainty": (2, ["lr.base"]),
    }
    assert found.tuned == ("lr.base",) and "rates not tuned" not in {f.condition for f in found.findings}
    own = missing(found)
    assert "fresh seeds" not in own and "equal trials" not in own
    rate = found.rows[0].chosen["lr.base"]
    beyond = {"0.01": "0.1", "0.001": "0.0001"}[rate]
    command = own["rate at the edge"].command or ""
    assert command.startswith("mtlrun -m data=houses") and command.endswith(f" lr.base={beyond}")

    both = missing(compared("lr[1]", "lr[1]-confirm"))  # the seeds of the choice among those of its rows
    assert both["fresh seeds"].command == "mtlrun compare 'lr[1]-confirm'"
    capsys.readouterr()
    assert main(["compare", "lr[1]", "--tune", "lr.base", "--confirm"]) == 0
    assert "an earlier confirmation is in lr[1]-confirm: 6 seeds\n" in capsys.readouterr().out
    assert {run.seed for run in collect([Path("lr[1]-confirm-2")]).runs} == set(range(9, 15))


def test_rows_of_splits_that_vary_are_refused_before_anything_is_trained(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = [word for word in SMALL if not word.startswith("data.split")]
    assert main([*words, "loss=sum,uncertainty", "hydra.sweep.dir=v"]) == 0
    assert main(["compare", "v", "--confirm", "--rows"]) == 2
    assert "--rows: the split varies (6 splits)" in capsys.readouterr().err and not Path("v-confirm").exists()


def test_unequal_trials_and_weights_are_remembered(here: Path) -> None:
    arms = "arms=[{label: plain sum, loss: sum}, {label: fixed weights, loss: fixed, loss.weights.age: '0.3,1,3'}]"
    assert main([*SMALL, arms, "hydra.sweep.dir=s"]) == 0
    assert main(["compare", "s", "--tune", "loss.weights", "--confirm"]) == 0
    found = compared("s-confirm")
    assert {row.label: row.trials for row in found.rows if row.kind == "method"} == {
        "plain sum": 1,
        "fixed weights": 3,
    }
    assert "fixed weights" not in missing(found)["baselines"].text, "three of them were tried"
    texts = [f.text for f in found.findings if f.condition in ("trials", "equal trials")]
    assert len(texts) == 1 and texts[0].startswith(
        "fixed weights is the best of 3 tried weightings; 1 other row has no weights"
    )


def test_what_is_written_is_read_and_damage_is_named(here: Path) -> None:
    choice = Choice(((("lr.base", "0.1"),), (("lr.base", "1"),)), {"lr.base": "1"})
    write_choices(here, [(choice, ["000_a", "001_b"])])
    assert read_choices(here) == {"000_a": choice, "001_b": choice}
    (here / "chosen.json").write_text(json.dumps([{"runs": ["000_a"]}]))
    with pytest.raises(ValueError, match=r"chosen.json is not what --confirm writes"):
        read_choices(here)
