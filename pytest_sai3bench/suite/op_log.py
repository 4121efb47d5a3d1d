"""A log of every operation."""

from __future__ import annotations

from pydantic import Field

from pytest_sai3bench.suite.scalars import PositiveSize
from pytest_sai3bench.suite.section import Section


class OpLog(Section):
    """The log of every operation, `op_log.tsv.gz` in the results; see there what it costs."""

    enabled: bool = Field(
        default=True, description="true or false. Without this block, or `op_log_path`, there is no log."
    )
    max_size: PositiveSize = Field(
        default=1 << 30,
        description=(
            "a size such as 500MiB. "
            "What the logs of all agents may take together, compressed; the rest is left out, and counted."
        ),
    )
