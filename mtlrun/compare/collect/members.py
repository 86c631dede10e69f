"""The runs of one setting of a sweep, as the members of an ensemble."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from mtlrun.compare.collect.fold import fold
from mtlrun.compare.collect.folders import collect
from mtlrun.compare.collect.run_record import RunRecord
from mtlrun.compare.collect.settings import Setting, named
from mtlrun.storage.names import BEST, PLAN
from mtlrun.util.errors import RequestError, counted, listing
from mtlrun.util.shell import quoted, resume_command
from mtlrun.util.terminal import shown

MOST = 20  # settings that a message lists
UNREAD = ("unreadable", "damaged summary")  # conditions of findings on runs that are missing here


@dataclass(frozen=True)
class Members:
    """The folders of the completed runs of a setting, and lines that say how many they are and what is left out.

    words: "" for a run that is no sweep's
    """

    folders: list[Path]
    words: str


def members_in(folder: Path, asked: str = "") -> Members:
    """A run as its only member, or the completed runs of one setting of a sweep.

    Runs that differ only in their seed or in `model.restart` have one setting. asked: the label that `compare` gives to
    the setting, or some of its settings ("loss=sum lr=single"); "" if the sweep has one setting. Raises RequestError
    unless exactly one setting fits, if none of its runs is completed, and for a setting of a run.
    """
    if not (folder / PLAN).is_file():
        if asked:
            raise RequestError(f"{asked}: names a setting, and {folder} is no sweep\nallowed: nothing more of a run")
        return Members([folder], "")
    collection = collect([folder], to_compare=False)
    settings, _ = fold(collection.runs)
    setting = _one(settings, asked, folder)
    found = list(_completed(setting))
    out = [(setting.failed, "failed"), (setting.unfinished, "not finished")]
    missing = listing(f"{count} {word}" for count, word in out if count)
    if not found:
        raise RequestError(f"{folder}: no run of {setting.label} is completed ({missing})\n{_go_on(folder, setting)}")
    left_out = f"; left out: {missing}" if setting.failed or setting.unfinished else ""
    words = f"{setting.label}: mean of {counted(len(found), 'run')}{left_out}"
    unread = [f"left out: {finding.text}" for finding in collection.findings if finding.condition in UNREAD]
    return Members([run.folder for run in found], "\n".join([words, *unread]))


def words_for(runs: Sequence[RunRecord], all_runs: Sequence[RunRecord]) -> list[str] | None:
    """The words that name these runs for `members_in`: the folder of their sweep and the setting, or that of one run.

    None if they are not the whole of a setting there. If they come from several sweeps, that with most of them counts.
    """
    if not runs or any(not (run.folder / BEST).is_file() for run in runs):
        return None
    sweeps = [run.sweep for run in runs]
    sweep = max(dict.fromkeys(sweeps), key=sweeps.count)
    if sweep is None:
        return [shown(runs[0].folder)]
    known = [run for run in all_runs if run.sweep == sweep]
    settings, _ = fold(known)
    ours = {run.folder for run in runs if run.sweep == sweep}
    for setting in settings:
        members = {run.folder for run in _completed(setting)}
        if ours == members:
            asked = setting.label.split(" ") if len(settings) > 1 else []
            clear = not asked or (named(setting.label, settings) == [setting] and setting.label[:1] != "-")
            return [shown(sweep), *asked] if clear else None
    return None


def _one(settings: Sequence[Setting], asked: str, sweep: Path) -> Setting:
    """The setting that is asked for. Raises RequestError unless exactly one fits."""
    fitting = named(asked, settings) if asked else list(settings)
    if len(fitting) == 1:
        return fitting[0]
    choice = listing((_typed(setting) for setting in fitting or settings), MOST)
    if not asked:
        raise RequestError(f"{sweep}: holds {len(settings)} settings\nname one of them after the other words: {choice}")
    found = f"fits {len(fitting)} settings" if fitting else "fits no setting"
    raise RequestError(f"{asked}: {found} of {sweep}\nallowed: {choice}")


def _typed(setting: Setting) -> str:
    """The label of a setting as words that a user types."""
    return quoted(*setting.label.split(" "))


def _completed(setting: Setting) -> Iterator[RunRecord]:
    """The completed runs of a setting, each once, by seed and restart."""
    means = [run for trial in setting.tried.values() for by_task in trial.values() for run in by_task.values()]
    runs = [draw for run in means for draw in run.draws]
    yield from sorted({id(run): run for run in runs}.values(), key=lambda run: run.seed)


def _go_on(sweep: Path, setting: Setting) -> str:
    return f"go on with: {resume_command(sweep)}" if setting.unfinished else "why is in the run.log of each"
