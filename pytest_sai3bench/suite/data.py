"""What the data of objects are like: how much of them storage can save."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from pytest_sai3bench.suite.scalars import Count, FillWord

Fill = Annotated[
    FillWord,
    Field(
        description=(
            "zero or random. "
            "What the data are; zeros make the two factors meaningless. `prand` means random. "
            "In sai3-bench it has no effect on puts."
        )
    ),
]
DedupFactor = Annotated[
    Count,
    Field(
        description=(
            "a whole number n. "
            "Of the blocks of 4 KiB of each object, one of n is new, and appears n times. 0 means 1. "
            "In sai3-bench blocks are larger, and smaller objects have no duplicates."
        )
    ),
]
CompressFactor = Annotated[
    Count,
    Field(
        le=256,
        description=(
            "a whole number n up to 256. "
            "Of each block of 4 KiB the first one of n parts is random, the rest zero bytes. 0 means 1."
        ),
    ),
]
