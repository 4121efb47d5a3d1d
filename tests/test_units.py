from __future__ import annotations

import math
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_sai3bench import units
from pytest_sai3bench.units import Quantity

if TYPE_CHECKING:
    from collections.abc import Callable


@pytest.mark.parametrize(
    ("text", "size_bytes"),
    [
        (0, 0),
        (4096, 4096),
        ("4096", 4096),
        ("64KB", 64_000),
        ("64kb", 64_000),
        ("64k", 64_000),
        ("64KiB", 65_536),
        ("64Ki", 65_536),
        ("1.5MiB", 1_572_864),
        ("1.5 MiB", 1_572_864),
        ("2G", 2 * 10**9),
        ("2gib", 2 * 2**30),
        ("1TB", 10**12),
        ("1TiB", 2**40),
        ("512B", 512),
        ("64,032,768", 64_032_768),
        ("64_032_768", 64_032_768),
        ("64 032 768", 64_032_768),
        ("1,024 KiB", 1_048_576),
        (" 8 ", 8),
        ("0.3", 0),
        ("0.5", 1),
        ("1.0000005MB", 1_000_001),
    ],
)
def test_sizes_are_bytes(text: str | int, size_bytes: int) -> None:
    assert units.parse_size(text) == size_bytes


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        ("", "''"),
        ("B", "'B'"),
        ("-1", "'-1'"),
        (-1, "-1"),
        (True, "true"),
        (1.5, "1.5"),
        (math.nan, "nan"),
        (None, "None"),
        ("1 parsec", "'1 parsec'"),
        ("1  KB", "'1  KB'"),
        ("1,5 MB", "'1,5 MB'"),
        ("1,000_000", "'1,000_000'"),
        ("1e6", "'1e6'"),
        ("KiB 4", "'KiB 4'"),
        ("\u0661KB", "'\u0661KB'"),
        ("4\u212aiB", "'4\u212aiB'"),
        ("9999999TB", "'9999999TB'"),
        ("9" * 40, "'" + "9" * 40 + "'"),
    ],
)
def test_a_wrong_size_is_named(value: str | int, shown: str) -> None:
    with pytest.raises(ValueError, match="size") as caught:
        units.parse_size(value)
    assert str(caught.value) == f"{shown} is not a size: expected bytes or text such as 4096, 64KB, 1.5MiB"


@pytest.mark.parametrize(
    ("text", "count"),
    [(16, 16), ("16", 16), ("012", 12), ("64,000", 64_000), ("64_000", 64_000), ("1 000 000", 1_000_000)],
)
def test_counts_may_have_separators(text: str | int, count: int) -> None:
    assert units.parse_count(text) == count


@pytest.mark.parametrize("value", ["", "1.0", "1k", "-5", "1,00", "1,,000", ",100", "0x10"])
def test_a_wrong_count_is_named(value: str) -> None:
    with pytest.raises(ValueError, match="count") as caught:
        units.parse_count(value)
    assert str(caught.value) == f"{value!r} is not a count: expected a whole number such as 16 or 64,000"


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        (60, 60.0),
        (0.25, 0.25),
        ("60", 60.0),
        ("1.5", 1.5),
        ("60s", 60.0),
        ("500ms", 0.5),
        ("0.1s", 0.1),
        ("250 us", 0.00025),
        ("250\u00b5s", 0.00025),
        ("250\u03bcs", 0.00025),
        ("7ns", 7e-9),
        ("1h 30m", 5400.0),
        ("1h30m", 5400.0),
        (" 1 hour 30 minutes ", 5400.0),
        ("2days", 172_800.0),
        ("1w", 604_800.0),
        ("1min 1sec", 61.0),
        ("5m", 300.0),
        ("1M", 2_630_016.0),
        ("1y 2months", 36_817_632.0),
    ],
)
def test_durations_are_seconds(text: str | float, seconds: float) -> None:
    assert units.parse_duration(text) == seconds


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        ("12 parsecs", "'12 parsecs'"),
        ("", "''"),
        ("s", "'s'"),
        ("5H", "'5H'"),
        ("60S", "'60S'"),
        ("-5s", "'-5s'"),
        ("1h 30", "'1h 30'"),
        ("1:30", "'1:30'"),
        (-1, "-1"),
        (math.nan, "nan"),
        (math.inf, "inf"),
        (False, "false"),
        (None, "None"),
    ],
)
def test_a_wrong_duration_is_named(value: str | float, shown: str) -> None:
    with pytest.raises(ValueError, match="duration") as caught:
        units.parse_duration(value)
    assert str(caught.value) == (
        f"{shown} is not a duration: expected a number of seconds or text such as 500ms, 60s, 1h 30m"
    )


@pytest.mark.parametrize(
    ("text", "quantity"),
    [
        ("500 MiB/s", Quantity(500 * 2**20, "bytes_per_s")),
        ("1.5GB/s", Quantity(1.5e9, "bytes_per_s")),
        ("100 B/s", Quantity(100, "bytes_per_s")),
        ("64 KiB", Quantity(65_536, "bytes")),
        ("10 B", Quantity(10, "bytes")),
        ("2000/s", Quantity(2000, "per_s")),
        ("2k ops/s", Quantity(2000, "per_s")),
        ("1,500 requests/s", Quantity(1500, "per_s")),
        ("1 op/s", Quantity(1, "per_s")),
        ("20 ms", Quantity(0.02, "seconds")),
        ("1,500 ms", Quantity(1.5, "seconds")),
        ("1m 30s", Quantity(90, "seconds")),
        ("5 m", Quantity(300, "seconds")),
        ("5%", Quantity(5, "percent")),
        ("99.5 %", Quantity(99.5, "percent")),
        ("0", Quantity(0, "number")),
        ("1,000", Quantity(1000, "number")),
        ("2M", Quantity(2_000_000, "number")),
    ],
)
def test_quantities_have_a_kind(text: str, quantity: Quantity) -> None:
    assert units.parse_quantity(text) == quantity


@pytest.mark.parametrize(
    "text", ["", "fast", "10 Gb/s", "10 mib/s", "500 MiB/m", "12 parsecs", "5%%", "-1 ms"]
)
def test_a_wrong_quantity_is_named(text: str) -> None:
    with pytest.raises(ValueError, match="quantity") as caught:
        units.parse_quantity(text)
    assert str(caught.value) == (
        f"{text!r} is not a quantity: expected a number with a unit such as 500 MiB/s, 2k ops/s, 20 ms, 5% or 10"
    )


@pytest.mark.parametrize(
    ("function", "value", "text"),
    [
        (units.format_size, 0, "0 B"),
        (units.format_size, 1023, "1023 B"),
        (units.format_size, 4096, "4 KiB"),
        (units.format_size, 1_572_864, "1.5 MiB"),
        (units.format_size, 1_048_500, "1 MiB"),
        (units.format_size, 123_456_789, "118 MiB"),
        (units.format_size, 5000 * 2**40, "5000 TiB"),
        (units.format_size, -4096, "-4 KiB"),
        (units.format_rate, 524_288_000, "500 MiB/s"),
        (units.format_per_s, 0.5, "0.5/s"),
        (units.format_per_s, 950.4, "950/s"),
        (units.format_per_s, 12_399.6, "12,400/s"),
        (units.format_duration_ns, 0, "0 ns"),
        (units.format_duration_ns, 999, "999 ns"),
        (units.format_duration_ns, 999_600, "1 ms"),
        (units.format_duration_ns, 12_345, "12.3 \u00b5s"),
        (units.format_duration_ns, -2_500_000, "-2.5 ms"),
        (units.format_seconds, 0.0123, "12.3 ms"),
        (units.format_seconds, 59.4, "59.4 s"),
        (units.format_seconds, 59.7, "1m"),
        (units.format_seconds, 90, "1m 30s"),
        (units.format_seconds, 3661, "1h 1m 1s"),
        (units.format_seconds, 7200, "2h"),
        (units.format_count, 1_234_567, "1,234,567"),
        (units.format_quantity, Quantity(65_536, "bytes"), "64 KiB"),
        (units.format_quantity, Quantity(524_288_000, "bytes_per_s"), "500 MiB/s"),
        (units.format_quantity, Quantity(0.02, "seconds"), "20 ms"),
        (units.format_quantity, Quantity(2000, "per_s"), "2,000/s"),
        (units.format_quantity, Quantity(99.5, "percent"), "99.5%"),
        (units.format_quantity, Quantity(0.000123, "number"), "0.000123"),
        (units.format_quantity, Quantity(12_345, "number"), "12,345"),
    ],
)
def test_numbers_are_shown_for_people(function: Callable[[object], str], value: object, text: str) -> None:
    assert function(value) == text


@given(st.integers(0, 2**50))
def test_a_shown_size_reads_back_within_its_digits(size_bytes: int) -> None:
    assert units.parse_size(units.format_size(size_bytes)) == pytest.approx(size_bytes, rel=0.005, abs=0.5)


@given(st.integers(0, units.LARGEST), st.sampled_from(["", ",", "_", " "]))
def test_any_count_reads_back_with_any_separator(count: int, separator: str) -> None:
    assert units.parse_count(units.format_count(count).replace(",", separator)) == count


@given(st.integers(0, 10**15))
def test_a_shown_duration_reads_back_within_its_digits(duration_ns: int) -> None:
    seconds = units.parse_duration(units.format_duration_ns(duration_ns))
    assert seconds == pytest.approx(duration_ns / 1e9, rel=0.0085)


@given(
    st.floats(0.001, 1e11),
    st.sampled_from(["bytes", "bytes_per_s", "seconds", "per_s", "percent", "number"]),
)
def test_a_shown_quantity_reads_back_within_its_digits(value: float, kind: units.Kind) -> None:
    quantity = units.parse_quantity(units.format_quantity(Quantity(value, kind)))
    assert quantity.kind == kind
    assert quantity.value == pytest.approx(value, rel=0.0085)


@pytest.mark.parametrize("read", [units.parse_size, units.parse_count, units.parse_duration])
@given(text=st.text())
def test_any_text_is_read_or_refused(read: Callable[[str], float], text: str) -> None:
    try:
        value = read(text)
    except ValueError as error:
        assert str(error).startswith(f"{text!r} is not a ")  # noqa: PT017 - most texts are refused
    else:
        assert value >= 0
