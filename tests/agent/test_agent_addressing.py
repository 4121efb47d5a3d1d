"""Every way to name a server, a bucket and a key, as a real server understands it."""

from __future__ import annotations

import socket
import threading
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import pytest

from pytest_sai3bench.agent.messages import GET, STAT
from pytest_sai3bench.agent.s3_requests import S3Requests, quote_key
from pytest_sai3bench.agent.tasks import ANYWHERE
from pytest_sai3bench.embedded import seaweedfs, server
from pytest_sai3bench.plan.model import Endpoint, Origin
from pytest_sai3bench.plan.work import StagePlan

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from pytest_sai3bench.agent.tasks import Task

_DOMAIN = "store.test"
_PREFIX = "p +/"
# With the prefix the longest that S3 allows: 1,024 bytes, of which the parts are names of files for this server.
_LONGEST = "/".join(["ä" * 100] * 5) + "/" + "x" * (19 - len(_PREFIX))
_KEYS = [
    "plain",
    "with space and  two",
    "plus+and+more",
    "per%cent, per%20cent and %2F",
    "ünïcödé/日本語/😀",
    "dots/.hidden/a..b/...",
    "a&b=c;d?e#f",
    # Without a backslash, which this server takes for a slash.
    "quote'\"<> |^`{}[]~!$(),:@",
    "tab\tand\x7f",
    _LONGEST,
]


@pytest.fixture(scope="module")
def domain_server() -> Iterator[server.EmbeddedServer]:
    """Run a real server that knows itself by a name, in front of which buckets may stand."""
    with pytest.MonkeyPatch.context() as patch:
        arguments = seaweedfs.gateway
        patch.setattr(seaweedfs, "gateway", lambda **more: [*arguments(**more), f"-domainName={_DOMAIN}"])
        with server.start(1, buckets=["bench"]) as running:
            yield running


@pytest.fixture
def names_resolve(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Let every name below the domain lead to this host, and return what was asked for."""
    resolve = socket.getaddrinfo
    asked = []

    def lead(host: str, *more: Any, **options: Any) -> Any:
        asked.append(host)
        return resolve("127.0.0.1" if host.endswith(_DOMAIN) else host, *more, **options)

    monkeypatch.setattr(socket, "getaddrinfo", lead)
    return asked


@pytest.fixture
def over_ipv6(s3_server: server.EmbeddedServer) -> Iterator[int]:
    """Return the port on ::1 that leads to the real server."""
    threads: list[threading.Thread] = []

    def pump(source: socket.socket, sink: socket.socket) -> None:
        with suppress(OSError):
            while data := source.recv(65536):
                sink.sendall(data)
        with suppress(OSError):
            sink.shutdown(socket.SHUT_WR)

    def accept() -> None:
        with suppress(OSError):
            while True:
                near, _ = listener.accept()
                far = socket.create_connection(s3_server.addresses[0])
                socks.extend((near, far))
                for pair in ((near, far), (far, near)):
                    threads.append(threading.Thread(target=pump, args=pair, daemon=True))
                    threads[-1].start()

    socks: list[socket.socket] = []
    with socket.create_server(("::1", 0), family=socket.AF_INET6) as listener:
        accepting = threading.Thread(target=accept, daemon=True)
        accepting.start()
        yield listener.getsockname()[1]
        listener.shutdown(socket.SHUT_RDWR)
        accepting.join(20)
    for sock in socks:
        with suppress(OSError):
            sock.shutdown(socket.SHUT_RDWR)
    for thread in threads:
        thread.join(20)
        assert not thread.is_alive()
    for sock in socks:
        sock.close()


class _Tasks:
    """A source of given tasks."""

    def __init__(self, tasks: Iterator[Task]) -> None:
        self._tasks = tasks

    def take(self) -> Task | None:
        return next(self._tasks, None)


@pytest.fixture
def round_trip(
    make_run: Callable[..., Any], make_op: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> Callable[..., None]:
    """Return ``round_trip(endpoint, credentials, client, bucket)``: every operation on every kind of key."""

    def go(endpoint: Endpoint, credentials: Any, client: Any, bucket: str) -> None:
        assert len((_PREFIX + _LONGEST).encode()) == 1024
        for key in _KEYS:
            client.put_object(Bucket=bucket, Key=_PREFIX + key, Body=key.encode())
        stages = [
            StagePlan("workload", duration_s=60, operations=(make_op("get", "plain"),)),
            StagePlan(
                "workload", duration_s=60, operations=(make_op("delete", "*/*"), make_op("delete", "*"))
            ),
        ]
        run = make_run([endpoint], stages, credentials, lanes=2)
        assert run.check() == [("", "")]
        listed = list(run.worker.engine.names("", recursive=True))
        assert sorted(listed) == sorted(map(quote_key, _KEYS))
        prepare = run.worker.prepare
        tasks = iter([(op, key, 0, None, ANYWHERE) for key in listed for op in (GET, STAT)])
        monkeypatch.setattr(
            run.worker, "prepare", lambda *more: prepare(*more)._replace(source=_Tasks(tasks))
        )
        run.stage(0)
        assert run.reins.errors() == []
        size = sum(len(key.encode()) for key in _KEYS)
        assert run.reins.counts() == {("get", 0): (len(_KEYS), size), ("stat", 0): (len(_KEYS), 0)}
        monkeypatch.setattr(run.worker, "prepare", prepare)
        run.stage(1)
        assert run.reins.errors() == []
        assert client.list_objects_v2(Bucket=bucket).get("KeyCount") == 0

    return go


def test_every_key_with_the_bucket_in_the_path(
    s3_server: server.EmbeddedServer, s3_client: Any, bucket: str, round_trip: Callable[..., None]
) -> None:
    host, port = s3_server.addresses[0]
    endpoint = Endpoint("uri", "s3", Origin("", ""), host, port, bucket, _PREFIX)

    round_trip(endpoint, s3_server.credentials, s3_client, bucket)


def test_every_key_with_the_bucket_in_the_host(
    domain_server: server.EmbeddedServer,
    connect: Callable[..., Any],
    names_resolve: list[str],
    round_trip: Callable[..., None],
) -> None:
    endpoint = Endpoint(
        "uri", "s3", Origin("", ""), _DOMAIN, domain_server.addresses[0][1], "bench", _PREFIX, virtual=True
    )

    round_trip(endpoint, domain_server.credentials, connect(domain_server, 1), "bench")

    assert f"bench.{_DOMAIN}" in names_resolve


def test_an_ipv6_address(
    s3_server: server.EmbeddedServer,
    s3_client: Any,
    bucket: str,
    over_ipv6: int,
    round_trip: Callable[..., None],
) -> None:
    endpoint = Endpoint("uri", "s3", Origin("", ""), "::1", over_ipv6, bucket, _PREFIX)

    round_trip(endpoint, s3_server.credentials, s3_client, bucket)


@pytest.mark.parametrize(
    ("fields", "host", "path"),
    [
        ({"host": "h", "port": 80}, "h", "/bench/p/key"),
        ({"host": "h", "port": 443}, "h:443", "/bench/p/key"),
        ({"host": "h", "port": 443, "tls": True}, "h", "/bench/p/key"),
        ({"host": "h", "port": 80, "tls": True}, "h:80", "/bench/p/key"),
        ({"host": "::1", "port": 80}, "[::1]", "/bench/p/key"),
        ({"host": "::1", "port": 9000}, "[::1]:9000", "/bench/p/key"),
        ({"host": "h.i", "port": 9000, "virtual": True}, "bench.h.i:9000", "/p/key"),
        ({"host": "h.i", "port": 443, "virtual": True, "tls": True}, "bench.h.i", "/p/key"),
    ],
)
def test_host_and_path_of_requests(fields: dict[str, object], host: str, path: str) -> None:
    requests = S3Requests({**fields, "bucket": "bench", "prefix": "p/"}, None)

    assert requests.object(0, "key") == f"GET {path} HTTP/1.1\r\nHost: {host}\r\n\r\n".encode()
    assert requests.list("", "").split(b"?")[0] == b"GET " + (b"/" if "virtual" in fields else b"/bench")
