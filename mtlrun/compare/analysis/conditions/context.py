"""The input of the conditions, with methods that several conditions use."""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from mtlrun.compare.analysis.comparison_table import Table
from mtlrun.compare.analysis.options import Options
from mtlrun.compare.analysis.setting_result import SettingResult
from mtlrun.compare.collect.run_record import Collection, RunRecord
from mtlrun.compare.collect.settings import ONLY, Setting
from mtlrun.compare.collect.shell_commands import origin, with_seeds, without_sweeps
from mtlrun.compare.records import Finding
from mtlrun.compose.question_counts import Asked
from mtlrun.util.errors import listing
from mtlrun.util.shell import compare_command

RATES = ("lr.base", "lr.trunk", "lr.heads", "loss.lr")  # beginnings of the keys of learning rates


@dataclass(frozen=True)
class Context:
    """The input of the conditions: a comparison before it is shown.

    tuned: keys of --tune, here or before --confirm
    asked: the questions that the runs were made for
    """

    collection: Collection
    table: Table
    options: Options
    tuned: Sequence[str]
    asked: Asked

    @property
    def results(self) -> Sequence[SettingResult]:
        """The settings with their rows."""
        return self.table.results

    @property
    def leader(self) -> SettingResult | None:
        """The setting with the lowest mean Δm; None if nothing leads."""
        return self.table.leader

    @property
    def completed(self) -> list[SettingResult]:
        """The settings that have figures."""
        return [result for result in self.results if result.row.figures]

    @cached_property
    def nets(self) -> list[Setting]:
        """The settings with figures that are networks."""
        return [result.setting for result in self.completed if not result.setting.boosting]

    @property
    def fewest_seeds(self) -> int:
        """The smallest number of seeds of a row, among rows with seeds."""
        return min(len(result.row.seeds) for result in self.results if result.row.seeds)

    @cached_property
    def completed_runs(self) -> list[RunRecord]:
        """The completed runs."""
        return [run for run in self.collection.runs if run.completed]

    def is_tuned(self, key: str) -> bool:
        """Whether --tune chooses, or chose, the value of a key."""
        return any(key == tuned or key.startswith(f"{tuned}.") for tuned in self.tuned)

    def leads(self, setting: Setting) -> bool:
        """Whether a setting is the leader."""
        return self.leader is not None and self.leader.setting is setting

    def runs_of(self, result: SettingResult) -> list[RunRecord]:
        """The runs of a setting, in the order of the collection."""
        return [run for run in self.collection.runs if str(run.folder) in result.row.runs]

    # ---------------------------------------------------------------- commands

    @property
    def largest_sweep(self) -> Path:
        """The folder of the sweep with the most runs, or of the first run."""
        return _most_common(origin(run) for run in self.collection.runs)

    def compare_with(self, *options: str) -> str:
        """The command of this comparison with other options."""
        return compare_command(self.collection.folders, *options)

    def tune_too(self, keys: Iterable[str]) -> str:
        """The command of this comparison with further keys of --tune."""
        return self.compare_with("--tune", ",".join([*self.options.tune, *keys]))

    def baselines_command(self, seeds: Iterable[int]) -> str | None:
        """The command that trains the baselines on the tasks of these runs."""
        tasks = {task for run in self.collection.runs for task in run.tasks}
        of_all_tasks = [origin(run) for run in self.collection.runs if set(run.tasks) == tasks]
        if not of_all_tasks:
            return without_sweeps(self.largest_sweep, "experiment=baselines", seeds, (ONLY,))
        return without_sweeps(_most_common(of_all_tasks), "experiment=baselines", seeds)

    def further_seeds(self, condition: str, text: str, seeds: Iterable[int]) -> Iterator[Finding]:
        """Findings that further seeds may resolve: a command for each folder that is needed to train all settings.

        The first also has the command of the comparison after it.
        """
        seeds, (first, *others) = list(seeds), self._folders_of_all_settings()
        command = with_seeds(first, seeds)
        if command is not None:
            more = "B, … the folders that the commands print" if others else "B the folder that the command prints"
            both = self.compare_with("B", *self.options.tune_words)
            text += f"; then compare {'all' if others else 'both'}, {more}: {both}"
        yield Finding("missing", condition, text, command)
        for place in others:
            labels = [result.label for result in self.completed if _has_run_in(self.runs_of(result), place)]
            yield Finding("missing", condition, f"{listing(labels, 4)}: the same seeds", with_seeds(place, seeds))

    def _folders_of_all_settings(self) -> list[Path]:
        """The largest sweep, and further folders until every setting has a run in one of them."""
        places = [self.largest_sweep]
        for result in self.completed:
            runs = self.runs_of(result)
            if not any(_has_run_in(runs, place) for place in places):
                places.append(_most_common(map(origin, runs)))
        return places


def _has_run_in(runs: Iterable[RunRecord], place: Path) -> bool:
    return any(origin(run) == place for run in runs)


def _most_common(places: Iterable[Path]) -> Path:
    return Counter(places).most_common(1)[0][0]
