from __future__ import annotations

import os
import threading
from collections import Counter
from itertools import count, repeat
from random import Random
from time import monotonic_ns
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_sai3bench.agent import file_engine, file_operations
from pytest_sai3bench.agent.gates import Gate, Guarded, Line
from pytest_sai3bench.agent.large import LARGE, Large, Ranges
from pytest_sai3bench.agent.messages import GET, STAT
from pytest_sai3bench.agent.placement import Placement
from pytest_sai3bench.agent.pools import NamePool
from pytest_sai3bench.agent.prepared_objects import Known
from pytest_sai3bench.agent.sigv4 import Credentials
from pytest_sai3bench.agent.sources import Mix
from pytest_sai3bench.agent.tasks import ANYWHERE
from pytest_sai3bench.plan.bounds import divide_bounds
from pytest_sai3bench.plan.model import Endpoint, EndpointRules, ErrorPolicy, Origin
from pytest_sai3bench.plan.work import RatePlan, StagePlan

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
EMPTY = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"
# What is held until enough is in flight is held no longer than this: then the test fails by what it counts.
PATIENCE_S = 20


class Flights:
    """Counts operations in flight by kind; holds each kind in ``until`` until so many of it are in flight."""

    def __init__(self, until: dict[str, int]) -> None:
        self._until = until
        self._reached = {kind: threading.Event() for kind in until}
        self._now: Counter[str] = Counter()
        self._lock = threading.Lock()
        self.most: Counter[str] = Counter()

    def begin(self, kind: str) -> None:
        with self._lock:
            self._now[kind] += 1
            self._now["all"] += 1
            for each in (kind, "all"):
                self.most[each] = max(self.most[each], self._now[each])
            if self._now[kind] == self._until.get(kind):
                self._reached[kind].set()
        if kind in self._reached:
            self._reached[kind].wait(PATIENCE_S)

    def end(self, kind: str) -> None:
        with self._lock:
            self._now[kind] -= 1
            self._now["all"] -= 1

    def answer(self, request: Any, _peer: Any) -> bytes:
        if "list-type" in request.path:
            return EMPTY
        kind = "stat" if request.method == "HEAD" else "get"
        self.begin(kind)
        self.end(kind)
        return EMPTY


def guarded(op: int, keys: Iterator[str], *gates: Gate) -> Iterator[Guarded]:
    return (Guarded((op, key, 0, None, ANYWHERE), gates) for key in keys)


@given(st.data())
def test_a_line_is_fair_and_keeps_to_its_gates(data: st.DataObject) -> None:
    shared = Gate(3)
    entries = [(Gate(2), shared), (shared,), (Gate(4),)]
    line: Line[int] = Line()
    inside: list[tuple[int, Guarded]] = []
    waiting: dict[int, list[Guarded]] = {0: [], 1: [], 2: []}
    for number, step in enumerate(data.draw(st.lists(st.integers(0, 5), max_size=60))):
        if step < 3:
            task = Guarded((GET, str(number), 0, None, ANYWHERE), entries[step])
            if task.enter():
                inside.append((step, task))
            else:
                line.put(task, step)
                waiting[step].append(task)
        elif inside:
            inside.pop(0)[1].leave(succeeded=True)
            while first := line.pop():
                task, entry = first
                assert task is waiting[entry].pop(0)
                inside.append((entry, task))
        counts = Counter(entry for entry, _ in inside)
        assert (counts[0] <= 2, counts[0] + counts[1] <= 3, counts[2] <= 4) == (True, True, True)
        assert len(line) == sum(map(len, waiting.values()))
        # Nobody waits who might begin.
        assert not waiting[0] or counts[0] == 2 or counts[0] + counts[1] == 3
        assert not waiting[1] or counts[0] + counts[1] == 3
        assert not waiting[2] or counts[2] == 4
    assert sorted(line.clear()) == sorted((task, entry) for entry, tasks in waiting.items() for task in tasks)
    assert len(line) == 0


@pytest.mark.parametrize("logged", [False, True])
@pytest.mark.parametrize("connections", [0, 5])
def test_operations_wait_for_their_gates_and_none_is_lost(
    start_server: Callable[..., Any], run_loop: Callable[..., Any], *, connections: int, logged: bool
) -> None:
    flights = Flights({"get": 2})
    server = start_server(flights.answer, endpoints=2)
    names = map(str, count())
    gets, stats = guarded(GET, names, Gate(2)), guarded(STAT, names, Gate(3))
    tasks = [next(source) for _ in range(150) for source in (gets, gets, stats)]
    noted: list[Any] = []
    log = SimpleNamespace(add=lambda *entry: noted.append(entry)) if logged else None
    done = run_loop(server.addresses, tasks, lanes=8, connections=connections, op_log=log, gated=True)
    assert done.reins.errors() == []
    assert {request.path for request in server.requests} == {f"/bench/{n}" for n in range(450)}
    assert len(server.requests) == 450
    assert flights.most["get"] == 2
    assert flights.most["stat"] <= 3
    # A log has each of them once.
    assert sorted(int(entry[3]) for entry in noted) == (list(range(450)) if logged else [])


def test_an_operation_that_fails_leaves_its_gate(
    start_server: Callable[..., Any], run_loop: Callable[..., Any]
) -> None:
    server = start_server(lambda *_: OK)
    server.refuse(0)
    rules = ErrorPolicy(max_total_errors=1 << 30, error_rate_threshold=1e9)
    tasks = guarded(GET, map(str, range(50)), Gate(1))
    done = run_loop(server.addresses, tasks, lanes=4, errors=rules, gated=True)
    assert [error[:4] for error in done.reins.errors()] == [("get", 0, "refused", 50)]


def test_an_operation_keeps_its_place_while_it_is_tried_again(
    start_server: Callable[..., Any], run_loop: Callable[..., Any]
) -> None:
    busy = b"HTTP/1.1 503 Slow Down\r\nContent-Length: 0\r\n\r\n"
    server = start_server(lambda request, _: busy if request.number % 3 else OK)
    rules = ErrorPolicy(
        max_total_errors=1 << 30,
        error_rate_threshold=1e9,
        retry_on_error=True,
        max_retries=1 << 10,
        initial_retry_delay_s=0.0,
    )
    tasks = guarded(GET, map(str, range(20)), Gate(1))
    done = run_loop(server.addresses, tasks, lanes=4, errors=rules, gated=True)
    assert done.reins.counts()["get", 0][0] == 20
    # One after another: whoever is tried again is not overtaken.
    paths = [request.path for request in server.requests]
    assert list(dict.fromkeys(paths)) == [f"/bench/{n}" for n in range(20)]
    assert paths == sorted(paths, key=lambda path: int(path.rpartition("/")[2]))


@pytest.mark.parametrize(("how", "connections"), [("reset", 0), ("stall", 3)])
def test_no_gate_stays_shut_where_an_endpoint_fails(
    start_server: Callable[..., Any], run_loop: Callable[..., Any], how: str, connections: int
) -> None:
    """Whatever becomes of operations at the endpoint: each is counted once, and nothing waits for ever."""

    def answer(request: Any, peer: Any) -> bytes:
        if request.endpoint == 0 and len(server.requests) > 20:
            getattr(peer, how)()
        return EMPTY

    server = start_server(answer, endpoints=3)
    gets, stats, both = Gate(4), Gate(5), Gate(6)
    names = map(str, count())
    sources = [guarded(GET, names, gets, both), guarded(STAT, names, stats, both), guarded(GET, names, both)]
    done = run_loop(
        server.addresses,
        [next(source) for _ in range(200) for source in sources],
        lanes=12,
        connections=connections,
        gated=True,
        request_timeout_s=1.0,
        endpoint_rules=EndpointRules("eject", eject_after=3, eject_time_s=60, suspect_after_s=0.3),
        errors=ErrorPolicy(max_total_errors=1 << 30, error_rate_threshold=1e9),
    )
    failed = sum(error[3] for error in done.reins.errors())
    assert failed > 0
    assert sum(number for number, _ in done.reins.counts().values()) + failed == 600
    assert (gets.inside, stats.inside, both.inside) == (0, 0, 0)


def test_lanes_that_rest_help_with_the_parts_of_large_objects(
    start_server: Callable[..., Any], run_loop: Callable[..., Any]
) -> None:
    """One object at a time, in four ranges at a time: the lanes of the others, which wait, carry these."""
    held = threading.Event()
    flying: set[str] = set()
    most: set[tuple[str, ...]] = set()
    parts: Counter[str] = Counter()
    lock = threading.Lock()

    def answer(request: Any, _peer: Any) -> bytes:
        first, last = (
            int(part)
            for part in request.head.lower().partition("range: bytes=")[2].split("\r\n")[0].split("-")
        )
        with lock:
            parts[request.path] += 1
            flying.add(request.path)
            most.add(tuple(sorted(flying)))
            if parts["/bench/0"] == 4:
                held.set()
        if request.path == "/bench/0":
            held.wait(PATIENCE_S)
        with lock:
            parts["done " + request.path] += 1
            if parts["done " + request.path] == 8:
                flying.discard(request.path)
        head = f"HTTP/1.1 206 Partial Content\r\nContent-Range: bytes {first}-{last}/800\r\n"
        return f"{head}Content-Length: {last + 1 - first}\r\n\r\n".encode() + bytes(last + 1 - first)

    server = start_server(answer)
    gate = Gate(1)
    large = Large(Ranges(100, 4), None)
    tasks = [Guarded((GET | LARGE, str(n), 800, large, ANYWHERE), (gate,)) for n in range(6)]
    done = run_loop(server.addresses, tasks, lanes=4, gated=True)
    assert done.reins.errors() == []
    assert done.reins.counts_of("whole") == {("get", 0): (6, 4800)}
    assert done.reins.counts_of("part") == {("get", 0): (48, 4800)}
    assert most == {(f"/bench/{n}",) for n in range(6)}
    assert gate.inside == 0


@pytest.mark.parametrize("how", ["end", "stop"])
def test_operations_in_line_end_with_the_window(
    how: str, start_server: Callable[..., Any], run_loop: Callable[..., Any]
) -> None:
    """Of what a rate asked for, those that stood in line to the end were missed."""
    server = start_server(lambda _, peer: peer.stall())
    tasks = (Guarded((GET, str(n), 0, None, ANYWHERE), (gate,)) for gate in repeat(Gate(1)) for n in count())
    limits: dict[str, Any] = (
        {"duration_ns": 500_000_000} if how == "end" else {"stop_when": lambda: len(server.requests) == 1}
    )
    done = run_loop(
        server.addresses,
        tasks,
        lanes=4,
        rate=RatePlan(1000, "deterministic"),
        request_timeout_s=1.0,
        gated=True,
        **limits,
    )
    assert len(server.requests) == 1
    assert done.pacer.due - done.pacer.missed == 1


def test_the_order_of_operations_is_the_same_with_gates(make_op: Callable[..., Any]) -> None:
    """The mix follows from the seed and the weights alone."""

    def drawn(most: int, together: int) -> list[tuple[Any, ...]]:
        operations = [make_op("get", "a", 3, most=most).to_wire(), make_op("stat", "a", 1).to_wire()]
        pool = NamePool(map(str, range(100)))
        placement = Placement("shared", 1, 0, 1, [(0, 1)])
        mix = Mix(
            operations,
            [pool, pool],
            worker=0,
            workers=1,
            placement=placement,
            rng=Random(3),
            base=0,
            known=Known(),
            together=together,
        )
        return [tuple(mix.take() or ()) for _ in range(500)]

    assert drawn(2, 0) == drawn(0, 1) == drawn(0, 0)


@pytest.mark.parametrize("engine", ["default", "boto3", "file"])
def test_bounds_hold_below_and_above_the_number_of_all(
    engine: str,
    start_server: Callable[..., Any],
    *,
    make_run: Callable[..., Any],
    make_op: Callable[..., Any],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Gets have lanes of their own, six; stats share the two of the others, though only one at a time is let through."""
    flights = Flights({"get": 6, "stat": 1})
    plans = [make_op("get", "a", 3, most=6), make_op("stat", "a", 1, most=1)]
    bounds = divide_bounds(plans, 2, process=0, processes=1)
    assert (bounds.lanes, bounds.together) == (7, 1)
    ended = Counter[str]()

    def is_over() -> bool:
        return flights.most["get"] == 6 and ended["get"] > 100

    if engine == "file":
        (tmp_path / "a").write_bytes(b"x")
        endpoint = Endpoint(f"file://{tmp_path}/", "file", Origin("", ""), root=f"{tmp_path}/")

        def watch(kind: str, call: Callable[..., Any]) -> Callable[..., Any]:
            def watched(*arguments: Any, **more: Any) -> Any:
                flights.begin(kind)
                try:
                    return call(*arguments, **more)
                finally:
                    flights.end(kind)
                    ended[kind] += 1

            return watched

        monkeypatch.setattr(file_engine, "read_file", watch("get", file_operations.read_file))
        fake = SimpleNamespace(**{**vars(os), "stat": watch("stat", os.stat)})
        monkeypatch.setattr(file_engine, "os", fake)
    else:

        def answer(request: Any, peer: Any) -> bytes:
            ready = request.path.startswith("/bench/a") and started.is_set()
            reply = flights.answer(request, peer) if ready else EMPTY
            ended[{"GET": "get", "HEAD": "stat"}[request.method]] += 1
            return reply

        server = start_server(answer)
        host, port = server.addresses[0]
        endpoint = Endpoint("s3://x/bench/", "s3", Origin("", ""), host=host, port=port, bucket="bench")
    stage = StagePlan(
        "workload",
        duration_s=PATIENCE_S,
        operations=bounds.operations,
        lanes=bounds.lanes,
        together=bounds.together,
    )
    started = threading.Event()
    run = make_run(
        [endpoint],
        [stage],
        Credentials("access", "secret", "us-east-1"),
        lanes=2,
        engine="boto3" if engine == "boto3" else "default",
    )
    assert run.check() == [("", "")]
    result = run.stage(0, stop_when=is_over, once_ready=started.set)
    assert (result["outcome"], result["errors"]) == ("aborted", [])
    assert (flights.most["get"], flights.most["stat"]) == (6, 1)
    assert flights.most["all"] <= 7


def test_lanes_that_stand_in_line_end_with_the_window(
    make_run: Callable[..., Any],
    make_op: Callable[..., Any],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The one operation that was let through is still under way at the end; the others had no chance, and were missed."""
    (tmp_path / "a").write_bytes(b"x")
    endpoint = Endpoint(f"file://{tmp_path}/", "file", Origin("", ""), root=f"{tmp_path}/")
    over = threading.Event()

    def read(*_: Any, **__: Any) -> int:
        over.wait(PATIENCE_S)
        return 1

    monkeypatch.setattr(file_engine, "read_file", read)
    stage = StagePlan(
        "workload",
        duration_s=0.3,
        operations=(make_op("get", "a", most=1),),
        rate=RatePlan(1000, "deterministic"),
    )
    run = make_run([endpoint], [stage])
    assert run.check() == [("", "")]
    ends_ns: list[int] = []

    def let_go() -> bool:
        # The first call is that of the start.
        ends_ns.append(monotonic_ns() + 500_000_000)
        if monotonic_ns() > ends_ns[0]:
            over.set()
        return False

    result = run.stage(0, stop_when=let_go)
    assert (run.reins.counts(), result["errors"]) == ({("get", 0): (1, 1)}, [])
    assert result["pacing"]["due"] - result["pacing"]["missed"] == 1
