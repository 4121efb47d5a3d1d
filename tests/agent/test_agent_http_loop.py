from __future__ import annotations

import threading
from collections import Counter
from time import monotonic_ns
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs

import pytest

from pytest_sai3bench.agent import connections, http_lanes, http_loop
from pytest_sai3bench.agent.messages import DELETE, GET, LIST, PUT, STAT
from pytest_sai3bench.agent.payload import Payload, Pool, object_number
from pytest_sai3bench.agent.poller import make_poller

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

MIB = 1 << 20


def answer(body: bytes = b"", status: int = 200, *fields: str) -> bytes:
    head = "".join(
        f"{field}\r\n" for field in (f"HTTP/1.1 {status} X", f"Content-Length: {len(body)}", *fields)
    )
    return head.encode() + b"\r\n" + body


def content_of(key: str, size: int) -> bytes:
    payload, content = Payload(Pool(1)), b""
    payload.begin(object_number(key), size)
    while chunk := payload.chunk():
        content += chunk
    return content


@pytest.fixture(params=["epoll", "portable"])
def poller(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Run a test with either way to wait for sockets."""
    portable = request.param == "portable"
    monkeypatch.setattr(connections, "make_poller", lambda: make_poller(portable=portable))


@pytest.mark.usefixtures("poller")
def test_every_operation_is_counted_where_it_was_served(
    start_server: Callable[..., Any], run_loop: Callable[..., Any]
) -> None:
    def script(request: Any, peer: Any) -> bytes:
        if request.method == "HEAD":
            return b"HTTP/1.1 200 OK\r\nContent-Length: 123456\r\n\r\n"
        if request.method == "DELETE":
            return b"HTTP/1.1 204 No Content\r\n\r\n"
        return answer(b"x" * 5000 if request.method == "GET" else b"")

    server = start_server(script, endpoints=3)
    tasks = [(op, f"key-{n}", 700 if op == PUT else 0) for n in range(60) for op in (GET, PUT, STAT, DELETE)]

    run = run_loop(server.addresses, tasks, lanes=8)

    seen = Counter((request.method, request.endpoint) for request in server.requests)
    assert sum(seen.values()) == len(tasks)
    methods = {"GET": "get", "PUT": "put", "HEAD": "stat", "DELETE": "delete"}
    sizes = {"GET": 5000, "PUT": 700, "HEAD": 0, "DELETE": 0}
    assert run.reins.counts() == {
        (methods[method], endpoint): (count, count * sizes[method])
        for (method, endpoint), count in sorted(seen.items())
    }
    assert run.reins.errors() == []
    assert [sum(count for (_, at), count in seen.items() if at == n) for n in range(3)] == [80, 80, 80]


def test_requests_carry_key_and_content(
    start_server: Callable[..., Any], run_loop: Callable[..., Any]
) -> None:
    server = start_server(lambda request, peer: answer())
    keys = {"a%20b": 0, "c%2Bd": 1, "e/f": 5000, "g": 65_536, "h": 65_537, "i": 700_000}

    run_loop(server.addresses, [(PUT, key, size) for key, size in keys.items()], lanes=3)

    found = {request.path: request.body for request in server.requests}
    expected = {"/bench/a b": "a%20b", "/bench/c+d": "c%2Bd"}
    for path, body in found.items():
        key = expected.get(path, path.removeprefix("/bench/"))
        assert body == content_of(key, keys[key])
    assert len(found) == len(keys)


def test_connections_are_kept_and_no_more_than_needed(
    start_server: Callable[..., Any], run_loop: Callable[..., Any], make_loop: Callable[..., Any]
) -> None:
    server = start_server(lambda request, peer: answer(b"x"))
    loop = make_loop(server.addresses, lanes=5)

    for _ in range(3):
        run = run_loop(server.addresses, [(GET, "key", 0)] * 50, loop=loop)
        assert run.reins.counts() == {("get", 0): (50, 50)}

    assert server.connections == 5


def test_connections_closed_between_stages_are_replaced(
    start_server: Callable[..., Any], run_loop: Callable[..., Any], make_loop: Callable[..., Any]
) -> None:
    def script(request: Any, peer: Any) -> bytes | None:
        if request.path.endswith("last"):
            peer.send(answer(b"x"))
            # One half with a reset, the other in order, before the next stage opens its connections.
            (peer.reset if request.connection % 2 else peer.close)()
        return answer(b"x")

    server = start_server(script)
    loop = make_loop(server.addresses, lanes=4)
    barrier = [(GET, "last", 0)] * 4

    for stage in range(3):
        run = run_loop(server.addresses, barrier, loop=loop)
        assert run.reins.counts() == {("get", 0): (4, 4)}, stage
        assert run.reins.errors() == []


@pytest.mark.usefixtures("poller")
def test_a_connection_that_was_closed_while_idle_is_no_error(
    start_server: Callable[..., Any], run_loop: Callable[..., Any]
) -> None:
    def script(request: Any, peer: Any) -> bytes | None:
        if request.number == 4:
            # As if the connection had been closed before the request was on its way.
            peer.close() if request.connection % 2 else peer.reset()
        return answer(b"abc")

    server = start_server(script)
    tasks = [(GET, f"key-{number}", 0) for number in range(30)]

    run = run_loop(server.addresses, tasks)

    assert run.reins.errors() == []
    assert run.reins.counts() == {("get", 0): (30, 90)}
    # Each third answer is followed by one request that has to be sent once more.
    assert Counter(Counter(request.path for request in server.requests).values()) == {1: 21, 2: 9}
    assert server.connections == 10


def test_answers_that_end_their_connection_are_followed_by_a_new_one(
    start_server: Callable[..., Any], run_loop: Callable[..., Any]
) -> None:
    def script(request: Any, peer: Any) -> bytes | None:
        if request.path.endswith("closed"):
            peer.send(b"HTTP/1.1 200 OK\r\n\r\nuntil the end")
            peer.close()
        return answer(b"abc", 200, "Connection: close")

    server = start_server(script)
    tasks = [(GET, key, 0) for key in ("declared", "closed") for _ in range(5)]

    run = run_loop(server.addresses, tasks)

    assert run.reins.counts() == {("get", 0): (10, 5 * 3 + 5 * 13)}
    assert run.reins.errors() == []
    assert server.connections == 10


@pytest.mark.parametrize("piece", [1 << 10, 100_000, 32 * MIB])
def test_large_bodies_are_counted_to_the_byte(
    start_server: Callable[..., Any], run_loop: Callable[..., Any], piece: int
) -> None:
    sizes = (
        {"a": 20 * MIB + 1, "b": 3 * MIB, "chunked": 2 * MIB + 17}
        if piece > 1 << 10
        else {"a": MIB, "chunked": MIB}
    )

    def script(request: Any, peer: Any) -> None:
        key = request.path.removeprefix("/bench/")
        body = memoryview(bytes(sizes[key]))
        if key == "chunked":
            peer.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        else:
            peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(body))
        for at in range(0, len(body), piece):
            part = body[at : at + piece]
            peer.send(b"%x\r\n%s\r\n" % (len(part), part) if key == "chunked" else bytes(part))
        if key == "chunked":
            peer.send(b"0\r\n\r\n")

    server = start_server(script)

    run = run_loop(server.addresses, [(GET, key, 0) for key in sizes] * 2, lanes=2)

    assert run.reins.counts() == {("get", 0): (2 * len(sizes), 2 * sum(sizes.values()))}
    assert run.reins.errors() == []


@pytest.mark.usefixtures("poller")
def test_large_puts_arrive_whole_at_a_server_that_reads_slowly(
    start_server: Callable[..., Any], run_loop: Callable[..., Any]
) -> None:
    size = 5 * MIB + 333
    received: dict[str, bytes] = {}

    def script(request: Any, peer: Any) -> bytes:
        # Little at a time, so that the sender finds the socket full again and again.
        body = bytearray()
        while len(body) < size:
            body += peer.read(10_000)
        received[request.path.removeprefix("/bench/")] = bytes(body)
        return answer()

    server = start_server(script)
    server.reads_bodies = False

    run = run_loop(server.addresses, [(PUT, f"key-{number}", size) for number in range(4)], lanes=2)

    assert run.reins.counts() == {("put", 0): (4, 4 * size)}
    assert run.reins.errors() == []
    assert received == {key: content_of(key, size) for key in ("key-0", "key-1", "key-2", "key-3")}


@pytest.mark.parametrize("last", ["", "Connection: close"])
def test_a_listing_is_one_operation_however_many_pages_it_has(
    start_server: Callable[..., Any], run_loop: Callable[..., Any], last: str
) -> None:
    tokens = ["", '1/&<"+ ü', "2'\x0a", "3"]
    escaped = ["1/&amp;&lt;&#34;+ ü", "2&apos;&#xA;", "3"]

    def script(request: Any, peer: Any) -> bytes:
        page = next(n for n in (3, 2, 1, 0) if not n or f"continuation-token={tokens[n]}&" in request.path)
        text = "<IsTruncated>false</IsTruncated>"
        if page < 3:
            token = f"<NextContinuationToken>{escaped[page]}</NextContinuationToken>"
            text = f"<IsTruncated>true</IsTruncated>{token}"
        fields = [last] if last else []
        return answer(f"<ListBucketResult>{text}</ListBucketResult>".encode(), 200, *fields)

    server = start_server(script)

    run = run_loop(server.addresses, [(LIST, "data/", 0)] * 5)

    assert run.reins.counts() == {("list", 0): (5, 0)}
    assert run.reins.errors() == []
    queries = [parse_qs(request.head.split(" ")[1].partition("?")[2]) for request in server.requests]
    assert [query.get("continuation-token", [""]) for query in queries] == [[token] for token in tokens] * 5
    assert server.connections == (20 if last else 1)


def test_least_connections_spares_a_slow_endpoint(
    start_server: Callable[..., Any], run_loop: Callable[..., Any]
) -> None:
    served = Counter[int]()
    enough = threading.Event()

    def script(request: Any, peer: Any) -> bytes:
        if request.endpoint == 1:
            enough.wait(20)
        served[request.endpoint] += 1
        if served[0] == 500:
            enough.set()
        return answer(b"x")

    server = start_server(script, endpoints=2)

    run = run_loop(server.addresses, [(GET, "key", 0)] * 600, lanes=4, strategy="least_connections")

    order = [request.endpoint for request in server.requests]
    # Two of four lanes wait at the slow endpoint; as many as at the other, which therefore gets all that follows.
    assert order[:400].count(1) == 2
    seen = Counter(order)
    assert run.reins.counts() == {("get", endpoint): (seen[endpoint], seen[endpoint]) for endpoint in (0, 1)}
    assert len(order) == 600


def test_what_completes_after_the_end_is_the_tail(
    start_server: Callable[..., Any], run_loop: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    length_ns, jump = 15_000_000_000, [0]
    under_way = threading.Barrier(4)
    for module in (http_lanes, http_loop):
        monkeypatch.setattr(module, "monotonic_ns", lambda: monotonic_ns() + jump[0])

    def script(request: Any, peer: Any) -> bytes:
        if int(request.path.rpartition("-")[2]) >= 200:
            # Four operations are under way; the clock passes the end before any of them is answered.
            under_way.wait(20)
            jump[0] = length_ns
        return answer(b"x")

    server = start_server(script)
    tasks = ((GET, f"key-{number}", 0) for number in range(10_000))

    run = run_loop(server.addresses, tasks, lanes=4, end_ns=monotonic_ns() + length_ns)

    assert run.reins.counts("measured") == {("get", 0): (200, 200)}
    assert run.reins.counts("tail") == {("get", 0): (4, 4)}
    assert len(server.requests) == 204
    assert (run.cut_off, run.reins.errors()) == (0, [])


@pytest.mark.usefixtures("poller")
def test_a_stop_ends_within_two_seconds_and_counts_all_that_was_answered(
    start_server: Callable[..., Any], run_loop: Callable[..., Any]
) -> None:
    def script(request: Any, peer: Any) -> bytes | None:
        if int(request.path.rpartition("-")[2]) >= 40:
            peer.stall()
            return None
        return answer(b"x")

    server = start_server(script)
    tasks = ((GET, f"key-{number}", 0) for number in range(10_000))

    run = run_loop(server.addresses, tasks, lanes=6, stop_when=lambda: len(server.requests) >= 46)

    assert run.wall_s < 2
    assert run.cut_off == 6
    assert run.reins.counts() == {("get", 0): (40, 40)}
    assert run.reins.errors() == []


def test_an_error_of_the_source_ends_the_run_and_leaves_nothing_behind(
    start_server: Callable[..., Any], run_loop: Callable[..., Any], make_loop: Callable[..., Any]
) -> None:
    server = start_server(lambda request, peer: answer(b"x"))
    loop = make_loop(server.addresses, lanes=4)

    def broken() -> Iterator[tuple[int, str, int]]:
        yield from [(GET, "first", 0)] * 10
        raise LookupError("no such pool")

    with pytest.raises(LookupError, match="no such pool"):
        run_loop(server.addresses, broken(), loop=loop)

    run = run_loop(server.addresses, [(GET, "second", 0)] * 20, loop=loop)
    assert run.reins.counts() == {("get", 0): (20, 20)}
    assert run.reins.errors() == []
