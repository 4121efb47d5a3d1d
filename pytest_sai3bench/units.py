"""Sizes, counts, durations and rates: text to numbers and back.

Numbers are exact: text is scaled with integers, and a float appears only in the result. Decimal prefixes are powers
of 1000, binary ones (``Ki``, ``Mi``, ``Gi``, ``Ti``) powers of 1024. All readers raise ValueError with a text that
names the input and what was expected.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from typing import Literal

Kind = Literal["bytes", "bytes_per_s", "seconds", "per_s", "percent", "number"]

LARGEST = 2**63 - 1
"""The largest size and count that is accepted; larger ones do not fit the counters of storage systems."""

_DECIMAL = {"": 1, "k": 10**3, "m": 10**6, "g": 10**9, "t": 10**12}
_BINARY = {"ki": 2**10, "mi": 2**20, "gi": 2**30, "ti": 2**40}
_PREFIXES = _DECIMAL | _BINARY
_NANOSECONDS = {
    name: factor
    for factor, names in (
        (1, "ns nsec nanos nanosecond nanoseconds"),
        (10**3, "us \u00b5s \u03bcs usec micros microsecond microseconds"),
        (10**6, "ms msec millis millisecond milliseconds"),
        (10**9, "s sec secs second seconds"),
        (60 * 10**9, "m min mins minute minutes"),
        (3600 * 10**9, "h hr hrs hour hours"),
        (86400 * 10**9, "d day days"),
        (7 * 86400 * 10**9, "w wk wks week weeks"),
        # 30.44 and 365.25 days.
        (2_630_016 * 10**9, "M month months"),
        (31_557_600 * 10**9, "y yr yrs year years"),
    )
    for name in names.split()
}

# Separators stand between groups of three and do not mix, so that the decimal comma of "1,5 MB" is refused, not read as 15.
_WHOLE = r"(?P<whole>[0-9]{1,3}(?P<separator>[,_ ])[0-9]{3}(?:(?P=separator)[0-9]{3}){0,5}|[0-9]{1,30})"
_FRACTION = r"(?:\.(?P<fraction>[0-9]{1,30}))?"
_COUNT = re.compile(_WHOLE)
_SIZE = re.compile(rf"{_WHOLE}{_FRACTION} ?(?P<prefix>[kmgt]i?|)b?", re.IGNORECASE | re.ASCII)
_DURATION_PART = re.compile(
    r"\s*(?P<whole>[0-9]{1,15})(?:\.(?P<fraction>[0-9]{1,15}))?\s*(?P<unit>[^\W\d_]+)\s*"
)
_SECONDS = re.compile(r"(?P<whole>[0-9]{1,15})(?:\.(?P<fraction>[0-9]{1,15}))?")
_QUANTITY = re.compile(rf"{_WHOLE}{_FRACTION}\s*(?P<unit>\S.*)?")
_QUANTITY_UNIT = re.compile(r"(?P<prefix>(?:[kKMGT]|[KMGT]i)?)(?P<what>|B|B/s|\s*(?:ops|op|requests|req)?/s)")


@dataclass(frozen=True)
class Quantity:
    """A number with its dimension; ``percent`` keeps the written number (5 for ``5%``)."""

    value: float
    kind: Kind


def parse_size(value: str | int) -> int:
    """Return a size in bytes, rounded to the nearest byte: ``4096``, ``64KB``, ``1.5 MiB``, ``64,032,768``."""
    complaint = f"{_shown(value)} is not a size: expected bytes or text such as 4096, 64KB, 1.5MiB"
    if isinstance(value, str):
        match = _SIZE.fullmatch(value.strip())
        if match is None:
            raise ValueError(complaint)
        return _bounded(_rounded(match, _PREFIXES[match["prefix"].lower()]), complaint)
    return _bounded(value, complaint)


def parse_count(value: str | int) -> int:
    """Return a whole number from 0 on, written with or without thousands separators."""
    complaint = f"{_shown(value)} is not a count: expected a whole number such as 16 or 64,000"
    if isinstance(value, str):
        match = _COUNT.fullmatch(value.strip())
        if match is None:
            raise ValueError(complaint)
        return _bounded(_rounded(match, 1), complaint)
    return _bounded(value, complaint)


def parse_duration(value: str | float) -> float:
    """Return seconds: a bare number, or text such as ``500ms``, ``60s``, ``1h 30m`` (``m`` is a minute, ``M`` a month)."""
    complaint = (
        f"{_shown(value)} is not a duration: expected a number of seconds or text such as 500ms, 60s, 1h 30m"
    )
    if isinstance(value, str):
        return _seconds(value.strip(), complaint)
    # The comparison also refuses NaN and infinity.
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 <= value < 10**15:
        raise ValueError(complaint)
    return float(value)


def parse_quantity(text: str) -> Quantity:
    """Return a number with its dimension, as thresholds write it: ``500 MiB/s``, ``2k ops/s``, ``20 ms``, ``5%``, ``10``.

    Bytes need a capital B, because a small one means bits to many readers; a prefix alone scales a plain number.
    """
    complaint = f"{_shown(text)} is not a quantity: expected a number with a unit such as 500 MiB/s, 2k ops/s, 20 ms, 5% or 10"
    stripped = text.strip()
    match = _QUANTITY.fullmatch(stripped)
    if match is None:
        raise ValueError(complaint)
    unit = match["unit"] or ""
    if unit == "%":
        return Quantity(_scaled(match, 1), "percent")
    if found := _QUANTITY_UNIT.fullmatch(unit):
        kinds: dict[str, Kind] = {"": "number", "B": "bytes", "B/s": "bytes_per_s"}
        return Quantity(_scaled(match, _PREFIXES[found["prefix"].lower()]), kinds.get(found["what"], "per_s"))
    if unit in _NANOSECONDS:
        return Quantity(_scaled(match, _NANOSECONDS[unit]) / 1e9, "seconds")
    return Quantity(_seconds(stripped, complaint), "seconds")


def format_size(size_bytes: float) -> str:
    """Return bytes with a binary prefix and three or four digits: ``512 B``, ``4 KiB``, ``1.5 MiB``."""
    number, unit = _with_prefix(size_bytes, 1024, ("B", "KiB", "MiB", "GiB", "TiB"))
    return f"{number} {unit}"


def format_rate(bytes_per_s: float) -> str:
    """Return a rate of bytes: ``512 MiB/s``."""
    return f"{format_size(bytes_per_s)}/s"


def format_per_s(per_s: float) -> str:
    """Return a rate of events: ``950/s``, ``12,400/s``."""
    return f"{format_count(round(per_s)) if abs(per_s) >= 1000 else _digits(per_s)}/s"


def format_duration_ns(duration_ns: float) -> str:
    """Return nanoseconds for people: ``850 ns``, ``12.3 ms``, ``1m 30s``."""
    if duration_ns < 0:
        return f"-{format_duration_ns(-duration_ns)}"
    if round(duration_ns / 1e9) < 60:
        number, unit = _with_prefix(duration_ns, 1000, ("ns", "\u00b5s", "ms", "s"))
        return f"{number} {unit}"
    minutes, seconds = divmod(round(duration_ns / 1e9), 60)
    hours, minutes = divmod(minutes, 60)
    parts = ((hours, "h"), (minutes, "m"), (seconds, "s"))
    return " ".join(f"{number}{unit}" for number, unit in parts if number)


def format_seconds(seconds: float) -> str:
    """Return seconds for people, as `format_duration_ns` does."""
    return format_duration_ns(seconds * 1e9)


def format_count(count: int) -> str:
    """Return a whole number with thousands separators: ``1,234,567``."""
    return f"{count:,}"


def format_quantity(quantity: Quantity) -> str:
    """Return a quantity with its unit; `parse_quantity` reads it again, with at least three digits of it."""
    if quantity.kind == "bytes":
        return format_size(quantity.value)
    if quantity.kind == "bytes_per_s":
        return format_rate(quantity.value)
    if quantity.kind == "seconds":
        return format_seconds(quantity.value)
    if quantity.kind == "per_s":
        return format_per_s(quantity.value)
    number = format_count(round(quantity.value)) if quantity.value >= 1000 else _digits(quantity.value)
    return f"{number}%" if quantity.kind == "percent" else number


def _shown(value: object) -> str:
    # Booleans as YAML spells them.
    return str(value).lower() if isinstance(value, bool) else repr(value)


def _bounded(value: object, complaint: str) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= LARGEST:
        raise ValueError(complaint)
    return value


def _ratio(match: re.Match[str], factor: int) -> tuple[int, int]:
    """Return the number of a match, times factor, as numerator and denominator."""
    fraction = match.groupdict().get("fraction") or ""
    whole = re.sub("[,_ ]", "", match["whole"])
    return int(whole + fraction) * factor, int(10 ** len(fraction))


def _rounded(match: re.Match[str], factor: int) -> int:
    numerator, denominator = _ratio(match, factor)
    return (2 * numerator + denominator) // (2 * denominator)


def _scaled(match: re.Match[str], factor: int) -> float:
    numerator, denominator = _ratio(match, factor)
    return numerator / denominator


def _seconds(text: str, complaint: str) -> float:
    if bare := _SECONDS.fullmatch(text):
        return _scaled(bare, 1)
    total_ns = 0.0
    position = 0
    while position < len(text):
        part = _DURATION_PART.match(text, position)
        if part is None or part["unit"] not in _NANOSECONDS:
            raise ValueError(complaint)
        total_ns += _scaled(part, _NANOSECONDS[part["unit"]])
        position = part.end()
    if not text:
        raise ValueError(complaint)
    return total_ns / 1e9


def _digits(value: float) -> str:
    """Return three significant digits, all digits of the whole part, and no zeros at the end of a fraction."""
    decimals = max(0, 2 - math.floor(math.log10(abs(value)))) if value else 0
    text = f"{value:.{decimals}f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def _with_prefix(value: float, step: int, units: tuple[str, ...]) -> tuple[str, str]:
    """Return the digits and the largest unit in which the rounded value is at least 1."""
    for unit in units[:-1]:
        if abs(round(value)) < step:
            return _digits(value), unit
        value /= step
    return _digits(value), units[-1]
