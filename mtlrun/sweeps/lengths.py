"""Lines on how long the nets of a sweep train."""

from collections import Counter
from collections.abc import Sequence

from mtlrun.compose import PlannedRun
from mtlrun.config.length import FEW_STEPS
from mtlrun.runs.size import Size
from mtlrun.util.errors import counted

SHOWN = 3  # lengths that are written out


def length_lines(runs: Sequence[PlannedRun], sizes: Sequence[Size]) -> list[str]:
    """The lengths of the nets, the most frequent first, and a line on those that take few steps."""
    pairs = zip(runs, sizes, strict=True)
    lengths = [size.length for run, size in pairs if size.length is not None and not run.config.boosting]
    counts = Counter(lengths).most_common()
    lines = [f"{_of(count, len(lengths))}{length.in_words()}" for length, count in counts[:SHOWN]]
    if counts[SHOWN:]:
        lines.append(f"{counted(len(counts) - SHOWN, 'further length')} for the other nets")
    chosen = any(run.config.trainer.length_of is not None for run in runs)  # on val, by other runs
    few = 0 if chosen else sum(length.steps < FEW_STEPS for length in lengths)
    if few:
        take = "takes" if few == 1 else "take"
        lines.append(f"{few} of {counted(len(lengths), 'net')} {take} fewer than {FEW_STEPS} steps: trainer.epochs")
    return lines


def _of(count: int, nets: int) -> str:
    """The number of nets of a length; "" if all have it."""
    return "" if count == nets else f"{counted(count, 'net')}: "
