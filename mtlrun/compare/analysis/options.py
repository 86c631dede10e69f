"""The options of `mtlrun compare`."""

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Options:
    """The options of `mtlrun compare`.

    by, tune: keys or prefixes of keys
    reference: a label, or settings as the user types them
    metrics: task -> metrics; the table shows the first
    margin: percent
    """

    by: tuple[str, ...] = ()
    reference: str | None = None
    metrics: Mapping[str, tuple[str, ...]] | None = None
    split: str = "test"
    margin: float = 1.0
    tune: tuple[str, ...] = ()
    ensemble: bool = False  # whether settings have a row for the mean prediction of their runs
    rows: bool = False  # whether intervals cover other test rows too

    @property
    def tune_words(self) -> list[str]:
        """The words of --tune; empty without it."""
        return ["--tune", ",".join(self.tune)] if self.tune else []
