"""The words tune.*"""

import pytest

from mtlrun.tune.tune_words import TuneSettings, take_settings
from mtlrun.util.errors import RequestError


def test_words_of_tune_are_taken_out() -> None:
    words = ["data=houses", "tune.minutes=2.5", "tune.fixed=[model,lr.base]", "tune.space.loss=sum,gls", "loss.lr=0.1"]
    settings, rest = take_settings(words)
    assert rest == ["data=houses", "loss.lr=0.1"]
    assert settings == TuneSettings(minutes=2.5, fixed=("model", "lr.base"), space={"loss": "sum,gls"})
    assert settings.most_runs is None  # the time bounds it
    assert TuneSettings().most_runs == 120


@pytest.mark.parametrize(
    ("word", "said"),
    [
        ("tune.minutes=soon", "tune.minutes: found soon"),
        ("tune.minutes=0", "above 0"),
        ("tune.minute=1", "did you mean tune.minutes?"),
        ("tune.runs=1.5", "tune.runs: found 1.5"),
        ("tune.runs=1,2", "tune.runs: found 1,2"),
        ("tune.batch=1", "at least 2"),
        ("tune.fixed=3", "tune.fixed: found 3"),
        ("tune.runs", "tune.runs: a value is missing"),
    ],
)
def test_a_wrong_word_is_named(word: str, said: str) -> None:
    with pytest.raises(RequestError) as error:
        take_settings([word])
    assert said in str(error.value)
