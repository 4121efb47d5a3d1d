from __future__ import annotations

import base64

from hdrh.histogram import HdrHistogram
from hypothesis import given, settings
from hypothesis import strategies as st

from pytest_sai3bench.agent import hdr
from pytest_sai3bench.results.interchange import decode, encode, to_histogram
from pytest_sai3bench.results.latency import Latency

samples_ns = st.lists(st.integers(min_value=0, max_value=hdr.HIGHEST_NS), max_size=40)


def fed_one_by_one(samples: list[int]) -> HdrHistogram:
    histogram = HdrHistogram(hdr.LOWEST_NS, hdr.HIGHEST_NS, hdr.SIGNIFICANT_DIGITS)
    for sample in samples:
        assert histogram.record_value(sample)
    return histogram


@settings(deadline=None)
@given(samples_ns)
def test_bulk_filling_equals_recording_every_value(samples: list[int]) -> None:
    ours, theirs = to_histogram(Latency.of(samples)), fed_one_by_one(samples)

    assert ours.counts[:] == theirs.counts[:]
    assert (ours.total_count, ours.min_value, ours.max_value) == (
        theirs.total_count,
        theirs.min_value,
        theirs.max_value,
    )
    assert ours.encode() == theirs.encode()


@settings(deadline=None)
@given(samples_ns)
def test_encoded_text_brings_the_same_latency_back(samples: list[int]) -> None:
    latency = Latency.of(samples)

    restored = decode(encode(latency), sum_ns=latency.sum_ns, min_ns=latency.min_ns, max_ns=latency.max_ns)

    assert restored == latency


@settings(deadline=None)
@given(samples_ns, samples_ns)
def test_adding_up_equals_the_addition_of_hdrhistogram(first: list[int], second: list[int]) -> None:
    theirs = fed_one_by_one(first)
    theirs.add(fed_one_by_one(second))

    ours = to_histogram(Latency.of(first) + Latency.of(second))

    assert ours.counts[:] == theirs.counts[:]
    assert ours.total_count == theirs.total_count


def test_the_text_is_the_compressed_second_version() -> None:
    header = base64.b64decode(encode(Latency.of([1_000_000])))[:4]

    assert header == (0x1C849304 | 0x10).to_bytes(4, "big")


def test_values_above_the_range_keep_the_histogram_usable() -> None:
    histogram = to_histogram(Latency.of([2 * hdr.HIGHEST_NS]))

    assert histogram.max_value == hdr.HIGHEST_NS
    assert histogram.encode() == fed_one_by_one([hdr.HIGHEST_NS]).encode()
