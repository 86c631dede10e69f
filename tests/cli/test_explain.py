"""`mtlrun explain` for keys and options; tests/util/test_glossary.py has the words of statistics."""

import pytest

from mtlrun.cli.main import main


@pytest.mark.parametrize(
    ("word", "lines"),
    [
        ("trainer.patience", ["trainer.patience", "default: auto; allowed: a whole number at least 1, auto, null"]),
        ("label_smoothing", ["trainer.label_smoothing", "default: 0.0; allowed: a number at least 0 and below 1"]),
        (
            "model.hidden",
            ["model.hidden", "default: [64, 64] (mlp), [128, 128] (tabular, tabm); allowed: a list of whole"],
        ),
        ("tasks.price.role", ["tasks.TASK.role", "default: main; allowed: main, auxiliary, adversarial"]),
        ("tasks.price.smooth.over", ["tasks.TASK.smooth.over", "it must be set; allowed: text"]),
        ("data.columns.born.date", ["data.columns.COLUMN.date", "default: null; allowed: text, null"]),
        (
            "loss.lr",
            [
                "(famo) learning rate of the Adam optimiser of the tasks' logits",
                "default: 0.01; allowed: a number at least 0",
            ],
        ),
        ("loss=sum", ["loss=sum", "The plain sum of the tasks' losses."]),
        ("lr", ["lr=single", "lr=per_head"]),
        ("Holm p", ["Holm p"]),
    ],
)
def test_a_key_or_an_option_is_explained(word: str, lines: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["explain", word]) == 0
    out = capsys.readouterr().out.splitlines()
    assert set(lines) <= {line.strip() for line in out} and max(map(len, out)) <= 80


@pytest.mark.parametrize(
    ("word", "near"), [("trainer.patienc", "trainer.patience"), ("loss=pcgrat", "loss=pcgrad"), ("xyzzy.q", None)]
)
def test_an_unknown_key_gets_the_nearest(word: str, near: str | None, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["explain", word]) == 2
    err = capsys.readouterr().err
    assert err.startswith(f"mtlrun: explain: {word} is not known{f'; did you mean {near}?' if near else ''}\nallowed: ")
