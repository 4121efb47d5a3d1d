from __future__ import annotations

import socket
from collections import Counter
from contextlib import ExitStack
from time import monotonic_ns
from typing import TYPE_CHECKING, Any

import pytest

from pytest_sai3bench.agent.messages import DELETE, GET, LIST, PUT, STAT
from pytest_sai3bench.agent.s3_client import RequestFailed, S3Client, resolve
from pytest_sai3bench.agent.s3_requests import S3Requests
from pytest_sai3bench.plan.model import ErrorPolicy

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

MIB = 1 << 20
SLOW_DOWN = b'<?xml version="1.0"?><Error><Code>SlowDown</Code><Message>Reduce your &quot;request rate&quot;.</Message></Error>'


def answer(body: bytes = b"", status: int = 200) -> bytes:
    return b"HTTP/1.1 %d X\r\nContent-Length: %d\r\n\r\n%s" % (status, len(body), body)


@pytest.fixture
def refused_address() -> tuple[str, int]:
    """Return an address where nothing listens."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        address: tuple[str, int] = listener.getsockname()
    return address


@pytest.fixture
def full_address() -> Iterator[tuple[str, int]]:
    """Return an address that answers no attempt to connect: its queue is full."""
    with ExitStack() as closing:
        listener = closing.enter_context(socket.create_server(("127.0.0.1", 0), backlog=0))
        for _ in range(8):
            filler = closing.enter_context(socket.socket())
            filler.setblocking(False)
            filler.connect_ex(listener.getsockname())
        yield listener.getsockname()


def test_a_refused_endpoint_fails_once_for_each_of_its_operations(
    start_server: Callable[..., Any], run_loop: Callable[..., Any], refused_address: tuple[str, int]
) -> None:
    server = start_server(lambda request, peer: answer(b"x"), endpoints=2)
    addresses = [server.addresses[0], refused_address, server.addresses[1]]

    run = run_loop(addresses, [(GET, "key", 0)] * 300, lanes=7)

    assert run.reins.counts() == {("get", 0): (100, 100), ("get", 2): (100, 100)}
    assert run.reins.errors() == [("get", 1, "refused", 100, "connection refused")]
    assert run.policy.total == 100
    assert len(server.requests) == 200


def test_a_refused_endpoint_is_not_busy_for_the_balancer(
    start_server: Callable[..., Any],
    run_loop: Callable[..., Any],
    refused_address: tuple[str, int],
    make_loop: Callable[..., Any],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    server = start_server(lambda request, peer: answer(b"x"))
    addresses = [server.addresses[0], refused_address]
    loop = make_loop(addresses, lanes=1)
    connect = loop._connections.connect

    def refuse_at_once(endpoint: int) -> Any:
        if endpoint == 1:
            raise ConnectionRefusedError
        return connect(endpoint)

    monkeypatch.setattr(loop._connections, "connect", refuse_at_once)

    run = run_loop(addresses, [(GET, "key", 0)] * 20, strategy="least_connections", loop=loop)

    # One lane: both are idle whenever it chooses, so they take turns.
    assert run.reins.counts() == {("get", 0): (10, 10)}
    assert run.reins.errors() == [("get", 1, "refused", 10, "connection refused")]


def test_a_connection_that_breaks_in_an_answer_is_an_error_of_its_endpoint(
    start_server: Callable[..., Any], run_loop: Callable[..., Any]
) -> None:
    def script(request: Any, peer: Any) -> bytes | None:
        number = int(request.path.rpartition("-")[2])
        if number % 5 == 1:
            peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf")
            peer.close()
        if number % 5 == 2:
            # Never on a fresh connection alone, where a close is an error as well.
            peer.send(b"HTTP/1.1 200")
            peer.close()
        if number % 5 == 3:
            peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n")
            return None
        return answer(b"ok")

    server = start_server(script, endpoints=2)
    tasks = [(GET, f"key-{number}", 0) for number in range(100)]

    run = run_loop(server.addresses, tasks, lanes=3)

    assert len(server.requests) == 100
    closed = "the server closed the connection in the middle of an answer"
    length = "Content-Length is not a number of bytes: b'x'"
    expected: Counter[tuple[int, str]] = Counter()
    for request in server.requests:
        kind = ["ok", "closed", "closed", "bad-response", "ok"][int(request.path.rpartition("-")[2]) % 5]
        expected[request.endpoint, kind] += 1
    assert run.reins.errors() == [
        ("get", endpoint, kind, expected[endpoint, kind], text)
        for endpoint in (0, 1)
        for kind, text in (("bad-response", length), ("closed", closed))
    ]
    assert run.reins.counts() == {
        ("get", endpoint): (expected[endpoint, "ok"], 2 * expected[endpoint, "ok"]) for endpoint in (0, 1)
    }


def test_a_reset_in_an_answer_is_an_error(
    start_server: Callable[..., Any], run_loop: Callable[..., Any]
) -> None:
    def script(request: Any, peer: Any) -> bytes | None:
        if request.path.endswith("reset"):
            peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf")
            peer.reset()
        return answer(b"ok")

    server = start_server(script)

    run = run_loop(server.addresses, [(GET, "whole", 0), (GET, "reset", 0)] * 5)

    assert run.reins.counts() == {("get", 0): (5, 10)}
    assert run.reins.errors() == [("get", 0, "reset", 5, "connection reset by the server")]
    assert len(server.requests) == 10


def test_a_fresh_connection_closed_without_an_answer_is_an_error(
    start_server: Callable[..., Any], run_loop: Callable[..., Any]
) -> None:
    server = start_server(lambda request, peer: peer.close())

    run = run_loop(server.addresses, [(STAT, "key", 0)] * 5)

    assert run.reins.errors() == [("stat", 0, "closed", 5, "the server closed the connection")]
    assert len(server.requests) == 5


def test_refusals_of_the_server_are_counted_with_their_text(
    start_server: Callable[..., Any], run_loop: Callable[..., Any]
) -> None:
    bodies = {"GET": SLOW_DOWN, "DELETE": b"<html>", "HEAD": b""}
    statuses = {"GET": 503, "DELETE": 404, "HEAD": 403}

    def script(request: Any, peer: Any) -> bytes:
        return answer(bodies[request.method], statuses[request.method])

    server = start_server(script)

    run = run_loop(server.addresses, [(GET, "k", 0), (GET, "k", 0), (DELETE, "k", 0), (STAT, "k", 0)])

    assert run.reins.errors() == [
        ("get", 0, "http-503", 2, '503 SlowDown: Reduce your "request rate".'),
        ("stat", 0, "http-403", 1, "403"),
        ("delete", 0, "http-404", 1, "404"),
    ]
    assert run.reins.counts() == {}
    assert server.connections == 1


def test_an_endpoint_that_says_nothing_costs_no_more_than_the_time_limit(
    start_server: Callable[..., Any], run_loop: Callable[..., Any]
) -> None:
    def script(request: Any, peer: Any) -> bytes | None:
        if request.endpoint == 1:
            peer.stall()
            return None
        return answer(b"x")

    server = start_server(script, endpoints=2)

    run = run_loop(server.addresses, [(GET, "key", 0)] * 40, lanes=10, request_timeout_s=0.2)

    assert run.reins.counts() == {("get", 0): (20, 20)}
    assert run.reins.errors() == [("get", 1, "timeout", 20, "no answer within 0.2 s")]
    assert len(server.requests) == 40


def test_an_endpoint_that_accepts_no_connection_costs_no_more_than_the_time_limit(
    start_server: Callable[..., Any],
    run_loop: Callable[..., Any],
    make_loop: Callable[..., Any],
    full_address: tuple[str, int],
) -> None:
    server = start_server(lambda request, peer: answer(b"x"))
    addresses = [server.addresses[0], full_address]
    loop = make_loop(addresses, lanes=4, connect_timeout_s=0.2)

    run = run_loop(addresses, [(GET, "key", 0)] * 8, loop=loop)

    assert run.reins.counts() == {("get", 0): (4, 4)}
    assert run.reins.errors() == [("get", 1, "timeout", 4, "no connection within 0.2 s")]


@pytest.mark.parametrize("after", ["close", "keep"])
def test_an_early_answer_to_a_large_put_is_taken_and_the_next_request_is_whole(
    start_server: Callable[..., Any], run_loop: Callable[..., Any], after: str
) -> None:
    refusal = b"<Error><Code>EntityTooLarge</Code><Message>Too large.</Message></Error>"

    def script(request: Any, peer: Any) -> bytes | None:
        if request.method == "PUT":
            # Before it has read more than the head.
            peer.send(answer(refusal, 400))
            if after == "close":
                peer.close()
            peer.stall()
            return None
        return answer(b"ok")

    server = start_server(script)
    server.reads_bodies = False
    tasks = [(PUT, "large", 8 * MIB), (GET, "small", 0)] * 3

    run = run_loop(server.addresses, tasks)

    assert run.reins.errors() == [("put", 0, "http-400", 3, "400 EntityTooLarge: Too large.")]
    assert run.reins.counts() == {("get", 0): (3, 6)}
    assert [request.method for request in server.requests] == ["PUT", "GET"] * 3
    # What is left of a body must never be taken for a request: each refused one costs its connection.
    assert [request.number for request in server.requests] == [1, 1, 2, 1, 2, 1]


def test_retries_go_on_until_the_operation_succeeds(
    start_server: Callable[..., Any], run_loop: Callable[..., Any]
) -> None:
    attempts: Counter[str] = Counter()

    def script(request: Any, peer: Any) -> bytes:
        attempts[request.path] += 1
        return answer(SLOW_DOWN, 503) if attempts[request.path] <= 2 else answer(b"ok")

    server = start_server(script)
    rules = ErrorPolicy(
        error_rate_threshold=1e9, retry_on_error=True, max_retries=2, initial_retry_delay_s=0.001
    )

    run = run_loop(server.addresses, [(GET, f"key-{n}", 0) for n in range(10)], lanes=3, errors=rules)

    assert run.reins.counts() == {("get", 0): (10, 20)}
    assert [error[:4] for error in run.reins.errors()] == [("get", 0, "http-503", 20)]
    assert run.policy.retries == 20
    assert set(attempts.values()) == {3}


def test_too_many_errors_end_the_run_with_the_reason(
    start_server: Callable[..., Any], run_loop: Callable[..., Any]
) -> None:
    server = start_server(lambda request, peer: answer(SLOW_DOWN, 503))
    rules = ErrorPolicy(max_total_errors=30, error_rate_threshold=1e9)

    run = run_loop(server.addresses, ((GET, "key", 0) for _ in range(10_000)), lanes=4, errors=rules)

    text = '30 errors (error_handling.max_total_errors); the last: 503 SlowDown: Reduce your "request rate".'
    assert run.health.gave_up == text
    # Those that were on their way when it gave up are counted, too.
    assert 30 <= len(server.requests) <= 33
    assert run.reins.errors()[0][3] == len(server.requests)


def test_giving_up_does_not_wait_for_pauses_and_retries(
    start_server: Callable[..., Any], run_loop: Callable[..., Any]
) -> None:
    server = start_server(lambda request, peer: answer(SLOW_DOWN, 503))
    rules = ErrorPolicy(
        max_total_errors=8,
        error_rate_threshold=1e9,
        retry_on_error=True,
        initial_retry_delay_s=60.0,
        max_retry_delay_s=60.0,
    )

    run = run_loop(server.addresses, ((GET, "key", 0) for _ in range(100)), lanes=8, errors=rules)

    assert run.health.gave_up
    assert len(server.requests) == 8


def test_a_burst_of_errors_pauses_every_lane(
    start_server: Callable[..., Any], run_loop: Callable[..., Any]
) -> None:
    arrived: list[tuple[int, str]] = []

    def script(request: Any, peer: Any) -> bytes:
        arrived.append((monotonic_ns(), request.path))
        return answer(SLOW_DOWN, 503) if len(arrived) <= 5 else answer(b"ok")

    server = start_server(script)
    rules = ErrorPolicy(
        error_rate_threshold=5.0,
        backoff_s=0.3,
        retry_on_error=True,
        max_retries=9,
        initial_retry_delay_s=0.001,
        max_retry_delay_s=0.001,
    )

    run = run_loop(server.addresses, [(GET, f"key-{n}", 0) for n in range(20)], errors=rules)

    assert run.reins.counts() == {("get", 0): (20, 40)}
    # The fifth error within a second brings the pause, which also holds for the retry.
    pauses = [after - before for (before, _), (after, _) in zip(arrived, arrived[1:])]
    assert [number for number, pause in enumerate(pauses) if pause >= 300_000_000] == [4]


@pytest.mark.parametrize(
    ("body", "detail"),
    [
        (b"<html>hello</html>", "expected a ListBucketResult, got html"),
        (b"hello", "the listing is not XML: syntax error: line 1, column 0"),
    ],
)
def test_a_listing_that_is_none_is_refused_with_the_cause(
    start_server: Callable[..., Any], body: bytes, detail: str
) -> None:
    client = client_of(start_server(lambda request, peer: answer(body)).addresses[0])
    with pytest.raises(RequestFailed) as failure:
        list(client.names("", recursive=True))
    assert (failure.value.kind, failure.value.detail) == ("other", detail)


def client_of(address: tuple[str, int], timeout_s: float = 20.0) -> S3Client:
    requests = S3Requests({"host": address[0], "port": address[1], "bucket": "bench", "prefix": ""}, None)
    return S3Client(requests, resolve(*address), connect_timeout_s=timeout_s, timeout_s=timeout_s)


def test_causes_of_a_failed_check(
    start_server: Callable[..., Any], refused_address: tuple[str, int], full_address: tuple[str, int]
) -> None:
    def error(code: str, status: int) -> bytes:
        return answer(f"<Error><Code>{code}</Code><Message>Why.</Message></Error>".encode(), status)

    scripts: dict[str, Any] = {
        "denied": lambda request, peer: error("AccessDenied", 403),
        "unknown-key": lambda request, peer: error("InvalidAccessKeyId", 403),
        "bad-secret": lambda request, peer: error("SignatureDoesNotMatch", 403),
        "no-bucket": lambda request, peer: error("NoSuchBucket", 404),
        "other": lambda request, peer: error("InternalError", 500),
        "not-http": lambda request, peer: b"220 ftp.example.org ready\r\n\r\n",
        "unreachable": lambda request, peer: peer.close(),
        "timeout": lambda request, peer: peer.stall(),
    }
    found = {}
    for kind, script in scripts.items():
        client = client_of(start_server(script).addresses[0], 0.2 if kind == "timeout" else 20.0)
        with pytest.raises(RequestFailed) as failure:
            client.check()
        assert failure.value.kind == kind
        found[kind] = failure.value.detail
    with pytest.raises(RequestFailed) as failure:
        client_of(refused_address).check()
    found[failure.value.kind] = failure.value.detail
    with pytest.raises(RequestFailed) as failure:
        client_of(full_address, 0.2).check()
    assert (failure.value.kind, failure.value.detail) == ("timeout", "no connection within 0.2 s")

    assert found == {
        "denied": "403 AccessDenied: Why.",
        "unknown-key": "403 InvalidAccessKeyId: Why.",
        "bad-secret": "403 SignatureDoesNotMatch: Why.",
        "no-bucket": "404 NoSuchBucket: Why.",
        "other": "500 InternalError: Why.",
        "not-http": "the answer is not HTTP: b'220 ftp.example.org ready'",
        "unreachable": "the server closed the connection",
        "timeout": "no answer within 0.2 s",
        "refused": "connection refused",
    }


def test_a_name_that_does_not_resolve_is_said_to_be_unresolved() -> None:
    with pytest.raises(RequestFailed) as failure:
        resolve("no-such-host.invalid", 80)
    assert failure.value.kind == "unresolved"
    assert failure.value.detail.startswith("no-such-host.invalid: ")


@pytest.mark.parametrize("status", [200, 403, 404])
def test_an_object_is_there_or_not(start_server: Callable[..., Any], status: int) -> None:
    client = client_of(start_server(lambda request, peer: answer(b"", status)).addresses[0])
    assert client.exists("key") is (status == 200)


def test_a_server_in_trouble_does_not_say_that_an_object_is_missing(start_server: Callable[..., Any]) -> None:
    client = client_of(start_server(lambda request, peer: answer(b"", 503)).addresses[0])
    with pytest.raises(RequestFailed, match=r"^503$"):
        client.exists("key")


def test_a_list_that_fails_half_way_begins_anew(
    start_server: Callable[..., Any], run_loop: Callable[..., Any]
) -> None:
    first = b"<R><IsTruncated>true</IsTruncated><NextContinuationToken>t</NextContinuationToken></R>"
    failed: list[str] = []

    def script(request: Any, peer: Any) -> bytes:
        if "continuation-token" not in request.path:
            return answer(first)
        if not failed:
            failed.append(request.path)
            return answer(SLOW_DOWN, 503)
        return answer(b"<R></R>")

    server = start_server(script)
    rules = ErrorPolicy(error_rate_threshold=1e9, retry_on_error=True, initial_retry_delay_s=0.001)

    run = run_loop(server.addresses, [(LIST, "", 0), (GET, "key", 0)], errors=rules)

    assert run.reins.counts() == {("list", 0): (1, 0), ("get", 0): (1, len(first))}
    pages = ["continuation-token" in request.path for request in server.requests]
    assert pages[:4] == [False, True, False, True]
