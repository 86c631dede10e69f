"""`mtlrun compare` from the command line."""

import csv
from pathlib import Path

import pytest
from folders import Outputs

from mtlrun.cli.main import main


@pytest.fixture
def two(outputs: Outputs) -> Outputs:
    outputs.setting("sum", [10, 11], [0.5, 0.6])
    outputs.setting("unc", [9, 9.9], [0.5, 0.6], flat={"loss": "uncertainty"})
    return outputs


def test_a_table_on_the_terminal_and_files_in_the_folder(two: Outputs, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["compare", str(two.root)]) == 0
    said = capsys.readouterr().out
    assert "loss=uncertainty" in said and "−5" in said and "best" not in said.replace("experiment=baselines", "")
    with open(two.root / "compare/comparison.csv", encoding="utf-8", newline="") as file:
        table = {row["label"]: row for row in csv.DictReader(file)}
    assert float(table["loss=uncertainty"]["delta_m"]) == pytest.approx(-5.0)
    assert main(["compare", str(two.root)]) == 0  # its own folder holds no runs, and is written anew


@pytest.mark.usefixtures("without_pictures")
def test_foreign_files_stay(two: Outputs, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "out"
    out.mkdir()
    (out / "mine.txt").write_text("mine")
    for _ in range(2):
        assert main(["compare", str(two.root), "-o", str(out), "--format", "csv", "--margin=2"]) == 0
    assert (out / "mine.txt").read_text() == "mine" and (out / "comparison.csv").is_file()
    assert capsys.readouterr().out.startswith("label,")


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ([], "compare: no folder is named"),
        (["--format", "tex"], "--format: found tex"),
        (["--margin", "wide"], "--margin: found wide\nallowed: percent, above 0 and below 100"),
        (["--metric", "price"], "--metric: found price\nallowed: TASK=METRIC"),
        (["--reference", "loss=no"], "--reference: no row is loss=no"),
        (["--tune", ","], "--tune: names nothing"),
        (["--confrim"], "--confrim: no such option; did you mean --confirm?"),
    ],
)
def test_wrong_words(two: Outputs, words: list[str], message: str, capsys: pytest.CaptureFixture[str]) -> None:
    folders = [str(two.root)] if words else []
    assert main(["compare", *folders, *words]) == 2
    assert capsys.readouterr().err.startswith(f"mtlrun: {message}")


@pytest.mark.slow
def test_chosen_settings_are_trained_on_fresh_seeds(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    words = ["-m", "loss=sum,uncertainty", "lr.base=1e-3,1e-2", "seed=0,1", "trainer.max_steps=20", "only=[price,cut]"]
    assert main([*words, "trainer.tensorboard=false", "hydra.sweep.dir=tuned", "data.train_rows=500"]) == 0
    assert main(["compare", "tuned", "--tune", "lr.base", "--confirm"]) == 0
    said = capfd.readouterr().out
    assert "12 runs with seeds 2 to 7" in said  # one setting against a reference needs six seeds
    with open("tuned-confirm/compare/comparison.csv", encoding="utf-8", newline="") as file:
        rows = {row["label"]: row for row in csv.DictReader(file)}
    assert set(rows) == {"loss=sum", "loss=uncertainty", "trivial"}
    assert main(["compare", "tuned", "--tune", "lr.base", "--confirm"]) == 0  # others again
    assert "12 runs with seeds 8 to 13 in tuned-confirm-2" in capfd.readouterr().out
