from __future__ import annotations

import re
import threading
from collections import Counter
from typing import TYPE_CHECKING, Any

import pytest

from pytest_sai3bench.agent.large import LARGE, Large, Ranges
from pytest_sai3bench.agent.messages import GET
from pytest_sai3bench.agent.payload import PLAIN, Payload, Pool, Shape, object_number
from pytest_sai3bench.agent.verification import Check
from pytest_sai3bench.plan import model, work

if TYPE_CHECKING:
    from collections.abc import Callable

KIB = 1024
RETRIES = model.ErrorPolicy(
    retry_on_error=True,
    max_retries=3,
    initial_retry_delay_s=0.001,
    max_retry_delay_s=0.001,
    error_rate_threshold=1e9,
)


def content_of(key: str, size: int, shape: Shape = PLAIN) -> bytes:
    payload, content = Payload(Pool(1)), b""
    payload.begin(object_number(key), size, shape)
    while chunk := payload.chunk():
        content += chunk
    return content


def asked_range(request: Any) -> tuple[int, int]:
    match = re.search(r"\r\nRange: bytes=(\d+)-(\d+)(?:\r\n|$)", request.head)
    assert match, request.head
    return int(match[1]), int(match[2])


def serve(content: bytes, request: Any) -> bytes:
    """Return what RFC 9110 wants as the answer to a request for a range."""
    first, last = asked_range(request)
    if first >= len(content):
        return b"HTTP/1.1 416 X\r\nContent-Range: bytes */%d\r\nContent-Length: 0\r\n\r\n" % len(content)
    body = content[first : last + 1]
    span = f"bytes {first}-{first + len(body) - 1}/{len(content)}"
    return f"HTTP/1.1 206 X\r\nContent-Length: {len(body)}\r\nContent-Range: {span}\r\n\r\n".encode() + body


def get(key: str, size: int, ranges: Ranges, shape: Shape | None = None) -> tuple[Any, ...]:
    return (GET | LARGE, key, size, Large(ranges, shape))


@pytest.mark.parametrize("known", ["known", ""], ids=["known", "unknown"])
@pytest.mark.parametrize("size", [0, 1, 100 * KIB, 100 * KIB + 1, 999 * KIB])
def test_every_byte_is_asked_for_once(
    size: int, known: str, start_server: Callable[..., Any], run_loop: Callable[..., Any]
) -> None:
    content = content_of("k", size)
    server = start_server(lambda request, peer: serve(content, request), endpoints=2)

    run = run_loop(
        server.addresses, [get("k", size if known and size else -1, Ranges(100 * KIB, 3))], lanes=4
    )

    asked = sorted(asked_range(request) for request in server.requests)
    length = 100 * KIB
    if known and size:
        starts = range(0, size, length)
        assert asked == [(start, min(start + length, size) - 1) for start in starts]
    else:
        assert asked[0] == (0, length - 1)
        assert asked[1:] == [(start, min(start + length, size) - 1) for start in range(length, size, length)]
    assert run.reins.errors() == []
    if len(asked) == 1:
        assert run.reins.counts_of("") == {("get", 0): (1, size)}
        assert run.reins.counts_of("whole") == run.reins.counts_of("part") == {}
        return
    served = Counter(request.endpoint for request in server.requests)
    moved = Counter[int]()
    for request in server.requests:
        first, last = asked_range(request)
        moved[request.endpoint] += min(last, size - 1) - first + 1
    assert run.reins.counts_of("") == {}
    assert run.reins.counts_of("whole") == {("get", 0): (1, size)}
    assert run.reins.counts_of("part") == {("get", at): (served[at], moved[at]) for at in (0, 1)}


class Crowd:
    """Answers ranges only when ``size`` requests are in flight, as far as ``total`` goes; ``most`` were at one time."""

    def __init__(self, content: bytes, size: int) -> None:
        self.content = content
        self.most = self._inside = 0
        self._lock = threading.Lock()
        self._barrier = threading.Barrier(size)

    def __call__(self, request: Any, peer: Any) -> bytes:
        with self._lock:
            self._inside += 1
            self.most = max(self.most, self._inside)
        self._barrier.wait(20)
        with self._lock:
            self._inside -= 1
        return serve(self.content, request)


@pytest.mark.parametrize(
    ("parallel", "lanes", "together"), [(3, 5, 3), (8, 2, 2), (1, 4, 1)], ids=["parallel", "lanes", "one"]
)
def test_ranges_share_the_lanes(
    parallel: int, lanes: int, together: int, start_server: Callable[..., Any], run_loop: Callable[..., Any]
) -> None:
    crowd = Crowd(content_of("k", 600), together)
    server = start_server(crowd)

    run = run_loop(server.addresses, [get("k", 600, Ranges(100, parallel))], lanes=lanes)

    assert run.reins.counts_of("part") == {("get", 0): (6, 600)}
    assert crowd.most == together


def test_objects_of_one_size_are_read_two_at_a_time_when_lanes_allow_it(
    start_server: Callable[..., Any], run_loop: Callable[..., Any]
) -> None:
    crowd = Crowd(content_of("k", 400), 4)
    server = start_server(crowd)

    run = run_loop(server.addresses, [get("k", 400, Ranges(100, 2))] * 4, lanes=4)

    assert crowd.most == 4
    assert run.reins.counts_of("whole") == {("get", 0): (4, 1600)}


def test_lanes_that_wait_for_an_instant_take_ranges_meanwhile(
    start_server: Callable[..., Any], run_loop: Callable[..., Any]
) -> None:
    crowd = Crowd(content_of("k", 600), 3)
    server = start_server(crowd)

    run = run_loop(
        server.addresses,
        [get("k", 600, Ranges(100, 4))] * 9,
        lanes=3,
        rate=work.RatePlan(10, "deterministic"),
        duration_ns=250_000_000,
    )

    assert crowd.most == 3
    assert run.pacer is not None
    whole = run.pacer.due - run.pacer.missed
    assert whole > 0
    assert run.reins.counts_of("whole") == {("get", 0): (whole, 600 * whole)}
    wires = [wire for series in run.reins.totals.sections_wire().values() for wire in series]
    responses = [
        sum(wire["response"]["counts"]) if wire["response"] else 0
        for wire in wires
        if wire["role"] == "whole"
    ]
    assert sum(responses) == whole


def test_a_range_that_fails_is_tried_again_elsewhere(
    start_server: Callable[..., Any], run_loop: Callable[..., Any]
) -> None:
    content = content_of("k", 600)

    def script(request: Any, peer: Any) -> bytes:
        if request.endpoint == 1:
            return b"HTTP/1.1 503 X\r\nContent-Length: 0\r\n\r\n"
        return serve(content, request)

    server = start_server(script, endpoints=2)

    run = run_loop(server.addresses, [get("k", 600, Ranges(100, 4))], lanes=1, errors=RETRIES)

    refused = sum(request.endpoint for request in server.requests)
    assert refused > 0
    assert run.reins.errors() == [("get", 1, "http-503", refused, "503")]
    assert run.reins.counts_of("whole") == {("get", 0): (1, 600)}
    assert run.reins.counts_of("part") == {("get", 0): (6, 600)}
    assert run.policy.retries == refused


def test_a_range_that_fails_for_good_ends_the_operation_and_nothing_else(
    start_server: Callable[..., Any], run_loop: Callable[..., Any]
) -> None:
    content = content_of("k", 600)

    def script(request: Any, peer: Any) -> bytes:
        if request.path == "/bench/bad" and asked_range(request)[0] == 100:
            return b"HTTP/1.1 500 X\r\nContent-Length: 0\r\n\r\n"
        return serve(content, request)

    server = start_server(script)
    ranges = Ranges(100, 1)

    run = run_loop(server.addresses, [get("bad", 600, ranges), get("good", 600, ranges)])

    asked = Counter(request.path for request in server.requests)
    assert asked == {"/bench/bad": 2, "/bench/good": 6}
    assert run.reins.errors() == [("get", 0, "http-500", 1, "500")]
    assert run.reins.counts_of("whole") == {("get", 0): (1, 600)}
    assert run.reins.counts_of("part") == {("get", 0): (7, 700)}


@pytest.mark.parametrize("known", [100, 250, 600, 10_000])
def test_answers_are_right_about_the_size(
    known: int, start_server: Callable[..., Any], run_loop: Callable[..., Any]
) -> None:
    content = content_of("k", 250)
    server = start_server(lambda request, peer: serve(content, request))

    run = run_loop(server.addresses, [get("k", known, Ranges(100, 2))], lanes=2)

    assert run.reins.errors() == []
    whole = run.reins.counts_of("whole") or run.reins.counts_of("")
    assert whole == {("get", 0): (1, 250)}


SOME = b"HTTP/1.1 %b\r\nContent-Length: 100\r\n\r\n" + b"x" * 100


@pytest.mark.parametrize(
    ("size", "known", "asked"),
    [
        (249, False, [(0, 299)]),
        (300, False, [(0, 299)]),
        (301, False, [(0, 299), (300, 300)]),
        (250, True, [(0, 99), (100, 199), (200, 249)]),
    ],
)
def test_objects_below_a_size_are_not_divided(
    size: int,
    known: bool,  # noqa: FBT001 - pytest passes it by name
    asked: list[tuple[int, int]],
    start_server: Callable[..., Any],
    run_loop: Callable[..., Any],
) -> None:
    content = content_of("k", size)
    server = start_server(lambda request, peer: serve(content, request))
    ranges = Ranges(100, 1, least=250)

    run = run_loop(server.addresses, [get("k", size if known else -1, ranges)])

    assert [asked_range(request) for request in server.requests] == asked
    assert (ranges.divides(249), ranges.divides(250)) == (False, True)
    assert run.reins.errors() == []


@pytest.mark.parametrize(
    ("answer", "text"),
    [
        (
            SOME % b"206 X",
            "no range and size of the object can be read from the answer: Content-Range: ''",
        ),
        (
            SOME % b"206 X\r\nContent-Range: bytes 0-99/*",
            "no range and size of the object can be read from the answer: Content-Range: 'bytes 0-99/*'",
        ),
        (
            SOME % b"206 X\r\nContent-Range: bytes 100-199/200",
            "bytes 0-99 were asked for, 100 came as 'bytes 100-199/200'",
        ),
        (
            SOME % b"206 X\r\nContent-Range: bytes 0-79/80",
            "bytes 0-79 were asked for, 100 came as 'bytes 0-79/80'",
        ),
        (
            b"HTTP/1.1 200 OK\r\nContent-Length: 101\r\n\r\n" + b"x" * 101,
            "a range was asked for, the whole object came",
        ),
    ],
)
def test_answers_that_are_no_range_are_errors(
    answer: bytes, text: str, start_server: Callable[..., Any], run_loop: Callable[..., Any]
) -> None:
    server = start_server(lambda request, peer: answer)

    run = run_loop(server.addresses, [get("k", -1, Ranges(100, 2))])

    assert run.reins.errors() == [("get", 0, "bad-response", 1, text)]
    assert run.reins.counts() == {}


def test_a_small_object_may_come_without_being_a_range(
    start_server: Callable[..., Any], run_loop: Callable[..., Any]
) -> None:
    server = start_server(lambda request, peer: SOME % b"200 OK")
    run = run_loop(server.addresses, [get("k", -1, Ranges(100, 2))])
    assert run.reins.errors() == []
    assert run.reins.counts_of("") == {("get", 0): (1, 100)}


@pytest.mark.parametrize("shape", [PLAIN, Shape(dedup=3), Shape(compress=2), Shape(zero=True)])
@pytest.mark.parametrize("size", [100, 4096, 10_001, 200 * KIB])
def test_ranges_are_verified_wherever_they_begin(
    size: int, shape: Shape, start_server: Callable[..., Any], run_loop: Callable[..., Any]
) -> None:
    length = 500 * KIB
    content = bytearray(content_of("k", length, shape))
    flipped = bytearray(content)
    flipped[300_001] ^= 1
    bodies = {"/bench/k": bytes(content), "/bench/f": bytes(flipped)}
    server = start_server(lambda request, peer: serve(bodies["/bench/k"], request))
    good = run_loop(server.addresses, [get("k", length, Ranges(max(size, 10_001), 4), shape)], lanes=4)
    assert good.reins.errors() == []
    assert good.reins.counts_of("whole") == {("get", 0): (1, length)}

    payload = Payload(Pool(1))
    for start in range(0, length, max(size, 10_001)):
        end = min(start + max(size, 10_001), length)
        check = Check(payload, "k", length, shape, start=start, end=end)
        check.feed(memoryview(flipped)[start:end])
        place = f"k: byte 300001 is 0x{flipped[300_001]:02x}, expected 0x{content[300_001]:02x}"
        assert check.finish() == (("corrupt", place) if start <= 300_001 < end else None)


@pytest.mark.parametrize(
    ("served", "kind"), [(250, "truncated"), (300, "truncated"), (601, "corrupt"), (90, "truncated")]
)
def test_a_verified_object_has_the_size_it_was_written_with(
    served: int, kind: str, start_server: Callable[..., Any], run_loop: Callable[..., Any]
) -> None:
    content = content_of("k", served, Shape(zero=True))
    server = start_server(lambda request, peer: serve(content, request))

    run = run_loop(server.addresses, [get("k", 600, Ranges(100, 1), Shape(zero=True))])

    assert [error[:3] for error in run.reins.errors()] == [("get", 0, kind)]
    assert run.reins.errors()[0][4] == f"k: {served} bytes, expected 600"
    assert run.reins.counts_of("whole") == {}


def test_a_range_has_a_time_limit_of_its_own(
    start_server: Callable[..., Any], run_loop: Callable[..., Any]
) -> None:
    server = start_server(lambda request, peer: peer.stall())

    run = run_loop(server.addresses, [get("k", 600, Ranges(100, 1, timeout_ns=100_000_000))])

    assert run.reins.errors() == [("get", 0, "timeout", 1, "no answer within 0.1 s")]


def test_a_stop_cuts_an_operation_off_once(
    start_server: Callable[..., Any], run_loop: Callable[..., Any]
) -> None:
    server = start_server(lambda request, peer: peer.stall())

    run = run_loop(
        server.addresses,
        [get("k", 600, Ranges(100, 4)), get("l", 600, Ranges(100, 1))] * 4,
        lanes=5,
        stop_when=lambda: len(server.requests) == 5,
    )

    assert run.cut_off == 2
    assert run.reins.counts() == {}
    assert run.reins.errors() == []


def test_a_closed_connection_is_no_error_for_a_range(
    start_server: Callable[..., Any], run_loop: Callable[..., Any]
) -> None:
    content = content_of("k", 1000)

    def script(request: Any, peer: Any) -> bytes | None:
        if request.number == 3:
            peer.close()
        return serve(content, request)

    server = start_server(script)

    run = run_loop(server.addresses, [get("k", 1000, Ranges(100, 2))], lanes=2)

    assert run.reins.errors() == []
    assert run.reins.counts_of("part") == {("get", 0): (10, 1000)}
