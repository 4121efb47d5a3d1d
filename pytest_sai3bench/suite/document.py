"""A suite as a whole."""

from __future__ import annotations

from pydantic import AliasChoices, Field

from pytest_sai3bench.suite.distributed import Distributed
from pytest_sai3bench.suite.embedded_server import EmbeddedServer
from pytest_sai3bench.suite.endpoints import Dataset, EndpointList, MultiEndpoint
from pytest_sai3bench.suite.error_handling import ErrorHandling
from pytest_sai3bench.suite.io_rate import IoRate
from pytest_sai3bench.suite.large import Multipart, RangeEngine, S3dlioOptimization
from pytest_sai3bench.suite.matrix import Matrix
from pytest_sai3bench.suite.op_log import OpLog
from pytest_sai3bench.suite.operations import Get, Operation, Put
from pytest_sai3bench.suite.perf_log import PerfLog
from pytest_sai3bench.suite.places import SPELLINGS
from pytest_sai3bench.suite.preparation import Preparation
from pytest_sai3bench.suite.scalars import (
    Addressing,
    Base,
    Count,
    Duration,
    EngineName,
    FixtureName,
    Marker,
    Name,
    Namespace,
    PageCacheMode,
    PositiveCount,
    PositiveDuration,
    Processes,
    ProcessingMode,
    ReadSink,
    Strategy,
    Text,
)
from pytest_sai3bench.suite.section import Section
from pytest_sai3bench.suite.stages import PlacedStage, Stage, arrange
from pytest_sai3bench.suite.thresholds import Rule
from pytest_sai3bench.suite.tls import Tls


class Suite(Section):
    """The content of a suite file; durations are seconds, sizes bytes.

    No key is required here, so that what is right in a file can be read, and judged, beside what is wrong. That a
    workload is there is checked in `rules`.
    """

    name: Name = Field(
        default="workload",
        description=(
            "the name of the workload in the ids of tests. "
            "Letters, digits and `_.=-`. sai3-bench has no such key."
        ),
    )
    target: Base | None = Field(
        default=None,
        description=(
            "the URI of a folder or bucket. "
            "Where the objects are, unless endpoints are given; else only the base of relative paths, and may be relative."
        ),
    )
    duration: PositiveDuration = Field(
        default=60.0, description="a duration such as 60s. The measured time; the warm-up comes before it."
    )
    warmup: Duration = Field(
        default=0.0,
        validation_alias=AliasChoices(*SPELLINGS["warmup"]),
        description=(
            "the time before the measurement, such as 5s. "
            "Load runs, but is measured apart. In sai3-bench `warmup_period` has no effect."
        ),
    )
    concurrency: PositiveCount = Field(
        default=16,
        description=(
            "operations at one time on each agent. "
            "The lanes of the closed loop, and with `io_rate` the most in flight; prepare and cleanup have as many."
        ),
    )
    processes: Processes = Field(
        default=1,
        description=(
            "the number of worker processes of each agent, single (one) or auto. "
            "They share its `concurrency` and its objects. `auto` is one for each physical core of the host. "
            "In sai3-bench there are no endpoint statistics with more than one."
        ),
    )
    processing_mode: ProcessingMode = Field(
        default="multi_runtime",
        description=(
            "multi_runtime or multi_process. "
            "Here both are processes. In sai3-bench the first are threads with a runtime of their own."
        ),
    )
    page_cache_mode: PageCacheMode | None = Field(
        default=None,
        description=(
            "auto, sequential, random, dontneed or normal. "
            "The hint to the system with every read of a `file://` endpoint. `dontneed` drops the file from the page "
            "cache before and after it is read; `auto` is sequential; `normal` is none, as is the default. "
            "In sai3-bench it has no effect beside `multi_endpoint`."
        ),
    )
    read_sink: ReadSink = Field(
        default="auto",
        description=(
            "auto, copy or discard. "
            "What becomes of the bodies of gets over HTTP: `discard` drops them in the kernel, `copy` reads them into one "
            "buffer. `auto` drops what nothing looks at. sai3-bench has no such key."
        ),
    )
    range_engine: RangeEngine | None = Field(
        default=None,
        description=(
            "how gets read large objects in parts, unless they say so themselves. "
            "Has no effect on files. In sai3-bench it has an effect on Google Cloud Storage only."
        ),
    )
    s3dlio_optimization: S3dlioOptimization | None = Field(
        default=None,
        description="how gets read large objects in parts, as s3dlio calls it. Has no effect on files.",
    )
    multipart: Multipart | None = Field(
        default=None,
        description=(
            "how puts, and prepare, write large objects in parts. Has no effect on files. "
            "sai3-bench has no such key."
        ),
    )
    engine: EngineName = Field(
        default="default",
        description=(
            "default or boto3. "
            "What makes the load on `s3://`. `boto3` is slow: a reference to check the default engine against. The "
            "agent's host then needs boto3. sai3-bench has no such key."
        ),
    )
    io_rate: IoRate | None = Field(
        default=None,
        description=(
            "how many operations begin per second. "
            "Without it each lane begins its next operation when the last one has ended."
        ),
    )
    dynamic_put_pool: bool = Field(
        default=False,
        description=(
            "true or false. "
            "Gets and stats choose among the objects that puts of the run have written, too, as far as their patterns "
            "match; each worker process among its own. In sai3-bench patterns with `*` match none of these."
        ),
    )
    multi_endpoint: MultiEndpoint | None = Field(
        default=None,
        description=(
            "the endpoints of all agents. An agent's own `multi_endpoint` wins, key by key, as does its `target_override`."
        ),
    )
    endpoint_uris: EndpointList = Field(
        default=(),
        description=(
            "a list of URIs. The `endpoints` for all agents, as dl-driver writes them; `multi_endpoint` wins as a whole."
        ),
    )
    load_balance_strategy: Strategy | None = Field(
        default=None, description="a strategy. The `strategy` for all agents, beside `endpoint_uris`."
    )
    dataset: Dataset | None = Field(
        default=None,
        description="endpoints as dl-driver writes them. The same keys at the top win.",
    )
    distributed: Distributed | None = Field(
        default=None,
        description=(
            "the load hosts. "
            "Without it one agent called `local` runs on this host. sai3-bench requires more keys here."
        ),
    )
    stages: tuple[Stage, ...] = Field(
        default=(),
        description=(
            "a list of stages. What the run does, in place of prepare, workload and cleanup: as `distributed.stages`, "
            "also for a run on this host. sai3-bench has no such key here."
        ),
    )
    workload: tuple[Operation, ...] = Field(
        default=(),
        description=(
            "a list of operations. "
            "Required, with a weight above 0 somewhere. They are drawn at random by weight."
        ),
    )
    prepare: Preparation = Field(
        default=Preparation(),
        description="the objects that must exist before. And what becomes of what the run made.",
    )
    verify: bool = Field(
        default=False,
        description=(
            "true or false. "
            "Compare what gets return with what prepare wrote, byte by byte. Their paths may match nothing else. "
            "sai3-bench has no such key."
        ),
    )
    thresholds: tuple[Rule, ...] = Field(
        default=(),
        description="a list of rules such as get.p99 < 20 ms. Each is one test. sai3-bench has no such key.",
    )
    embedded_server: EmbeddedServer | None = Field(
        default=None,
        description="a throwaway server. For trying out and for tests. sai3-bench has no such key.",
    )
    namespace: Namespace = Field(
        default="shared",
        description=(
            "shared, independent or replicated. "
            "What the endpoints show: all the same objects; each its own, so that an object is on one endpoint; or each "
            "its own copy of every object. sai3-bench has no such key."
        ),
    )
    addressing: Addressing = Field(
        default="auto",
        description=(
            "auto, path or virtual. "
            "Where S3 requests name the bucket: in the path, or in the name of the host (`bucket.host`). "
            "`auto` is `path`, and `virtual` for AWS. sai3-bench has no such key."
        ),
    )
    tls: Tls | None = Field(
        default=None,
        description=(
            "certificates for `s3+https://` endpoints. "
            "Without it the system's authorities are trusted. sai3-bench has no such key."
        ),
    )
    op_log: OpLog | None = Field(
        default=None, description="the log of every operation. sai3-bench has no such key."
    )
    op_log_path: Text | None = Field(
        default=None,
        description=(
            "any path. Asks for the log of every operation, as `op_log: {}` does. "
            "It is in the results: nothing is written to that path, on no host."
        ),
    )
    perf_log: PerfLog = Field(default=PerfLog(), description="the time series of the run")
    fixtures: tuple[FixtureName, ...] = Field(
        default=(),
        description=(
            "a list of pytest fixtures. "
            "They are set up before the run, and removed after its cleanup. Their values stand where "
            "`${fixture.NAME}` or `${fixture.NAME.attribute}` does. sai3-bench has no such key."
        ),
    )
    markers: tuple[Marker, ...] = Field(
        default=(),
        description="a list of pytest markers. Set on every test of the suite, for `-m`. sai3-bench has no such key.",
    )
    skip: Text | None = Field(
        default=None,
        description="the reason. No test of the suite runs, and this is why. sai3-bench has no such key.",
    )
    xfail: Text | None = Field(
        default=None,
        description=(
            "the reason. "
            "The run is expected to fail, and this is why; its thresholds may, too. sai3-bench has no such key."
        ),
    )
    error_handling: ErrorHandling = Field(
        default=ErrorHandling(), description="what happens when operations fail. Applies to every phase."
    )
    matrix: Matrix = Field(
        default={},
        description=(
            "names, each with a list of values. "
            "One run for each combination. A value goes where `${matrix.NAME}` stands, to the key of the top level "
            "that has the name, and to all such keys in entries of `workload` and `prepare.ensure_objects`. "
            "sai3-bench has no such key."
        ),
    )
    seed: Count = Field(
        default=0,
        description=(
            "a whole number from which all random choices follow. "
            "Order of operations, choice of objects, sizes and data; not the names of new objects. sai3-bench has no such key."
        ),
    )

    @property
    def ranges_of_gets(self) -> RangeEngine | None:
        """How gets without a ``range`` of their own read large objects; None for whole."""
        if self.range_engine and self.range_engine.enabled:
            return self.range_engine
        engine = self.s3dlio_optimization and self.s3dlio_optimization.as_range_engine()
        return engine if engine and engine.enabled else None

    @property
    def sequence(self) -> tuple[PlacedStage, ...]:
        """The stages in their order, none where the suite leaves them to its parts."""
        if self.distributed and self.distributed.stages:
            return arrange(self.distributed.stages, ("distributed", "stages"), self.distributed.barrier_sync)
        return arrange(self.stages, ("stages",), self.distributed.barrier_sync if self.distributed else None)

    @property
    def workloads(self) -> tuple[str, ...]:
        """The names of the stages that run the workload; none where the suite has no stages."""
        return tuple(
            each.stage.name for each in self.sequence if each.stage.settings.type in ("execute", "hybrid")
        )

    def verifies(self, operation: Get) -> bool:
        """Tell whether the contents of a get are verified."""
        return self.verify if operation.verify is None else operation.verify

    def multipart_of(self, operation: Operation) -> Multipart | None:
        """Return how an operation writes large objects; None for whole, and for all that does not write."""
        return operation.multipart or self.multipart if isinstance(operation, Put) else None
