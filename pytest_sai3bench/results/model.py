"""What a run measured: frozen values that add up. Rates and percentiles are computed from them, never stored."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING, Literal

from pytest_sai3bench.results.latency import Latency

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from pytest_sai3bench.results.contacts import Contact
    from pytest_sai3bench.results.outages import Outage

RunStatus = Literal["completed", "failed", "interrupted", "aborted"]


@dataclass(frozen=True, order=True)
class SeriesKey:
    """Identity of a tally: agent id, endpoint URI, operation, size bucket (see `pytest_sai3bench.agent.buckets`).

    ``role`` is empty for operations of one request each. Those of several are there twice: as ``whole``, at the endpoint
    of their first request, and as each ``part``, at the endpoint that served it. To add both up would count them twice.
    """

    agent: str
    endpoint: str
    op: str
    bucket: int
    role: str = ""


@dataclass(frozen=True)
class Tally:
    """Operations and bytes of one series, or a sum of series.

    ``ops`` and ``bytes`` completed inside the window and make the rates. ``tail_ops`` and ``tail_bytes`` began inside
    the window and completed after it. ``latency`` holds both, so that an operation that hung at the end is not
    forgotten. ``response`` has the same operations, from the instants at which they were due; it is empty without a
    rate. ``ttfb`` has the times to first byte of those that are gets over HTTP. ``errors`` counts failed attempts; they
    add neither bytes nor latency.
    """

    ops: int = 0
    bytes: int = 0
    tail_ops: int = 0
    tail_bytes: int = 0
    errors: int = 0
    latency: Latency = field(default_factory=Latency)
    response: Latency = field(default_factory=Latency)
    ttfb: Latency = field(default_factory=Latency)

    def __add__(self, other: Tally) -> Tally:
        return total((self, other))

    @property
    def requests(self) -> int:
        """Everything that was asked of the storage: completed, in the tail, and failed."""
        return self.ops + self.tail_ops + self.errors

    @property
    def error_rate(self) -> float:
        """Failed attempts per request, 0 … 1; 0 without requests."""
        return self.errors / self.requests if self.requests else 0.0


def total(tallies: Iterable[Tally]) -> Tally:
    """Return the sum of ``tallies``."""
    parts = list(tallies)
    return Tally(
        ops=sum(part.ops for part in parts),
        bytes=sum(part.bytes for part in parts),
        tail_ops=sum(part.tail_ops for part in parts),
        tail_bytes=sum(part.tail_bytes for part in parts),
        errors=sum(part.errors for part in parts),
        latency=Latency.total(part.latency for part in parts),
        response=Latency.total(part.response for part in parts),
        ttfb=Latency.total(part.ttfb for part in parts),
    )


def total_by_key(items: Iterable[tuple[SeriesKey, Tally]]) -> dict[SeriesKey, Tally]:
    """Return the sum of the tallies of every key, in the order of the keys."""
    groups: dict[SeriesKey, list[Tally]] = {}
    for key, tally in items:
        groups.setdefault(key, []).append(tally)
    return {key: total(groups[key]) for key in sorted(groups)}


@dataclass(frozen=True)
class ErrorSample:
    """Failed attempts of one kind, with the text of the first.

    ``section`` is ``warmup``, ``measured`` or ``tail``; those of ``warmup`` are in no measured tally.
    """

    agent: str
    endpoint: str
    op: str
    kind: str
    count: int
    message: str
    section: str = "measured"


@dataclass(frozen=True)
class AgentReport:
    """How one agent (all its workers) went through a phase.

    ``start_skew_s``: begin of load minus the ordered instant, corrected for ``clock_offset_s`` (agent's clock minus the
    controller's, known to ± ``clock_error_s``). ``window_s`` is the measured window, ``wall_s`` begin to last completion.
    ``cpu_s`` is user and system time of its ``workers`` processes, ``worker_cpu`` the share of a core that each of them
    used in the window. A process can keep ``cpu_cores`` cores busy: one, or with threads all of the host, which they then share.
    ``lanes`` is their concurrency, ``endpoints`` are the URIs that it drives, ``contacts`` say how it reached them.
    ``outcome`` is one of `pytest_sai3bench.agent.messages.ResultWire`, or ``lost`` when the agent fell silent. ``engine``
    is ``default`` or ``boto3``, the reference.

    ``longest_pause_s`` is the longest time for which a worker did not come round to look after itself; it means to do
    so every 50 ms. Under a rate, ``due_starts`` operations were due in the window; of these ``late_starts`` had to wait for a lane, and
    ``missed_starts`` were never begun. ``start_lag_s`` is the longest time after its instant at which one began,
    ``start_lag_p99_s`` the 99th percentile of those for which a lane was waiting. Without a rate all are 0.
    """

    agent: str
    host: str
    python: str
    outcome: str
    reason: str
    lanes: int
    window_s: float
    wall_s: float
    start_skew_s: float
    clock_offset_s: float
    clock_error_s: float
    cpu_s: float
    max_rss_bytes: int
    retries: int
    read_sink: str
    notes: tuple[str, ...] = ()
    workers: int = 1
    cpu_cores: int = 1
    worker_cpu: tuple[float, ...] = ()
    due_starts: int = 0
    late_starts: int = 0
    missed_starts: int = 0
    start_lag_s: float = 0.0
    start_lag_p99_s: float = 0.0
    longest_pause_s: float = 0.0
    endpoints: tuple[str, ...] = ()
    engine: str = "default"
    contacts: tuple[Contact, ...] = ()

    @property
    def cpu_load(self) -> float:
        """How busy its processes were, 0 … 1 of what they can use: the busiest, or all together with threads."""
        if self.cpu_cores > 1:
            return self.cpu_share * self.workers / self.cpu_cores
        return max(self.worker_cpu, default=self.cpu_share)

    @property
    def cpu_share(self) -> float:
        """CPU time per second and worker process: 1 is a whole core; 0 before anything ran."""
        busy_s = self.wall_s * self.workers
        return self.cpu_s / busy_s if busy_s else 0.0


@dataclass(frozen=True)
class TickSum:
    """What workers reported second by second, added up; ``differing`` names the series for which it is not the result.

    Operations and bytes are those of all sections: warm-up, window and tail.
    """

    ops: int = 0
    bytes: int = 0
    errors: int = 0
    differing: tuple[str, ...] = ()


@dataclass(frozen=True)
class PhaseResult:
    """One phase (``prepare``, ``workload``, ``cleanup``, or a stage of the suite's own) of a run, all agents together.

    ``endpoints`` lists every planned endpoint, idle ones included. ``warmup`` is what completed before the window.
    Where the suite has stages, ``phase`` is the name of one, ``kind`` says what it does (see `plan.work.StageKind`), and
    ``position`` counts them from 1; else ``kind`` is empty, and ``position`` 0.
    """

    phase: str
    endpoints: tuple[str, ...]
    agents: tuple[AgentReport, ...]
    series: Mapping[SeriesKey, Tally]
    warmup: Mapping[SeriesKey, Tally] = field(default_factory=dict)
    errors: tuple[ErrorSample, ...] = ()
    ticked: TickSum = field(default_factory=TickSum)
    outages: tuple[Outage, ...] = ()
    kind: str = ""
    position: int = 0

    @property
    def does(self) -> str:
        """What happened in the phase, whatever it is called: one of `plan.work.StageKind`."""
        return self.kind or self.phase

    @property
    def window_s(self) -> float:
        """Length of the measured window in seconds: the longest of the agents' windows."""
        return max((agent.window_s for agent in self.agents), default=0.0)

    @cached_property
    def agent_names(self) -> tuple[str, ...]:
        """The ids of its agents."""
        return tuple(report.agent for report in self.agents)

    def tally(
        self,
        *,
        ops: Iterable[str] | None = None,
        endpoint: str | None = None,
        agent: str | None = None,
        bucket: int | None = None,
        requests: bool | None = None,
    ) -> Tally:
        """Return the sum of all series that match every criterion given.

        Operations are counted, or with ``requests`` what was asked of endpoints: each request of an operation that took
        several. By default ``requests`` are counted when an ``endpoint`` is given.
        """
        wanted = None if ops is None else frozenset(ops)
        other = "whole" if requests or (requests is None and endpoint is not None) else "part"
        criteria = (wanted, endpoint, agent, bucket, other)
        known = self._sums.get(criteria)
        if known is None:
            # All rules and reports on endpoints ask for the same sums, and each is one of many series.
            series = self.series.items() if endpoint is None else self._by_endpoint.get(endpoint, ())
            known = self._sums[criteria] = total(
                tally
                for key, tally in series
                if key.role != other
                and (wanted is None or key.op in wanted)
                and (agent is None or key.agent == agent)
                and (bucket is None or key.bucket == bucket)
            )
        return known

    @cached_property
    def _sums(self) -> dict[tuple[object, ...], Tally]:
        """Sums that were asked for."""
        return {}

    @cached_property
    def _by_endpoint(self) -> dict[str, list[tuple[SeriesKey, Tally]]]:
        groups: dict[str, list[tuple[SeriesKey, Tally]]] = {}
        for key, tally in self.series.items():
            groups.setdefault(key.endpoint, []).append((key, tally))
            # All addresses of a name together: a URI holds no blank, see `fleet.addresses`.
            name, blank, _ = key.endpoint.partition(" ")
            if blank:
                groups.setdefault(name, []).append((key, tally))
        return groups

    def of_agent(self, agent: str) -> PhaseResult:
        """Return what one agent did. The list of ``endpoints`` stays that of the whole, and so do their numbers."""
        return replace(
            self,
            agents=tuple(report for report in self.agents if report.agent == agent),
            series={key: tally for key, tally in self.series.items() if key.agent == agent},
            warmup={key: tally for key, tally in self.warmup.items() if key.agent == agent},
            errors=tuple(error for error in self.errors if error.agent == agent),
            outages=tuple(outage for outage in self.outages if outage.agent == agent),
            # It was summed up for all together.
            ticked=TickSum(),
        )

    def ops_per_s(self, tally: Tally) -> float:
        """Completed operations per second of the window; 0 for an empty window."""
        return tally.ops / self.window_s if self.window_s else 0.0

    def bytes_per_s(self, tally: Tally) -> float:
        """Completed bytes per second of the window; 0 for an empty window."""
        return tally.bytes / self.window_s if self.window_s else 0.0

    @property
    def imbalance(self) -> float:
        """(max - min) / mean of requests per planned endpoint, 0 … n; 0 without requests."""
        requests = [self.tally(endpoint=uri).requests for uri in self.endpoints]
        mean = sum(requests) / len(requests) if requests else 0.0
        return (max(requests) - min(requests)) / mean if mean else 0.0


@dataclass(frozen=True)
class Check:
    """One self-check of a result: ``value`` is what was found, ``expected`` what it should be, both as text.

    ``phase`` names the phase where a run has several with the workload.
    """

    name: str
    passed: bool
    value: str
    expected: str
    phase: str = ""

    @property
    def title(self) -> str:
        """The name, and the phase if there are several."""
        return f"{self.name} of {self.phase}" if self.phase else self.name


@dataclass(frozen=True)
class RunResult:
    """One run of one workload: its phases as far as they came, and how it ended.

    ``reason`` is empty for ``completed``; a run is ``aborted`` by a threshold that asks for it. ``started_at`` is seconds since the epoch on the controller.
    """

    suite: str
    name: str
    run_id: str
    status: RunStatus
    reason: str
    started_at: float
    phases: tuple[PhaseResult, ...]
    checks: tuple[Check, ...] = ()
    notes: tuple[str, ...] = ()

    def phase(self, name: str) -> PhaseResult | None:
        """Return the phase called ``name``, or None when the run did not get there or had none."""
        return next((phase for phase in self.phases if phase.phase == name), None)

    def of_stage(self, name: str) -> RunResult:
        """Return the run as if the stage ``name`` were all of its load."""
        return replace(
            self,
            phases=tuple(phase for phase in self.phases if phase.does != "workload" or phase.phase == name),
            checks=tuple(check for check in self.checks if check.phase == name),
        )

    @property
    def workloads(self) -> tuple[PhaseResult, ...]:
        """The phases with the workload, as far as the run got: one, but for suites with stages."""
        return tuple(phase for phase in self.phases if phase.does == "workload")

    @property
    def workload(self) -> PhaseResult | None:
        """The last phase with the workload, or None when the run did not get there."""
        return next(iter(self.workloads[::-1]), None)
