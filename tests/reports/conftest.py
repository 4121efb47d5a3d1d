from __future__ import annotations

from dataclasses import replace

import pytest

from pytest_sai3bench.errors import Location
from pytest_sai3bench.plan.model import Endpoint, ErrorPolicy, Origin, RunPlan, WorkerPlan
from pytest_sai3bench.plan.work import ObjectSet, OperationPlan, RatePlan, SizePlan, StagePlan
from pytest_sai3bench.results.checks import check_phase
from pytest_sai3bench.results.contacts import Contact, Mount
from pytest_sai3bench.results.latency import Latency
from pytest_sai3bench.results.model import (
    AgentReport,
    ErrorSample,
    PhaseResult,
    RunResult,
    SeriesKey,
    Tally,
    TickSum,
)
from pytest_sai3bench.results.outages import Outage
from pytest_sai3bench.thresholds.verdicts import Row, Verdict

A, B, IDLE = "s3://10.0.0.1:9000/bench/", "s3://10.0.0.2:9000/bench/", "s3://10.0.0.3:9000/bench/"
MS = 1_000_000


def tally(count: int, size: int, *samples_ms: float, tail: int = 0) -> Tally:
    """Return ``count`` operations of ``size`` bytes, ``tail`` more after the window, and latencies in turn."""
    samples = [int(samples_ms[i % len(samples_ms)] * MS) for i in range(count + tail)]
    return Tally(count, count * size, tail, tail * size, 0, Latency.of(samples))


def report(agent: str, **changed: object) -> AgentReport:
    facts: dict[str, object] = {
        "agent": agent,
        "host": f"host-{agent}",
        "python": "3.12.1",
        "outcome": "completed",
        "reason": "",
        "lanes": 8,
        "window_s": 2.0,
        "wall_s": 2.5,
        "start_skew_s": 0.000_25,
        "clock_offset_s": -0.012,
        "clock_error_s": 0.000_15,
        "cpu_s": 0.75,
        "max_rss_bytes": 31_457_280,
        "retries": 0,
        "cpu_cores": 1,
        "read_sink": "discard",
    }
    return AgentReport(**facts | changed)  # type: ignore[arg-type]


@pytest.fixture
def workload() -> PhaseResult:
    series = {
        SeriesKey("a1", A, "get", 1): tally(1000, 4096, 1, 2, 3, tail=2),
        SeriesKey("a1", A, "get", 4): replace(
            tally(20, 1048576, 10, 20), ttfb=Latency.of([MS, 2 * MS, 3 * MS, 4 * MS] * 5)
        ),
        SeriesKey("a1", A, "put", 1): tally(100, 4096, 5),
        SeriesKey("a2", B, "get", 1): tally(900, 4096, 1, 2, 30),
        SeriesKey("a2", B, "put", 0): Tally(errors=3),
        SeriesKey("a2", B, "list", 0): tally(10, 0, 8),
        SeriesKey("a2", B, "stat", 0): replace(
            tally(30, 0, 0.5), response=Latency.of([MS, 2 * MS, 50 * MS] * 10)
        ),
    }
    return PhaseResult(
        phase="workload",
        outages=(
            Outage("a1", 0, A, "silent", "no answer for 1.1 s", -3.25, 1795515332.0, 2.5, True, 0),
            Outage(
                "a2", 2, B, "ejected", "5 failures in a row;\nthe last: 503", 0.5, 1795515336.0, 1.0, True, 3
            ),
            Outage(
                "a2",
                1,
                B,
                "ejected",
                "5 failures in a row; the last: 500",
                0.75,
                1795515336.25,
                1.25,
                False,
                0,
            ),
        ),
        endpoints=(A, B, IDLE),
        agents=(
            report(
                "a1",
                endpoints=(A, B),
                contacts=(
                    Contact(
                        A,
                        5,
                        (("10.0.0.1:9000", 4), ("10.0.0.9:9000", 1)),
                        ("10.0.1.1:40000", "10.0.1.1:40001"),
                    ),
                    Contact(
                        B, 4, tuple((f"10.0.0.2{number}:9000", 1) for number in range(5)), ("10.0.1.1:40009",)
                    ),
                ),
            ),
            report(
                "a2",
                endpoints=(B, IDLE),
                contacts=(
                    Contact(B, 3, (("10.0.0.21:9000", 3),)),
                    Contact(IDLE, mount=Mount("0:45", "/mnt/c", "nfs4", "srv:/c", "10.0.0.3")),
                ),
                outcome="gave-up",
                reason="too many errors:\n3 of 3 puts",
                workers=2,
                cpu_s=4.9,
                notes=("bodies of gets were dropped in the kernel",),
            ),
        ),
        series=series,
        warmup={SeriesKey("a1", A, "get", 1): tally(50, 4096, 9)},
        errors=(
            ErrorSample("a1", A, "get", "timeout", 40, "no answer within 120 s", "warmup"),
            ErrorSample(
                "a2", B, "put", "denied", 3, "403 AccessDenied: the key may not write to bucket bench"
            ),
        ),
        ticked=TickSum(2112, 29_376_512, 3),
    )


@pytest.fixture
def prepare() -> PhaseResult:
    series = {SeriesKey("a1", A, "put", 1): tally(500, 4096, 4)}
    return PhaseResult(
        phase="prepare",
        endpoints=(A,),
        agents=(report("a1", window_s=1.0, wall_s=1.0),),
        series=series,
        ticked=TickSum(500, 500 * 4096),
    )


@pytest.fixture
def run(workload: PhaseResult, prepare: PhaseResult) -> RunResult:
    return RunResult(
        suite="suites/three.yaml",
        name="mixed",
        run_id="20261124-101530-k3x9",
        status="completed",
        reason="",
        started_at=1795515330.5,
        phases=(prepare, workload),
        checks=check_phase(workload),
        notes=("port 7761 of address host-a1:7761 is not used",),
    )


@pytest.fixture
def passed() -> Verdict:
    return Verdict(
        id="get.throughput",
        text="get.throughput >= 5 MiB/s",
        location=Location("suites/three.yaml", 18, 5),
        severity="fail",
        xfail=None,
        outcome="passed",
        limit_text=">= 5 MiB/s",
        measured=14_378_598.0,
        measured_text="13.7 MiB/s",
        margin=1.74,
        samples=1922,
    )


@pytest.fixture
def failed() -> Verdict:
    return Verdict(
        id="get.p99",
        text="get.p99 < 25 ms",
        location=Location("suites/three.yaml", 19, 5),
        severity="fail",
        xfail=None,
        outcome="failed",
        limit_text="< 25 ms",
        measured=0.030,
        measured_text="30 ms",
        margin=0.2,
        samples=1922,
        reason="get.p99 was 30 ms, the limit is < 25 ms (20% over, 1,922 samples)",
        rows=(Row(A, "10 ms"), Row(B, "30 ms", worst=True), Row(IDLE, "nothing")),
    )


@pytest.fixture
def plan() -> RunPlan:
    def endpoint(uri: str, line: int) -> Endpoint:
        return Endpoint(
            uri, "s3", Origin(f"suites/three.yaml:{line}", f"multi_endpoint.endpoints[{line - 6}]")
        )

    def worker(agent: str, number: int, *endpoints: Endpoint) -> WorkerPlan:
        size = SizePlan("uniform", 4096, 1048576)
        prepared = ObjectSet("data/", "prepared", 1000, size, "suites/three.yaml:12", share=number, shares=3)
        deletable = replace(prepared, stem="deletable", count=1, where="suites/three.yaml:13")
        objects = (prepared, deletable)
        operations = (
            OperationPlan("get", "data/prepared-*", 7, "suites/three.yaml:15"),
            OperationPlan("put", "new/", 2, "suites/three.yaml:16", SizePlan("fixed", 4096, 4096)),
        )
        return WorkerPlan(
            agent=agent,
            address="127.0.0.1",
            worker=number,
            workers=2,
            endpoints=endpoints,
            strategy="round_robin",
            lanes=8,
            seed=number,
            stages=(
                StagePlan("prepare", objects=objects),
                StagePlan(
                    "workload",
                    duration_s=60,
                    warmup_s=5,
                    operations=operations,
                    rate=RatePlan(2000, "exponential", number, 3),
                ),
                StagePlan("cleanup", objects=objects),
            ),
            errors=ErrorPolicy(),
        )

    first, second, third = endpoint(A, 6), endpoint(B, 7), endpoint(IDLE, 8)
    return RunPlan(
        suite="suites/three.yaml",
        name="mixed",
        workers=(worker("a1", 0, first), worker("a1", 1, second), worker("a2", 2, third)),
        notes=("3 endpoints do not divide evenly over 2 agents",),
    )
