"""What `mtlrun compare` is asked for."""

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Options:
    """What the command line asks for.

    by, tune: keys or prefixes of keys; reference: a label, or settings as they are typed
    metrics: task -> metrics, the first stands in the table; margin: percent
    """

    by: tuple[str, ...] = ()
    reference: str | None = None
    metrics: Mapping[str, tuple[str, ...]] | None = None
    split: str = "test"
    margin: float = 1.0
    tune: tuple[str, ...] = ()
    rows: bool = False  # whether intervals speak of other test rows too

    @property
    def tune_words(self) -> list[str]:
        """--tune as it was typed."""
        return ["--tune", ",".join(self.tune)] if self.tune else []
