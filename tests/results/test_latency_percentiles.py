from __future__ import annotations

import pytest
from hdrh.histogram import HdrHistogram
from hypothesis import example, given, settings
from hypothesis import strategies as st

from pytest_sai3bench.agent import hdr
from pytest_sai3bench.results.latency import Latency

durations_ns = st.integers(min_value=0, max_value=hdr.HIGHEST_NS)
percents = st.floats(min_value=0.001, max_value=100)


@settings(deadline=None)
@given(st.lists(durations_ns, min_size=1, max_size=50), percents)
@example([5_000_000] * 159 + [9_000_000], 99.0)
@example([1, 2, 3], 50.0)
def test_percentiles_are_those_of_hdrhistogram_cut_to_the_exact_maximum(
    samples: list[int], percent: float
) -> None:
    histogram = HdrHistogram(hdr.LOWEST_NS, hdr.HIGHEST_NS, hdr.SIGNIFICANT_DIGITS)
    for sample in samples:
        assert histogram.record_value(sample)

    expected = min(histogram.get_value_at_percentile(percent), max(samples))

    assert Latency.of(samples).percentile_ns(percent) == expected


@settings(deadline=None)
@given(st.lists(durations_ns, max_size=30), st.integers(min_value=0, max_value=30))
def test_any_split_adds_up_to_the_whole(samples: list[int], cut: int) -> None:
    assert Latency.of(samples[:cut]) + Latency.of(samples[cut:]) == Latency.of(samples)


@settings(deadline=None)
@given(st.lists(st.lists(durations_ns, max_size=10), max_size=5))
def test_total_of_many_parts_is_the_whole(parts: list[list[int]]) -> None:
    whole = [sample for part in parts for sample in part]

    assert Latency.total(map(Latency.of, parts)) == Latency.of(whole)


def test_an_empty_distribution_has_no_values() -> None:
    empty = Latency()

    assert (empty.count, empty.mean_ns, empty.percentile_ns(0), empty.percentile_ns(99), empty.max_ns) == (
        0,
        0,
        0,
        0,
        0,
    )


def test_zero_percent_is_the_exact_minimum() -> None:
    assert Latency.of([1_000_001, 2_000_000]).percentile_ns(0) == 1_000_001


@pytest.mark.parametrize("percent", [50, 99, 100])
def test_a_value_longer_than_the_histogram_counts_at_its_border(percent: float) -> None:
    latency = Latency.of([2 * hdr.HIGHEST_NS])

    assert latency.max_ns == 2 * hdr.HIGHEST_NS
    assert latency.percentile_ns(percent) == hdr.highest_value_of(hdr.index_of(hdr.HIGHEST_NS))
