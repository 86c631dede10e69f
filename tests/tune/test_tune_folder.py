"""`mtlrun tune` as a command: search, confirmation, answer, files; and what it refuses."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from mtlrun.compose import compose, single
from mtlrun.tune.search import Search
from tests.commands import main

WORDS = [
    "data=table",
    "data.path=houses.csv",
    "tasks={price:{type:regression},sold:{type:binary}}",
    "trainer.max_steps=12",
    "trainer.batch_size=32",
]
SHORT = ["tune.runs=3", "tune.batch=2", "tune.splits=2", "tune.seeds=2", "tune.fixed=[model]", "hydra.sweep.dir=search"]


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    rng = np.random.default_rng(0)
    area = rng.normal(size=150)
    table = {"area": area, "rooms": rng.integers(1, 6, 150), "price": 3 * area + rng.normal(size=150)}
    pd.DataFrame(table | {"sold": (area + rng.normal(size=150) > 0).astype(int)}).to_csv("houses.csv", index=False)
    return tmp_path


def test_it_searches_confirms_and_answers(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["tune", *WORDS, *SHORT]) == 0
    said = capsys.readouterr().out
    assert "lr.base" in said and "batch 1, split 2 of 2: 3 runs so far in" in said
    assert "the search takes about" in said and "the confirmation after it: 10 runs, and those of" in said
    assert "the nets are not trained to the end" in said  # 12 steps are few, and compare says so
    plan = json.loads((here / "search/confirm/sweep.json").read_text())
    arms = {job["arm"] for job in plan}
    assert {"default", "uncertainty", "alone", "boosting"} <= arms
    assert "plain sum" not in arms  # it is the default
    assert {job["config"]["seed"] for job in plan} == {2, 3}  # the search has used 0 and 1
    page = here / "search/confirm/compare/report.html"
    brought = ("The search brought nothing", "Tuned, the best of 2 settings in 3 runs")
    assert any(words in page.read_text() for words in brought)
    experiments = [*here.glob("conf/experiment/*.yaml")]
    assert [path.stem for path in experiments] == (["houses_tuned"] if "tuned" in arms else [])
    if experiments:
        found = single(compose(["experiment=houses_tuned"]))
        assert [*found.active] == ["price", "sold"] and found.trainer.max_steps == 12
    # a later comparison keeps what the search has brought, on the terminal and on the page
    page.unlink()
    assert main(["compare", "search/confirm"]) == 0
    compared = " ".join(capsys.readouterr().out.split())
    assert any(words in compared for words in brought)
    assert any(words in page.read_text() for words in brought)
    # again, nothing is trained; the answer is the same
    assert main(["resume", "search"]) == 0
    again = capsys.readouterr().out
    assert again.splitlines()[-3:] == said.splitlines()[-3:]
    assert [*here.glob("conf/experiment/*.yaml")] == experiments


def test_an_interrupted_search_says_what_it_has_found(
    here: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    batch = Search._batch

    def interrupted(self: Search, *arguments: object) -> None:
        batch(self, *arguments)  # type: ignore[arg-type]
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(Search, "_batch", interrupted)
        assert main(["tune", *WORDS, *SHORT]) == 130
    out, err = capsys.readouterr()
    assert "not confirmed on fresh seeds" in out
    assert "go on with: mtlrun resume search" in err
    assert main(["resume", "search"]) == 0
    assert (here / "search/confirm/sweep.json").is_file()


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["lr.base=0.1,0.2"], "tune.space.lr.base=0.1,0.2"),
        (["model=boosting"], "boosting takes part by itself"),
        (["arms=baselines"], "arms and trials make a sweep"),
        (["tune.minuts=3"], "did you mean tune.minutes?"),
        (["tune.fixed=[model,lr,loss,sharing,graph,optimizer]"], "nothing is left to search"),
    ],
)
def test_what_is_no_search_is_refused(
    here: Path, words: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["tune", *WORDS, *words]) == 2
    assert said in capsys.readouterr().err
    assert not (here / "outputs").exists()
