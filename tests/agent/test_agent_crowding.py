from __future__ import annotations

import threading
import time
from collections import Counter
from itertools import count, repeat
from time import monotonic_ns
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pytest_sai3bench.agent.balance import make_balancer
from pytest_sai3bench.agent.crowding import CROWDED, bounded
from pytest_sai3bench.agent.messages import GET
from pytest_sai3bench.agent.pools import spread_key
from pytest_sai3bench.agent.tasks import ANYWHERE
from pytest_sai3bench.plan.model import EndpointRules, ErrorPolicy
from pytest_sai3bench.plan.work import RatePlan

if TYPE_CHECKING:
    from collections.abc import Callable

    from pytest_sai3bench.agent.tasks import Task

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
FREE = ["round_robin", "least_connections", "random", "weighted", "least_latency"]


def key_of(endpoint: int, endpoints: int = 2) -> str:
    """Return a key that belongs on an endpoint."""
    return next(key for key in map(str, count()) if spread_key(key, endpoints) == endpoint)


class Gate:
    """A script that counts requests in flight, and holds them while it is closed."""

    def __init__(self) -> None:
        self.most: Counter[int] = Counter()
        self.open = threading.Event()
        self._flying: Counter[int] = Counter()
        self._lock = threading.Lock()

    def answer(self, request: Any, _peer: Any) -> bytes:
        with self._lock:
            self._flying[request.endpoint] += 1
            self.most[request.endpoint] = max(self.most[request.endpoint], self._flying[request.endpoint])
        self.open.wait(20)
        with self._lock:
            self._flying[request.endpoint] -= 1
        return OK


@pytest.mark.parametrize("strategy", [*FREE, "sticky"])
@settings(deadline=None, max_examples=30)
@given(data=st.data())
def test_no_endpoint_has_more_than_it_may(strategy: str, data: st.DataObject) -> None:
    endpoints, most = data.draw(st.integers(1, 4)), data.draw(st.integers(1, 3))
    inner = make_balancer(strategy, endpoints, 0, threads=False, weights=[1.0] * endpoints)
    balancer = bounded(inner, strategy, endpoints, most)
    flying: Counter[int] = Counter()
    allowed = list(range(endpoints))
    for step in data.draw(st.lists(st.integers(0, 99), max_size=60)):
        if step < 10:
            allowed = sorted({*range(step % endpoints, endpoints)})
            balancer.choose_among(allowed)
        elif step < 40 and flying.total():
            endpoint = sorted(flying.elements())[step % flying.total()]
            flying[endpoint] -= 1
            balancer.release(endpoint, 1000)
        else:
            task: Task = (GET, str(step), 0, None, ANYWHERE)
            endpoint = balancer.acquire(task)
            if endpoint >= 0:
                flying[endpoint] += 1
                assert flying[endpoint] <= most
                assert endpoint in allowed
            elif strategy == "sticky":
                assert flying[CROWDED - 1 - endpoint] == most
            else:
                assert endpoint == CROWDED
                assert all(flying[each] == most for each in allowed)


def test_connections_are_bounded_and_all_lanes_get_their_turn(
    start_server: Callable[..., Any], run_loop: Callable[..., Any]
) -> None:
    gate = Gate()
    gate.open.set()
    server = start_server(gate.answer, endpoints=2)
    done = run_loop(server.addresses, [(GET, str(n), 0) for n in range(300)], lanes=16, connections=3)
    assert done.reins.errors() == []
    assert sum(number for number, _ in done.reins.counts().values()) == 300
    assert {request.path for request in server.requests} == {f"/bench/{n}" for n in range(300)}
    assert server.connections == 6
    assert max(gate.most.values()) <= 3


def test_an_endpoint_that_is_full_is_passed_over(
    start_server: Callable[..., Any], run_loop: Callable[..., Any]
) -> None:
    def answer(request: Any, peer: Any) -> bytes | None:
        if request.endpoint == 0:
            peer.stall() if len(server.requests) < 200 else None
        return OK

    server = start_server(answer, endpoints=2)
    # The two connections to the first endpoint hang; in turn, every other operation would join them.
    done = run_loop(
        server.addresses,
        [(GET, "key", 0)] * 250,
        lanes=8,
        connections=2,
        request_timeout_s=1.0,
        errors=ErrorPolicy(max_total_errors=1 << 30, error_rate_threshold=1e9),
    )
    assert [error[:4] for error in done.reins.errors()] == [("get", 0, "timeout", 2)]
    assert done.reins.counts()["get", 1][0] >= 200


def test_a_queue_for_one_endpoint_holds_up_nobody_who_wants_another(
    start_server: Callable[..., Any], run_loop: Callable[..., Any]
) -> None:
    """Three operations want the first endpoint, which has one connection and does not answer until the others are done."""
    first, second = key_of(0), key_of(1)
    rest = threading.Event()

    def answer(request: Any, _peer: Any) -> bytes:
        if request.endpoint == 0:
            rest.wait(20)
        elif sum(each.endpoint == 1 for each in server.requests) == 40:
            rest.set()
        return OK

    server = start_server(answer, endpoints=2)
    tasks = [(GET, first, 0)] * 3 + [(GET, second, 0)] * 40
    done = run_loop(server.addresses, tasks, lanes=4, connections=1, strategy="sticky")
    assert (done.reins.errors(), done.reins.counts()) == ([], {("get", 0): (3, 6), ("get", 1): (40, 80)})
    assert server.connections == 2
    # Whoever came first is first.
    assert [each.path for each in server.requests if each.endpoint == 0] == [f"/bench/{first}"] * 3


def test_lanes_in_line_end_with_the_window(
    start_server: Callable[..., Any], run_loop: Callable[..., Any]
) -> None:
    gate = Gate()
    gate.open.set()

    def slowly(request: Any, peer: Any) -> bytes:
        time.sleep(0.02)
        return gate.answer(request, peer)

    server = start_server(slowly, endpoints=1)
    done = run_loop(
        server.addresses, repeat((GET, "key", 0)), lanes=8, connections=1, end_ns=monotonic_ns() + 300_000_000
    )
    assert done.reins.errors() == []
    assert gate.most == {0: 1}
    assert done.reins.counts()["get", 0][0] == len(server.requests) >= 1


def test_the_wait_for_a_connection_is_in_the_response_and_not_in_the_service(
    start_server: Callable[..., Any], run_loop: Callable[..., Any]
) -> None:
    def slowly(_request: Any, _peer: Any) -> bytes:
        time.sleep(0.05)
        return OK

    server = start_server(slowly, endpoints=1)
    rate = RatePlan(100, "deterministic")
    done = run_loop(
        server.addresses,
        repeat((GET, "key", 0)),
        lanes=32,
        connections=1,
        rate=rate,
        duration_ns=600_000_000,
    )
    ((series,),) = [
        [each for each in series if each["op"] == "get"]
        for section, series in done.reins.totals.sections_wire().items()
        if section == "measured"
    ]
    # Five times as much comes as one connection can do: the queue grows, what the storage needs does not.
    assert series["response"]["max_ns"] > 3 * 50_000_000
    assert series["response"]["sum_ns"] > 2 * series["sum_ns"]
    wire = done.pacer.to_wire()
    assert wire["missed"] > 0
    assert wire["due"] >= series["count"]


def test_failures_make_room(start_server: Callable[..., Any], run_loop: Callable[..., Any]) -> None:
    def fail_at_first(request: Any, peer: Any) -> bytes | None:
        if len(server.requests) <= 10:
            peer.reset()
        return OK

    server = start_server(fail_at_first, endpoints=1)
    errors = ErrorPolicy(
        max_total_errors=1 << 30, error_rate_threshold=1e9, retry_on_error=True, initial_retry_delay_s=0.3
    )
    done = run_loop(server.addresses, [(GET, "key", 0)] * 40, lanes=12, connections=1, errors=errors)
    assert done.reins.counts() == {("get", 0): (40, 80)}
    assert sum(error[3] for error in done.reins.errors()) == 10


def test_an_endpoint_full_of_what_hangs_is_left_out_and_comes_back(
    start_server: Callable[..., Any], run_loop: Callable[..., Any]
) -> None:
    """Both connections of the first endpoint are stuck; it is left out, tried in vain, and back when one answers."""
    late = threading.Event()

    def answer(request: Any, _peer: Any) -> bytes:
        if request.endpoint == 0:
            late.wait(20)
        elif request.number % 50 == 0:
            time.sleep(0.05)
        if len(server.requests) > 900:
            late.set()
        return OK

    server = start_server(answer, endpoints=2)
    done = run_loop(
        server.addresses,
        [(GET, "key", 0)] * 1500,
        lanes=4,
        connections=2,
        endpoint_rules=EndpointRules(suspect_after_s=0.1, eject_time_s=0.1),
    )
    assert done.reins.errors() == []
    assert sum(number for number, _ in done.reins.counts().values()) == 1500
    assert server.connections == 4
