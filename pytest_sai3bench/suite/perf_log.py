"""What is written down while a run goes on."""

from __future__ import annotations

from pydantic import AliasChoices, Field

from pytest_sai3bench.suite.places import SPELLINGS
from pytest_sai3bench.suite.scalars import Interval
from pytest_sai3bench.suite.section import Section


class PerfLog(Section):
    """The time series of a run, `perf_log.tsv`: a line for each interval, written as soon as it is over."""

    enabled: bool = Field(
        default=True,
        description="true or false. Without the block the log is written, too. In sai3-bench the key has no effect.",
    )
    interval: Interval = Field(
        default=1.0,
        validation_alias=AliasChoices(*SPELLINGS["interval"]),
        description=(
            "a duration of 100ms or more. "
            "The time that a line covers. In sai3-bench `interval_seconds` has no effect, nor has this with agents."
        ),
    )
