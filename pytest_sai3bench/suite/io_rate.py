"""How fast operations begin."""

from __future__ import annotations

from pydantic import Field

from pytest_sai3bench.suite.scalars import Distribution, Iops
from pytest_sai3bench.suite.section import Section


class IoRate(Section):
    """The rate of the workload, an open loop: when an operation begins does not depend on how long others take."""

    iops: Iops = Field(
        description=(
            "operations per second, or max for no limit. "
            "The total of all agents and processes, in the warm-up too; in sai3-bench each of them does as many."
        )
    )
    distribution: Distribution = Field(
        default="exponential",
        description=(
            "exponential, uniform or deterministic. "
            "`deterministic`: at equal distances. `uniform`: once in each of such intervals, anywhere in it. "
            "`exponential`: a Poisson process, as of many users who know nothing of each other."
        ),
    )
