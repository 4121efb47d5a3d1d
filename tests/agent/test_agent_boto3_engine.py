"""The engine that the other one is checked against: the same workload has to leave the same behind through both."""

from __future__ import annotations

import os
import socket
import ssl
import sys
from collections import Counter
from itertools import count
from typing import TYPE_CHECKING, Any

import pytest
import trustme

from pytest_sai3bench.agent.messages import DELETE, GET, LIST, PUT, STAT
from pytest_sai3bench.agent.tasks import ANYWHERE
from pytest_sai3bench.agent.tls import TlsSettings
from pytest_sai3bench.plan.model import Endpoint, ErrorPolicy, Origin
from pytest_sai3bench.plan.work import (
    DataPlan,
    MultipartPlan,
    ObjectSet,
    OperationPlan,
    RangesPlan,
    SizePlan,
    StagePlan,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from pytest_sai3bench.agent.sigv4 import Credentials
    from pytest_sai3bench.agent.tasks import Task
    from pytest_sai3bench.embedded.server import EmbeddedServer

ENGINES = ["default", "boto3"]
SIZE = SizePlan("uniform", 0, 9000)
# Everything that has to be encoded on the way, or must not be.
FOLDER = "da ta+/50%/%20/ü€😀~(1)/"
# Errors are what the test is about.
PATIENT = ErrorPolicy(error_rate_threshold=1e9)
EMPTY_LIST = b"<ListBucketResult><IsTruncated>false</IsTruncated></ListBucketResult>"
MISSING = b"<Error><Code>NoSuchKey</Code><Message>The specified key does not exist.</Message></Error>"
BUSY = b"<Error><Code>SlowDown</Code><Message>Please reduce your request rate.</Message></Error>"


class Bounded:
    """The first operations of a source, drawn before any of them begins: so all lanes and engines get the same."""

    def __init__(self, tasks: Iterable[Task | None]) -> None:
        self.tasks = [task for task in tasks if task]
        self._next = count().__next__

    def take(self) -> Task | None:
        number = self._next()
        return self.tasks[number] if number < len(self.tasks) else None


def endpoint(address: tuple[str, int], bucket: str = "bench", prefix: str = "", **more: Any) -> Endpoint:
    host, port = address
    return Endpoint(
        f"s3://{host}:{port}/{bucket}/{prefix}", "s3", Origin("", ""), host, port, bucket, prefix, **more
    )


def operation(op: str, path: str, weight: int, **more: Any) -> OperationPlan:
    return OperationPlan(op, path, weight, f"suite.yaml:{op}", SIZE if op == "put" else None, **more)


def test_the_same_workload_leaves_the_same_objects_and_counts_through_both(
    s3_server: EmbeddedServer,
    s3_client: Any,
    bucket: str,
    make_run: Callable[..., Any],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(os, "urandom", lambda size: bytes(range(size)))
    shaped = DataPlan(compress=3)
    sets = tuple(
        ObjectSet(folder, stem, number, SIZE, "", data=data)
        for folder, data, number in ((FOLDER, DataPlan(), 6), ("plain/", shaped, 4))
        for stem in ("prepared", "deletable")
    )
    operations = (
        operation("get", f"{FOLDER}prepared-*", 30, pool="prepared", verify=True),
        operation("get", "plain/", 10, pool="prepared"),
        operation("stat", "plain/prepared-00000003.dat", 20, pool="prepared"),
        operation("put", f"new/{FOLDER}", 20),
        operation("list", FOLDER, 5),
        operation("delete", f"{FOLDER}deletable-*", 4, pool="deletable"),
    )
    plan = (
        StagePlan("prepare", objects=sets),
        StagePlan("workload", duration_s=60, operations=operations),
        StagePlan("cleanup", objects=sets),
    )

    def objects(prefix: str) -> dict[str, bytes]:
        pages = s3_client.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix)
        return {
            entry["Key"][len(prefix) :]: s3_client.get_object(Bucket=bucket, Key=entry["Key"])["Body"].read()
            for page in pages
            for entry in page.get("Contents", [])
        }

    seen: dict[str, list[Any]] = {}
    for engine in ENGINES:
        prefix = f"of {engine}/"
        endpoints = [endpoint(address, bucket, prefix) for address in s3_server.addresses[:2]]
        run = make_run(endpoints, plan, s3_server.credentials, engine=engine, seed=11, data_seed=5)
        assert run.check() == [("", "")] * 2
        found = seen[engine] = []

        for stage in range(3):
            if stage == 1:
                result = run.stage(1, change=lambda mix: Bounded(mix.take() for _ in range(80)))
            else:
                result = run.stage(stage)
            assert (result["engine"], result["errors"], result["retries"]) == (engine, [], 0)
            found += [result["outcome"], run.reins.counts(), objects(prefix)]

    assert seen["boto3"] == seen["default"]
    _, prepared, made, _, worked, left, _, removed, rest = seen["boto3"]
    assert (sum(number for number, _ in prepared.values()), len(made), rest) == (20, 20, {})
    assert {op for op, _ in worked} == {"get", "put", "stat", "list", "delete"}
    assert sum(number for number, _ in worked.values()) == 80
    new = {key: body for key, body in left.items() if key.startswith("new/")}
    assert worked["put", 0][1] + worked["put", 1][1] == sum(map(len, new.values()))
    assert len(made.keys() - left.keys()) == sum(worked["delete", at][0] for at in range(2)) > 0
    # What the workload had removed before is removed once more, which is no error.
    assert sum(number for number, _ in removed.values()) == len(made) + len(new)


def test_large_objects_are_the_same_whether_they_come_and_go_in_parts_or_at_once(
    s3_server: EmbeddedServer, s3_client: Any, bucket: str, make_run: Callable[..., Any]
) -> None:
    size = SizePlan("uniform", 1, 50_000)
    reads = operation("get", "prepared-*", 1, verify=True, ranges=RangesPlan(7_000, 3))
    # Servers want parts of 5 MiB at least.
    big = SizePlan("fixed", 11 << 20, 11 << 20)
    sets = (ObjectSet("", "prepared", 6, size, ""), ObjectSet("big/", "prepared", 1, big, ""))
    stages = (
        StagePlan("prepare", objects=sets, multipart=MultipartPlan(5 << 20, 2, 6 << 20)),
        StagePlan("workload", duration_s=60, operations=(reads,)),
    )
    seen: dict[str, Counter[str]] = {}
    for engine in ENGINES:
        endpoints = [endpoint(address, bucket, f"{engine}/") for address in s3_server.addresses[:2]]
        run = make_run(endpoints, stages, s3_server.credentials, engine=engine, data_seed=5)
        assert run.check() == [("", "")] * 2
        assert run.stage(0)["errors"] == []
        result = run.stage(1, change=lambda mix: Bounded(mix.take() for _ in range(12)))
        assert result["errors"] == []
        found = seen[engine] = Counter()
        for wire in (wire for series in result["sections"].values() for wire in series):
            found[wire["role"]] += wire["count"]
            found["bytes"] += wire["bytes"] if wire["role"] != "part" else 0

    one, other = (
        s3_client.get_object(Bucket=bucket, Key=f"{engine}/big/prepared-00000000.dat")["Body"].read()
        for engine in ENGINES
    )
    assert len(one) == big.high
    assert one == other
    assert seen["boto3"] == {"": 12, "bytes": seen["default"]["bytes"]}
    assert seen["default"][""] + seen["default"]["whole"] == 12
    assert seen["default"]["part"] > 2 * seen["default"]["whole"] > 0


@pytest.mark.parametrize("engine", ENGINES)
def test_failures_have_the_same_names(
    start_server: Callable[..., Any], make_run: Callable[..., Any], engine: str
) -> None:
    def script(request: Any, peer: Any) -> bytes | None:
        answers = {
            "/bench/gone": (404, MISSING),
            "/bench/busy": (503, BUSY),
            "/bench/there": (200, b"hello"),
        }
        if request.path.startswith("/bench?"):
            return _answer(200, EMPTY_LIST)
        if request.path == "/bench/closed":
            peer.close()
        if request.path == "/bench/cut":
            peer.send(_answer(200, b"hello")[:-1])
            peer.close()
        status, body = answers[request.path]
        return _answer(status, b"" if request.method == "HEAD" else body)

    server = start_server(script)
    stage = StagePlan("workload", duration_s=60, operations=())
    run = make_run([endpoint(server.addresses[0])], [stage], engine=engine, lanes=1, errors=PATIENT)
    assert run.check() == [("", "")]
    asked = [(GET, "there"), (GET, "gone"), (STAT, "gone"), (PUT, "busy"), (DELETE, "busy"), (LIST, "")]
    asked += [(GET, "cut"), (GET, "closed"), (GET, "there")]

    result = run.stage(0, change=lambda _: Bounded((op, key, 0, None, ANYWHERE) for op, key in asked))

    assert result["outcome"] == "exhausted"
    assert run.reins.counts() == {("get", 0): (2, 10), ("list", 0): (1, 0)}
    failed = {(op, kind): (number, text) for op, _, kind, number, text in run.reins.errors()}
    assert {key: number for key, (number, _) in failed.items()} == {
        ("get", "http-404"): 1,
        ("stat", "http-404"): 1,
        ("put", "http-503"): 1,
        ("delete", "http-503"): 1,
        ("get", "closed"): 2,
    }
    assert failed["get", "http-404"][1] == "404 NoSuchKey: The specified key does not exist."
    assert failed["stat", "http-404"][1] == "404"
    assert failed["put", "http-503"][1] == "503 SlowDown: Please reduce your request rate."


@pytest.mark.parametrize("engine", ENGINES)
def test_no_answer_in_time(
    start_server: Callable[..., Any], make_run: Callable[..., Any], engine: str
) -> None:
    server = start_server(
        lambda request, peer: peer.stall() if "?" not in request.path else _answer(200, EMPTY_LIST)
    )
    stage = StagePlan("workload", duration_s=60, operations=())
    run = make_run([endpoint(server.addresses[0])], [stage], engine=engine, lanes=1, request_timeout_s=0.5)
    # It may be late itself where much else is going on, which does not matter.
    run.check()

    run.stage(0, change=lambda _: Bounded([(GET, "slow", 0, None, ANYWHERE)]))

    assert [(op, kind, number) for op, _, kind, number, _ in run.reins.errors()] == [("get", "timeout", 1)]


@pytest.mark.parametrize("engine", ENGINES)
def test_what_stands_against_a_run_has_the_same_names(
    s3_server: EmbeddedServer,
    bucket: str,
    make_run: Callable[..., Any],
    engine: str,
) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))

        def kinds(target: Endpoint, keys: Credentials) -> list[str]:
            return [kind for kind, _ in make_run([target], [], keys, engine=engine).check()]

        address, keys = s3_server.addresses[0], s3_server.credentials
        assert kinds(endpoint(address, bucket), keys) == [""]
        assert kinds(endpoint(address, "there-is-no-such"), keys) == ["no-bucket"]
        assert kinds(endpoint(address, bucket), keys._replace(secret_key="wrong")) == ["bad-secret"]
        assert kinds(endpoint(address, bucket), keys._replace(access_key="wrong")) == ["unknown-key"]
        assert kinds(endpoint(unused.getsockname(), bucket), keys) == ["refused"]


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize(("trusting", "kind"), [("authority", ""), ("nobody", "unknown-ca"), ("anybody", "")])
def test_certificates_are_verified_and_shown(
    start_server: Callable[..., Any], make_run: Callable[..., Any], engine: str, trusting: str, kind: str
) -> None:
    authority = trustme.CA()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    context.verify_mode = ssl.CERT_REQUIRED
    authority.configure_trust(context)
    server = start_server(
        lambda request, peer: _answer(200, EMPTY_LIST if "?" in request.path else b"hello"), context=context
    )
    own = authority.issue_cert("client@example.org")
    settings = TlsSettings(
        ca=authority.cert_pem.bytes().decode() if trusting == "authority" else "",
        certificate=own.cert_chain_pems[0].bytes().decode(),
        key=own.private_key_pem.bytes().decode(),
        verify=trusting != "anybody",
    )
    stage = StagePlan("workload", duration_s=60, operations=())
    run = make_run([endpoint(server.addresses[0], tls=True)], [stage], None, settings, engine=engine, lanes=1)

    [(found, detail)] = run.check()
    assert found == kind, detail
    if not kind:
        run.stage(0, change=lambda _: Bounded([(GET, "key", 0, None, ANYWHERE)] * 3))
        assert run.reins.errors() == []
        assert run.reins.counts() == {("get", 0): (3, 15)}


@pytest.mark.parametrize("engine", ENGINES)
def test_the_bucket_stands_in_the_host_where_it_is_wanted(
    start_server: Callable[..., Any],
    make_run: Callable[..., Any],
    monkeypatch: pytest.MonkeyPatch,
    engine: str,
) -> None:
    resolve = socket.getaddrinfo
    monkeypatch.setattr(
        socket, "getaddrinfo", lambda host, *more, **named: resolve("127.0.0.1", *more, **named)
    )
    server = start_server(lambda request, peer: _answer(200, EMPTY_LIST))
    _, port = server.addresses[0]

    assert make_run([endpoint(("store.example", port), virtual=True)], [], engine=engine).check() == [
        ("", "")
    ]
    assert make_run([endpoint(("store.example", port))], [], engine=engine).check() == [("", "")]

    [virtual, path] = server.requests
    assert f"Host: bench.store.example:{port}" in virtual.head.split("\r\n")
    assert virtual.path.startswith("/?")
    assert f"Host: store.example:{port}" in path.head.split("\r\n")
    assert path.path.startswith("/bench?")


def test_a_host_without_boto3_is_told_before_the_load(
    make_run: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "boto3", None)
    targets = [endpoint(("127.0.0.1", port)) for port in (1, 2)]

    found = make_run(targets, [], engine="boto3").check()

    assert [kind for kind, _ in found] == ["no-boto3"] * 2
    assert {detail for _, detail in found} == {
        f"engine: boto3 cannot be used by {sys.executable}: import of boto3 halted; None in sys.modules"
    }


def _answer(status: int, body: bytes = b"") -> bytes:
    return b"HTTP/1.1 %d X\r\nContent-Length: %d\r\n\r\n%b" % (status, len(body), body)
