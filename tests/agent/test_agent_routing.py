"""Every kind of operation, by every strategy, over every scheme: all go through the one place that chooses."""

from __future__ import annotations

import re
import ssl
import threading
from collections import Counter
from dataclasses import replace
from itertools import count
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlsplit

import pytest
import trustme

from pytest_sai3bench.agent.direct_io import refusal
from pytest_sai3bench.agent.pools import numbered_name, spread_key
from pytest_sai3bench.agent.sigv4 import Credentials
from pytest_sai3bench.agent.tls import TlsSettings
from pytest_sai3bench.plan.model import Endpoint, Origin
from pytest_sai3bench.plan.work import MultipartPlan, ObjectSet, RangesPlan, SizePlan, StagePlan

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from pytest_sai3bench.agent.tasks import Task

ENDPOINTS = 3
COUNT = 25
LIMIT = 60
WEIGHTS = (3.0, 1.0, 2.0)
STRATEGIES = ["round_robin", "least_connections", "random", "weighted", "sticky", "least_latency"]
SIZE = SizePlan("fixed", 500, 500)
OBJECTS = ObjectSet("data/", "prepared", COUNT, SIZE, "s.yaml:1")
_COMPLETED = b"<CompleteMultipartUploadResult/>"
_RANGE = re.compile(r"\r\nRange: bytes=(\d+)-(\d+)")
METHODS = {"GET": "get", "PUT": "put", "HEAD": "stat", "DELETE": "delete"}


class Limited:
    """A source that ends after `LIMIT` operations, so that no window has to."""

    def __init__(self, source: Any) -> None:
        self._source = source
        self._next = count().__next__

    def take(self) -> Task | None:
        task: Task | None = self._source.take() if self._next() < LIMIT else None
        return task


def _limited(prepared: Any) -> Any:
    return (
        prepared._replace(source=Limited(prepared.source))
        if prepared.stage["kind"] == "workload"
        else prepared
    )


class Shelf:
    """An object store behind a scripted server; answers no more than what these operations need."""

    def __init__(self) -> None:
        self.objects: dict[str, bytes] = {}
        self._lock = threading.Lock()

    def answer(self, request: Any, _peer: Any) -> bytes:
        parts = urlsplit(request.path)
        key = parts.path.removeprefix("/bench/")
        status, body, length = "200 OK", b"", 0
        with self._lock:
            if request.method == "POST":
                body = b"<R><UploadId>u</UploadId></R>" if parts.query == "uploads=" else _COMPLETED
            elif "partNumber" in parts.query:
                status = '200 OK\r\nETag: "tag"'
            elif request.method == "PUT":
                self.objects[key] = request.body
            elif request.method == "DELETE":
                status = "204 No Content" if self.objects.pop(key, None) is not None else "404 Not Found"
            elif parts.query:
                prefix = parse_qs(parts.query).get("prefix", [""])[0]
                keys = "".join(
                    f"<Contents><Key>{name}</Key></Contents>"
                    for name in sorted(self.objects)
                    if name.startswith(prefix)
                )
                body = f"<ListBucketResult>{keys}</ListBucketResult>".encode()
            elif key in self.objects:
                length = len(self.objects[key])
                body = self.objects[key] if request.method == "GET" else b""
                if asked := _RANGE.search(request.head):
                    first, last = int(asked[1]), min(int(asked[2]) + 1, length)
                    body, length = body[first:last], last - first
                    status = f"206 X\r\nContent-Range: bytes {first}-{last - 1}/{len(self.objects[key])}"
            else:
                status = "404 Not Found"
        return f"HTTP/1.1 {status}\r\nContent-Length: {length or len(body)}\r\n\r\n".encode() + body


class Storage:
    """Three endpoints that show the same objects; ``seen`` has operation and endpoint of what arrived, if that is known."""

    def __init__(self, endpoints: list[Endpoint], server: Any = None, tls: TlsSettings | None = None) -> None:
        self.endpoints = endpoints
        self.tls = tls
        self.credentials = Credentials("access", "secret", "us-east-1") if server else None
        self._server = server
        self._before = 0

    def begin(self) -> None:
        """Forget what has arrived so far."""
        self._before = len(self._server.requests) if self._server else 0

    @property
    def requests(self) -> list[Any]:
        """What has arrived since `begin`."""
        return list(self._server.requests[self._before :])

    def seen(self) -> Counter[tuple[str, int]] | None:
        if self._server is None:
            return None
        return Counter(
            ("list" if "list-type=2" in request.path else METHODS[request.method], request.endpoint)
            for request in self._server.requests[self._before :]
        )


@pytest.fixture(params=["file", "direct", "s3", "s3+https"])
def storage(request: pytest.FixtureRequest, tmp_path: Path) -> Storage:
    scheme, origin = request.param, Origin("", "")
    if scheme in {"file", "direct"}:
        (folder := tmp_path / "shared").mkdir()
        if scheme == "direct" and (detail := refusal(f"{folder}/", write=True)):
            pytest.skip(detail)
        roots = [tmp_path / f"mount-{number}" for number in range(ENDPOINTS)]
        for root in roots:
            root.symlink_to(folder)
        return Storage([Endpoint(f"{scheme}://{root}/", scheme, origin, root=f"{root}/") for root in roots])
    context = settings = None
    if scheme == "s3+https":
        authority = trustme.CA()
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        authority.issue_cert("127.0.0.1").configure_cert(context)
        settings = TlsSettings(ca=authority.cert_pem.bytes().decode())
    server = request.getfixturevalue("start_server")(Shelf().answer, ENDPOINTS, context)
    endpoints = [
        Endpoint(
            f"{scheme}://{host}:{port}/bench/", "s3", origin, host, port, "bench", tls=context is not None
        )
        for host, port in server.addresses
    ]
    return Storage(endpoints, server, settings)


def check_counts(strategy: str, counts: list[int], keys: list[str] | None) -> None:
    """Check operations on each endpoint; ``keys`` are those of all operations, where they are known."""
    total = sum(counts)
    if strategy == "round_robin":
        assert max(counts) - min(counts) <= 1
    elif strategy == "weighted":
        shares = [total * weight / sum(WEIGHTS) for weight in WEIGHTS]
        assert all(abs(count - share) < 1 + ENDPOINTS for count, share in zip(counts, shares))
    elif strategy == "sticky" and keys is not None:
        homes = Counter(spread_key(key, ENDPOINTS) for key in keys)
        assert counts == [homes[endpoint] for endpoint in range(ENDPOINTS)]
    elif strategy in {"random", "least_connections"}:
        assert min(counts) > 0


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_every_operation_goes_where_the_strategy_says(
    storage: Storage, make_run: Callable[..., Any], make_op: Callable[..., Any], strategy: str
) -> None:
    def workload(op: str, path: str) -> StagePlan:
        return StagePlan("workload", duration_s=60, operations=(make_op(op, path),))

    # Each stage with its operation, and the keys of all operations where they are known.
    prepared = [numbered_name("data/prepared-", number) for number in range(COUNT)]
    prepare = StagePlan("prepare", objects=(OBJECTS,))
    deletes = StagePlan("workload", duration_s=60, operations=(make_op("delete", "data/*"),))
    course: list[tuple[StagePlan, str, list[str] | None]] = [
        (prepare, "put", prepared),
        (workload("get", "data/*"), "get", None),
        (workload("stat", "data/*"), "stat", None),
        (workload("list", "data/"), "list", ["data/"] * LIMIT),
        (workload("put", "new/"), "put", None),
        (StagePlan("cleanup"), "delete", None),
        (prepare, "put", prepared),
        (deletes, "delete", prepared),
    ]
    stages = [stage for stage, _, _ in course]
    run = make_run(
        storage.endpoints,
        stages,
        storage.credentials,
        storage.tls,
        strategy=strategy,
        weights=WEIGHTS if strategy == "weighted" else (),
    )
    prepare_stage = run.worker.prepare
    run.worker.prepare = lambda *more: _limited(prepare_stage(*more))
    assert {kind for kind, _ in run.check()} == {""}
    for number, (_, kind, keys) in enumerate(course):
        run.stage(number, once_ready=storage.begin)
        assert run.reins.errors() == []
        found = {key: count for key, (count, _) in run.reins.counts().items()}
        assert {op for op, _ in found} == {kind}
        assert storage.seen() in (None, found)
        counts = [found.get((kind, endpoint), 0) for endpoint in range(ENDPOINTS)]
        if keys is prepared:
            assert sum(counts) == COUNT
        elif stages[number].kind == "workload":
            assert sum(counts) == LIMIT
        check_counts(strategy, counts, keys)


@pytest.mark.parametrize("storage", ["s3", "s3+https"], indirect=True)
@pytest.mark.parametrize("strategy", STRATEGIES)
def test_every_part_of_an_operation_goes_where_the_strategy_says(
    storage: Storage, make_run: Callable[..., Any], make_op: Callable[..., Any], strategy: str
) -> None:
    # Objects have 500 bytes: three ranges, or three parts between a begin and an end.
    reads = make_op("get", "data/*", ranges=RangesPlan(200, 2))
    writes = replace(make_op("put", "new/"), size=SIZE, multipart=MultipartPlan(200, 2, 200))
    run = make_run(
        storage.endpoints,
        [
            StagePlan("prepare", objects=(OBJECTS,)),
            StagePlan("workload", duration_s=60, operations=(reads,)),
            StagePlan("workload", duration_s=60, operations=(writes,)),
        ],
        storage.credentials,
        storage.tls,
        strategy=strategy,
        weights=WEIGHTS if strategy == "weighted" else (),
    )
    prepare_stage = run.worker.prepare
    run.worker.prepare = lambda *more: _limited(prepare_stage(*more))
    assert {kind for kind, _ in run.check()} == {""}
    run.stage(0)
    for stage, op, requests in ((1, "get", 3), (2, "put", 5)):
        run.stage(stage, once_ready=storage.begin)
        assert run.reins.errors() == []
        assert len(storage.requests) == LIMIT * requests
        arrived = Counter(each.endpoint for each in storage.requests)
        keys = [urlsplit(each.path).path.removeprefix("/bench/") for each in storage.requests]
        check_counts(strategy, [arrived[endpoint] for endpoint in range(ENDPOINTS)], keys)
        counted = {at: count for (kind, at), (count, _) in run.reins.counts_of("part").items() if kind == op}
        assert counted == arrived
        assert sum(count for count, _ in run.reins.counts_of("whole").values()) == LIMIT
