"""Measured values as text that never contradicts the verdict, and the sentences around them."""

from __future__ import annotations

from decimal import Decimal
from itertools import count
from typing import TYPE_CHECKING

from pytest_sai3bench.thresholds.vocabulary import attach_unit, scale_of
from pytest_sai3bench.units import Quantity, format_count, format_quantity

if TYPE_CHECKING:
    from fractions import Fraction

    from pytest_sai3bench.thresholds.measurement import Measurement
    from pytest_sai3bench.thresholds.rules import Comparison
    from pytest_sai3bench.units import Kind

# A value this many times the limit, or this small a part of it, is shown in a unit of its own.
_FAR = 100
# From this many times the limit on, percents are no longer read.
_MANY_TIMES = 10


def show(value: Fraction, kind: Kind, comparison: Comparison) -> str:
    """Return ``value`` in the unit of the rule: about three digits, and more where a bound is near."""
    if kind == "number":
        return format_count(int(value))
    bound = nearest_bound(value, comparison)
    is_far = bound and value and not bound / _FAR <= value <= bound * _FAR
    if is_far and kind in ("seconds", "bytes_per_s"):
        return format_quantity(Quantity(float(value), kind))
    # Beside another bound the value might have no end of decimals.
    unit = comparison.units[comparison.bounds.index(bound)]
    scale = scale_of(unit)
    number = _round(value / scale, [bound / scale for bound in comparison.bounds])
    return attach_unit(f"{number:,f}", unit)


def nearest_bound(value: Fraction, comparison: Comparison) -> Fraction:
    """Return the bound of ``comparison`` that is closest to ``value``."""
    return min(comparison.bounds, key=lambda bound: abs(value - bound))


def margin_of(value: Fraction, comparison: Comparison) -> float | None:
    """Return how far ``value`` lies above (or, negative, below) the nearest bound, as a part of that bound."""
    bound = nearest_bound(value, comparison)
    return float((value - bound) / bound) if bound else None


def describe_margin(margin: float) -> str:
    """Return the margin in words: ``17% over``, ``0.3% under``, ``64 times the limit``."""
    if margin == 0:
        return "exactly the limit"
    if margin >= _MANY_TIMES - 1:
        return f"{margin + 1:,.0f} times the limit"
    percent = abs(margin) * 100
    # 100% under would say that nothing was there at all.
    digits = 2 if percent < 1 or (margin < 0 and 99 <= percent < 100) else 0
    text = f"{percent:,.{digits}f}%" if percent >= 0.01 else "less than 0.01%"
    return f"{text} {'over' if margin > 0 else 'under'}"


def describe_samples(measurement: Measurement) -> str:
    """Return how many things a value rests on: ``12,345 samples``."""
    plural = "" if measurement.samples == 1 else "s"
    return f"{format_count(measurement.samples)} {measurement.noun}{plural}"


def _round(value: Fraction, bounds: list[Fraction]) -> Decimal:
    """Round to the fewest decimals that are off by at most 0.5% and compare with every bound as the value does."""
    for decimals in count():
        exact = value * 10**decimals
        digits = round(exact)
        borders = [bound * 10**decimals for bound in bounds]
        if abs(digits - exact) * 200 <= exact and all(
            (digits < border, digits > border) == (exact < border, exact > border) for border in borders
        ):
            break
    return Decimal(f"{digits}E-{decimals}")
