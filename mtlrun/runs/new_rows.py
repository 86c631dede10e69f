"""What `predict` says of rows that are unlike the training rows: unknown values, ignored columns, far numbers."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from mtlrun.data.columns import MISSING, UNKNOWN, InputColumn, InputSpec
from mtlrun.network.inputs import InputEncoder
from mtlrun.util.errors import counted, listing

FAR = 0.5  # a number is far outside the range of the training rows if it is beyond it by more than this share of it


@dataclass(frozen=True)
class Trained:
    """What the training rows of a run held in one column.

    used: whether the model uses its values; not if they were the same in all training rows
    low, high: the range of a column of numbers; NaN without a value, infinite if not known
    codes: of a column of K categories, which codes occurred, `[K + 2]` bool; the last two are MISSING and UNKNOWN
    """

    column: InputColumn
    used: bool
    low: float = np.nan
    high: float = np.nan
    codes: np.ndarray | None = None

    def unknown(self, cells: np.ndarray) -> np.ndarray:
        """The rows `[N]` whose category no training row has. cells: `[N]`, codes or numbers."""
        if self.codes is None or not self.used:
            return np.zeros(len(cells), dtype=bool)
        return (cells != MISSING) & ~self.codes[cells]

    def ignored(self, cells: np.ndarray) -> np.ndarray:
        """The rows `[N]` with another value than all training rows, which the model ignores."""
        if self.used:
            return np.zeros(len(cells), dtype=bool)
        if self.codes is not None:
            return ~self.codes[cells]
        known = not np.isinf(self.low)
        return ~np.isnan(cells) & known & ~(np.abs(cells - self.low) <= 1e-9 * np.abs(self.low))

    def beyond(self, cells: np.ndarray) -> np.ndarray:
        """How far numbers `[N]` are outside the range of the training rows, as multiples of its width; 0 inside."""
        if not self.used or self.codes is not None or not np.isfinite(self.high - self.low):
            return np.zeros(len(cells))
        outside = np.maximum(self.low - cells, cells - self.high)
        return np.nan_to_num(np.maximum(outside, 0) / (self.high - self.low))

    @property
    def empty(self) -> bool:
        """Whether no training row had a value."""
        return bool(np.isnan(self.low)) if self.codes is None else not self.codes[:-2].any()

    @property
    def constant(self) -> str:
        """What all training rows held, in words, if the values are not used."""
        if self.empty:
            return "without a value"
        if self.codes is not None:
            return f"always {self.column.categories[int(np.argmax(self.codes))]!r}"
        return f"always {_shown(self.column, self.low)}"


def of_encoder(spec: InputSpec, encoder: InputEncoder) -> list[Trained]:
    """The columns of a network's run, in the order of `spec`."""
    low, high, used = encoder.low[0].numpy(), encoder.high[0].numpy(), encoder.inverse[0].numpy() != 0
    seen, varies = encoder.seen[0].numpy() > 0, encoder.varies[0].numpy() > 0
    found, places, start = [], iter(spec.places), len(encoder.gaps)
    for column in spec.columns:
        if column.is_category:
            own = slice(start, start + column.width)
            start = own.stop
            codes = np.append(seen[own], [False] * (2 - column.missing))
            found.append(Trained(column, bool(varies[own].any()), codes=codes))
        else:
            at = next(places)
            found.append(Trained(column, bool(used[at].any()), float(low[at.start]), float(high[at.start])))
    return found


def of_rows(spec: InputSpec, cells: Sequence[np.ndarray]) -> list[Trained]:
    """The columns of a run of trees, from the `cells_of` its training rows."""
    found = []
    for column, own in zip(spec.columns, cells, strict=True):
        if column.is_category:
            codes = np.zeros(len(column.categories) + 2, dtype=bool)
            codes[own] = True
            codes[UNKNOWN] = False
            found.append(Trained(column, bool((own != own[0]).any()), codes=codes))
        else:
            low, high = float(np.fmin.reduce(own)), float(np.fmax.reduce(own))
            found.append(Trained(column, high > low, low, high))
    return found


def of_members(members: Sequence[Sequence[Trained]]) -> list[Trained]:
    """The columns of several runs with the same columns: what the training rows of any of them held."""
    found = []
    for alike in zip(*members, strict=True):
        codes = None if alike[0].codes is None else np.logical_or.reduce([t.codes for t in alike])
        low, high = np.fmin.reduce([t.low for t in alike]), np.fmax.reduce([t.high for t in alike])
        found.append(Trained(alike[0].column, any(t.used for t in alike), float(low), float(high), codes))
    return found


def cells_of(spec: InputSpec, numbers: np.ndarray, codes: np.ndarray) -> list[np.ndarray]:
    """The cells `[N]` of each column of `spec`: its numbers, of a date the days, or its codes."""
    places, categories = iter(spec.places), iter(codes.T)
    return [next(categories) if c.is_category else numbers[:, next(places).start] for c in spec.columns]


def unknown(trained: Sequence[Trained], cells: Sequence[np.ndarray]) -> dict[str, np.ndarray]:
    """By column a mask `[N]` of the rows with a category that no training row has; without columns that have none."""
    masks = {t.column.name: t.unknown(own) for t, own in zip(trained, cells, strict=True) if not t.column.hidden}
    return {name: mask for name, mask in masks.items() if mask.any()}


def notes(trained: Sequence[Trained], cells: Sequence[np.ndarray], frame: pd.DataFrame) -> list[str]:
    """Lines on the rows of `frame`, whose encoded columns are `cells`: a line for each column with unknown or ignored
    values, and one on the rows that are far outside the range of the training rows.
    """
    lines = []
    for name, mask in unknown(trained, cells).items():
        values = listing(frame[name][mask].drop_duplicates().map(repr), 5)
        hold = "rows hold values that are" if (count := int(mask.sum())) > 1 else "row holds a value that is"
        lines.append(f"{name}: {count} {hold} new to the model or too rare in training, and count as unknown: {values}")
    visible = [(t, own) for t, own in zip(trained, cells, strict=True) if not t.column.hidden]
    for t, own in visible:
        if count := int(t.ignored(own).sum()):
            rows = f"{counted(count, 'row')} with {'a' if t.empty else 'another'} value"
            lines.append(f"{t.column.name}: {t.constant} in training, so the model ignores it; {rows}")
    return lines + _far(visible)


def _far(visible: Sequence[tuple[Trained, np.ndarray]]) -> list[str]:
    """A line that counts the rows far outside the range of the training rows, and names the worst column."""
    beyond = [t.beyond(own) for t, own in visible]
    far = [b > FAR for b in beyond]
    columns = [at for at, mask in enumerate(far) if mask.any()]
    if not columns:
        return []
    rows = int(np.logical_or.reduce([far[at] for at in columns]).sum())
    worst = max(columns, key=lambda at: beyond[at].max())
    t, own = visible[worst]
    value, low, high = (_shown(t.column, float(n)) for n in (own[beyond[worst].argmax()], t.low, t.high))
    more = f"; also {listing((visible[at][0].column.name for at in columns if at != worst), 5)}"
    what = f"{counted(rows, 'row')} far outside the range seen in training, where predictions are guesses"
    return [f"{what}: {t.column.name} is {value}, trained on {low} to {high}{more if len(columns) > 1 else ''}"]


def _shown(column: InputColumn, number: float) -> str:
    """A number as the table shows it: a date, a time of day, or digits."""
    if column.date:
        return str(pd.Timestamp(0) + pd.Timedelta(days=number)).removesuffix(" 00:00:00") if abs(number) < 1e5 else "?"
    return f"{int(number):02d}:{round(number % 1 * 60) % 60:02d}" if column.time else f"{number:g}"
