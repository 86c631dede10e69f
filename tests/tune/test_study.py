"""The study of a search: its journal after a write that was cut short."""

from pathlib import Path

import optuna
import pytest
from optuna.storages import JournalStorage
from optuna.storages.journal import JournalFileBackend
from optuna.trial import TrialState

from mtlrun.tune.space import Dimension
from mtlrun.tune.study import JOURNAL, NAME, Study

SPACE = [Dimension("lr.base", low=1e-4, high=1e-2, log=True, default="0.001")]


def asked_and_told(folder: Path) -> list[int]:
    study = Study(folder, SPACE)
    numbers = [number for number, _ in study.ask(2)]
    for number in numbers:
        study.tell(number, [1.0], whole=True)
    return numbers


@pytest.mark.parametrize("lines", range(4))
@pytest.mark.parametrize("kept", [0.0, 0.5, 1.0])
def test_a_journal_whose_last_line_is_torn_goes_on(tmp_path: Path, lines: int, kept: float) -> None:
    """Cuts `lines` lines off the journal, and of the line before all but a part, at most all but its line end."""
    first = asked_and_told(tmp_path)
    journal = tmp_path / JOURNAL
    content = journal.read_bytes().splitlines(keepends=True)
    *whole, torn = content[: len(content) - lines]
    journal.write_bytes(b"".join(whole) + torn[: int(kept * (len(torn) - 1))])

    study = Study(tmp_path, SPACE)
    assert journal.read_bytes().startswith(b"".join(whole))
    study.forget(first)
    for number in first:
        study.tell(number, [1.0], whole=True)
    asked_and_told(tmp_path)
    storage = JournalStorage(JournalFileBackend(str(journal)))
    found = optuna.load_study(study_name=NAME, storage=storage).trials
    assert [trial.number for trial in found] == [0, 1, 2, 3, 4]
    assert {trial.state for trial in found} == {TrialState.COMPLETE}
    assert [trial.value for trial in found] == [0.0, 1.0, 1.0, 1.0, 1.0]
