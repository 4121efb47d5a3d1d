"""Bucket geometry of HdrHistogram: lowest 1 ns, highest 1 h, three significant digits.

The same formula as HdrHistogram's ``counts_index_for`` with unit magnitude 0 and 2,048 sub-buckets
(http://hdrhistogram.github.io/HdrHistogram/), so that counts kept by index here are exact HdrHistogram counts.
Every value below 2,048 ns has a bucket of its own; above, a bucket is at most 1/1024 of its value wide.
"""

from __future__ import annotations

LOWEST_NS = 1
HIGHEST_NS = 3_600_000_000_000
SIGNIFICANT_DIGITS = 3

_SUB_BUCKET_BITS = 11
_HALF_BITS = 10


def index_of(ns: int) -> int:
    """Index of the bucket that counts a latency of ``ns`` nanoseconds; values out of range count at the border."""
    if ns < 2048:
        return ns if ns > 0 else 0
    if ns > HIGHEST_NS:
        ns = HIGHEST_NS
    shift = ns.bit_length() - _SUB_BUCKET_BITS
    return (shift << _HALF_BITS) + (ns >> shift)


def highest_value_of(index: int) -> int:
    """Largest number of nanoseconds that counts in bucket ``index``: what a percentile reports."""
    if index < 2048:
        return index
    shift = (index >> _HALF_BITS) - 1
    return ((index - (shift << _HALF_BITS) + 1) << shift) - 1
