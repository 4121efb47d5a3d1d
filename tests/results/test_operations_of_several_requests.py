"""Operations of several requests: one each in every total, all their requests at the endpoints."""

from __future__ import annotations

from dataclasses import replace

import pytest

from pytest_sai3bench.reports.parts import by_agent, by_endpoint, by_operation, by_size
from pytest_sai3bench.results.checks import check_phase
from pytest_sai3bench.results.latency import Latency
from pytest_sai3bench.results.model import AgentReport, Check, PhaseResult, SeriesKey, Tally, TickSum
from pytest_sai3bench.results.reconciliation import sum_ticks

A, B = "s3://h:1/bucket/", "s3://h:2/bucket/"
REPORT = AgentReport(
    agent="a1",
    host="host1",
    python="3.12.1",
    outcome="completed",
    reason="",
    lanes=2,
    window_s=1.0,
    wall_s=1.0,
    start_skew_s=0.0,
    clock_offset_s=0.0,
    clock_error_s=0.0,
    cpu_s=0.5,
    max_rss_bytes=0,
    retries=0,
    read_sink="copy",
)


def gets(count: int, size: int, ms: int) -> Tally:
    return Tally(ops=count, bytes=count * size, latency=Latency.of([ms * 1_000_000] * count))


# Two objects of 400 bytes in four ranges each, of which the first endpoint served five; and a small object.
PHASE = PhaseResult(
    phase="workload",
    endpoints=(A, B),
    agents=(REPORT,),
    series={
        SeriesKey("a1", A, "get", 1): gets(1, 7, 10),
        SeriesKey("a1", A, "get", 1, "whole"): gets(1, 400, 900),
        SeriesKey("a1", B, "get", 1, "whole"): gets(1, 400, 800),
        SeriesKey("a1", A, "get", 1, "part"): gets(5, 100, 200),
        SeriesKey("a1", B, "get", 1, "part"): gets(3, 100, 100),
    },
)


def test_totals_count_operations_and_endpoints_count_requests() -> None:
    assert (PHASE.tally().ops, PHASE.tally().bytes) == (3, 807)
    assert (PHASE.tally(requests=True).ops, PHASE.tally(requests=True).bytes) == (9, 807)
    assert [(at.ops, at.bytes) for at in (PHASE.tally(endpoint=uri) for uri in (A, B))] == [
        (6, 507),
        (3, 300),
    ]
    assert PHASE.tally(endpoint=A, requests=False).ops == 2
    assert PHASE.imbalance == pytest.approx((6 - 3) / 4.5)


def test_tables_count_what_their_rows_are_about() -> None:
    assert [(part.name, part.size, part.tally.ops) for part in by_size(PHASE)] == [
        ("GET", "1B-8KiB", 3),
        ("GET", "ALL", 3),
    ]
    assert [(part.name, part.tally.ops, part.tally.bytes) for part in by_operation(PHASE)] == [
        ("get", 3, 807),
        ("total", 3, 807),
    ]
    assert [(part.name, part.tally.ops) for part in by_agent(PHASE)] == [("a1", 3)]
    assert [(part.name, part.tally.ops, part.whole.tally.ops) for part in by_endpoint(PHASE)] == [
        (A, 6, 9),
        (B, 3, 9),
    ]
    slowest = [part.tally.latency.max_ns for part in by_endpoint(PHASE)]
    assert slowest == [200_000_000, 100_000_000]


def checks(phase: PhaseResult) -> dict[str, Check]:
    return {check.name: check for check in check_phase(phase)}


def test_both_ways_to_count_agree() -> None:
    found = checks(PHASE)
    assert found["reconcile-endpoints"].value == found["reconcile-endpoints"].expected
    assert found["reconcile-endpoints"].value == "9 ops, 807 bytes, 0 errors"
    assert found["reconcile-agents"].value == "3 ops, 807 bytes, 0 errors"
    assert found["reconcile-parts"] == Check(
        "reconcile-parts", True, "800 bytes in parts of operations", "800 bytes"
    )
    # 10 ms of the small object and 1.3 s of ranges; the time of the whole objects is no other time.
    assert found["littles-law"].value == "65.5% of lane time in operations"


def test_ticks_are_compared_series_by_series_and_add_up_to_operations() -> None:
    assert sum_ticks(({}, PHASE.series), ({}, PHASE.series)) == TickSum(3, 807, 0, ())
    series = dict(PHASE.series)
    del series[SeriesKey("a1", B, "get", 1, "part")]
    assert sum_ticks(({}, series), ({}, PHASE.series)) == TickSum(
        3, 807, 0, (f"get (part) of a1 at {B} in 1B-8KiB",)
    )


@pytest.mark.parametrize(
    ("lost", "errors", "outcome", "passed", "expected"),
    [
        ("part", 0, "completed", False, "800 bytes"),
        ("whole", 0, "completed", False, "400 bytes"),
        ("whole", 1, "completed", True, "at least 400 bytes"),
        ("whole", 0, "aborted", True, "at least 400 bytes"),
        ("part", 1, "aborted", False, "at least 800 bytes"),
    ],
)
def test_bytes_of_parts_without_an_operation_need_a_reason(
    lost: str,
    errors: int,
    outcome: str,
    passed: bool,  # noqa: FBT001 - pytest passes it by name
    expected: str,
) -> None:
    series = dict(PHASE.series)
    del series[SeriesKey("a1", B, "get", 1, lost)]
    if errors:
        series[SeriesKey("a1", B, "get", 0)] = Tally(errors=errors)
    phase = replace(PHASE, series=series, agents=(replace(REPORT, outcome=outcome),))
    found = checks(phase)["reconcile-parts"]
    assert (found.passed, found.expected) == (passed, expected)
