"""Counting operations: cheap enough for the hot path, exact enough for HdrHistogram.

One recorder belongs to one thread and needs no lock. Time is cut into segments (one second, and the borders of the
measured window); a finished segment is handed over whole, so that readers never see a value that is being written.
"""

from __future__ import annotations

from bisect import bisect_left
from typing import TYPE_CHECKING, NamedTuple

from .buckets import UPPER_BYTES
from .hdr import HIGHEST_NS, index_of
from .messages import GET, OPERATIONS, ROLES

if TYPE_CHECKING:
    from collections import deque
    from typing import Literal

    from .messages import ErrorWire, LatencyWire, SeriesWire

BUCKETS = len(UPPER_BYTES) + 1
SECOND_NS = 1_000_000_000
NEVER_NS = 1 << 62


class Series:
    """Completed operations of one kind on one endpoint in one size bucket."""

    __slots__ = ("bytes", "counts", "max_ns", "min_ns", "sum_ns")

    def __init__(self) -> None:
        self.counts: dict[int, int] = {}
        self.bytes = 0
        self.sum_ns = 0
        self.min_ns = NEVER_NS
        self.max_ns = 0

    def add(self, other: Series) -> None:
        """Take the samples of ``other`` in."""
        self.bytes += other.bytes
        self.sum_ns += other.sum_ns
        self.min_ns = min(self.min_ns, other.min_ns)
        self.max_ns = max(self.max_ns, other.max_ns)
        counts = self.counts
        for index, count in other.counts.items():
            counts[index] = counts.get(index, 0) + count


class Segment:
    """What happened in one piece of time: series by key, failures by (operation, endpoint, kind).

    ``responses`` has the latencies from the instants at which operations were due, by the keys of ``series``. Gets whose
    answers came in several pieces are not in ``series`` but in ``pieces``, and ``firsts`` has the times to their first
    bytes. Those of all others are their latencies: first and last byte came together. ``tick`` counts whole seconds,
    ``interval`` the intervals of the window.
    """

    __slots__ = ("errors", "firsts", "interval", "pieces", "responses", "section", "series", "tick")

    def __init__(self, section: str, tick: int, interval: int = 0) -> None:
        self.section = section
        self.tick = tick
        self.interval = interval
        self.series: dict[int, Series] = {}
        self.responses: dict[int, Series] = {}
        self.pieces: dict[int, Series] = {}
        self.firsts: dict[int, Series] = {}
        self.errors: dict[tuple[int, int, str], tuple[int, str]] = {}


class Window(NamedTuple):
    """Borders of a stage in nanoseconds of the monotonic clock; an open end is `NEVER_NS`.

    Reports are cut every ``interval_ns``, and every second.
    """

    start_ns: int
    measured_ns: int
    end_ns: int
    interval_ns: int = SECOND_NS

    def section(self, now_ns: int) -> str:
        """Return the section in which an operation that completes now belongs."""
        if now_ns < self.measured_ns:
            return "warmup"
        return "measured" if now_ns < self.end_ns else "tail"

    def segment_end(self, now_ns: int) -> int:
        """Return the end of the segment that contains ``now_ns``."""
        second, interval = (
            self.start_ns + ((now_ns - self.start_ns) // length_ns + 1) * length_ns
            for length_ns in (SECOND_NS, self.interval_ns)
        )
        borders = (second, interval, self.measured_ns, self.end_ns, NEVER_NS)
        return min(border for border in borders if border > now_ns)

    def interval(self, now_ns: int) -> int:
        """Return the number of the interval that contains ``now_ns``, from 0; what comes before the start counts there."""
        return max(0, now_ns - self.start_ns) // self.interval_ns


class Recorder:
    """Counts what one thread completes; finished segments collect in ``done``."""

    def __init__(self, window: Window, done: deque[Segment]) -> None:
        self._window = window
        self._done = done
        self._segment = Segment("warmup", 0)
        self._series = self._segment.series
        self._border_ns = 0

    def record(self, base: int, now_ns: int, latency_ns: int, size_bytes: int) -> None:
        """Count one success; ``base`` is `series_base` of its operation and endpoint."""
        if now_ns >= self._border_ns:
            self.roll(now_ns)
        key = base + bisect_left(UPPER_BYTES, size_bytes)
        series = self._series.get(key)
        if series is None:
            series = self._series[key] = Series()
        series.bytes += size_bytes
        series.sum_ns += latency_ns
        if latency_ns > series.max_ns:
            series.max_ns = latency_ns
        if latency_ns < series.min_ns:
            series.min_ns = latency_ns
        # hdr.index_of, written out: a call would cost as much as the formula.
        if latency_ns > 2047:
            if latency_ns > HIGHEST_NS:
                latency_ns = HIGHEST_NS
            shift = latency_ns.bit_length() - 11
            index = (shift << 10) + (latency_ns >> shift)
        else:
            index = latency_ns if latency_ns > 0 else 0
        counts = series.counts
        if index in counts:
            counts[index] += 1
        else:
            counts[index] = 1

    def respond(self, base: int, size_bytes: int, response_ns: int) -> None:
        """Add to the success that was just recorded how long it took from the instant at which it was due."""
        _count(self._segment.responses, base + bisect_left(UPPER_BYTES, size_bytes), response_ns)

    def record_pieces(self, base: int, now_ns: int, latency_ns: int, size_bytes: int, first_ns: int) -> None:
        """Count one get like `record`, whose answer came in several pieces, the first of them after ``first_ns``."""
        if now_ns >= self._border_ns:
            self.roll(now_ns)
        key = base + bisect_left(UPPER_BYTES, size_bytes)
        _count(self._segment.pieces, key, latency_ns).bytes += size_bytes
        _count(self._segment.firsts, key, first_ns)

    def fail(self, op: int, endpoint: int, now_ns: int, kind: str, text: str) -> None:
        """Count one failed attempt."""
        if now_ns >= self._border_ns:
            self.roll(now_ns)
        errors = self._segment.errors
        count, sample = errors.get((op, endpoint, kind), (0, text))
        errors[op, endpoint, kind] = (count + 1, sample)

    def roll(self, now_ns: int) -> None:
        """Hand the current segment over when ``now_ns`` lies beyond it; harmless at any time."""
        if now_ns < self._border_ns:
            return
        self.flush()
        window = self._window
        self._segment = Segment(
            window.section(now_ns), max(0, now_ns - window.start_ns) // SECOND_NS, window.interval(now_ns)
        )
        self._series = self._segment.series
        self._border_ns = window.segment_end(now_ns)

    def flush(self) -> None:
        """Hand over what is there; only the owning thread may call it, or another one while that one hangs."""
        if self._segment.series or self._segment.pieces or self._segment.errors:
            self._done.append(self._segment)
        self._segment = Segment(self._segment.section, self._segment.tick, self._segment.interval)
        self._series = self._segment.series

    def held_interval(self) -> int | None:
        """Return the interval of what has not been handed over, None when that is nothing; any thread may ask."""
        segment = self._segment
        return segment.interval if segment.series or segment.pieces or segment.errors else None


def series_base(op: int, endpoint: int, endpoints: int) -> int:
    """Key of bucket 0 of an operation on an endpoint; buckets follow one by one.

    ``op`` is an index in `OPERATIONS`, and beyond them in the `ROLES` after the first, in which they come again.
    """
    return (op * endpoints + endpoint) * BUCKETS


class Totals:
    """Sum of segments by section, in the form of messages; gets of some engines have a time to first byte."""

    def __init__(self, endpoints: int, *, times_first_byte: bool = False) -> None:
        self._endpoints = endpoints
        self._times_first_byte = times_first_byte
        self._sections: dict[str, Segment] = {}
        self.errors: dict[tuple[str, int, int, str], tuple[int, str]] = {}

    def add(self, segment: Segment) -> None:
        """Take a finished segment in."""
        whole = self._sections.setdefault(segment.section, Segment(segment.section, 0))
        _add(whole.series, segment.series)
        _add(whole.responses, segment.responses)
        _add(whole.pieces, segment.pieces)
        _add(whole.firsts, segment.firsts)
        for (op, endpoint, kind), (count, text) in segment.errors.items():
            before, sample = self.errors.get((segment.section, op, endpoint, kind), (0, text))
            self.errors[segment.section, op, endpoint, kind] = (before + count, sample)

    def sections_wire(self) -> dict[str, list[SeriesWire]]:
        """Return all series as builtins."""
        return {
            section: [self._series_wire(key, whole) for key in sorted({*whole.series, *whole.pieces})]
            for section, whole in self._sections.items()
        }

    def errors_wire(self) -> list[ErrorWire]:
        """Return all failures as builtins."""
        return [
            {
                "section": section,
                "op": OPERATIONS[op],
                "endpoint": endpoint,
                "kind": kind,
                "count": count,
                "sample": sample,
            }
            for (section, op, endpoint, kind), (count, sample) in sorted(self.errors.items())
        ]

    def _series_wire(self, key: int, whole: Segment) -> SeriesWire:
        place, bucket = divmod(key, BUCKETS)
        op, endpoint = divmod(place, self._endpoints)
        role, op = divmod(op, len(OPERATIONS))
        series, response = _sum(key, whole.series, whole.pieces), whole.responses.get(key)
        index = sorted(series.counts)
        return {
            "op": OPERATIONS[op],
            "role": ROLES[role],
            "endpoint": endpoint,
            "bucket": bucket,
            "count": sum(series.counts.values()),
            "bytes": series.bytes,
            "sum_ns": series.sum_ns,
            "min_ns": series.min_ns,
            "max_ns": series.max_ns,
            "index": index,
            "counts": [series.counts[i] for i in index],
            "response": _latency_wire(response) if response else None,
            "ttfb": self._ttfb_wire(key, whole) if op == GET and self._times_first_byte else None,
        }

    @staticmethod
    def _ttfb_wire(key: int, whole: Segment) -> LatencyWire | Literal["latency"]:
        if key not in whole.pieces:
            return "latency"
        return _latency_wire(_sum(key, whole.series, whole.firsts))


def _count(table: dict[int, Series], key: int, ns: int) -> Series:
    """Add one sample to a series and return it."""
    series = table.get(key)
    if series is None:
        series = table[key] = Series()
    series.sum_ns += ns
    series.max_ns = max(series.max_ns, ns)
    series.min_ns = min(series.min_ns, ns)
    index = index_of(ns)
    series.counts[index] = series.counts.get(index, 0) + 1
    return series


def _sum(key: int, *tables: dict[int, Series]) -> Series:
    """Return all samples of one key."""
    found = [table[key] for table in tables if key in table]
    if len(found) == 1:
        return found[0]
    series = Series()
    for part in found:
        series.add(part)
    return series


def _add(table: dict[int, Series], more: dict[int, Series]) -> None:
    for key, series in more.items():
        known = table.get(key)
        if known is None:
            known = table[key] = Series()
        known.add(series)


def _latency_wire(series: Series) -> LatencyWire:
    index = sorted(series.counts)
    return {
        "sum_ns": series.sum_ns,
        "min_ns": series.min_ns,
        "max_ns": series.max_ns,
        "index": index,
        "counts": [series.counts[each] for each in index],
    }
