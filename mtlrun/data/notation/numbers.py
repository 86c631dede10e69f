"""Numbers in a local notation: decimal sign, thousands separator, unit or currency, and how a minus is written."""

import re
from collections import Counter
from collections.abc import Iterator, Sequence

import numpy as np
import pandas as pd

from mtlrun.config.schema import NumberConfig

_CHARACTERS = str.maketrans({"\u2212": "-", "\u2013": "-", "\u2012": "-", "\u2019": "'", "\u02bc": "'"})
_BLANK = "[\u00a0\u2007\u2009\u202f]"  # no-break, figure, thin and narrow blanks
_GROUPS = {",": r"\d{1,3}(?:,\d{2,3})*,\d{3}"}  # with commas also groups of two, as in 12,34,567

# Units that may follow a number without a blank. Other units need a blank, because 12A and 12B are codes.
_UNITS = (
    "% ‰ ° °C °F kg g mg µg ug t lb lbs oz km m cm mm µm nm mi ft in yd l ml mL cl dl gal ha m2 m3 m² m³ cm2 cm3 km2 "
    "sqft sqm h hr hrs min s sec ms yr yrs mo Hz kHz MHz GHz kW MW Wh kWh MWh kV mV mA kJ cal kcal kN hPa kPa bar mbar "
    "mmHg kB KB MB GB TB px pt dpi rpm mph kph km/h m/s kmh mol mmol dB eV ppm bps Mbps k Mio bn pp x kr zł Kč Ft lei"
)
_KNOWN = frozenset(_UNITS.split())
_CURRENCY = re.compile(
    r"[A-Z]{0,3}[$€£¥₹₽₩₺₴₫฿₪₱₦₡₲₵₸]|Rs\.?|Fr\.?|kr\.?|EUR|USD|GBP|CHF|JPY|CNY|SEK|NOK|DKK|PLN|CZK|HUF|CAD|AUD|INR|RUB|BRL|TRY"
    r"|ZAR|MXN|KRW"
)
_WORD = r"[^\W\d_%°]+\.?|[%‰°$€£¥₹₽₩₺₴₫฿₪₱₦₡₲₵₸][A-Za-z]?|[^\W\d]+(?:[/·*^][^\W\d]+)*[23²³]?"
_CELL = (
    re.compile(  # the parts of a number with a unit: sign, unit before, sign, digits and separators, blank, unit after
        r"(?P<open>\()?(?P<sign>[+-])? ?(?P<before>[^\d\s.,'()+-][^\d\s,'()+-]{0,4})? ?[+-]? ?"
        r"(?P<core>\d[\d.,']*(?: \d{3}(?!\d)[\d.,']*)*(?:[eE][+-]?\d+)?|[.,]\d+(?:[eE][+-]?\d+)?)"
        rf"(?P<blank> )?(?P<after>{_WORD}(?: [^\W\d_]{{1,9}})?)?(?P<last>-)?(?P<close>\))?"
    )
)
_ORDER = [(d, t) for t in (None, ",", ".", " ", "'") for d in (".", ",") if d != t]
_PHONE_DIGITS = 9  # blank groups that all have the same length from here on are telephone numbers
MIN_DISTINCT = 3  # fewer different numbers with a unit may as well be names of classes


def normal(cells: pd.Series) -> pd.Series:
    """Cells `[n]` of text without outer blanks, with ASCII signs and blanks."""
    text = cells.astype("str")
    if not text.str.isascii().all():
        text = text.str.translate(_CHARACTERS).str.replace(_BLANK, " ", regex=True)
    return text.str.strip()


def pattern(notation: NumberConfig) -> str:
    """The regular expression of a number in a notation, for the texts of `normal`."""
    decimal = re.escape(notation.decimal)
    whole = r"\d+"
    if (separator := notation.thousands) is not None:
        grouped = _GROUPS.get(separator, rf"\d{{1,3}}(?:{re.escape(separator)}\d{{3}})+")
        whole = rf"(?:{grouped}|\d+)"
    core = rf"(?:{whole}(?:{decimal}\d*)?|{decimal}\d+)(?:[eE][+-]?\d+)?"
    unit = "" if notation.unit is None else rf"(?:{re.escape(_unit(notation.unit))})? ?"
    amount = rf"{unit}{core} ?{unit}"
    return rf"(?:[+-] ?{amount}|{unit}[+-] ?{core} ?{unit}|{amount}-?|\( ?{amount}\)|{unit}\( ?{core} ?\) ?{unit})"


def read_numbers(cells: pd.Series, notation: NumberConfig) -> np.ndarray:
    """Text cells `[n]` as float64 `[n]`, NaN for a cell that is no number in the notation.

    A minus stands before or after the number, or the number stands in brackets.
    """
    text = normal(cells)
    fits = text.str.fullmatch(pattern(notation)).to_numpy(dtype=bool)
    text = text.where(fits, "")
    if notation.unit is not None:
        text = text.str.replace(_unit(notation.unit), "", regex=False)
    negative = text.str.contains(r"^ ?[-(]|[-)] ?$", regex=True).to_numpy(dtype=bool)
    dropped = [" ", "(", ")", *([notation.thousands] if notation.thousands is not None else [])]
    text = text.str.replace(f"[{re.escape(''.join(dropped))}]", "", regex=True)
    text = text.str.replace(r"^[+-]|-$", "", regex=True)
    if notation.decimal != ".":
        text = text.str.replace(notation.decimal, ".", regex=False)
    numbers: np.ndarray = pd.to_numeric(text, errors="coerce").to_numpy(dtype=np.float64, na_value=np.nan)
    return np.where(negative, -numbers, numbers)


def number_notations(cells: Sequence[str]) -> Iterator[NumberConfig]:
    """Yields the notations that may explain most distinct cells, the likeliest first.

    Only what a cell shows is in a notation: a thousands separator is declared only if a cell has one.
    """
    parts = [_CELL.fullmatch(cell) for cell in normal(pd.Series(list(cells), dtype="str"))]
    known = [p for p in parts if p is not None and (p["open"] is None) == (p["close"] is None)]
    if all(p["last"] or p["close"] for p in known):  # 50-, 60-, 70- are rather classes of age
        return
    unit = Counter(p["before"] or p["after"] for p in known).most_common(1)[0][0]
    known = [p for p in known if (p["before"] or p["after"] or unit) == unit]
    if unit is not None and not _is_unit(unit, known):
        return
    cores = [p["core"] for p in known]
    found = [(d, t) for d, t in _ORDER if _explains(cores, d, t)]
    if not any("," in core or "." in core for core in cores):
        found = [(d, t) for d, t in found if d == "."]  # nothing shows a decimal sign
    # three digits behind every separator are rather thousands: 1,000 and 4,700
    found.sort(key=lambda pair: pair[1] is None and any(re.search(r"[.,]\d{3}$", c) for c in cores))
    for decimal, thousands in found:
        yield NumberConfig(decimal=decimal, thousands=thousands, unit=unit)  # type: ignore[arg-type]


def _unit(unit: str) -> str:
    """A unit as it is written in the texts of `normal`."""
    return str(normal(pd.Series([unit], dtype="str")).iloc[0])


def _is_unit(unit: str, cells: Sequence[re.Match[str]]) -> bool:
    """Whether the text beside the numbers of all cells is a unit or a currency, and not part of a code."""
    if len({p["core"] for p in cells}) < MIN_DISTINCT or any(p["before"] and p["after"] for p in cells):
        return False
    if any(p["before"] for p in cells):
        return _CURRENCY.fullmatch(unit) is not None
    apart = all(p["blank"] or not p["after"] for p in cells)
    return apart or unit in _KNOWN or _CURRENCY.fullmatch(unit) is not None


def _explains(cores: Sequence[str], decimal: str, thousands: str | None) -> bool:
    """Whether all digits and separators are a number with these signs, and some of them have the thousands separator.

    The first group of a number with separators does not begin with 0, and every number above 999 has separators.
    """
    whole = r"\d+"
    if thousands is not None:
        if not any(thousands in core for core in cores):
            return False
        grouped = _GROUPS.get(thousands, rf"\d{{1,3}}(?:{re.escape(thousands)}\d{{3}})+")
        whole = rf"(?:(?!0){grouped}|\d{{1,3}})"
        lengths = {len(core) for core in cores}
        if thousands == " " and len(lengths) == 1 and len(cores[0].replace(" ", "")) >= _PHONE_DIGITS:
            return False
    number = re.compile(rf"(?:{whole}(?:{re.escape(decimal)}\d*)?|{re.escape(decimal)}\d+)(?:[eE][+-]?\d+)?")
    return all(number.fullmatch(core) for core in cores)
