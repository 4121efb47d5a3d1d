"""The nine size buckets of sai3-bench's result tables."""

from __future__ import annotations

from bisect import bisect_left

LABELS = (
    "zero",
    "1B-8KiB",
    "8KiB-64KiB",
    "64KiB-512KiB",
    "512KiB-4MiB",
    "4MiB-32MiB",
    "32MiB-256MiB",
    "256MiB-2GiB",
    ">2GiB",
)
# Largest size in bytes that still belongs to bucket 0, 1, … 7.
UPPER_BYTES = (0, 8192, 65536, 524288, 4194304, 33554432, 268435456, 2147483648)


def bucket_of(size_bytes: int) -> int:
    """Index of the bucket for an object of ``size_bytes``."""
    return bisect_left(UPPER_BYTES, size_bytes)
