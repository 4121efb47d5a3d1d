from __future__ import annotations

import socket
import struct
import threading
from collections import Counter, deque
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field, replace
from random import Random
from time import monotonic_ns
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

import pytest

from pytest_sai3bench.agent.balance import Balancer, make_balancer
from pytest_sai3bench.agent.crowding import bounded
from pytest_sai3bench.agent.engine import Load
from pytest_sai3bench.agent.failures import make_rules
from pytest_sai3bench.agent.gates import Guarded
from pytest_sai3bench.agent.health import Health
from pytest_sai3bench.agent.loops import choose_loop
from pytest_sai3bench.agent.messages import SECTIONS
from pytest_sai3bench.agent.pacing import Pacer, make_schedule
from pytest_sai3bench.agent.payload import Pool
from pytest_sai3bench.agent.policy import ErrorPolicy
from pytest_sai3bench.agent.recorder import NEVER_NS, Totals, Window
from pytest_sai3bench.agent.s3_requests import S3Requests
from pytest_sai3bench.agent.sigv4 import Credentials
from pytest_sai3bench.agent.stages import Worker
from pytest_sai3bench.agent.tasks import ANYWHERE
from pytest_sai3bench.plan import model, work

if TYPE_CHECKING:
    import ssl
    from collections.abc import Callable, Iterable, Iterator

    from pytest_sai3bench.agent.http_loop import HttpLoop
    from pytest_sai3bench.agent.op_log import OpLog
    from pytest_sai3bench.agent.recorder import Segment
    from pytest_sai3bench.agent.tasks import Task
    from pytest_sai3bench.agent.tls import TlsClient, TlsSettings

KEYS = Credentials("access", "secret", "us-east-1")
SIZE = work.SizePlan("fixed", 1000, 1000)
# No answer in a test may take longer; nothing waits for it when all is well.
PATIENCE_S = 20.0
# Tests that are not about silence are not to see any, however busy the machine is.
PATIENT = model.EndpointRules(suspect_after_s=PATIENCE_S)


class Reins:
    """The control of a stage as the controller has it; stops when ``stop_when`` says so."""

    def __init__(
        self, endpoints: int, stop_when: Callable[[], bool] = lambda: False, *, times_first_byte: bool = True
    ) -> None:
        self.done: deque[Segment] = deque()
        self.totals = Totals(endpoints, times_first_byte=times_first_byte)
        self.segments: list[Segment] = []
        self._stop_when = stop_when

    def check(self, now_ns: int) -> bool:
        while self.done:
            segment = self.done.popleft()
            self.segments.append(segment)
            self.totals.add(segment)
        return self._stop_when()

    def counts(self, *sections: str) -> dict[tuple[str, int], tuple[int, int]]:
        """Return operations and bytes by operation and endpoint."""
        found: dict[tuple[str, int], tuple[int, int]] = {}
        for section, series in self.totals.sections_wire().items():
            for wire in series:
                if section in (sections or SECTIONS):
                    count, size = found.get((wire["op"], wire["endpoint"]), (0, 0))
                    found[wire["op"], wire["endpoint"]] = (count + wire["count"], size + wire["bytes"])
        return found

    def counts_of(self, role: str) -> dict[tuple[str, int], tuple[int, int]]:
        """Return as `counts` does, but only what has one of the roles of `messages.ROLES`."""
        found: dict[tuple[str, int], tuple[int, int]] = {}
        for series in self.totals.sections_wire().values():
            for wire in series:
                if wire["role"] == role:
                    count, size = found.get((wire["op"], wire["endpoint"]), (0, 0))
                    found[wire["op"], wire["endpoint"]] = (count + wire["count"], size + wire["bytes"])
        return found

    def errors(self) -> list[tuple[str, int, str, int, str]]:
        """Return operation, endpoint, kind, number and first text of all failures."""
        return [
            (each["op"], each["endpoint"], each["kind"], each["count"], each["sample"])
            for each in self.totals.errors_wire()
        ]


@dataclass
class Run:
    """A worker led through its stages as the controller would do it."""

    plan: model.WorkerPlan
    credentials: Credentials | None = None
    tls: TlsSettings | None = None
    reins: Reins = field(init=False)
    worker: Worker = field(init=False)

    def __post_init__(self) -> None:
        self.worker = Worker(self.plan.to_wire(), self.credentials, self.tls)

    def check(self) -> list[tuple[str, str]]:
        """Return kind and detail of the check of each endpoint."""
        checks = self.worker.check()
        assert [check["endpoint"] for check in checks] == list(range(len(self.plan.endpoints)))
        return [(check["kind"], check["detail"]) for check in checks]

    def stage(
        self,
        number: int,
        stop_when: Callable[[], bool] = lambda: False,
        once_ready: Callable[[], object] = lambda: None,
        change: Callable[[Any], Any] = lambda source: source,
    ) -> Any:
        """Run one stage and return its result, which has to be the sum of all that was handed over before.

        ``change`` may put another source in the place of the stage's own.
        """
        timed = self.worker.engine.times_first_byte
        self.reins = Reins(len(self.plan.endpoints), stop_when, times_first_byte=timed)
        prepared = self.worker.prepare(number, lambda: None)
        prepared = prepared._replace(source=change(prepared.source))
        once_ready()
        result = self.worker.run(prepared, monotonic_ns(), self.reins, self.reins.done, self.reins.totals)
        assert not self.reins.done
        assert result["sections"] == self.reins.totals.sections_wire()
        return result

    def all_stages(self) -> list[Any]:
        """Check the endpoints, run every stage, and let go of everything."""
        assert {kind for kind, _ in self.check()} == {""}
        results = [self.stage(number) for number in range(len(self.plan.stages))]
        self.worker.close()
        return results


@pytest.fixture
def make_run() -> Iterator[Callable[..., Run]]:
    """Return ``make_run(endpoints, stages, credentials=None, **fields of WorkerPlan)``."""
    with ExitStack() as closing:

        def make(
            endpoints: Iterable[model.Endpoint],
            stages: Iterable[work.StagePlan],
            credentials: Credentials | None = None,
            tls: TlsSettings | None = None,
            **changes: Any,
        ) -> Run:
            plan = model.WorkerPlan(
                agent="local",
                address="localhost",
                worker=0,
                workers=1,
                endpoints=tuple(endpoints),
                strategy="round_robin",
                lanes=4,
                seed=7,
                data_seed=7,
                stages=tuple(stages),
                errors=model.ErrorPolicy(),
            )
            run = Run(replace(plan, **changes), credentials, tls)
            closing.callback(run.worker.engine.close)
            return run

        yield make


@pytest.fixture
def make_op() -> Callable[..., work.OperationPlan]:
    """Return ``make_op(op, path="", weight=1, …)``: one entry of a workload."""

    def make(op: str, path: str = "", weight: int = 1, **changes: Any) -> work.OperationPlan:
        return work.OperationPlan(
            op, path, weight, f"suite.yaml:{op}", SIZE if op == "put" else None, **changes
        )

    return make


# A server whose every answer is scripted


@dataclass(frozen=True)
class Request:
    """A request as the server saw it; ``number`` counts those of its connection from 1."""

    endpoint: int
    connection: int
    number: int
    method: str
    path: str
    head: str
    body: bytes


class Peer:
    """The server's side of one connection."""

    def __init__(self, server: ScriptedServer, sock: socket.socket) -> None:
        self._server = server
        self._sock = sock
        self._unread = b""

    def send(self, data: bytes) -> None:
        """Send some bytes of an answer."""
        self._sock.sendall(data)

    def read(self, most: int) -> bytes:
        """Read on where the server stopped reading."""
        data = self._unread or self._sock.recv(65536)
        if not data:
            raise ConnectionAbortedError
        data, self._unread = data[:most], data[most:]
        return data

    def read_until(self, end: bytes) -> bytes:
        """Read up to ``end`` and leave what follows."""
        data = b""
        while end not in data:
            data += self.read(65536)
        data, _, self._unread = data.partition(end)
        return data

    def stall(self) -> None:
        """Say nothing any more, until the test is over."""
        self._server.over.wait(PATIENCE_S)

    def reset(self) -> None:
        """End the connection as a crash does."""
        self._sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.close()

    def close(self) -> None:
        """End the connection, as a server does with one that was idle too long."""
        self._sock.close()
        raise ConnectionAbortedError


class ScriptedServer:
    """Answers on one address per endpoint; ``script`` gets each request, read whole, and returns the answer's bytes.

    A script may also act on the peer itself and return None. ``requests`` holds what arrived. With ``reads_bodies``
    False a request counts as arrived when its head has. With a ``context`` it speaks TLS.
    """

    def __init__(
        self,
        endpoints: int,
        script: Callable[[Request, Peer], bytes | None],
        context: ssl.SSLContext | None = None,
    ) -> None:
        self._context = context
        self.requests: list[Request] = []
        self.over = threading.Event()
        self.reads_bodies = True
        self._script = script
        self._threads: list[threading.Thread] = []
        self._socks: list[socket.socket] = []
        self._connections = 0
        self._listeners = [socket.create_server(("127.0.0.1", 0), backlog=512) for _ in range(endpoints)]
        self.addresses: list[tuple[str, int]] = [listener.getsockname() for listener in self._listeners]
        for endpoint, listener in enumerate(self._listeners):
            self._start(self._accept, listener, endpoint)

    def refuse(self, endpoint: int) -> None:
        """Take no more connections at an endpoint; harmless when it does not."""
        listener = self._listeners[endpoint]
        with suppress(OSError):
            listener.shutdown(socket.SHUT_RDWR)
        listener.close()

    def listen(self, endpoint: int) -> None:
        """Take connections again at an endpoint that refused them."""
        listener = self._listeners[endpoint] = socket.create_server(self.addresses[endpoint], backlog=512)
        self._start(self._accept, listener, endpoint)

    def close(self) -> None:
        """End every connection and thread."""
        self.over.set()
        for sock in self._socks:
            # A thread that waits in this socket is woken by it.
            try:
                sock.shutdown(socket.SHUT_RDWR)
            except OSError:
                continue
        for thread in self._threads:
            thread.join(PATIENCE_S)
            assert not thread.is_alive()
        for sock in self._socks:
            sock.close()

    @property
    def connections(self) -> int:
        """How many connections were opened."""
        return self._connections

    def _start(self, work: Callable[..., None], sock: socket.socket, *arguments: Any) -> None:
        self._socks.append(sock)
        thread = threading.Thread(target=work, args=(sock, *arguments), daemon=True)
        self._threads.append(thread)
        thread.start()

    def _accept(self, listener: socket.socket, endpoint: int) -> None:
        while not self.over.is_set():
            try:
                sock, _ = listener.accept()
            except OSError:
                return
            self._connections += 1
            self._start(self._serve, sock, endpoint, self._connections)

    def _serve(self, sock: socket.socket, endpoint: int, connection: int) -> None:
        number = 0
        try:
            if self._context is not None:
                sock = self._context.wrap_socket(sock, server_side=True, do_handshake_on_connect=False)
                self._socks.append(sock)
                try:
                    sock.do_handshake()
                except OSError:
                    # What the client still sends is taken, or the reset that answers it would overtake the alert.
                    sock = socket.socket(fileno=sock.detach())
                    sock.shutdown(socket.SHUT_WR)
                    while sock.recv(65536):
                        pass
                    raise
            peer = Peer(self, sock)
            while not self.over.is_set():
                head = peer.read_until(b"\r\n\r\n").decode()
                lines = head.split("\r\n")
                method, target, _ = lines[0].split(" ")
                lengths = [line.partition(":")[2] for line in lines if line.startswith("Content-Length:")]
                length = int(lengths[0]) if lengths and self.reads_bodies else 0
                body = b""
                while len(body) < length:
                    body += peer.read(length - len(body))
                number += 1
                request = Request(endpoint, connection, number, method, unquote(target), head, body)
                self.requests.append(request)
                if answer := self._script(request, peer):
                    sock.sendall(answer)
        except OSError:
            pass
        finally:
            sock.close()


@pytest.fixture
def start_server() -> Iterator[Callable[..., ScriptedServer]]:
    """Return ``start_server(script, endpoints=1, context=None)``."""
    with ExitStack() as closing:

        def start(
            script: Callable[[Request, Peer], bytes | None],
            endpoints: int = 1,
            context: ssl.SSLContext | None = None,
        ) -> ScriptedServer:
            server = ScriptedServer(endpoints, script, context)
            closing.callback(server.close)
            return server

        yield start


class Listed:
    """A source of given tasks, whose data are plain and whose endpoint is any when they do not say more."""

    def __init__(self, tasks: Iterable[tuple[Any, ...]]) -> None:
        self._tasks = iter(tasks)

    def take(self) -> Task | None:
        task = next(self._tasks, None)
        if isinstance(task, Guarded):
            return task
        return (*task, *(None, ANYWHERE)[len(task) - 3 :]) if task else None


@dataclass
class LoopRun:
    """What a run of the event loop left behind."""

    reins: Reins
    policy: ErrorPolicy
    health: Health
    cut_off: int
    wall_s: float
    began_ns: int
    pacer: Pacer | None
    left_behind: list[str]


@pytest.fixture
def run_loop() -> Iterator[Callable[..., LoopRun]]:
    """Return ``run_loop(addresses, tasks, …)``: carries tasks out over the event loop until none is left."""
    with ExitStack() as closing:

        def run(
            addresses: Iterable[tuple[str, int]],
            tasks: Iterable[tuple[Any, ...]],
            *,
            lanes: int = 1,
            strategy: str = "round_robin",
            errors: model.ErrorPolicy | None = None,
            request_timeout_s: float = PATIENCE_S,
            end_ns: int = NEVER_NS,
            stop_when: Callable[[], bool] = lambda: False,
            loop: HttpLoop | None = None,
            rate: work.RatePlan | None = None,
            duration_ns: int = NEVER_NS,
            endpoint_rules: model.EndpointRules = PATIENT,
            op_log: OpLog | None = None,
            connections: int = 0,
            gated: bool = False,
        ) -> LoopRun:
            places = list(addresses)
            if loop is None:
                loop = make_loop(
                    places,
                    lanes=lanes,
                    request_timeout_s=request_timeout_s,
                    logged=op_log is not None,
                    connections=connections,
                    gated=gated,
                )
                closing.callback(loop.close)
            loop.open()
            began_ns = monotonic_ns()
            reins = Reins(len(places), stop_when)
            # Without pauses, unless a test is about them.
            rules = errors or model.ErrorPolicy(max_total_errors=1 << 30, error_rate_threshold=1e9)
            balancer, in_flight = make_balancer(strategy, len(places), 0, threads=False), Counter[int]()
            if connections:
                balancer = bounded(balancer, strategy, len(places), connections)

            def acquire(task: Task) -> int:
                endpoint = balancer.acquire(task)
                if endpoint >= 0:
                    in_flight[endpoint] += 1
                return endpoint

            def release(endpoint: int, latency_ns: int) -> None:
                in_flight[endpoint] -= 1
                balancer.release(endpoint, latency_ns)

            counted = Balancer(acquire, release, balancer.choose_among)
            health = Health(make_rules(endpoint_rules.to_wire()), counted, len(places), began_ns)
            policy = ErrorPolicy(rules.to_wire(), Random(1), health)
            window = Window(began_ns, began_ns, min(end_ns, began_ns + duration_ns))
            pacer = Pacer(make_schedule(rate.to_wire(), began_ns, Random(1)), window) if rate else None
            load = Load(Listed(tasks), window, reins.done, counted, policy, health, reins, pacer, op_log)
            cut_off = loop.run(load)
            ended_ns = monotonic_ns()
            reins.check(0)
            # However an operation ended, its endpoint is no longer busy with it.
            assert set(in_flight.values()) <= {0}
            if pacer:
                pacer.close(ended_ns)
            wall_s = (ended_ns - began_ns) / 1e9
            return LoopRun(reins, policy, health, cut_off, wall_s, began_ns, pacer, loop.left_behind)

        yield run


def make_loop(
    addresses: list[tuple[str, int]],
    *,
    lanes: int = 1,
    connect_timeout_s: float = PATIENCE_S,
    request_timeout_s: float = PATIENCE_S,
    tls: TlsClient | None = None,
    drops: bool = True,
    logged: bool = False,
    connections: int = 0,
    gated: bool = False,
) -> HttpLoop:
    """Return an event loop over the bucket ``bench`` at each address."""
    requests = [
        S3Requests({"host": host, "port": port, "bucket": "bench", "prefix": ""}, KEYS)
        for host, port in addresses
    ]
    make = choose_loop(logged=logged, bounded=bool(connections), gated=gated)
    more: dict[str, Any] = {"most_connections": connections} if connections else {}
    return make(
        requests,
        [(socket.AF_INET, address) for address in addresses],
        lanes=lanes,
        pool=Pool(1),
        connect_timeout_s=connect_timeout_s,
        request_timeout_s=request_timeout_s,
        tls=tls,
        drops=drops,
        **more,
    )


@pytest.fixture(name="make_loop")
def make_loop_fixture() -> Iterator[Callable[..., HttpLoop]]:
    """Return ``make_loop(addresses, …)``: an event loop that is closed after the test."""
    with ExitStack() as closing:

        def make(addresses: list[tuple[str, int]], **limits: Any) -> HttpLoop:
            loop = make_loop(addresses, **limits)
            closing.callback(loop.close)
            return loop

        yield make
