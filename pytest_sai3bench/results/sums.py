"""Sums that grow with every message of a worker: where the wire's vocabulary becomes values.

A sum is as large as what it tells apart, however much is added to it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from pytest_sai3bench.results.latency import Latency
from pytest_sai3bench.results.model import SeriesKey, Tally

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from pytest_sai3bench.agent.messages import ErrorWire, LatencyWire, SeriesWire


@dataclass(frozen=True)
class Reporter:
    """A worker as its messages have to be read: ``endpoints`` are the URIs of its plan, in its own order."""

    agent: str
    endpoints: tuple[str, ...]

    def key(self, op: str, endpoint: int, bucket: int, role: str = "") -> SeriesKey:
        """Return the identity of a series of this worker."""
        return SeriesKey(self.agent, self.endpoints[endpoint], op, bucket, role)


class Sums:
    """Tallies by section and key. Errors carry no size: they are counted in bucket 0 of their operation."""

    def __init__(self) -> None:
        self._growing: dict[tuple[str, SeriesKey], _Growing] = {}

    def add(
        self,
        reporter: Reporter,
        sections: Mapping[str, Sequence[SeriesWire]],
        errors: Iterable[ErrorWire],
    ) -> None:
        """Take in what a tick or a result says."""
        for section, series in sections.items():
            for wire in series:
                key = reporter.key(wire["op"], wire["endpoint"], wire["bucket"], wire["role"])
                self._at(section, key).add(wire)
        for error in errors:
            key = reporter.key(error["op"], error["endpoint"], 0)
            self._at(error["section"], key).errors += error["count"]

    @property
    def empty(self) -> bool:
        """True as long as nothing was added."""
        return not self._growing

    def tallies(self) -> Iterator[tuple[str, SeriesKey, Tally]]:
        """Yield section, key and sum so far of every series."""
        for (section, key), growing in self._growing.items():
            yield section, key, growing.tally(section)

    def _at(self, section: str, key: SeriesKey) -> _Growing:
        growing = self._growing.get((section, key))
        if growing is None:
            growing = self._growing[section, key] = _Growing()
        return growing


class _Growing:
    """A tally that is not complete yet."""

    def __init__(self) -> None:
        self.errors = 0
        self._ops = 0
        self._bytes = 0
        self._latency = _GrowingLatency()
        self._response = _GrowingLatency()
        self._ttfb = _GrowingLatency()

    def add(self, wire: SeriesWire) -> None:
        self._ops += wire["count"]
        self._bytes += wire["bytes"]
        self._latency.add(wire)
        if wire["response"]:
            self._response.add(wire["response"])
        if wire["ttfb"]:
            self._ttfb.add(wire if wire["ttfb"] == "latency" else wire["ttfb"])

    def tally(self, section: str) -> Tally:
        distributions = self._latency.latency(), self._response.latency(), self._ttfb.latency()
        if section == "tail":
            return Tally(0, 0, self._ops, self._bytes, self.errors, *distributions)
        return Tally(self._ops, self._bytes, 0, 0, self.errors, *distributions)


class _GrowingLatency:
    def __init__(self) -> None:
        self._counts: dict[int, int] = {}
        self._sum_ns = 0
        self._min_ns = 0
        self._max_ns = 0

    def add(self, wire: LatencyWire | SeriesWire) -> None:
        counts = self._counts
        self._min_ns = min(self._min_ns, wire["min_ns"]) if counts else wire["min_ns"]
        self._max_ns = max(self._max_ns, wire["max_ns"])
        self._sum_ns += wire["sum_ns"]
        for index, count in zip(wire["index"], wire["counts"]):
            counts[index] = counts.get(index, 0) + count

    def latency(self) -> Latency:
        return Latency(dict(self._counts), self._sum_ns, self._min_ns, self._max_ns)
