"""What a server says that will not serve now, or not here."""

from __future__ import annotations

from time import monotonic
from typing import TYPE_CHECKING, Any

import pytest

from pytest_sai3bench.agent.messages import GET
from pytest_sai3bench.agent.response import find_field, retry_after_ns
from pytest_sai3bench.plan.model import Endpoint, ErrorPolicy, Origin

if TYPE_CHECKING:
    from collections.abc import Callable

S = 1_000_000_000
_XML = b"<Error><Code>%b</Code><Message>Not here.</Message>%b</Error>"
# Wed, 21 Oct 2015 07:28:00 GMT
_INSTANT_S = 1445412480


def answer(status: int, body: bytes = b"", *fields: bytes) -> bytes:
    lines = [b"HTTP/1.1 %d X" % status, b"Content-Length: %d" % len(body), *fields]
    return b"\r\n".join([*lines, b"", body])


@pytest.mark.parametrize(
    ("field", "asked_ns"),
    [
        (b"Retry-After: 3", 3 * S),
        (b"retry-after:0", 0),
        (b"RETRY-AFTER : 120 ", 120 * S),
        (b"Retry-After: Wed, 21 Oct 2015 07:28:00 GMT", 10 * S),
        (b"Retry-After: Wed, 21 Oct 2015 07:27:00 GMT", 0),
        (b"Retry-After: Wed, 21 Oct 99999 07:27:00 GMT", 0),
        (b"Retry-After: -1", 0),
        (b"Retry-After: 1.5", 0),
        (b"Retry-After: soon", 0),
        (b"Retry-After:", 0),
        (b"X-Retry-After: 3", 0),
        (b"Retry-After: 9999999999", 0),
    ],
)
def test_how_long_a_server_asks_to_wait(field: bytes, asked_ns: int) -> None:
    head = b"HTTP/1.1 503 Slow Down\r\nServer: x\r\n" + field

    assert retry_after_ns(head, _INSTANT_S - 10) == asked_ns


def test_a_field_is_found_whatever_its_case() -> None:
    head = b"HTTP/1.1 301 X\r\nlocation: http://h/\r\nX-Amz-Bucket-Region:eu\r\nEmpty:"

    assert [find_field(head, name) for name in ("Location", "x-amz-bucket-region", "empty", "no")] == [
        "http://h/",
        "eu",
        "",
        "",
    ]


@pytest.mark.parametrize("retries", [True, False])
def test_a_retry_waits_as_long_as_the_server_asks(
    start_server: Callable[..., Any], run_loop: Callable[..., Any], *, retries: bool
) -> None:
    times: list[float] = []

    def script(request: Any, peer: Any) -> bytes:
        times.append(monotonic())
        if len(times) > 1:
            return answer(200, b"data")
        return answer(503, _XML % (b"SlowDown", b""), b"Retry-After: 1")

    rules = ErrorPolicy(
        error_rate_threshold=1e9, retry_on_error=retries, initial_retry_delay_s=0.0, max_retry_delay_s=0.0
    )
    server = start_server(script)

    run = run_loop(server.addresses, [(GET, "key", 0)], errors=rules)

    assert run.reins.errors() == [("get", 0, "http-503", 1, "503 SlowDown: Not here.")]
    assert run.reins.counts() == ({("get", 0): (1, 4)} if retries else {})
    assert (len(times) == 1) if not retries else (times[1] - times[0] >= 1)


@pytest.mark.parametrize(
    ("reply", "kind", "detail"),
    [
        (
            answer(
                301,
                _XML
                % (
                    b"PermanentRedirect",
                    b"<Endpoint>bench.s3.eu-central-1.amazonaws.com</Endpoint><Bucket>bench</Bucket>",
                ),
                b"x-amz-bucket-region: eu-central-1",
            ),
            "redirected",
            (
                "301 PermanentRedirect: Not here; the server sends requests on to "
                "host s3.eu-central-1.amazonaws.com, region eu-central-1"
            ),
        ),
        (
            answer(
                307, _XML % (b"TemporaryRedirect", b""), b"Location: https://other:9000/bench?list-type=2"
            ),
            "redirected",
            "307 TemporaryRedirect: Not here; the server sends requests on to host other:9000",
        ),
        (
            answer(301, b"", b"x-amz-bucket-region: eu-west-1"),
            "redirected",
            "301; the server sends requests on to region eu-west-1",
        ),
        (
            answer(302, b"", b"Location: http://[broken/"),
            "redirected",
            "302; the server sends requests on to a place it does not name",
        ),
        (
            answer(400, _XML % (b"AuthorizationHeaderMalformed", b"<Region>eu-west-1</Region>")),
            "wrong-region",
            "400 AuthorizationHeaderMalformed: Not here; the region is eu-west-1",
        ),
    ],
)
def test_where_a_server_sends_us_is_told_and_not_followed(
    start_server: Callable[..., Any], make_run: Callable[..., Any], reply: bytes, kind: str, detail: str
) -> None:
    server = start_server(lambda request, peer: reply)
    host, port = server.addresses[0]
    run = make_run([Endpoint("uri", "s3", Origin("", ""), host, port, "bench")], [])

    assert run.check() == [(kind, detail)]
    assert len(server.requests) == 1
