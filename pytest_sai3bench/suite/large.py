"""How large objects are moved: in several requests, some of them at the same time."""

from __future__ import annotations

from pydantic import Field

from pytest_sai3bench.suite.scalars import PositiveCount, PositiveSize
from pytest_sai3bench.suite.section import Section


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
