"""Whether the numbers are true, shown where the truth is known: on a network whose time is simulated.

Time passes only while the loop waits, and servers answer exactly when they are meant to. So every latency is known to
the nanosecond, and so is what happened at which server, whatever else the machine does meanwhile.
"""

from __future__ import annotations

import errno
import heapq
import socket
from collections import Counter, defaultdict, deque
from itertools import count
from random import Random
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, Callable

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pytest_sai3bench.agent import connection as connection_module
from pytest_sai3bench.agent import connections, http_lanes, http_loop, outgoing
from pytest_sai3bench.agent.balance import make_balancer
from pytest_sai3bench.agent.engine import Load
from pytest_sai3bench.agent.failures import make_rules
from pytest_sai3bench.agent.health import Health
from pytest_sai3bench.agent.http_loop import HttpLoop
from pytest_sai3bench.agent.messages import GET, OPERATIONS, STAT
from pytest_sai3bench.agent.pacing import Pacer, make_schedule
from pytest_sai3bench.agent.payload import Pool
from pytest_sai3bench.agent.policy import ErrorPolicy
from pytest_sai3bench.agent.poller import READ, WRITE
from pytest_sai3bench.agent.recorder import NEVER_NS, Segment, Totals, Window
from pytest_sai3bench.agent.s3_requests import S3Requests
from pytest_sai3bench.agent.tasks import ANYWHERE
from pytest_sai3bench.plan import model, work
from pytest_sai3bench.results.latency import Latency

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from pytest_sai3bench.agent.tasks import Task

US, MS, S = 1_000, 1_000_000, 1_000_000_000
PERCENTILES = (50, 90, 99, 99.9)
BUSY = b"HTTP/1.1 503 X\r\nContent-Length: 4\r\n\r\nBusy"
# A server that says no more; not the same as one that has nothing to say yet.
CLOSE = b""


def ok(size: int) -> bytes:
    return b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % size + bytes(size)


class Net:
    """Sockets, the poller and the clock of a simulated network; ``serve`` says what a server does about a request.

    It gets endpoint, number of the request on its connection and path, and returns when which bytes are sent: times in
    ns from now on, in ascending order.
    """

    def __init__(self, serve: Callable[[int, int, str], list[tuple[int, bytes]]]) -> None:
        self.now = 1_000 * S
        self._serve = serve
        self._events: list[tuple[int, int, Socket, bytes]] = []
        self._order = count()
        self.sockets: dict[int, Socket] = {}
        self._polls = 0

    def clock(self) -> int:
        return self.now

    def ask(self, sock: Socket, path: str) -> None:
        # Who has closed a connection sees nothing of what is still sent over it.
        if sock.ends:
            return
        for delay_ns, data in self._serve(sock.endpoint, sock.requests, path):
            sock.ends = data == CLOSE
            heapq.heappush(self._events, (self.now + delay_ns, next(self._order), sock, data))

    # The poller

    def register(self, fd: int, mask: int) -> None:
        self.sockets[fd].watched = mask

    modify = register

    def unregister(self, fd: int) -> None:
        del self.sockets[fd]

    def poll(self, timeout_s: float, _most: int) -> list[tuple[int, int]]:
        until = self.now + round(timeout_s * S)
        self._polls += 1
        assert self._polls < 100_000, "the loop does not come to its end"
        while not (ready := [(fd, mask) for fd, sock in self.sockets.items() if (mask := sock.ready())]):
            if not self._events or self._events[0][0] > until:
                self.now = until
                break
            # All that happens at one instant.
            self.now = self._events[0][0]
            while self._events and self._events[0][0] == self.now:
                _, _, sock, data = heapq.heappop(self._events)
                sock.arrive(data)
        return ready

    def close(self) -> None:
        assert not self.sockets


class Socket:
    """A client's socket that takes and gives everything at once."""

    def __init__(self, net: Net, fd: int) -> None:
        self._net = net
        self._fd = fd
        self._inbox: deque[bytes] = deque()
        self.watched = 0
        self.requests = 0
        self.endpoint = -1
        self.ends = False
        net.sockets[fd] = self

    def connect_ex(self, address: tuple[str, int]) -> int:
        self.endpoint = address[1]
        return errno.EINPROGRESS

    def fileno(self) -> int:
        return self._fd

    def ready(self) -> int:
        return self.watched & (READ if self._inbox else 0) | self.watched & WRITE

    def arrive(self, data: bytes) -> None:
        self._inbox.append(data)

    def send(self, data: bytes) -> int:
        self.requests += 1
        self._net.ask(self, bytes(data).split(b" ")[1].decode())
        return len(data)

    def recv_into(self, view: memoryview, _most: int = 0, _flags: int = 0) -> int:
        if not self._inbox:
            raise BlockingIOError
        data = self._inbox[0]
        # The end comes again, as often as it is asked for.
        if data != CLOSE:
            del self._inbox[0]
        view[: len(data)] = data
        return len(data)

    def getsockopt(self, *_: object) -> int:
        return 0

    def getpeername(self) -> tuple[str, int]:
        return "h", self.endpoint

    def getsockname(self) -> tuple[str, int]:
        return "here", self._fd

    def setblocking(self, *_: object) -> None: ...

    def setsockopt(self, *_: object) -> None: ...

    def close(self) -> None: ...


class Run:
    """A loop led over a simulated network; segments are kept as they were handed over."""

    def __init__(self, net: Net, endpoints: int, lanes: int, request_timeout_s: float = 1000.0) -> None:
        self._net = net
        self._endpoints = endpoints
        requests = [
            S3Requests({"host": "h", "port": 80, "bucket": "b", "prefix": ""}, None) for _ in range(endpoints)
        ]
        self._loop = HttpLoop(
            requests,
            [(socket.AF_INET, ("h", number)) for number in range(endpoints)],
            lanes=lanes,
            pool=Pool(1),
            connect_timeout_s=10,
            request_timeout_s=request_timeout_s,
        )
        self._stop_ns = NEVER_NS
        self.segments: list[Segment] = []
        self.totals = Totals(endpoints, times_first_byte=True)
        self.done: deque[Segment] = deque()

    def check(self, now_ns: int) -> bool:
        while self.done:
            self.segments.append(self.done.popleft())
            self.totals.add(self.segments[-1])
        return now_ns >= self._stop_ns

    def go(
        self,
        tasks: Iterable[Task],
        *,
        warmup_ns: int = 0,
        length_ns: int = NEVER_NS,
        rate: work.RatePlan | None = None,
        errors: model.ErrorPolicy = model.ErrorPolicy(max_total_errors=1 << 30, error_rate_threshold=1e9),  # noqa: B008
        stop_after_ns: int = NEVER_NS,
    ) -> int:
        """Carry tasks out and return the number of those that a stop cut off."""
        self._loop.open()
        self.began = began = self._net.now
        self._stop_ns = min(NEVER_NS, began + stop_after_ns)
        source = iter(tasks)
        balancer = make_balancer("round_robin", self._endpoints, 0, threads=False)
        patient = model.EndpointRules(failure="continue", eject_after=1 << 30, suspect_after_s=1e6)
        health = Health(make_rules(patient.to_wire()), balancer, self._endpoints, began)
        self.policy = ErrorPolicy(errors.to_wire(), Random(1), health)
        measured = began + warmup_ns
        self.window = Window(began, measured, min(NEVER_NS, measured + length_ns))
        self.pacer = Pacer(make_schedule(rate.to_wire(), began, Random(1)), self.window) if rate else None
        load = Load(
            SimpleNamespace(take=lambda: next(source, None)),
            self.window,
            self.done,
            balancer,
            self.policy,
            health,
            self,
            self.pacer,
        )
        cut_off = self._loop.run(load)
        self._loop.close()
        self.check(0)
        return cut_off

    def latency(self, name: str = "") -> Latency:
        """Return the latencies of all operations, or their ``response`` or ``ttfb``."""
        parts = []
        for series in self.totals.sections_wire().values():
            for wire in series:
                part: Any = wire[name] if name else wire  # type: ignore[literal-required]
                one: Any = wire if part == "latency" else part
                counts = dict(zip(one["index"], one["counts"]))
                parts.append(Latency(counts, one["sum_ns"], one["min_ns"], one["max_ns"]))
        return Latency.total(parts)


@pytest.fixture
def make_net(monkeypatch: pytest.MonkeyPatch) -> Callable[..., Net]:
    """Return ``make_net(serve)``: the network on which loops that are made after it live."""

    def make(serve: Callable[[int, int, str], list[tuple[int, bytes]]]) -> Net:
        net, fds = Net(serve), count(100)
        for module in (http_lanes, http_loop, connection_module, connections, outgoing):
            monkeypatch.setattr(module, "monotonic_ns", net.clock)
        names = ("SOCK_STREAM", "IPPROTO_TCP", "TCP_NODELAY", "SOL_SOCKET", "SO_ERROR")
        faked: Any = {name: getattr(socket, name) for name in names}
        faked["socket"] = lambda *_: Socket(net, next(fds))
        monkeypatch.setattr(connections, "socket", SimpleNamespace(**faked))
        monkeypatch.setattr(connections, "make_poller", lambda: net)
        return net

    return make


def gets() -> Iterator[Task]:
    for number in count():
        yield (GET, f"{number}", 0, None, ANYWHERE)


def true_percentile(samples: list[int], percent: float) -> int:
    return sorted(samples)[max(1, int(percent * len(samples) / 100 + 0.5)) - 1]


def assert_true(found: Latency, samples: list[int]) -> None:
    assert (found.count, found.sum_ns) == (len(samples), sum(samples))
    assert (found.min_ns, found.max_ns) == (min(samples), max(samples))
    for percent in PERCENTILES:
        true = true_percentile(samples, percent)
        # Three significant digits, and never too low.
        assert true <= found.percentile_ns(percent) <= true * 1025 // 1024


def test_percentiles_are_those_of_the_servers_delays(make_net: Callable[..., Net]) -> None:
    rng = Random(3)
    delays: list[int] = []
    firsts: list[int] = []

    def serve(_endpoint: int, _number: int, path: str) -> list[tuple[int, bytes]]:
        # Most in a millisecond or so, a few in seconds, and no two alike.
        first = int(rng.lognormvariate(0, 0.5) * MS) + (rng.randrange(3 * S) if rng.random() < 0.01 else 0)
        firsts.append(first)
        whole = ok(int(path.rpartition("/")[2]) % 3000)
        if rng.random() < 0.5:
            delays.append(first)
            return [(first, whole)]
        delays.append(first + rng.randrange(1, 2 * MS))
        cut = rng.randrange(1, len(whole))
        return [(first, whole[:cut]), (delays[-1], whole[cut:])]

    run = Run(make_net(serve), endpoints=3, lanes=16)
    tasks = gets()

    run.go(next(tasks) for _ in range(6_000))

    assert_true(run.latency(), delays)
    assert_true(run.latency("ttfb"), firsts)


@pytest.mark.parametrize("lanes", [64, 8])
def test_a_stall_under_a_rate_shows_as_theory_has_it(make_net: Callable[..., Net], lanes: int) -> None:
    per_s, length, service = 1_000, 10 * S, MS
    stall, end = 3 * S, 5 * S

    def answered(begun: int) -> int:
        """Return when a request that begins at an instant is answered; both from the begin of the run on."""
        return (end if stall <= begun < end else begun) + service

    def serve(*_: object) -> list[tuple[int, bytes]]:
        begun = net.now - run.began
        return [(answered(begun) - begun, ok(1))]

    net = make_net(serve)
    run = Run(net, endpoints=1, lanes=lanes)
    # The same by itself: a queue with so many servers, first come, first served.
    free = [0] * lanes
    services, responses = [], []
    for number in range(per_s * length // S):
        due = number * S // per_s
        begun = max(due, heapq.heappop(free))
        heapq.heappush(free, answered(begun))
        services.append(answered(begun) - begun)
        responses.append(answered(begun) - due)

    run.go(gets(), length_ns=length, rate=work.RatePlan(per_s, "deterministic"))

    assert run.pacer is not None
    assert (run.pacer.due, run.pacer.missed) == (len(responses), 0)
    assert_true(run.latency("response"), responses)
    assert_true(run.latency(), services)
    # Of all operations, a share of (stall - x) / length has to wait longer than x, besides the wait for those before.
    backlog = (end - stall) * per_s // S * service // lanes
    for percent in (85, 90, 95, 99):
        wait = end - stall - int((100 - percent) / 100 * length)
        assert (
            wait * 0.99 <= run.latency("response").percentile_ns(percent) <= wait * 1.01 + backlog + service
        )
    # From the send on, those that were in flight have waited, and no others.
    slow = sum(number > 100 * MS for number in services)
    assert slow == lanes
    assert run.latency().percentile_ns(99) <= 2 * service


OUTCOMES = ("ok", "http-503", "closed", "timeout")


def test_totals_are_what_the_servers_saw_to_the_last_request(make_net: Callable[..., Net]) -> None:
    rng = Random(5)
    seen: Counter[tuple[int, str]] = Counter()
    sections: defaultdict[str, Counter[tuple[str, int]]] = defaultdict(Counter)
    ticks: Counter[int] = Counter()
    repeated = 0

    def serve(endpoint: int, number: int, path: str) -> list[tuple[int, bytes]]:
        nonlocal repeated
        delay, dice = rng.randrange(1, 60) * MS, rng.random()
        if dice < 0.05:
            seen[endpoint, "http-503"] += 1
            return [(delay, BUSY)]
        if dice < 0.1:
            # A kept connection that ends without an answer is no error, and its request comes again.
            if number > 1:
                repeated += 1
            else:
                seen[endpoint, "closed"] += 1
            return [(delay, CLOSE)]
        if dice < 0.13:
            seen[endpoint, "closed"] += 1
            return [(delay, ok(500)[:100]), (delay, CLOSE)]
        if dice < 0.14:
            seen[endpoint, "timeout"] += 1
            return []
        if dice < 0.17:
            # So slow that some of them are under way at the end of the window.
            delay += rng.randrange(700) * MS
        size = int(path.rpartition("/")[2]) % 777
        seen[endpoint, "ok"] += 1
        section = run.window.section(net.now + delay)
        sections[section][("get", endpoint)] += 1
        sections[section][("bytes", endpoint)] += size
        ticks[(net.now + delay - run.began) // S] += 1
        return [(delay, ok(size))]

    net = make_net(serve)
    run = Run(net, endpoints=3, lanes=20, request_timeout_s=1.0)
    retries = model.ErrorPolicy(
        max_total_errors=1 << 30, error_rate_threshold=1e9, retry_on_error=True, max_retries=2
    )

    cut_off = run.go(gets(), warmup_ns=S + 1, length_ns=5 * S, errors=retries)

    assert (cut_off, repeated > 0, {outcome for _, outcome in seen}) == (0, True, set(OUTCOMES))
    found: Counter[tuple[int, str]] = Counter()
    for wire in (wire for series in run.totals.sections_wire().values() for wire in series):
        found[wire["endpoint"], "ok"] += wire["count"]
    for error in run.totals.errors_wire():
        found[error["endpoint"], error["kind"]] += error["count"]
    assert found == seen
    assert run.policy.retries > 0
    # When it completed decides about where it counts: the tail is what was under way at the end.
    by_section = {
        section: Counter(
            {
                (kind, wire["endpoint"]): value
                for wire in _merged(series)
                for kind, value in (("get", wire["count"]), ("bytes", wire["bytes"]))
            }
        )
        for section, series in run.totals.sections_wire().items()
    }
    assert by_section == sections
    assert set(sections) == {"warmup", "measured", "tail"}
    by_tick: Counter[int] = Counter()
    for segment in run.segments:
        alone = Totals(3, times_first_byte=True)
        alone.add(segment)
        for wire in (wire for series in alone.sections_wire().values() for wire in series):
            by_tick[segment.tick] += wire["count"]
    assert by_tick == ticks


def _merged(series: Iterable[Any]) -> list[dict[str, int]]:
    """Return count and bytes of each endpoint, all sizes together."""
    found: dict[int, dict[str, int]] = {}
    for wire in series:
        one = found.setdefault(wire["endpoint"], {"endpoint": wire["endpoint"], "count": 0, "bytes": 0})
        one["count"] += wire["count"]
        one["bytes"] += wire["bytes"]
    return list(found.values())


def test_a_stop_cuts_off_what_is_not_answered_a_second_later_and_nothing_else(
    make_net: Callable[..., Net],
) -> None:
    rng = Random(7)
    answered: list[int] = []
    asked: list[str] = []

    def serve(_endpoint: int, _number: int, path: str) -> list[tuple[int, bytes]]:
        asked.append(path)
        delay = rng.randrange(1, 20) * MS if rng.random() < 0.95 else rng.randrange(5) * S
        answered.append(net.now + delay)
        return [(delay, b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n")]

    net = make_net(serve)
    run = Run(net, endpoints=2, lanes=10)

    cut_off = run.go(((STAT, task[1], 0, None, ANYWHERE) for task in gets()), stop_after_ns=3 * S)

    # The loop looks every 50 ms, so what was answered meanwhile counts.
    ended = net.now - run.began
    assert 4 * S < ended <= 4 * S + 200 * MS
    late = sum(instant > net.now for instant in answered)
    assert (cut_off, late > 0) == (late, True)
    [done] = [sum(wire["count"] for wire in series) for series in run.totals.sections_wire().values()]
    assert done == len(asked) - cut_off
    assert run.totals.errors_wire() == []
    assert {wire["op"] for wire in run.totals.sections_wire()["measured"]} == {OPERATIONS[STAT]}


LARGE = 10_000
VALID = {
    "length": ok(LARGE),
    "chunked": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2710\r\n%b\r\n0\r\n\r\n" % bytes(LARGE),
    "until close": b"HTTP/1.1 200 OK\r\nServer: x\r\n\r\n" + bytes(LARGE),
}
SMALL = (
    b"HTTP/1.1 200 OK\r\nContent-Length: 11\r\n\r\nhello world",
    b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n6;x=y\r\nhello \r\n5\r\nworld\r\n0\r\nA: b\r\n\r\n",
    b"HTTP/1.1 200 OK\r\nServer: x\r\n\r\nhello world",
    b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 206 X\r\nContent-Length: 2\r\n\r\nok",
    b"HTTP/1.1 503 X\r\nContent-Length: 4\r\n\r\nBusy",
    b"HTTP/1.1 200 OK\r\nA: " + b"x" * 70_000 + b"\r\n\r\n",
    b"\x15\x03\x01\x00\x02\x02\x0a",
)
cuts = st.lists(st.integers(0, 1 << 20), max_size=6)
behaviours = st.one_of(
    st.tuples(st.sampled_from(sorted(VALID)), cuts),
    # Damaged in up to three places: something put in the place of something else.
    st.tuples(
        st.sampled_from(SMALL),
        cuts,
        st.lists(st.tuples(st.integers(0, 200), st.integers(0, 3), st.binary(max_size=3)), max_size=3),
    ),
    # The beginning of an answer, and then nothing any more, or the end.
    st.tuples(st.just("begin"), st.integers(0, 60), st.booleans()),
)


@settings(deadline=None, max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(behaviours, min_size=1, max_size=40), st.integers(1, 5))
def test_whatever_servers_say_the_run_ends_and_each_operation_is_counted_once(
    make_net: Callable[..., Net], script: list[Any], lanes: int
) -> None:
    valid = 0

    def pieces(data: bytes, places: list[int]) -> list[tuple[int, bytes]]:
        borders = sorted({0, len(data), *(place % len(data) for place in places)})
        return [
            ((number + 1) * US, data[start:end])
            for number, (start, end) in enumerate(zip(borders, borders[1:]))
        ]

    def serve(_endpoint: int, _number: int, path: str) -> list[tuple[int, bytes]]:
        nonlocal valid
        behaviour = script[int(path.rpartition("/")[2])]
        if behaviour[0] == "begin":
            _, length, closes = behaviour
            begun = [(US, ok(5)[:length])] if length % 40 else []
            return [*begun, (MS, CLOSE)] if closes else begun
        if len(behaviour) == 2:
            valid += 1
            answer = pieces(VALID[behaviour[0]], behaviour[1])
            return [*answer, (MS, CLOSE)] if behaviour[0] == "until close" else answer
        data, places, damages = behaviour
        for place, cut, put in damages:
            at = place % len(data)
            data = data[:at] + put + data[at + cut :] or b"?"
        return [*pieces(data, places), (MS, CLOSE)]

    net = make_net(serve)
    run = Run(net, endpoints=2, lanes=lanes, request_timeout_s=2.0)

    cut_off = run.go((GET, f"{number}", 0, None, ANYWHERE) for number in range(len(script)))

    found = Counter[bool]()
    for wire in (wire for series in run.totals.sections_wire().values() for wire in series):
        found[wire["bucket"] == 2] += wire["count"]
        if wire["bucket"] == 2:
            assert wire["bytes"] == wire["count"] * LARGE
    errors = sum(error["count"] for error in run.totals.errors_wire())
    # All that was right is counted, and for everything else there is one error, or the few bytes that came.
    assert found[True] == valid
    assert (found.total() + errors, cut_off) == (len(script), 0)
