"""The tables of one agent beside those of all: what each did at the endpoints, and what that adds up to."""

from __future__ import annotations

import io
from dataclasses import replace
from typing import TYPE_CHECKING

from pytest_sai3bench.reports.parts import by_endpoint
from pytest_sai3bench.reports.results_tsv import write_results, write_tallies
from pytest_sai3bench.results.latency import Latency
from pytest_sai3bench.results.model import AgentReport, PhaseResult, SeriesKey, Tally

if TYPE_CHECKING:
    from collections.abc import Callable

A, SHARED, C = "s3://10.0.0.1:9000/bench/", "s3://10.0.0.2:9000/bench/", "s3://10.0.0.3:9000/bench/"
# sai3-bench's ten, then rates and latencies.
COLUMNS = [
    *("endpoint_idx", "endpoint_uri", "total_requests", "bytes_read", "bytes_written", "error_count"),
    *("active_requests", "request_pct", "read_pct", "write_pct"),
    *(
        "ops_per_sec",
        "read_mibps",
        "write_mibps",
        "mean_us",
        "p50_us",
        "p90_us",
        "p95_us",
        "p99_us",
        "max_us",
    ),
]


def _gets(*samples_ms: int) -> Tally:
    latency = Latency.of([ms * 1_000_000 for ms in samples_ms])
    return Tally(ops=latency.count, bytes=2**20 * latency.count, latency=latency)


def _report(agent: str, *endpoints: str, window_s: float) -> AgentReport:
    return AgentReport(
        agent=agent,
        host="host",
        python="3.12.1",
        outcome="completed",
        reason="",
        lanes=2,
        window_s=window_s,
        wall_s=window_s,
        start_skew_s=0.0,
        clock_offset_s=0.0,
        clock_error_s=0.0,
        cpu_s=0.5,
        max_rss_bytes=0,
        retries=0,
        read_sink="copy",
        endpoints=endpoints,
    )


PHASE = PhaseResult(
    phase="workload",
    endpoints=(A, SHARED, C),
    agents=(_report("one", A, SHARED, window_s=2.0), _report("two", SHARED, C, window_s=1.0)),
    series={
        SeriesKey("one", A, "get", 4): _gets(*[1] * 10),
        SeriesKey("one", SHARED, "get", 4): _gets(*[1] * 98),
        SeriesKey("two", SHARED, "get", 4): _gets(500, 900),
        SeriesKey("two", SHARED, "put", 0): Tally(errors=4),
    },
)


def _endpoint_rows(write: Callable[[io.StringIO], None]) -> list[dict[str, str]]:
    stream = io.StringIO()
    write(stream)
    section = stream.getvalue().partition("[endpoint_stats]\n")[2].partition("\n\n")[0]
    header, *rows = (line.split("\t") for line in section.split("\n"))
    assert header[: len(COLUMNS)] == COLUMNS
    return [dict(zip(header, row, strict=True)) for row in rows]


def test_what_agents_did_at_one_endpoint_is_merged_by_uri() -> None:
    rows = _endpoint_rows(lambda stream: write_results(stream, PHASE))

    assert [(row["endpoint_idx"], row["endpoint_uri"], row["total_requests"]) for row in rows] == [
        ("1", A, "10"),
        ("2", SHARED, "104"),
        ("3", C, "0"),
    ]
    # Of both together, 98 took 1 ms, one 500 ms, one 900 ms: no average of two p99 would say so.
    assert [rows[1][name] for name in ("p50_us", "p99_us", "max_us", "error_count")] == [
        "1000.45",
        "500170.75",
        "900000.00",
        "4",
    ]


def test_an_agent_has_the_rows_of_the_endpoints_that_it_drives() -> None:
    one, two = (
        _endpoint_rows(lambda stream, agent=agent: write_tallies(stream, PHASE.of_agent(agent)))  # type: ignore[misc]
        for agent in ("one", "two")
    )

    names = (
        "endpoint_idx",
        "endpoint_uri",
        "total_requests",
        "request_pct",
        "error_count",
        "read_mibps",
        "p99_us",
    )
    assert [tuple(row[name] for name in names) for row in one] == [
        ("1", A, "10", "9.26", "0", "5.00", "1000.00"),
        ("2", SHARED, "98", "90.74", "0", "49.00", "1000.00"),
    ]
    # Its own window was half as long; an endpoint that got nothing is there, too.
    assert [tuple(row[name] for name in names) for row in two] == [
        ("2", SHARED, "6", "100.00", "4", "2.00", "900000.00"),
        ("3", C, "0", "0.00", "0", "0.00", "0.00"),
    ]


def test_of_a_result_that_does_not_say_who_drives_what_all_endpoints_are_shown() -> None:
    agents = tuple(replace(report, endpoints=()) for report in PHASE.agents)

    assert [part.number for part in by_endpoint(replace(PHASE, agents=agents).of_agent("two"))] == [1, 2, 3]
