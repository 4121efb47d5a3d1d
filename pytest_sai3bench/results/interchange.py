"""Latencies in the interchange format of HdrHistogram: V2, compressed, base64."""

from __future__ import annotations

from typing import Any

from hdrh.histogram import HdrHistogram

from pytest_sai3bench.agent import hdr
from pytest_sai3bench.results.latency import Latency


def to_histogram(latency: Latency) -> Any:
    """Return an ``hdrh`` histogram in nanoseconds that equals one fed with every sample.

    Counts are set in bulk: ``record_value`` costs 0.8 µs and silently drops what is out of range. The attributes used
    are the ones with which hdrh itself fills a decoded histogram.
    """
    histogram = HdrHistogram(hdr.LOWEST_NS, hdr.HIGHEST_NS, hdr.SIGNIFICANT_DIGITS)
    for index, count in latency.counts.items():
        histogram.counts[index] = count
    if latency.counts:
        histogram.set_internal_tacking_values(min(latency.counts), max(latency.counts), latency.count)
        histogram.min_value = latency.min_ns
        histogram.max_value = min(latency.max_ns, hdr.HIGHEST_NS)
    return histogram


def encode(latency: Latency) -> str:
    """Return the counts of ``latency`` as text that every HdrHistogram implementation decodes."""
    return str(to_histogram(latency).encode().decode("ascii"))


def decode(text: str, *, sum_ns: int, min_ns: int, max_ns: int) -> Latency:
    """Return the latency whose counts are ``text``; the exact sum, minimum and maximum travel beside it."""
    histogram = HdrHistogram.decode(text)
    counts = {index: count for index, count in enumerate(histogram.counts[:]) if count}
    return Latency(counts, sum_ns, min_ns, max_ns)
