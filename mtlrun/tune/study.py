"""The Optuna study of a search, kept in a journal: asks for settings, and is told their drops.

Optuna and its dashboard open the journal as any other.
"""

import contextlib
import os
import warnings
from collections.abc import Iterator, Sequence
from functools import cached_property
from pathlib import Path

import numpy as np
import optuna
from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution, IntDistribution
from optuna.samplers import BaseSampler, PartialFixedSampler, TPESampler
from optuna.storages import JournalStorage
from optuna.storages.journal import JournalFileBackend
from optuna.trial import Trial, TrialState

from mtlrun.compose.trials import Draw, draws
from mtlrun.storage.files import disk
from mtlrun.tune.journal_lock import JournalLock
from mtlrun.tune.space import Dimension
from mtlrun.tune.stored import damaged

JOURNAL, NAME = "study.log", "mtlrun"
OURS = "asked by"  # an attribute of the trials that the search asks for; a journal may hold others
STARTUP = 16  # trials that fill the space evenly, before TPE has something to learn from
OF_ONE_SHAPE = 4  # trials of a batch with the same shape, which train as one stack

optuna.logging.set_verbosity(optuna.logging.WARNING)


@contextlib.contextmanager
def _experimental() -> Iterator[None]:
    """Without warnings of what Optuna calls experimental, `group` and PartialFixedSampler: both are there since 2.8."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
        yield


class Study:
    """The trials of a search. Values are drops against the default in percent, so lower is better.

    All of it raises StorageError if the disk cannot be written, and RequestError for a journal that is damaged.
    """

    def __init__(self, folder: Path, space: Sequence[Dimension]) -> None:
        self.space, self._journal = space, folder / JOURNAL
        with disk(self._journal):
            storage = _storage(self._journal)
            self._study = optuna.create_study(
                storage=storage, study_name=NAME, direction="minimize", load_if_exists=True
            )
            self._study.sampler = self._sampler()
            if not self._study.trials:
                self._add_default()

    def _sampler(self) -> BaseSampler:
        # seeded with the number of trials, so that a resumed study does not draw the same settings again
        with _experimental():
            return TPESampler(
                n_startup_trials=STARTUP,
                multivariate=True,
                group=True,
                constant_liar=True,
                seed=len(self._study.trials),
            )

    def _add_default(self) -> None:
        """Adds the default, whose drop is 0, if all of its values are in the space."""
        options = {d.key: d.default for d in self.space}
        there = [d for d in self.space if d.when is None or options.get(d.when[0]) == d.when[1]]
        if any(d.default is None for d in there):
            return
        params = {d.key: _value(d, d.default or "") for d in there}
        self._study.add_trial(
            optuna.create_trial(params=params, distributions={d.key: _distribution(d) for d in there}, value=0.0)
        )

    def ask(self, count: int) -> list[tuple[int, dict[str, str]]]:
        """Asks for settings: their trial numbers and their values that differ from the default, by key.

        The first `STARTUP` of a search fill the space evenly, as the trials of a sweep do; TPE proposes the others.
        Several in a row have one shape, so that they train as one stack.
        """
        sampler, shape = self._study.sampler, dict[str, object]()
        asked = []
        with disk(self._journal):
            for number in range(count):
                if number % OF_ONE_SHAPE == 0:
                    shape = {}
                with _experimental():
                    self._study.sampler = PartialFixedSampler(self._evenly() | shape, sampler)
                trial = self._ask()
                asked.append((trial.number, self._draw(trial)))
                if not shape:
                    shape = {d.key: trial.params[d.key] for d in self.space if d.shape and d.key in trial.params}
        self._study.sampler = sampler
        return asked

    def _ask(self) -> Trial:
        """Asks for a trial that is `OURS` from the beginning. One that somebody has put into the journal goes first."""
        if not self._study.get_trials(deepcopy=False, states=(TrialState.WAITING,)):
            self._study.enqueue_trial({}, user_attrs={OURS: "mtlrun tune"})
        trial = self._study.ask()
        if OURS not in trial.user_attrs:
            trial.set_user_attr(OURS, "mtlrun tune")
        return trial

    @cached_property
    def _startup(self) -> list[Draw]:
        return draws([d.key for d in self.space], STARTUP)

    def _evenly(self) -> dict[str, object]:
        """The values of the next trial if it is one of the first; none for later ones.

        Shapes have draws of their own, since only every fourth trial takes another: every fourth point of a Halton
        sequence has nearly the same place in the dimensions whose base is 2.
        """
        number = sum(OURS in trial.user_attrs for trial in self._study.get_trials(deepcopy=False))
        if number >= STARTUP:
            return {}
        own, of_shape = self._startup[number], self._startup[number // OF_ONE_SHAPE]
        return {d.key: _at(d, (of_shape if d.shape else own)[d.key]) for d in self.space}

    def _draw(self, trial: Trial) -> dict[str, str]:
        drawn: dict[str, str] = {}
        changed: dict[str, str] = {}
        for dimension in self.space:
            if dimension.when is not None and drawn.get(dimension.when[0]) != dimension.when[1]:
                continue
            drawn[dimension.key] = text = _text(_suggested(trial, dimension))
            if text != dimension.default or dimension.when is not None:
                changed[dimension.key] = text
        return changed

    def tell(self, number: int, drops: Sequence[float], whole: bool) -> None:
        """Tells the drop of a trial on each split: its value is the mean. A trial that was told before is left alone.

        drops: none if it failed; whole: it was trained on all splits; else it is pruned
        """
        with disk(self._journal):
            trials = self._study.get_trials(deepcopy=False)
            if not 0 <= number < len(trials):
                raise damaged(self._journal)  # it is not the one that has asked for the trial
            trial = trials[number]
            if trial.state.is_finished():
                return
            reported = Trial(self._study, trial._trial_id)
            for split in range(len(trial.intermediate_values), len(drops)):
                reported.report(float(np.mean(drops[: split + 1])), split)
            if not drops:
                self._study.tell(number, state=TrialState.FAIL)
            elif whole:
                self._study.tell(number, float(np.mean(drops)))
            else:
                self._study.tell(number, state=TrialState.PRUNED)

    def forget(self, known: Sequence[int]) -> None:
        """Tells trials that are `OURS`, run and are not `known` as failed: a command was killed before they began.

        Trials that another program runs in the journal go on.
        """
        with disk(self._journal):
            for trial in self._study.get_trials(deepcopy=False, states=(TrialState.RUNNING,)):
                if OURS in trial.user_attrs and trial.number not in known:
                    self._study.tell(trial.number, state=TrialState.FAIL)


def _storage(journal: Path) -> JournalStorage:
    """Opens a journal. Raises RequestError if it is damaged."""
    lock = JournalLock(journal)
    _cut_torn_line(journal, lock)
    try:
        return JournalStorage(JournalFileBackend(str(journal), lock))
    except (ArithmeticError, AssertionError, LookupError, TypeError, ValueError) as error:  # of whatever a line holds
        raise damaged(journal) from error


def _cut_torn_line(journal: Path, lock: JournalLock) -> None:
    """Cuts the last line of a journal if it is not whole, as a full disk or a power cut leaves it.

    Optuna would append to it, and then read the journal no more. The search tells again what the line said.
    """
    if not journal.is_file() or _whole(journal.read_bytes()):
        return
    lock.acquire()
    try:  # another process may have been in the middle of the line: now none is
        content = journal.read_bytes()
        if not _whole(content):
            os.truncate(journal, content.rfind(b"\n") + 1)
    finally:
        lock.release()


def _whole(content: bytes) -> bool:
    return not content or content.endswith(b"\n")


def _suggested(trial: Trial, d: Dimension) -> object:
    if d.values:
        return trial.suggest_categorical(d.key, d.values)
    if d.whole:
        return trial.suggest_int(d.key, int(d.low), int(d.high), log=d.log)
    return trial.suggest_float(d.key, d.low, d.high, log=d.log)


def _distribution(d: Dimension) -> BaseDistribution:
    if d.values:
        return CategoricalDistribution(d.values)
    if d.whole:
        return IntDistribution(int(d.low), int(d.high), log=d.log)
    return FloatDistribution(d.low, d.high, log=d.log)


def _at(d: Dimension, u: float) -> object:
    """The value at u in [0, 1): of n values the one numbered floor(n u)."""
    if d.values:
        return d.values[int(u * len(d.values))]
    low, high = d.low, d.high + d.whole  # of whole numbers `high` is included
    value = low * (high / low) ** u if d.log else low + u * (high - low)
    return int(min(value, d.high)) if d.whole else min(max(value, low), d.high)


def _value(d: Dimension, text: str) -> object:
    return text if d.values else int(text) if d.whole else float(text)


def _text(value: object) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)
