from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from pytest_sai3bench.plan.model import Endpoint, ErrorPolicy, Origin, RunPlan, WorkerPlan
from pytest_sai3bench.plan.work import StagePlan
from pytest_sai3bench.reports.progress import Progress
from pytest_sai3bench.results.latency import Latency

if TYPE_CHECKING:
    from pytest_sai3bench.agent.messages import SeriesWire, TickWire

_STAGES = (StagePlan("prepare"), StagePlan("workload", duration_s=60, warmup_s=20))
_PREPARE, _WORKLOAD = _STAGES
_TOLD = "  prepare, 1 s: 80 ops/s, 5 MiB/s, p99 2 ms, 0 errors, 80 objects so far, "


def _plan(endpoints: int, workers: int = 1) -> RunPlan:
    origin = Origin("s.yaml:1", "multi_endpoint")
    uris = [Endpoint(f"s3://10.0.0.{n}:9000/b/", "s3", origin) for n in range(1, endpoints + 1)]
    per_worker = endpoints // workers
    return RunPlan(
        "s.yaml",
        "mixed",
        tuple(
            WorkerPlan(
                f"host-{n}",
                "localhost",
                n,
                workers,
                tuple(uris[n * per_worker : (n + 1) * per_worker]),
                "round_robin",
                8,
                0,
                _STAGES,
                ErrorPolicy(),
            )
            for n in range(workers)
        ),
    )


def _series(endpoint: int, count: int, ms: float, size: int = 65536, role: str = "") -> SeriesWire:
    latency = Latency.of([int(ms * 1_000_000)] * count)
    return {
        "op": "get",
        "role": role,
        "endpoint": endpoint,
        "bucket": 2,
        "count": count,
        "bytes": count * size,
        "sum_ns": latency.sum_ns,
        "min_ns": latency.min_ns,
        "max_ns": latency.max_ns,
        "index": list(latency.counts),
        "counts": list(latency.counts.values()),
        "response": None,
        "ttfb": None,
    }


def _tick(second: int, *series: SeriesWire, section: str = "measured", **errors: int) -> TickWire:
    failed = [
        {"section": section, "op": "get", "endpoint": int(name[1:]), "count": errors[name]} for name in errors
    ]
    return {"type": "tick", "stage": 1, "tick": second, "sections": {section: list(series)}, "errors": failed}  # type: ignore[typeddict-item]


def _tell(counts: list[int], width: int = 100) -> list[str]:
    """Return the line on one second in which the endpoints answered that many requests."""
    plan = _plan(len(counts))
    progress = Progress(plan)
    progress.begin(_PREPARE)
    progress.take(plan.workers[0], _tick(0, *(_series(n, count, 2) for n, count in enumerate(counts))))
    return progress.tell(1, width)


def test_a_line_tells_of_the_time_since_the_last_one() -> None:
    plan = _plan(4, workers=2)
    progress = Progress(plan)
    progress.begin(_WORKLOAD)
    for second in range(20, 31):
        progress.take(plan.workers[0], _tick(second, _series(0, 100, 2), _series(1, 100, 3)))
        progress.take(plan.workers[1], _tick(second, _series(0, 100, 2), _series(1, 50, 40), e1=2))
    assert progress.tell(30, 100) == [
        "  10 s of 1m: 117 ops/s, 7.29 MiB/s, p99 40 ms, 20 errors, shares 28 28 28 15%"
    ]
    # What came in the second that was not over is told now.
    assert progress.tell(40, 100) == [
        "  20 s of 1m: 35 ops/s, 2.19 MiB/s, p99 40 ms, 2 errors, shares 28 28 28 15%"
    ]
    # A stall shows as what it is.
    assert progress.tell(50, 100) == ["  30 s of 1m: 0.0 ops/s, 0 B/s, p99 -, 0 errors"]
    # Too late for its line, but not lost.
    progress.take(plan.workers[0], _tick(49, _series(0, 10, 2)))
    assert progress.tell(60, 100) == [
        "  40 s of 1m: 1.0 ops/s, 64 KiB/s, p99 2 ms, 0 errors, shares 100 0 0 0%"
    ]


def test_operations_of_several_requests_count_once_and_their_requests_at_the_endpoints() -> None:
    plan = _plan(2)
    progress = Progress(plan)
    progress.begin(_WORKLOAD)
    whole = _series(0, 10, 30, role="whole")
    parts = _series(0, 10, 10, 16384, role="part"), _series(1, 30, 10, 16384, role="part")
    progress.take(plan.workers[0], _tick(20, whole, *parts))
    assert progress.tell(30, 100) == [
        "  10 s of 1m: 0.3 ops/s, 21.3 KiB/s, p99 30 ms, 0 errors, shares 25 75%"
    ]


def test_a_warmup_is_told_from_the_measured_time() -> None:
    plan = _plan(1)
    progress = Progress(plan)
    progress.begin(_WORKLOAD)
    progress.take(plan.workers[0], _tick(3, _series(0, 1000, 2), section="warmup"))
    assert progress.tell(10, 100) == ["  warm-up, 10 s of 20 s: 100 ops/s, 6.25 MiB/s, p99 2 ms, 0 errors"]
    assert progress.tell(20, 100) == ["  warm-up, 20 s of 20 s: 0.0 ops/s, 0 B/s, p99 -, 0 errors"]
    assert progress.tell(30, 100) == ["  10 s of 1m: 0.0 ops/s, 0 B/s, p99 -, 0 errors"]


def test_prepare_tells_how_many_objects_it_has_made_and_forgets_them_at_the_next_stage() -> None:
    plan = _plan(1)
    progress = Progress(plan)
    progress.begin(_PREPARE)
    progress.take(plan.workers[0], _tick(3, _series(0, 1500, 2), e0=1))
    assert progress.tell(10, 100) == [
        "  prepare, 10 s: 150 ops/s, 9.38 MiB/s, p99 2 ms, 1 error, 1,500 objects so far"
    ]
    progress.take(plan.workers[0], _tick(13, _series(0, 15, 2)))
    assert progress.tell(20, 100) == [
        "  prepare, 20 s: 1.5 ops/s, 96 KiB/s, p99 2 ms, 0 errors, 1,515 objects so far"
    ]
    progress.take(plan.workers[0], _tick(22, _series(0, 15, 2)))
    progress.begin(_PREPARE)
    assert progress.tell(10, 100) == ["  prepare, 10 s: 0.0 ops/s, 0 B/s, p99 -, 0 errors, 0 objects so far"]


def test_an_operation_of_several_requests_counts_once_and_loads_each_of_their_endpoints() -> None:
    plan = _plan(2)
    progress = Progress(plan)
    progress.begin(_PREPARE)
    whole, one, other = (
        _series(0, 10, 8, 40, "whole"),
        _series(0, 10, 2, 10, "part"),
        _series(1, 30, 2, 10, "part"),
    )
    progress.take(plan.workers[0], _tick(0, whole, one, other))
    assert progress.tell(1, 120) == [
        "  prepare, 1 s: 10 ops/s, 400 B/s, p99 8 ms, 0 errors, 10 objects so far, shares 25 75%"
    ]


def test_a_small_share_is_not_none() -> None:
    (line,) = _tell([999, 1, 0], 120)
    assert line.endswith(", shares 100 <1 0%")


@pytest.mark.parametrize(
    ("width", "lines"),
    [
        (
            120,
            [_TOLD + "shares 12 12 12 14 12 11 12 12%"],
        ),
        (
            100,
            [_TOLD + "shares 11% (6) to 14% (4)"],
        ),
        (
            97,
            [_TOLD + "shares 11 to 14%"],
        ),
        (
            60,
            [
                "  prepare, 1 s: 80 ops/s, 5 MiB/s, p99 2 ms, 0 errors, 80",
                "    objects so far, shares 11 to 14%",
            ],
        ),
    ],
)
def test_shares_give_way_where_the_terminal_is_narrow(width: int, lines: list[str]) -> None:
    shown = _tell([10, 10, 10, 11, 10, 9, 10, 10], width)
    assert shown == lines
    assert max(map(len, shown)) <= width
