"""The parts of a phase that reports show as rows: by operation and size, by operation, by endpoint, by agent."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from pytest_sai3bench.agent.buckets import LABELS
from pytest_sai3bench.agent.messages import META_OPERATIONS, OPERATIONS

if TYPE_CHECKING:
    from collections.abc import Collection

    from pytest_sai3bench.results.contacts import Contact
    from pytest_sai3bench.results.model import AgentReport, PhaseResult, Tally

# Labels of sai3-bench with their operations and the index of their ALL row, which puts META before GET before PUT.
_GROUPS = (("GET", ("get",), 98), ("PUT", ("put",), 99), ("META", META_OPERATIONS, 97))


@dataclass(frozen=True, kw_only=True)
class Part:
    """Some operations of a phase: all that have one kind, size, endpoint or agent in common."""

    phase: PhaseResult
    name: str
    tally: Tally

    @property
    def ops_per_s(self) -> float:
        """Completed operations per second of the window."""
        return self.phase.ops_per_s(self.tally)

    @property
    def bytes_per_s(self) -> float:
        """Completed bytes per second of the window, reads and writes together."""
        return self.phase.bytes_per_s(self.tally)


@dataclass(frozen=True, kw_only=True)
class SizePart(Part):
    """Operations on objects of similar size; ``bucket`` is sai3-bench's index, ``size`` its label."""

    bucket: int
    size: str


@dataclass(frozen=True, kw_only=True)
class Place(Part):
    """Operations at one endpoint or of one agent; ``reads`` are its gets, ``writes`` its puts."""

    reads: Tally
    writes: Tally


@dataclass(frozen=True, kw_only=True)
class EndpointPart(Place):
    """Requests to one endpoint, which counts from 1; ``whole`` is what all endpoints did."""

    number: int
    whole: Place

    @property
    def contacts(self) -> list[Contact]:
        """How each agent reached it, as far as they told."""
        return [
            contact
            for report in self.phase.agents
            for contact in report.contacts
            if contact.endpoint == self.name
        ]

    @property
    def share(self) -> float:
        """Its part of all requests, 0 … 1."""
        return self.tally.requests / max(self.whole.tally.requests, 1)


@dataclass(frozen=True, kw_only=True)
class AgentPart(Place):
    """Operations of one agent."""

    report: AgentReport


def by_size(phase: PhaseResult) -> list[SizePart]:
    """Return the rows of sai3-bench: GET, PUT and META by size, then over all sizes; none that completed nothing."""
    parts = [
        SizePart(phase=phase, name=name, tally=phase.tally(ops=ops, bucket=bucket), bucket=number, size=size)
        for name, ops, number_of_all in _GROUPS
        for bucket, number, size in (
            *((index, index, label) for index, label in enumerate(LABELS)),
            (None, number_of_all, "ALL"),
        )
    ]
    return sorted((part for part in parts if part.tally.latency.count), key=lambda part: part.bucket)


def by_operation(phase: PhaseResult) -> list[Part]:
    """Return every operation that was asked for, failed or not, then ``total``."""
    parts = [Part(phase=phase, name=op, tally=phase.tally(ops=[op])) for op in OPERATIONS]
    return [
        *(part for part in parts if part.tally.requests),
        Part(phase=phase, name="total", tally=phase.tally()),
    ]


def by_endpoint(phase: PhaseResult, ops: Collection[str] = OPERATIONS) -> list[EndpointPart]:
    """Return every endpoint that the phase's agents drive with the requests of ``ops`` to it, idle ones included."""
    driven = {uri for report in phase.agents for uri in report.endpoints} or set(phase.endpoints)
    whole = Place(phase=phase, name="", **_place(phase, ops, requests=True))
    return [
        EndpointPart(phase=phase, name=uri, number=number, whole=whole, **_place(phase, ops, endpoint=uri))
        for number, uri in enumerate(phase.endpoints, 1)
        if uri in driven
    ]


def by_agent(phase: PhaseResult, ops: Collection[str] = OPERATIONS) -> list[AgentPart]:
    """Return every agent with what ``ops`` it did, in the order of the plan."""
    return [
        AgentPart(phase=phase, name=report.agent, report=report, **_place(phase, ops, agent=report.agent))
        for report in phase.agents
    ]


def _place(
    phase: PhaseResult,
    ops: Collection[str],
    *,
    endpoint: str | None = None,
    agent: str | None = None,
    requests: bool | None = None,
) -> dict[str, Tally]:
    def tally(wanted: Collection[str]) -> Tally:
        return phase.tally(ops=wanted, endpoint=endpoint, agent=agent, requests=requests)

    return {
        "tally": tally(ops),
        "reads": tally([op for op in ops if op == "get"]),
        "writes": tally([op for op in ops if op == "put"]),
    }
