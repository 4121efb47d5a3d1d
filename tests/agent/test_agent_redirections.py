"""What a server says that will not serve now, or not here."""

from __future__ import annotations

from socket import AF_INET
from time import monotonic
from typing import TYPE_CHECKING, Any

import pytest

from pytest_sai3bench.agent import s3_engine
from pytest_sai3bench.agent.messages import GET
from pytest_sai3bench.agent.regions import regional_host
from pytest_sai3bench.agent.response import find_field, retry_after_ns
from pytest_sai3bench.agent.sigv4 import Credentials
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
def test_where_a_server_sends_us_without_keys_is_told(
    start_server: Callable[..., Any], make_run: Callable[..., Any], reply: bytes, kind: str, detail: str
) -> None:
    server = start_server(lambda request, peer: reply)
    host, port = server.addresses[0]
    run = make_run([Endpoint("uri", "s3", Origin("", ""), host, port, "bench")], [])

    assert run.check() == [(kind, detail)]
    assert len(server.requests) == 1


_MOVED = answer(301, _XML % (b"PermanentRedirect", b""), b"x-amz-bucket-region: eu-west-1")
_MALFORMED = answer(400, _XML % (b"AuthorizationHeaderMalformed", b"<Region>eu-west-1</Region>"))
_FOUND = answer(200, b"<ListBucketResult/>")


@pytest.fixture
def check(
    start_server: Callable[..., Any], make_run: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> Callable[..., Any]:
    """Return ``check(host, *replies)``: outcome, hosts asked, regions signed for, of the check and a LIST after it."""

    def check(host: str, *replies: bytes) -> Any:
        left = iter(replies)
        server = start_server(lambda request, peer: next(left, _FOUND))
        ip, port = server.addresses[0]
        asked: list[str] = []

        def resolve(name: str, _port: int) -> tuple[int, tuple[object, ...]]:
            asked.append(name)
            return AF_INET, (ip, port)

        monkeypatch.setattr(s3_engine, "resolve", resolve)
        endpoint = Endpoint(
            "s3://bench/", "s3", Origin("", ""), host, port, "bench", virtual="amazon" in host
        )
        run = make_run([endpoint], [], Credentials("access", "secret", "us-east-1"))
        outcome = run.worker.engine.check(write=False)
        list(run.worker.engine.names("", recursive=True))
        heads = [request.head.encode() for request in server.requests]
        scopes = [find_field(head, "authorization").split("/")[2] for head in heads]
        return outcome, asked, scopes, [find_field(head, "host") for head in heads]

    return check


def test_a_bucket_of_aws_in_another_region_is_followed_there(check: Callable[..., Any]) -> None:
    outcome, asked, regions, hosts = check("s3.us-east-1.amazonaws.com", _MOVED)

    there = "s3.eu-west-1.amazonaws.com"
    assert outcome == [
        {
            "endpoint": 0,
            "kind": "",
            "detail": f"the bucket is in eu-west-1: requests are signed for it and go to {there}",
        }
    ]
    assert asked == ["bench.s3.us-east-1.amazonaws.com", f"bench.{there}"]
    assert regions == ["us-east-1", "eu-west-1", "eu-west-1"]
    assert [host.partition(":")[0] for host in hosts] == [asked[0], asked[1], asked[1]]


def test_a_server_that_wants_another_region_in_the_signature_gets_it(check: Callable[..., Any]) -> None:
    outcome, asked, regions, _ = check("store", _MALFORMED)

    assert outcome == [
        {"endpoint": 0, "kind": "", "detail": "the bucket is in eu-west-1: requests are signed for it"}
    ]
    assert asked == ["store", "store"]
    assert regions == ["us-east-1", "eu-west-1", "eu-west-1"]


def test_another_server_is_not_followed(check: Callable[..., Any]) -> None:
    outcome, asked, regions, _ = check("store", _MOVED)

    assert [each["kind"] for each in outcome] == ["redirected"]
    assert asked == ["store"]
    assert regions == ["us-east-1", "us-east-1"]


def test_a_region_is_followed_once(check: Callable[..., Any]) -> None:
    outcome, asked, _, _ = check("s3.amazonaws.com", _MOVED, _MOVED)

    assert [each["kind"] for each in outcome] == ["redirected"]
    assert asked == ["bench.s3.amazonaws.com", "bench.s3.eu-west-1.amazonaws.com"]


@pytest.mark.parametrize(
    ("host", "moved"),
    [
        ("s3.us-east-1.amazonaws.com", "s3.eu-west-1.amazonaws.com"),
        ("s3-us-west-2.amazonaws.com", "s3.eu-west-1.amazonaws.com"),
        ("s3.us-gov-west-1.amazonaws.com", "s3.eu-west-1.amazonaws.com"),
        ("s3.dualstack.us-east-1.amazonaws.com", "s3.dualstack.eu-west-1.amazonaws.com"),
        ("S3.amazonaws.com", "s3.eu-west-1.amazonaws.com"),
        ("s3.cn-north-1.amazonaws.com.cn", "s3.eu-west-1.amazonaws.com.cn"),
        ("bucket.vpce-1a2b.s3.us-east-1.vpce.amazonaws.com", ""),
        ("s3-accelerate.amazonaws.com", ""),
        ("s3.us-east-1.amazonaws.com.example.org", ""),
        ("10.0.0.1", ""),
    ],
)
def test_hosts_of_regions(host: str, moved: str) -> None:
    assert regional_host(host, "eu-west-1") == moved
