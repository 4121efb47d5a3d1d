"""A suite as a whole."""

from __future__ import annotations

from pydantic import AliasChoices, Field

from pytest_sai3bench.suite.distributed import Distributed
from pytest_sai3bench.suite.embedded_server import EmbeddedServer
from pytest_sai3bench.suite.endpoints import MultiEndpoint
from pytest_sai3bench.suite.error_handling import ErrorHandling
from pytest_sai3bench.suite.operations import Operation
from pytest_sai3bench.suite.places import SPELLINGS
from pytest_sai3bench.suite.preparation import Preparation
from pytest_sai3bench.suite.scalars import (
    Count,
    Duration,
    Marker,
    Name,
    PositiveCount,
    PositiveDuration,
    Uri,
)
from pytest_sai3bench.suite.section import Section
from pytest_sai3bench.suite.thresholds import Rule


class Suite(Section):
    """The content of a suite file; durations are seconds, sizes bytes.

    No key is required here, so that what is right in a file can be read, and judged, beside what is wrong. That a
    workload is there is checked in `rules`.
    """

    name: Name = Field(default="workload", description="the name of the workload in the ids of tests")
    target: Uri | None = Field(default=None, description="the URI of a folder or bucket")
    duration: PositiveDuration = Field(default=60.0, description="a duration such as 60s")
    warmup: Duration = Field(
        default=0.0,
        validation_alias=AliasChoices(*SPELLINGS["warmup"]),
        description="the time before the measurement, such as 5s",
    )
    concurrency: PositiveCount = Field(default=16, description="operations at one time on each agent")
    multi_endpoint: MultiEndpoint | None = Field(default=None, description="the endpoints of all agents")
    distributed: Distributed | None = Field(default=None, description="the load hosts")
    workload: tuple[Operation, ...] = Field(default=(), description="a list of operations")
    prepare: Preparation = Field(default=Preparation(), description="the objects that must exist before")
    thresholds: tuple[Rule, ...] = Field(default=(), description="a list of rules such as get.p99 < 20 ms")
    embedded_server: EmbeddedServer | None = Field(default=None, description="a throwaway server")
    markers: tuple[Marker, ...] = Field(default=(), description="a list of pytest markers")
    error_handling: ErrorHandling = Field(
        default=ErrorHandling(), description="what happens when operations fail"
    )
    seed: Count = Field(default=0, description="a whole number from which all random choices follow")
