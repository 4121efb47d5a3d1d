from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_sai3bench.thresholds.grammar import parse
from pytest_sai3bench.thresholds.wording import describe_margin, show

if TYPE_CHECKING:
    from decimal import Decimal


@pytest.mark.parametrize(
    ("text", "value", "shown"),
    [
        ("p99 < 20 ms", "0.02344", "23.4 ms"),
        ("p99 < 20 ms", "0.0200001", "20.0001 ms"),
        ("p99 < 20 ms", "0.0199999999", "19.9999999 ms"),
        ("p99 < 20 ms", "0.02", "20 ms"),
        ("p99 < 20 ms", "1.234567", "1,235 ms"),
        ("p99 < 20 ms", "2.345", "2.35 s"),
        ("p99 < 20 ms", "0.00015", "150 µs"),
        ("p99 < 20 ms", "0", "0 ms"),
        ("p99 < 20000 us", "0.0234", "23,400 us"),
        ("p99 > 0 ms", "0.005", "5 ms"),
        ("p99 between 10 ms and 20 ms", "0.0099999", "9.9999 ms"),
        ("p99 between 1 h and 100000 s", "100000", "100,000 s"),
        ("p99 > 20.00025 ms", "0.02000025", "20.00025 ms"),
        ("throughput > 500 MB/s", "499999999", "499.999999 MB/s"),
        ("throughput > 500 MiB/s", "1024", "1 KiB/s"),
        ("ops > 2k ops/s", "1990.4", "1.99k ops/s"),
        ("ops > 5 /s", "123456.7", "123,457 /s"),
        ("error_rate < 0.1%", "0.0010004", "0.10004%"),
        ("count > 2k", "1999", "1,999"),
    ],
)
def test_measured_values(text: str, value: str, shown: str) -> None:
    rule = parse(text)
    assert show(Fraction(value), rule.metric.kind, rule.comparison) == shown


@given(
    st.decimals("0.001", 1000, places=3),
    st.fractions(Fraction(-1, 2), Fraction(1, 2)),
    st.sampled_from(("ns", "us", "ms", "s", "min", "h")),
)
def test_the_shown_value_compares_as_the_exact_one(limit: Decimal, offset: Fraction, unit: str) -> None:
    rule = parse(f"p99 < {limit} {unit}")
    (bound,) = rule.comparison.bounds
    value = bound * (1 + offset)
    (read,) = parse(f"p99 < {show(value, rule.metric.kind, rule.comparison)}").comparison.bounds
    assert (read < bound, read > bound) == (value < bound, value > bound)
    assert abs(read - value) <= value / 200


@pytest.mark.parametrize(
    ("margin", "text"),
    [
        (0.17, "17% over"),
        (-0.2, "20% under"),
        (0.0034, "0.34% over"),
        (-0.00001, "less than 0.01% under"),
        (12.5, "14 times the limit"),
        (0.0, "exactly the limit"),
    ],
)
def test_margins(margin: float, text: str) -> None:
    assert describe_margin(margin) == text
