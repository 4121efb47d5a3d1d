"""``results.tsv``: the table of sai3-bench first, then sections with what it leaves out.

Rates count what completed inside the measured window, per second of it. Latencies come from merged histograms and hold
the tail too: operations that began inside the window and completed after it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, TextIO

from pytest_sai3bench.reports.outages import ENDPOINT_EVENTS
from pytest_sai3bench.reports.parts import (
    AgentPart,
    EndpointPart,
    Part,
    Place,
    SizePart,
    by_agent,
    by_endpoint,
    by_operation,
    by_size,
)
from pytest_sai3bench.reports.tsv import Column, Table
from pytest_sai3bench.results.model import Check
from pytest_sai3bench.thresholds.verdicts import Verdict

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from pytest_sai3bench.results.contacts import Contact
    from pytest_sai3bench.results.latency import Latency
    from pytest_sai3bench.results.model import AgentReport, PhaseResult, Tally

MIB = 1024 * 1024
_MOST_PLACES = 4


def _latency_us(name: str, meaning: str, value_ns: Callable[[Part], float]) -> Column[Part]:
    return Column(name, f"{meaning}, µs", lambda part: f"{value_ns(part) / 1000:.2f}")


def _percentile(name: str, percent: float) -> Column[Part]:
    return _latency_us(
        name, f"latency, {percent:g}th percentile", lambda part: part.tally.latency.percentile_ns(percent)
    )


def _others(prefix: str, meaning: str, latency: Callable[[Tally], Latency]) -> tuple[Column[Part], ...]:
    """Return the columns of latencies that not every operation has."""

    def column(name: str, value_ns: Callable[[Latency], float]) -> Column[Part]:
        def show(part: Part) -> str:
            found = latency(part.tally)
            return f"{value_ns(found) / 1000:.2f}" if found.count else "-"

        return Column(f"{prefix}_{name}_us", meaning, show)

    return (
        column("mean", lambda found: found.mean_ns),
        column("p50", lambda found: found.percentile_ns(50)),
        column("p99", lambda found: found.percentile_ns(99)),
        column("p999", lambda found: found.percentile_ns(99.9)),
        column("max", lambda found: found.max_ns),
    )


def _report(name: str, meaning: str, value: Callable[[AgentReport], object]) -> Column[AgentPart]:
    return Column(name, meaning, lambda part: str(value(part.report)))


def _ms(seconds: float) -> str:
    return f"{seconds * 1000:.3f}"


def _bytes(tally: Tally) -> int:
    return tally.bytes + tally.tail_bytes


def _percent(part: int, whole: int) -> str:
    return f"{100 * part / whole if whole else 0:.2f}"


def _reached(contacts: Iterable[Contact]) -> str:
    places = dict.fromkeys(
        place
        for contact in contacts
        for place in (*(address for address, _ in contact.remotes), *filter(None, (contact.mount,)))
    )
    more = len(places) - _MOST_PLACES
    shown = [str(place) for place in list(places)[:_MOST_PLACES]]
    return ", ".join([*shown, *([f"{more} more"] if more > 0 else [])])


_OPS = Column[Part]("count", "operations completed in the window", lambda part: str(part.tally.ops))
_OPS_PER_S = Column[Part](
    "ops_per_sec", "completed operations per second", lambda part: f"{part.ops_per_s:.2f}"
)
_MIBPS = Column[Part]("throughput_mibps", "MiB per second", lambda part: f"{part.bytes_per_s / MIB:.2f}")
_REQUESTS = Column[Part](
    "total_requests", "completed, tail and failed", lambda part: str(part.tally.requests)
)
_ERRORS = Column[Part]("error_count", "failed attempts", lambda part: str(part.tally.errors))
_LATENCY = (
    _latency_us("mean_us", "mean latency", lambda part: part.tally.latency.mean_ns),
    _percentile("p50_us", 50),
    _percentile("p90_us", 90),
    _percentile("p95_us", 95),
    _percentile("p99_us", 99),
)
_MAX = _latency_us("max_us", "longest latency", lambda part: part.tally.latency.max_ns)
_BYTES_READ = Column[Place](
    "bytes_read", "bytes of gets, tail included", lambda part: str(_bytes(part.reads))
)
_BYTES_WRITTEN = Column[Place](
    "bytes_written", "bytes of puts, tail included", lambda part: str(_bytes(part.writes))
)
_READ_MIBPS = Column[Place](
    "read_mibps", "MiB read per second", lambda part: f"{part.phase.bytes_per_s(part.reads) / MIB:.2f}"
)
_WRITE_MIBPS = Column[Place](
    "write_mibps", "MiB written per second", lambda part: f"{part.phase.bytes_per_s(part.writes) / MIB:.2f}"
)

SIZES = Table[SizePart](
    "",
    (
        Column("operation", "`GET`, `PUT`, or `META` for all others", lambda part: part.name),
        Column("size_bucket", "size of the objects, or `ALL`", lambda part: part.size),
        Column(
            "bucket_idx", "0 to 8 by size; `ALL` rows: META 97, GET 98, PUT 99", lambda part: str(part.bucket)
        ),
        *_LATENCY,
        _MAX,
        Column[Part](
            "avg_bytes",
            "bytes per operation completed in the window",
            lambda part: f"{part.tally.bytes / max(part.tally.ops, 1):.0f}",
        ),
        _OPS_PER_S,
        _MIBPS,
        _OPS,
    ),
)

OPERATION_STATS = Table[Part](
    "operation_stats",
    (
        Column("operation", "kind of operation, or `TOTAL`", lambda part: part.name.upper()),
        _REQUESTS,
        _OPS,
        Column(
            "tail_count",
            "operations begun in the window and completed after it",
            lambda part: str(part.tally.tail_ops),
        ),
        _ERRORS,
        Column(
            "error_pct",
            "failed attempts in percent of requests",
            lambda part: f"{100 * part.tally.error_rate:.2f}",
        ),
        Column("bytes", "bytes completed in the window", lambda part: str(part.tally.bytes)),
        Column("tail_bytes", "bytes of the tail", lambda part: str(part.tally.tail_bytes)),
        _OPS_PER_S,
        _MIBPS,
        *_LATENCY,
        _percentile("p999_us", 99.9),
        _MAX,
        *_others(
            "response",
            "the same from the instant at which it was due, µs; `-` without a rate",
            lambda tally: tally.response,
        ),
        *_others(
            "ttfb",
            "from the send to the first byte of the answer, of gets over HTTP, µs; `-` without any",
            lambda tally: tally.ttfb,
        ),
    ),
)

ENDPOINT_STATS = Table[EndpointPart](
    "endpoint_stats",
    (
        Column(
            "endpoint_idx",
            "number of the endpoint, from 1; the same in all files of a run",
            lambda part: str(part.number),
        ),
        Column("endpoint_uri", "as written in the suite", lambda part: part.name),
        _REQUESTS,
        _BYTES_READ,
        _BYTES_WRITTEN,
        _ERRORS,
        Column(
            "active_requests",
            "in flight when the window closed, and completed later",
            lambda part: str(part.tally.tail_ops),
        ),
        Column(
            "request_pct",
            "percent of the requests to all endpoints in this file",
            lambda part: _percent(part.tally.requests, part.whole.tally.requests),
        ),
        Column(
            "read_pct",
            "percent of all bytes read",
            lambda part: _percent(_bytes(part.reads), _bytes(part.whole.reads)),
        ),
        Column(
            "write_pct",
            "percent of all bytes written",
            lambda part: _percent(_bytes(part.writes), _bytes(part.whole.writes)),
        ),
        _OPS_PER_S,
        _READ_MIBPS,
        _WRITE_MIBPS,
        *_LATENCY,
        _MAX,
        Column[EndpointPart](
            "connections",
            "connections of agents that were ready for requests, kept ones included; 0 for folders",
            lambda part: str(sum(contact.connections for contact in part.contacts)),
        ),
        Column[EndpointPart](
            "reached",
            "up to 4 addresses to which these led, or type, source and address of the mount of the folder",
            lambda part: _reached(part.contacts),
        ),
    ),
)

AGENT_STATS = Table[AgentPart](
    "agent_stats",
    (
        Column("agent_id", "id of the agent", lambda part: part.name),
        _report("host", "name of its host", lambda report: report.host),
        _report("python", "version of Python there", lambda report: report.python),
        _report("outcome", "how it ended", lambda report: report.outcome),
        _report("workers", "worker processes", lambda report: report.workers),
        _report("lanes", "operations in flight at most", lambda report: report.lanes),
        _REQUESTS,
        _BYTES_READ,
        _BYTES_WRITTEN,
        _ERRORS,
        _report("retries", "attempts repeated after an error", lambda report: report.retries),
        _OPS_PER_S,
        _READ_MIBPS,
        _WRITE_MIBPS,
        *_LATENCY,
        _MAX,
        _report("window_s", "measured window, s", lambda report: f"{report.window_s:.3f}"),
        _report("wall_s", "begin of load to last completion, s", lambda report: f"{report.wall_s:.3f}"),
        _report(
            "start_skew_ms",
            "begin of load after the ordered instant",
            lambda report: _ms(report.start_skew_s),
        ),
        _report(
            "clock_offset_ms", "its clock minus the controller's", lambda report: _ms(report.clock_offset_s)
        ),
        _report(
            "clock_error_ms", "the offset is right within this", lambda report: _ms(report.clock_error_s)
        ),
        _report("due_starts", "operations due in the window under a rate", lambda report: report.due_starts),
        _report("late_starts", "of these, begun late for want of a lane", lambda report: report.late_starts),
        _report("missed_starts", "of these, never begun", lambda report: report.missed_starts),
        _report(
            "start_lag_ms",
            "the latest begin of one after its instant",
            lambda report: _ms(report.start_lag_s),
        ),
        _report("cpu_s", "CPU time of its workers, s", lambda report: f"{report.cpu_s:.3f}"),
        _report(
            "cpu_pct",
            "the same in percent of a core per worker",
            lambda report: f"{100 * report.cpu_share:.1f}",
        ),
        _report("max_rss_bytes", "largest memory of its workers", lambda report: report.max_rss_bytes),
        _report(
            "read_sink",
            "what became of bodies: `copy`, `discard` or `direct`",
            lambda report: report.read_sink,
        ),
        _report("engine", "what made the load: `default`, or `boto3`", lambda report: report.engine),
        _report("reason", "why it did not complete", lambda report: report.reason),
    ),
)

THRESHOLDS = Table[Verdict](
    "thresholds",
    (
        Column("id", "id of the threshold within the run", lambda verdict: verdict.id),
        Column("threshold", "the rule as written", lambda verdict: verdict.text),
        Column(
            "location",
            "file and line of the rule, or `implicit`",
            lambda verdict: str(verdict.location or "implicit"),
        ),
        Column("severity", "`fail` or `warn`", lambda verdict: verdict.severity),
        Column("outcome", "`passed`, `failed` or `inconclusive`", lambda verdict: verdict.outcome),
        Column("measured", "what was measured", lambda verdict: verdict.measured_text),
        Column("limit", "what was demanded", lambda verdict: verdict.limit_text),
        Column("samples", "what the value rests on", lambda verdict: str(verdict.samples)),
        Column("reason", "why it failed or is inconclusive", lambda verdict: verdict.reason),
    ),
)

CHECKS = Table[Check](
    "checks",
    (
        Column("check", "name of the self-check", lambda check: check.name),
        Column("passed", "`yes` or `no`", lambda check: "yes" if check.passed else "no"),
        Column("value", "what was found", lambda check: check.value),
        Column("expected", "what it should be", lambda check: check.expected),
    ),
)


def write_results(
    stream: TextIO, phase: PhaseResult, *, verdicts: Sequence[Verdict] = (), checks: Sequence[Check] = ()
) -> None:
    """Write the whole file of one phase; sections without rows keep their header."""
    write_tallies(stream, phase)
    THRESHOLDS.write(stream, verdicts)
    CHECKS.write(stream, checks)


def write_tallies(stream: TextIO, phase: PhaseResult) -> None:
    """Write what was measured, and not what became of it: the file of one agent, of which nothing is demanded."""
    SIZES.write(stream, by_size(phase))
    OPERATION_STATS.write(stream, by_operation(phase))
    ENDPOINT_STATS.write(stream, by_endpoint(phase))
    AGENT_STATS.write(stream, by_agent(phase))
    ENDPOINT_EVENTS.write(stream, phase.outages)


def describe_columns() -> str:
    """Return the reference of all columns in Markdown."""
    tables = (SIZES, OPERATION_STATS, ENDPOINT_STATS, AGENT_STATS, ENDPOINT_EVENTS, THRESHOLDS, CHECKS)
    return "\n".join(
        f"### {f'`[{table.name}]`' if table.name else 'First table'}\n\n{table.describe()}"
        for table in tables
    )
