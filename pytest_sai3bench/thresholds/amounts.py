"""Reading amounts of a threshold: numbers, their units, and what is wrong with them."""

from __future__ import annotations

import re
from decimal import Decimal
from typing import TYPE_CHECKING

from pytest_sai3bench.thresholds.rules import Amount
from pytest_sai3bench.thresholds.scanner import Scanner
from pytest_sai3bench.thresholds.suggestions import enumerate_words
from pytest_sai3bench.units import parse_quantity

if TYPE_CHECKING:
    from pytest_sai3bench.units import Kind

_NUMERAL = re.compile(r"[0-9][0-9.,_]*(?: [0-9]{3}(?![0-9]))*")
_NUMBER = re.compile(
    r"(?:[0-9]{1,3}(?P<separator>[,_ ])[0-9]{3}(?:(?P=separator)[0-9]{3})*|[0-9]+)(?:\.[0-9]+)?"
)
# A prefix may stand apart from its unit, as in "2k ops/s".
_UNIT = re.compile(r"(?![0-9]|(?:and|of|abort)\b)(?:[kKMGT]i?\s+(?=[a-z]*/s))?[\w/%]+")
# What an amount may be a share of; alone it says nothing.
_REFERENCE = re.compile(r"(?:\*\s*)?(median|baseline(?:\([^)]*\))?)(?!\w)")

_NOUNS: dict[Kind, str] = {
    "bytes_per_s": "throughput",
    "per_s": "rate",
    "seconds": "time",
    "percent": "share",
    "number": "count",
}
_UNITS: dict[Kind, tuple[str, ...]] = {
    "bytes_per_s": (" MiB/s", " MB/s"),
    "per_s": (" /s", " ops/s"),
    "seconds": (" ms", " s"),
    "percent": ("%",),
    "number": ("",),
}


class Amounts(Scanner):
    """Reads numbers with their units."""

    def refuse_reference(self) -> None:
        """Raise `RuleError` when a median or baseline comes next without a share."""
        column = self.column
        if found := self.take(_REFERENCE):
            reference = _REFERENCE.fullmatch(found)
            assert reference
            raise self.error(
                f"'{found}' does not say how much of it: write for example 85% of {reference[1]}", column
            )

    def amount(self, wanted: Kind, example: str) -> Amount:
        """Read an amount of the kind that is ``wanted``; ``example`` is a rule with one."""
        self.refuse_reference()
        column = self.column
        numeral = self.take(_NUMERAL)
        if not numeral:
            found = f"'{self.rest}' is not a number" if self.rest else "the limit is missing"
            raise self.error(f"{found}: write for example {example}")
        if not _NUMBER.fullmatch(numeral):
            raise self.error(f"'{numeral}' is not a number: write 1500, 1,500 or 1.5", column)
        unit_column = self.column
        unit = " ".join(self.take(_UNIT).split())
        # Ahead of the unit: in "95% of baseline" the unit is right although the metric is no share.
        self.refuse_reference()
        write = f"write {enumerate_words((numeral + known for known in _UNITS[wanted]), 'or')}"
        noun = _NOUNS[wanted]
        kind = _kind_of(unit)
        if wanted == "number" and kind != "number":
            raise self.error(f"a {noun} has no unit: {write}", unit_column)
        if not unit and kind != wanted:
            raise self.error(f"a {noun} needs a unit: {write}", column)
        if kind != wanted:
            raise self.error(f"'{unit}' is not a unit of {noun}: {write}", unit_column)
        amount = Amount(Decimal(re.sub("[,_ ]", "", numeral)), unit)
        if wanted == "number" and amount.value.denominator != 1:
            raise self.error(f"a {noun} is a whole number, not {amount}", column)
        return amount


def _kind_of(unit: str) -> Kind | None:
    try:
        return parse_quantity(f"1 {unit}").kind
    except ValueError:
        return None
