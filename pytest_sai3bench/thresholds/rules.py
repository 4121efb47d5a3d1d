"""A parsed threshold: frozen values whose text, ``str(rule)``, is canonical and parses to an equal rule."""

from __future__ import annotations

import operator
from dataclasses import dataclass, field
from fractions import Fraction
from typing import TYPE_CHECKING

from pytest_sai3bench.thresholds.vocabulary import (
    AGENTS,
    TOTAL,
    Metric,
    PartKind,
    WindowKind,
    attach_unit,
    scale_of,
)

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

    def excess(self, value: Fraction) -> Fraction:
        """How far ``value`` lies on the wrong side of the bound; negative on the right one."""
        beyond = value - self.amount.value
        return abs(beyond) if self.operator == "==" else -beyond if ">" in self.operator else beyond

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

    def excess(self, value: Fraction) -> Fraction:
        """How far ``value`` lies beyond the nearest bound; negative between them."""
        return max(self.low.value - value, value - self.high.value)

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

    def excess(self, value: Fraction) -> Fraction:
        """How far ``value`` lies beyond the nearest bound; negative between them."""
        low, high = self.bounds
        return max(low - value, value - high)

    def __str__(self) -> str:
        return f"within {self.share} of {self.centre}"


@dataclass(frozen=True)
class _Share:
    """A comparison of a share: of a value divided by another that is only known later."""

    share: Limit | Within

    @property
    def bounds(self) -> tuple[Fraction, ...]:
        """The shares at which the answer changes."""
        return self.share.bounds

    @property
    def units(self) -> tuple[str, ...]:
        """The unit of each bound."""
        return self.share.units

    @property
    def reference(self) -> str:
        """What the share is of."""
        raise NotImplementedError

    def holds(self, value: Fraction) -> bool:
        """Whether ``value``, as a share of the reference, fulfils the comparison."""
        return self.share.holds(value)

    def excess(self, value: Fraction) -> Fraction:
        """How far ``value``, as a share of the reference, lies beyond the nearest bound."""
        return self.share.excess(value)

    def __str__(self) -> str:
        share = f"within {self.share.share}" if isinstance(self.share, Within) else str(self.share)
        return f"{share} of {self.reference}"


@dataclass(frozen=True)
class OfMedian(_Share):
    """``>= 85% of median``, ``within 10% of median``: of a part's value divided by the median of all parts' values."""

    @property
    def reference(self) -> str:
        """See `_Share.reference`."""
        return "median"


@dataclass(frozen=True)
class OfBaseline(_Share):
    """``>= 95% of baseline``, ``within 10% of baseline(main)``: of a value divided by that of an earlier run.

    ``name`` is that of the baseline, None for the one that the session is compared with.
    """

    name: str | None = None

    @property
    def reference(self) -> str:
        """See `_Share.reference`."""
        return "baseline" if self.name is None else f"baseline({self.name})"


Comparison = Limit | Between | Within | OfMedian | OfBaseline


@dataclass(frozen=True)
class Window:
    """The time a rule speaks of: ``each`` of consecutive lengths, the ``last`` one, or the ``steady`` state (no length)."""

    kind: WindowKind
    length: Amount | None = None

    def __str__(self) -> str:
        return f"@{self.kind}" if self.length is None else f"@{self.kind}({self.length})"


@dataclass(frozen=True)
class Part:
    """A part of the load: one endpoint (URI, or index from 1) or one agent (id, or index); each in turn without name."""

    kind: PartKind
    name: str | None = None

    def __str__(self) -> str:
        return f"each({self.kind})" if self.name is None else f"{self.kind}[{self.name}]"


@dataclass(frozen=True)
class Source:
    """The text a rule came from, and the columns, from 1, at which its part, scope, window and abort stand in it."""

    text: str = ""
    part_column: int = 1
    scope_column: int = 1
    window_column: int = 1
    abort_column: int = 1


@dataclass(frozen=True)
class Rule:
    """One threshold. ``scope`` is one of `vocabulary.SCOPES`; the source does not count when rules are compared.

    Without a ``window`` it speaks of the whole measured time. With ``abort_after`` it ends the run when it is not met, that
    long after the begin of the measured time or later.
    """

    scope: str
    metric: Metric
    comparison: Comparison
    part: Part | None = None
    window: Window | None = None
    abort_after: Amount | None = None
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
        window = f" {self.window}" if self.window else ""
        abort = f" abort after {self.abort_after}" if self.abort_after else ""
        return f"{self.subject} {self.comparison}{window}{abort}"
