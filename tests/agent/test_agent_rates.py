"""Both engines under a rate: what is due is begun, and its latency counts from then, whatever the storage does."""

from __future__ import annotations

import threading
from dataclasses import replace
from itertools import repeat
from time import monotonic_ns
from typing import TYPE_CHECKING, Any

from pytest_sai3bench.agent.hdr import index_of
from pytest_sai3bench.agent.messages import GET
from pytest_sai3bench.plan.model import Endpoint, ErrorPolicy, Origin
from pytest_sai3bench.plan.work import RatePlan, SizePlan, StagePlan
from pytest_sai3bench.results.latency import Latency

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nx"
BAD = b"HTTP/1.1 500 X\r\nContent-Length: 0\r\n\r\n"
MS = 1_000_000


def deterministic(per_s: int) -> RatePlan:
    return RatePlan(per_s, "deterministic")


def latencies(run: Any) -> tuple[Latency, Latency]:
    """Return service and response latency of all operations."""

    def of(wire: Any) -> Latency:
        return Latency(
            dict(zip(wire["index"], wire["counts"])), wire["sum_ns"], wire["min_ns"], wire["max_ns"]
        )

    wires = [wire for section in run.reins.totals.sections_wire().values() for wire in section]
    return Latency.total(map(of, wires)), Latency.total(of(wire["response"]) for wire in wires)


def test_the_loop_begins_what_is_due_and_nothing_else(
    start_server: Callable[..., Any], run_loop: Callable[..., Any]
) -> None:
    server = start_server(lambda request, peer: OK, endpoints=2)

    run = run_loop(
        server.addresses,
        repeat((GET, "key", 0, None)),
        lanes=4,
        rate=deterministic(200),
        duration_ns=400 * MS,
    )

    account = run.pacer.to_wire()
    assert account["due"] == 80
    assert len(server.requests) == 80 - account["missed"]
    service, response = latencies(run)
    assert service.count == response.count == len(server.requests)
    # No operation is answered before it is due, nor earlier after that than after its send.
    assert response.sum_ns >= service.sum_ns
    assert sum(account["counts"]) + account["late"] == len(server.requests)
    # The last one is begun when it is due, 5 ms before the end: the window is not left before.
    assert run.wall_s >= 0.4


def test_while_the_server_stalls_latency_goes_on_from_the_schedule(
    start_server: Callable[..., Any], run_loop: Callable[..., Any]
) -> None:
    stalled: list[int] = []
    free = threading.Lock()

    def script(request: Any, peer: Any) -> bytes:
        with free:
            if len(server.requests) >= 40 and not stalled:
                stalled.append(monotonic_ns())
                threading.Event().wait(0.5)
                stalled.append(monotonic_ns())
        return OK

    server = start_server(script)

    run = run_loop(
        server.addresses,
        repeat((GET, "key", 0, None)),
        lanes=3,
        rate=deterministic(200),
        duration_ns=1000 * MS,
    )

    service, response = latencies(run)
    begin, end = stalled
    # What was due during the stall is answered after it at the earliest: so long does a user wait at least.
    least = Latency.of(
        [
            max(0, end - due) if due >= begin else 0
            for due in (run.began_ns + number * 5 * MS for number in range(200 - run.pacer.missed))
        ]
    )
    for percent in (60, 75, 90, 99, 99.9):
        assert response.percentile_ns(percent) >= least.percentile_ns(percent)
    # Of 1 s, 500 ms are a stall: (p - 50%) of 1 s is the wait at percentile p, which is 490 ms for the p99.
    assert response.percentile_ns(99) >= 480 * MS
    # From the send, only those that were in flight have waited.
    slow = sum(count for index, count in service.counts.items() if index >= index_of(400 * MS))
    assert 1 <= slow <= 3
    assert run.pacer.late >= 80


def test_a_retry_counts_from_the_instant_at_which_the_first_attempt_was_due(
    start_server: Callable[..., Any], run_loop: Callable[..., Any]
) -> None:
    server = start_server(lambda request, peer: BAD if request.number == 1 else OK)
    retries = ErrorPolicy(retry_on_error=True, initial_retry_delay_s=0.05, retry_jitter_factor=0.0)

    run = run_loop(
        server.addresses,
        [(GET, "key", 0, None)],
        rate=deterministic(10),
        duration_ns=20_000 * MS,
        errors=retries,
    )

    service, response = latencies(run)
    assert (service.count, response.count) == (1, 1)
    assert response.min_ns >= 50 * MS
    assert response.min_ns - service.min_ns >= 50 * MS


def test_file_lanes_begin_what_is_due(
    make_run: Callable[..., Any], make_op: Callable[..., Any], tmp_path: Path
) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "data/one").write_bytes(b"x" * 100)
    endpoint = Endpoint("file:///a/", "file", Origin("s.yaml:1", "target"), root=f"{tmp_path}/")
    stage = StagePlan(
        "workload", duration_s=0.4, operations=(make_op("get", "data/*"),), rate=deterministic(200)
    )

    [result] = make_run([endpoint], [stage]).all_stages()

    pacing = result["pacing"]
    [measured] = result["sections"]["measured"]
    assert (result["outcome"], pacing["due"]) == ("completed", 80)
    done = sum(wire["count"] for section in result["sections"].values() for wire in section)
    assert done == 80 - pacing["missed"]
    assert measured["count"] == sum(measured["response"]["counts"])
    assert result["window_ns"][1] - result["window_ns"][0] == 400 * MS


def test_files_that_are_all_in_use_are_late_and_missed(
    make_run: Callable[..., Any], make_op: Callable[..., Any], tmp_path: Path
) -> None:
    (tmp_path / "data").mkdir()
    endpoint = Endpoint("file:///a/", "file", Origin("s.yaml:1", "target"), root=f"{tmp_path}/")
    big = replace(make_op("put", "data/"), size=SizePlan("fixed", 8 << 20, 8 << 20))
    stage = StagePlan("workload", duration_s=0.3, operations=(big,), rate=deterministic(100_000))

    [result] = make_run([endpoint], [stage], lanes=1).all_stages()

    pacing = result["pacing"]
    done = sum(wire["count"] for section in result["sections"].values() for wire in section)
    assert (pacing["due"], pacing["due"] - pacing["missed"]) == (30_000, done)
    assert pacing["late"] >= done - 1
