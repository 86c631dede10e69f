"""Every word of statistics that mtlrun prints is explained, in one place."""

import itertools
import re
import shlex
from pathlib import Path

import pytest

from mtlrun.cli.main import main
from mtlrun.tasks import TYPES, type_of
from mtlrun.util.glossary import nearest_name, term_of, terms, terms_in

TERMS = [term for group in terms().values() for term in group]
DOCS = Path(__file__).parents[2] / "docs"


def slugs(page: Path) -> set[str]:
    """The anchors of the headings of a page, as GitHub and the site make them."""
    headings = re.findall(r"^#+ (.*)$", re.sub(r"```.*?```", "", page.read_text(), flags=re.S), re.M)
    return {re.sub(r"[^\w -]", "", heading.lower()).strip().replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("term", TERMS, ids=lambda term: term.name)
def test_each_word_has_two_to_five_sentences_and_a_page_that_exists(term) -> None:
    assert 2 <= len(re.findall(r"[.?](?: |$)", term.text)) <= 5
    assert 60 <= len(term.text) <= 480 and " — " not in term.text
    page, _, heading = term.page.partition("#")
    assert heading in slugs(DOCS / page), term.page


def test_a_spelling_means_one_word() -> None:
    names = [" ".join(name.lower().split()) for term in TERMS for name in term.names]
    assert len(names) == len({*names})


def test_each_metric_of_each_type_of_task_is_explained() -> None:
    metrics = {metric for kind in TYPES for metric in type_of(kind).metrics}
    assert {metric for metric in metrics if term_of(metric) is None} <= {"value"}


@pytest.mark.parametrize(
    ("word", "name"),
    [
        ("p(BETTER) %", "P(better)"),
        ("rmse ↓ (dollars)", "rmse"),
        ("Δm % per metric", "Δm per metric"),
        ("delta-m", "Δm"),
        ("  holm   P", "Holm p"),
        ("dead: trunk layer1", "dead units"),
    ],
)
def test_headings_and_other_spellings_are_known(word: str, name: str) -> None:
    term = term_of(word)
    assert term is not None and term.name == name


def test_words_in_a_sentence() -> None:
    sentence = "The p-values of seed=3 and trainer.seed: Holm p, paired by seed; a seed, a seedling."
    assert [sentence[a:b] for a, b, _ in terms_in(sentence)] == ["Holm p", "paired by seed", "seed"]


def test_explain_prints_a_word_and_lists_all(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["explain", "Holm", "p"]) == 0
    out = capsys.readouterr().out
    assert out.startswith("Holm p\n  The chance that luck alone") and "more: docs/comparison.md#more-than-luck" in out
    assert max(map(len, out.splitlines())) <= 80
    assert main(["explain"]) == 0
    listed = " ".join(capsys.readouterr().out.split())
    assert all(term.name in listed for term in TERMS)


@pytest.mark.parametrize(("word", "near"), [("equivalnt", "equivalent"), ("hom p", "Holm p"), ("xyzzy", None)])
def test_an_unknown_word_gets_the_nearest(word: str, near: str | None, capsys: pytest.CaptureFixture[str]) -> None:
    assert nearest_name(word) == near
    assert main(["explain", *shlex.split(word)]) == 2
    meant = f"; did you mean {near}?" if near else ""
    assert capsys.readouterr().err.startswith(
        f"mtlrun: explain: {word} is not known{meant}\nallowed: a word that mtlrun explain lists"
    )


def test_words_of_verdicts_are_explained() -> None:
    for word in itertools.chain(
        ["better", "worse", "equivalent within 1 %", "undecided", "not trained to the end", "reference"],
        ["trivial predictor", "ensemble", "skill", "paired", "split", "interval", "calibration", "rung"],
    ):
        assert term_of(word.replace(" 1 %", "")) is not None, word
