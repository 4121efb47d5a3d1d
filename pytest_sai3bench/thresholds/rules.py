"""A parsed threshold: frozen values whose text, ``str(rule)``, is canonical and parses to an equal rule."""

from __future__ import annotations

import operator
from dataclasses import dataclass, field
from fractions import Fraction
from typing import TYPE_CHECKING

from pytest_sai3bench.thresholds.vocabulary import AGENTS, TOTAL, Metric, PartKind, attach_unit, scale_of

if TYPE_CHECKING:
    from decimal import Decimal

OPERATORS = {
    "<=": operator.le,
    ">=": operator.ge,
    "==": operator.eq,
    "<": operator.lt,
    ">": operator.gt,
}


class RuleError(ValueError):
    """A threshold that is wrong; ``column`` counts from 1 in ``text``, ``message`` names the words that would be right."""

    def __init__(self, text: str, column: int, message: str) -> None:
        super().__init__(f"col {column}: {message}")
        self.text = text
        self.column = column
        self.message = message


@dataclass(frozen=True)
class Amount:
    """A number with its unit, both as written."""

    number: Decimal
    unit: str

    @property
    def value(self) -> Fraction:
        """The amount in base units, exactly; 100% is 1."""
        return scale_of(self.unit) * Fraction(self.number)

    def __str__(self) -> str:
        return attach_unit(f"{self.number:f}", self.unit)


@dataclass(frozen=True)
class Limit:
    """``< 20 ms``: one bound, on one side."""

    operator: str
    amount: Amount

    @property
    def bounds(self) -> tuple[Fraction, ...]:
        """The values at which the answer changes."""
        return (self.amount.value,)

    @property
    def units(self) -> tuple[str, ...]:
        """The unit of each bound, in which it has a finite number of decimals."""
        return (self.amount.unit,)

    def holds(self, value: Fraction) -> bool:
        """Whether ``value``, in base units, fulfils the comparison."""
        return bool(OPERATORS[self.operator](value, self.amount.value))

    def __str__(self) -> str:
        return f"{self.operator} {self.amount}"


@dataclass(frozen=True)
class Between:
    """``between 1 ms and 20 ms``: both bounds belong to it."""

    low: Amount
    high: Amount

    @property
    def bounds(self) -> tuple[Fraction, ...]:
        """The values at which the answer changes."""
        return self.low.value, self.high.value

    @property
    def units(self) -> tuple[str, ...]:
        """The unit of each bound, in which it has a finite number of decimals."""
        return self.low.unit, self.high.unit

    def holds(self, value: Fraction) -> bool:
        """Whether ``value``, in base units, fulfils the comparison."""
        return self.low.value <= value <= self.high.value

    def __str__(self) -> str:
        return f"between {self.low} and {self.high}"


@dataclass(frozen=True)
class Within:
    """``within 5% of 500 MiB/s``: both bounds belong to it."""

    share: Amount
    centre: Amount

    @property
    def bounds(self) -> tuple[Fraction, ...]:
        """The values at which the answer changes."""
        spread = self.centre.value * self.share.value
        # Nothing that is measured is below 0.
        return max(Fraction(0), self.centre.value - spread), self.centre.value + spread

    @property
    def units(self) -> tuple[str, ...]:
        """The unit of each bound, in which it has a finite number of decimals."""
        return self.centre.unit, self.centre.unit

    def holds(self, value: Fraction) -> bool:
        """Whether ``value``, in base units, fulfils the comparison."""
        low, high = self.bounds
        return low <= value <= high

    def __str__(self) -> str:
        return f"within {self.share} of {self.centre}"


@dataclass(frozen=True)
class OfMedian:
    """``>= 85% of median``, ``within 10% of median``: of a part's value divided by the median of all parts' values."""

    share: Limit | Within

    @property
    def bounds(self) -> tuple[Fraction, ...]:
        """The shares at which the answer changes."""
        return self.share.bounds

    @property
    def units(self) -> tuple[str, ...]:
        """The unit of each bound."""
        return self.share.units

    def holds(self, value: Fraction) -> bool:
        """Whether ``value``, as a share of the median, fulfils the comparison."""
        return self.share.holds(value)

    def __str__(self) -> str:
        if isinstance(self.share, Within):
            return f"within {self.share.share} of median"
        return f"{self.share} of median"


Comparison = Limit | Between | Within | OfMedian


@dataclass(frozen=True)
class Part:
    """A part of the load: one endpoint (URI, or index from 1) or one agent (id, or index); each in turn without name."""

    kind: PartKind
    name: str | None = None

    def __str__(self) -> str:
        return f"each({self.kind})" if self.name is None else f"{self.kind}[{self.name}]"


@dataclass(frozen=True)
class Source:
    """The text a rule came from, and the columns, from 1, at which its part and its scope stand in it."""

    text: str = ""
    part_column: int = 1
    scope_column: int = 1


@dataclass(frozen=True)
class Rule:
    """One threshold. ``scope`` is one of `vocabulary.SCOPES`; the source does not count when rules are compared."""

    scope: str
    metric: Metric
    comparison: Comparison
    part: Part | None = None
    source: Source = field(default=Source(), compare=False, repr=False)

    @property
    def subject(self) -> str:
        """What is limited: ``get.p99``, ``endpoint[2].errors``."""
        words = [self.metric.name]
        # Beside a part, the sum over all operations goes without saying.
        if self.part is None or self.scope not in (TOTAL, AGENTS):
            words.insert(0, self.scope)
        if self.part is not None:
            words.insert(0, str(self.part))
        return ".".join(words)

    def __str__(self) -> str:
        return f"{self.subject} {self.comparison}"
