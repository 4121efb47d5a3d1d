"""How large objects are moved: in several requests, some of them at the same time."""

from __future__ import annotations

from pydantic import Field

from pytest_sai3bench.suite.scalars import Count, PositiveCount, PositiveDuration, PositiveSize, Size
from pytest_sai3bench.suite.section import Section
from pytest_sai3bench.suite.sizes import MEBIBYTE


class Range(Section):
    """Read objects that are larger than ``size`` in ranges; each object stays one operation."""

    size: PositiveSize = Field(description="the size of a range, such as 8MiB")
    parallel: PositiveCount = Field(
        default=4,
        description=(
            "how many ranges of an object are in flight at most. "
            "They share the lanes of `concurrency`: there are never more requests in flight than that."
        ),
    )


class RangeEngine(Section):
    """How gets without a `range` of their own read large objects."""

    enabled: bool = Field(
        default=False, description="true or false. Without it the block has no effect, as in sai3-bench."
    )
    chunk_size: PositiveSize = Field(default=64 * MEBIBYTE, description="the size of a range, such as 64MiB")
    max_concurrent_ranges: PositiveCount = Field(
        default=16, description="how many ranges of an object are in flight at most. They share the lanes."
    )
    min_split_size: Size = Field(
        default=16 * MEBIBYTE,
        description=(
            "the smallest object that is read in ranges, such as 16MiB. "
            "If it is larger than `chunk_size`, and an object's size is not known, the first range is as large."
        ),
    )
    range_timeout_secs: PositiveDuration = Field(
        default=30.0, description="the time limit of a range, such as 30s. A bare number is seconds."
    )


class S3dlioOptimization(Section):
    """Ranged reads in the words of s3dlio; numbers are MiB. Where `range_engine` is enabled, that counts."""

    enable_range_downloads: bool = Field(
        default=False,
        description="true or false. Whether gets without a `range` read large objects in parts.",
    )
    range_threshold_mb: Count = Field(
        default=64, description="the smallest object that is read in ranges, in MiB"
    )
    range_concurrency: PositiveCount = Field(
        default=16,
        description=(
            "how many ranges of an object are in flight at most. They share the lanes. "
            "sai3-bench leaves the default to s3dlio."
        ),
    )
    chunk_size_mb: PositiveCount = Field(
        default=64, description="the size of a range in MiB. sai3-bench leaves the default to s3dlio."
    )

    def as_range_engine(self) -> RangeEngine:
        """Return the block that asks for the same."""
        return RangeEngine(
            enabled=self.enable_range_downloads,
            chunk_size=self.chunk_size_mb * MEBIBYTE,
            max_concurrent_ranges=self.range_concurrency,
            min_split_size=self.range_threshold_mb * MEBIBYTE,
        )


class Multipart(Section):
    """Write objects of at least ``threshold`` bytes in parts (multipart upload); each object stays one operation."""

    threshold: PositiveSize = Field(
        default=16 * MEBIBYTE, description="the smallest object that is written in parts, such as 16MiB"
    )
    part_size: PositiveSize = Field(
        default=8 * MEBIBYTE,
        description=(
            "the size of a part, such as 8MiB. "
            "The last one of an object may be smaller. S3 takes parts of 5 MiB to 5 GiB, and 10,000 of an object."
        ),
    )
    parallel: PositiveCount = Field(
        default=4,
        description=(
            "how many parts of an object are in flight at most. "
            "They share the lanes of `concurrency`: there are never more requests in flight than that."
        ),
    )
