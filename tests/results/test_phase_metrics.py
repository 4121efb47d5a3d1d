"""What a phase measured, as plain numbers."""

from __future__ import annotations

import json
import math

from pytest_sai3bench.results.latency import Latency
from pytest_sai3bench.results.metrics import Latencies, Metrics, metrics_by_operation
from pytest_sai3bench.results.model import AgentReport, PhaseResult, SeriesKey, Tally

_AGENT = AgentReport(
    agent="a",
    host="h",
    python="3.12",
    outcome="completed",
    reason="",
    lanes=2,
    window_s=2.0,
    wall_s=2.1,
    start_skew_s=0.0,
    clock_offset_s=0.0,
    clock_error_s=0.0,
    cpu_s=0.1,
    max_rss_bytes=0,
    retries=0,
    read_sink="copy",
)


def _phase(**tallies: Tally) -> PhaseResult:
    series = {SeriesKey("a", "file:///x/", op, 1): tally for op, tally in tallies.items()}
    return PhaseResult(phase="workload", endpoints=("file:///x/",), agents=(_AGENT,), series=series)


def test_numbers_have_the_names_of_thresholds_and_base_units() -> None:
    # Below 2,048 ns every value is a bucket of its own.
    latency = Latency.of([1000, 1100, 1200, 1800])
    tally = Tally(ops=3, bytes=3000, tail_ops=1, tail_bytes=1000, errors=1, latency=latency, ttfb=latency)
    phase = _phase(get=tally, stat=Tally(errors=1))
    metrics = metrics_by_operation(phase)
    assert list(metrics) == ["total", "get", "stat"]
    assert metrics["get"] == Metrics(
        samples=4,
        mean=1.275e-6,
        p50=1.1e-6,
        p90=1.8e-6,
        p95=1.8e-6,
        p99=1.8e-6,
        p999=1.8e-6,
        max=1.8e-6,
        throughput=1500.0,
        ops=1.5,
        count=4,
        errors=1,
        error_rate=0.2,
        response=metrics["stat"].response,
        ttfb=Latencies.of(latency),
    )
    assert (metrics["total"].errors, metrics["total"].ops) == (2, 1.5)


def test_what_was_not_measured_meets_no_limit_and_is_not_in_json() -> None:
    nothing = metrics_by_operation(_phase())["total"]
    assert math.isnan(nothing.p99)
    assert not nothing.p99 < 1
    assert not nothing.p99 > 1
    assert json.loads(json.dumps(nothing.to_json())) == {
        "samples": 0,
        "throughput": 0.0,
        "ops": 0.0,
        "count": 0,
        "errors": 0,
        "error_rate": 0.0,
    }
